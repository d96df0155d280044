//! rabbitmq-env.conf: assignments as a shell has them, and nothing else of a shell.

use std::collections::BTreeMap;
use std::path::PathBuf;
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
        Ok(text) => text,
        Err(line) => {
            problems.push(Error::NotUtf8 { origin: origin(line) });
            return Vec::new();
        }
    };
    let mut found: Vec<(String, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let before = |name: &str| {
            let assigned = found.iter().rev().find(|(assigned, _)| assigned == name).map(|(_, value)| value.clone());
            assigned.or_else(|| environment.get(name).cloned()).unwrap_or_default()
        };
        match assignment(line, before) {
            Some(assignment) => found.push(assignment),
            None => {
                let word = first_word(line.split('=').next().unwrap_or_default());
                problems.push(Error::EnvironmentLine { origin: origin(index + 1), line: word });
            }
        }
    }
    found
}

fn assignment(line: &str, before: impl Fn(&str) -> String) -> Option<(String, String)> {
    let line = line.strip_prefix("export ").map_or(line, str::trim_start);
    let (name, value) = line.split_once('=')?;
    let is_name = !name.is_empty() && name.chars().all(is_in_name) && !name.starts_with(|c: char| c.is_ascii_digit());
    is_name.then(|| Some((name.to_owned(), word(value, before)?))).flatten()
}

fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// One word of a shell, up to a comment; `None` for what only a shell can read.
fn word(text: &str, before: impl Fn(&str) -> String) -> Option<String> {
    let mut out = String::new();
    let mut rest = text.chars().peekable();
    let mut quote = None;
    while let Some(c) = rest.next() {
        match (c, quote) {
            ('\'' | '"', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            ('$', None | Some('"')) => {
                let braced = rest.next_if_eq(&'{').is_some();
                let mut name = String::new();
                while let Some(c) = rest.next_if(|c| is_in_name(*c)) {
                    name.push(c);
                }
                if name.is_empty() || (braced && rest.next() != Some('}')) {
                    return None;
                }
                out += &before(&name);
            }
            ('\\', None | Some('"')) => out.push(rest.next()?),
            ('`', None | Some('"')) | (';' | '&' | '|' | '<' | '>' | '(' | ')', None) => return None,
            (c, None) if c.is_whitespace() => {
                let behind: String = rest.collect();
                let behind = behind.trim_start();
                return (behind.is_empty() || behind.starts_with('#')).then_some(out);
            }
            (c, _) => out.push(c),
        }
    }
    quote.is_none().then_some(out)
}
