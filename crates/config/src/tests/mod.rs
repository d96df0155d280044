//! One file per behaviour; each goes through [`Loader`] as the binary does.

mod advanced;
mod auth;
mod defaults;
mod effects;
mod errors;
mod fuzz;
mod loading;
mod log;
mod snippets;
mod sources;
mod substitution;
mod syntax;
mod table;
mod values;
mod wrong;

use crate::{Config, Loader};

/// Loads one file of this text, in an environment without variables.
fn load(text: &str) -> Result<Config, String> {
    load_all(&[text], &[])
}

/// Loads the files in order as `1.conf`, `2.conf` and on, then the arguments.
fn load_all(files: &[&str], arguments: &[&str]) -> Result<Config, String> {
    let mut loader = Loader::with_environment(|_| None);
    for (index, text) in files.iter().enumerate() {
        loader.text(format!("{}.conf", index + 1).into(), text.as_bytes()).map_err(|error| error.to_string())?;
    }
    for argument in arguments {
        loader.set(argument).map_err(|error| error.to_string())?;
    }
    loader.load().map_err(|error| error.to_string())
}

/// The text a key's value ends up with; the key must have been given.
fn shown(config: &Config, key: &str) -> String {
    let setting = config.settings.iter().find(|setting| setting.key == key);
    setting.unwrap_or_else(|| panic!("{key} was not given")).shown_value().to_owned()
}
