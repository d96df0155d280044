//! `log.*`.

use super::{Checked, word};
use crate::options::{
    ConsoleOptions, LogFileOptions, LogFormatter, LogLevel, LogOptions, LogOutputOptions, LogPlace, LogRotation,
    RotationDate,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Categories with keys of their own.
const CATEGORIES: [&str; 4] = ["connection", "channel", "queue", "user"];

impl Checked {
    pub(super) fn log(&self) -> LogOptions {
        let exchange = self.boolean("log.exchange").then(|| self.output("log.exchange"));
        let mut file = self.log_file();
        // RabbitMQ writes a file and shows nothing; here it is the other way round until a file is asked for.
        let mut has_console = match self.settings.contains_key("log.console") {
            true => self.boolean("log.console"),
            false => file.is_none(),
        };
        let mut is_console_kept = false;
        // Nor is RabbitMQ ever without an output: it then writes its file.
        if !has_console && file.is_none() && exchange.is_none() {
            file = self.directory().map(|directory| self.file_at(LogPlace::Directory(directory)));
            is_console_kept = file.is_none();
            has_console = is_console_kept;
        }
        LogOptions {
            is_console_kept,
            console: has_console.then(|| ConsoleOptions {
                output: self.output("log.console"),
                stdio: self.choice("log.console.stdio", crate::options::LogStdio::from_word),
                colors: self.boolean("log.console.use_colors").then(|| self.colors()),
            }),
            file,
            exchange,
            default_level: self.level("log.default.level"),
            category_levels: CATEGORIES
                .into_iter()
                .filter_map(|category| Some((category.to_owned(), self.level(&format!("log.{category}.level"))?)))
                .collect(),
            category_files: CATEGORIES
                .into_iter()
                .filter_map(|category| Some((category.to_owned(), self.category_file(category)?)))
                .collect(),
        }
    }

    fn level(&self, key: &str) -> Option<LogLevel> {
        let given = self.settings.get(key)?;
        // Comparisons are from RabbitMQ 3.6, which took them for the level that they name.
        let text = given.setting.shown_value().trim_start_matches(['=', '!', '<']);
        word(&given.value, LogLevel::from_word).or_else(|| LogLevel::from_word(text))
    }

    fn output(&self, prefix: &str) -> LogOutputOptions {
        LogOutputOptions { level: self.level(&format!("{prefix}.level")), formatter: self.formatter(prefix) }
    }

    fn formatter(&self, prefix: &str) -> LogFormatter {
        let key = |name: &str| format!("{prefix}.formatter{name}");
        LogFormatter {
            style: self.choice(&key(""), crate::options::LogStyle::from_word),
            time_format: self.choice(&key(".time_format"), crate::options::LogTimeFormat::from_word),
            level_format: self.choice(&key(".level_format"), crate::options::LogLevelFormat::from_word),
            is_single_line: self.boolean(&key(".single_line")),
            plaintext_format: self.text(&key(".plaintext.format")),
            json_field_map: self.text(&key(".json.field_map")),
        }
    }

    fn colors(&self) -> BTreeMap<LogLevel, String> {
        let of = |level: LogLevel| {
            let key = format!("log.console.color_esc_seqs.{}", level.as_str());
            let text = self.optional_text(&key).unwrap_or_default();
            (level, text.replace("\\033", "\u{1b}").replace("\\e", "\u{1b}"))
        };
        LogLevel::ALL.into_iter().map(of).collect()
    }

    /// With `log.file`, or in `log.dir` under the node's name.
    fn log_file(&self) -> Option<LogFileOptions> {
        let directory = self.directory();
        let place = match self.settings.contains_key("log.file") {
            true => LogPlace::File(directory.unwrap_or_default().join(self.optional_text("log.file")?)),
            false => LogPlace::Directory(directory?),
        };
        Some(self.file_at(place))
    }

    fn directory(&self) -> Option<PathBuf> {
        self.optional_text("log.dir").map(PathBuf::from)
    }

    fn file_at(&self, place: LogPlace) -> LogFileOptions {
        LogFileOptions { output: self.output("log.file"), place, rotation: self.rotation("log.file") }
    }

    fn category_file(&self, category: &str) -> Option<LogFileOptions> {
        let directory = self.directory().unwrap_or_default();
        Some(LogFileOptions {
            output: self.output("log.file"),
            place: LogPlace::File(directory.join(self.optional_text(&format!("log.{category}.file"))?)),
            rotation: self.rotation(&format!("log.{category}")),
        })
    }

    fn rotation(&self, prefix: &str) -> LogRotation {
        let key = |name: &str| format!("{prefix}.rotation.{name}");
        LogRotation {
            date: self.optional_text(&key("date")).and_then(|text| RotationDate::parse(&text)),
            size_bytes: self.limit(&key("size")).filter(|bytes| *bytes > 0),
            count: self.integer(&key("count")),
            compress: self.boolean(&key("compress")),
        }
    }
}
