//! What is being done with many messages, by id: progress, and the end.

use crate::admin::{AdminError, Missing};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Operations that may be under way at once.
const MOST_RUNNING: usize = 16;
/// Operations that ended and are remembered.
const MOST_ENDED: usize = 64;

/// An operation as it is at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationView {
    /// Its id.
    pub id: u64,
    /// `move` or `delete`.
    pub kind: &'static str,
    /// Name of the virtual host.
    pub vhost: String,
    /// Name of the queue whose messages are meant.
    pub queue: String,
    /// Where they go, in words.
    pub destination: String,
    /// `running`, `waiting`, `done`, `cancelled`, `stopped` or `failed`.
    pub state: &'static str,
    /// Why it waits, was stopped or has failed.
    pub reason: String,
    /// When it began, in ms since 1970.
    pub started_ms: u64,
    /// When it ended, in ms since 1970; `None` while it has not.
    pub ended_ms: Option<u64>,
    /// Messages that were looked at.
    pub scanned: u64,
    /// Messages that were moved or deleted.
    pub moved: u64,
    /// Messages that left the queue otherwise before it was their turn.
    pub gone: u64,
    /// Messages that a queue had no room for, and that stayed.
    pub rejected: u64,
    /// Messages that would have gone to no queue, and stayed.
    pub unroutable: u64,
    /// Messages that do not say where they came from, and stayed.
    pub without_origin: u64,
    /// Messages that the user may not publish there, and that stayed.
    pub refused: u64,
}

/// One operation, shared by who does it and who looks.
#[derive(Default)]
pub(super) struct Operation {
    view: Mutex<OperationView>,
    is_cancelled: AtomicBool,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Operations {
    by_id: Mutex<BTreeMap<u64, Arc<Operation>>>,
    last_id: AtomicU64,
}

impl Operation {
    fn view(&self) -> MutexGuard<'_, OperationView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As it is now.
    pub(super) fn now(&self) -> OperationView {
        self.view().clone()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut OperationView)) {
        change(&mut self.view());
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}

impl Operations {
    fn by_id(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Operation>>> {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one that is about to begin, and forgets those that ended long ago.
    pub(super) fn add(&self, view: OperationView) -> Result<Arc<Operation>, AdminError> {
        let mut by_id = self.by_id();
        let ended: Vec<u64> =
            by_id.iter().filter(|(_, operation)| operation.view().ended_ms.is_some()).map(|(id, _)| *id).collect();
        if by_id.len() - ended.len() >= MOST_RUNNING {
            return Err(AdminError::Unavailable(format!("{MOST_RUNNING} operations are running")));
        }
        for id in ended.iter().take(ended.len().saturating_sub(MOST_ENDED - 1)) {
            by_id.remove(id);
        }
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let operation = Operation { view: Mutex::new(OperationView { id, ..view }), ..Operation::default() };
        let operation = Arc::new(operation);
        by_id.insert(id, operation.clone());
        Ok(operation)
    }

    pub(super) fn list(&self) -> Vec<OperationView> {
        self.by_id().values().map(|operation| operation.now()).collect()
    }

    /// Has one end; as it is then, which may be before it has noticed.
    pub(super) fn cancel(&self, id: u64) -> Result<OperationView, AdminError> {
        let operation = self.by_id().get(&id).cloned().ok_or_else(|| Missing::Operation.called(&id.to_string()))?;
        operation.is_cancelled.store(true, Ordering::Relaxed);
        Ok(operation.now())
    }
}
