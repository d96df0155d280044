//! Moving messages together, so that a few that stay do not keep the memory of many that went.
//!
//! A message record shares a chunk of 1 MiB with others. Where less than a quarter of a full chunk is still held, its
//! messages are copied to a new one, which always takes less memory than it frees. When messages take more memory than
//! they may, those that wait are left to the disk first.

use super::{Core, MESSAGES_PER_LOCK};
use crate::topology::QueueCell;
use std::sync::Arc;

/// Message memory below which nothing is moved, in bytes.
pub(crate) const COMPACT_FROM: usize = 32 << 20;
/// Messages looked at per round.
const MESSAGES_PER_ROUND: usize = 64 << 10;

/// Memory of ready messages that a queue with consumers keeps when memory is short, in bytes.
const KEPT_BYTES: u64 = 64 << 10;

/// Where the next round goes on.
#[derive(Default)]
pub(super) struct Progress {
    queue: usize,
    message: usize,
}

impl Core {
    /// One round over the queues, from where the last one ended.
    pub(crate) fn compact(&mut self) {
        let queues: Vec<Arc<QueueCell>> = self.broker.vhosts().iter().flat_map(|vhost| vhost.queues()).collect();
        let mut left = MESSAGES_PER_ROUND;
        let mut visited = 0;
        while left > 0 && visited < queues.len() {
            let Some(cell) = queues.get(self.compaction.queue) else {
                self.compaction = Progress::default();
                continue;
            };
            let looked_at = self.compact_some(cell);
            left = left.saturating_sub(looked_at.max(1));
            if looked_at < MESSAGES_PER_LOCK {
                self.compaction = Progress { queue: self.compaction.queue + 1, message: 0 };
                visited += 1;
            } else {
                self.compaction.message += looked_at;
            }
        }
    }

    /// Moves the sparse ones among the next messages of a queue; returns how many there were to look at.
    fn compact_some(&mut self, cell: &QueueCell) -> usize {
        let mut state = cell.lock();
        if self.broker.is_short_of_memory() {
            let keep_bytes = if state.queue.consumers.is_empty() { 0 } else { KEPT_BYTES };
            self.page_out(cell, &mut state, keep_bytes);
        }
        let mut looked_at = 0;
        for entry in state.queue.ready_from(self.compaction.message, MESSAGES_PER_LOCK) {
            looked_at += 1;
            if let Some(message) = entry.message.as_mut().filter(|message| message.is_sparse()) {
                message.relocate(&mut self.arena);
            }
        }
        drop(state);
        self.scratch.done.clear();
        looked_at
    }
}
