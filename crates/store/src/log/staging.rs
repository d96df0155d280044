//! Where records wait for the log thread.

use super::Append;
use crate::message::Message;
use crate::place::{Lsn, Owner, Place, TransactionId};
use std::marker::PhantomData;

/// The right to append; whatever is appended through one is contiguous in the log.
pub struct Appender<'a>(PhantomData<&'a ()>);

impl Appender<'_> {
    /// A message enters a queue.
    pub fn message(&mut self, _owner: Owner, _options: Append, _message: &Message) -> Place {
        todo!()
    }
    /// A message that is in the log enters a further queue.
    pub fn route(&mut self, _owner: Owner, _options: Append, _body: Place, _body_len: u32) {
        todo!()
    }
    /// Messages (seq, bytes of the body) left a queue.
    pub fn settle(&mut self, _quid: u64, _tx: Option<TransactionId>, _messages: &[(u64, u32)]) {
        todo!()
    }
    /// All from `first` to `last` left a queue, but for those in `except`, which ascend.
    pub fn settle_range(&mut self, _quid: u64, _first: u64, _last: u64, _except: &[u64]) {
        todo!()
    }
    /// A message came back.
    pub fn requeue(&mut self, _owner: Owner, _delivery_count: u32) {
        todo!()
    }
    /// No message of the queue at or after `below` was delivered.
    pub fn delivered(&mut self, _quid: u64, _below: u64) {
        todo!()
    }
    /// A change of the definitions.
    pub fn metadata(&mut self, _bytes: &[u8]) {
        todo!()
    }
    /// The records of the transaction take effect.
    pub fn tx_commit(&mut self, _tx: TransactionId) {
        todo!()
    }
    /// A blob has one owner fewer; its file goes when none is left and what has been appended so far is durable.
    pub fn release_blob(&mut self, _id: u64) {
        todo!()
    }
    /// When [`super::Log::durable`] has reached this, everything appended so far is synced.
    pub fn end(&self) -> Lsn {
        todo!()
    }
}
