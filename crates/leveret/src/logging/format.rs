//! How lines look: RabbitMQ's text and its JSON.

use super::date::{Date, date};
use super::record::Record;
use config::{LogFormatter, LogLevel, LogLevelFormat, LogStyle, LogTimeFormat};
use serde_json::{Map, Value};
use std::time::{SystemTime, UNIX_EPOCH};

/// A formatter made ready.
#[derive(Clone, Debug)]
pub(super) struct Format {
    options: LogFormatter,
    /// Pieces of a line of text.
    pattern: Vec<Piece>,
    /// Old name, and the new one or `None` to leave it out; an old name `*` stands for all that is not named.
    fields: Vec<(String, Option<String>)>,
}

#[derive(Clone, Debug, PartialEq)]
enum Piece {
    Text(String),
    Field(String),
}

impl Format {
    pub(super) fn new(options: &LogFormatter) -> Format {
        let fields = options.json_field_map.split_whitespace().map(|item| match item.split_once(':') {
            Some((old, "-")) => (old.to_owned(), None),
            Some((old, new)) => (old.to_owned(), Some(new.to_owned())),
            None => (item.to_owned(), Some(item.to_owned())),
        });
        Format { options: options.clone(), pattern: pieces(&options.plaintext_format), fields: fields.collect() }
    }

    /// The record as lines, each with a line feed.
    pub(super) fn lines(&self, record: &Record) -> String {
        let message = match self.options.is_single_line {
            true => one_line(&record.message),
            false => record.message.clone(),
        };
        match self.options.style {
            LogStyle::Json => format!("{}\n", self.object(record, message)),
            LogStyle::Plaintext => message.split('\n').map(|line| self.line(record, line) + "\n").collect(),
        }
    }

    fn line(&self, record: &Record, message: &str) -> String {
        let mut line = String::new();
        for piece in &self.pattern {
            match piece {
                Piece::Text(text) => line += text,
                Piece::Field(name) => match name.as_str() {
                    "time" => line += &time(self.options.time_format, record.time),
                    "level" => line += level_word(self.options.level_format, record.level),
                    "pid" => line += &record.pid(),
                    // A control character of a client must not act on somebody's terminal.
                    "msg" => {
                        line.extend(message.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }));
                    }
                    "domain" => line += &record.domain(),
                    "file" => line += record.file.unwrap_or_default(),
                    "line" => line += &record.line.unwrap_or_default().to_string(),
                    other => line += &format!("<unknown {other}>"),
                },
            }
        }
        line.truncate(line.trim_end().len());
        line
    }

    fn object(&self, record: &Record, message: String) -> Value {
        let time = match self.options.time_format {
            LogTimeFormat::EpochMicroseconds => Value::from(microseconds(record.time)),
            LogTimeFormat::EpochSeconds => Value::from(microseconds(record.time) / 1_000_000),
            format => Value::from(time(format, record.time)),
        };
        let mut all = Map::new();
        all.insert("time".to_owned(), time);
        all.insert("level".to_owned(), level_word(self.options.level_format, record.level).into());
        all.insert("msg".to_owned(), message.into());
        all.insert("pid".to_owned(), record.pid().into());
        all.insert("domain".to_owned(), record.domain().into());
        all.insert("file".to_owned(), record.file.into());
        all.insert("line".to_owned(), record.line.into());
        let mut object = Map::new();
        for (old, new) in &self.fields {
            match (old.as_str(), new) {
                ("*", _) => all.clear(),
                (old, new) => {
                    if let (Some(value), Some(new)) = (all.shift_remove(old), new) {
                        object.insert(new.clone(), value);
                    }
                }
            }
        }
        object.extend(all);
        Value::Object(object)
    }
}

/// `$time [$level] $msg` in pieces.
fn pieces(pattern: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut parts = pattern.split('$');
    pieces.extend(parts.next().filter(|text| !text.is_empty()).map(|text| Piece::Text(text.to_owned())));
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(part.len());
        let (name, text) = part.split_at(end);
        if name.is_empty() {
            pieces.push(Piece::Text(format!("${text}")));
            continue;
        }
        pieces.push(Piece::Field(name.to_owned()));
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
    }
    pieces
}

fn one_line(message: &str) -> String {
    let lines = message.trim().lines().map(|line| line.trim_start().trim_end_matches(','));
    lines.collect::<Vec<_>>().join(", ")
}

fn microseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn time(format: LogTimeFormat, time: SystemTime) -> String {
    let Date { year, month, day, hour, minute, second, microsecond } = date(time);
    match format {
        LogTimeFormat::Rfc3339Space | LogTimeFormat::Rfc3339T => {
            let between = if format == LogTimeFormat::Rfc3339T { 'T' } else { ' ' };
            format!("{year:04}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}.{microsecond:06}+00:00")
        }
        LogTimeFormat::Lager => {
            let ms = microsecond / 1000;
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{ms:03}")
        }
        LogTimeFormat::EpochMicroseconds => microseconds(time).to_string(),
        LogTimeFormat::EpochSeconds => {
            let all = microseconds(time);
            format!("{}.{:06}", all / 1_000_000, all % 1_000_000)
        }
    }
}

/// RabbitMQ's words, of which those of three and four letters are no mere beginnings.
fn level_word(format: LogLevelFormat, level: LogLevel) -> &'static str {
    let words = match level {
        LogLevel::Debug => ["debug", "DEBUG", "dbg", "DBG", "dbug", "DBUG"],
        LogLevel::Info => ["info", "INFO", "inf", "INF", "info", "INFO"],
        LogLevel::Notice => ["notice", "NOTICE", "ntc", "NTC", "noti", "NOTI"],
        LogLevel::Warning => ["warning", "WARNING", "wrn", "WRN", "warn", "WARN"],
        LogLevel::Error => ["error", "ERROR", "err", "ERR", "erro", "ERRO"],
        LogLevel::Critical => ["critical", "CRITICAL", "crt", "CRT", "crit", "CRIT"],
        LogLevel::Alert => ["alert", "ALERT", "alt", "ALT", "alrt", "ALRT"],
        LogLevel::Emergency | LogLevel::None => ["emergency", "EMERGENCY", "emg", "EMG", "emgc", "EMGC"],
    };
    let [lower, upper, lower3, upper3, lower4, upper4] = words;
    match format {
        LogLevelFormat::Lower => lower,
        LogLevelFormat::Upper => upper,
        LogLevelFormat::Lower3 => lower3,
        LogLevelFormat::Upper3 => upper3,
        LogLevelFormat::Lower4 => lower4,
        LogLevelFormat::Upper4 => upper4,
    }
}
