//! rabbitmq-env.conf: assignments as a shell has them, and nothing else of a shell.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::Chars;
use std::sync::Arc;

use crate::error::Error;
use crate::load::{first_word, utf8};
use crate::origin::Origin;

/// Reads `NAME=value`, `export NAME=value`, quotes, `$NAME` and `${NAME}`; every other line is a problem.
///
/// RabbitMQ has a shell read the file; what depends on that can be said in the environment itself.
pub(crate) fn assignments(
    path: PathBuf,
    bytes: &[u8],
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<Error>,
) -> Vec<(String, String)> {
    let path = Arc::new(path);
    let origin = |line| Origin::File { path: Arc::clone(&path), line };
    let text = match utf8(bytes) {
        Ok(text) => text.replace("\r\n", "\n"),
        Err(line) => {
            problems.push(Error::NotUtf8 { origin: origin(line) });
            return Vec::new();
        }
    };
    let mut found: Vec<(String, String)> = Vec::new();
    let (mut rest, mut next_line) = (text.as_str(), 1);
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let (number, content) = (next_line, line.trim());
        next_line += 1;
        if content.is_empty() || content.starts_with('#') {
            rest = after;
            continue;
        }
        let before = |name: &str| {
            let assigned = found.iter().rev().find(|(assigned, _)| assigned == name).map(|(_, value)| value.clone());
            assigned.or_else(|| environment.get(name).cloned()).unwrap_or_default()
        };
        if let Some((name, value, behind)) = assignment(rest, before) {
            let read = rest.len().checked_sub(behind.len()).and_then(|length| rest.get(..length)).unwrap_or_default();
            next_line = number + read.matches('\n').count();
            found.push((name, value));
            rest = behind;
        } else {
            let word = first_word(content.split('=').next().unwrap_or_default());
            problems.push(Error::EnvironmentLine { origin: origin(number), line: word });
            rest = after;
        }
    }
    found
}

/// The name and the value that the text begins with, and what follows their last line.
fn assignment(text: &str, before: impl Fn(&str) -> String) -> Option<(String, String, &str)> {
    let is_blank = [' ', '\t'];
    let text = text.trim_start_matches(is_blank);
    let text = text.strip_prefix("export ").map_or(text, |text| text.trim_start_matches(is_blank));
    let (name, value) = text.split_at_checked(text.find(|c| !is_in_name(c))?)?;
    let is_name = !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit());
    let (value, behind) = word(value.strip_prefix('=').filter(|_| is_name)?, before)?;
    Some((name.to_owned(), value, behind))
}

fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// One word of a shell, up to the end of its line or a comment, and what follows; `None` for what only a shell can read.
///
/// Between quotes and behind a backslash the end of a line is not the end of the word.
fn word(text: &str, before: impl Fn(&str) -> String) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut rest = text.chars();
    let mut quote = None;
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('$', None | Some('"')) => {
                let (name, behind) = variable(rest.as_str())?;
                out += &before(name);
                rest = behind.chars();
            }
            ('\\', None | Some('"')) => escaped(&mut rest, quote.is_some(), &mut out)?,
            ('`', None | Some('"')) | (';' | '&' | '|' | '<' | '>' | '(' | ')', None) => return None,
            ('\n', None) => return Some((out, rest.as_str())),
            (c, None) if c.is_whitespace() => {
                let (behind, after) = rest.as_str().split_once('\n').unwrap_or((rest.as_str(), ""));
                let behind = behind.trim_start();
                return (behind.is_empty() || behind.starts_with('#')).then_some((out, after));
            }
            (c, _) => out.push(c),
        }
    }
    quote.is_none().then_some((out, ""))
}

/// The name behind a `$`, in braces or not, and what follows.
fn variable(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{');
    let name = inner.unwrap_or(text);
    let (name, behind) = name.split_at_checked(name.find(|c| !is_in_name(c)).unwrap_or(name.len()))?;
    let behind = if inner.is_some() { behind.strip_prefix('}')? } else { behind };
    (!name.is_empty()).then_some((name, behind))
}

/// What a backslash and the character behind it stand for; both are nothing at the end of a line.
fn escaped(rest: &mut Chars<'_>, is_quoted: bool, out: &mut String) -> Option<()> {
    match rest.next()? {
        '\n' => {}
        c @ ('$' | '`' | '"' | '\\') => out.push(c),
        c => {
            if is_quoted {
                out.push('\\');
            }
            out.push(c);
        }
    }
    Some(())
}
