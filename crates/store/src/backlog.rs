//! STUB until cold's arrives.
use crate::place::*;
use std::collections::BTreeMap;
pub struct Read { pub(crate) slots: Vec<(u64, Place, u32, u32, bool)> }
pub struct ReadHint;
pub struct Removed { pub blob: Option<u64> }
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct SlotFlags(pub u8);
impl SlotFlags { pub const BLOB: SlotFlags = SlotFlags(1); pub const TRANSIENT: SlotFlags = SlotFlags(2); pub const DELIVERED: SlotFlags = SlotFlags(4); }
impl std::ops::BitOrAssign for SlotFlags { fn bitor_assign(&mut self, o: SlotFlags) { self.0 |= o.0 } }
#[derive(Default)]
pub struct Backlog { slots: BTreeMap<u64, (Place, u32, u32, SlotFlags)>, next: u64, delivered: u64 }
impl Backlog {
    pub fn new() -> Backlog { Backlog::default() }
    pub fn len(&self) -> u64 { self.slots.len() as u64 }
    pub fn is_empty(&self) -> bool { self.slots.is_empty() }
    pub fn next_seq_after_recovery(&self) -> u64 { self.next + 100 }
    pub fn delivered_below(&self) -> u64 { self.delivered }
    pub fn set_delivered_below(&mut self, s: u64) { self.delivered = self.delivered.max(s) }
    pub fn takes(&self, _: u64) -> bool { true }
    pub fn seen(&mut self, s: u64) { self.next = self.next.max(s + 1) }
    pub fn add(&mut self, seq: u64, place: Place, body_len: u32, flags: SlotFlags) { self.slots.insert(seq, (place, body_len, 0, flags)); self.seen(seq) }
    pub fn add_late(&mut self, v: Vec<(u64, Place, u32)>) { for (s, p, b) in v { self.add(s, p, b, SlotFlags::TRANSIENT) } }
    pub fn remove(&mut self, seq: u64, _b: u32) -> Option<Removed> {
        let (p, _, _, f) = self.slots.remove(&seq)?;
        Some(Removed { blob: (f.0 & 1 != 0).then_some(p.lsn.0) }) }
    pub fn remove_from(&mut self, first: u64, except: &[u64]) -> Vec<u64> { self.remove_range(first, u64::MAX, except) }
    pub fn remove_range(&mut self, first: u64, last: u64, except: &[u64]) -> Vec<u64> {
        let k: Vec<u64> = self.slots.range(first..=last).map(|x| *x.0).filter(|s| !except.contains(s)).collect();
        k.into_iter().filter_map(|s| self.remove(s, 0)?.blob).collect() }
    pub fn requeued(&mut self, seq: u64, c: u32) { if let Some(s) = self.slots.get_mut(&seq) { s.2 = c } }
    pub fn contains(&self, seq: u64) -> bool { self.slots.contains_key(&seq) }
    pub fn read_from(&self, seq: u64, _max: usize) -> Option<Read> {
        let slots: Vec<_> = self.slots.range(seq..).take(20).map(|(s, (p, _, c, f))| (*s, *p, *c, self.slots[s].1, f.0 & 4 != 0 || *s < self.delivered)).collect();
        (!slots.is_empty()).then_some(Read { slots }) }
    pub fn passed(&mut self, _: ReadHint) {}
    pub fn blobs(&self) -> impl Iterator<Item = u64> { self.slots.values().filter(|s| s.3.0 & 1 != 0).map(|s| s.0.lsn.0) }
}
impl Backlog {
    pub(crate) fn state(&self) -> crate::manifest::QueueState { Default::default() }
    pub(crate) fn take_changed(&mut self, _f: &mut dyn FnMut(u64, Option<Vec<u8>>)) {}
    pub(crate) fn restore(s: &crate::manifest::QueueState) -> Backlog { let mut b = Backlog::default(); b.next = s.next_seq; b }
    pub(crate) fn restore_extent(&mut self, _b: &[u8], _f: &dyn Fn(u64) -> Option<std::sync::Arc<crate::cold::ColdSegment>>) -> bool { true }
}
