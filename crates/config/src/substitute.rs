//! `$(NAME)` in a value: the value of another key, or else an environment variable.

use crate::error::Error;
use crate::key::Key;

/// Longest value that substitution may yield.
const MAX_VALUE_BYTES: usize = 64 * 1024;

/// How many names may be replaced on the way to one value: keys that name each other twice would grow without bound.
const MAX_REPLACED: usize = 256;

/// How deep keys may lead to other keys.
const MAX_DEPTH: usize = 16;

/// Where substitution finds what a name stands for.
pub(crate) trait Names {
    /// The text of another key, before substitution.
    fn setting(&self, key: &Key) -> Option<&str>;
    /// An environment variable.
    fn variable(&self, name: &str) -> Option<String>;
}

/// What is wrong with a substitution.
#[derive(Debug, PartialEq)]
pub(crate) enum Failure {
    Missing(String),
    Endless,
    TooLong,
}

impl Failure {
    pub(crate) fn at(self, origin: crate::Origin, key: String) -> Error {
        match self {
            Self::Missing(name) => Error::MissingSubstitution { origin, key, name },
            Self::Endless => Error::EndlessSubstitution { origin, key },
            Self::TooLong => Error::TooLong { origin, key, limit_bytes: MAX_VALUE_BYTES },
        }
    }
}

/// Replaces every `$(NAME)`; a key's text is substituted in turn, a variable's is taken as it stands.
pub(crate) fn substitute(text: &str, names: &impl Names) -> Result<String, Failure> {
    let mut expansion = Expansion { names, out: String::with_capacity(text.len()), replaced: 0 };
    expansion.expand(text, MAX_DEPTH)?;
    Ok(expansion.out)
}

/// A value on its way.
struct Expansion<'a, N> {
    names: &'a N,
    out: String,
    replaced: usize,
}

impl<N: Names> Expansion<'_, N> {
    fn expand(&mut self, text: &str, depth: usize) -> Result<(), Failure> {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("$(") {
            let Some((name, after)) = after.split_once(')') else { break };
            self.append(before)?;
            self.replace(name.trim(), depth)?;
            rest = after;
        }
        self.append(rest)
    }

    fn replace(&mut self, name: &str, depth: usize) -> Result<(), Failure> {
        self.replaced += 1;
        if self.replaced > MAX_REPLACED {
            return Err(Failure::Endless);
        }
        let names = self.names;
        if let Some(setting) = Key::parse(name).and_then(|key| names.setting(&key)) {
            return self.expand(setting, depth.checked_sub(1).ok_or(Failure::Endless)?);
        }
        let variable = names.variable(name).ok_or_else(|| Failure::Missing(name.to_owned()))?;
        self.append(&variable)
    }

    fn append(&mut self, text: &str) -> Result<(), Failure> {
        // What stands in a file as it is has the length of the file at most.
        if self.replaced > 0 && self.out.len() + text.len() > MAX_VALUE_BYTES {
            return Err(Failure::TooLong);
        }
        self.out.push_str(text);
        Ok(())
    }
}
