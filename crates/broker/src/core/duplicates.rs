//! Duplicates: what exchanges remember goes to disk.
//!
//! A key is recorded after its message is in its queues. A crash in between lets a message come twice; the other way
//! round it would have the message lost and its repetition taken for a duplicate.

use super::Core;
use super::run::Item;
use crate::deduplication::{Claim, Window};
use crate::topology::{Exchange, QueueCell, Route};
use queue::Entry;
use std::sync::Arc;
use store::{Message, MessageParts};

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

    /// Puts a key on disk, and takes those off that are not wanted any more. Nothing of it stays in memory.
    fn record(&mut self, window: &Window, cell: &Arc<QueueCell>, claim: &Claim) {
        let body = claim.record().to_bytes();
        let mut header = NO_PROPERTIES;
        header[4..12].copy_from_slice(&(body.len() as u64).to_be_bytes());
        let entered_ms = self.now.time_ms();
        let parts = MessageParts { names: &NO_NAMES, header: &header, persistent: true, entered_ms };
        let message = Message::store(&mut self.arena, parts, &body);
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
