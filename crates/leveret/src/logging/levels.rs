//! What is shown where: levels of categories and of outputs.

use config::{LogLevel, LogOptions};

/// Categories; what belongs to none of the others is of the first.
pub(super) const CATEGORIES: [&str; 6] = ["default", "connection", "channel", "queue", "user", "upgrade"];

/// What a record may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Console,
    /// For a category with a file of its own that one.
    File,
    Exchange,
}

/// Levels in force.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    /// Outer `None` where there is no such output, inner where it has no level of its own.
    console: Option<Option<LogLevel>>,
    file: Option<Option<LogLevel>>,
    exchange: Option<Option<LogLevel>>,
    /// Categories with a file of their own, which go nowhere else, as in RabbitMQ.
    own_files: [bool; CATEGORIES.len()],
    /// By category; `None` where it has none of its own.
    categories: [Option<LogLevel>; CATEGORIES.len()],
    /// Set while the process runs: counts for every output.
    overrides: [Option<LogLevel>; CATEGORIES.len()],
}

impl Levels {
    pub(super) fn new(options: &LogOptions) -> Self {
        Self {
            console: options.console.as_ref().map(|console| console.output.level),
            file: options.file.as_ref().map(|file| file.output.level),
            exchange: options.exchange.as_ref().map(|exchange| exchange.level),
            own_files: CATEGORIES.map(|category| options.category_files.contains_key(category)),
            categories: CATEGORIES
                .map(|category| options.category_levels.get(category).copied().or(options.default_level)),
            overrides: [None; CATEGORIES.len()],
        }
    }

    /// The category of a target.
    pub(super) fn category(target: &str) -> usize {
        CATEGORIES.iter().position(|category| *category == target).unwrap_or(0)
    }

    pub(super) fn set_all(&mut self, level: LogLevel) {
        self.overrides = [Some(level); CATEGORIES.len()];
    }

    /// False where there is no such category.
    pub(super) fn set_category(&mut self, name: &str, level: LogLevel) -> bool {
        let category = CATEGORIES.iter().position(|category| *category == name);
        let found = category.and_then(|category| self.overrides.get_mut(category));
        found.map(|of_category| *of_category = Some(level)).is_some()
    }

    /// Whether an output gets what a category says with this level.
    pub(super) fn takes(&self, output: Output, category: usize, level: LogLevel) -> bool {
        self.threshold(output, category).is_some_and(|threshold| level >= threshold)
    }

    /// The least severe level that any output takes; what is in memory is shown too, so it is an output like the console.
    pub(super) fn least(&self, category: usize) -> LogLevel {
        let outputs = [Output::Console, Output::File, Output::Exchange];
        let thresholds = outputs.into_iter().filter_map(|output| self.threshold(output, category));
        thresholds.min().unwrap_or_else(|| self.of(None, category))
    }

    /// `None` where there is no such output.
    fn threshold(&self, output: Output, category: usize) -> Option<LogLevel> {
        let own = match (output, self.own_files.get(category)) {
            (Output::File, Some(true)) => Some(None),
            (_, Some(true)) => None,
            (Output::Console, _) => self.console,
            (Output::File, _) => self.file,
            (Output::Exchange, _) => self.exchange,
        };
        own.map(|own| self.of(own, category))
    }

    /// A category and an output that both have a level: the more severe counts, as in RabbitMQ.
    fn of(&self, output: Option<LogLevel>, category: usize) -> LogLevel {
        if let Some(level) = self.overrides.get(category).copied().flatten() {
            return level;
        }
        match (self.categories.get(category).copied().flatten(), output) {
            (Some(category), Some(output)) => category.max(output),
            (Some(level), None) | (None, Some(level)) => level,
            (None, None) => LogLevel::Info,
        }
    }
}
