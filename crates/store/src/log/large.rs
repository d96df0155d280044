//! The log thread and the large bodies, which have files of their own: written ahead of their records, removed behind
//! their last owners.

use super::LogWriter;
use super::blob::{blob_name, write_blob};
use super::staging::Mark;
use super::writer::Trouble;
use crate::error::StoreError;
use std::sync::atomic::Ordering;

impl LogWriter {
    /// Writes the large bodies of a batch, which must be durable before the batch is written: a record must never
    /// survive a crash that its body did not. Returns their checksums.
    pub(super) fn write_blobs(&mut self, mark: Mark) -> Result<Vec<u32>, Trouble> {
        let blobs = &self.taken.blobs[self.next.blob..];
        let count = blobs.iter().take_while(|blob| blob.id < mark.end).count();
        let mut crcs = Vec::new();
        for blob in &blobs[..count] {
            crcs.push(write_blob(&*self.disk, self.log.log_id, blob).map_err(Trouble::ahead)?);
        }
        if count > 0 {
            let synced = self.disk.sync_names();
            synced.map_err(|error| Trouble::Disk(StoreError::of_io(blob_name(blobs[0].id), error)))?;
        }
        Ok(crcs)
    }

    /// Removes the large bodies whose last owner is durably gone, by what the mode calls durable: with `Sync::Never` a
    /// file that waited for a sync would wait for the end of the segment, and acknowledged bodies would fill the disk.
    /// Earlier, a crash could bring the owner back without its body; later, recovery does it.
    pub(super) fn remove_blobs(&self) -> Result<(), StoreError> {
        let mut staging = self.log.staging();
        if self.log.keeps_blobs.load(Ordering::Relaxed) {
            return Ok(());
        }
        let gone = staging.blobs.take_unowned(self.log.durable().0);
        drop(staging);
        for id in &gone {
            let id = *id;
            match self.disk.remove(&blob_name(id)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StoreError::of_io(blob_name(id), error));
                }
                _ => {}
            }
        }
        if !gone.is_empty() {
            self.log.space_came_back();
        }
        Ok(())
    }
}
