//! The journal on disk: one thread that commits everything proposed since its last commit, in order.

use std::io;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::Store;
use crate::journal::assert_storable;
use crate::{Change, CommitError, Journal, Token};

/// The journal of a [`Store`]; dropping it shuts it down as [`shutdown`](RedbJournal::shutdown) does.
pub struct RedbJournal {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    queue: Mutex<Queue>,
    proposed: Condvar,
    durable: AtomicU64,
}

#[derive(Default)]
struct Queue {
    changes: Vec<Change>,
    /// The last token given out.
    last: u64,
    /// The last token whose changes are to be committed; it stops growing once closed.
    accepted: u64,
    /// True while the thread waits, so that a proposal to a busy thread costs no wake.
    idle: bool,
    /// Proposals are taken no more: shut down, or a commit failed.
    closed: bool,
}

impl RedbJournal {
    pub(super) fn start(
        store: Store,
        on_durable: impl Fn(Token) + Send + 'static,
        on_failure: impl FnOnce(CommitError) + Send + 'static,
    ) -> io::Result<RedbJournal> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(Queue::default()),
            proposed: Condvar::new(),
            durable: AtomicU64::new(0),
        });
        let committer = Committer { shared: Arc::clone(&shared), store, on_durable };
        let thread = thread::Builder::new().name("metadata".to_owned()).spawn(move || {
            if let Err(error) = committer.run() {
                on_failure(error);
            }
        })?;
        Ok(RedbJournal { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Commits what has been proposed, ends the thread and unlocks the data directory.
    ///
    /// Later proposals never become durable. Not to be called from the journal's own notifications.
    pub fn shutdown(&self) {
        self.shared.queue().closed = true;
        self.shared.proposed.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!("the metadata journal's thread panicked");
        }
    }
}

impl Drop for RedbJournal {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Journal for RedbJournal {
    fn propose(&self, changes: Vec<Change>) -> Token {
        assert_storable(&changes);
        let mut queue = self.shared.queue();
        queue.last += 1;
        if !queue.closed {
            queue.accepted = queue.last;
            queue.changes.extend(changes);
            if mem::take(&mut queue.idle) {
                self.shared.proposed.notify_one();
            }
        }
        Token(queue.last)
    }

    fn durable(&self) -> Token {
        Token(self.shared.durable.load(Ordering::Acquire))
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread's side.
struct Committer<F> {
    shared: Arc<Shared>,
    store: Store,
    on_durable: F,
}

impl<F: Fn(Token)> Committer<F> {
    fn run(self) -> Result<(), CommitError> {
        let mut changes = Vec::new();
        while let Some(last) = self.take(&mut changes) {
            if let Err(error) = self.store.checkpoint().commit_unlogged(&changes) {
                // What failed may or may not be on disk: nothing later may claim to be.
                let mut queue = self.shared.queue();
                queue.closed = true;
                queue.changes = Vec::new();
                return Err(error);
            }
            changes.clear();
            self.shared.durable.store(last.0, Ordering::Release);
            (self.on_durable)(last);
        }
        Ok(())
    }

    /// Waits for proposals and swaps them into the empty `changes`; the last one's token, or `None` once closed and done.
    fn take(&self, changes: &mut Vec<Change>) -> Option<Token> {
        let durable = self.shared.durable.load(Ordering::Relaxed); // written by this thread alone
        let mut queue = self.shared.queue();
        while queue.accepted == durable {
            if queue.closed {
                return None;
            }
            queue.idle = true;
            queue = self.shared.proposed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        mem::swap(&mut queue.changes, changes);
        Some(Token(queue.accepted))
    }
}

#[cfg(test)]
mod tests;
