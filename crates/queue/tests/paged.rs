//! A queue whose messages may be on disk, against a plain list, over a real store on a simulated disk.
//!
//! Whatever is paged out, read back early or late, purged while a read is under way, lost or restarted: what comes out
//! is what the list says, in its order, with the mark that it needs, and the counts are exact.

use proptest::prelude::*;
use queue::{Counts, Entry, Peek, Queue, Storage, Wants};
use std::collections::VecDeque;
use std::sync::Arc;
use store::simulation::SimulatedDisk;
use store::{
    Append, Arena, Body, ChunkPool, LoadedRun, LogWriter, Lost, Lsn, Message, MessageParts, Opened, Options, Owner,
    Place, Read, SlotFlags, Store,
};

const QUID: u64 = 7;

#[derive(Clone, Debug)]
enum Step {
    Push {
        persistent: bool,
        body_len: usize,
    },
    PageOut {
        keep_bytes: u64,
    },
    /// What retirement asks for: everything before some message that is ready.
    StoreBelow(usize),
    /// A consumer wants a message.
    Want,
    /// The read that was asked for is done, and its answer is under way.
    Load,
    /// The answer arrives; perhaps some message turned out to be damaged.
    Answer {
        damaged: Option<usize>,
    },
    /// The mark is on disk.
    Marked,
    Pop,
    Settle(usize),
    /// A delivery comes back, perhaps without its message, which is on disk.
    Requeue {
        at: usize,
        forget: bool,
    },
    Purge,
    Restart,
    /// Somebody looks at everything, and at what is behind so many.
    Look(usize),
    /// A message is taken out of turn.
    Take(usize),
    /// One that was goes back to where it stood.
    Untake(usize),
    /// One that was is gone.
    Gone(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let len = prop_oneof![8 => 4..300usize, 1 => Just(4), 1 => 10_000..120_000usize];
    let step = prop_oneof![
        30 => (any::<bool>(), len).prop_map(|(persistent, body_len)| Step::Push { persistent, body_len }),
        6 => prop_oneof![Just(0), 0..2000u64].prop_map(|keep_bytes| Step::PageOut { keep_bytes }),
        2 => any::<usize>().prop_map(Step::StoreBelow),
        14 => Just(Step::Want),
        10 => Just(Step::Load),
        10 => proptest::option::weighted(0.1, any::<usize>()).prop_map(|damaged| Step::Answer { damaged }),
        8 => Just(Step::Marked),
        20 => Just(Step::Pop),
        6 => any::<usize>().prop_map(Step::Settle),
        8 => (any::<usize>(), any::<bool>()).prop_map(|(at, forget)| Step::Requeue { at, forget }),
        1 => Just(Step::Purge),
        1 => Just(Step::Restart),
        4 => any::<usize>().prop_map(Step::Look),
        8 => any::<usize>().prop_map(Step::Take),
        6 => any::<usize>().prop_map(Step::Untake),
        2 => any::<usize>().prop_map(Step::Gone),
    ];
    proptest::collection::vec(step, 0..250)
}

/// A ready message as the list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    seq: u64,
    number: u32,
    body_len: u32,
    persistent: bool,
    redelivered: bool,
    delivery_count: u32,
}

enum Reading {
    Asked(Box<Read>),
    Loaded(LoadedRun),
}

/// The queue, the store under it, and the list.
struct World {
    disk: Arc<SimulatedDisk>,
    store: Arc<Store>,
    writer: LogWriter,
    arena: Arena,
    queue: Queue<u32>,
    reading: Option<Reading>,
    marks: VecDeque<u64>,
    /// Messages below may be delivered.
    mark: u64,
    next: u32,
    ready: Vec<Listed>,
    held: Vec<(Entry, Listed)>,
    /// Taken out of turn.
    taken: Vec<(Entry, Listed)>,
}

fn open(disk: Arc<SimulatedDisk>) -> Opened {
    let options = Options { segment_bytes: Some(1 << 20), ..Options::default() };
    Store::open(disk, options, Lsn(0)).expect("the store opens")
}

/// A body that says which message it is.
fn body(number: u32, len: usize) -> Vec<u8> {
    let mut body = vec![number as u8; len];
    body[..4].copy_from_slice(&number.to_be_bytes());
    body
}

fn append(store: &Store, seq: u64, message: &Message, transient: bool) -> (Place, SlotFlags) {
    let options = Append { delivered: false, transient, tx: None };
    let place = store.log().append().message(Owner { quid: QUID, seq }, options, message);
    let is_blob = store.log().is_blob(message.body_len() as u64);
    (place, if is_blob { SlotFlags::BLOB } else { SlotFlags::default() })
}

impl World {
    fn new() -> World {
        let disk = SimulatedDisk::new();
        let Opened { store, writer, .. } = open(disk.clone());
        World {
            disk,
            store,
            writer,
            arena: Arena::new(ChunkPool::new(4)),
            queue: Queue::default(),
            reading: None,
            marks: VecDeque::new(),
            mark: 0,
            next: 0,
            ready: Vec::new(),
            held: Vec::new(),
            taken: Vec::new(),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Push { persistent, body_len } => self.push(persistent, body_len),
            Step::PageOut { keep_bytes } => {
                let mut sink = Vec::new();
                let store = self.store.clone();
                self.queue.page_out(keep_bytes, usize::MAX, &mut sink, |_, seq, message| {
                    Some(append(&store, seq, message, true))
                });
                assert!(self.queue.resident_bytes() <= keep_bytes, "all of it can be paged out here");
            }
            Step::StoreBelow(at) if !self.ready.is_empty() => {
                let below = self.ready[at % self.ready.len()].seq;
                let store = self.store.clone();
                while self.queue.store_below(0, below, 3, |seq, message| append(&store, seq, message, true)) {}
            }
            Step::Want => drop(self.want()),
            Step::Load => self.load(),
            Step::Answer { damaged } => self.answer(damaged),
            Step::Marked => self.marked(),
            Step::Pop => drop(self.pop()),
            Step::Settle(at) if !self.held.is_empty() => {
                let (entry, _) = self.held.swap_remove(at % self.held.len());
                self.queue.settled(entry.body_len);
                self.settle(&[entry]);
            }
            Step::Requeue { at, forget } if !self.held.is_empty() => self.requeue(at, forget),
            Step::Purge => self.purge(),
            Step::Restart => self.restart(),
            Step::Look(skip) => self.look(skip),
            Step::Take(at) if !self.ready.is_empty() => self.take(at),
            Step::Untake(at) if !self.taken.is_empty() => self.untake(at),
            Step::Gone(at) if !self.taken.is_empty() => {
                let (entry, _) = self.taken.swap_remove(at % self.taken.len());
                self.queue.settled(entry.body_len);
                self.settle(&[entry]);
            }
            Step::StoreBelow(_) | Step::Settle(_) | Step::Requeue { .. } => {}
            Step::Take(_) | Step::Untake(_) | Step::Gone(_) => {}
        }
    }

    fn push(&mut self, persistent: bool, body_len: usize) {
        let number = self.next;
        self.next += 1;
        let parts = MessageParts { names: b"\0\x01q", header: b"", persistent, entered_ms: 0 };
        let message = Message::store(&mut self.arena, parts, &body(number, body_len));
        let (seq, stored) = (self.queue.next_seq(), persistent || self.queue.is_paged(0));
        let body_len = body_len as u32;
        if stored {
            let (place, mut flags) = append(&self.store, seq, &message, !persistent);
            if !persistent {
                flags |= SlotFlags::TRANSIENT;
            }
            self.queue.keep_on_disk(0).backlog.add(seq, place, body_len, flags);
        }
        self.queue.push(message, stored, 0);
        let (redelivered, delivery_count) = (false, 0);
        self.ready.push(Listed { seq, number, body_len, persistent, redelivered, delivery_count });
    }

    /// True when there is anything to wait for.
    fn want(&mut self) -> bool {
        match self.queue.wants() {
            Wants::Nothing => self.reading.is_some() || !self.marks.is_empty(),
            Wants::Read { read, .. } => {
                assert!(self.reading.is_none(), "one read at a time");
                self.reading = Some(Reading::Asked(read));
                true
            }
            Wants::Mark { below, .. } => {
                self.store.log().append().delivered(QUID, below);
                self.marks.push_back(below);
                true
            }
        }
    }

    fn load(&mut self) {
        let Some(Reading::Asked(read)) = &self.reading else { return };
        self.writer.write().expect("the log is written");
        let run = self.store.read(read, &mut self.arena).expect("the log is read");
        self.reading = Some(Reading::Loaded(run));
    }

    fn answer(&mut self, damaged: Option<usize>) {
        let Some(Reading::Loaded(mut run)) = self.reading.take_if(|reading| matches!(reading, Reading::Loaded(_)))
        else {
            return;
        };
        if let Some(at) = damaged.filter(|_| !run.loaded.is_empty()) {
            let lost = run.loaded.remove(at % run.loaded.len());
            run.lost.push(Lost { seq: lost.seq, body_len: lost.message.body_len() as u32 });
            // It may have been purged meanwhile; nobody can hold it, since its message was on disk only. What was taken out
            // and put back has its message, whatever the read found.
            let is_resident = self.queue.iter().any(|entry| entry.seq == lost.seq && entry.message.is_some());
            let before = self.ready.len();
            self.ready.retain(|listed| listed.seq != lost.seq || is_resident);
            if self.ready.len() < before {
                // In truth it is whole, and a restart would find it.
                let body_len = lost.message.body_len() as u32;
                self.store.log().append().settle(QUID, None, &[(lost.seq, body_len)]);
            }
        }
        self.queue.take_read(0, run);
    }

    fn marked(&mut self) {
        let Some(below) = self.marks.pop_front() else { return };
        self.writer.write().expect("the log is written");
        self.writer.sync().expect("the log is synced");
        self.mark = self.mark.max(below);
        self.queue.marked(0, below);
    }

    /// True when a message came.
    fn pop(&mut self) -> bool {
        let deliverable = self.queue.has_deliverable();
        let Some(entry) = self.queue.pop(0) else {
            assert!(!deliverable, "what can be delivered can be taken");
            return false;
        };
        assert!(deliverable && !self.ready.is_empty(), "{entry:?} is none of those that are there");
        let listed = self.ready.remove(0);
        let found = Listed {
            seq: entry.seq,
            number: number(&entry),
            body_len: entry.body_len,
            persistent: listed.persistent,
            redelivered: entry.redelivered,
            delivery_count: entry.delivery_count,
        };
        assert_eq!(found, listed);
        assert!(!entry.stored || entry.redelivered || entry.seq < self.mark, "{listed:?} is above {}", self.mark);
        assert!(!listed.persistent || entry.stored);
        self.queue.delivered(1, u64::from(entry.body_len));
        self.held.push((entry, listed));
        true
    }

    fn requeue(&mut self, at: usize, forget: bool) {
        let (mut entry, mut listed) = self.held.swap_remove(at % self.held.len());
        if entry.stored && forget {
            entry.message = None;
        }
        if entry.stored {
            self.store.log().append().requeue(Owner { quid: QUID, seq: entry.seq }, entry.delivery_count + 1);
            let storage = self.queue.storage(0).expect("a stored message has a place");
            storage.backlog.requeued(entry.seq, entry.delivery_count + 1);
        }
        self.queue.requeue(entry);
        (listed.redelivered, listed.delivery_count) = (true, listed.delivery_count + 1);
        let at = self.ready.partition_point(|other| other.seq < listed.seq);
        self.ready.insert(at, listed);
    }

    /// What a look finds from `from` on is what the list says.
    fn look(&mut self, skip: usize) {
        let found = self.peek_all(0);
        let expected: Vec<u64> = self.ready.iter().map(|listed| listed.seq).collect();
        assert_eq!(found, expected);
        // What was taken out is counted until it is off the books.
        if self.taken.is_empty() && !self.ready.is_empty() {
            let skip = skip % self.ready.len();
            let (mut from, mut left) = (0, skip as u64);
            while left > 0 {
                let (passed, next) = self.queue.skip(0, from, left);
                assert!(next > from, "there are more");
                (from, left) = (next, left - passed);
            }
            assert_eq!(self.peek_all(from), expected[skip..]);
        }
        let level = |seq: &u64| self.queue.level_of(*seq) == Some(0);
        assert!(expected.iter().all(level) && !self.taken.iter().any(|(entry, _)| level(&entry.seq)));
    }

    fn peek_all(&mut self, mut from: u64) -> Vec<u64> {
        let mut found = Vec::new();
        loop {
            match self.queue.peek(0, from, 5, 1000) {
                Peek::Resident(entries) => found.extend(entries.iter().map(|entry| entry.seq)),
                Peek::Unread { read, except, .. } => {
                    self.writer.write().expect("the log is written");
                    let run = self.store.read(&read, &mut self.arena).expect("the log is read");
                    from = run.loaded.last().map_or(from, |last| last.seq + 1);
                    found.extend(run.loaded.iter().map(|loaded| loaded.seq).filter(|seq| !except.contains(seq)));
                    continue;
                }
                Peek::Nothing => return found,
            }
            from = found.last().map_or(from, |last| last + 1);
        }
    }

    fn take(&mut self, at: usize) {
        let listed = self.ready.remove(at % self.ready.len());
        let mut entry = self.queue.take(0, listed.seq).expect("it is ready");
        self.queue.delivered(1, u64::from(entry.body_len));
        if entry.message.is_none() {
            self.writer.write().expect("the log is written");
            let storage = self.queue.storage(0).expect("it is on disk");
            let read = storage.backlog.read_of(&[listed.seq]).remove(0);
            let run = self.store.read(&read, &mut self.arena).expect("the log is read");
            let loaded = run.loaded.into_iter().next().expect("it is whole");
            entry.redelivered |= loaded.redelivered;
            (entry.message, entry.delivery_count) = (Some(loaded.message), loaded.delivery_count);
        }
        assert_eq!(number(&entry), listed.number);
        self.taken.push((entry, listed));
    }

    fn untake(&mut self, at: usize) {
        let (entry, listed) = self.taken.swap_remove(at % self.taken.len());
        self.queue.settled(entry.body_len);
        let (store, seq) = (self.store.clone(), entry.seq);
        self.queue.untake(entry, |message| Some(append(&store, seq, message, true)));
        let at = self.ready.partition_point(|other| other.seq < listed.seq);
        self.ready.insert(at, listed);
    }

    /// Takes those of the entries that are stored off the books.
    fn settle(&mut self, entries: &[Entry]) {
        let stored: Vec<(u64, u32)> =
            entries.iter().filter(|entry| entry.stored).map(|entry| (entry.seq, entry.body_len)).collect();
        if stored.is_empty() {
            return;
        }
        let storage = self.queue.storage(0).expect("a stored message has a place");
        for (seq, body_len) in &stored {
            assert!(storage.backlog.contains(*seq), "{seq} is on the books");
            storage.remove(*seq, *body_len);
        }
        self.store.log().append().settle(QUID, None, &stored);
    }

    fn purge(&mut self) {
        let mut gone = Vec::new();
        assert_eq!(self.queue.purge(&mut gone), self.ready.len() as u64);
        self.settle(&gone);
        for forgotten in self.queue.forget_paged() {
            let (first, last) = forgotten.range;
            let held = self.held.iter().filter(|(entry, _)| (first..=last).contains(&entry.seq)).count();
            assert_eq!(held, 0, "what was delivered comes before what is on disk only");
            self.store.log().append().settle_range(QUID, first, last, &forgotten.except);
        }
        self.ready.clear();
    }

    /// The process ends, with everything written, and another begins.
    fn restart(&mut self) {
        self.writer.write().expect("the log is written");
        self.writer.sync().expect("the log is synced");
        let asked = self.marks.back().copied().unwrap_or(0);
        self.disk = self.disk.kill();
        let Opened { store, writer, mut backlogs, .. } = open(self.disk.clone());
        (self.store, self.writer) = (store, writer);
        self.queue = match backlogs.remove(&QUID) {
            Some(backlog) => Queue::restored([(0, Storage::new(backlog))]),
            None => Queue::default(),
        };
        (self.reading, self.marks) = (None, VecDeque::new());
        self.mark = self.mark.max(asked);
        self.ready.extend(self.held.drain(..).chain(self.taken.drain(..)).map(|(_, listed)| listed));
        self.ready.sort_by_key(|listed| listed.seq);
        self.ready.retain(|listed| listed.persistent);
        for listed in &mut self.ready {
            listed.redelivered |= listed.seq < self.mark;
        }
        let last = self.ready.last().map(|listed| listed.seq);
        assert!(last < Some(self.queue.next_seq()), "no position is given twice");
    }

    fn check(&mut self) {
        let bytes = |listed: &mut dyn Iterator<Item = &Listed>| listed.map(|listed| u64::from(listed.body_len)).sum();
        let counts = Counts {
            ready: self.ready.len() as u64,
            ready_bytes: bytes(&mut self.ready.iter()),
            unacked: (self.held.len() + self.taken.len()) as u64,
            unacked_bytes: bytes(&mut self.held.iter().chain(&self.taken).map(|(_, listed)| listed)),
        };
        assert_eq!(self.queue.counts(), counts);
        assert_eq!(self.queue.is_empty(), self.ready.is_empty());
        let resident = self.queue.iter().map(|entry| entry.seq);
        assert!(resident.eq(self.ready.iter().map(|listed| listed.seq).take(self.queue.iter().count())));
        let out = || self.held.iter().chain(&self.taken);
        let unstored = self.queue.iter().chain(out().map(|(entry, _)| entry)).filter(|entry| !entry.stored);
        let stored = (self.ready.len() + out().count() - unstored.count()) as u64;
        assert_eq!(self.queue.storage(0).map_or(0, |storage| storage.backlog.len()), stored, "messages on disk");
    }

    /// Everything can be taken out, given time.
    fn drain(&mut self) {
        while !self.taken.is_empty() {
            self.untake(0);
        }
        while !self.ready.is_empty() {
            if self.pop() {
                continue;
            }
            assert!(self.want(), "{} messages, and nothing to wait for", self.ready.len());
            self.load();
            self.answer(None);
            self.marked();
        }
        let held: Vec<Entry> = self.held.drain(..).map(|(entry, _)| entry).collect();
        held.iter().for_each(|entry| self.queue.settled(entry.body_len));
        self.settle(&held);
        self.check();
        assert!(!self.queue.is_paged(0));
    }
}

fn number(entry: &Entry) -> u32 {
    let message = entry.message.as_ref().expect("what can be delivered is in memory");
    let bytes = match message.body() {
        Body::Whole(bytes) => bytes.to_vec(),
        Body::Pieces(pieces) => pieces.iter().flat_map(|piece| piece.iter().copied()).collect(),
    };
    let number = u32::from_be_bytes(*bytes.first_chunk().expect("a body of the test"));
    assert!(bytes == body(number, bytes.len()), "the body of {number} is what was published");
    number
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_paged_queue_agrees_with_a_list(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
            world.check();
        }
        world.drain();
    }
}

#[test]
fn what_was_put_back_has_its_message_whatever_a_read_finds() {
    let push = |persistent| Step::Push { persistent, body_len: 4 };
    let out = || Step::PageOut { keep_bytes: 0 };
    let mut steps = vec![push(true), push(true), out(), push(false), out(), out()];
    steps.extend((0..6).map(|_| push(true)));
    steps.extend([Step::Restart, push(false), Step::Take(172_984_156_622_388_829)]);
    steps.extend((0..4).map(|_| push(false)));
    steps.extend([
        Step::Take(11_482_504_241_398_021_882),
        Step::Want,
        Step::Untake(2_572_173_853_980_980_984),
        Step::Load,
    ]);
    steps.extend([
        Step::Purge,
        Step::Untake(164_600_441_255_794),
        Step::Answer { damaged: Some(8_777_241_047_594_229_377) },
    ]);
    let mut world = World::new();
    for step in steps {
        world.step(step);
        world.check();
    }
    world.drain();
}

#[test]
fn a_read_that_is_overtaken_by_paging_out_leaves_the_order_alone() {
    let mut world = World::new();
    world.push(false, 4);
    world.step(Step::PageOut { keep_bytes: 0 });
    world.want();
    world.push(false, 4);
    world.load();
    world.answer(None);
    world.want();
    world.load();
    world.step(Step::PageOut { keep_bytes: 0 });
    world.answer(None);
    world.drain();
}

#[test]
fn a_damaged_message_whose_length_nobody_knows_leaves_no_bytes_behind() {
    let mut world = World::new();
    (0..2).for_each(|number| world.push(true, 10 + number));
    world.step(Step::PageOut { keep_bytes: 0 });
    world.want();
    world.load();
    let Some(Reading::Loaded(mut run)) = world.reading.take() else { panic!("both were read") };
    run.lost.push(Lost { seq: run.loaded.remove(1).seq, body_len: 0 });
    world.queue.take_read(0, run);
    assert_eq!(world.queue.counts().ready, 1);
    world.want();
    world.marked();
    assert!(world.pop());
    assert_eq!((world.queue.counts().ready, world.queue.counts().ready_bytes), (0, 0));
    assert!(!world.queue.is_paged(0));
}
