//! What has to be there after a restart, as far as clients can know.
//!
//! *After a restart durable queues hold every confirmed, not acknowledged message in original order, those that may have
//! been delivered marked as redelivered; possibly also messages published but not yet confirmed, or whose acknowledgement
//! was not yet synced (marked as well); nothing never published, nothing twice.*
//!
//! Clients say what they do before they do it and what they see after they saw it, so that whatever the threads do, the
//! oracle never knows less than the broker may have done, nor more than it did. What must not be is collected as a
//! [`Violation`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A publisher (one channel, from its opening to its end) and the number of its publish.
pub type MessageId = (u32, u32);

/// What must never happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A confirmed message that nobody acknowledged is not there.
    Lost { queue: usize, id: MessageId },
    /// It is there although it was never published to this queue.
    NeverPublished { queue: usize, id: MessageId },
    /// It is there twice, or was delivered while somebody had it already.
    Twice { queue: usize, id: MessageId },
    /// It stands behind a later one of the same publisher.
    OutOfOrder { queue: usize, id: MessageId, after: u32 },
    /// It was delivered before and is not marked as redelivered.
    NotMarked { queue: usize, id: MessageId },
    /// Its acknowledgement was on disk, or it was missing after an earlier restart.
    CameBack { queue: usize, id: MessageId },
    /// It is transient and survived.
    Survived { queue: usize, id: MessageId },
    /// One message of a transaction is there and this one is not.
    Torn { queue: usize, id: MessageId },
}

/// How far a message has come in one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Published, and with nobody.
    Ready,
    /// Delivered to a client that has not settled it.
    Held,
    /// The client sent its acknowledgement, of which nothing more is known.
    Acked,
    /// The acknowledgement is on disk, or a restart showed that it is gone.
    Gone,
}

/// A message in one queue.
#[derive(Debug)]
struct Copy {
    persistent: bool,
    /// Confirmed, committed, or found after a restart: it is on disk.
    certain: bool,
    seen: bool,
    state: State,
}

/// A delivery as a client saw it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub queue: usize,
    pub id: MessageId,
    pub redelivered: bool,
    /// The consumer, where nothing is requeued on its queue while it consumes, so that it sees the original order.
    pub ordered_consumer: Option<u32>,
}

/// A message that was found after a restart: its id, and whether it was marked as redelivered.
pub type Found = (MessageId, bool);

/// Acknowledgements that the broker has read at some time.
type Read = (u64, Vec<(usize, MessageId)>);

/// The messages of every queue.
pub struct Oracle {
    queues: Vec<BTreeMap<MessageId, Copy>>,
    /// Counts what was told, so that "before" means something between connections.
    now: u64,
    published_at: HashMap<MessageId, u64>,
    acks_read: Vec<Read>,
    /// The last number by consumer and publisher.
    last: HashMap<(u32, u32), u32>,
    /// Transactions that may have been committed or not.
    open_transactions: Vec<Vec<MessageId>>,
    /// The broker ends in good order: it closes one connection after the other.
    stopping: bool,
    violations: Vec<Violation>,
}

impl Oracle {
    /// For so many durable queues, which are empty.
    pub fn new(queues: usize) -> Oracle {
        Oracle {
            queues: (0..queues).map(|_| BTreeMap::new()).collect(),
            now: 0,
            published_at: HashMap::new(),
            acks_read: Vec::new(),
            last: HashMap::new(),
            open_transactions: Vec::new(),
            stopping: false,
            violations: Vec::new(),
        }
    }

    /// What went wrong so far.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// A client is about to publish to these queues.
    pub fn published(&mut self, id: MessageId, queues: &[usize], persistent: bool) {
        self.now += 1;
        if persistent {
            self.published_at.insert(id, self.now);
        }
        for queue in queues {
            let copy = Copy { persistent, certain: false, seen: false, state: State::Ready };
            assert!(self.queues[*queue].insert(id, copy).is_none(), "the test publishes {id:?} once");
        }
    }

    /// A publish was confirmed. If it is persistent it is synced, and so is every acknowledgement that had been read when
    /// it was published.
    pub fn confirmed(&mut self, id: MessageId) {
        for copies in &mut self.queues {
            if let Some(copy) = copies.get_mut(&id) {
                copy.certain = true;
            }
        }
        let Some(published_at) = self.published_at.remove(&id) else { return };
        let synced = self.acks_read.partition_point(|(read_at, _)| *read_at < published_at);
        for (queue, id) in self.acks_read.drain(..synced).flat_map(|(_, acks)| acks) {
            if let Some(copy) = self.queues[queue].get_mut(&id) {
                copy.state = State::Gone;
            }
        }
    }

    /// A client is about to commit these publishes together; they are confirmed one by one when it has the answer.
    pub fn committing(&mut self, ids: &[MessageId]) {
        self.open_transactions.push(ids.to_vec());
    }

    /// The broker is about to be asked to end. What it takes back from one connection may go to another that is not closed
    /// yet, before the first has read that it is.
    pub fn stopping(&mut self) {
        self.stopping = true;
    }

    /// A client received it.
    pub fn delivered(&mut self, seen: Seen) {
        let Seen { queue, id, redelivered, ordered_consumer } = seen;
        let Some(copy) = self.queues[queue].get_mut(&id) else {
            return self.violations.push(Violation::NeverPublished { queue, id });
        };
        match copy.state {
            State::Ready => {}
            State::Held if self.stopping && redelivered => {}
            State::Held | State::Acked => self.violations.push(Violation::Twice { queue, id }),
            State::Gone => self.violations.push(Violation::CameBack { queue, id }),
        }
        if copy.seen && !redelivered {
            self.violations.push(Violation::NotMarked { queue, id });
        }
        (copy.seen, copy.state) = (true, State::Held);
        if let Some(consumer) = ordered_consumer.filter(|_| !self.stopping) {
            let (publisher, number) = id;
            if let Some(after) = self.last.insert((consumer, publisher), number).filter(|after| *after >= number) {
                self.violations.push(Violation::OutOfOrder { queue, id, after });
            }
        }
    }

    /// A client is about to acknowledge it, or to reject it for good.
    pub fn acked(&mut self, queue: usize, id: MessageId) {
        self.set_state(queue, id, State::Acked);
    }

    /// The broker answered something that the client sent after these acknowledgements.
    pub fn acks_read(&mut self, acks: Vec<(usize, MessageId)>) {
        self.now += 1;
        self.acks_read.push((self.now, acks));
    }

    /// A client is about to put it back.
    pub fn requeued(&mut self, queue: usize, id: MessageId) {
        self.set_state(queue, id, State::Ready);
    }

    fn set_state(&mut self, queue: usize, id: MessageId, state: State) {
        if let Some(copy) = self.queues[queue].get_mut(&id) {
            copy.state = state;
        }
    }

    /// The broker was started again, and this was found in its queues, in order: everything, and nobody has it any more.
    pub fn restarted(&mut self, found: &[Vec<Found>]) {
        assert_eq!(found.len(), self.queues.len(), "the test looks into every queue");
        let present: Vec<BTreeSet<MessageId>> =
            found.iter().map(|found| found.iter().map(|(id, _)| *id).collect()).collect();
        self.check_transactions(&present);
        for (queue, found) in found.iter().enumerate() {
            self.check_found(queue, found);
            self.check_missing(queue, &present[queue]);
        }
        self.published_at.clear();
        self.acks_read.clear();
        self.last.clear();
        self.stopping = false;
    }

    /// All of a transaction or nothing of it, but for what was acknowledged since.
    fn check_transactions(&mut self, present: &[BTreeSet<MessageId>]) {
        for ids in std::mem::take(&mut self.open_transactions) {
            if !present.iter().any(|present| ids.iter().any(|id| present.contains(id))) {
                continue;
            }
            for (queue, present) in present.iter().enumerate() {
                for id in &ids {
                    let Some(copy) = self.queues[queue].get(id) else { continue };
                    // What was certain is reported as lost.
                    let is_due = copy.persistent && !copy.certain && matches!(copy.state, State::Ready | State::Held);
                    if is_due && !present.contains(id) {
                        self.violations.push(Violation::Torn { queue, id: *id });
                    }
                }
            }
        }
    }

    fn check_found(&mut self, queue: usize, found: &[Found]) {
        let mut here = BTreeSet::new();
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        for (id, redelivered) in found {
            let (queue, id) = (queue, *id);
            if !here.insert(id) {
                self.violations.push(Violation::Twice { queue, id });
                continue;
            }
            if let Some(after) = last.insert(id.0, id.1).filter(|after| *after > id.1) {
                self.violations.push(Violation::OutOfOrder { queue, id, after });
            }
            let Some(copy) = self.queues[queue].get_mut(&id) else {
                self.violations.push(Violation::NeverPublished { queue, id });
                continue;
            };
            if copy.state == State::Gone {
                self.violations.push(Violation::CameBack { queue, id });
            }
            if !copy.persistent {
                self.violations.push(Violation::Survived { queue, id });
            }
            if copy.seen && !redelivered {
                self.violations.push(Violation::NotMarked { queue, id });
            }
            // It was found, so it is on disk and has been delivered, whatever was known before.
            *copy = Copy { persistent: copy.persistent, certain: true, seen: true, state: State::Ready };
        }
    }

    fn check_missing(&mut self, queue: usize, present: &BTreeSet<MessageId>) {
        for (id, copy) in &mut self.queues[queue] {
            if present.contains(id) {
                continue;
            }
            if copy.persistent && copy.certain && matches!(copy.state, State::Ready | State::Held) {
                self.violations.push(Violation::Lost { queue, id: *id });
            }
            copy.state = State::Gone;
        }
    }
}

#[cfg(test)]
mod tests;
