//! Names that must not be empty: an empty segment of a path is another path, that of all such objects.

use crate::arguments::Arguments;
use crate::commands::Command;
use crate::exit::{self, Failure};
use crate::{Invocation, help, options};

/// What stands for a name in a usage text, and what a message calls it.
const NAMES: [(&str, &str); 6] = [
    ("username", "user"),
    ("vhost", "virtual host"),
    ("queue", "queue name"),
    ("queue_name", "queue name"),
    ("component_name", "component name"),
    ("name", "name"),
];
/// Commands whose name is a text to show, which may be empty.
const FREE: [&str; 1] = ["set_cluster_name"];

/// Fails for an empty virtual host, user or other name that the command needs.
pub(crate) fn check(invocation: &Invocation, command: &Command, arguments: &Arguments) -> Result<(), Failure> {
    let takes = |option: &str| options::stands_in(command.usage, option);
    if takes("vhost") && arguments.option("vhost") == Some("") {
        return Err(Failure::new(exit::DATA_ERROR, "Virtual host '' does not exist"));
    }
    let in_option = takes("user") && arguments.option("user") == Some("");
    let positional = || {
        let placeholders = positional_names(command.usage);
        let given = placeholders.into_iter().zip(&arguments.positional).filter(|(_, text)| text.is_empty());
        given.filter_map(|(name, _)| NAMES.iter().find(|(known, _)| *known == name)).map(|(_, what)| *what).next()
    };
    let empty = if in_option {
        Some("user")
    } else if FREE.contains(&command.name) {
        None
    } else {
        positional()
    };
    match empty {
        Some(what) => {
            let problem = format!("Bad argument: {what} cannot be an empty string");
            Err(help::invalid(invocation, Some(command), &problem, exit::DATA_ERROR))
        }
        None => Ok(()),
    }
}

/// What the positional arguments of a usage text are called, in their order.
fn positional_names(usage: &str) -> Vec<&str> {
    let (mut names, mut rest) = (Vec::new(), usage);
    while let Some(at) = rest.find(['[', '<']) {
        let (_, found) = rest.split_at(at);
        let (opening, closing) = if found.starts_with("[--") { ('[', ']') } else { ('<', '>') };
        let Some(inside) = found.strip_prefix(opening) else {
            // The bracket of an argument that may be left out.
            rest = found.get(1..).unwrap_or_default();
            continue;
        };
        let Some((inside, behind)) = inside.split_once(closing) else { break };
        if opening == '<' {
            names.push(inside);
        }
        rest = behind;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_no_arguments() {
        for (usage, names) in [
            ("", vec![]),
            ("<username> <password>", vec!["username", "password"]),
            ("[--vhost <vhost>] <username> [<exchange>]", vec!["username", "exchange"]),
            ("[--vhost <vhost>] <queue_name> [--if-empty|-e] [--if-unused|-u]", vec!["queue_name"]),
            ("<vhost> [--description <description> --tags \"<tag1>,<...>\"]", vec!["vhost"]),
            ("<username> <tag> [...]", vec!["username", "tag"]),
            ("[--vhost <vhost>] [--count <count>] [--filter <name>=<value>&...] <queue>", vec!["queue"]),
        ] {
            assert_eq!(positional_names(usage), names, "{usage}");
        }
    }
}
