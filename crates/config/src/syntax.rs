//! Statements of a sysctl-style file: `key = value`, comments, nothing else.
//!
//! As RabbitMQ reads them: a value ends at a `#` unless it stands between single quotes, a quoted value may go on over
//! several lines, one between three single quotes may have single quotes in it, and `\.` is a dot inside a segment of a
//! key. Quotes that are not around a whole value are characters like any other.

use crate::key::Key;

/// What one statement says.
#[derive(Debug, PartialEq)]
pub(crate) enum Statement {
    /// A key with the text of its value.
    Setting(Key, String),
    /// `include PATH`.
    Include(String),
    /// None of these; the line's text.
    Malformed(String),
}

/// Reads a whole file; each statement comes with the line it begins on, from 1.
pub(crate) fn statements(text: &str) -> impl Iterator<Item = (usize, Statement)> {
    let mut rest = text;
    let mut next_line = 1;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (statement, after) = statement(rest);
            let line = next_line;
            next_line += rest.len().checked_sub(after.len()).map_or(0, |read| line_feeds(rest, read));
            rest = after;
            if let Some(statement) = statement {
                return Some((line, statement));
            }
        }
        None
    })
}

/// Reads `KEY=VALUE` of a command line, whose value is taken as it stands: the shell has read the quotes already.
pub(crate) fn assignment(text: &str) -> Option<(Key, String)> {
    let (key, value) = text.split_once('=')?;
    Some((Key::parse(key.trim())?, value.trim().to_owned()))
}

/// Reads the first line, or the lines that its quoted value goes over, and returns what follows.
fn statement(text: &str) -> (Option<Statement>, &str) {
    let (line, after) = first_line(text);
    let content = line.trim();
    if content.is_empty() || content.starts_with('#') {
        return (None, after);
    }
    let malformed = || Some(Statement::Malformed(content.to_owned()));
    let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.contains('\n')) else {
        return (included(content).map(Statement::Include).or_else(malformed), after);
    };
    let (Some(key), Some((value, after))) = (Key::parse(key.trim()), value_text(value)) else {
        return (malformed(), after);
    };
    (Some(Statement::Setting(key, value)), after)
}

/// Reads the value that the text begins with, quoted or up to a comment, and returns what follows its line.
fn value_text(text: &str) -> Option<(String, &str)> {
    let unpadded = text.trim_start_matches([' ', '\t']);
    if let Some((quoted, after)) = between("'''", unpadded) {
        return Some((quoted.trim().to_owned(), after));
    }
    if let Some((quoted, after)) = between("'", unpadded) {
        return Some((quoted.to_owned(), after));
    }
    let (line, after) = first_line(unpadded);
    let value = line.split_once('#').map_or(line, |(value, _)| value).trim();
    (!value.is_empty()).then(|| (value.to_owned(), after))
}

/// What stands between two quotes that are the whole value but for a comment, and what follows its line.
fn between<'a>(quote: &str, text: &'a str) -> Option<(&'a str, &'a str)> {
    let (quoted, after) = text.strip_prefix(quote)?.split_once(quote)?;
    let (comment, after) = first_line(after);
    let comment = comment.trim();
    (comment.is_empty() || comment.starts_with('#')).then_some((quoted, after))
}

fn included(line: &str) -> Option<String> {
    let rest = line.strip_prefix("include")?;
    rest.starts_with([' ', '\t']).then(|| rest.trim().to_owned())
}

fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

fn line_feeds(text: &str, bytes: usize) -> usize {
    text.bytes().take(bytes).filter(|byte| *byte == b'\n').count()
}
