//! Erlang terms as they stand in files: the part of the language that configuration files use.

use std::fmt::{self, Write};
use std::iter::Peekable;
use std::str::Chars;

/// Deepest nesting that is read; no configuration is deeper than a handful.
const MAX_DEPTH: usize = 32;

/// A term.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    Atom(String),
    Integer(i64),
    Float(f64),
    /// A string or a binary.
    Text(String),
    List(Vec<Located>),
    Tuple(Vec<Located>),
}

/// As it may stand in a file.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |f: &mut fmt::Formatter<'_>, quote: char, text: &str| {
            f.write_char(quote)?;
            for c in text.chars() {
                match c {
                    '\n' => f.write_str("\\n")?,
                    '\t' => f.write_str("\\t")?,
                    '\r' => f.write_str("\\r")?,
                    '\\' | '"' | '\'' => write!(f, "\\{c}")?,
                    c => f.write_char(c)?,
                }
            }
            f.write_char(quote)
        };
        let sequence = |f: &mut fmt::Formatter<'_>, (begin, end): (char, char), items: &[Located]| {
            f.write_char(begin)?;
            for (index, item) in items.iter().enumerate() {
                write!(f, "{}{}", if index == 0 { "" } else { ", " }, item.term)?;
            }
            f.write_char(end)
        };
        match self {
            Self::Atom(text) => quoted(f, '\'', text),
            Self::Text(text) => quoted(f, '"', text),
            Self::Integer(integer) => write!(f, "{integer}"),
            Self::Float(float) => write!(f, "{float:?}"),
            Self::List(items) => sequence(f, ('[', ']'), items),
            Self::Tuple(items) => sequence(f, ('{', '}'), items),
        }
    }
}

/// A term with the line it begins on, from 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Located {
    pub(crate) line: usize,
    pub(crate) term: Term,
}

/// What is wrong with a text, and on which line.
#[derive(Debug, PartialEq)]
pub(crate) struct Wrong {
    pub(crate) line: usize,
    pub(crate) problem: String,
}

/// Reads all terms of a file, each ended by a dot.
pub(crate) fn read_terms(text: &str) -> Result<Vec<Located>, Wrong> {
    let mut reader = Reader { rest: text.chars().peekable(), line: 1 };
    let mut terms = Vec::new();
    while reader.skip_space().is_some() {
        terms.push(reader.term(MAX_DEPTH)?);
        reader.expect('.', "expected a dot after the term")?;
    }
    Ok(terms)
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl Reader<'_> {
    fn wrong<T>(&self, problem: impl Into<String>) -> Result<T, Wrong> {
        Err(Wrong { line: self.line, problem: problem.into() })
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        if next == Some('\n') {
            self.line += 1;
        }
        next
    }

    /// Passes over space and comments; the character after them.
    fn skip_space(&mut self) -> Option<char> {
        loop {
            match self.rest.peek().copied() {
                Some('%') => {
                    while self.rest.peek().is_some_and(|c| *c != '\n') {
                        self.next();
                    }
                }
                Some(c) if c.is_whitespace() => _ = self.next(),
                other => return other,
            }
        }
    }

    fn expect(&mut self, wanted: char, problem: &str) -> Result<(), Wrong> {
        if self.skip_space() == Some(wanted) {
            self.next();
            return Ok(());
        }
        self.wrong(problem)
    }

    fn term(&mut self, depth: usize) -> Result<Located, Wrong> {
        let Some(depth) = depth.checked_sub(1) else { return self.wrong("the terms are nested too deep") };
        let next = self.skip_space();
        let line = self.line;
        let term = match next {
            Some('[') => Term::List(self.sequence(']', depth)?),
            Some('{') => Term::Tuple(self.sequence('}', depth)?),
            Some('"') => Term::Text(self.quoted('"')?),
            Some('\'') => Term::Atom(self.quoted('\'')?),
            Some('<') => Term::Text(self.binary()?),
            Some(c) if c.is_ascii_digit() || c == '-' => self.number()?,
            Some(c) if c.is_lowercase() => Term::Atom(self.word()),
            Some(c) => return self.wrong(format!("expected a term, found `{c}`")),
            None => return self.wrong("expected a term, found the end of the file"),
        };
        Ok(Located { line, term })
    }

    fn sequence(&mut self, end: char, depth: usize) -> Result<Vec<Located>, Wrong> {
        self.next();
        let mut items = Vec::new();
        if self.skip_space() == Some(end) {
            self.next();
            return Ok(items);
        }
        loop {
            items.push(self.term(depth)?);
            match self.skip_space() {
                Some(',') => _ = self.next(),
                Some(c) if c == end => {
                    self.next();
                    return Ok(items);
                }
                _ => return self.wrong(format!("expected a comma or `{end}`")),
            }
        }
    }

    fn quoted(&mut self, quote: char) -> Result<String, Wrong> {
        let line = self.line;
        self.next();
        let mut text = String::new();
        while let Some(c) = self.next() {
            match c {
                c if c == quote => return Ok(text),
                '\\' => match self.next() {
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some('s') => text.push(' '),
                    Some(c @ ('\\' | '"' | '\'')) => text.push(c),
                    _ => return self.wrong("this escape sequence is not read"),
                },
                c => text.push(c),
            }
        }
        Err(Wrong { line, problem: format!("the `{quote}` has no partner") })
    }

    /// `<<"text">>`, also with `/utf8` behind the text.
    fn binary(&mut self) -> Result<String, Wrong> {
        let expected = "expected a binary such as <<\"text\">>";
        self.expect('<', expected)?;
        self.expect('<', expected)?;
        let text = match self.skip_space() {
            Some('"') => self.quoted('"')?,
            Some('>') => String::new(),
            _ => return self.wrong(expected),
        };
        if self.skip_space() == Some('/') {
            self.next();
            if self.word() != "utf8" {
                return self.wrong(expected);
            }
        }
        self.expect('>', expected)?;
        self.expect('>', expected)?;
        Ok(text)
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(c) = self.rest.peek().copied().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '@')) {
            self.next();
            word.push(c);
        }
        word
    }

    fn number(&mut self) -> Result<Term, Wrong> {
        let mut text = String::new();
        let mut ahead = self.rest.clone();
        while let Some(c) = ahead.next() {
            // A dot ends the term unless a digit follows it.
            let belongs = match c {
                '.' => ahead.peek().is_some_and(char::is_ascii_digit),
                '-' => text.is_empty() || text.ends_with(['e', 'E']),
                'e' | 'E' => text.contains('.'),
                c => c.is_ascii_digit() || c == '_',
            };
            if !belongs {
                break;
            }
            if c != '_' {
                text.push(c);
            }
            self.next();
        }
        if let Ok(integer) = text.parse() {
            return Ok(Term::Integer(integer));
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Term::Float(float)),
            _ => self.wrong(format!("`{text}` is no number that is read")),
        }
    }
}
