//! The store under the queue, and the messages of the test.

use queue::{Entry, Queue};
use std::sync::{Arc, Mutex};
use store::simulation::SimulatedDisk;
use store::{
    Append, Arena, Backlog, Body, Lsn, Message, MessageParts, Opened, Options, Owner, Owners, Place, SlotFlags, Store,
    StoreError,
};

const QUID: u64 = 7;

pub fn group(level: u8) -> u64 {
    QUID | u64::from(level) << 48
}

/// The level of a group that is the queue's.
pub fn level_of(group: u64) -> u8 {
    assert_eq!(group & ((1 << 48) - 1), QUID, "the group of another queue");
    u8::try_from(group >> 48).expect("a priority")
}

pub fn open(disk: Arc<SimulatedDisk>) -> Opened {
    let options = Options { segment_bytes: Some(1 << 20), ..Options::default() };
    Store::open(disk, options, Lsn(0)).expect("the store opens")
}

pub fn append(store: &Store, level: u8, seq: u64, message: &Message, transient: bool) -> (Place, SlotFlags) {
    let options = Append { delivered: false, transient, tx: None };
    let place = store.log().append().message(Owner { quid: group(level), seq }, options, message);
    let is_blob = store.log().is_blob(message.body_len() as u64);
    (place, if is_blob { SlotFlags::BLOB } else { SlotFlags::default() })
}

/// What the store asks of the queue.
pub struct Owning<'a> {
    pub queue: Mutex<&'a mut Queue<u32>>,
    pub store: &'a Store,
}

impl Owners for Owning<'_> {
    fn with(&self, group: u64, visit: &mut dyn FnMut(&mut Backlog)) -> bool {
        let mut queue = self.queue.lock().expect("no test panicked");
        queue.storage(level_of(group)).map(|storage| visit(&mut storage.backlog)).is_some()
    }

    fn page_out(&self, group: u64, below: u64) {
        let (mut queue, level) = (self.queue.lock().expect("no test panicked"), level_of(group));
        while queue.store_below(level, below, 3, |seq, message| append(self.store, level, seq, message, true)) {}
    }

    fn quiesce(&self) {}

    fn checkpoint_metadata(&self, _: Lsn) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A message that says which it is, and how long it lives.
pub fn message(
    arena: &mut Arena,
    number: u32,
    body_len: usize,
    persistent: bool,
    entered_ms: u64,
    expiration_ms: Option<u64>,
) -> Message {
    let header = expiration_ms.map(u64::to_be_bytes);
    let header = header.as_ref().map_or(&[][..], |bytes| &bytes[..]);
    let parts = MessageParts { names: b"\0\x01q", header, persistent, entered_ms };
    Message::store(arena, parts, &body(number, body_len))
}

pub fn expiration_of(message: &Message) -> Option<u64> {
    message.parts().header.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
}

fn body(number: u32, len: usize) -> Vec<u8> {
    let mut body = vec![number as u8; len];
    body[..4].copy_from_slice(&number.to_be_bytes());
    body
}

/// Which message it is, when it is in memory; it is as it was published.
pub fn number(entry: &Entry) -> Option<u32> {
    entry.message.as_ref().map(number_of)
}

pub fn number_of(message: &Message) -> u32 {
    let bytes = match message.body() {
        Body::Whole(bytes) => bytes.to_vec(),
        Body::Pieces(pieces) => pieces.iter().flat_map(|piece| piece.iter().copied()).collect(),
    };
    let number = u32::from_be_bytes(*bytes.first_chunk().expect("a body of the test"));
    assert!(bytes == body(number, bytes.len()), "the body of {number} is what was published");
    number
}
