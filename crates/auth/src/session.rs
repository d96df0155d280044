//! The answers that a backend gave about one login.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Asked, Backend, Question, Verdict};

/// Answers that are kept twice over: the older half goes when the newer one is full.
const HALF: usize = 512;

/// What was asked about a user since it logged in.
///
/// RabbitMQ remembers what a channel may do as long as it lives; here it is the connection, and a channel that is opened
/// has everything asked anew. Refusals are kept only until the operation that was refused is over.
pub(crate) struct Session {
    backend: Arc<dyn Backend>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    young: HashMap<Asked, Verdict>,
    old: HashMap<Asked, Verdict>,
    /// What could not be answered.
    pending: Option<Asked>,
}

impl Session {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Session {
        Session { backend, state: Mutex::default() }
    }

    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer, if it was asked before.
    pub(crate) fn decide(&self, question: Question<'_>) -> Verdict {
        let asked = question.to_asked();
        let mut state = self.lock();
        if let Some(verdict) = state.young.get(&asked) {
            return verdict.clone();
        }
        if let Some(verdict) = state.old.remove(&asked) {
            state.keep(asked, verdict.clone());
            return verdict;
        }
        state.pending = Some(asked);
        Verdict::Unknown
    }

    /// Asks the backend, and keeps the answer.
    pub(crate) fn ask(&self, user: &str, tags: &[String], question: Question<'_>) -> Verdict {
        let verdict = self.backend.check(user, tags, question);
        self.lock().keep(question.to_asked(), verdict.clone());
        verdict
    }

    /// What could not be answered last.
    pub(crate) fn take_pending(&self) -> Option<Asked> {
        self.lock().pending.take()
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.lock().pending.is_some()
    }

    pub(crate) fn forget_refusals(&self) {
        let mut state = self.lock();
        state.young.retain(|_, verdict| verdict.is_allowed());
        state.old.retain(|_, verdict| verdict.is_allowed());
    }

    pub(crate) fn forget(&self) {
        *self.lock() = State::default();
    }
}

impl State {
    fn keep(&mut self, asked: Asked, verdict: Verdict) {
        if self.young.len() >= HALF && !self.young.contains_key(&asked) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(asked, verdict);
    }
}
