//! What can be wrong with a configuration, each in one line that names it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::origin::Origin;

/// Why a configuration was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or directory cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The path as it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is far larger than a configuration can be.
    #[error("{} is larger than {limit_bytes} bytes and is no configuration file", path.display())]
    TooLarge {
        /// The path as it was given.
        path: PathBuf,
        /// The largest size accepted.
        limit_bytes: u64,
    },
    /// The line is not UTF-8, wherever in it.
    #[error("{origin}: the line is not UTF-8, save the file as UTF-8")]
    NotUtf8 {
        /// Where.
        origin: Origin,
    },
    /// The line is neither a setting nor a comment.
    #[error("{origin}: expected KEY = VALUE, found `{line}`")]
    Syntax {
        /// Where.
        origin: Origin,
        /// The line's first word; what follows it may be a password.
        line: String,
    },
    /// The line includes another file.
    #[error("{origin}: include is not supported, put `{included}` into the conf.d directory")]
    Include {
        /// Where.
        origin: Origin,
        /// What the line includes.
        included: String,
    },
    /// A variable and the file that holds its value are both given.
    #[error("{variable} and {variable}_FILE are both set, unset one of them")]
    ConflictingVariables {
        /// The variable.
        variable: String,
    },
    /// The file that should hold a variable's value holds none.
    #[error("{variable}: {} is empty, write the value into it or unset the variable", path.display())]
    EmptyFile {
        /// The variable that names the file.
        variable: String,
        /// The file.
        path: PathBuf,
    },
    /// The line of rabbitmq-env.conf is more than an assignment.
    #[error("{origin}: only NAME=value is read here, found `{line}`")]
    EnvironmentLine {
        /// Where.
        origin: Origin,
        /// The line's first word.
        line: String,
    },
    /// What should be Erlang terms is not.
    #[error("{origin}: {problem}")]
    Term {
        /// Where.
        origin: Origin,
        /// What is wrong.
        problem: String,
    },
    /// A setting of advanced.config that is not read.
    #[error("{origin}: `{path}` is not read from here, {instead}")]
    NotTranslated {
        /// Where.
        origin: Origin,
        /// The application and the names below it.
        path: String,
        /// What to do about it.
        instead: Instead,
    },
    /// RabbitMQ does not know the key and neither does Leveret.
    #[error("{origin}: unknown key `{key}`{}", suggestion(nearest.as_deref()))]
    UnknownKey {
        /// Where.
        origin: Origin,
        /// The key as it was written.
        key: String,
        /// The known name that looks most like it.
        nearest: Option<String>,
    },
    /// The value is not of the key's type.
    #[error("{origin}: bad value `{value}` for `{key}`, expected {expected}")]
    BadValue {
        /// Where.
        origin: Origin,
        /// The key.
        key: String,
        /// The value, or asterisks where the key holds a secret.
        value: String,
        /// What would be accepted.
        expected: String,
    },
    /// The value is encrypted, which only RabbitMQ can undo.
    #[error(
        "{origin}: encrypted value for `{key}` cannot be read, give it in clear or as $(NAME) from the environment"
    )]
    Encrypted {
        /// Where.
        origin: Origin,
        /// The key.
        key: String,
    },
    /// The key is known but has no effect here, and ignoring the value would be unsafe.
    #[error(
        "{origin}: `{key} = {value}` is not supported and ignoring it would be unsafe, remove it or set it to `{accepted}`"
    )]
    Refused {
        /// Where.
        origin: Origin,
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// The only value accepted.
        accepted: &'static str,
    },
    /// `$(NAME)` names neither a key nor an environment variable.
    #[error("{origin}: `{key}` needs $({name}), which is neither a key that is set nor an environment variable")]
    MissingSubstitution {
        /// Where.
        origin: Origin,
        /// The key whose value has it.
        key: String,
        /// The name between the parentheses.
        name: String,
    },
    /// `$(KEY)` leads back to itself or grows without bound.
    #[error("{origin}: the substitutions in `{key}` never end, name a key that does not lead back to it")]
    EndlessSubstitution {
        /// Where.
        origin: Origin,
        /// The key whose value has it.
        key: String,
    },
    /// What the substitutions yield is longer than a value can be.
    #[error("{origin}: `{key}` is longer than {limit_bytes} bytes with what its substitutions stand for, shorten it")]
    TooLong {
        /// Where.
        origin: Origin,
        /// The key.
        key: String,
        /// The longest value accepted.
        limit_bytes: usize,
    },
}

/// What to do about a setting of advanced.config that is not read.
#[derive(Debug)]
pub enum Instead {
    /// This key of rabbitmq.conf says the same.
    Key(String),
    /// It is about nodes of a cluster.
    NoClusters,
    /// No key says the same.
    Nothing,
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "set `{key}` in rabbitmq.conf"),
            Self::NoClusters => f.write_str("there are no clusters yet, remove it"),
            Self::Nothing => f.write_str("and no key of rabbitmq.conf says the same, remove it"),
        }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| ", remove it".to_owned(), |name| format!(", did you mean `{name}`"))
}
