//! Collecting settings from files and arguments.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::check;
use crate::error::Error;
use crate::key::Key;
use crate::options::Config;
use crate::origin::Origin;
use crate::plugins::Plugins;
use crate::syntax::{self, Statement};

/// A configuration file of this size is a mistake, such as the path of a device or a log.
const MAX_FILE_BYTES: u64 = 4 << 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Longest piece of a line that an error repeats.
const MAX_SHOWN_CHARACTERS: usize = 80;

/// Finds an environment variable.
pub(crate) type Environment = Box<dyn Fn(&str) -> Option<String>>;

/// Collects settings; where a key is given more than once, the last one counts.
///
/// Call it in order of precedence: the file, then the conf.d directory, then the arguments.
pub struct Loader {
    environment: Environment,
    given: Vec<Given>,
    sources: usize,
    plugins: Plugins,
}

/// A setting as it was given.
pub(crate) struct Given {
    pub(crate) key: Key,
    pub(crate) text: String,
    pub(crate) origin: Origin,
    /// Counts files and arguments: between keys that exclude each other, the later source decides.
    pub(crate) source: usize,
    /// Whether `$(NAME)` in it is text like any other.
    pub(crate) is_literal: bool,
}

impl Loader {
    /// A loader with nothing given, which takes `$(NAME)` from this process's environment.
    #[must_use]
    pub fn new() -> Self {
        Self::with_environment(|name| std::env::var(name).ok())
    }

    /// A loader that takes `$(NAME)` from `environment`.
    #[must_use]
    pub fn with_environment(environment: impl Fn(&str) -> Option<String> + 'static) -> Self {
        Self { environment: Box::new(environment), given: Vec::new(), sources: 0, plugins: Plugins::default() }
    }

    /// Adds one file.
    ///
    /// # Errors
    /// When it cannot be read or a line is not `KEY = VALUE`; keys and values are checked by [`load`](Self::load).
    pub fn file(&mut self, path: impl Into<PathBuf>) -> Result<&mut Self, Error> {
        let path = path.into();
        let bytes = read(&path)?;
        self.text(path, &bytes)
    }

    /// Adds every `*.conf` of a directory, sorted by name as RabbitMQ does for conf.d.
    ///
    /// # Errors
    /// When the directory or one of the files cannot be read, or a line is not `KEY = VALUE`.
    pub fn directory(&mut self, path: impl AsRef<Path>) -> Result<&mut Self, Error> {
        let path = path.as_ref();
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(path).map_err(unreadable)? {
            let file = entry.map_err(unreadable)?.path();
            if file.extension().is_some_and(|extension| extension == "conf") && file.is_file() {
                files.push(file);
            }
        }
        files.sort();
        for file in files {
            self.file(file)?;
        }
        Ok(self)
    }

    /// Adds `KEY=VALUE`, the value taken as it stands: no quotes, no comments.
    ///
    /// # Errors
    /// When it is not `KEY=VALUE`.
    pub fn set(&mut self, assignment: &str) -> Result<&mut Self, Error> {
        self.sources += 1;
        let origin = Origin::CommandLine;
        let Some((key, text)) = syntax::assignment(assignment) else {
            return Err(Error::Syntax { origin, line: first_word(assignment.split('=').next().unwrap_or_default()) });
        };
        self.given.push(Given { key, text, origin, source: self.sources, is_literal: false });
        Ok(self)
    }

    /// Adds one key whose value is taken as it stands, from a source of its own.
    pub(crate) fn literal(&mut self, key: Key, text: String, origin: Origin) {
        self.sources += 1;
        self.given.push(Given { key, text, origin, source: self.sources, is_literal: true });
    }

    /// Whether the key or one below it was given.
    pub(crate) fn is_any_given(&self, family: &str) -> bool {
        let is_of = |key: &Key| {
            key.to_string().strip_prefix(family).is_some_and(|rest| matches!(rest.bytes().next(), None | Some(b'.')))
        };
        self.given.iter().any(|given| is_of(&given.key))
    }

    /// Which plugins count as enabled; without a call all that exist here.
    pub(crate) fn plugins(&mut self, plugins: Plugins) {
        self.plugins = plugins;
    }

    /// Checks everything that was given and fills in the defaults.
    ///
    /// # Errors
    /// The first key that nobody knows, or else the first value that is not accepted, in the order of the keys' names.
    pub fn load(&self) -> Result<Config, Error> {
        let mut problems = Vec::new();
        let config = self.check(&mut problems);
        problems.into_iter().next().map_or(Ok(config), Err)
    }

    /// The same, with everything that is wrong; the configuration holds what is not.
    pub(crate) fn check(&self, problems: &mut Vec<Error>) -> Config {
        check::settings(&self.given, &self.environment, problems).into_config(self.plugins.clone())
    }

    /// Adds the lines of a file that was read.
    pub(crate) fn text(&mut self, path: PathBuf, bytes: &[u8]) -> Result<&mut Self, Error> {
        let mut problems = Vec::new();
        self.lines(path, bytes, &mut problems);
        problems.into_iter().next().map_or(Ok(self), Err)
    }

    /// The same, with everything that is wrong.
    pub(crate) fn lines(&mut self, path: PathBuf, bytes: &[u8], problems: &mut Vec<Error>) {
        self.sources += 1;
        let path = Arc::new(path);
        let origin = |line| Origin::File { path: Arc::clone(&path), line };
        let text = match utf8(bytes) {
            Ok(text) => text,
            Err(line) => return problems.push(Error::NotUtf8 { origin: origin(line) }),
        };
        for (line, statement) in syntax::statements(text) {
            let origin = origin(line);
            match statement {
                Statement::Setting(key, text) => {
                    self.given.push(Given { key, text, origin, source: self.sources, is_literal: false });
                }
                Statement::Include(included) => {
                    problems.push(Error::Include { origin, included: shortened(&included) });
                }
                Statement::Malformed(line) => problems.push(Error::Syntax { origin, line: first_word(&line) }),
            }
        }
    }
}

/// The text after a byte order mark, or the line that is not UTF-8.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, usize> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    str::from_utf8(bytes).map_err(|error| {
        let line_feeds = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count();
        line_feeds + 1
    })
}

impl Default for Loader {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads a file of a size that a configuration can have.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(Error::TooLarge { path: path.to_owned(), limit_bytes: MAX_FILE_BYTES });
    }
    Ok(bytes)
}

/// The first word of a line: what follows it may be a password.
pub(crate) fn first_word(line: &str) -> String {
    shortened(line.split_whitespace().next().unwrap_or_default())
}

/// What an error repeats of a text; a control character must not act on somebody's terminal.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(MAX_SHOWN_CHARACTERS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
