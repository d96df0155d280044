//! Watching what goes through an exchange or a queue while it does.
//!
//! As long as nobody watches, a run of messages costs a load and a branch. Events are made where the messages pass,
//! perhaps under a queue's lock, and told at the end of the turn, with nothing locked.

use crate::admin::{AdminError, MessageView, Missing};
use crate::broker::Broker;
use crate::key_pattern::KeyPattern;
use crate::topology::{Exchange, QueueCell};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use store::Message;

/// Who may watch the same exchange or queue at once.
const MOST_TAPS: usize = 8;
/// Bytes of a body that an event has, at most.
const MOST_BODY_BYTES: usize = 16 << 10;

/// Something that happened to a message.
#[derive(Clone, Debug)]
pub struct TapEvent {
    /// `publish` at an exchange; at a queue `enter`, `ack`, `deliver_no_ack`, `rejected`, `expired`, `maxlen`,
    /// `delivery_limit`, `moved` or `deleted`.
    pub what: &'static str,
    /// When, in ms since 1970.
    pub time_ms: u64,
    /// The message; only its position where no more of it is in memory.
    pub message: MessageView,
}

/// What somebody wants to watch.
#[derive(Clone, Debug)]
pub struct TapRequest {
    /// Messages with these routing keys only.
    pub routing_key: Option<KeyPattern>,
    /// One of so many; 0 and 1 = all.
    pub every: u64,
    /// At most so many per second.
    pub per_second: u64,
    /// Bytes of a body that are wanted.
    pub truncate: usize,
}

/// Who is told, without waiting: false when there is no room for the event.
pub type TapSink = Box<dyn Fn(TapEvent) -> bool + Send + Sync>;

/// Somebody who watches.
pub struct Tap {
    request: TapRequest,
    sink: TapSink,
    pace: Mutex<Pace>,
    skipped: AtomicU64,
    dropped: AtomicU64,
}

/// How many there were, and in which second.
#[derive(Default)]
struct Pace {
    seen: u64,
    second: u64,
    in_second: u64,
}

/// Who watches an exchange or a queue.
#[derive(Default)]
pub(crate) struct Taps {
    any: AtomicBool,
    taps: RwLock<Vec<Arc<Tap>>>,
}

/// An event and who is to be told.
pub(crate) struct Told {
    tap: Arc<Tap>,
    event: TapEvent,
}

impl Tap {
    /// Events that were passed over by rate or sampling, and that there was no room for, since it was last asked.
    pub fn take_missed(&self) -> (u64, u64) {
        (self.skipped.swap(0, Ordering::Relaxed), self.dropped.swap(0, Ordering::Relaxed))
    }

    /// True when this one is to be told of.
    fn wants(&self, routing_key: &[u8], now_ms: u64) -> bool {
        if self.request.routing_key.as_ref().is_some_and(|pattern| !pattern.is_match(routing_key)) {
            return false;
        }
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.seen += 1;
        let second = now_ms / 1000;
        if pace.second != second {
            (pace.second, pace.in_second) = (second, 0);
        }
        let is_sampled = self.request.every <= 1 || (pace.seen - 1).is_multiple_of(self.request.every);
        let wants = is_sampled && pace.in_second < self.request.per_second;
        if wants {
            pace.in_second += 1;
        } else {
            self.skipped.fetch_add(1, Ordering::Relaxed);
        }
        wants
    }
}

impl Taps {
    /// True while somebody watches.
    #[inline]
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    fn add(&self, tap: Arc<Tap>) -> bool {
        let mut taps = self.taps.write().unwrap_or_else(PoisonError::into_inner);
        if taps.len() >= MOST_TAPS {
            return false;
        }
        taps.push(tap);
        self.any.store(true, Ordering::Relaxed);
        true
    }

    fn remove(&self, tap: &Arc<Tap>) {
        let mut taps = self.taps.write().unwrap_or_else(PoisonError::into_inner);
        taps.retain(|other| !Arc::ptr_eq(other, tap));
        self.any.store(!taps.is_empty(), Ordering::Relaxed);
    }

    /// Makes the events of one message. `view` is asked only where somebody wants it, for so many bytes of the body.
    #[cold]
    pub(crate) fn note(
        &self,
        what: &'static str,
        routing_key: &[u8],
        time_ms: u64,
        view: impl Fn(usize) -> MessageView,
        told: &mut Vec<Told>,
    ) {
        let taps = self.taps.read().unwrap_or_else(PoisonError::into_inner);
        for tap in taps.iter().filter(|tap| tap.wants(routing_key, time_ms)) {
            let message = view(tap.request.truncate.min(MOST_BODY_BYTES));
            told.push(Told { tap: tap.clone(), event: TapEvent { what, time_ms, message } });
        }
    }

    /// The same for a message in memory, or of which only the position is.
    #[cold]
    pub(crate) fn note_message(
        &self,
        what: &'static str,
        (seq, message): (u64, Option<&Message>),
        time_ms: u64,
        told: &mut Vec<Told>,
    ) {
        let key = message.map_or(&[][..], |message| message.parts().routing_key());
        let view = |truncate| {
            let view = message.map(|message| MessageView::of(message, Some(truncate))).unwrap_or_default();
            MessageView { seq, ..view }
        };
        self.note(what, key, time_ms, view, told);
    }
}

impl Told {
    pub(crate) fn tell(self) {
        if !(self.tap.sink)(self.event) {
            self.tap.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What is watched.
enum Place {
    Exchange(Arc<Exchange>),
    Queue(Arc<QueueCell>),
}

/// Somebody watches until this is dropped.
pub struct Watch {
    place: Place,
    /// Who does.
    pub tap: Arc<Tap>,
}

impl Watch {
    /// False when what was watched has been deleted.
    pub fn is_there(&self, broker: &Broker) -> bool {
        match &self.place {
            Place::Queue(cell) => !cell.is_dead() && !broker.is_shutting_down(),
            Place::Exchange(_) => !broker.is_shutting_down(),
        }
    }

    fn taps(&self) -> &Taps {
        match &self.place {
            Place::Exchange(exchange) => &exchange.taps,
            Place::Queue(cell) => &cell.taps,
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.taps().remove(&self.tap);
    }
}

impl Broker {
    /// Watches what is published to an exchange.
    pub fn watch_exchange(
        &self,
        vhost: &str,
        name: &str,
        request: TapRequest,
        sink: TapSink,
    ) -> Result<Watch, AdminError> {
        let vhost = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        let missing = || AdminError::Invalid(format!("exchange '{name}' does not exist"));
        watch(Place::Exchange(vhost.exchange(name).ok_or_else(missing)?), request, sink)
    }

    /// Watches what enters a queue and what leaves it.
    pub fn watch_queue(
        &self,
        vhost: &str,
        name: &str,
        request: TapRequest,
        sink: TapSink,
    ) -> Result<Watch, AdminError> {
        let vhost = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        watch(Place::Queue(vhost.queue(name).ok_or_else(|| Missing::Queue.called(name))?), request, sink)
    }
}

fn watch(place: Place, request: TapRequest, sink: TapSink) -> Result<Watch, AdminError> {
    let (skipped, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
    let tap = Arc::new(Tap { request, sink, pace: Mutex::default(), skipped, dropped });
    let watch = Watch { place, tap: tap.clone() };
    if watch.taps().add(tap) {
        return Ok(watch);
    }
    Err(AdminError::Unavailable(format!("{MOST_TAPS} others watch already")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tap(every: u64, per_second: u64, pattern: Option<&str>) -> Tap {
        let routing_key = pattern.map(KeyPattern::new);
        let request = TapRequest { routing_key, every, per_second, truncate: 10 };
        let (skipped, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
        Tap { request, sink: Box::new(|_| false), pace: Mutex::default(), skipped, dropped }
    }

    #[test]
    fn a_tap_is_told_of_some_in_each_second() {
        let all = tap(1, 3, None);
        let told = |tap: &Tap, now_ms| (0..10).filter(|_| tap.wants(b"key", now_ms)).count();
        assert_eq!((told(&all, 5000), told(&all, 5999), told(&all, 6000)), (3, 0, 3));
        assert_eq!(all.take_missed(), (24, 0));
        assert_eq!(all.take_missed(), (0, 0));
        let sampled = tap(4, 100, None);
        assert_eq!(told(&sampled, 5000), 3, "the first, the fifth and the ninth");
        let picky = tap(1, 100, Some("other.#"));
        assert_eq!((told(&picky, 5000), picky.take_missed()), (0, (0, 0)));
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let (taps, mut told) = (Taps::default(), Vec::new());
        let tap = Arc::new(tap(1, 100, None));
        assert!(!taps.any());
        assert!(taps.add(tap.clone()));
        taps.note_message("ack", (7, None), 5000, &mut told);
        assert_eq!((told.len(), told[0].event.message.seq), (1, 7));
        told.into_iter().for_each(Told::tell);
        assert_eq!(tap.take_missed(), (0, 1));
        taps.remove(&tap);
        assert!(!taps.any());
    }
}
