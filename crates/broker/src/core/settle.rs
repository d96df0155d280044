//! Taking deliveries back: acknowledged, rejected, or returned to their queue.

use super::tend::Return;
use super::{Core, MESSAGES_PER_LOCK};
use crate::connection::Connection;
use crate::dead_letter::Reason;
use crate::delivery::{ChannelLimit, Unacked};
use crate::errors::{self, ProtocolError};
use crate::topology::{QueueCell, QueueState};
use queue::Entry;
use std::sync::Arc;

/// Where the runs of deliveries of the same queue end that `deliveries` consists of.
fn run_len(deliveries: &[Unacked]) -> usize {
    let Some(first) = deliveries.first() else { return 0 };
    let same = deliveries.iter().take_while(|other| Arc::ptr_eq(&other.queue, &first.queue)).count();
    same.min(MESSAGES_PER_LOCK)
}

/// Counts settled deliveries of a queue for the consumers that got them; neighbours mostly went to the same.
#[inline]
fn count_settled(state: &QueueState, mut run: &[Unacked]) {
    while let Some(first) = run.first() {
        let same = run.iter().take_while(|other| other.consumer == first.consumer).count();
        if let Some(consumer) = first.consumer.and_then(|key| state.queue.consumers.handle(key)) {
            consumer.counters.ack.add(same as u64);
        }
        run = &run[same..];
    }
}

impl Core {
    /// Takes deliveries of a channel off its books, as basic.ack, nack and reject name them, and adds them to `settling`.
    pub(crate) fn take_deliveries(
        &mut self,
        conn: &Connection,
        slot: usize,
        tag: u64,
        multiple: bool,
    ) -> Result<(), ProtocolError> {
        let mut output = conn.link.output();
        let known = match output.channels.get_mut(slot) {
            Some(Some(deliveries)) => deliveries.settle(tag, multiple, &mut self.settling),
            _ => false,
        };
        if known { Ok(()) } else { Err(errors::UNKNOWN_DELIVERY_TAG.with(&[&tag])) }
    }

    /// Gives the places back that deliveries took of their channel's limit.
    pub(crate) fn release_places(limit: &ChannelLimit, settled: &[Unacked]) {
        if limit.is_set() {
            limit.release(settled.iter().filter(|unacked| unacked.consumer.is_some()).count());
        }
    }

    /// Settles the deliveries taken so far: each queue's lock is taken once for a run of its messages.
    pub(crate) fn settle(&mut self, conn: &Connection) {
        if self.settling.is_empty() {
            return;
        }
        let mut settling = std::mem::take(&mut self.settling);
        let mut at = 0;
        while at < settling.len() {
            let run = run_len(&settling[at..]);
            self.settle_run(&settling[at..at + run]);
            at += run;
        }
        settling.clear();
        if settling.capacity() > 1 << 16 {
            settling = Vec::new();
        }
        self.settling = settling;
        self.resume_channel(conn);
    }

    fn settle_run(&mut self, run: &[Unacked]) {
        let cell = &run[0].queue;
        let mut state = cell.lock();
        let mut creditable = false;
        for unacked in run {
            state.queue.settled(unacked.entry.body_len);
            if let Some(key) = unacked.consumer {
                creditable |= state.queue.consumers.credit(key, 1);
            }
        }
        count_settled(&state, run);
        self.totals.acknowledged.add(run.len() as u64);
        self.remove_entries(cell, &mut state, run.iter().map(|unacked| &unacked.entry));
        cell.counters.ack.add(run.len() as u64);
        if cell.taps.any() {
            self.note_left(cell, "ack", run.iter().map(|unacked| &unacked.entry));
        }
        if creditable && !state.queue.is_empty() {
            self.deliver_ready_locked(cell, &mut state);
        } else {
            cell.publish_gauges(&state);
            cell.note_activity(&mut state, self.time_ms);
        }
        drop(state);
        self.scratch.done.clear();
    }

    /// Returns the deliveries taken so far to their queues, at their original positions.
    pub(crate) fn requeue(&mut self, conn: &Connection, why: Return) {
        let settling = std::mem::take(&mut self.settling);
        self.requeue_all(settling, why);
        self.resume_channel(conn);
    }

    /// Returns deliveries to their queues.
    pub(crate) fn requeue_all(&mut self, deliveries: Vec<Unacked>, why: Return) {
        let mut rest = deliveries.into_iter().peekable();
        while let Some(first) = rest.next() {
            let cell = first.queue.clone();
            let mut state = cell.lock();
            let mut next = Some(first);
            let mut count = 0;
            let mut returned = Vec::new();
            let short_of_memory = self.broker.is_short_of_memory();
            while let Some(mut unacked) = next {
                if let Some(key) = unacked.consumer {
                    state.queue.consumers.credit(key, 1);
                }
                if cell.is_dead() {
                    // Nobody will purge it again.
                    state.queue.settled(unacked.entry.body_len);
                    self.scratch.done.push(unacked.entry);
                } else {
                    if unacked.entry.stored && short_of_memory {
                        unacked.entry.message = None;
                    }
                    if let Some(entry) = self.before_requeue(&cell, &mut state, unacked.entry, why, &mut returned) {
                        state.queue.requeue(entry);
                    }
                }
                count += 1;
                next = rest.next_if(|other| count < MESSAGES_PER_LOCK && Arc::ptr_eq(&other.queue, &cell));
            }
            self.log_requeues(&cell, &mut state, &returned);
            self.deliver_ready_locked(&cell, &mut state);
            drop(state);
            self.scratch.done.clear();
        }
    }

    /// Looks at a message that is about to return: gives it back when it is to be ready at once, and notes what the log
    /// has to know in `returned`.
    #[inline]
    fn before_requeue(
        &mut self,
        cell: &Arc<QueueCell>,
        state: &mut QueueState,
        entry: Entry,
        why: Return,
        returned: &mut Vec<(u8, u64, u32)>,
    ) -> Option<Entry> {
        let count = entry.delivery_count.saturating_add(1);
        if state.queue.is_expired(&entry, self.time_ms) {
            // It may not be the first when it returns, so that nobody would look at it.
            state.queue.settled(entry.body_len);
            self.leave(cell, state, entry, Reason::Expired);
            return None;
        }
        let Some(options) = &state.options else {
            if entry.stored {
                returned.push((entry.level, entry.seq, count));
            }
            return Some(entry);
        };
        let mut entry = entry;
        if why != Return::GivenBack {
            entry.failures = entry.failures.saturating_add(1);
        }
        let is_limited = options.delivery_limit.is_some();
        if options.delivery_limit.is_some_and(|limit| entry.failures > limit) {
            state.queue.settled(entry.body_len);
            self.leave(cell, state, entry, Reason::DeliveryLimit);
            return None;
        }
        if entry.stored {
            // A restart must not forget what the limit counts.
            let kept = if is_limited { entry.failures } else { count };
            returned.push((entry.level, entry.seq, kept));
        }
        match options.delayed_retry.and_then(|retry| retry.wait_ms(why, count)) {
            Some(wait_ms) => {
                self.retry_later(cell, state, entry, wait_ms);
                None
            }
            None => Some(entry),
        }
    }

    /// Takes rejected deliveries off their queues for good: they are dead letters where the queue says so.
    pub(crate) fn reject_all(&mut self, conn: &Connection) {
        let settling = std::mem::take(&mut self.settling);
        self.reject_for_good(settling);
        self.resume_channel(conn);
    }

    /// Takes deliveries off their queues for good.
    pub(super) fn reject_for_good(&mut self, deliveries: Vec<Unacked>) {
        let mut rest = deliveries.into_iter().peekable();
        while let Some(first) = rest.next() {
            let cell = first.queue.clone();
            let mut state = cell.lock();
            let mut gone = Vec::new();
            let mut next = Some(first);
            while let Some(unacked) = next {
                count_settled(&state, std::slice::from_ref(&unacked));
                state.queue.settled(unacked.entry.body_len);
                if let Some(key) = unacked.consumer {
                    state.queue.consumers.credit(key, 1);
                }
                gone.push(unacked.entry);
                next = rest.next_if(|other| gone.len() < MESSAGES_PER_LOCK && Arc::ptr_eq(&other.queue, &cell));
            }
            cell.counters.ack.add(gone.len() as u64);
            self.totals.acknowledged.add(gone.len() as u64);
            self.leave_all(&cell, &mut state, gone, Reason::Rejected);
            self.deliver_ready_locked(&cell, &mut state);
            drop(state);
            self.scratch.done.clear();
        }
    }

    /// Lets consumers go on that the channel's own limit had held back.
    fn resume_channel(&mut self, conn: &Connection) {
        if conn.link.can_resume() {
            let link = conn.link.clone();
            self.resume_consumers(&link);
        }
    }
}
