//! What one commit writes.

use super::{COLD, EXTENTS, ManifestError, QUEUES, QueueState, STORE, State};
use redb::WriteTransaction;
use std::collections::BTreeMap;

/// Rows to write and to remove. Applying it twice is applying it once, so that a commit whose end is not known can be
/// repeated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) state: State,
    /// `None` removes the queue with all its extents.
    pub(crate) queues: BTreeMap<u64, Option<QueueState>>,
    /// By queue and first sequence number; `None` removes the row.
    pub(crate) extents: BTreeMap<(u64, u64), Option<Vec<u8>>>,
    /// Bytes by id; `None` removes the row.
    pub(crate) cold: BTreeMap<u64, Option<u64>>,
}

impl Change {
    pub(super) fn write(&self, transaction: &WriteTransaction) -> Result<(), ManifestError> {
        self.state.write(&mut transaction.open_table(STORE)?)?;
        let mut queues = transaction.open_table(QUEUES)?;
        let mut extents = transaction.open_table(EXTENTS)?;
        for (quid, state) in &self.queues {
            match state {
                Some(state) => drop(queues.insert(quid, &state.to_bytes()[..])?),
                None => {
                    queues.remove(quid)?;
                    extents.retain_in((*quid, 0)..=(*quid, u64::MAX), |_, _| false)?;
                }
            }
        }
        for (key, extent) in &self.extents {
            match extent {
                Some(extent) => drop(extents.insert(key, &extent[..])?),
                None => drop(extents.remove(key)?),
            }
        }
        let mut cold = transaction.open_table(COLD)?;
        for (id, bytes) in &self.cold {
            match bytes {
                Some(bytes) => drop(cold.insert(id, bytes)?),
                None => drop(cold.remove(id)?),
            }
        }
        Ok(())
    }
}
