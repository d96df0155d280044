//! What became of every message, as far as the clients can know, and what must never happen.

use std::collections::{BTreeMap, BTreeSet};
use store::Lsn;

/// A publisher (one channel, from its opening to its end) and the number of its publish.
pub type MessageId = (u32, u32);

/// How a delivery is known to have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    No,
    /// Settled on a connection that broke afterwards: the broker may never have read it.
    Maybe,
    Yes,
}

/// A message in one queue.
#[derive(Debug)]
struct Copy {
    /// False when the publisher's connection broke before the publish was confirmed.
    certain: bool,
    seen: bool,
    /// Delivered to a client that has neither settled nor returned it.
    held: bool,
    done: Done,
}

/// A delivery as a client saw it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub queue: usize,
    pub id: MessageId,
    pub redelivered: bool,
    pub no_ack: bool,
    /// The client has asked for everything on this channel to be returned, which may have happened before it reads
    /// this; somebody else may have the message by now.
    pub stale: bool,
}

/// The messages of every queue.
#[derive(Default)]
pub struct Oracle {
    queues: Vec<BTreeMap<MessageId, Copy>>,
    confirmed: BTreeSet<MessageId>,
    /// Where the log was when a publish was sent that is to be in it before it is confirmed: its record comes behind.
    logged_after: BTreeMap<MessageId, Lsn>,
    appended: Lsn,
    durable: Lsn,
}

impl Oracle {
    pub fn new(queues: usize) -> Oracle {
        Oracle { queues: (0..queues).map(|_| BTreeMap::new()).collect(), ..Oracle::default() }
    }

    /// What has been appended to the log so far, and what of it is durable.
    pub fn log_is_at(&mut self, appended: Lsn, durable: Lsn) {
        (self.appended, self.durable) = (appended, durable);
    }

    /// The publish may not be confirmed before it is in the log.
    pub fn must_be_logged(&mut self, id: MessageId) {
        self.logged_after.insert(id, self.appended);
    }

    pub fn published(&mut self, queue: usize, id: MessageId) {
        let copy = Copy { certain: true, seen: false, held: false, done: Done::No };
        assert!(self.queues[queue].insert(id, copy).is_none(), "the simulation publishes {id:?} once");
    }

    pub fn confirmed(&mut self, id: MessageId) {
        if let Some(after) = self.logged_after.get(&id) {
            assert!(
                self.durable > *after,
                "{id:?} is confirmed at {:?}, and is in the log after {after:?}",
                self.durable
            );
        }
        self.confirmed.insert(id);
    }

    /// The connection of these publishers broke: of what is not confirmed nothing is known.
    pub fn publisher_broke(&mut self, publisher: u32) {
        for copies in &mut self.queues {
            for (id, copy) in copies.range_mut((publisher, 0)..=(publisher, u32::MAX)) {
                copy.certain &= self.confirmed.contains(id);
            }
        }
    }

    fn copy(&mut self, queue: usize, id: MessageId) -> &mut Copy {
        let Some(copy) = self.queues[queue].get_mut(&id) else { panic!("{id:?} was never published to queue {queue}") };
        copy
    }

    pub fn delivered(&mut self, seen: Seen) {
        let Seen { queue, id, redelivered, no_ack, stale } = seen;
        let copy = self.copy(queue, id);
        if !stale {
            assert!(!copy.held, "{seen:?} came while another delivery of it is not settled");
            assert!(copy.done != Done::Yes, "{seen:?} came although it was settled");
            assert!(redelivered || !copy.seen, "{seen:?} came before and is not marked as redelivered");
        }
        copy.seen = true;
        if no_ack {
            copy.done = Done::Yes;
        } else {
            copy.held |= !stale;
        }
    }

    /// The client acknowledged it, or rejected it for good.
    pub fn settled(&mut self, queue: usize, id: MessageId) {
        let copy = self.copy(queue, id);
        (copy.held, copy.done) = (false, Done::Yes);
    }

    /// The connection of a settlement broke.
    pub fn settlement_unsure(&mut self, queue: usize, id: MessageId) {
        self.copy(queue, id).done = Done::Maybe;
    }

    /// The client asked for it to be returned, or is gone.
    pub fn returned(&mut self, queue: usize, id: MessageId) {
        self.copy(queue, id).held = false;
    }

    /// Compares with what was left in a queue once everybody had let go of everything.
    pub fn check_rest(&self, queue: usize, rest: &[MessageId]) {
        let mut last: BTreeMap<u32, u32> = BTreeMap::new();
        for (publisher, number) in rest {
            let before = last.insert(*publisher, *number);
            assert!(before < Some(*number), "queue {queue}: {number} of publisher {publisher} after {before:?}");
        }
        let rest: BTreeSet<MessageId> = rest.iter().copied().collect();
        for (id, copy) in &self.queues[queue] {
            let is_left = rest.contains(id);
            match copy.done {
                Done::Yes => assert!(!is_left, "queue {queue} still has {id:?}, which was settled"),
                Done::No if copy.certain => assert!(is_left, "queue {queue} lost {id:?}: {copy:?}"),
                Done::No | Done::Maybe => {}
            }
        }
        let unknown: Vec<_> = rest.iter().filter(|id| !self.queues[queue].contains_key(id)).collect();
        assert!(unknown.is_empty(), "queue {queue} has what was never published to it: {unknown:?}");
    }
}
