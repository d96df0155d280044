//! Compaction: what is still wanted of some cold segments moves to a new one, and they go.
use super::maintain::{Maintenance};
use super::{Owners, Store};
use crate::error::StoreError;
impl Store {
    pub(super) fn compact(&self, _m: &mut Maintenance, _owners: &dyn Owners) -> Result<bool, StoreError> { Ok(false) }
}
