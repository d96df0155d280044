//! Taking single messages out of queues, and moving them to others, for administrative commands.
//!
//! As with dead letters the new records come first in the log: a crash in between leaves a message in both queues, and
//! never in none.

use super::Core;
use super::leave::Outgoing;
use super::persist::append_transient;
use crate::admin::Seen;
use crate::topology::{QueueCell, Route};
use metadata::Token;
use queue::Entry;
use std::sync::Arc;
use store::Message;

/// What became of messages that were to be moved.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moved {
    /// They are where they were to go, or gone where they were to go nowhere.
    pub(crate) moved: u64,
    /// They had left the queue already.
    pub(crate) gone: u64,
    /// A queue had no room for them, so that they stay.
    pub(crate) rejected: u64,
    /// Where the log has to be for it to have happened.
    pub(crate) token: Option<Token>,
    /// One of the queues has more than its consumers can take now.
    pub(crate) is_slow: bool,
    /// The queue is deleted.
    pub(crate) is_dead: bool,
}

/// A message that is to leave, and where to and as what; `None` for nowhere.
pub(crate) struct Pick {
    pub(crate) seen: Seen,
    pub(crate) to: Option<(Message, Arc<Route>)>,
}

impl Core {
    /// Takes the message at `seq` out of a queue for good, with what to wait for; `None` when it is not ready there.
    pub(crate) fn remove_message(&mut self, cell: &Arc<QueueCell>, seq: u64) -> Option<Option<Token>> {
        let mut state = cell.lock();
        let level = state.queue.level_of(seq)?;
        let entry = state.queue.take(level, seq)?;
        self.remove_entries(cell, &mut state, std::iter::once(&entry));
        if cell.taps.any() {
            self.note_left(cell, "deleted", std::iter::once(&entry));
        }
        cell.publish_gauges(&state);
        drop(state);
        Some(self.token_of_log())
    }

    /// Where the log has to be for what was appended so far.
    pub(crate) fn token_of_log(&mut self) -> Option<Token> {
        let token = self.end_of_log().map(|lsn| Token(lsn.0));
        if token.is_some() {
            self.want_commit();
        }
        token
    }

    /// Moves messages, at most some hundreds.
    pub(crate) fn move_messages(&mut self, cell: &Arc<QueueCell>, picks: Vec<Pick>) -> Moved {
        let mut moved = Moved { is_dead: cell.is_dead(), ..Moved::default() };
        if moved.is_dead {
            return moved;
        }
        let (mut gone, mut entries, mut outgoing) = (Vec::new(), Vec::new(), Vec::new());
        let mut state = cell.lock();
        for Pick { seen, to } in picks {
            let Some(mut entry) = state.queue.take(seen.level, seen.seq) else {
                moved.gone += 1;
                continue;
            };
            match to {
                None => gone.push(entry),
                Some((message, route)) => {
                    state.queue.delivered(1, u64::from(entry.body_len));
                    if entry.message.is_none() {
                        // What was read of it counts if it has to go back.
                        entry.redelivered |= seen.redelivered;
                        (entry.delivery_count, entry.failures) = (seen.delivery_count, seen.delivery_count);
                        entry.message = Some(seen.message);
                    }
                    entries.push(entry);
                    outgoing.push(Outgoing { message, route, reached: Vec::new() });
                }
            }
        }
        moved.moved += gone.len() as u64;
        self.remove_entries(cell, &mut state, gone.iter());
        if cell.taps.any() {
            self.note_left(cell, "deleted", gone.iter());
        }
        cell.publish_gauges(&state);
        drop(state);
        drop(gone);
        self.enqueue_all(&mut outgoing);
        self.end_move(cell, entries, &outgoing, &mut moved);
        moved.token = self.token_of_log();
        moved
    }

    /// Messages have been put into other queues: they leave this one, but for those that did not get in everywhere.
    fn end_move(&mut self, cell: &Arc<QueueCell>, entries: Vec<Entry>, outgoing: &[Outgoing], moved: &mut Moved) {
        let mut state = cell.lock();
        let mut gone = Vec::with_capacity(entries.len());
        let mut stays = false;
        for (entry, Outgoing { route, reached, .. }) in entries.into_iter().zip(outgoing) {
            state.queue.settled(entry.body_len);
            let is_slow = |cell: &Arc<QueueCell>| cell.is_long() && cell.counters.consumers.value() > 0;
            moved.is_slow |= route.queues.iter().any(is_slow);
            // One that is being deleted takes everything, and keeps nothing.
            let is_there = |queue: &&Arc<QueueCell>| !queue.is_dead();
            let has_taken = |queue: &Arc<QueueCell>| reached.contains(&queue.quid);
            let mut queues = route.queues.iter().filter(is_there).peekable();
            if cell.is_dead() || (queues.peek().is_some() && queues.all(has_taken)) {
                gone.push(entry);
            } else {
                moved.rejected += 1;
                stays = true;
                let (log, group, seq) = (self.log(), cell.group(entry.level), entry.seq);
                state.queue.untake(entry, |message| log.map(|log| append_transient(&log, group, seq, message)));
            }
        }
        moved.moved += gone.len() as u64;
        self.remove_entries(cell, &mut state, gone.iter());
        if cell.taps.any() {
            self.note_left(cell, "moved", gone.iter());
        }
        if stays {
            self.deliver_ready_locked(cell, &mut state);
        }
        cell.publish_gauges(&state);
        drop(state);
        self.scratch.done.clear();
    }
}
