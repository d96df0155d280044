//! Random lives against a plain set: nothing that is due is missed, with and without crashes.

use super::*;
use crate::simulation::Random;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug)]
enum Step {
    /// Add so many, due up to so many ms from now; the exponent makes near ones as likely as far ones.
    Add {
        count: u8,
        exponent: u8,
    },
    /// All at one time.
    AddTogether {
        count: u8,
        after_ms: u16,
    },
    /// Let time pass, and take what is due; finish all but some, which are put back.
    Pass {
        exponent: u8,
        put_back: u8,
    },
    Maintain {
        pieces: u8,
    },
    /// The log is durable up to here.
    Commit,
    /// What retiring a segment of the log does.
    Retire,
    Crash {
        seed: u64,
    },
    Kill,
    /// The next change of the disk but so many fails, and with it everything after: then the power is cut.
    StopAt {
        changes: u8,
        seed: u64,
    },
    FillDisk,
    FreeDisk,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1..40u8, 0..45u8).prop_map(|(count, exponent)| Step::Add { count, exponent }),
        1 => (1..120u8, 0..5000u16).prop_map(|(count, after_ms)| Step::AddTogether { count, after_ms }),
        4 => (0..43u8, 0..4u8).prop_map(|(exponent, put_back)| Step::Pass { exponent, put_back }),
        6 => (1..30u8).prop_map(|pieces| Step::Maintain { pieces }),
        2 => Just(Step::Commit),
        2 => Just(Step::Retire),
        1 => any::<u64>().prop_map(|seed| Step::Crash { seed }),
        1 => Just(Step::Kill),
        1 => (0..40u8, any::<u64>()).prop_map(|(changes, seed)| Step::StopAt { changes, seed }),
        1 => Just(Step::FillDisk),
        1 => Just(Step::FreeDisk),
    ];
    proptest::collection::vec(step, 1..60)
}

/// What the log says of an entry, by positions.
#[derive(Clone, Copy, Default)]
struct Life {
    added: u64,
    finished: Option<u64>,
}

/// The calendar, beside a log as it would be and what should be there.
struct World {
    disk: Arc<SimulatedDisk>,
    calendar: Calendar,
    now_ms: u64,
    lives: BTreeMap<Due, Life>,
    /// Not taken yet.
    waiting: BTreeSet<Due>,
    end: u64,
    durable: u64,
    /// The log before is retired.
    head: u64,
    seed: u64,
    seq: u64,
    /// The power is cut when the disk stops.
    stops: Option<u64>,
}

impl World {
    fn new() -> World {
        let disk = SimulatedDisk::new();
        let calendar = open(&disk, SMALL);
        World {
            disk,
            calendar,
            now_ms: 1_700_000_000_000,
            lives: BTreeMap::new(),
            waiting: BTreeSet::new(),
            end: 1,
            durable: 1,
            head: 0,
            seed: 1,
            seq: 0,
            stops: None,
        }
    }

    fn add(&mut self, due_ms: u64) {
        self.seq += 1;
        let due = Due { due_ms, group: 1 + self.seq % 3, seq: self.seq };
        self.end += 1;
        self.calendar.add(due);
        self.lives.insert(due, Life { added: self.end, finished: None });
        self.waiting.insert(due);
    }

    fn position(&self) -> impl Fn() -> LogPosition + use<> {
        let (end, durable) = (Lsn(self.end), Lsn(self.durable));
        move || LogPosition { end, durable }
    }

    /// False when the disk has stopped.
    fn maintain(&mut self, pieces: u32) -> bool {
        let position = self.position();
        for _ in 0..pieces {
            match self.calendar.maintain(self.now_ms, &position) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) if error.is_no_space() => break,
                Err(error) => {
                    assert!(self.disk.has_stopped(), "{error}");
                    return false;
                }
            }
        }
        true
    }

    fn pass(&mut self, ms: u64, put_back: usize) {
        self.now_ms += ms;
        if !self.maintain(10_000) {
            return;
        }
        let mut taken = Vec::new();
        loop {
            let before = taken.len();
            self.calendar.take_due(self.now_ms, 7, &mut taken);
            if !self.maintain(10_000) || taken.len() == before {
                break;
            }
        }
        if self.disk.has_stopped() {
            return;
        }
        for due in &taken {
            assert!(due.due_ms <= self.now_ms, "nothing comes before its time");
            assert!(self.lives.contains_key(due), "nothing comes that was not added");
        }
        self.waiting.retain(|due| !taken.contains(due));
        let missed = self.waiting.iter().find(|due| due.due_ms <= self.now_ms);
        assert!(missed.is_none(), "{missed:?} was due before {}", self.now_ms);
        let (back, done) = taken.split_at(put_back.min(taken.len()));
        for due in back {
            if self.lives[due].finished.is_none() {
                self.calendar.add(*due);
                self.waiting.insert(*due);
            } else {
                self.calendar.finish(&[*due]);
            }
        }
        self.calendar.finish(done);
        for due in done {
            self.end += 1;
            let end = self.end;
            if let Some(life) = self.lives.get_mut(due) {
                life.finished = life.finished.or(Some(end));
            }
        }
    }

    /// Opens what a crash left: the log up to what is durable, and what is in files.
    fn reopen(&mut self, disk: Arc<SimulatedDisk>) {
        let durable = self.durable;
        self.disk = disk;
        self.calendar = open(&self.disk, SMALL);
        self.stops = None;
        for life in self.lives.values_mut() {
            life.finished = life.finished.filter(|at| *at <= durable);
            if life.added > durable {
                life.added = u64::MAX;
            }
        }
        let lives: Vec<(Due, Life)> = self.lives.iter().map(|(due, life)| (*due, *life)).collect();
        let is_there = |life: &Life| life.added <= durable && life.finished.is_none();
        for (due, life) in &lives {
            if is_there(life) && life.added > self.head {
                self.calendar.add(*due);
            }
        }
        self.waiting = lives.iter().filter(|(_, life)| is_there(life)).map(|(due, _)| *due).collect();
        self.end = durable;
        // What was lost may still be in files; its number is not given again.
    }

    fn step(&mut self, step: &Step) {
        let mut random = Random::new(self.seed);
        self.seed = random.next_u64();
        match *step {
            Step::Add { count, exponent } => {
                (0..count).for_each(|_| self.add(self.now_ms + random.below(1 << exponent)));
            }
            Step::AddTogether { count, after_ms } => {
                (0..count).for_each(|_| self.add(self.now_ms + u64::from(after_ms)));
            }
            Step::Pass { exponent, put_back } => self.pass(random.below(1 << exponent), put_back.into()),
            Step::Maintain { pieces } => drop(self.maintain(pieces.into())),
            Step::Commit => self.durable = self.end,
            Step::Retire => {
                self.durable = self.end;
                match self.calendar.sync() {
                    Ok(()) => self.head = self.end,
                    Err(error) => assert!(error.is_no_space() || self.disk.has_stopped(), "{error}"),
                }
            }
            Step::Crash { seed } => self.reopen(self.disk.crash(&mut Random::new(seed))),
            Step::Kill => self.reopen(self.disk.kill()),
            Step::StopAt { changes, seed } => {
                self.disk.stop_at(self.disk.operations() + 1 + u64::from(changes));
                self.stops = Some(seed);
            }
            Step::FillDisk => self.disk.set_capacity(Some(self.disk.used_bytes())),
            Step::FreeDisk => self.disk.set_capacity(None),
        }
        if let Some(seed) = self.stops.filter(|_| self.disk.has_stopped()) {
            self.reopen(self.disk.crash(&mut Random::new(seed)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_is_due_is_ever_missed(steps in steps()) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.step(step));
        world.disk.set_capacity(None);
        world.disk.stop_at(u64::MAX);
        // Everything, at last; and then there is nothing left.
        world.pass(1 << 46, 0);
        if !world.disk.has_stopped() {
            prop_assert!(world.waiting.is_empty());
            world.durable = world.end;
            world.maintain(10_000);
            prop_assert!(world.calendar.is_empty());
            prop_assert_eq!(world.calendar.next_due_ms(), None);
        }
    }
}
