//! Backups: a copy of the data directory of a broker that runs, and a data directory made of one.
//!
//! A backup is a folder with what a data directory has, and `backup.json`, written last, which names every file with its
//! length and SHA-256. Without it a backup is not complete and is not restored. docs/backup.md says how to use it.

mod copy;
mod inventory;
mod restore;

use inventory::{INVENTORY, Inventory};
pub(crate) use restore::{refuse_unfinished, restore};

use crate::storage::MESSAGES;
use anyhow::{Context, Result, bail};
use copy::{Copy, create_directory};
use metadata::{DEFINITIONS_FILE, LogJournal};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use store::Store;

/// Beside the messages of a data directory: names of files that a backup is still to take, so that they stay.
const STAGING: &str = "backup-staging";

/// Removes what an interrupted backup left in the data directory.
pub(crate) fn tidy_up(data_dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(data_dir.join(STAGING)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a backup in `target`, which must be empty or not be there.
///
/// Everything that was confirmed before this is called is in it. What cannot be finished is left without an inventory.
pub(crate) fn back_up(store: &Store, journal: &LogJournal, data_dir: &Path, target: &Path) -> Result<Inventory> {
    let failed = || format!("cannot back up to {}", target.display());
    prepare(target).with_context(failed)?;
    tidy_up(data_dir).with_context(failed)?;
    let made = copy_all(store, journal, data_dir, target).with_context(failed);
    let tidied = tidy_up(data_dir).with_context(failed);
    let inventory = made?;
    tidied?;
    Ok(inventory)
}

fn prepare(target: &Path) -> Result<()> {
    create_directory(target)?;
    if fs::read_dir(target)?.next().is_some() {
        bail!("the folder is not empty");
    }
    create_directory(&target.join(MESSAGES))?;
    Ok(())
}

fn copy_all(store: &Store, journal: &LogJournal, data_dir: &Path, target: &Path) -> Result<Inventory> {
    let staging = data_dir.join(STAGING);
    create_directory(&staging)?;
    let mut copy = Copy::new(data_dir.join(MESSAGES), target.join(MESSAGES), staging);
    let mut definitions = || {
        let (from, to) = (data_dir.join(DEFINITIONS_FILE), target.join(DEFINITIONS_FILE));
        journal.while_still(|| copy::copy_file(&from, &to, u64::MAX)).map_err(io::Error::other)?
    };
    let position = store.back_up(&mut definitions, &mut copy)?;
    copy.take_kept()?;
    let created_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut inventory = Inventory::new(position.0, u64::try_from(created_ms).unwrap_or(u64::MAX));
    for path in files(target)? {
        inventory.add(target, &path)?;
    }
    for directory in [target.join(MESSAGES), target.to_owned()] {
        fs::File::open(directory)?.sync_all()?;
    }
    inventory.write(target)?;
    Ok(inventory)
}

/// The files of a backup or a data directory, but for the inventory: those in it and those of its messages, sorted.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for within in [directory.to_owned(), directory.join(MESSAGES)] {
        for entry in fs::read_dir(within)? {
            let entry = entry?;
            if entry.file_type()?.is_file() && entry.file_name() != INVENTORY {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}
