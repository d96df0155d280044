//! The formats in which results are printed.

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Formatter {
    /// Columns with a tab between them, or plain text.
    #[default]
    Table,
    /// Columns in a frame.
    PrettyTable,
    /// An array of objects, one in a line.
    Json,
    /// Objects, one in a line.
    JsonStream,
    /// Cells with commas between them.
    Csv,
    /// Erlang terms.
    Erlang,
    /// Every value in a line of its own.
    StringPerLine,
    /// As in a report: like a table.
    Report,
}

const NAMES: [(&str, Formatter); 11] = [
    ("table", Formatter::Table),
    ("pretty_table", Formatter::PrettyTable),
    ("json", Formatter::Json),
    ("json_stream", Formatter::JsonStream),
    ("csv", Formatter::Csv),
    ("erlang", Formatter::Erlang),
    ("string_per_line", Formatter::StringPerLine),
    ("report", Formatter::Report),
    ("string", Formatter::Table),
    ("inspect", Formatter::Erlang),
    ("plugins", Formatter::Table),
];

impl Formatter {
    /// The formatter of this name.
    pub(crate) fn named(name: &str) -> Option<Formatter> {
        // RabbitMQ makes the name of a module of it: `prettyTable` is as good.
        let name = name.to_ascii_lowercase();
        NAMES
            .iter()
            .find(|(known, _)| *known == name || known.replace('_', "") == name)
            .map(|(_, formatter)| *formatter)
    }

    /// True where what is for people would be in the way.
    pub(crate) fn is_for_machines(self) -> bool {
        matches!(self, Formatter::Json | Formatter::JsonStream | Formatter::Csv)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_formatter_of_rabbitmq_has_its_name() {
        assert_eq!(Formatter::named("pretty_table"), Some(Formatter::PrettyTable));
        assert_eq!(Formatter::named("json_stream"), Some(Formatter::JsonStream));
        assert_eq!(Formatter::named("nope"), None);
    }
}
