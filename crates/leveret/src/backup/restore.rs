//! `leveret restore`: a data directory made of a backup.

use super::copy::{copy_file, create_directory};
use super::{Inventory, tidy_up};
use crate::storage::MESSAGES;
use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use metadata::{DEFINITIONS_FILE, DirectoryLock};
use std::fs::{self, File};
use std::io::{self, IsTerminal};
use std::path::Path;

/// Where a data directory is built, in itself, so that it may be a volume of its own. Nobody starts a broker on it before
/// that is done.
const UNFINISHED: &str = ".restoring";
/// What file systems have in their root, and the lock that a restore takes.
const MAY_BE_THERE: [&str; 2] = ["lost+found", "leveret.lock"];

/// Makes the data directory `to`, which must be empty or not be there, of the backup in `from`.
pub(crate) fn restore(from: &Path, to: &Path, is_quiet: bool) -> Result<Inventory> {
    let inventory = Inventory::read(from)?;
    refuse_used(to)?;
    let progress = progress(inventory.bytes() * 2, is_quiet);
    for file in &inventory.files {
        file.check(from)?;
        progress.inc(file.bytes);
    }
    let failed = || format!("cannot restore to {}", to.display());
    create_directory(to).with_context(failed)?;
    // No broker starts there meanwhile, and none has since it was looked at.
    let _lock = DirectoryLock::acquire(to)?;
    refuse_used(to)?;
    clear_unfinished(to).with_context(failed)?;
    let new = to.join(UNFINISHED);
    let built = build(&inventory, from, &new, &progress).and_then(|()| Ok(move_up(&new, to)?));
    if built.is_err() {
        // What could not be finished is of no use; the first error is the one to be told.
        let _ = clear_unfinished(to);
    }
    built.with_context(failed)?;
    if let Some(parent) = to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    tidy_up(to)?;
    progress.finish_and_clear();
    Ok(inventory)
}

/// Refuses a data directory that a restore has not finished.
pub(crate) fn refuse_unfinished(data_dir: &Path) -> Result<()> {
    if data_dir.join(UNFINISHED).exists() {
        bail!("{} is not restored yet: repeat `leveret restore`, which was interrupted", data_dir.display());
    }
    Ok(())
}

/// Takes the place of nothing: the directory was empty. The folder that it was built in goes last.
fn move_up(new: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(new)? {
        let entry = entry?;
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    File::open(to)?.sync_all()?;
    fs::remove_dir(new)?;
    File::open(to)?.sync_all()
}

/// Removes what an interrupted restore has made. It was made of nothing but files that a backup has.
fn clear_unfinished(to: &Path) -> io::Result<()> {
    let unfinished = to.join(UNFINISHED);
    if !unfinished.exists() {
        return Ok(());
    }
    fs::remove_dir_all(to.join(MESSAGES)).or_else(ignore_missing)?;
    fs::remove_file(to.join(DEFINITIONS_FILE)).or_else(ignore_missing)?;
    fs::remove_dir_all(unfinished)
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
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", to.display())),
        Ok(entries) => {
            let names: Vec<_> = entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
            let is_unfinished = names.iter().any(|name| name == UNFINISHED);
            if is_unfinished || names.iter().all(|name| MAY_BE_THERE.iter().any(|may| name == may)) {
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

fn ignore_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// A bar where somebody sees it.
pub(super) fn progress(bytes: u64, is_quiet: bool) -> ProgressBar {
    if is_quiet || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}");
    // The template is a constant; without it the bar has another look.
    style.map_or_else(|_| ProgressBar::new(bytes), |style| ProgressBar::new(bytes).with_style(style))
}
