//! `log.*`.

use super::{Checked, word};
use crate::options::{LogLevel, LogOptions};

impl Checked {
    pub(super) fn log(&self) -> LogOptions {
        LogOptions {
            console: self.boolean("log.console"),
            console_level: self.choice("log.console.level", LogLevel::from_word),
            default_level: self.choice("log.default.level", LogLevel::from_word),
            category_levels: ["connection", "channel", "queue", "user", "upgrade"]
                .into_iter()
                .filter_map(|category| {
                    let given = self.settings.get(&format!("log.{category}.level"))?;
                    Some((category.to_owned(), word(&given.value, LogLevel::from_word)?))
                })
                .collect(),
        }
    }
}
