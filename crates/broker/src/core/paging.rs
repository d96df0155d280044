//! What queues need of the disk: messages read, marks moved, and the ends of long queues left to it.

use super::Core;
use super::persist::{Mark, append_transient};
use crate::topology::{QueueCell, QueueState};
use queue::Wants;
use std::sync::Arc;

/// Memory of ready messages that a queue keeps when memory is short, in bytes, at most.
const KEPT_BYTES: u64 = 1 << 20;
/// No queue keeps more than one part in so many of the memory that all messages may take.
const KEPT_PARTS: u64 = 64;

/// Messages left to the disk under one hold of a queue's lock.
const PAGED_AT_ONCE: usize = 8 * super::MESSAGES_PER_LOCK;

impl Core {
    /// Has done what a queue needs before it can deliver: messages read, or its mark moved.
    pub(crate) fn fetch(&mut self, cell: &Arc<QueueCell>, state: &mut QueueState) {
        if self.broker.messages.is_some() {
            let wants = state.queue.wants();
            self.provide(cell, wants);
        }
    }

    /// Has the first message read where nobody knows when it expires.
    pub(super) fn fetch_expiry(&mut self, cell: &Arc<QueueCell>, state: &mut QueueState) {
        if self.broker.messages.is_some() && state.queue.has_unknown_expiry() {
            let wants = state.queue.wants_probe();
            self.provide(cell, wants);
        }
    }

    fn provide(&mut self, cell: &Arc<QueueCell>, wants: Wants) {
        let Some(messages) = self.broker.messages.as_ref() else { return };
        match wants {
            Wants::Nothing => {}
            Wants::Read { level, read } => messages.reads.submit(cell.clone(), level, *read, self.shard),
            Wants::Mark { level, below } => {
                let mut appender = messages.store.log().append();
                appender.delivered(cell.group(level), below);
                let lsn = appender.end();
                drop(appender);
                self.waiting.marks.push_back(Mark { lsn, level, below, cell: cell.clone() });
                self.want_commit();
            }
        }
    }

    /// Leaves the end of a queue to the disk when memory is short.
    pub(super) fn page_out_if_short(&mut self, cell: &QueueCell, state: &mut QueueState) {
        if !self.broker.is_short_of_memory() {
            return;
        }
        let kept_bytes = KEPT_BYTES.min(self.broker.memory_for_messages() / KEPT_PARTS);
        if state.queue.resident_bytes() > kept_bytes {
            self.page_out(cell, state, kept_bytes / 2);
        }
    }

    /// Leaves the end of a queue to the disk, but for about `keep_bytes` at its head.
    pub(super) fn page_out(&mut self, cell: &QueueCell, state: &mut QueueState, keep_bytes: u64) {
        let Some(log) = self.log() else { return };
        let mut gone = std::mem::take(&mut self.scratch.done);
        // A log that is nearly full keeps its rest for acknowledgements.
        let may_log = !log.is_full();
        state.queue.page_out(keep_bytes, PAGED_AT_ONCE, &mut gone, |level, seq, message| {
            may_log.then(|| append_transient(&log, cell.group(level), seq, message))
        });
        self.scratch.done = gone;
    }
}
