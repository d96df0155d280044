//! Lines of a sysctl-style file: `key = value`, comments, nothing else.
//!
//! As RabbitMQ reads them: a value ends at a `#` unless it stands between single quotes, `\.` is a dot inside a segment of
//! a key, and a quote without its partner is a character like any other.

use crate::key::Key;

/// What one line says.
#[derive(Debug, PartialEq)]
pub(crate) enum Line {
    /// Only space or a comment.
    Empty,
    /// A key with the text of its value.
    Setting(Key, String),
    /// `include PATH`.
    Include(String),
    /// None of these.
    Malformed,
}

/// Reads one line without its line feed.
pub(crate) fn line(text: &str) -> Line {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return Line::Empty;
    }
    let Some((key, value)) = text.split_once('=') else {
        return included(text).map_or(Line::Malformed, |path| Line::Include(path.to_owned()));
    };
    match (Key::parse(key.trim()), value_text(value.trim())) {
        (Some(key), Some(value)) => Line::Setting(key, value),
        _ => Line::Malformed,
    }
}

/// Reads `KEY=VALUE` of a command line, whose value is taken as it stands: the shell has read the quotes already.
pub(crate) fn assignment(text: &str) -> Option<(Key, String)> {
    let (key, value) = text.split_once('=')?;
    Some((Key::parse(key.trim())?, value.trim().to_owned()))
}

fn included(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("include")?;
    rest.starts_with([' ', '\t']).then(|| rest.trim())
}

/// The value without its quotes or without the comment after it; `None` where there is none.
fn value_text(text: &str) -> Option<String> {
    if let Some((quoted, after)) = text.strip_prefix('\'').and_then(|rest| rest.split_once('\'')) {
        let after = after.trim_start();
        return (after.is_empty() || after.starts_with('#')).then(|| quoted.to_owned());
    }
    let value = text.split_once('#').map_or(text, |(value, _)| value).trim_end();
    (!value.is_empty()).then(|| value.to_owned())
}
