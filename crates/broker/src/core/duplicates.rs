//! Duplicates: queues drop them, and what exchanges remember of messages goes to disk.
//!
//! A key is recorded after its message is in its queues. A crash in between lets a message come twice; the other way
//! round it would have the message lost and its repetition taken for a duplicate.

use super::Core;
use super::item::Item;
use crate::deduplication::{self, Claim, KeyRecord, Window};
use crate::topology::{Exchange, QueueCell, QueueState, Route};
use amqp::properties::PropertiesRef;
use queue::Entry;
use std::sync::Arc;
use store::{Lsn, Message, MessageParts};

/// A content header without properties, and with the body's size to come.
const NO_PROPERTIES: [u8; 14] = [0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// An empty exchange and routing key.
const NO_NAMES: [u8; 2] = [0, 0];

impl Core {
    /// The messages of a route have reached their queues, so that what claims they made stand.
    #[cold]
    pub(super) fn keep_claims(&mut self, route: &Route) {
        for claim in &route.claims {
            claim.keep();
            let exchange = claim.exchange.clone();
            let (Some(window), Some(cell)) = (exchange.window(), records_of(&exchange)) else { continue };
            self.record(window, &cell, claim);
        }
    }

    /// Puts messages into a queue that drops those whose key is that of a message in it; no other reactor can come in
    /// between. A duplicate is confirmed when the log is durable as far as it is now, which the other message is in.
    #[cold]
    pub(super) fn enqueue_unless_present(
        &mut self,
        cell: &Arc<QueueCell>,
        state: &mut QueueState,
        items: &mut [Item],
        buffer: &[u8],
        last: bool,
    ) -> Option<Lsn> {
        let mut logged = None;
        // What has expired is not in the queue any more.
        self.tend(cell, state);
        for item in items {
            let properties = PropertiesRef::of_payload(item.header(buffer));
            let key = deduplication::key_of(properties.and_then(|properties| properties.headers()));
            let is_known = |key| state.present.as_ref().is_some_and(|present| present.has(key));
            if key.is_some_and(is_known) {
                item.durable = true;
                logged = logged.max(self.end_of_log());
                continue;
            }
            let Some(key) = key else {
                logged = logged.max(self.enqueue_within_limits(cell, state, std::slice::from_mut(item), buffer, last));
                continue;
            };
            logged = logged.max(self.enqueue_with_key(cell, state, item, key, buffer, last));
        }
        logged
    }

    fn enqueue_with_key(
        &mut self,
        cell: &Arc<QueueCell>,
        state: &mut QueueState,
        item: &mut Item,
        key: u128,
        buffer: &[u8],
        last: bool,
    ) -> Option<Lsn> {
        let (seq, ready) = (state.queue.next_seq(), state.queue.counts().ready);
        // First, because it may have to leave again at once.
        state.present.as_mut()?.add(key, seq);
        let logged = self.enqueue_within_limits(cell, state, std::slice::from_mut(item), buffer, last);
        let is_direct = !item.rejected && state.queue.counts().ready == ready && self.went_without_trace(state);
        let present = state.present.as_mut()?;
        if item.rejected || is_direct {
            present.remove(seq);
        }
        if logged.is_none() || !present.has(key) {
            return logged;
        }
        let record = self.key_message(KeyRecord::of_message(key));
        logged.max(self.log_key(cell, state, seq, &record))
    }

    /// True when the message put into a queue just now went to a consumer who acknowledges nothing.
    fn went_without_trace(&self, state: &QueueState) -> bool {
        let consumer = self.scratch.keys.first().and_then(|key| state.queue.consumers.handle(*key));
        consumer.is_some_and(|consumer| consumer.no_ack)
    }

    /// A key as a message of its own.
    fn key_message(&mut self, record: KeyRecord) -> Message {
        let body = record.to_bytes();
        let mut header = NO_PROPERTIES;
        header[4..12].copy_from_slice(&(body.len() as u64).to_be_bytes());
        let entered_ms = self.time_ms;
        let parts = MessageParts { names: &NO_NAMES, header: &header, persistent: true, entered_ms };
        Message::store(&mut self.arena, parts, &body)
    }

    /// Puts a key on disk, and takes those off that are not wanted any more. Nothing of it stays in memory.
    fn record(&mut self, window: &Window, cell: &Arc<QueueCell>, claim: &Claim) {
        let message = self.key_message(claim.record());
        let mut state = cell.lock();
        if cell.is_dead() {
            return;
        }
        let seq = state.queue.next_seq();
        self.enqueue_items(cell, &mut state, &mut [Item::of(&message)], &[], true);
        window.recorded(claim, seq);
        self.page_out(cell, &mut state, 0);
        let stale = window.take_stale();
        let gone: Vec<Entry> = stale.into_iter().filter_map(|seq| state.queue.take(0, seq)).collect();
        self.remove_entries(cell, &mut state, gone.iter());
        cell.publish_gauges(&state);
        drop(state);
        self.scratch.done.clear();
    }
}

/// Where the keys of an exchange are on disk, if they are.
fn records_of(exchange: &Exchange) -> Option<Arc<QueueCell>> {
    let (hidden, _) = exchange.hidden_queue()?;
    hidden.get().filter(|cell| cell.is_stored).cloned()
}
