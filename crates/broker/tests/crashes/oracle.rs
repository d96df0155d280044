//! What must be in durable queues after a crash, what may be, and what must not.
//!
//! A message is certain once its publish was confirmed, its transaction committed, or everything was at rest: then it
//! survives, until somebody settles it. A settlement is certain only when everything was at rest after it; before that a
//! crash may bring the message back, marked as redelivered.

use std::collections::{BTreeMap, BTreeSet};

/// A publisher (one channel) and the number of its publish.
pub type MessageId = (u32, u32);

/// A message in one queue, of one generation: a queue that is declared again has nothing to do with the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub queue: usize,
    pub generation: u32,
    pub id: MessageId,
}

/// How a message left its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    No,
    /// Settled or purged in this life of the broker, which a crash may undo.
    Unsure {
        life: u32,
    },
    Yes,
}

#[derive(Debug)]
struct Copy {
    persistent: bool,
    life: u32,
    certain: bool,
    seen: bool,
    held: bool,
    done: Done,
    /// Its place among those that the last look into the queue found.
    order: Option<usize>,
}

/// A delivery as a client saw it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub queue: usize,
    pub id: MessageId,
    pub redelivered: bool,
    pub no_ack: bool,
}

#[derive(Default)]
struct QueueModel {
    generation: u32,
    copies: BTreeMap<MessageId, Copy>,
    /// Somebody wanted messages of it.
    is_wanted: bool,
}

/// A transaction whose commit was not answered: all of it happened, or nothing.
#[derive(Default, Debug)]
pub struct Group {
    pub publishes: Vec<Key>,
    pub settled: Vec<Key>,
}

#[derive(Default)]
pub struct Oracle {
    queues: Vec<QueueModel>,
    groups: BTreeMap<u32, Group>,
    next_group: u32,
    life: u32,
}

impl Oracle {
    pub fn new(queues: usize) -> Oracle {
        Oracle { queues: (0..queues).map(|_| QueueModel::default()).collect(), ..Oracle::default() }
    }

    pub fn key(&self, queue: usize, id: MessageId) -> Key {
        Key { queue, generation: self.queues[queue].generation, id }
    }

    /// Somebody consumes from the queue, or gets.
    pub fn wanted(&mut self, queue: usize) {
        self.queues[queue].is_wanted = true;
    }

    /// A publish is on its way to a queue, unless that was deleted since it was routed.
    pub fn published(&mut self, key: Key, persistent: bool) {
        let (life, queue) = (self.life, &mut self.queues[key.queue]);
        if queue.generation == key.generation {
            let done = Done::No;
            let copy = Copy { persistent, life, certain: false, seen: false, held: false, done, order: None };
            assert!(queue.copies.insert(key.id, copy).is_none(), "the simulation publishes {key:?} once");
        }
    }

    fn find(&mut self, key: Key) -> Option<&mut Copy> {
        let queue = &mut self.queues[key.queue];
        if queue.generation == key.generation { queue.copies.get_mut(&key.id) } else { None }
    }

    pub fn confirmed(&mut self, id: MessageId) {
        for copy in self.queues.iter_mut().filter_map(|queue| queue.copies.get_mut(&id)) {
            copy.certain = true;
        }
    }

    /// The commit of a transaction was sent; its publishes are [`Oracle::published`] already.
    pub fn committing(&mut self, group: Group) -> u32 {
        let life = self.life;
        for key in &group.settled {
            if let Some(copy) = self.find(*key) {
                (copy.held, copy.done) = (false, Done::Unsure { life });
            }
        }
        self.next_group += 1;
        self.groups.insert(self.next_group, group);
        self.next_group
    }

    pub fn committed(&mut self, group: u32) {
        let group = self.groups.remove(&group).expect("a commit that was sent");
        for key in group.publishes {
            self.find(key).into_iter().for_each(|copy| copy.certain = true);
        }
        for key in group.settled {
            self.find(key).into_iter().for_each(|copy| copy.done = Done::Yes);
        }
    }

    pub fn delivered(&mut self, seen: Seen) -> Key {
        let Seen { queue, id, redelivered, no_ack } = seen;
        let (key, life, is_wanted) = (self.key(queue, id), self.life, self.queues[queue].is_wanted);
        let Some(copy) = self.find(key) else { panic!("{seen:?} was never published, or is gone for good") };
        assert!(!copy.held, "{seen:?} came while another delivery of it is not settled");
        match copy.done {
            Done::No => {}
            Done::Unsure { life: settled } => assert!(settled < life, "{seen:?} came although it was settled"),
            Done::Yes => panic!("{seen:?} came although it was settled for good"),
        }
        assert!(
            redelivered || !copy.seen,
            "{seen:?} came before and is not marked as redelivered: {copy:?}, now {life}"
        );
        assert!(!redelivered || is_wanted, "{seen:?} is marked although nobody ever wanted a message of its queue");
        copy.done = if no_ack { Done::Unsure { life } } else { Done::No };
        (copy.seen, copy.held) = (true, !no_ack);
        // What a restart found is on disk.
        copy.certain |= copy.life < life;
        key
    }

    pub fn settled(&mut self, key: Key) {
        let life = self.life;
        if let Some(copy) = self.find(key) {
            (copy.held, copy.done) = (false, Done::Unsure { life });
        }
    }

    pub fn returned(&mut self, key: Key) {
        self.find(key).into_iter().for_each(|copy| copy.held = false);
    }

    /// A purge is on its way, and nothing else: everything goes that nobody holds.
    pub fn purging(&mut self, queue: usize) {
        let life = self.life;
        for copy in self.queues[queue].copies.values_mut().filter(|copy| !copy.held && copy.done == Done::No) {
            copy.done = Done::Unsure { life };
        }
    }

    pub fn deleted(&mut self, queue: usize) {
        let generation = self.queues[queue].generation + 1;
        self.queues[queue] = QueueModel { generation, ..QueueModel::default() };
    }

    /// Everything that was sent has been done, and is on disk as far as it is to be there.
    pub fn at_rest(&mut self) {
        let life = self.life;
        for copy in self.queues.iter_mut().flat_map(|queue| queue.copies.values_mut()) {
            match copy.done {
                Done::Unsure { life: settled } if settled == life => copy.done = Done::Yes,
                Done::No if copy.life == life => copy.certain = true,
                _ => {}
            }
        }
    }

    /// The broker came to its end, and with it what was in memory only.
    pub fn ended(&mut self) {
        self.life += 1;
        for queue in &mut self.queues {
            queue.copies.retain(|_, copy| copy.persistent);
            queue.copies.values_mut().for_each(|copy| copy.held = false);
        }
    }

    /// True when something is known only after a look into all queues.
    pub fn is_undecided(&self) -> bool {
        !self.groups.is_empty()
    }

    /// Compares with what a restart left: for each queue what it delivers, in order.
    pub fn check_all(&mut self, found: &[Vec<(MessageId, bool)>]) {
        self.check_groups(found);
        for (queue, found) in found.iter().enumerate() {
            for (id, redelivered) in found {
                self.delivered(Seen { queue, id: *id, redelivered: *redelivered, no_ack: false });
            }
            self.check_rest(queue, found);
        }
    }

    fn check_groups(&mut self, found: &[Vec<(MessageId, bool)>]) {
        let found: Vec<BTreeSet<MessageId>> =
            found.iter().map(|found| found.iter().map(|(id, _)| *id).collect()).collect();
        for (number, group) in std::mem::take(&mut self.groups) {
            let mut happened = BTreeMap::new();
            for key in &group.publishes {
                if self.find(*key).is_some_and(|copy| copy.persistent && copy.done == Done::No) {
                    happened.insert((key.queue, key.id), found[key.queue].contains(&key.id));
                }
            }
            for key in &group.settled {
                if self.find(*key).is_some_and(|copy| copy.persistent && copy.certain && copy.done != Done::Yes) {
                    happened.insert((key.queue, key.id), !found[key.queue].contains(&key.id));
                }
            }
            let (yes, no): (Vec<_>, Vec<_>) = happened.into_iter().partition(|(_, happened)| *happened);
            assert!(yes.is_empty() || no.is_empty(), "half of transaction {number}: {yes:?} and not {no:?}");
        }
    }

    fn check_rest(&mut self, queue: usize, found: &[(MessageId, bool)]) {
        let model = &mut self.queues[queue];
        let present: BTreeSet<MessageId> = found.iter().map(|(id, _)| *id).collect();
        for (id, copy) in model.copies.iter_mut().filter(|(id, _)| !present.contains(id)) {
            let must_be_there = copy.persistent && copy.certain && copy.done == Done::No;
            assert!(!must_be_there, "queue {queue} lost {id:?}: {copy:?}");
            copy.done = Done::Yes;
        }
        let mut last = BTreeMap::new();
        let mut before = Some(0);
        for (at, ((publisher, number), _)) in found.iter().enumerate() {
            let earlier = last.insert(*publisher, *number);
            assert!(earlier < Some(*number), "queue {queue}: {number} of publisher {publisher} after {earlier:?}");
            let Some(copy) = model.copies.get_mut(&(*publisher, *number)) else { continue };
            let in_order = match (before, copy.order) {
                (Some(before), Some(order)) => before <= order,
                (None, Some(_)) => false,
                (_, None) => true,
            };
            assert!(in_order, "queue {queue}: {number} of publisher {publisher} was elsewhere before: {copy:?}");
            (before, copy.order) = (copy.order, Some(at));
        }
    }

    /// All that was found goes back.
    pub fn let_go(&mut self) {
        for copy in self.queues.iter_mut().flat_map(|queue| queue.copies.values_mut()) {
            copy.held = false;
        }
    }
}
