//! A queue, its log as a list of records, its cold segments as files, its manifest as a map, and what it should contain.

use super::Step;
use crate::backlog::{Backlog, ColdRead, Extent, Read, SlotFlags, Source};
use crate::cold::tests::{body_of, payload, run};
use crate::cold::{ColdSegment, Writer, open_segment};
use crate::disk::Disk;
use crate::manifest::QueueState;
use crate::place::{Lsn, Place};
use crate::record::{Header, Kind};
use crate::simulation::SimulatedDisk;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

const QUID: u64 = 5;
/// As the store: several holds of the lock per piece of work.
const AT_ONCE: usize = 7;

#[derive(Clone)]
struct Known {
    body: Vec<u8>,
    count: u16,
    is_transient: bool,
}

enum Logged {
    Add { seq: u64, place: Place, body_len: u32, flags: SlotFlags },
    Remove { seq: u64, body_len: u32 },
    RemoveRange { first: u64, last: u64, except: Vec<u64> },
    Requeue { seq: u64, count: u16 },
}

pub(super) struct World {
    disk: Arc<SimulatedDisk>,
    pub(super) backlog: Backlog,
    known: BTreeMap<u64, Known>,
    /// In memory only.
    late: BTreeMap<u64, Known>,
    bodies: HashMap<Lsn, Vec<u8>>,
    log: Vec<Logged>,
    next_seq: u64,
    next_lsn: u64,
    segments: BTreeMap<u64, Arc<ColdSegment>>,
    manifest: (QueueState, BTreeMap<u64, Vec<u8>>),
    /// False after a purge of what is cold: bodies' lengths are not known then.
    bytes_are_exact: bool,
}

impl World {
    pub(super) fn new() -> World {
        World {
            disk: SimulatedDisk::new(),
            backlog: Backlog::new(),
            known: BTreeMap::new(),
            late: BTreeMap::new(),
            bodies: HashMap::new(),
            log: Vec::new(),
            next_seq: 0,
            next_lsn: 4096,
            segments: BTreeMap::new(),
            manifest: (Backlog::new().state(), BTreeMap::new()),
            bytes_are_exact: true,
        }
    }

    pub(super) fn apply(&mut self, step: &Step) {
        match step {
            Step::Add { count, len, is_transient, shares, late } => {
                for at in 0..*count {
                    self.enter(usize::from(*len), *is_transient, *shares && at > 0, at < *late);
                }
            }
            Step::AddLate => self.add_late(),
            Step::Remove(which) => self.choose(which).into_iter().for_each(|seq| self.remove(seq)),
            Step::Purge { from, except } => self.purge(*from, except),
            Step::Requeue(which, count) => {
                self.choose(which).into_iter().for_each(|seq| self.requeue(seq, *count));
            }
            Step::Retire { part, meanwhile } => self.retire(*part, meanwhile),
            Step::Compact { mask, meanwhile } => self.compact(*mask, meanwhile),
            Step::Commit => self.commit(),
            Step::Restart => self.restart(),
            Step::Read { from, max_bytes } => self.read(*from, usize::from(*max_bytes)),
            Step::ReadOf(which) => self.read_of(which),
        }
    }

    /// Numbers of messages that are there, ascending.
    fn choose(&self, which: &[u16]) -> Vec<u64> {
        let chosen = which.iter().filter_map(|at| self.known.keys().nth(usize::from(*at) % self.known.len().max(1)));
        chosen.copied().collect::<BTreeSet<u64>>().into_iter().collect()
    }

    fn enter(&mut self, len: usize, is_transient: bool, shares: bool, is_late: bool) {
        let seq = self.next_seq;
        self.next_seq += 1;
        let body = match self.bodies.get(&Lsn(self.next_lsn - 4096)).filter(|_| shares) {
            Some(body) => body.clone(),
            None => format!("{seq},").bytes().cycle().take(len).collect(),
        };
        let known = Known { body, count: 0, is_transient: is_transient || is_late };
        if is_late {
            self.late.insert(seq, known);
            return;
        }
        let place = if shares && self.next_lsn > 4096 {
            Place { lsn: Lsn(self.next_lsn - 4096), len: 100 }
        } else {
            self.append(&known)
        };
        let flags = if is_transient { SlotFlags::TRANSIENT } else { SlotFlags::default() };
        let body_len = known.body.len() as u32;
        self.backlog.add(seq, place, body_len, flags);
        self.log.push(Logged::Add { seq, place, body_len, flags });
        self.known.insert(seq, known);
    }

    fn append(&mut self, known: &Known) -> Place {
        let place = Place { lsn: Lsn(self.next_lsn), len: 100 };
        self.bodies.insert(place.lsn, known.body.clone());
        self.next_lsn += 4096;
        place
    }

    fn add_late(&mut self) {
        let mut added = Vec::new();
        for (seq, known) in std::mem::take(&mut self.late) {
            if self.backlog.takes(seq) {
                let (place, body_len) = (self.append(&known), known.body.len() as u32);
                added.push((seq, place, body_len, SlotFlags::default()));
                self.log.push(Logged::Add { seq, place, body_len, flags: SlotFlags::TRANSIENT });
                self.known.insert(seq, known);
            }
        }
        self.backlog.add_late(added);
    }

    fn remove(&mut self, seq: u64) {
        let Some(known) = self.known.remove(&seq) else { return };
        let body_len = known.body.len() as u32;
        assert!(self.backlog.contains(seq));
        assert!(self.backlog.remove(seq, body_len).is_some());
        assert!(self.backlog.remove(seq, body_len).is_none() && !self.backlog.contains(seq));
        self.log.push(Logged::Remove { seq, body_len });
    }

    /// What happens to some message while the store works on the queue: it goes, or it comes back.
    fn meanwhile(&mut self, which: Option<u16>) {
        for seq in self.choose(which.as_slice()) {
            if seq % 3 == 0 { self.requeue(seq, which.unwrap_or(0) % 9 + 1) } else { self.remove(seq) }
        }
    }

    fn requeue(&mut self, seq: u64, count: u16) {
        self.backlog.requeued(seq, u32::from(count));
        self.known.entry(seq).and_modify(|known| known.count = count);
        self.log.push(Logged::Requeue { seq, count });
    }

    fn purge(&mut self, from: u16, except: &[u16]) {
        let Some(&first) = self.choose(&[from]).first() else { return };
        let except = self.choose(except);
        self.bytes_are_exact &= self.backlog.extents.is_empty();
        self.backlog.remove_from(first, &except);
        self.known.retain(|seq, _| *seq < first || except.contains(seq));
        self.log.push(Logged::RemoveRange { first, last: self.next_seq, except });
        self.next_seq += 1;
    }

    fn retire(&mut self, part: u8, meanwhile: &[u16]) {
        let limit = Lsn(4096 + (self.next_lsn - 4096) * (u64::from(part) + 1) / 256);
        let mut meanwhile = meanwhile.iter();
        let Some(below) = self.backlog.retire_below(limit) else { return };
        self.backlog.freeze(below);
        assert!(!self.backlog.takes(below - 1) && self.backlog.takes(below));
        let (mut slots, mut from) = (Vec::new(), Some(0));
        while let Some(at) = from {
            from = self.backlog.capture(at, below, AT_ONCE, &mut slots);
            self.meanwhile(meanwhile.next().copied());
        }
        let id = self.segments.keys().last().map_or(1, |last| last + 1);
        let disk: Arc<dyn Disk> = self.disk.clone();
        let mut writer = Writer::create(&disk, id, 1).unwrap();
        let shared =
            slots.iter().map(|slot| slot.lsn).find(|lsn| slots.iter().filter(|slot| slot.lsn == *lsn).count() > 1);
        let place = shared.map(|lsn| writer.shared(0, &payload(&self.bodies[&lsn])).unwrap());
        let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
            self.backlog.retired_below(below);
            return;
        };
        writer.begin_region(QUID, first.seq, slots.len()).unwrap();
        for slot in &slots {
            let header = Header { delivery_count: slot.delivery_count, ..Header::new(Kind::Message, QUID, slot.seq) };
            match place.filter(|_| Some(slot.lsn) == shared) {
                Some(place) => writer.route(header, place, slot.body_len).unwrap(),
                None => writer.message(header, &payload(&self.bodies[&slot.lsn])).unwrap(),
            }
        }
        writer.end_region(last.seq).unwrap();
        let (segment, directory) = writer.finish().unwrap();
        self.segments.insert(id, segment.clone());
        self.backlog.begin_moving(Extent::new(segment, directory[0].region));
        let mut done = false;
        while !done {
            done = self.backlog.move_some(last.seq, AT_ONCE);
            self.check_counts();
            self.meanwhile(meanwhile.next().copied());
        }
        self.backlog.retired_below(below);
    }

    fn compact(&mut self, mask: u8, meanwhile: &[u16]) {
        let ids = self.segments.keys().filter(|id| mask >> (**id % 8) & 1 == 1).copied().collect();
        let mut runs = self.backlog.extents_in(&ids);
        runs.retain(|run| run.iter().any(|copied| copied.seqs().next().is_some()));
        if runs.is_empty() {
            return;
        }
        let id = self.segments.keys().last().map_or(1, |last| last + 1);
        let disk: Arc<dyn Disk> = self.disk.clone();
        let mut writer = Writer::create(&disk, id, 1).unwrap();
        let mut meanwhile = meanwhile.iter().copied();
        for copies in &runs {
            let seqs: Vec<u64> = copies.iter().flat_map(Extent::seqs).collect();
            writer.begin_region(QUID, seqs[0], seqs.len()).unwrap();
            for copied in copies {
                for seq in copied.seqs().collect::<Vec<_>>() {
                    let read = copied.read_one(seq).unwrap();
                    let loaded = self.load(&read).pop().unwrap();
                    let header = Header { delivery_count: loaded.2, ..Header::new(Kind::Message, QUID, seq) };
                    writer.message(header, &payload(&loaded.1)).unwrap();
                }
                self.meanwhile(meanwhile.next());
            }
            writer.end_region(seqs[seqs.len() - 1]).unwrap();
        }
        let (segment, directory) = writer.finish().unwrap();
        self.segments.insert(id, segment.clone());
        for (copies, entry) in runs.iter().zip(directory) {
            self.backlog.replace(copies, Extent::of_copies(segment.clone(), entry.region, copies));
            self.meanwhile(meanwhile.next());
        }
    }

    fn commit(&mut self) {
        self.manifest.0 = self.backlog.state();
        let extents = &mut self.manifest.1;
        // As the manifest: what is said last of an extent counts.
        self.backlog.take_changed(&mut |first, bytes| match bytes {
            Some(bytes) => drop(extents.insert(first, bytes)),
            None => drop(extents.remove(&first)),
        });
        // The log's segments are used again: of what was retired, the manifest alone knows.
        let retired = self.manifest.0.retired;
        self.log.retain(|logged| match logged {
            Logged::Add { seq, .. } | Logged::Remove { seq, .. } | Logged::Requeue { seq, .. } => *seq >= retired,
            Logged::RemoveRange { .. } => true,
        });
    }

    fn restart(&mut self) {
        self.late.clear();
        self.known.retain(|_, known| !known.is_transient);
        self.backlog = Backlog::restore(&self.manifest.0);
        for segment in self.segments.values_mut() {
            assert_eq!(segment.live(), 0, "nobody has extents any more");
            *segment = open_segment(&*self.disk, segment.id(), segment.bytes()).unwrap();
        }
        for bytes in self.manifest.1.values() {
            assert!(self.backlog.restore_extent(bytes, &|id| self.segments.get(&id).cloned()));
        }
        for logged in &self.log {
            match logged {
                Logged::Add { seq, place, body_len, flags } if !flags.has(SlotFlags::TRANSIENT) => {
                    self.backlog.add(*seq, *place, *body_len, *flags);
                }
                Logged::Add { seq, .. } => self.backlog.seen(*seq),
                Logged::Remove { seq, body_len } => drop(self.backlog.remove(*seq, *body_len)),
                Logged::RemoveRange { first, last, except } => {
                    self.backlog.seen(*last);
                    self.backlog.remove_range(*first, *last, except);
                }
                Logged::Requeue { seq, count } => self.backlog.requeued(*seq, u32::from(*count)),
            }
        }
        let next = self.backlog.next_seq_after_recovery();
        let logged = self.log.iter().map(|logged| match logged {
            Logged::Add { seq, .. } | Logged::Remove { seq, .. } | Logged::Requeue { seq, .. } => *seq,
            Logged::RemoveRange { last, .. } => *last,
        });
        assert!(logged.max().is_none_or(|last| next > last), "no number is given twice");
        self.next_seq = self.next_seq.max(next);
    }

    fn load(&self, read: &ColdRead) -> Vec<(u64, Vec<u8>, u16)> {
        let run = run(&self.disk, read).unwrap();
        assert!(run.lost.is_empty());
        run.loaded.iter().map(|loaded| (loaded.seq, body_of(&loaded.message), loaded.delivery_count as u16)).collect()
    }

    /// What a read gives, checked against what is known; the last number.
    fn verify(&mut self, read: &Read, mut expected: impl Iterator<Item = u64>) -> u64 {
        let loaded = match &read.0 {
            Source::Log(slots) => {
                slots.iter().map(|slot| (slot.seq, self.bodies[&slot.lsn].clone(), slot.delivery_count)).collect()
            }
            Source::Cold(read) => self.load(read),
        };
        for (seq, body, count) in &loaded {
            assert_eq!(Some(*seq), expected.next());
            let known = &self.known[seq];
            assert!(known.body == *body && known.count == *count, "message {seq}: {count}, not {}", known.count);
        }
        loaded.last().expect("a read gives something").0
    }

    fn read(&mut self, from: u16, max_bytes: usize) {
        let from = self.choose(&[from]).first().map_or(0, |seq| seq.saturating_sub(1));
        match self.backlog.read_from(from, max_bytes) {
            None => assert!(self.known.range(from..).next().is_none()),
            Some(read) => {
                let expected: Vec<u64> = self.known.range(from..).map(|(seq, _)| *seq).collect();
                self.verify(&read, expected.into_iter());
                if let Source::Cold(read) = &read.0 {
                    self.backlog.passed(run(&self.disk, read).unwrap().hint);
                }
            }
        }
    }

    fn read_of(&mut self, which: &[u16]) {
        let seqs = self.choose(which);
        let mut expected = seqs.iter().copied();
        for read in self.backlog.read_of(&seqs) {
            let count = match &read.0 {
                Source::Log(slots) => slots.len(),
                Source::Cold(read) => read.wanted.len(),
            };
            let part: Vec<u64> = expected.by_ref().take(count).collect();
            self.verify(&read, part.into_iter());
        }
        assert_eq!(expected.next(), None);
    }

    /// Reads everything, from the first to the last.
    pub(super) fn check_contents(&mut self) {
        let (mut from, mut expected) = (0, self.known.keys().copied().collect::<Vec<_>>().into_iter());
        while let Some(read) = self.backlog.read_from(from, 2000) {
            let count = expected.len();
            let last = self.verify(&read, expected.clone());
            expected.by_ref().take_while(|seq| *seq != last).for_each(drop);
            assert!(expected.len() < count);
            from = last + 1;
        }
        assert_eq!(expected.next(), None);
    }

    pub(super) fn check_counts(&self) {
        assert_eq!(self.backlog.len(), self.known.len() as u64);
        assert_eq!(self.backlog.first_seq(), self.known.keys().next().copied());
        assert_eq!(self.backlog.is_empty(), self.known.is_empty());
        let bytes: usize = self.known.values().map(|known| known.body.len()).sum();
        if self.bytes_are_exact || self.known.is_empty() {
            assert_eq!(self.backlog.body_bytes(), bytes as u64);
        }
        let live: u64 = self.segments.values().map(|segment| segment.live()).sum();
        assert_eq!(live + self.backlog.slots.len(), self.backlog.len(), "extents count for their segments");
    }

    /// The extents as the manifest would have them.
    pub(super) fn extents(&mut self) -> Vec<Vec<u8>> {
        self.backlog.extents.iter().map(Extent::to_bytes).collect()
    }

    /// Restores an extent of these bytes, if they are one, and uses it.
    pub(super) fn restore_anything(&self, bytes: &[u8]) {
        let mut backlog = Backlog::new();
        if !backlog.restore_extent(bytes, &|_| self.segments.values().next().cloned()) {
            return;
        }
        if let Some(Source::Cold(read)) = backlog.read_from(0, 1000).map(|read| read.0) {
            let _ = run(&self.disk, &read);
        }
        let first = backlog.first_seq();
        assert!(first.is_none_or(|first| backlog.remove(first, 1).is_some()));
        backlog.remove_from(0, &[]);
        assert!(backlog.is_empty());
    }
}
