//! What goes to the disk and comes from it.

use super::{Reading, World};
use crate::list::Listed;
use crate::store_under::{Owning, append, group, level_of, open};
use queue::{Queue, Storage, Wants};
use std::sync::Mutex;
use store::{Lost, Opened};

/// Bytes of a record that only fills the log.
const FILLER: usize = 48 << 10;

impl World {
    pub(super) fn page_out(&mut self, keep_bytes: u64, most: usize) {
        let (mut sink, store) = (Vec::new(), self.store.clone());
        let logged = |level, seq, message: &_| Some(append(&store, level, seq, message, true));
        // What is before the last message that was retired cannot go to the log any more.
        let is_retired = !self.is_exact;
        self.queue.page_out(keep_bytes, most, &mut sink, logged);
        assert!(sink.len() <= most);
        let is_done = most < usize::MAX || is_retired || self.queue.resident_bytes() <= keep_bytes;
        assert!(is_done, "all of it can be paged out here");
    }

    pub(super) fn store_below(&mut self, at: usize) {
        if self.list.ready.is_empty() {
            return;
        }
        let Listed { level, seq, .. } = self.list.ready[at % self.list.ready.len()];
        let store = self.store.clone();
        while self.queue.store_below(level, seq, 3, |seq, message| append(&store, level, seq, message, true)) {}
    }

    pub(super) fn retire(&mut self) {
        for _ in 0..(1 << 20) / FILLER {
            self.store.log().append().metadata(&vec![0; FILLER]);
            self.writer.write().expect("the log is written");
        }
        self.writer.sync().expect("the log is synced");
        let owning = Owning { queue: Mutex::new(&mut self.queue), store: &self.store };
        while self.store.maintain(&owning).expect("the disk does not fail") {}
        self.is_exact = false;
    }

    pub(super) fn pick_reading(&self, at: usize) -> Option<u8> {
        let count = self.reading.len();
        (count > 0).then(|| self.reading.keys().copied().nth(at % count)).flatten()
    }

    /// True when there is anything to wait for.
    pub(super) fn want(&mut self, probe: bool) -> bool {
        match if probe { self.queue.wants_probe() } else { self.queue.wants() } {
            Wants::Nothing => !self.reading.is_empty() || !self.marks.is_empty(),
            Wants::Read { level, read } => {
                let before = self.reading.insert(level, Reading::Asked(read));
                assert!(before.is_none(), "one read at a time of one priority");
                true
            }
            Wants::Mark { level, below } => {
                self.store.log().append().delivered(group(level), below);
                self.marks.push_back((level, below));
                true
            }
        }
    }

    pub(super) fn load(&mut self, level: u8) {
        let Some(Reading::Asked(read)) = self.reading.get(&level) else { return };
        self.writer.write().expect("the log is written");
        // Retirement may have moved them: then they are asked for again.
        let run = self.store.read(read, &mut self.arena).unwrap_or_default();
        self.reading.insert(level, Reading::Loaded(run));
    }

    pub(super) fn answer(&mut self, level: u8, damaged: Option<usize>) {
        if !matches!(self.reading.get(&level), Some(Reading::Loaded(_))) {
            return;
        }
        let Some(Reading::Loaded(mut run)) = self.reading.remove(&level) else { return };
        let mut lost_seq = None;
        if let Some(at) = damaged.filter(|_| !run.loaded.is_empty()) {
            let lost = run.loaded.remove(at % run.loaded.len());
            run.lost.push(Lost { seq: lost.seq, body_len: lost.message.body_len() as u32 });
            lost_seq = Some(lost.seq);
        }
        let in_memory = lost_seq.is_some_and(|seq| {
            self.queue.iter().any(|entry| entry.level == level && entry.seq == seq && entry.message.is_some())
        });
        let lost = self.queue.take_read(level, run);
        let is_ready = lost_seq.and_then(|seq| self.list.ready.iter().find(|listed| listed.seq == seq)).cloned();
        match (lost.as_slice(), is_ready) {
            ([], _) => {}
            ([(seq, body_len, _)], Some(listed)) => {
                assert_eq!(*seq, listed.seq);
                assert!(!in_memory, "{listed:?} was read before and is lost now");
                self.list.remove(level, *seq);
                // In truth it is whole, and a restart would find it.
                self.store.log().append().settle(group(level), None, &[(*seq, *body_len)]);
            }
            (lost, listed) => panic!("{lost:?} is lost, of {listed:?}"),
        }
    }

    pub(super) fn marked(&mut self) {
        let Some((level, below)) = self.marks.pop_front() else { return };
        self.writer.write().expect("the log is written");
        self.writer.sync().expect("the log is synced");
        let mark = self.mark.entry(level).or_default();
        *mark = below.max(*mark);
        self.queue.marked(level, below);
    }

    pub(super) fn purge(&mut self) {
        let mut gone = Vec::new();
        assert_eq!(self.queue.purge(&mut gone), self.list.ready.len() as u64);
        self.settle(&gone);
        for forgotten in self.queue.forget_paged() {
            let (first, last) = forgotten.range;
            let out = self.held.iter().chain(&self.taken).map(|(entry, _)| (entry.level, entry.seq, entry.stored));
            for (level, seq, stored) in out.chain(self.expired.iter().map(|listed| (listed.level, listed.seq, false))) {
                let is_in = level == forgotten.level && (first..=last).contains(&seq) && stored;
                assert!(!is_in || forgotten.except.contains(&seq), "{seq} of {level} is out and forgotten");
            }
            self.store.log().append().settle_range(group(forgotten.level), first, last, &forgotten.except);
        }
        self.list.ready.clear();
    }

    /// The process ends, with everything written, and another begins.
    pub(super) fn restart(&mut self) {
        self.writer.write().expect("the log is written");
        self.writer.sync().expect("the log is synced");
        for (level, below) in self.marks.drain(..) {
            let mark = self.mark.entry(level).or_default();
            *mark = below.max(*mark);
        }
        self.disk = self.disk.kill();
        let Opened { store, writer, backlogs, .. } = open(self.disk.clone());
        (self.store, self.writer) = (store, writer);
        let parts = backlogs.into_iter().map(|(group, backlog)| (level_of(group), Storage::new(backlog)));
        self.queue = Queue::restored(parts);
        self.begin();
        self.reading.clear();
        self.timers.clear();
        let out = self.held.drain(..).chain(self.taken.drain(..)).map(|(_, listed)| listed);
        self.list.ready.extend(out.chain(self.expired.drain(..)));
        self.list.ready.retain(|listed| listed.persistent);
        for listed in &mut self.list.ready {
            listed.redelivered |= listed.seq < self.mark.get(&listed.level).copied().unwrap_or(0);
            listed.came_back = false;
        }
        self.list.sort();
        let last = self.list.ready.iter().map(|listed| listed.seq).max();
        assert!(last < Some(self.queue.next_seq()), "no position is given twice");
        if let Some(limits) = self.rules {
            self.set_rules(limits);
        }
    }
}
