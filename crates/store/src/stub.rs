#![allow(missing_docs, unused)]
use crate::*;
use std::collections::HashMap;
use std::sync::Arc;
pub struct Backlog {}
pub struct Removed {
    pub blob: Option<u64>,
}
pub struct Read {}
#[derive(Default)]
pub struct ReadHint {}
#[derive(Default)]
pub struct LoadedRun {
    pub loaded: Vec<Loaded>,
    pub lost: Vec<Lost>,
    pub hint: ReadHint,
}
pub struct Loaded {
    pub seq: u64,
    pub message: Message,
    pub delivery_count: u32,
    pub redelivered: bool,
}
pub struct Lost {
    pub seq: u64,
    pub body_len: u32,
}
impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
#[derive(Debug)]
pub enum ReadError {
    NotWritten,
    Other,
}
impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
#[derive(Clone, Copy)]
pub struct SlotFlags;
impl From<Append> for SlotFlags {
    fn from(_: Append) -> SlotFlags {
        SlotFlags
    }
}
impl Backlog {
    pub fn new() -> Backlog {
        todo!()
    }
    pub fn len(&self) -> u64 {
        todo!()
    }
    pub fn body_bytes(&self) -> u64 {
        todo!()
    }
    pub fn first_seq(&self) -> Option<u64> {
        todo!()
    }
    pub fn next_seq_after_recovery(&self) -> u64 {
        todo!()
    }
    pub fn delivered_below(&self) -> u64 {
        todo!()
    }
    pub fn set_delivered_below(&mut self, seq: u64) {
        todo!()
    }
    pub fn add(&mut self, seq: u64, place: Place, body_len: u32, flags: SlotFlags) {
        todo!()
    }
    pub fn remove(&mut self, seq: u64, body_len: u32) -> Option<Removed> {
        todo!()
    }
    pub fn remove_from(&mut self, first: u64, except: &[u64]) -> Vec<u64> {
        todo!()
    }
    pub fn requeued(&mut self, seq: u64, delivery_count: u32) {
        todo!()
    }
    pub fn contains(&self, seq: u64) -> bool {
        todo!()
    }
    pub fn takes(&self, seq: u64) -> bool {
        todo!()
    }
    pub fn add_late(&mut self, late: Vec<(u64, Place, u32)>) {
        todo!()
    }
    pub fn read_from(&self, seq: u64, max_bytes: usize) -> Option<Read> {
        todo!()
    }
    pub fn read_of(&self, seqs: &[u64]) -> Vec<Read> {
        todo!()
    }
    pub fn passed(&mut self, hint: ReadHint) {
        todo!()
    }
    pub fn blobs(&self) -> std::vec::IntoIter<u64> {
        todo!()
    }
}
pub struct Store {}
pub struct Options {
    pub sync: Sync,
    pub segment_bytes: Option<u64>,
}
impl Default for Options {
    fn default() -> Options {
        Options { sync: Sync::Always, segment_bytes: None }
    }
}
pub struct Opened {
    pub store: Arc<Store>,
    pub writer: LogWriter,
    pub backlogs: HashMap<u64, Backlog>,
    pub metadata: Vec<(Lsn, Vec<u8>)>,
}
pub trait Owners: std::marker::Sync {
    fn with(&self, quid: u64, f: &mut dyn FnMut(&mut Backlog)) -> bool;
    fn page_out(&self, quid: u64, below: u64);
    fn quiesce(&self);
    fn checkpoint_metadata(&self, below: Lsn) -> Result<(), StoreError>;
}
impl Store {
    pub fn open(disk: Arc<dyn Disk>, options: Options, applied: Lsn) -> Result<Opened, OpenError> {
        todo!()
    }
    pub fn log(&self) -> &Arc<Log> {
        todo!()
    }
    pub fn read(&self, read: &Read, arena: &mut Arena) -> Result<LoadedRun, ReadError> {
        todo!()
    }
    pub fn maintain(&self, owners: &dyn Owners) -> Result<bool, StoreError> {
        todo!()
    }
    pub fn wait_for_work(&self, timeout: std::time::Duration) {
        todo!()
    }
    pub fn close(&self) {
        todo!()
    }
}
