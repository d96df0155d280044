//! Where a setting came from.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::key::KeySpec;

/// What is shown in the place of a secret.
pub(crate) const MASK: &str = "********";

/// The place a key was given, as errors and `config show` name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Line of a configuration file, counted from 1.
    File {
        /// The path as it was given to the loader.
        path: Arc<PathBuf>,
        /// Line number, from 1.
        line: usize,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
    },
    /// A `--set KEY=VALUE` argument.
    CommandLine,
    /// Another argument that stands for a key.
    Argument {
        /// As `--data-dir`.
        name: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable { name } => f.write_str(name),
            Self::CommandLine => f.write_str("--set"),
            Self::Argument { name } => f.write_str(name),
        }
    }
}

/// One key that was given, with the text of its value after substitution.
#[derive(Clone, PartialEq)]
pub struct Setting {
    /// The key's canonical name: an alias is replaced by the name it stands for.
    pub key: String,
    /// The row of the table that describes it.
    pub spec: &'static KeySpec,
    /// Where it was given; of several places, the last.
    pub origin: Origin,
    pub(crate) text: String,
}

impl Setting {
    /// The value's text, or asterisks where the key holds a secret.
    #[must_use]
    pub fn shown_value(&self) -> &str {
        if self.spec.kind.is_secret() { MASK } else { &self.text }
    }

    /// Whether it says the same as `other`, secrets too.
    #[must_use]
    pub fn has_text_of(&self, other: &Self) -> bool {
        self.key == other.key && self.text == other.text
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({})", self.key, self.shown_value(), self.origin)
    }
}
