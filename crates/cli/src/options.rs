//! Every option that a command may have, as one table; which command has which stands in its usage text.

/// What follows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing: it is there or not.
    Flag,
    /// A text.
    Text,
    /// A whole number.
    Number,
}

/// An option.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Switch {
    /// Behind the two dashes.
    pub(crate) name: &'static str,
    /// Behind one dash; the same letter can stand for options of different commands.
    pub(crate) letter: Option<char>,
    pub(crate) kind: Kind,
    /// Every command takes it.
    pub(crate) is_common: bool,
    /// What it is for, where every command takes it.
    pub(crate) description: &'static str,
}

const fn common(name: &'static str, letter: Option<char>, kind: Kind, description: &'static str) -> Switch {
    Switch { name, letter, kind, is_common: true, description }
}

const fn own(name: &'static str, letter: Option<char>, kind: Kind) -> Switch {
    Switch { name, letter, kind, is_common: false, description: "" }
}

/// The options.
pub(crate) const SWITCHES: &[Switch] = &[
    common("help", Some('?'), Kind::Flag, "Prints the usage of the command"),
    common("quiet", Some('q'), Kind::Flag, "Leaves out what is only for people"),
    common("silent", Some('s'), Kind::Flag, "Leaves out what is only for people, and headers of tables"),
    common("vhost", Some('p'), Kind::Text, "The virtual host"),
    common("timeout", Some('t'), Kind::Number, "Seconds that an answer may take"),
    common("formatter", None, Kind::Text, "How results are printed"),
    common("table-headers", None, Kind::Flag, "Prints names of columns, which is the default"),
    common("no-table-headers", None, Kind::Flag, "Leaves out names of columns"),
    common("data-dir", None, Kind::Text, "The data directory of the broker"),
    common("uri", None, Kind::Text, "The broker's HTTP API, instead of its socket"),
    common("username", None, Kind::Text, "The user for --uri"),
    common("password", None, Kind::Text, "The password for --uri"),
    common("ca-certificate", None, Kind::Text, "A file of authorities that the certificate of --uri comes from"),
    common("printer", None, Kind::Text, "Accepted, and without effect: results go to standard output"),
    common("file", None, Kind::Text, "Accepted, and without effect: results go to standard output"),
    common("dry-run", None, Kind::Flag, "Does everything but what the command is for"),
    // What follows means something to Erlang, or to more nodes than one.
    common("node", Some('n'), Kind::Text, "Accepted, and without effect"),
    common("longnames", Some('l'), Kind::Flag, "Accepted, and without effect"),
    common("erlang-cookie", None, Kind::Text, "Accepted, and without effect"),
    common("mnesia-dir", None, Kind::Text, "Accepted, and without effect"),
    common("plugins-dir", None, Kind::Text, "Accepted, and without effect"),
    common("enabled-plugins-file", None, Kind::Text, "The file of enabled plugins"),
    common("rabbitmq-home", None, Kind::Text, "Accepted, and without effect"),
    common("script-name", None, Kind::Text, "Accepted, and without effect"),
    common("print-stacktrace", None, Kind::Flag, "Accepted, and without effect"),
    common("escape", None, Kind::Flag, "Accepted, and without effect"),
    common("no-escape", None, Kind::Flag, "Accepted, and without effect"),
    own("across-all-vhosts", None, Kind::Flag),
    own("address", None, Kind::Text),
    own("address-family", None, Kind::Text),
    own("all", Some('a'), Kind::Flag),
    own("apply-to", None, Kind::Text),
    own("by-source", None, Kind::Flag),
    own("cipher", None, Kind::Text),
    own("count", None, Kind::Number),
    own("decode", None, Kind::Flag),
    own("default-queue-type", None, Kind::Text),
    own("description", Some('d'), Kind::Text),
    own("details", None, Kind::Flag),
    own("disc", None, Kind::Flag),
    own("duration", Some('d'), Kind::Number),
    own("enabled", Some('E'), Kind::Flag),
    own("errors-only", None, Kind::Flag),
    own("experimental", None, Kind::Flag),
    own("fail-on", None, Kind::Text),
    own("filter", None, Kind::Text),
    own("force", None, Kind::Flag),
    own("format", None, Kind::Text),
    own("global", None, Kind::Flag),
    own("hash", None, Kind::Text),
    own("hashing-algorithm", None, Kind::Text),
    own("idempotent", None, Kind::Flag),
    own("if-empty", Some('e'), Kind::Flag),
    own("if-unused", Some('u'), Kind::Flag),
    own("implicitly-enabled", Some('e'), Kind::Flag),
    own("interval", None, Kind::Number),
    own("iterations", None, Kind::Number),
    own("limit", None, Kind::Number),
    own("list-commands", None, Kind::Flag),
    own("list-ciphers", None, Kind::Flag),
    own("list-hashes", None, Kind::Flag),
    own("local", None, Kind::Flag),
    own("membership", None, Kind::Text),
    own("minimal", Some('m'), Kind::Flag),
    own("number", Some('N'), Kind::Number),
    own("object-type", None, Kind::Text),
    own("offline", None, Kind::Flag),
    own("online", None, Kind::Flag),
    own("opt-in", None, Kind::Flag),
    own("pattern", None, Kind::Text),
    own("per-connection-delay", None, Kind::Number),
    own("pid", Some('P'), Kind::Number),
    own("pre-hashed-password", None, Kind::Flag),
    own("preferred-leader-node", None, Kind::Text),
    own("priority", None, Kind::Text),
    own("protected-from-deletion", None, Kind::Text),
    own("queue-pattern", None, Kind::Text),
    own("queue-timeout", None, Kind::Number),
    own("ram", None, Kind::Flag),
    own("rate", None, Kind::Text),
    own("routing-key", None, Kind::Text),
    own("sample-interval", None, Kind::Number),
    own("skip-if-unchanged", None, Kind::Flag),
    own("tags", None, Kind::Text),
    own("to-exchange", None, Kind::Text),
    own("to-queue", None, Kind::Text),
    own("tracking", None, Kind::Flag),
    own("unit", None, Kind::Text),
    own("used", None, Kind::Flag),
    own("user", None, Kind::Text),
    own("verbose", Some('v'), Kind::Flag),
    own("vhost-pattern", None, Kind::Text),
    own("wait", None, Kind::Flag),
    own("within", None, Kind::Number),
];

/// True if `usage` names the option.
pub(crate) fn stands_in(usage: &str, name: &str) -> bool {
    usage.match_indices(name).any(|(at, _)| {
        let ends = |byte: Option<u8>| !byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        usage.get(..at).is_some_and(|before| before.ends_with("--") && !before.ends_with("---"))
            && ends(usage.as_bytes().get(at + name.len()).copied())
    })
}

impl Switch {
    /// True if a command with this usage takes it.
    pub(crate) fn belongs_to(&self, usage: &str) -> bool {
        self.is_common || stands_in(usage, self.name)
    }

    /// True if `given` is a name of it.
    pub(crate) fn is_called(&self, given: &str) -> bool {
        match given.strip_prefix("--") {
            Some(long) => long.replace('_', "-") == self.name,
            None => given.strip_prefix('-').is_some_and(|short| {
                let mut letters = short.chars();
                letters.next().is_some_and(|letter| self.letter == Some(letter)) && letters.next().is_none()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands;

    #[test]
    fn usages_name_options_of_the_table() {
        for command in commands::all() {
            for word in command.usage.split(['[', ']', ' ', '|']).filter_map(|word| word.strip_prefix("--")) {
                assert!(SWITCHES.iter().any(|switch| switch.name == word), "{}: --{word}", command.name);
            }
        }
    }

    #[test]
    fn names_are_found_whole() {
        assert!(stands_in("[--if-empty|-e]", "if-empty"));
        assert!(!stands_in("[--to-queue <queue>]", "queue"));
        assert!(!stands_in("[--within <period>]", "with"));
    }

    #[test]
    fn underscores_are_as_good_as_dashes() {
        let switch = SWITCHES.iter().find(|switch| switch.name == "apply-to").expect("it is in the table");
        assert!(switch.is_called("--apply_to") && switch.is_called("--apply-to") && !switch.is_called("--apply"));
    }
}
