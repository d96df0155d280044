//! Options and arguments, which may stand in any order.

/// A command line taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) command: Option<String>,
    pub(crate) positional: Vec<String>,
    pub(crate) vhost: Option<String>,
    pub(crate) node: Option<String>,
    pub(crate) data_dir: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) priority: Option<String>,
    pub(crate) apply_to: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) tags: Option<String>,
    pub(crate) default_queue_type: Option<String>,
    /// Of the file, not of what is printed.
    pub(crate) format: Option<String>,
    pub(crate) count: Option<String>,
    pub(crate) rate: Option<String>,
    pub(crate) filter: Option<String>,
    pub(crate) to_queue: Option<String>,
    pub(crate) to_exchange: Option<String>,
    pub(crate) routing_key: Option<String>,
    pub(crate) formatter: Formatter,
    pub(crate) quiet: bool,
    pub(crate) silent: bool,
    pub(crate) no_table_headers: bool,
    pub(crate) global: bool,
    pub(crate) if_empty: bool,
    pub(crate) if_unused: bool,
    pub(crate) help: bool,
}

/// How lists are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Formatter {
    /// Columns with a tab between them.
    #[default]
    Table,
    /// An array of objects, one in a line.
    Json,
    /// Quoted cells with commas between them.
    Csv,
}

impl Arguments {
    /// Takes a command line apart; the error is a line for the user.
    pub(crate) fn parse(arguments: &[String]) -> Result<Arguments, String> {
        let mut parsed = Arguments::default();
        let mut rest = arguments.iter();
        let mut options_over = false;
        while let Some(argument) = rest.next() {
            if options_over || !argument.starts_with('-') || argument == "-" {
                parsed.take_positional(argument);
            } else if argument == "--" {
                options_over = true;
            } else {
                let (name, inline) = match argument.split_once('=') {
                    Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                    _ => (argument.as_str(), None),
                };
                if parsed.take_flag(name) {
                    continue;
                }
                let value = inline.or_else(|| rest.next().cloned());
                parsed.take_option(name, value)?;
            }
        }
        Ok(parsed)
    }

    fn take_positional(&mut self, argument: &str) {
        if self.command.is_none() {
            self.command = Some(argument.to_owned());
        } else {
            self.positional.push(argument.to_owned());
        }
    }

    fn take_flag(&mut self, name: &str) -> bool {
        match name {
            "-q" | "--quiet" => self.quiet = true,
            "-s" | "--silent" => self.silent = true,
            "--no-table-headers" => self.no_table_headers = true,
            "--global" => self.global = true,
            "-e" | "--if-empty" => self.if_empty = true,
            "-u" | "--if-unused" => self.if_unused = true,
            "-?" | "--help" => self.help = true,
            // On one node these mean nothing.
            "-l"
            | "--longnames"
            | "--online"
            | "--local"
            | "--table-headers"
            | "--no-escape"
            | "--skip-if-unchanged" => {}
            _ => return false,
        }
        true
    }

    fn take_option(&mut self, name: &str, value: Option<String>) -> Result<(), String> {
        let place = match name {
            "-p" | "--vhost" => &mut self.vhost,
            "-n" | "--node" => &mut self.node,
            "--data-dir" => &mut self.data_dir,
            // Answers come within the client's own bound; there is no cookie.
            "-t" | "--timeout" | "--erlang-cookie" => return missing(name, value).map(drop),
            "--user" => &mut self.user,
            "--priority" => &mut self.priority,
            "--apply-to" => &mut self.apply_to,
            "-d" | "--description" => &mut self.description,
            "--tags" => &mut self.tags,
            "--count" => &mut self.count,
            "--rate" => &mut self.rate,
            "--filter" => &mut self.filter,
            "--to-queue" => &mut self.to_queue,
            "--to-exchange" => &mut self.to_exchange,
            "--routing-key" => &mut self.routing_key,
            "--default-queue-type" => &mut self.default_queue_type,
            "--format" => &mut self.format,
            "--formatter" => {
                self.formatter = match missing(name, value)?.as_str() {
                    "table" => Formatter::Table,
                    "json" => Formatter::Json,
                    "csv" => Formatter::Csv,
                    other => return Err(format!("formatter '{other}' is not available here yet")),
                };
                return Ok(());
            }
            _ => return Err(format!("Invalid options for this command: {name}")),
        };
        *place = Some(missing(name, value)?);
        Ok(())
    }
}

fn missing(name: &str, value: Option<String>) -> Result<String, String> {
    value.ok_or_else(|| format!("option {name} needs a value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_stand_anywhere() {
        for line in ["-n rabbit@h -q list_queues -p v name", "list_queues name --vhost=v --quiet --node rabbit@h"] {
            let parsed = parse(line).unwrap();
            assert_eq!(parsed.command.as_deref(), Some("list_queues"), "{line}");
            assert_eq!((parsed.vhost.as_deref(), parsed.node.as_deref()), (Some("v"), Some("rabbit@h")), "{line}");
            assert_eq!(parsed.positional, ["name"], "{line}");
            assert!(parsed.quiet, "{line}");
        }
    }

    #[test]
    fn behind_two_dashes_nothing_is_an_option() {
        assert_eq!(parse("add_user -- u -q").unwrap().positional, ["u", "-q"]);
    }

    #[test]
    fn what_is_no_option_is_named() {
        assert_eq!(parse("list_users --nope").unwrap_err(), "Invalid options for this command: --nope");
        assert_eq!(parse("list_users --vhost").unwrap_err(), "option --vhost needs a value");
    }
}
