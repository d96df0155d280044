//! Help, from the tables of options and objects.

use super::objects::{self, Object, Verb};
use super::options::KNOWN;

const USAGE: &str = "Usage\n=====\n  rabbitmqadmin [options] subcommand\n";

/// The options.
pub(super) fn overview() -> String {
    let mut text = format!("{USAGE}\nOptions\n=======\n");
    for (letter, name, value, description) in KNOWN {
        let long = value.map_or_else(|| format!("--{name}"), |value| format!("--{name}={value}"));
        let short = match (letter, value) {
            (Some(letter), Some(value)) => format!(", -{letter} {value}"),
            (Some(letter), None) => format!(", -{letter}"),
            (None, _) => String::new(),
        };
        text.push_str(&format!("{long}{short}\n                        {description}\n"));
    }
    text.push_str(
        "\nMore Help\n=========\n\n  rabbitmqadmin help subcommands  # what can be done\n  \
         rabbitmqadmin help config       # the configuration file\n",
    );
    text
}

fn title(name: &str) -> String {
    format!("\n{name}\n{}\n\n", "=".repeat(name.len()))
}

fn stanza(object: &Object, verb: &str) -> String {
    let mandatory: Vec<String> =
        object.mandatory.iter().map(|name| format!("{}=...", name.replace('|', "=... OR "))).collect();
    let optional: Vec<String> = object.optional.iter().map(|(name, _)| format!("{name}=...")).collect();
    let optional = if optional.is_empty() { String::new() } else { format!(" [{}]", optional.join(" ")) };
    format!(" {verb} {} {}{optional}\n", object.name, mandatory.join(" "))
}

/// What can be done.
pub(super) fn subcommands() -> String {
    let mut text = format!("{USAGE}\n  where subcommand is one of:\n{}", title("Display"));
    for (verb, kinds) in [("list", objects::LISTABLE), ("show", objects::SHOWABLE)] {
        text.extend(kinds.iter().map(|listed| format!("  {verb} {} [<column>...]\n", listed.name)));
    }
    text.push_str(&title("Object Manipulation"));
    let verbs =
        [(" declare", Verb::Declare), (" delete", Verb::Delete), (" close", Verb::Close), (" purge", Verb::Purge)];
    for (word, verb) in verbs {
        text.extend(objects::all(verb).iter().map(|object| stanza(object, word)));
    }
    text.push_str(&title("Broker Definitions"));
    text.push_str("  export <file>\n  import <file>\n");
    text.push_str(&title("Publishing and Consuming"));
    text.extend([&objects::PUBLISH, &objects::GET].map(|object| stanza(object, "")));
    text.push_str(
        "\n  * publish without payload takes it from standard input\n  * get with payload_file writes the one payload \
         into that file\n",
    );
    text
}

/// The configuration file.
pub(super) fn configuration() -> String {
    format!(
        "{USAGE}{}  A section for each host, chosen with -N; that of the name default where none is chosen.\n  \
         The file is ~/.rabbitmqadmin.conf, or that of -c.\n{}  [default]\n  hostname = localhost\n  port = 15672\n  \
         username = guest\n  password = guest\n  vhost = /\n  declare_vhost = /\n\n  [secure]\n  hostname = broker.example.com\n  \
         port = 15671\n  ssl = True\n  ssl_ca_cert_file = /path/to/ca.pem\n",
        title("Configuration File"),
        title("Example")
    )
}

/// A script that completes verbs, kinds and names.
pub(super) fn bash_completion() -> String {
    let kinds = |verb: Verb| objects::all(verb).iter().map(|object| object.name).collect::<Vec<_>>().join(" ");
    let listed = |kinds: &[objects::Listed]| kinds.iter().map(|kind| kind.name).collect::<Vec<_>>().join(" ");
    let mut cases = String::new();
    for (word, words) in [
        ("list", listed(objects::LISTABLE)),
        ("show", listed(objects::SHOWABLE)),
        ("declare", kinds(Verb::Declare)),
        ("delete", kinds(Verb::Delete)),
        ("close", kinds(Verb::Close)),
        ("purge", kinds(Verb::Purge)),
        ("help", "subcommands config".to_owned()),
        ("-f|--format", "raw_json pretty_json tsv long table kvp bash".to_owned()),
    ] {
        cases.push_str(&format!("        {word}) words='{words}' ;;\n"));
    }
    let options: Vec<String> = KNOWN.iter().map(|known| format!("--{}", known.1)).collect();
    format!(
        "# Completion of rabbitmqadmin for bash.\n_rabbitmqadmin() {{\n    local words='list show declare delete close \
         purge publish get export import help {}'\n    case \"${{COMP_WORDS[COMP_CWORD-1]}}\" in\n{cases}    \
         -V|--vhost) words=\"$(rabbitmqadmin -q -f bash list vhosts)\" ;;\n    esac\n    \
         COMPREPLY=($(compgen -W \"$words\" -- \"${{COMP_WORDS[COMP_CWORD]}}\"))\n}}\ncomplete -F _rabbitmqadmin rabbitmqadmin\n",
        options.join(" ")
    )
}
