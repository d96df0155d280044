//! Checking what was given against the key table.

use std::collections::BTreeMap;

use crate::effective::{Checked, CheckedSetting};
use crate::error::Error;
use crate::key::{Effect, Key, KeySpec};
use crate::load::{Environment, Given, shortened};
use crate::nearest::nearest;
use crate::origin::Setting;
use crate::substitute::{self, Names};
use crate::table::{find, table};

/// The last of every key by canonical name, with the row that describes it.
type Merged<'a> = BTreeMap<String, (&'static KeySpec, &'a Given)>;

/// Checks the settings, of each key the last, and keeps those that are right.
///
/// What is wrong is told in order: keys that nobody knows first, then values by the names of their keys.
pub(crate) fn settings(given: &[Given], environment: &Environment, problems: &mut Vec<Error>) -> Checked {
    let merged = merge(given, problems);
    let names = Scope { merged: &merged, environment };
    let mut checked = BTreeMap::new();
    for (name, (spec, given)) in &merged {
        match check(name, spec, given, &names) {
            Ok(setting) => _ = checked.insert(name.clone(), setting),
            Err(error) => problems.push(error),
        }
    }
    Checked::new(checked)
}

fn merge<'a>(given: &'a [Given], problems: &mut Vec<Error>) -> Merged<'a> {
    let mut merged = Merged::new();
    for given in given {
        match find(&given.key) {
            Some((spec, name)) => _ = merged.insert(name, (spec, given)),
            None => problems.push(Error::UnknownKey {
                origin: given.origin.clone(),
                key: shortened(&given.key.to_string()),
                nearest: nearest(&given.key, table()),
            }),
        }
    }
    merged
}

fn check(name: &str, spec: &'static KeySpec, given: &Given, names: &Scope<'_>) -> Result<CheckedSetting, Error> {
    let origin = || given.origin.clone();
    let key = || name.to_owned();
    if !given.is_literal && given.text.starts_with("encrypted:") {
        return Err(Error::Encrypted { origin: origin(), key: key() });
    }
    let text = match given.is_literal {
        true => given.text.clone(),
        false => substitute::substitute(&given.text, names).map_err(|failure| failure.at(origin(), key()))?,
    };
    let setting = Setting { key: key(), spec, origin: origin(), text };
    let Some(value) = spec.kind.read(&setting.text) else {
        let value = shortened(setting.shown_value());
        return Err(Error::BadValue { origin: origin(), key: key(), value, expected: spec.kind.to_string() });
    };
    if let Effect::Refused { accepted } = spec.effect
        && !accepted.contains(&setting.text.as_str())
    {
        let value = shortened(setting.shown_value());
        return Err(Error::Refused { origin: origin(), key: key(), value, accepted: spec.default });
    }
    Ok(CheckedSetting { setting, value, name: given.key.last_segment().to_owned(), source: given.source })
}

/// What `$(NAME)` can refer to.
struct Scope<'a> {
    merged: &'a Merged<'a>,
    environment: &'a Environment,
}

impl Names for Scope<'_> {
    fn setting(&self, key: &Key) -> Option<&str> {
        let (_, name) = find(key)?;
        self.merged.get(&name).map(|(_, given)| given.text.as_str())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (self.environment)(name)
    }
}
