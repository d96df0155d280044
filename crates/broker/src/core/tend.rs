//! What a queue with options needs beside deliveries: expiry, limits, waits, its own end.
//!
//! Each look does a bounded piece under one hold of the lock, and says when the next is due: there is at most one timer
//! per queue that counts, in the shard that armed it.

use super::item::Item;
use super::{Core, MESSAGES_PER_LOCK};
use crate::dead_letter::Reason;
use crate::topology::{DelayedRetry, Overflow, QueueCell, QueueState};
use queue::{Entry, NEVER};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use store::{Due, Lsn};

/// The farthest that a timer of a queue is set ahead, in ms: a queue that is gone must not be remembered for years.
const FARTHEST_MS: u64 = 600_000;

/// Why a delivery comes back to its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Return {
    /// The consumer says that it failed: basic.reject. RabbitMQ 4.3 counts this and the next as failures.
    Failed,
    /// Nobody said anything: the consumer, its channel or its connection is gone.
    ConsumerGone,
    /// The consumer gives it back without saying that it failed: basic.nack, basic.recover.
    GivenBack,
}

/// When to look at queues.
#[derive(Default)]
pub(crate) struct QueueTimers {
    /// By the time that is due, in ms since 1970; queues by id.
    due: BinaryHeap<Reverse<(u64, u64)>>,
}

impl QueueTimers {
    /// When the next is due, in ms since 1970.
    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.due.peek().map(|Reverse((due_ms, _))| *due_ms)
    }
}

impl DelayedRetry {
    /// How long a message waits that came back for this reason, `count` times by now; `None` when it does not.
    pub(crate) fn wait_ms(self, why: Return, count: u32) -> Option<u64> {
        let waits = match why {
            Return::Failed | Return::ConsumerGone => self.failed,
            Return::GivenBack => self.returned,
        };
        let wait_ms = self.min_ms.saturating_mul(u64::from(count)).min(self.max_ms);
        (waits && wait_ms > 0).then_some(wait_ms)
    }
}

impl Core {
    /// Puts messages into a queue that has options, or when some of them expire.
    pub(super) fn enqueue_with_options(
        &mut self,
        cell: &Arc<QueueCell>,
        state: &mut QueueState,
        items: &mut [Item],
        buffer: &[u8],
        last: bool,
    ) -> Option<Lsn> {
        if self.run.expires {
            state.expect_expirations();
        }
        let max_priority = state.options.as_ref().and_then(|options| options.max_priority);
        if let Some(most) = max_priority {
            items.iter_mut().for_each(|item| item.level = item.priority(buffer).min(most));
        }
        let logged = if state.present.is_some() {
            self.enqueue_unless_present(cell, state, items, buffer, last)
        } else {
            self.enqueue_within_limits(cell, state, items, buffer, last)
        };
        if max_priority.is_some() {
            // Their next queue may have none.
            items.iter_mut().for_each(|item| item.level = 0);
        }
        self.tend(cell, state);
        logged
    }

    /// Puts messages into a queue that may have no room for them.
    pub(super) fn enqueue_within_limits(
        &mut self,
        cell: &Arc<QueueCell>,
        state: &mut QueueState,
        items: &mut [Item],
        buffer: &[u8],
        last: bool,
    ) -> Option<Lsn> {
        let options = state.options.clone();
        let overflow = options.as_ref().map(|options| options.overflow).unwrap_or_default();
        let mut logged = None;
        if overflow == Overflow::DropHead {
            // With priorities it matters what is dropped before the next message comes.
            let room = state.queue.room_for(items.iter().map(|item| item.body_len as u64));
            let together = if state.queue.has_priorities() && room < items.len() { 1 } else { items.len() };
            for items in items.chunks_mut(together.max(1)) {
                logged = logged.max(self.enqueue_items(cell, state, items, buffer, last));
                self.drop_heads(cell, state);
            }
        } else {
            let mut at = 0;
            while at < items.len() {
                let room = state.queue.room_for(items[at..].iter().map(|item| item.body_len as u64));
                if room > 0 {
                    let end = at.saturating_add(room).min(items.len());
                    logged = logged.max(self.enqueue_items(cell, state, &mut items[at..end], buffer, last));
                    at = end;
                    continue;
                }
                items[at].rejected = true;
                self.run.rejected = true;
                if overflow == Overflow::RejectPublishDlx {
                    // It never was in the queue, so there is nothing to take off its books.
                    let entry = Entry::new(self.stored(&mut items[at], buffer, last), u64::MAX, false, 0);
                    self.leave(cell, state, entry, Reason::MaxLength);
                }
                at += 1;
            }
        }
        logged
    }

    /// Does what is due in a queue, as far as one hold of its lock allows, and sets the time for the next look.
    pub(crate) fn tend(&mut self, cell: &Arc<QueueCell>, state: &mut QueueState) {
        let now_ms = self.time_ms;
        let mut expired = Vec::new();
        let mut look_ms = state.queue.take_expired(now_ms, MESSAGES_PER_LOCK, &mut expired).unwrap_or(NEVER);
        self.leave_all(cell, state, expired, Reason::Expired);
        if self.drop_heads(cell, state) {
            look_ms = now_ms;
        }
        if state.looks_for_expiry() {
            self.fetch_expiry(cell, state);
        }
        look_ms = look_ms.min(self.look_for_end(cell, state, now_ms));
        if let Some((due_ms, _)) = state.waits.keys().next() {
            look_ms = look_ms.min(*due_ms);
        }
        if look_ms <= now_ms {
            self.schedule(cell, state);
        } else if look_ms < NEVER {
            self.look_at(cell, state, look_ms);
        }
        state.become_plain();
    }

    /// Drops the first messages of a queue that is too long, as many as one hold of its lock allows.
    ///
    /// True when there are more to drop.
    pub(super) fn drop_heads(&mut self, cell: &Arc<QueueCell>, state: &mut QueueState) -> bool {
        if !state.queue.is_too_long() || !state.drops_head() {
            return false;
        }
        let mut dropped = Vec::new();
        while state.queue.is_too_long() && dropped.len() < MESSAGES_PER_LOCK {
            let Some(entry) = state.queue.drop_first() else { break };
            dropped.push(entry);
        }
        let is_cut_short = dropped.len() == MESSAGES_PER_LOCK && state.queue.is_too_long();
        self.leave_all(cell, state, dropped, Reason::MaxLength);
        is_cut_short
    }

    /// When to look whether the queue is unused for too long; a queue that is goes on the list of those to be deleted.
    fn look_for_end(&mut self, cell: &Arc<QueueCell>, state: &mut QueueState, now_ms: u64) -> u64 {
        let Some(expires_ms) = state.options.as_ref().and_then(|options| options.expires_ms) else { return NEVER };
        if state.used_ms == 0 || !state.queue.consumers.is_empty() {
            state.used_ms = now_ms;
        }
        let end_ms = state.used_ms + expires_ms;
        if end_ms > now_ms {
            return end_ms;
        }
        self.unused.push(cell.clone());
        NEVER
    }

    /// A queue was used: declared again, or asked for a message.
    pub(crate) fn note_use(&mut self, cell: &QueueCell) {
        let mut state = cell.lock();
        if state.is_tended {
            state.used_ms = self.time_ms;
        }
    }

    /// Looks at a queue for the first time, or after its options have changed.
    pub(crate) fn look(&mut self, cell: &Arc<QueueCell>) {
        let mut state = cell.lock();
        self.deliver_ready_locked(cell, &mut state);
        drop(state);
        self.scratch.done.clear();
    }

    /// Has the queue looked at when it is `due_ms`, in ms since 1970.
    pub(super) fn look_at(&mut self, cell: &QueueCell, state: &mut QueueState, due_ms: u64) {
        let due_ms = due_ms.min(self.time_ms + FARTHEST_MS);
        if state.look_ms.is_none_or(|look_ms| due_ms < look_ms) {
            state.look_ms = Some(due_ms);
            self.timers.due.push(Reverse((due_ms, cell.quid)));
        }
    }

    /// The message pushed last expires at `due_ms`, before others that are ahead of it. Only such are in the calendar, where
    /// an entry stays until it is due: those that expire in their turn would fill it for nothing when they are consumed
    /// long before.
    pub(super) fn expire_out_of_turn(&mut self, cell: &Arc<QueueCell>, state: &mut QueueState, level: u8, due_ms: u64) {
        if self.broker.settings.expires_at_head_only {
            return;
        }
        let seq = state.queue.next_seq() - 1;
        if due_ms > self.time_ms {
            self.add_due(Due { due_ms, group: cell.group(level), seq });
        } else if let Some(entry) = state.queue.take(level, seq) {
            self.leave(cell, state, entry, Reason::Expired);
        }
    }

    /// Keeps a message that came back for a while before it is ready again.
    pub(super) fn retry_later(&mut self, cell: &Arc<QueueCell>, state: &mut QueueState, entry: Entry, wait_ms: u64) {
        let due_ms = self.time_ms + wait_ms;
        state.waits.insert((due_ms, entry.seq), entry);
        self.look_at(cell, state, due_ms);
    }

    /// Ends waits that are over, as many as one hold of the lock allows; [`Core::tend`] sees to the others.
    pub(super) fn end_waits(&mut self, state: &mut QueueState) {
        let now_ms = self.time_ms;
        for _ in 0..MESSAGES_PER_LOCK {
            let Some(first) = state.waits.first_entry().filter(|first| first.key().0 <= now_ms) else { break };
            let entry = first.remove();
            state.queue.requeue(entry);
        }
    }

    /// Does what is due by time.
    pub(crate) fn run_queue_timers(&mut self) {
        let now_ms = self.time_ms;
        for _ in 0..MESSAGES_PER_LOCK {
            let Some(Reverse((due_ms, quid))) = self.timers.due.peek().copied() else { break };
            if due_ms > now_ms {
                break;
            }
            self.timers.due.pop();
            let Some(cell) = self.broker.queue_by_id(quid) else { continue };
            let mut state = cell.lock();
            // Another timer may have been set since, for earlier, and have done this already.
            if state.look_ms.is_some_and(|look_ms| look_ms <= now_ms) && !cell.is_dead() {
                state.look_ms = None;
                self.resend(&cell, &mut state);
                self.deliver_ready_locked(&cell, &mut state);
            }
            drop(state);
            self.scratch.done.clear();
        }
    }

    /// Deletes the queues that were found to be unused for too long.
    pub(crate) fn delete_unused(&mut self) {
        for cell in std::mem::take(&mut self.unused) {
            let mut state = cell.lock();
            let expires_ms = state.options.as_ref().and_then(|options| options.expires_ms);
            let end_ms = expires_ms.map_or(NEVER, |expires_ms| state.used_ms + expires_ms);
            let is_unused = end_ms <= self.time_ms && state.queue.consumers.is_empty();
            if !is_unused && end_ms < NEVER {
                // It was used in this very moment; nobody else looks when that is over.
                self.look_at(&cell, &mut state, end_ms.max(self.time_ms + 1));
            }
            drop(state);
            if let Some(vhost) = self.broker.vhost(&cell.vhost).filter(|_| is_unused) {
                let condition = super::DeleteCondition { if_unused: true, if_empty: false };
                // Somebody may have begun to consume meanwhile; then it stays.
                let _ = self.delete_queue(&vhost, &cell, condition);
            }
        }
    }

    /// Ends what the turn left to do where nothing is locked.
    pub(crate) fn end_work(&mut self) {
        self.send_dead_letters();
        if !self.told.is_empty() {
            self.told.drain(..).for_each(crate::tap::Told::tell);
        }
        if !self.sights.is_empty() {
            self.publish_sights();
        }
        if !self.unused.is_empty() {
            self.delete_unused();
        }
    }
}
