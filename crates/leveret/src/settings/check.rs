//! What is wrong with a configuration beyond single keys, before anything of it is in force.

use super::{Endpoints, accounts, chains};
use crate::definitions;
use anyhow::Error;
use config::Config;
use std::fmt;

/// All that keeps a broker with this configuration from starting; never empty.
#[derive(Debug)]
pub(crate) struct Unusable(Vec<String>);

/// The first, and how many more there are.
impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [] => Ok(()),
            [only] => f.write_str(only),
            [first, more @ ..] => write!(f, "{first} (and {} more: `leveret config check` lists them)", more.len()),
        }
    }
}

impl std::error::Error for Unusable {}

impl Unusable {
    /// One line each.
    pub(crate) fn lines(&self) -> &[String] {
        &self.0
    }
}

/// Looks at files of TLS and of definitions, at backends and at rules for passwords; nobody is connected to, and nothing is
/// written.
///
/// # Errors
/// All that is wrong, when anything is.
pub(crate) fn check(config: &Config) -> Result<(), Unusable> {
    let mut problems: Vec<Error> = Endpoints::problems(config).into_iter().map(Error::new).collect();
    problems.extend(chains(config).err());
    problems.extend(accounts(config).err());
    problems.extend(config.definitions.paths.iter().filter_map(|path| definitions::look_at(path).err()));
    if problems.is_empty() { Ok(()) } else { Err(Unusable(problems.iter().map(crate::one_line).collect())) }
}
