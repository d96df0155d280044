//! `leveret restore`: a data directory made of a backup.

use super::copy::{copy_file, create_directory};
use super::{Inventory, tidy_up};
use crate::storage::MESSAGES;
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use metadata::{DEFINITIONS_FILE, DirectoryLock};
use std::fs::{self, File};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Makes the data directory `to`, which must be empty or not be there, of the backup in `from`.
///
/// It is built beside its place and gets its name when it is whole, so that a broker never finds a part of it.
pub(crate) fn restore(from: &Path, to: &Path, is_quiet: bool) -> Result<Inventory> {
    let inventory = Inventory::read(from)?;
    refuse_used(to)?;
    let progress = progress(inventory.bytes() * 2, is_quiet);
    for file in &inventory.files {
        file.check(from)?;
        progress.inc(file.bytes);
    }
    let new = beside(to)?;
    let failed = || format!("cannot restore to {}", to.display());
    fs::remove_dir_all(&new).or_else(ignore_missing).with_context(failed)?;
    let built = build(&inventory, from, &new, &progress);
    if built.is_err() {
        // What could not be finished is of no use; the first error is the one to be told.
        let _ = fs::remove_dir_all(&new);
    }
    built.with_context(failed)?;
    fs::rename(&new, to).with_context(failed)?;
    if let Some(parent) = to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    tidy_up(to)?;
    progress.finish_and_clear();
    Ok(inventory)
}

fn build(inventory: &Inventory, from: &Path, new: &Path, progress: &ProgressBar) -> Result<()> {
    create_directory(&new.join(MESSAGES))?;
    for file in &inventory.files {
        copy_file(&from.join(&file.path), &new.join(&file.path), u64::MAX)?;
        progress.inc(file.bytes);
    }
    for directory in [new.join(MESSAGES), new.to_owned()] {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

/// Refuses a directory that has something in it, which that of a running broker has.
fn refuse_used(to: &Path) -> Result<()> {
    match fs::read_dir(to) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", to.display())),
        Ok(mut entries) => {
            if entries.next().is_none() {
                return Ok(());
            }
            if to.join(DEFINITIONS_FILE).exists() {
                // Says so when a broker runs there; the lock goes at once.
                DirectoryLock::acquire(to)?;
            }
            bail!("{} is not empty: a backup is restored into a new data directory", to.display());
        }
    }
}

/// Where the directory is built.
fn beside(to: &Path) -> Result<PathBuf> {
    let name = to.file_name().with_context(|| format!("{} has no name", to.display()))?;
    let mut name = name.to_owned();
    name.push(".restoring");
    Ok(to.with_file_name(name))
}

fn ignore_missing(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// A bar where somebody sees it.
pub(super) fn progress(bytes: u64, is_quiet: bool) -> ProgressBar {
    if is_quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}");
    // The template is a constant; without it the bar has another look.
    style.map_or_else(|_| ProgressBar::new(bytes), |style| ProgressBar::new(bytes).with_style(style))
}
