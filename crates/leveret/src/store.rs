//! `leveret store`: looking into the message store of a broker that does not run.

use crate::arguments::StoreCommand;
use anyhow::{Result, bail};
use std::path::Path;

/// Carries out the command; what it finds goes to standard output.
pub(crate) fn run(command: StoreCommand) -> Result<()> {
    match command {
        StoreCommand::Check { data_dir } => check(&data_dir),
        StoreCommand::Dump { data_dir } => dump(&data_dir),
    }
}

/// Reads everything and says what is damaged; fails when anything is.
fn check(data_dir: &Path) -> Result<()> {
    bail!("cannot check the messages in {}: not built yet", data_dir.display())
}

/// Prints every record in the order of the log.
fn dump(data_dir: &Path) -> Result<()> {
    bail!("cannot dump the messages in {}: not built yet", data_dir.display())
}
