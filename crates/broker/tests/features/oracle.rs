//! What every queue has, in plain code: one thing happens at a time, and all that follows from it at the same moment.

use std::cmp::Reverse;
use std::collections::VecDeque;

pub const QUEUES: usize = 4;
/// A dead letter target that is not there.
pub const NOWHERE: usize = QUEUES;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    #[default]
    DropHead,
    Reject,
    RejectDlx,
}

#[derive(Clone, Debug, Default)]
pub struct Options {
    pub ttl_ms: Option<u64>,
    pub max_length: Option<usize>,
    pub max_length_bytes: Option<usize>,
    pub overflow: Overflow,
    pub target: Option<usize>,
    pub at_least_once: bool,
    pub max_priority: Option<u8>,
    pub delivery_limit: Option<u32>,
    /// The wait after the first return, and the longest.
    pub retry_ms: Option<(u64, u64)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    pub queue: usize,
    pub reason: &'static str,
    pub count: i64,
}

/// A message, whichever queues it is in.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: u32,
    pub body_len: usize,
    pub priority: u8,
    pub persistent: bool,
    pub expiration_ms: Option<u64>,
    pub deaths: Vec<Death>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redelivered {
    No,
    Maybe,
    Yes,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub message: Message,
    /// Its position, which tells it from other copies of the message in the same queue.
    pub seq: u64,
    level: u8,
    due_ms: u64,
    delivery_count: u32,
    /// Returns that count as failures: all but basic.nack.
    failures: u32,
    pub redelivered: Redelivered,
    by_consumer: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    Reject,
    Nack,
    Gone,
}

#[derive(Clone, Debug, Default)]
pub struct Queue {
    pub options: Options,
    pub ready: Vec<Entry>,
    pub unacked: Vec<Entry>,
    waits: Vec<(u64, Entry)>,
    /// Dead letters that nobody took, and whether they ever were in the queue, and so on disk.
    unsent: Vec<(Entry, bool)>,
    next_seq: u64,
    /// Prefetch of its consumer.
    pub consumer: Option<usize>,
    /// Deliveries to its consumer that nobody has looked at.
    pub sent: VecDeque<Entry>,
}

#[derive(Clone, Debug, Default)]
pub struct Oracle {
    pub queues: Vec<Queue>,
    pub now_ms: u64,
    letters: VecDeque<(usize, Entry, &'static str, bool)>,
    /// Messages may be on disk only, so that what has to be read comes later than what has not.
    pub is_scarce: bool,
    /// Deliveries may have to wait for the disk.
    pub is_on_disk: bool,
    /// Every place that a message came to, since somebody looked.
    pub placed: Vec<(usize, Message)>,
    /// Several things happened at the same moment, whose order nobody promises.
    pub is_ambiguous: bool,
}

impl Queue {
    pub fn unacked_count(&self) -> usize {
        self.unacked.len() + self.waits.len() + self.unsent.len()
    }

    /// Messages that are there, delivered and waiting ones among them, and survive.
    pub fn persistent(&self) -> impl Iterator<Item = &Message> {
        let waits = self.waits.iter().map(|(_, entry)| entry);
        let unsent = self.unsent.iter().filter(|(_, was_there)| *was_there).map(|(entry, _)| entry);
        let all = self.ready.iter().chain(&self.unacked).chain(waits).chain(unsent);
        all.map(|entry| &entry.message).filter(|message| message.persistent)
    }

    pub fn is_limited(&self) -> bool {
        self.options.max_length.is_some() || self.options.max_length_bytes.is_some()
    }

    pub fn is_at_rest(&self) -> bool {
        self.waits.is_empty() && self.unsent.is_empty()
    }

    fn bytes(&self) -> usize {
        self.ready.iter().map(|entry| entry.message.body_len).sum()
    }

    fn is_above(&self, more: usize, more_bytes: usize) -> bool {
        self.options.max_length.is_some_and(|most| self.ready.len() + more > most)
            || self.options.max_length_bytes.is_some_and(|most| self.bytes() + more_bytes > most)
    }

    fn insert(&mut self, entry: Entry) {
        let place = |entry: &Entry| (Reverse(entry.level), entry.seq);
        let at = self.ready.partition_point(|other| place(other) < place(&entry));
        self.ready.insert(at, entry);
    }

    fn deliver(&mut self, now_ms: u64) {
        let Some(prefetch) = self.consumer else { return };
        while self.unacked.iter().filter(|entry| entry.by_consumer).count() < prefetch {
            let Some(first) = self.ready.first().filter(|first| first.due_ms > now_ms) else { return };
            let mut entry = first.clone();
            self.ready.remove(0);
            entry.by_consumer = true;
            self.sent.push_back(entry.clone());
            self.unacked.push(entry);
        }
    }
}

impl Oracle {
    pub fn new(is_on_disk: bool, is_scarce: bool) -> Oracle {
        Oracle { queues: vec![Queue::default(); QUEUES], is_on_disk, is_scarce, ..Oracle::default() }
    }

    /// True when the queue takes the message.
    fn enqueue(&mut self, at: usize, message: Message) -> bool {
        let now_ms = self.now_ms;
        let queue = &mut self.queues[at];
        let options = queue.options.clone();
        let least = options.ttl_ms.into_iter().chain(message.expiration_ms).min();
        let entry = Entry {
            seq: queue.next_seq,
            level: options.max_priority.map_or(0, |most| message.priority.min(most)),
            due_ms: least.map_or(u64::MAX, |ms| now_ms + ms),
            delivery_count: 0,
            failures: 0,
            redelivered: Redelivered::No,
            by_consumer: false,
            message,
        };
        if options.overflow != Overflow::DropHead && queue.is_above(1, entry.message.body_len) {
            if options.overflow == Overflow::RejectDlx {
                self.leave(at, entry, "maxlen", false);
            }
            return false;
        }
        queue.next_seq += 1;
        self.placed.push((at, entry.message.clone()));
        queue.insert(entry);
        queue.deliver(now_ms);
        self.drop_heads(at);
        true
    }

    fn drop_heads(&mut self, at: usize) {
        while self.queues[at].options.overflow == Overflow::DropHead && self.queues[at].is_above(0, 0) {
            let entry = self.queues[at].ready.remove(0);
            self.leave(at, entry, "maxlen", true);
        }
    }

    fn leave(&mut self, at: usize, entry: Entry, reason: &'static str, was_there: bool) {
        if self.queues[at].options.target.is_some() {
            self.letters.push_back((at, entry, reason, was_there));
            // Which of them comes first depends on which have to be read.
            self.is_ambiguous |= self.is_on_disk && self.letters.len() > 1;
        }
    }

    fn send_letters(&mut self) {
        while let Some((at, entry, reason, was_there)) = self.letters.pop_front() {
            let options = self.queues[at].options.clone();
            let (message, target) = self.dead_letter(at, &entry.message, reason);
            let reached = match target {
                Some(target) => {
                    // It may come while what the consumer gets next is still read, or waits for its mark.
                    self.is_ambiguous |= self.is_on_disk && self.queues[target].consumer.is_some();
                    self.enqueue(target, message)
                }
                None => false,
            };
            if options.at_least_once && !reached {
                self.queues[at].unsent.push((entry, was_there));
            }
        }
    }

    /// What a message becomes that leaves a queue, and the queue that it goes to then.
    pub fn dead_letter(&self, at: usize, message: &Message, reason: &'static str) -> (Message, Option<usize>) {
        let mut message = Message { expiration_ms: None, ..message.clone() };
        let same = message.deaths.iter().position(|death| (death.queue, death.reason) == (at, reason));
        let count = same.map_or(0, |same| message.deaths.remove(same).count);
        message.deaths.insert(0, Death { queue: at, reason, count: count + 1 });
        let target = self.queues[at].options.target.filter(|target| *target != NOWHERE);
        let since = || message.deaths.iter().take_while(|death| death.reason != "rejected");
        let goes_round = |target: usize| reason != "rejected" && since().any(|death| death.queue == target);
        let target = target.filter(|target| !goes_round(*target));
        (message, target)
    }

    /// Publishes go to these queues; for each whether all took it.
    pub fn publish(&mut self, messages: Vec<Message>, queues: &[usize]) -> Vec<bool> {
        let taken = messages
            .into_iter()
            .map(|message| {
                let taken: Vec<bool> = queues.iter().map(|queue| self.enqueue(*queue, message.clone())).collect();
                taken.into_iter().all(|taken| taken)
            })
            .collect();
        self.send_letters();
        taken
    }

    pub fn consume(&mut self, at: usize, prefetch: usize) {
        self.queues[at].consumer = Some(prefetch);
        self.queues[at].deliver(self.now_ms);
    }

    pub fn get(&mut self, at: usize) -> Option<Entry> {
        let queue = &mut self.queues[at];
        let entry = (!queue.ready.is_empty()).then(|| queue.ready.remove(0))?;
        queue.unacked.push(entry.clone());
        Some(entry)
    }

    fn take_unacked(&mut self, at: usize, seq: u64) -> Entry {
        let unacked = &mut self.queues[at].unacked;
        let found = unacked.iter().position(|entry| entry.seq == seq).expect("it was delivered");
        unacked.remove(found)
    }

    pub fn ack(&mut self, at: usize, seq: u64) {
        self.take_unacked(at, seq);
        self.queues[at].deliver(self.now_ms);
    }

    pub fn reject(&mut self, at: usize, seq: u64) {
        let entry = self.take_unacked(at, seq);
        self.leave(at, entry, "rejected", true);
        self.queues[at].deliver(self.now_ms);
        self.send_letters();
    }

    pub fn requeue(&mut self, at: usize, seq: u64, why: Back) {
        let entry = self.take_unacked(at, seq);
        self.come_back(at, entry, why);
        self.drop_heads(at);
        self.queues[at].deliver(self.now_ms);
        self.send_letters();
    }

    fn come_back(&mut self, at: usize, mut entry: Entry, why: Back) {
        let options = self.queues[at].options.clone();
        entry.by_consumer = false;
        entry.redelivered = Redelivered::Yes;
        let count = entry.delivery_count + 1;
        if entry.due_ms <= self.now_ms {
            // One whose message was left to the disk is not known to have expired before it is read.
            self.is_ambiguous |= self.is_scarce;
            return self.leave(at, entry, "expired", true);
        }
        entry.failures += u32::from(why != Back::Nack);
        if options.delivery_limit.is_some_and(|limit| entry.failures > limit) {
            return self.leave(at, entry, "delivery_limit", true);
        }
        entry.delivery_count = count;
        let wait_ms = options.retry_ms.map_or(0, |(min_ms, max_ms)| (min_ms * u64::from(count)).min(max_ms));
        if wait_ms > 0 {
            self.queues[at].waits.push((self.now_ms + wait_ms, entry));
        } else {
            self.queues[at].insert(entry);
        }
    }

    /// The client of all deliveries is gone.
    pub fn break_off(&mut self) {
        let mut returned = 0;
        for at in 0..QUEUES {
            self.queues[at].consumer = None;
            self.queues[at].sent.clear();
            for entry in std::mem::take(&mut self.queues[at].unacked) {
                self.come_back(at, entry, Back::Gone);
            }
            self.drop_heads(at);
            returned += self.letters.len();
        }
        self.is_ambiguous |= returned > 1;
        self.send_letters();
    }

    /// When the next thing happens, up to `until_ms`.
    pub fn next_ms(&mut self, until_ms: u64) -> Option<u64> {
        let ready = self.queues.iter().flat_map(|queue| queue.ready.iter().map(|entry| entry.due_ms));
        let waits = self.queues.iter().flat_map(|queue| queue.waits.iter().map(|(due_ms, _)| *due_ms));
        let times: Vec<u64> = ready.chain(waits).collect();
        let next_ms = times.iter().copied().min().filter(|next_ms| *next_ms <= until_ms)?;
        self.is_ambiguous |= times.iter().filter(|time| **time == next_ms).count() > 1;
        Some(next_ms)
    }

    /// Time passes; nothing is due before `now_ms`.
    pub fn be_at(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.do_what_is_due();
        self.send_letters();
    }

    fn do_what_is_due(&mut self) {
        let now_ms = self.now_ms;
        for at in 0..QUEUES {
            let waits = std::mem::take(&mut self.queues[at].waits);
            let (over, waits) = waits.into_iter().partition(|(due_ms, _)| *due_ms <= now_ms);
            self.queues[at].waits = waits;
            let over: Vec<(u64, Entry)> = over;
            over.into_iter().for_each(|(_, entry)| self.queues[at].insert(entry));
            self.drop_heads(at);
            let ready = std::mem::take(&mut self.queues[at].ready);
            let (expired, ready) = ready.into_iter().partition(|entry| entry.due_ms <= now_ms);
            self.queues[at].ready = ready;
            self.queues[at].deliver(now_ms);
            let expired: Vec<Entry> = expired;
            expired.into_iter().for_each(|entry| self.leave(at, entry, "expired", true));
        }
    }

    /// The broker ends, with everything on disk that is to be there, and begins anew.
    pub fn restart(&mut self) {
        for queue in &mut self.queues {
            queue.consumer = None;
            queue.sent.clear();
            queue.ready.iter_mut().for_each(|entry| {
                if entry.redelivered == Redelivered::No {
                    entry.redelivered = Redelivered::Maybe;
                }
            });
            let delivered = queue.unacked.drain(..).chain(queue.waits.drain(..).map(|(_, entry)| entry));
            let delivered: Vec<Entry> =
                delivered.map(|entry| Entry { redelivered: Redelivered::Yes, by_consumer: false, ..entry }).collect();
            let unsent = queue.unsent.drain(..).filter(|(_, was_there)| *was_there).map(|(entry, _)| Entry {
                redelivered: if entry.redelivered == Redelivered::No { Redelivered::Maybe } else { Redelivered::Yes },
                by_consumer: false,
                ..entry
            });
            let back: Vec<Entry> = delivered.into_iter().chain(unsent).collect();
            back.into_iter().for_each(|entry| queue.insert(entry));
            queue.ready.retain(|entry| entry.message.persistent);
            if queue.options.delivery_limit.is_some() {
                // On disk is what the limit counts.
                queue.ready.iter_mut().for_each(|entry| entry.delivery_count = entry.failures);
            }
        }
        let before: Vec<usize> = self.queues.iter().map(|queue| queue.ready.len()).collect();
        self.do_what_is_due();
        let left = self.queues.iter().zip(before).any(|(queue, before)| queue.ready.len() != before);
        self.is_ambiguous |= left && self.letters.len() > 1;
        self.send_letters();
    }
}
