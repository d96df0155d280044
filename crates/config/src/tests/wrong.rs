//! Values of the wrong type or out of range, for every key of the table: one line that says where, which, and what instead.

use super::load_all;
use crate::{Effect, Kind, table};

/// Values that a type does not take; empty where it takes any text.
fn wrong(kind: Kind) -> Vec<String> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    // What is one below and one above the bounds, where numbers go on beyond them.
    let beyond = |min: i64, max: i64| {
        [min.checked_sub(1), max.checked_add(1)].into_iter().flatten().map(|number| number.to_string()).collect()
    };
    match kind {
        Kind::Boolean => texts(&["yes", "1", "True", "enabled"]),
        Kind::Integer { min, max } => [texts(&["many", "1.5", "0x10", "99999999999999999999"]), beyond(min, max)].concat(),
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
        Kind::RotationDate => texts(&["daily", "$D24", "$X0"]),
        // No file can give an empty value: that is no line of a key.
        Kind::Text | Kind::Secret | Kind::Name | Kind::Path | Kind::List => Vec::new(),
    }
}

#[test]
fn every_key_refuses_what_it_does_not_take_with_one_line() {
    let mut tried = 0;
    for row in table() {
        let key: Vec<&str> =
            row.pattern.split('.').map(|word| if word.starts_with('$') { "1" } else { word }).collect();
        let key = key.join(".");
        for value in wrong(row.kind) {
            let problem = load_all(&[&format!("# first\n{key} = {value}\n")], &[]).unwrap_err();
            let expected = match row.effect {
                Effect::Refused { .. } if row.kind.read(&value).is_some() => "is not supported".to_owned(),
                _ => format!("bad value `{value}` for `{key}`, expected {}", row.kind),
            };
            // An alias is told by the name that it stands for, and a family by what was given.
            assert!(problem.starts_with("1.conf:2: ") && problem.contains(&expected), "{key} = {value}: {problem}");
            assert!(!problem.contains('\n') && problem.len() < 2000, "{problem}");
            tried += 1;
        }
    }
    assert!(tried > 1000, "{tried}");
}

/// A secret is not repeated whatever is wrong with it.
#[test]
fn no_key_without_a_value_is_accepted() {
    for row in table() {
        let key = row.pattern.replace('$', "");
        let problem = load_all(&[&format!("{key} =\n")], &[]).unwrap_err();
        assert!(problem.starts_with("1.conf:1: expected KEY = VALUE"), "{key}: {problem}");
    }
}
