//! `leveret store`: looking into the message store of a broker that does not run.

use crate::arguments::StoreCommand;
use crate::storage::MESSAGES;
use anyhow::{Context, Result, bail};
use metadata::DirectoryLock;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use store::{Disk, OpenError, StoreError, SystemDisk};

/// Carries out the command; what it finds goes to standard output.
pub(crate) fn run(command: StoreCommand) -> Result<()> {
    match command {
        StoreCommand::Check { data_dir } => check(&data_dir),
        StoreCommand::Dump { data_dir } => dump(&data_dir),
        StoreCommand::AcceptLoss { data_dir } => accept_loss(&data_dir),
    }
}

/// Opens the messages of a data directory that no broker uses, and keeps brokers away meanwhile.
fn open(data_dir: &Path) -> Result<(Arc<dyn Disk>, DirectoryLock)> {
    let directory = data_dir.join(MESSAGES);
    if !directory.is_dir() {
        bail!("{} has no messages: there is no folder {}", data_dir.display(), directory.display());
    }
    let lock = DirectoryLock::acquire(data_dir)?;
    let disk = SystemDisk::open(&directory).with_context(|| format!("cannot open {}", directory.display()))?;
    Ok((Arc::new(disk), lock))
}

/// Reads everything and says what is damaged; fails when anything is.
fn check(data_dir: &Path) -> Result<()> {
    let (disk, _lock) = open(data_dir)?;
    let report = store::check(&disk)?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{} messages; {} records in the log, {} cold segments, {} large bodies",
        report.messages, report.records, report.cold_segments, report.blobs
    )?;
    if report.torn_bytes > 0 {
        writeln!(
            out,
            "the log ends with {} bytes of a batch that a crash cut off; that is no damage",
            report.torn_bytes
        )?;
    }
    for damage in &report.damage {
        writeln!(
            out,
            "damaged: log segment {} from byte {} on, {} bytes",
            damage.segment, damage.offset, damage.bytes
        )?;
    }
    for problem in &report.problems {
        writeln!(out, "damaged: {problem}")?;
    }
    match report.damage.len() + report.problems.len() {
        0 => Ok(writeln!(out, "everything is as it was written")?),
        1 => bail!("one part is damaged"),
        count => bail!("{count} parts are damaged"),
    }
}

/// Goes on without what is missing, and says what that is.
fn accept_loss(data_dir: &Path) -> Result<()> {
    let (disk, _lock) = open(data_dir)?;
    let mut out = io::stdout().lock();
    let accepted = store::accept_loss(&disk)?;
    for segment in &accepted {
        writeln!(out, "log segment {segment} is given up: what it held is lost")?;
    }
    if accepted.is_empty() {
        writeln!(out, "no segment of the log is missing")?;
    }
    Ok(())
}

/// Prints every record in the order of the log.
fn dump(data_dir: &Path) -> Result<()> {
    let (disk, _lock) = open(data_dir)?;
    let mut out = BufWriter::new(io::stdout().lock());
    match store::dump(&disk, &mut out) {
        // Whoever reads has had enough, as with `| head`.
        Err(OpenError::Store(StoreError::Io { source, .. })) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(failure) => Err(failure.into()),
        Ok(()) => match out.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => Ok(result?),
        },
    }
}
