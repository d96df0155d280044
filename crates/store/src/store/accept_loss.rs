//! Going on without files of the log that nobody has any more.

use super::open::{manifest_error, scan_from};
use crate::disk::Disk;
use crate::error::OpenError;
use crate::log::{self, ScannedRecord, Visitor};
use crate::manifest::Manifest;
use std::sync::Arc;

/// Makes an empty file for every segment of the log that is missing, and returns their numbers: what was in them is lost
/// then, and the next start says so instead of refusing.
///
/// # Errors
/// When a file is not ours or of a later version, or cannot be read or written.
pub fn accept_loss(disk: &Arc<dyn Disk>) -> Result<Vec<u32>, OpenError> {
    let mut accepted = Vec::new();
    let Some(snapshot) = Manifest::read(&**disk).map_err(manifest_error)? else { return Ok(accepted) };
    let from = scan_from(&snapshot.state);
    // Each scan finds the first that is missing; one that was made is not missing again.
    loop {
        match log::scan(&**disk, from, &mut Nobody) {
            Err(OpenError::Missing { segment }) => {
                log::make_empty(&**disk, from, segment)?;
                accepted.push(segment);
            }
            Err(error) => return Err(error),
            Ok(_) => return Ok(accepted),
        }
    }
}

/// Who does not want to know.
struct Nobody;

impl Visitor for Nobody {
    fn record(&mut self, _: &ScannedRecord<'_>) -> Result<(), OpenError> {
        Ok(())
    }
}
