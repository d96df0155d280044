//! Messages that leave a queue other than to a consumer: rejected, expired, dropped, returned too often.
//!
//! Under the queue's lock they are taken out and, where the queue has a dead letter exchange, put on a list. The list is
//! worked off at the end of the turn, with no queue locked: each is rewritten, routed and put into its new queues, and
//! only then taken off the books of the old one. In the log the new records come first, so that a crash in between
//! leaves it in both, and never in none.

use super::delay::Release;
use super::history::Replay;
use super::{Core, MESSAGES_PER_LOCK};
use crate::dead_letter::{DeadLetter, Reason};
use crate::topology::{Exchange, QueueCell, QueueOptions, QueueState, Route, Routed, Vhost};
use crate::totals::Strategy;
use queue::Entry;
use std::sync::Arc;
use store::Message;

/// Dead letters sent in one turn.
const LETTERS_PER_TURN: usize = 4 * MESSAGES_PER_LOCK;
/// Bytes of their bodies, about, after which a turn sends no more: what is on disk is read for it, and written again.
const LETTER_BYTES_PER_TURN: u64 = 4 << 20;
/// Queues whose dead letters are being read, at most.
const MOST_QUEUES_READ: usize = 16;
/// While there are that many, or the log is full, it is looked again so much later, in ms.
const LOOK_AGAIN_MS: u64 = 2;
/// How long a dead letter waits that no queue took, in ms.
const RESEND_AFTER_MS: u64 = 1000;

/// A message that has left its queue and is to be dead-lettered.
pub struct Letter {
    cell: Arc<QueueCell>,
    /// What the queue was when the message left it, which says where it goes.
    options: Arc<QueueOptions>,
    entry: Entry,
    reason: Reason,
    /// Ids of the queues that have it already.
    reached: Vec<u64>,
    /// It was sent before, and no queue took it.
    is_again: bool,
    /// Where it goes as it is, and stays in its queue: a message of a history for a new binding.
    replay: Option<Replay>,
    /// Set for a delayed message whose time has come, which is no dead letter but takes the same way.
    release: Option<Release>,
}

/// A dead letter exchange and where it is.
type Place = (Arc<Vhost>, Arc<Exchange>);

/// Letters of a queue that are being read, and those that wait for them.
#[derive(Default)]
pub(crate) struct Unread {
    /// Reads that are under way.
    parts: usize,
    read: Vec<Letter>,
    behind: Vec<Letter>,
}

/// A message on its way to the queues of a route without a connection that published it.
pub(crate) struct Outgoing {
    pub(crate) message: Message,
    pub(crate) route: Arc<Route>,
    /// The queues that took it, by id, filled in by [`Core::enqueue_all`].
    pub(crate) reached: Vec<u64>,
}

impl Core {
    /// A message leaves its queue, which is locked and does not count it any more.
    pub(super) fn leave(&mut self, cell: &Arc<QueueCell>, state: &mut QueueState, entry: Entry, reason: Reason) {
        self.totals.count_dead_letters(reason, strategy(state), 1);
        if cell.taps.any() {
            self.note_left(cell, reason.word(), std::iter::once(&entry));
        }
        match dead_lettering(state) {
            Some(options) => self.letters.push_back(Letter::new(cell, options, entry, reason)),
            None => {
                self.remove_entries(cell, state, std::iter::once(&entry));
                self.scratch.done.push(entry);
            }
        }
    }

    /// The same for several.
    pub(super) fn leave_all(
        &mut self,
        cell: &Arc<QueueCell>,
        state: &mut QueueState,
        entries: Vec<Entry>,
        reason: Reason,
    ) {
        if entries.is_empty() {
            return;
        }
        self.totals.count_dead_letters(reason, strategy(state), entries.len() as u64);
        if cell.taps.any() {
            self.note_left(cell, reason.word(), entries.iter());
        }
        match dead_lettering(state) {
            Some(options) => {
                self.letters.extend(entries.into_iter().map(|entry| Letter::new(cell, options, entry, reason)));
            }
            None => {
                self.remove_entries(cell, state, entries.iter());
                self.scratch.done.extend(entries);
            }
        }
    }

    /// A message leaves its queue because an entry of the calendar said that its time is over. The entry stays until the
    /// log has it that the message left.
    pub(super) fn leave_when_due(
        &mut self,
        cell: &Arc<QueueCell>,
        state: &mut QueueState,
        entry: Entry,
        release: Release,
    ) {
        let before = self.letters.len();
        self.leave(cell, state, entry, Reason::Expired);
        if self.letters.len() == before {
            return release.finish();
        }
        if let Some(letter) = self.letters.back_mut() {
            letter.release = Some(release);
        }
    }

    /// True while there are dead letters to send.
    pub(crate) fn has_dead_letters(&self) -> bool {
        self.next_letters_ms().is_some_and(|due_ms| due_ms <= self.time_ms)
    }

    /// When to send dead letters next, in ms since 1970.
    pub(crate) fn next_letters_ms(&self) -> Option<u64> {
        (!self.letters.is_empty()).then_some(self.letters_not_before_ms)
    }

    /// Sends dead letters, as many as one turn allows. Sending may make more: their new queues may have no room.
    pub(crate) fn send_dead_letters(&mut self) {
        if !self.has_dead_letters() {
            return;
        }
        if !self.log_has_room_for(0) {
            // Publishers wait for it, too.
            self.letters_not_before_ms = self.time_ms + LOOK_AGAIN_MS;
            return;
        }
        let letters = self.take_readable();
        let mut outgoing = self.address_all(&letters);
        self.enqueue_all(&mut outgoing);
        let mut rest = letters.into_iter().zip(outgoing).peekable();
        while let Some(first) = rest.next() {
            let cell = first.0.cell.clone();
            let mut sent = vec![first];
            while let Some(next) =
                rest.next_if(|(letter, _)| sent.len() < MESSAGES_PER_LOCK && Arc::ptr_eq(&letter.cell, &cell))
            {
                sent.push(next);
            }
            self.take_off_books(&cell, sent);
        }
    }

    /// Where letters go, and as what.
    fn address_all(&mut self, letters: &[Letter]) -> Vec<Outgoing> {
        let mut outgoing = Vec::with_capacity(letters.len());
        let mut last: Option<(&Letter, Option<Place>)> = None;
        for letter in letters {
            if let (Some(replay), Some(message)) = (&letter.replay, &letter.entry.message) {
                outgoing.push(self.replayed(message, replay));
                continue;
            }
            let is_same = |(other, _): &&(&Letter, _)| {
                Arc::ptr_eq(&other.cell, &letter.cell) && Arc::ptr_eq(&other.options, &letter.options)
            };
            let place = match last.as_ref().filter(is_same) {
                Some((_, place)) => place.clone(),
                None => self.dead_letter_exchange(letter),
            };
            outgoing.extend(self.address(letter, place.as_ref()));
            last = Some((letter, place));
        }
        outgoing
    }

    fn dead_letter_exchange(&self, letter: &Letter) -> Option<Place> {
        let vhost = self.broker.vhost(&letter.cell.vhost)?;
        let exchange = vhost.exchange(&letter.options.dead_letter.as_ref()?.exchange)?;
        Some((vhost, exchange))
    }

    fn address(&mut self, letter: &Letter, place: Option<&Place>) -> Option<Outgoing> {
        if letter.cell.holds_delayed {
            return self.address_released(&letter.cell, letter.entry.message.as_ref()?);
        }
        let (message, target) = (letter.entry.message.as_ref()?, letter.options.dead_letter.as_ref()?);
        let (Some((vhost, exchange)), now_ms) = (place, self.time_ms) else {
            // RabbitMQ: without the exchange it is gone.
            let message = message.clone();
            return Some(Outgoing { message, route: Arc::default(), reached: Vec::new() });
        };
        let publisher_deaths = self.broker.settings.publisher_deaths;
        let dead = DeadLetter::new(message, &letter.cell.name, letter.reason, now_ms, target, publisher_deaths);
        let (keys, properties) = (dead.routing_keys(), dead.properties());
        let routed = Routed { keys: &keys, headers: properties.headers(), properties, ..Routed::default() };
        let mut route = self.route_by(vhost, exchange, &routed);
        // RabbitMQ does not look for cycles when a consumer rejected it: that is no cycle of the broker's own making.
        let looks_round = letter.reason != Reason::Rejected;
        let passes_over =
            |cell: &QueueCell| letter.reached.contains(&cell.quid) || (looks_round && dead.goes_round(&cell.name));
        if route.queues.iter().any(|cell| passes_over(cell)) {
            let queues = route.queues.iter().filter(|cell| !passes_over(cell)).cloned().collect();
            route = Arc::new(Route::to(queues));
        }
        let message = dead.store(&mut self.arena, now_ms);
        exchange.counters.publish_in.add(1);
        exchange.counters.publish_out.add(route.queues.len() as u64);
        if exchange.taps.any() {
            exchange.taps.note_message("publish", (0, Some(&message)), now_ms, &mut self.told);
        }
        Some(Outgoing { message, route, reached: letter.reached.clone() })
    }

    /// Letters of one queue have been sent: they leave its books, but for those that have to reach a queue and did not.
    fn take_off_books(&mut self, cell: &Arc<QueueCell>, sent: Vec<(Letter, Outgoing)>) {
        let mut state = cell.lock();
        let mut gone = Vec::with_capacity(sent.len());
        let mut released = Vec::new();
        let (mut again, mut again_in_vain) = (0, 0);
        let short_of_memory = self.broker.is_short_of_memory();
        for (mut letter, outgoing) in sent {
            if letter.replay.is_some() {
                continue;
            }
            let at_least_once = letter.options.dead_letter.as_ref().is_some_and(|target| target.at_least_once);
            again += usize::from(letter.is_again);
            let reached_all = outgoing.route.queues.iter().all(|cell| outgoing.reached.contains(&cell.quid));
            // An exchange that drops a duplicate has its message.
            let has_taker = !outgoing.reached.is_empty() || outgoing.route.met_duplicate;
            if !at_least_once || (reached_all && has_taker) || cell.is_dead() {
                if at_least_once && has_taker && letter.release.is_none() {
                    self.totals.count_confirmed_letters(1);
                }
                gone.push(letter.entry);
                released.extend(letter.release);
                continue;
            }
            again_in_vain += usize::from(letter.is_again);
            letter.is_again = true;
            letter.release.iter_mut().for_each(Release::hold);
            letter.reached = outgoing.reached;
            if letter.entry.stored && short_of_memory {
                letter.entry.message = None;
            }
            state.queue.delivered(1, u64::from(letter.entry.body_len));
            state.unsent.push_back(letter);
        }
        self.remove_entries(cell, &mut state, gone.iter());
        // Only now: until the log has it that they left, the calendar has to know of them.
        released.into_iter().for_each(Release::finish);
        if !state.unsent.is_empty() {
            let goes_well = again > 2 * again_in_vain;
            self.look_at(cell, &mut state, self.time_ms + if goes_well { 1 } else { RESEND_AFTER_MS });
        }
        cell.publish_gauges(&state);
        drop(state);
    }

    /// Sends letters again that no queue took, the next few of them, and where the queue's options say now. Where they say
    /// nothing any more those letters are dropped, as RabbitMQ does.
    pub(super) fn resend(&mut self, cell: &Arc<QueueCell>, state: &mut QueueState) {
        let options = state.options.clone().filter(|options| options.dead_letter.is_some());
        let mut gone = Vec::new();
        for mut letter in state.unsent.drain(..state.unsent.len().min(MESSAGES_PER_LOCK)) {
            state.queue.settled(letter.entry.body_len);
            match &options {
                Some(options) => {
                    letter.options = options.clone();
                    self.letters.push_back(letter);
                }
                None => gone.push(letter.entry),
            }
        }
        if options.is_none() && !state.unsent.is_empty() {
            self.look_at(cell, state, self.time_ms + 1);
        }
        self.remove_entries(cell, state, gone.iter());
        self.scratch.done.extend(gone);
    }

    /// Takes the next letters, as many as one turn allows, but for those that are on disk only, which are read first, and
    /// those that came after such of the same queue: the letters of a queue keep their order.
    fn take_readable(&mut self) -> Vec<Letter> {
        let count = self.letters.len().min(LETTERS_PER_TURN);
        let mut readable = Vec::with_capacity(count);
        let mut unread: Vec<Letter> = Vec::new();
        let mut bytes = 0;
        for _ in 0..count {
            let is_another = |letter: &Letter| {
                letter.entry.message.is_none()
                    && !self.unread.contains_key(&letter.cell.quid)
                    && unread.iter().all(|other| !Arc::ptr_eq(&other.cell, &letter.cell))
            };
            if self.unread.len() >= MOST_QUEUES_READ && self.letters.front().is_some_and(is_another) {
                self.letters_not_before_ms = self.time_ms + LOOK_AGAIN_MS;
                break;
            }
            if bytes >= LETTER_BYTES_PER_TURN {
                break;
            }
            let Some(letter) = self.letters.pop_front() else { break };
            bytes += u64::from(letter.body_len());
            let quid = letter.cell.quid;
            if letter.entry.message.is_none() && !self.unread.contains_key(&quid) {
                unread.push(letter);
            } else if unread.iter().any(|other| other.cell.quid == quid) {
                // Behind those that are about to be read.
                self.unread.entry(quid).or_default().behind.push(letter);
            } else if let Some(held) = self.unread.get_mut(&quid) {
                held.behind.push(letter);
            } else {
                readable.push(letter);
            }
        }
        self.read_letters(unread);
        readable
    }

    /// Has letters read; they come back as messages to this shard.
    fn read_letters(&mut self, unread: Vec<Letter>) {
        let mut rest = unread.into_iter().peekable();
        while let Some(first) = rest.next() {
            let (cell, level) = (first.cell.clone(), first.entry.level);
            let mut letters = vec![first];
            while let Some(next) =
                rest.next_if(|letter| Arc::ptr_eq(&letter.cell, &cell) && letter.entry.level == level)
            {
                letters.push(next);
            }
            let parts = self.broker.read_letters(&cell, level, letters, self.shard);
            self.unread.entry(cell.quid).or_default().parts += parts;
            self.take_back(cell.quid);
        }
    }

    /// Takes letters of a queue back that have been read.
    pub(crate) fn take_letters(&mut self, cell: &QueueCell, letters: Vec<Letter>) {
        let Some(unread) = self.unread.get_mut(&cell.quid) else { return };
        unread.read.extend(letters);
        unread.parts = unread.parts.saturating_sub(1);
        self.letters_not_before_ms = 0;
        self.take_back(cell.quid);
    }

    /// Puts the letters of a queue back on the list when none of them is being read.
    fn take_back(&mut self, quid: u64) {
        if self.unread.get(&quid).is_none_or(|unread| unread.parts > 0) {
            return;
        }
        if let Some(Unread { read, behind, .. }) = self.unread.remove(&quid) {
            // They are older than what is on the list.
            for letter in read.into_iter().chain(behind).rev() {
                self.letters.push_front(letter);
            }
        }
    }

    /// Puts messages into the queues of their routes; neighbours with the same route together.
    pub(crate) fn enqueue_all(&mut self, outgoing: &mut [Outgoing]) {
        let mut at = 0;
        while at < outgoing.len() {
            let route = outgoing[at].route.clone();
            let is_alike = |other: &&Outgoing| Arc::ptr_eq(&other.route, &route);
            let len = outgoing[at..].iter().take_while(is_alike).count().min(MESSAGES_PER_LOCK);
            let (messages, end) = (&mut outgoing[at..at + len], at + len);
            let mut items: Vec<_> = messages.iter().map(|outgoing| super::item::Item::of(&outgoing.message)).collect();
            let before = (self.run.expires, self.run.rejected);
            self.run.expires = items.iter().any(|item| item.expires);
            if !route.histories.is_empty() {
                self.remember(&route, &mut items, &[]);
            }
            for cell in &route.queues {
                items.iter_mut().for_each(|item| item.rejected = false);
                self.enqueue_run(cell, &mut items, &[], false);
                for (item, outgoing) in items.iter().zip(messages.iter_mut()).filter(|(item, _)| !item.rejected) {
                    debug_assert!(item.stored.is_some(), "it was not the last queue");
                    outgoing.reached.push(cell.quid);
                }
            }
            if !route.claims.is_empty() && messages.iter().all(|outgoing| !outgoing.reached.is_empty()) {
                self.keep_claims(&route);
            }
            (self.run.expires, self.run.rejected) = before;
            at = end;
        }
    }
}

/// What a queue is whose messages are dead-lettered.
fn dead_lettering(state: &QueueState) -> Option<&Arc<QueueOptions>> {
    state.options.as_ref().filter(|options| options.dead_letter.is_some())
}

/// What it does with messages that it gives up.
fn strategy(state: &QueueState) -> Strategy {
    match dead_lettering(state).and_then(|options| options.dead_letter.as_ref()) {
        None => Strategy::Disabled,
        Some(target) if target.at_least_once => Strategy::AtLeastOnce,
        Some(_) => Strategy::AtMostOnce,
    }
}

impl Letter {
    fn new(cell: &Arc<QueueCell>, options: &Arc<QueueOptions>, entry: Entry, reason: Reason) -> Letter {
        let (cell, options) = (cell.clone(), options.clone());
        Letter { cell, options, entry, reason, reached: Vec::new(), is_again: false, replay: None, release: None }
    }

    /// A message of a history, to be read and given to a new binding.
    pub(super) fn of_history(cell: &Arc<QueueCell>, entry: Entry, replay: Replay) -> Letter {
        Letter { replay: Some(replay), ..Letter::new(cell, &Arc::default(), entry, Reason::MaxLength) }
    }

    /// A delayed message whose time has come.
    pub(super) fn released(
        cell: &Arc<QueueCell>,
        options: &Arc<QueueOptions>,
        entry: Entry,
        release: Release,
    ) -> Letter {
        Letter { release: Some(release), ..Letter::new(cell, options, entry, Reason::Expired) }
    }

    /// Its position.
    pub(crate) fn seq(&self) -> u64 {
        self.entry.seq
    }

    /// Bytes of its body, about.
    pub(crate) fn body_len(&self) -> u32 {
        self.entry.body_len
    }

    /// True when its message stays in its queue.
    pub(crate) fn is_replay(&self) -> bool {
        self.replay.is_some()
    }

    /// It has been read.
    pub(crate) fn take_message(&mut self, message: Message) {
        self.entry.message = Some(message);
    }
}
