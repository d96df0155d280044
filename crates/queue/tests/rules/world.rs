//! The queue, the store under it, and the list.

mod disk;
mod out;

use crate::Step;
use crate::list::{Limits, List, Listed};
use crate::store_under::{append, expiration_of, message, number, open};
use queue::{ConsumerKey, Counts, Entry, Gate, Queue, Rules};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use store::simulation::SimulatedDisk;
use store::{Arena, ChunkPool, LoadedRun, LogWriter, Opened, Read, SlotFlags, Store};

enum Reading {
    Asked(Box<Read>),
    Loaded(LoadedRun),
}

struct Open;

impl Gate<u32> for Open {
    fn admits(&mut self, _: &u32, _: ConsumerKey) -> bool {
        true
    }
}

pub struct World {
    disk: Arc<SimulatedDisk>,
    store: Arc<Store>,
    writer: LogWriter,
    arena: Arena,
    queue: Queue<u32>,
    has_priorities: bool,
    rules: Option<Limits>,
    now_ms: u64,
    reading: BTreeMap<u8, Reading>,
    marks: VecDeque<(u8, u64)>,
    /// Messages below may be delivered, by priority.
    mark: BTreeMap<u8, u64>,
    next: u32,
    list: List,
    /// Delivered and not settled.
    held: Vec<(Entry, Listed)>,
    /// Taken out without a delivery, and still on the books.
    taken: Vec<(Entry, Listed)>,
    /// Found expired while others were delivered, and not handed out yet.
    expired: Vec<Listed>,
    /// When messages expire that do so before others ahead of them.
    timers: BTreeSet<(u64, u8, u64)>,
    /// False once the length of a message may be an estimate.
    is_exact: bool,
}

impl World {
    pub fn new(has_priorities: bool) -> World {
        let disk = SimulatedDisk::new();
        let Opened { store, writer, .. } = open(disk.clone());
        let mut world = World {
            disk,
            store,
            writer,
            arena: Arena::new(ChunkPool::new(4)),
            queue: Queue::default(),
            has_priorities,
            rules: None,
            now_ms: 1_000_000,
            reading: BTreeMap::new(),
            marks: VecDeque::new(),
            mark: BTreeMap::new(),
            next: 0,
            list: List::default(),
            held: Vec::new(),
            taken: Vec::new(),
            expired: Vec::new(),
            timers: BTreeSet::new(),
            is_exact: true,
        };
        world.begin();
        world
    }

    fn begin(&mut self) {
        if self.has_priorities {
            self.queue.have_priorities();
        }
        self.queue.consumers.add(1, 0, 0);
    }

    pub fn step(&mut self, step: Step) {
        match step {
            Step::Push { level, persistent, body_len, expiration_ms } => {
                let level = if self.has_priorities { level } else { 0 };
                self.push(level, persistent, body_len, expiration_ms);
            }
            Step::Advance(ms) => self.now_ms += ms,
            Step::SetRules { ttl_ms, max_length, max_length_bytes } => {
                self.set_rules(Limits { ttl_ms, max_length, max_length_bytes });
            }
            Step::DropHeads => self.drop_heads(),
            Step::DropFirst => drop(self.drop_first()),
            Step::Take(at) => self.take(at),
            Step::TakeOther(at) => self.take_other(at),
            Step::TakeExpired { most } => drop(self.take_expired(most)),
            Step::Tend => self.tend(),
            Step::PageOut { keep_bytes, most } => self.page_out(keep_bytes, most),
            Step::StoreBelow(at) => self.store_below(at),
            Step::Retire => self.retire(),
            Step::Want => drop(self.want(false)),
            Step::Probe => drop(self.want(true)),
            Step::Load(at) => self.pick_reading(at).into_iter().for_each(|level| self.load(level)),
            Step::Answer { level, damaged } => {
                self.pick_reading(level).into_iter().for_each(|level| self.answer(level, damaged));
            }
            Step::Marked => self.marked(),
            Step::Pop => drop(self.pop()),
            Step::Plan { most, most_bytes } => self.plan(most, most_bytes),
            Step::Settle(at) => self.settle_held(at),
            Step::Requeue { at, forget } => self.requeue(at, forget),
            Step::SettleTaken(at) => self.settle_taken(at),
            Step::ReadTaken(at) => self.read_taken(at),
            Step::PutBack(at) => self.put_back(at),
            Step::Purge => self.purge(),
            Step::Restart => self.restart(),
        }
    }

    fn push(&mut self, level: u8, persistent: bool, body_len: usize, expiration_ms: Option<u64>) {
        let number = self.next;
        self.next += 1;
        if expiration_ms.is_some() && self.rules.is_none() {
            // As soon as there are such messages, somebody has to look for them.
            self.set_rules(Limits::default());
        }
        let message = message(&mut self.arena, number, body_len, persistent, self.now_ms, expiration_ms);
        let (seq, stored) = (self.queue.next_seq(), persistent || self.queue.is_paged(level));
        let body_len = body_len as u32;
        if stored {
            let (place, mut flags) = append(&self.store, level, seq, &message, !persistent);
            if !persistent {
                flags |= SlotFlags::TRANSIENT;
            }
            self.queue.keep_on_disk(level).backlog.add(seq, place, body_len, flags);
        }
        let listed = Listed {
            level,
            seq,
            number,
            body_len,
            persistent,
            redelivered: false,
            delivery_count: 0,
            came_back: false,
            entered_ms: self.now_ms,
            expiration_ms,
            is_vague: false,
        };
        let due_ms = self.queue.push(message, stored, level);
        if let Some(due_ms) = due_ms {
            assert_eq!(due_ms, listed.due_ms(self.rules), "the time of {listed:?}");
            self.timers.insert((due_ms, level, seq));
        }
        self.list.insert(listed);
    }

    fn set_rules(&mut self, limits: Limits) {
        self.take_expired(usize::MAX);
        let mut rules = Rules::new(expiration_of);
        (rules.ttl_ms, rules.max_length) = (limits.ttl_ms, limits.max_length);
        rules.max_length_bytes = limits.max_length_bytes;
        self.queue.set_rules(Some(rules));
        self.rules = Some(limits);
        self.be_vague();
    }

    fn be_vague(&mut self) {
        let held = self.held.iter_mut().map(|(_, listed)| listed);
        let taken = self.taken.iter_mut().map(|(_, listed)| listed);
        self.list.ready.iter_mut().chain(held).chain(taken).for_each(|listed| listed.is_vague = true);
    }

    fn drop_heads(&mut self) {
        while self.queue.is_too_long() {
            assert!(self.drop_first(), "a queue that is too long has messages");
        }
    }

    /// True when there was a message to drop.
    fn drop_first(&mut self) -> bool {
        let entry = self.queue.drop_first();
        assert_eq!(entry.is_none(), self.list.ready.is_empty(), "something is dropped as long as something is there");
        let Some(entry) = entry else { return false };
        let first = self.list.ready[0].clone();
        self.leaves(entry, &first);
        true
    }

    /// An entry that is to be this one has been taken out.
    fn leaves(&mut self, entry: Entry, expected: &Listed) {
        assert_eq!((entry.level, entry.seq), (expected.level, expected.seq));
        let listed = self.list.remove(entry.level, entry.seq).expect("it was ready");
        assert!(number(&entry).is_none_or(|number| number == listed.number), "{entry:?} is not {listed:?}");
        assert!(entry.message.is_some() || entry.stored, "{entry:?} is nowhere");
        assert!(!self.is_exact || entry.body_len == listed.body_len, "{entry:?} is not {listed:?}");
        self.taken.push((entry, listed));
    }

    fn take(&mut self, at: usize) {
        if self.list.ready.is_empty() {
            return;
        }
        let listed = self.list.ready[at % self.list.ready.len()].clone();
        let Some(entry) = self.queue.take(listed.level, listed.seq) else { panic!("{listed:?} is ready") };
        self.leaves(entry, &listed);
    }

    fn take_other(&mut self, at: usize) {
        let out = self.held.iter().chain(&self.taken).map(|(_, listed)| listed).chain(&self.expired);
        let mut places: Vec<(u8, u64)> = out.map(|listed| (listed.level, listed.seq)).collect();
        places.push((0, self.queue.next_seq() + 5));
        places.push((77, 0));
        let (level, seq) = places[at % places.len()];
        let taken = self.queue.take(level, seq);
        assert!(taken.is_none(), "{taken:?} is out already");
    }

    /// When to look again.
    fn take_expired(&mut self, most: usize) -> Option<u64> {
        let mut sink = Vec::new();
        let next_ms = self.queue.take_expired(self.now_ms, most, &mut sink);
        let (now_ms, rules) = (self.now_ms, self.rules);
        for entry in sink {
            if let Some(at) = self.expired.iter().position(|listed| listed.seq == entry.seq) {
                let listed = self.expired.remove(at);
                assert_eq!(number(&entry), Some(listed.number));
                self.taken.push((entry, listed));
                continue;
            }
            let Some(listed) = self.list.ready.iter().find(|listed| listed.seq == entry.seq).cloned() else {
                panic!("{entry:?} was not ready")
            };
            assert!(listed.due_ms(rules) <= now_ms, "{listed:?} has not expired at {now_ms}, {rules:?}");
            self.leaves(entry, &listed);
        }
        assert!(self.expired.is_empty(), "what was found expired is handed out: {:?}", self.expired);
        next_ms
    }

    /// Expires everything that has, reading what has to be read; then nothing is there that has expired and could be
    /// known to have.
    fn tend(&mut self) {
        let (now_ms, rules) = (self.now_ms, self.rules);
        while let Some((due_ms, level, seq)) = self.timers.first().copied().filter(|(due_ms, ..)| *due_ms <= now_ms) {
            self.timers.remove(&(due_ms, level, seq));
            if let Some(entry) = self.queue.take(level, seq) {
                let listed = self.list.ready.iter().find(|listed| listed.seq == seq).cloned();
                let listed = listed.unwrap_or_else(|| panic!("{entry:?} was not ready"));
                assert!(listed.is_vague || listed.due_ms(rules) <= now_ms, "{listed:?} expires before its time");
                self.leaves(entry, &listed);
            }
        }
        for round in 0.. {
            assert!(round < 10_000, "looking for what has expired comes to an end");
            let before = self.list.ready.len();
            let next_ms = self.take_expired(usize::MAX);
            assert!(next_ms.is_none_or(|next_ms| next_ms > now_ms), "all of it was to be taken");
            let mut busy = self.list.ready.len() < before;
            if self.queue.has_unknown_expiry() {
                self.want(true);
                assert!(!self.reading.is_empty(), "what has to be known to expire messages is asked for");
                busy = true;
                for level in self.reading.keys().copied().collect::<Vec<_>>() {
                    self.load(level);
                    self.answer(level, None);
                }
            }
            if !busy {
                let first_ms = self.list.ready.iter().filter(|listed| !listed.is_vague).map(|l| l.due_ms(rules)).min();
                let timer_ms = self.timers.first().map(|(due_ms, ..)| *due_ms);
                let look_ms = next_ms.into_iter().chain(timer_ms).min().unwrap_or(queue::NEVER);
                assert!(
                    first_ms.is_none_or(|first_ms| look_ms <= first_ms),
                    "nobody looks before {look_ms}: {first_ms:?}"
                );
                break;
            }
        }
        let late = self.list.ready.iter().find(|listed| !listed.is_vague && listed.due_ms(rules) <= now_ms);
        assert!(late.is_none(), "{late:?} is there after its time, {now_ms}, under {rules:?}");
    }

    pub fn check(&mut self) {
        let unacked_bytes = self.held.iter().map(|(entry, _)| u64::from(entry.body_len)).sum();
        let counts = self.queue.counts();
        let ready = self.list.ready.len() as u64;
        let ready_bytes = if self.is_exact || ready == 0 { self.list.bytes() } else { counts.ready_bytes };
        assert_eq!(counts, Counts { ready, ready_bytes, unacked: self.held.len() as u64, unacked_bytes });
        assert_eq!(self.queue.is_empty(), ready == 0);
        if let Some(limits) = self.rules.filter(|_| self.is_exact) {
            assert_eq!(self.queue.is_too_long(), self.list.is_too_long(limits), "{limits:?} with {counts:?}");
        }
        let resident: Vec<(u8, u64)> = self.queue.iter().map(|entry| (entry.level, entry.seq)).collect();
        let mut listed = self.list.ready.iter().map(|listed| (listed.level, listed.seq));
        for entry in &resident {
            assert!(listed.any(|listed| listed == *entry), "{entry:?} is in its order: {:?}", self.list.ready);
        }
        self.check_books();
    }

    /// What is on disk is what is ready or out, and stored.
    fn check_books(&mut self) {
        let mut stored: BTreeMap<u8, u64> = BTreeMap::new();
        let in_memory: BTreeMap<(u8, u64), bool> =
            self.queue.iter().map(|entry| ((entry.level, entry.seq), entry.stored)).collect();
        for listed in &self.list.ready {
            let is_stored = in_memory.get(&(listed.level, listed.seq)).copied().unwrap_or(true);
            assert!(is_stored || !listed.persistent, "{listed:?} is on disk");
            *stored.entry(listed.level).or_default() += u64::from(is_stored);
        }
        for (entry, _) in self.held.iter().chain(&self.taken) {
            *stored.entry(entry.level).or_default() += u64::from(entry.stored);
        }
        if !self.expired.is_empty() {
            // Which of these are on disk the queue knows, and tells when it hands them out.
            return;
        }
        for level in crate::LEVELS {
            let found = self.queue.storage(level).map_or(0, |storage| storage.backlog.len());
            assert_eq!(found, stored.get(&level).copied().unwrap_or(0), "messages of priority {level} on disk");
        }
    }

    /// Everything can be taken out, given time.
    pub fn drain(&mut self) {
        while !self.list.ready.is_empty() {
            if self.pop() || self.list.ready.is_empty() {
                continue;
            }
            assert!(self.want(false), "{} messages, and nothing to wait for", self.list.ready.len());
            for level in self.reading.keys().copied().collect::<Vec<_>>() {
                self.load(level);
                self.answer(level, None);
            }
            self.marked();
        }
        self.take_expired(usize::MAX);
        let held: Vec<Entry> = self.held.drain(..).map(|(entry, _)| entry).collect();
        held.iter().for_each(|entry| self.queue.settled(entry.body_len));
        self.settle(&held);
        let taken: Vec<Entry> = self.taken.drain(..).map(|(entry, _)| entry).collect();
        self.settle(&taken);
        self.check();
        for level in crate::LEVELS {
            assert!(!self.queue.is_paged(level), "nothing of priority {level} is left");
        }
        self.restart();
        assert!(self.list.ready.is_empty() && self.queue.is_empty(), "nothing comes back");
    }
}
