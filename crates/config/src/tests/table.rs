//! The key table against what RabbitMQ knows, and against itself.

use std::collections::BTreeSet;

use crate::{Effect, Loader, markdown_table, table};

/// The names of every key in the schemas of RabbitMQ 3.8 to 4.3 and of the plugins that come with it.
const KNOWN_KEYS: &str = include_str!("known_keys.txt");

fn load(key: &str, value: &str) -> Result<crate::Config, String> {
    let mut loader = Loader::with_environment(|_| None);
    loader.set(&format!("{key}={value}")).map_err(|error| error.to_string())?;
    loader.load().map_err(|error| error.to_string())
}

/// A key of the family: what stands for a wildcard is any segment.
fn member(pattern: &str) -> String {
    pattern.replace('$', "some_")
}

#[test]
fn every_key_that_rabbitmq_knows_is_recognised() {
    let unknown: Vec<_> = KNOWN_KEYS
        .lines()
        .filter(|key| load(&member(key), "?").is_err_and(|error| error.contains("unknown key")))
        .collect();
    assert_eq!(unknown, Vec::<&str>::new());
}

#[test]
fn every_key_is_known_to_rabbitmq_or_is_listed_here() {
    let known: BTreeSet<_> = KNOWN_KEYS.lines().map(wildcards).collect();
    let own: Vec<_> = table()
        .map(|row| row.pattern.as_str())
        .filter(|pattern| !pattern.starts_with("leveret.") && !known.contains(&wildcards(pattern)))
        .collect();
    assert_eq!(own, ["default_consumer_prefetch", "trust_store.ssl_options.honor_ecc_order"]);
}

/// The pattern with every wildcard named alike.
fn wildcards(pattern: &str) -> String {
    let segments: Vec<_> =
        pattern.split('.').map(|segment| if segment.starts_with('$') { "$" } else { segment }).collect();
    segments.join(".")
}

#[test]
fn every_example_is_accepted() {
    for row in table() {
        let key = member(&row.pattern);
        let config = load(&key, row.example()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.ignored.contains(&key), row.effect == Effect::Ignored, "{key}");
        for alias in row.aliases {
            let setting = load(alias, row.example()).unwrap().settings.remove(0);
            assert_eq!(setting.key, row.pattern);
        }
    }
}

#[test]
fn no_two_rows_describe_the_same_key() {
    let mut seen = BTreeSet::new();
    for name in table().flat_map(|row| row.aliases.iter().copied().chain([row.pattern.as_str()])) {
        assert!(seen.insert(wildcards(name)), "{name} is described twice");
    }
}

#[test]
fn every_default_is_of_its_rows_type() {
    for row in table().filter(|row| !row.default.is_empty()) {
        assert!(row.kind.read(row.default).is_some(), "{}", row.pattern);
    }
}

#[test]
fn docs_are_one_line_without_a_period() {
    for row in table() {
        assert!(!row.doc.is_empty() && !row.doc.contains('\n') && !row.doc.ends_with('.'), "{}", row.pattern);
    }
}

#[test]
fn the_markdown_table_has_each_row() {
    let markdown = markdown_table();
    let lines: Vec<_> = markdown.lines().skip(2).collect();
    assert_eq!(lines.len(), table().count());
    for (line, row) in lines.iter().zip(table()) {
        assert!(line.starts_with(&format!("| `{}`", row.pattern)), "{line}");
        assert!(row.aliases.iter().all(|alias| line.contains(&format!("`{alias}`"))), "{line}");
        assert_eq!(line.replace("\\|", "").matches('|').count(), 7, "{line}");
        assert!(line.contains(row.doc), "{line}");
    }
}
