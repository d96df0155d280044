#![allow(missing_docs, unused)]
use crate::record::{self, Kind};
use crate::*;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
#[derive(Clone, Copy)]
struct Slot { place: Place, body_len: u32, count: u32, flags: u8 }
#[derive(Default)]
pub struct Backlog { slots: BTreeMap<u64, Slot>, bytes: u64, mark: u64, next: u64 }
pub struct Removed { pub blob: Option<u64> }
pub struct Read { log: Arc<Log>, places: Vec<(u64, Slot)> }
#[derive(Default)]
pub struct ReadHint {}
#[derive(Default)]
pub struct LoadedRun { pub loaded: Vec<Loaded>, pub lost: Vec<Lost>, pub hint: ReadHint }
pub struct Loaded { pub seq: u64, pub message: Message, pub delivery_count: u32, pub redelivered: bool }
pub struct Lost { pub seq: u64, pub body_len: u32 }
impl std::fmt::Display for Lost { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { Ok(()) } }
#[derive(Debug)]
pub enum ReadError { NotWritten, Other }
impl std::fmt::Display for ReadError { fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("other") } }
#[derive(Clone, Copy)]
pub struct SlotFlags(u8);
impl From<Append> for SlotFlags { fn from(a: Append) -> SlotFlags { SlotFlags(u8::from(a.delivered) * 2) } }
static LOG: OnceLock<Arc<Log>> = OnceLock::new();
impl Backlog {
    pub fn new() -> Backlog { Backlog::default() }
    pub fn len(&self) -> u64 { self.slots.len() as u64 }
    pub fn body_bytes(&self) -> u64 { self.bytes }
    pub fn first_seq(&self) -> Option<u64> { self.slots.keys().next().copied() }
    pub fn next_seq_after_recovery(&self) -> u64 { self.next + 65536 }
    pub fn delivered_below(&self) -> u64 { self.mark }
    pub fn set_delivered_below(&mut self, seq: u64) { self.mark = seq }
    pub fn add(&mut self, seq: u64, place: Place, body_len: u32, flags: SlotFlags) {
        self.slots.insert(seq, Slot { place, body_len, count: 0, flags: flags.0 });
        self.bytes += u64::from(body_len);
        self.next = self.next.max(seq + 1);
    }
    pub fn remove(&mut self, seq: u64, body_len: u32) -> Option<Removed> {
        let slot = self.slots.remove(&seq)?;
        self.bytes -= u64::from(slot.body_len);
        Some(Removed { blob: None })
    }
    pub fn remove_from(&mut self, first: u64, except: &[u64]) -> Vec<u64> {
        for (_, slot) in self.slots.split_off(&first) { self.bytes -= u64::from(slot.body_len); }
        Vec::new()
    }
    pub fn requeued(&mut self, seq: u64, delivery_count: u32) { if let Some(s) = self.slots.get_mut(&seq) { s.count = delivery_count } }
    pub fn contains(&self, seq: u64) -> bool { self.slots.contains_key(&seq) }
    pub fn takes(&self, seq: u64) -> bool { true }
    pub fn add_late(&mut self, late: Vec<(u64, Place, u32)>) { for (s, p, b) in late { self.add(s, p, b, SlotFlags(4)) } }
    pub fn read_from(&self, seq: u64, max_bytes: usize) -> Option<Read> {
        let mut bytes = 0;
        let places: Vec<_> = self.slots.range(seq..).take_while(|(_, s)| { let ok = bytes == 0 || bytes + s.place.len as usize <= max_bytes; bytes += s.place.len as usize; ok }).map(|(k, s)| (*k, *s)).collect();
        (!places.is_empty()).then(|| Read { log: LOG.get().unwrap().clone(), places })
    }
    pub fn read_of(&self, seqs: &[u64]) -> Vec<Read> {
        let places: Vec<_> = seqs.iter().filter_map(|s| Some((*s, *self.slots.get(s)?))).collect();
        if places.is_empty() { vec![] } else { vec![Read { log: LOG.get().unwrap().clone(), places }] }
    }
    pub fn passed(&mut self, hint: ReadHint) {}
    pub fn blobs(&self) -> std::vec::IntoIter<u64> { Vec::new().into_iter() }
}
pub struct Store { log: Arc<Log> }
pub struct Options { pub sync: Sync, pub segment_bytes: Option<u64> }
impl Default for Options { fn default() -> Options { Options { sync: Sync::Always, segment_bytes: None } } }
pub struct Opened { pub store: Arc<Store>, pub writer: LogWriter, pub backlogs: HashMap<u64, Backlog>, pub metadata: Vec<(Lsn, Vec<u8>)> }
pub trait Owners: std::marker::Sync {
    fn with(&self, quid: u64, f: &mut dyn FnMut(&mut Backlog)) -> bool;
    fn page_out(&self, quid: u64, below: u64);
    fn quiesce(&self);
    fn checkpoint_metadata(&self, below: Lsn) -> Result<(), StoreError>;
}
#[derive(Default)]
struct Recover { b: HashMap<u64, Backlog>, m: Vec<(Lsn, Vec<u8>)>, applied: u64 }
impl Visitor for Recover {
    fn record(&mut self, r: &ScannedRecord<'_>) -> Result<(), OpenError> {
        let h = r.header;
        let b = self.b.entry(h.group).or_default();
        match Kind::from_number(h.kind).unwrap() {
            Kind::Message if h.flags & 4 == 0 => { let m = u64::from_le_bytes(r.payload[16..24].try_into().unwrap()); b.add(h.index, r.place(), m as u32, SlotFlags(h.flags)) }
            Kind::Route if h.flags & 4 == 0 => { let x = read_route(r.payload).unwrap(); b.add(h.index, x.body, x.body_len, SlotFlags(h.flags)) }
            Kind::Settle => { read_settle(h.index, r.payload, |s, l| { b.remove(s, l); }); }
            Kind::SettleRange => { let (last, ex) = read_settle_range(h.index, r.payload).unwrap(); b.slots.retain(|s, _| !(h.index..=last).contains(s) || ex.contains(s)); b.bytes = b.slots.values().map(|s| u64::from(s.body_len)).sum(); }
            Kind::Requeue => b.requeued(h.index, u32::from(h.delivery_count)),
            Kind::Delivered => b.mark = h.index,
            Kind::Metadata => { let end = Lsn(r.lsn.0 + record::padded(h.payload_len as usize) as u64); if end.0 > self.applied { self.m.push((end, r.payload.to_vec())) } }
            _ => {}
        }
        Ok(())
    }
}
impl Store {
    pub fn open(disk: Arc<dyn Disk>, options: Options, applied: Lsn) -> Result<Opened, OpenError> {
        let segment_bytes = options.segment_bytes.unwrap_or(64 << 20);
        let mut recover = Recover { applied: applied.0, ..Recover::default() };
        let scanned = scan(&*disk, ScanFrom { log_id: 1, segment_bytes, head: 1 }, &mut recover)?;
        let (log, writer) = Log::open(disk, LogOptions { log_id: 1, segment_bytes, epoch: std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as u32, sync: options.sync }, scanned)?;
        let _ = LOG.set(log.clone());
        Ok(Opened { store: Arc::new(Store { log }), writer, backlogs: recover.b, metadata: recover.m })
    }
    pub fn log(&self) -> &Arc<Log> { &self.log }
    pub fn read(&self, read: &Read, arena: &mut Arena) -> Result<LoadedRun, ReadError> {
        let mut run = LoadedRun::default();
        for (seq, slot) in &read.places {
            if self.log.written().0 < slot.place.lsn.0 + u64::from(slot.place.len) { if run.loaded.is_empty() { return Err(ReadError::NotWritten) } break; }
            let pin = self.log.pin(slot.place.lsn).unwrap();
            let mut b = vec![0; slot.place.len as usize];
            pin.read_exact_at(&mut b, slot.place.lsn).unwrap();
            let (h, p, _) = record::split_first(&b).unwrap();
            assert!(h.holds(p));
            let p = if h.flags & record::TX != 0 { &p[8..] } else { p };
            let message = Message::from_stored(arena.append([p])).unwrap();
            run.loaded.push(Loaded { seq: *seq, message, delivery_count: slot.count, redelivered: slot.flags & 2 != 0 });
        }
        Ok(run)
    }
    pub fn maintain(&self, owners: &dyn Owners) -> Result<bool, StoreError> { self.log.prepare_spare() }
    pub fn wait_for_work(&self, timeout: std::time::Duration) { std::thread::park_timeout(std::time::Duration::from_millis(20)) }
    pub fn close(&self) {}
}
