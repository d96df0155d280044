//! Options and arguments, which may stand in any order.

use crate::formatter::Formatter;
use crate::options::{Kind, SWITCHES, Switch};
use std::collections::BTreeMap;

/// A command line taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) command: Option<String>,
    pub(crate) positional: Vec<String>,
    pub(crate) formatter: Formatter,
    pub(crate) quiet: bool,
    pub(crate) silent: bool,
    pub(crate) no_table_headers: bool,
    pub(crate) help: bool,
    /// By name; flags have an empty text.
    options: BTreeMap<&'static str, String>,
}

/// What the user wrote that means nothing, each with its value.
pub(crate) type Invalid = Vec<(String, String)>;

/// The command line before it is known what its options mean, which depends on the command.
#[derive(Debug, Default)]
pub(crate) struct Words {
    given: Vec<(String, Option<String>)>,
    positional: Vec<String>,
}

impl Words {
    /// Takes a command line apart into options with their values, and what is no option.
    pub(crate) fn split(arguments: &[String]) -> Words {
        let mut words = Words::default();
        let mut rest = arguments.iter().peekable();
        let mut options_over = false;
        while let Some(argument) = rest.next() {
            if options_over || !argument.starts_with('-') || argument == "-" || is_number(argument) {
                words.positional.push(argument.to_owned());
            } else if argument == "--" {
                options_over = true;
            } else {
                let mut options = taken_apart(argument);
                if let Some((name, value @ None)) = options.last_mut() {
                    // Whatever shares a name is of the same kind, or nearly.
                    let takes_value = SWITCHES.iter().any(|switch| switch.is_called(name) && switch.kind != Kind::Flag);
                    *value = rest.next_if(|next| takes_value && !is_option(next)).cloned();
                }
                words.given.append(&mut options);
            }
        }
        words
    }

    /// The command's name.
    pub(crate) fn command(&self) -> Option<&str> {
        self.positional.first().map(String::as_str)
    }

    /// True if help was asked for.
    pub(crate) fn wants_help(&self) -> bool {
        self.given.iter().any(|(name, _)| name == "--help" || name == "-?")
    }

    /// Gives the options the meaning that they have for a command with this usage.
    pub(crate) fn resolve(self, usage: &str) -> Result<Arguments, Invalid> {
        let mut positional = self.positional.into_iter();
        let mut arguments = Arguments { command: positional.next(), ..Arguments::default() };
        arguments.positional = positional.collect();
        let mut invalid = Invalid::new();
        for (name, value) in self.given {
            let found = SWITCHES.iter().find(|switch| switch.is_called(&name) && switch.belongs_to(usage));
            match found.filter(|switch| fits(switch, value.as_deref())) {
                Some(switch) => drop(arguments.options.insert(switch.name, value.unwrap_or_default())),
                None => invalid.push((name, value.unwrap_or_default())),
            }
        }
        if let Some(name) = arguments.options.get("formatter") {
            match Formatter::named(name) {
                Some(formatter) => arguments.formatter = formatter,
                None => invalid.push(("--formatter".to_owned(), name.clone())),
            }
        }
        arguments.quiet = arguments.flag("quiet");
        arguments.silent = arguments.flag("silent");
        arguments.no_table_headers = arguments.flag("no-table-headers");
        arguments.help = arguments.flag("help");
        if invalid.is_empty() { Ok(arguments) } else { Err(invalid) }
    }
}

/// The options that an argument is: `--name=value` is one, `-qt10` is `-q` and `-t` with a value.
fn taken_apart(argument: &str) -> Vec<(String, Option<String>)> {
    let (name, value) = match argument.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (argument, None),
    };
    if name.starts_with("--") {
        return vec![(name.to_owned(), value)];
    }
    let letters = name.get(1..).unwrap_or_default();
    let (letters, number) =
        letters.split_at(letters.find(|letter: char| letter.is_ascii_digit()).unwrap_or(letters.len()));
    let value = if number.is_empty() { value } else { Some(number.to_owned()) };
    let mut options: Vec<_> = letters.chars().map(|letter| (format!("-{letter}"), None)).collect();
    match options.last_mut() {
        Some(last) => last.1 = value,
        None => options.push((argument.to_owned(), None)),
    }
    options
}

fn is_number(word: &str) -> bool {
    word.ends_with(|last: char| last.is_ascii_digit()) && word.parse::<f64>().is_ok()
}

/// A number may be negative; nothing else that follows an option begins with a dash.
fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-') && word.parse::<i64>().is_err()
}

fn fits(switch: &Switch, value: Option<&str>) -> bool {
    match switch.kind {
        Kind::Flag => value.is_none_or(|value| value == "true"),
        Kind::Text => value.is_some(),
        Kind::Number => value.is_some_and(|value| value.parse::<i64>().is_ok()),
    }
}

impl Arguments {
    /// The value of an option.
    pub(crate) fn option(&self, name: &str) -> Option<&str> {
        debug_assert!(SWITCHES.iter().any(|switch| switch.name == name), "no option is called {name}");
        self.options.get(name).map(String::as_str)
    }

    /// True if an option is there.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.option(name).is_some()
    }

    /// The number behind an option.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.option(name).and_then(|value| value.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str, usage: &str) -> Result<Arguments, Invalid> {
        Words::split(&line.split(' ').map(str::to_owned).collect::<Vec<_>>()).resolve(usage)
    }

    #[test]
    fn options_stand_anywhere() {
        for line in ["-n rabbit@h -q list_queues -p v name", "list_queues name --vhost=v --quiet --node rabbit@h"] {
            let parsed = parse(line, "").unwrap();
            assert_eq!(parsed.command.as_deref(), Some("list_queues"), "{line}");
            assert_eq!((parsed.option("vhost"), parsed.option("node")), (Some("v"), Some("rabbit@h")), "{line}");
            assert_eq!(parsed.positional, ["name"], "{line}");
            assert!(parsed.quiet, "{line}");
        }
    }

    #[test]
    fn behind_two_dashes_nothing_is_an_option() {
        assert_eq!(parse("add_user -- u -q", "").unwrap().positional, ["u", "-q"]);
    }

    #[test]
    fn what_is_no_option_is_named() {
        let invalid = |name: &str, value: &str| Err(vec![(name.to_owned(), value.to_owned())]);
        assert_eq!(parse("list_users --nope", ""), invalid("--nope", ""));
        assert_eq!(parse("list_users --vhost", ""), invalid("--vhost", ""));
        assert_eq!(parse("list_users -t abc", ""), invalid("-t", "abc"));
        assert_eq!(parse("list_users --global", ""), invalid("--global", ""));
        assert_eq!(parse("list_users --formatter nope", ""), invalid("--formatter", "nope"));
    }

    #[test]
    fn letters_may_be_joined() {
        for line in ["list_queues -qp v", "-sqp v list_queues", "list_queues -q -p=v", "-qt10 list_queues -p v"] {
            let parsed = parse(line, "").unwrap();
            assert_eq!((parsed.quiet, parsed.option("vhost")), (true, Some("v")), "{line}");
            assert_eq!((parsed.command.as_deref(), parsed.positional.len()), (Some("list_queues"), 0), "{line}");
        }
        assert_eq!(parse("list_queues -t10", "").unwrap().number("timeout"), Some(10));
        assert_eq!(parse("list_queues -t=10", "").unwrap().number("timeout"), Some(10));
        let invalid = [("-p", ""), ("-x", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parse("list_queues -px", ""), Err(invalid.to_vec()));
    }

    #[test]
    fn numbers_are_no_options() {
        assert_eq!(parse("set_vm_memory_high_watermark -1", "").unwrap().positional, ["-1"]);
        assert_eq!(parse("ping -t -1", "").unwrap().number("timeout"), Some(-1));
    }

    #[test]
    fn a_letter_means_what_its_command_says() {
        let of = |usage| parse("x -d 7", usage).unwrap();
        assert_eq!(of("[--duration|-d <seconds>]").number("duration"), Some(7));
        assert_eq!(of("[--description|-d <text>]").option("description"), Some("7"));
    }
}
