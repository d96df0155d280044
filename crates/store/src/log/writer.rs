//! The log thread's half.

use crate::error::StoreError;
use crate::place::Lsn;

/// Writes and syncs what is appended.
pub struct LogWriter {}

impl LogWriter {
    /// Whom to tell that more is durable.
    pub fn on_durable(&mut self, _tell: Box<dyn Fn(Lsn) + Send>) {
        todo!()
    }
    /// Whom to tell, once, that nothing becomes durable any more.
    pub fn on_failure(&mut self, _tell: Box<dyn Fn(&StoreError) + Send>) {
        todo!()
    }
    /// Writes everything staged; false when there was nothing, or nothing could be written for lack of space.
    pub fn write(&mut self) -> Result<bool, StoreError> {
        todo!()
    }
    /// Makes what is written durable.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        todo!()
    }
    /// Writes the clean end, and syncs.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        todo!()
    }
    /// The thread, until [`super::Log::close`].
    pub fn run(self) {
        todo!()
    }
}
