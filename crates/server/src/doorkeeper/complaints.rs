//! What the log says of connections that came to nothing: each of a few, and how many of a flood.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Connections that are named each, within a span.
const MOST_NAMED: u32 = 20;
const SPAN: Duration = Duration::from_secs(1);
/// How often it is said that connections cannot be accepted, which is tried many times a second.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// Counts what is not said.
#[derive(Default)]
pub(super) struct Complaints {
    since: Option<Instant>,
    named: u32,
    unnamed: u64,
    /// Those that had to go because there were too many.
    crowded: usize,
    /// When it was last said that connections cannot be accepted.
    cannot_accept: Option<Instant>,
}

impl Complaints {
    /// A connection ended before it spoke AMQP. Those that look whether somebody is there hang up without a word, and are
    /// no matter for an operator.
    pub(super) fn ended(&mut self, now: Instant, peer: SocketAddr, what: &str, has_spoken: bool) {
        if !has_spoken {
            debug!(target: "connection", "closing {peer}: {what}");
            return;
        }
        if self.is_named(now) {
            warn!(target: "connection", "closing {peer}: {what}");
        }
    }

    /// So many had to go because there were too many.
    pub(super) fn crowded(&mut self, now: Instant, count: usize) {
        self.tell(now);
        self.since.get_or_insert(now);
        self.crowded += count;
    }

    /// A connection could not be accepted: said once, and again while that lasts.
    pub(super) fn cannot_accept(&mut self, now: Instant, error: &io::Error) {
        self.say_now_and_then(now, || format!("cannot accept a connection: {error}"));
    }

    /// A connection was hung up on because it would have been one of the last descriptors: said as seldom.
    pub(super) fn no_descriptors(&mut self, now: Instant) {
        self.say_now_and_then(now, || {
            "hanging up on new connections: the process may not have more open files, but for those that messages are \
             in; raise the limit (LimitNOFILE, ulimit -n)"
                .to_owned()
        });
    }

    fn say_now_and_then(&mut self, now: Instant, text: impl FnOnce() -> String) {
        if self.cannot_accept.is_none_or(|said| now.duration_since(said) >= SAY_AGAIN) {
            warn!("{}", text());
            self.cannot_accept = Some(now);
        }
    }

    /// True when another one may be named.
    fn is_named(&mut self, now: Instant) -> bool {
        self.tell(now);
        self.since.get_or_insert(now);
        let is_named = self.named < MOST_NAMED;
        if is_named {
            self.named += 1;
        } else {
            self.unnamed += 1;
        }
        is_named
    }

    /// Says how many were not named, once the span is over.
    pub(super) fn tell(&mut self, now: Instant) {
        if self.since.is_none_or(|since| now.duration_since(since) < SPAN) {
            return;
        }
        if self.unnamed > 0 {
            warn!(target: "connection", "closing {} more connections that ended before they spoke AMQP", self.unnamed);
        }
        if self.crowded > 0 {
            warn!(target: "connection", "closed {} connections that had not come through their handshakes: there were \
                   more of them than there may be", self.crowded);
        }
        *self = Complaints { cannot_accept: self.cannot_accept, ..Complaints::default() };
    }

    /// True while there is something that is to be told later.
    pub(super) fn has_more(&self) -> bool {
        self.unnamed > 0 || self.crowded > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted() {
        let (mut complaints, start) = (Complaints::default(), Instant::now());
        let named = (0..5_000).filter(|_| complaints.is_named(start)).count();
        assert_eq!((named, complaints.unnamed, complaints.has_more()), (20, 4_980, true));
        complaints.tell(start + SPAN / 2);
        assert!(complaints.has_more(), "the span is not over");
        complaints.tell(start + SPAN);
        assert!(!complaints.has_more() && complaints.is_named(start + SPAN), "it begins anew");
    }

    #[test]
    fn what_is_tried_many_times_a_second_is_said_now_and_then() {
        let (mut complaints, start) = (Complaints::default(), Instant::now());
        let error = io::Error::other("too many open files");
        complaints.cannot_accept(start, &error);
        complaints.cannot_accept(start + SAY_AGAIN / 2, &error);
        assert_eq!(complaints.cannot_accept, Some(start));
        complaints.crowded(start, 256);
        complaints.tell(start + SPAN);
        complaints.cannot_accept(start + SAY_AGAIN, &error);
        assert_eq!((complaints.cannot_accept, complaints.crowded), (Some(start + SAY_AGAIN), 0));
    }
}
