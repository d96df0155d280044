use super::maintain::{Maintenance};
use super::{Owners, Store};
use crate::error::StoreError;
pub(super) struct Retiring;
impl Store {
    pub(super) fn begin_retiring(&self, _m: &mut Maintenance, _owners: &dyn Owners) -> Result<bool, StoreError> { Ok(false) }
    pub(super) fn go_on_retiring(&self, _m: &mut Maintenance, _r: Retiring, _owners: &dyn Owners) -> Result<bool, StoreError> { Ok(false) }
}
