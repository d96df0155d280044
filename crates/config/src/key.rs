//! A row of the key table, and how keys match it.

use std::fmt;

use crate::kind::Kind;

/// What giving a key leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It sets a field of [`Config`](crate::Config).
    Takes,
    /// RabbitMQ knows it and nothing here uses it: accepted, checked and listed.
    Ignored,
    /// Only these values are accepted: ignoring another one would change who may log in.
    Refused {
        /// The values that say what is so anyway.
        accepted: &'static [&'static str],
    },
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Takes => "effect",
            Self::Ignored => "none",
            Self::Refused { .. } => "refused",
        })
    }
}

/// When a value holds that was changed while the broker runs and reads its configuration again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// At once.
    Now,
    /// From the next start on.
    Restart,
    /// For the first start of a data directory only.
    FirstStart,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now => "at once",
            Self::Restart => "restart",
            Self::FirstStart => "first start",
        })
    }
}

/// One key, or a family of keys where segments of the pattern begin with `$`.
#[derive(Debug, PartialEq)]
pub struct KeySpec {
    /// Segments joined by dots; a segment such as `$name` stands for any one segment.
    pub pattern: String,
    /// Other names of the same key.
    pub aliases: &'static [&'static str],
    /// What its values look like.
    pub kind: Kind,
    /// The text whose meaning holds when the key is not given; empty where there is none.
    pub default: &'static str,
    /// What giving it leads to.
    pub effect: Effect,
    /// When a changed value holds.
    pub change: Change,
    /// What it is for, in one line without a period.
    pub doc: &'static str,
}

impl KeySpec {
    /// Whether one row stands for many keys.
    #[must_use]
    pub fn is_family(&self) -> bool {
        self.pattern.contains('$')
    }

    /// A value that the key accepts: its default where it has one.
    #[must_use]
    pub fn example(&self) -> &'static str {
        if self.default.is_empty() { self.kind.example() } else { self.default }
    }

    /// The name settings of `key` are kept under, or `None` where the row does not describe it.
    pub(crate) fn canonical(&self, key: &Key) -> Option<String> {
        if key.matches(&self.pattern) {
            return Some(key.to_string());
        }
        self.aliases.iter().any(|alias| key.matches(alias)).then(|| self.pattern.clone())
    }
}

/// A key as it was written, split into segments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    segments: Vec<String>,
}

impl Key {
    /// Splits at dots; `\.` is a dot inside a segment. `None` where a segment is empty or holds what no key can.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut segments = vec![String::new()];
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match (character, segments.last_mut()) {
                ('.', _) => segments.push(String::new()),
                ('\\', Some(last)) if characters.as_str().starts_with('.') => {
                    characters.next();
                    last.push('.');
                }
                (c, Some(last)) if !c.is_whitespace() && !c.is_control() && !matches!(c, '\\' | '=' | '#') => {
                    last.push(c);
                }
                _ => return None,
            }
        }
        segments.iter().all(|segment| !segment.is_empty()).then_some(Self { segments })
    }

    /// What stands in the place of a family's last wildcard.
    pub(crate) fn last_segment(&self) -> &str {
        self.segments.last().map_or("", String::as_str)
    }

    pub(crate) fn segments(&self) -> &[String] {
        &self.segments
    }

    fn matches(&self, pattern: &str) -> bool {
        let mut segments = self.segments.iter();
        pattern.split('.').all(|wanted| segments.next().is_some_and(|given| wanted.starts_with('$') || wanted == given))
            && segments.next().is_none()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            f.write_str(&segment.replace('.', "\\."))?;
        }
        Ok(())
    }
}
