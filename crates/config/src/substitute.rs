//! `$(NAME)` in a value: the value of another key, or else an environment variable.

use crate::error::Error;
use crate::key::Key;

/// Longest value that substitution may yield; keys that name each other twice would grow it without bound.
const MAX_VALUE_BYTES: usize = 64 * 1024;

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
}

impl Failure {
    pub(crate) fn at(self, origin: crate::Origin, key: String) -> Error {
        match self {
            Self::Missing(name) => Error::MissingSubstitution { origin, key, name },
            Self::Endless => Error::EndlessSubstitution { origin, key },
        }
    }
}

/// Replaces every `$(NAME)`; a key's text is substituted in turn, a variable's is taken as it stands.
pub(crate) fn substitute(text: &str, names: &impl Names) -> Result<String, Failure> {
    let mut out = String::with_capacity(text.len());
    expand(text, names, MAX_DEPTH, &mut out)?;
    Ok(out)
}

fn expand(text: &str, names: &impl Names, depth: usize, out: &mut String) -> Result<(), Failure> {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("$(") {
        let Some((name, after)) = after.split_once(')') else { break };
        append(out, before)?;
        let name = name.trim();
        let key = Key::parse(name);
        if let Some(setting) = key.and_then(|key| names.setting(&key)) {
            let depth = depth.checked_sub(1).ok_or(Failure::Endless)?;
            expand(setting, names, depth, out)?;
        } else {
            let variable = names.variable(name).ok_or_else(|| Failure::Missing(name.to_owned()))?;
            append(out, &variable)?;
        }
        rest = after;
    }
    append(out, rest)
}

fn append(out: &mut String, text: &str) -> Result<(), Failure> {
    if out.len() + text.len() > MAX_VALUE_BYTES {
        return Err(Failure::Endless);
    }
    out.push_str(text);
    Ok(())
}
