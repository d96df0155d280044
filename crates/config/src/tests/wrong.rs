//! Values of the wrong type or out of range, for every key of the table: one line that says where, which, and what instead.

use std::collections::BTreeSet;

use super::load_all;
use crate::{KeySpec, Kind, Loader, table};

/// Values that a type does not take; empty where it takes any text.
fn wrong(kind: Kind) -> Vec<String> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    // What is one below and one above the bounds, where numbers go on beyond them.
    let beyond = |min: i64, max: i64| {
        [min.checked_sub(1), max.checked_add(1)].into_iter().flatten().map(|number| number.to_string()).collect()
    };
    match kind {
        Kind::Boolean => texts(&["yes", "1", "True", "enabled"]),
        Kind::Integer { min, max } => {
            [texts(&["many", "1.5", "0x10", "99999999999999999999"]), beyond(min, max)].concat()
        }
        Kind::Fraction { min, max } => {
            let mut all = texts(&["half", "0,5", "NaN", "inf", "-0.1"]);
            all.extend([min - 1.0, max + 1.0].iter().filter(|number| number.is_finite()).map(ToString::to_string));
            all
        }
        Kind::Size { min, max } | Kind::InformationUnit { min, max } => {
            [texts(&["large", "10 bytes", "MB", "1.5.5GB", "99999999999GB"]), beyond(min, max)].concat()
        }
        Kind::Duration { min_ms } => [texts(&["soon", "10 fortnights", "s", "5m3"]), beyond(min_ms, i64::MAX)].concat(),
        Kind::Interval { .. } => texts(&["50", "interval:", "interval:0", "interval:soon"]),
        Kind::Choice(_) => texts(&["nonsense", "true false"]),
        Kind::Either(_, other) => wrong(*other).into_iter().filter(|text| kind.read(text).is_none()).collect(),
        Kind::Listener => texts(&["amqp", "host:5672", "127.0.0.1", "65536", "127.0.0.1:0:1", "[::1]:x"]),
        Kind::Ip => texts(&["localhost", "127.0.0.256", "127.0.0.1:5672"]),
        Kind::Version => texts(&["4", "4.2", "four.two.one", "4.2.0.1"]),
        Kind::LdapQuery => texts(&["true", "{constant, maybe}", "{in_group}", "[{constant, true}]"]),
        Kind::LdapTags => texts(&["{constant, true}", "[{management}]", "[management]"]),
        Kind::NodeName => texts(&["../evil@h", "rabbit@host name", "@h", "rabbit@", "..", ".@h", "rabbit@..", "a@b@c"]),
        Kind::RotationDate => texts(&["daily", "$D24", "$X0"]),
        // No file can give an empty value: that is no line of a key.
        Kind::Text | Kind::Secret | Kind::Name | Kind::Path | Kind::List => Vec::new(),
    }
}

/// The key of a row as a file can have it.
fn written(row: &KeySpec) -> String {
    let words = row.pattern.split('.').map(|word| if word.starts_with('$') { "1" } else { word });
    words.collect::<Vec<_>>().join(".")
}

/// One file after the other, each with another wrong value for every key.
#[test]
fn every_key_refuses_what_it_does_not_take_with_one_line() {
    let mut tried = 0;
    for round in 0.. {
        let values = table().filter_map(|row| Some((row, written(row), wrong(row.kind).get(round)?.clone())));
        let rows: Vec<(&KeySpec, String, String)> = values.collect();
        if rows.is_empty() {
            break;
        }
        let text: String = rows.iter().map(|(_, key, value)| format!("{key} = {value}\n")).collect();
        let mut loader = Loader::with_environment(|_| None);
        loader.text("1.conf".into(), text.as_bytes()).unwrap();
        let mut problems = Vec::new();
        loader.check(&mut problems);
        let problems: BTreeSet<String> = problems.iter().map(ToString::to_string).collect();
        for (index, (row, key, value)) in rows.iter().enumerate() {
            let line = index + 1;
            let expected = format!("1.conf:{line}: bad value `{value}` for `{key}`, expected {}", row.kind);
            assert!(problems.contains(&expected), "{expected}");
            assert!(!expected.contains('\n') && expected.len() < 2000, "{expected}");
        }
        assert_eq!(problems.len(), rows.len());
        tried += rows.len();
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn no_key_without_a_value_is_accepted() {
    for row in table() {
        let problem = load_all(&[&format!("{} =\n", written(row))], &[]).unwrap_err();
        assert_eq!(problem, format!("1.conf:1: expected KEY = VALUE, found `{}`", written(row)));
    }
}
