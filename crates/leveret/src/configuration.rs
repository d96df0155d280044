//! Where the configuration comes from, and `leveret config`.

use crate::arguments::{ConfigCommand, ServerOptions};
use crate::settings;
use config::{KeySpec, Setting, Sources};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// What the options and the environment name.
pub(crate) fn sources(options: &ServerOptions) -> Sources {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    Sources {
        files: options.config.clone(),
        directory: options.config_dir.clone(),
        settings: options.set.clone(),
        data_dir: options.data_dir.clone(),
        environment: std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect(),
        host_name: settings::host_name(),
        long_host_name: settings::long_host_name(),
    }
}

/// Carries out `leveret config`.
pub(crate) fn run(command: ConfigCommand, mut options: ServerOptions) -> ExitCode {
    let files = match &command {
        ConfigCommand::Check { files, .. } | ConfigCommand::Show { files, .. } => files.clone(),
    };
    let are_named = !files.is_empty();
    options.config.extend(files);
    let wrong = |lines: Vec<String>| {
        for line in lines {
            eprintln!("error: {line}");
        }
        ExitCode::from(crate::CONFIGURATION_IS_WRONG)
    };
    let loaded = match sources(&options).load() {
        Ok(loaded) => loaded,
        Err(problems) => return wrong(problems.iter().map(ToString::to_string).collect()),
    };
    if matches!(command, ConfigCommand::Check { .. })
        && let Err(unusable) = settings::check(&loaded.config)
    {
        return wrong(unusable.lines().to_vec());
    }
    let text = match command {
        ConfigCommand::Check { .. } => summary(&loaded, are_named),
        ConfigCommand::Show { all, format, .. } if format == "json" => {
            format!(
                "{:#}\n",
                json!({ "files": paths(&loaded.files), "settings": described(&loaded.config.settings, all) })
            )
        }
        ConfigCommand::Show { all, .. } => shown(&loaded.config.settings, all),
    };
    // Who reads it may have gone, as `head` does.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn paths(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| file.display().to_string()).collect()
}

fn summary(loaded: &config::Loaded, are_named: bool) -> String {
    let mut text = String::new();
    for file in paths(&loaded.files) {
        text += &format!("read {file}\n");
    }
    if loaded.files.is_empty() && !are_named {
        text += "no file was read\n";
    }
    for key in &loaded.config.ignored {
        text += &format!("without effect here: {key}\n");
    }
    if loaded.config.log.is_console_kept {
        text += &format!("{}\n", crate::logging::CONSOLE_KEPT);
    }
    for name in &loaded.variables_without_effect {
        text += &format!("without effect here: {name}\n");
    }
    for variable in &loaded.unknown_variables {
        let hint = variable.nearest.as_ref().map(|name| format!(", did you mean {name}")).unwrap_or_default();
        text += &format!("unknown variable: {}{hint}\n", variable.name);
    }
    for plugin in loaded.config.plugins.absent() {
        text += &format!("plugin that does not exist here: {plugin}\n");
    }
    text + &format!("{} keys given, nothing wrong\n", loaded.config.settings.len())
}

fn shown(settings: &[Setting], all: bool) -> String {
    let rows = rows(settings, all);
    let assignments: Vec<String> = rows.iter().map(|row| format!("{} = {}", row.key, row.value)).collect();
    let width = assignments.iter().map(|text| text.chars().count()).max().unwrap_or(0).min(60);
    let mut text = String::new();
    for (row, assignment) in rows.iter().zip(assignments) {
        text +=
            &format!("{assignment:width$}  # {}{}\n", row.origin, if row.has_effect { "" } else { ", without effect" });
    }
    text
}

/// One key as it is in force.
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) default: &'static str,
    pub(crate) origin: String,
    pub(crate) has_effect: bool,
}

/// The keys that were given, and with `all` those with a default too, by name; secrets are masked.
pub(crate) fn rows(settings: &[Setting], all: bool) -> Vec<Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let unset = |spec: &&'static KeySpec| !spec.default.is_empty() && !spec.is_family();
    for spec in config::table().filter(unset).filter(|_| all) {
        let value = if spec.kind.is_secret() { "********" } else { spec.default };
        rows.insert(
            spec.pattern.clone(),
            Row {
                key: spec.pattern.clone(),
                value: value.to_owned(),
                default: value,
                origin: "default".to_owned(),
                has_effect: spec.effect == config::Effect::Takes,
            },
        );
    }
    for setting in settings {
        let spec = setting.spec;
        rows.insert(
            setting.key.clone(),
            Row {
                key: setting.key.clone(),
                value: setting.shown_value().to_owned(),
                default: if spec.kind.is_secret() { "" } else { spec.default },
                origin: setting.origin.to_string(),
                has_effect: spec.effect == config::Effect::Takes,
            },
        );
    }
    rows.into_values().collect()
}

/// The same as JSON.
pub(crate) fn described(settings: &[Setting], all: bool) -> Vec<Value> {
    let describe = |row: Row| {
        json!({
            "key": row.key,
            "value": row.value,
            "default": if row.default.is_empty() { Value::Null } else { row.default.into() },
            "origin": row.origin,
            "effect": row.has_effect,
        })
    };
    rows(settings, all).into_iter().map(describe).collect()
}
