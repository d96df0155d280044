//! Which of RabbitMQ's plugins are enabled: a list in a file, which the broker reads when it starts.

use super::{ANY, Command, command};
use crate::context::{Context, print};
use crate::enabled_plugins::{self as file, KNOWN, Plugin};
use crate::exit::{self, Failure};
use crate::formatter::Formatter;
use crate::sections::Section;
use crate::tool::Tools;
use regex::Regex;
use serde_json::{Value, json};
use std::path::PathBuf;

pub(super) const COMMANDS: &[Command] = &[
    command(
        "list",
        (0, 1),
        "[pattern] [--verbose] [--minimal] [--enabled] [--implicitly-enabled]",
        "Lists plugins and whether they are enabled",
        list,
    )
    .of(Tools::PLUGINS),
    command("enable", (0, ANY), "<plugin1> [ <plugin2>] | --all [--offline] [--online]", "Enables plugins", enable)
        .of(Tools::PLUGINS),
    command("disable", (0, ANY), "<plugin1> [ <plugin2>] | --all [--offline] [--online]", "Disables plugins", disable)
        .of(Tools::PLUGINS),
    command(
        "set",
        (0, ANY),
        "<plugin1> [ <plugin2>] [--offline] [--online]",
        "Enables plugins and disables all others",
        set,
    )
    .of(Tools::PLUGINS),
    command(
        "is_enabled",
        (1, ANY),
        "<plugin1> [ <plugin2>] [--offline] [--online]",
        "Fails unless plugins are enabled",
        is_enabled,
    )
    .of(Tools::PLUGINS)
    .under(Section::Monitoring),
    command("directories", (0, 0), "[--offline] [--online]", "Displays where plugins are", directories)
        .of(Tools::PLUGINS)
        .under(Section::Monitoring),
];

/// What is written in the file and what the broker runs with.
struct State {
    node: String,
    path: PathBuf,
    /// In the file; `None` where there is no file, which enables all that exists.
    explicit: Option<Vec<String>>,
    /// What runs, where a broker runs.
    running: Option<Vec<String>>,
}

impl State {
    fn read(context: &Context<'_>) -> Result<State, Failure> {
        // Plugins can be enabled before the broker is started for the first time.
        let process = if context.flag("offline") { None } else { context.process().ok() };
        let node = process.and_then(|process| process["node"].as_str()).or(context.option("node")).unwrap_or("here");
        let from_broker = process.and_then(|process| process["enabled_plugins_file"].as_str());
        let path = file::path(context.option("enabled-plugins-file"), from_broker);
        let explicit = file::read(&path).map_err(|problem| Failure::error(exit::CONFIGURATION, problem))?;
        let running = process.and_then(|_| context.get("/api/nodes").ok()).map(|nodes| {
            let names = nodes[0]["enabled_plugins"].as_array().into_iter().flatten();
            names.filter_map(Value::as_str).map(str::to_owned).collect()
        });
        Ok(State { node: node.to_owned(), path, explicit, running })
    }

    /// All that are enabled, with those that they need.
    fn enabled(&self) -> Vec<String> {
        match &self.explicit {
            Some(names) => file::with_dependencies(names),
            None => KNOWN.iter().map(|plugin| plugin.name.to_owned()).collect(),
        }
    }

    fn is_explicit(&self, name: &str) -> bool {
        self.explicit.as_ref().is_none_or(|names| names.iter().any(|enabled| enabled == name))
    }

    /// Those that are part of this program work as soon as they are enabled, unless the broker says that they do not.
    fn is_running(&self, name: &str) -> bool {
        self.running.as_ref().is_some_and(|names| names.iter().any(|running| running == name))
    }
}

fn list(context: &Context<'_>) -> Result<(), Failure> {
    let pattern = context.argument(0);
    let wanted = Regex::new(pattern).map_err(|error| {
        Failure::error(exit::SOFTWARE, format!("the pattern '{pattern}' is no regular expression: {error}"))
    })?;
    let state = State::read(context)?;
    let enabled = state.enabled();
    let (only_explicit, only_enabled) = (context.flag("enabled"), context.flag("implicitly-enabled"));
    let shown: Vec<(&Plugin, &str)> = KNOWN
        .iter()
        .filter(|plugin| wanted.is_match(plugin.name))
        .map(|plugin| {
            let how = match (state.is_explicit(plugin.name), enabled.iter().any(|name| name == plugin.name)) {
                (true, _) => "enabled",
                (false, true) => "implicit",
                (false, false) => "not_enabled",
            };
            (plugin, how)
        })
        .filter(|(_, how)| !only_explicit || *how == "enabled")
        .filter(|(_, how)| !only_enabled || *how != "not_enabled")
        .collect();
    context
        .banner(&format!("Listing plugins with pattern \"{}\" ...", if pattern.is_empty() { ".*" } else { pattern }))?;
    if context.arguments.formatter == Formatter::Json {
        let plugins: Value = shown
            .iter()
            .map(|(plugin, how)| {
                let version = context.invocation.version;
                json!({
                    "enabled": how, "name": plugin.name, "running": state.is_running(plugin.name),
                    "running_version": version, "version": version,
                })
            })
            .collect();
        let status = if state.running.is_some() { "running" } else { "node_down" };
        return context.result(&json!({ "format": "normal", "plugins": plugins, "status": status }), "");
    }
    if context.flag("minimal") {
        let names: String = shown.iter().map(|(plugin, _)| format!("{}\n", plugin.name)).collect();
        return print(&names);
    }
    print(&describe(context, &state, &shown))
}

fn describe(context: &Context<'_>, state: &State, shown: &[(&Plugin, &str)]) -> String {
    let mut text = String::new();
    if context.is_talkative() {
        let status = match state.running {
            Some(_) => format!("* = running on {}", state.node),
            None => format!("[failed to contact {} - status not shown]", state.node),
        };
        text.push_str(&format!(
            " Configured: E = explicitly enabled; e = implicitly enabled\n | Status: {status}\n |/\n"
        ));
    }
    let width = shown.iter().map(|(plugin, _)| plugin.name.len()).max().unwrap_or_default();
    for (plugin, how) in shown {
        let configured = match *how {
            "enabled" => 'E',
            "implicit" => 'e',
            _ => ' ',
        };
        let running = if state.is_running(plugin.name) { '*' } else { ' ' };
        let (name, version) = (plugin.name, context.invocation.version);
        if context.flag("verbose") {
            text.push_str(&format!(
                "[{configured}{running}] {name}\n     Version:     \t{version}\n     Dependencies:\t[{}]\n     \
                 Description: \t{}\n",
                plugin.needs.join(","),
                plugin.description
            ));
        } else {
            text.push_str(&format!("[{configured}{running}] {name:width$} {version}\n"));
        }
    }
    text
}

/// The names given, or all; each has to be one that exists here.
fn named(context: &Context<'_>, or_all: bool) -> Result<Vec<String>, Failure> {
    let names = &context.arguments.positional;
    if or_all && context.flag("all") {
        return Ok(KNOWN.iter().map(|plugin| plugin.name.to_owned()).collect());
    }
    if or_all && names.is_empty() {
        return Err(context.invalid("not enough arguments.", exit::USAGE));
    }
    if context.flag("online") && context.flag("offline") {
        return Err(context.invalid("Bad argument: Cannot set both online and offline", exit::DATA_ERROR));
    }
    Ok(names.clone())
}

/// One node has nothing to discover, and operators that enable how it is done want no error.
fn is_known(name: &str) -> bool {
    file::find(name).is_some() || name.starts_with("rabbitmq_peer_discovery_")
}

fn check_known(names: &[String]) -> Result<(), Failure> {
    let unknown: Vec<String> = names.iter().filter(|name| !is_known(name)).map(|name| format!(":{name}")).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Failure::error(exit::SOFTWARE, format!("{{:plugins_not_found, [{}]}}", unknown.join(", "))))
}

fn enable(context: &Context<'_>) -> Result<(), Failure> {
    let names = named(context, true)?;
    let state = State::read(context)?;
    context.banner(&format!("Enabling plugins on node {}:\n{}", state.node, names.join("\n")))?;
    check_known(&names)?;
    let mut explicit = state.explicit.clone().unwrap_or_else(|| state.enabled());
    explicit.extend(names.into_iter().filter(|name| !state.is_explicit(name)));
    apply(context, &state, explicit, true)
}

fn disable(context: &Context<'_>) -> Result<(), Failure> {
    let names = named(context, true)?;
    let state = State::read(context)?;
    if context.flag("all") {
        context.banner(&format!("Disabling ALL plugins on node {}", state.node))?;
    } else {
        context.banner(&format!("Disabling plugins on node {}:\n{}", state.node, names.join("\n")))?;
    }
    let mut explicit = state.explicit.clone().unwrap_or_else(|| state.enabled());
    // What needs one that goes away goes with it.
    explicit
        .retain(|name| !file::with_dependencies(std::slice::from_ref(name)).iter().any(|each| names.contains(each)));
    apply(context, &state, explicit, true)
}

fn set(context: &Context<'_>) -> Result<(), Failure> {
    let names = named(context, false)?;
    let state = State::read(context)?;
    context.banner(&format!("Enabling plugins on node {}:\n{}", state.node, names.join("\n")))?;
    check_known(&names)?;
    apply(context, &state, names, false)
}

/// Writes the file, and says what changes and when.
fn apply(context: &Context<'_>, state: &State, mut explicit: Vec<String>, says_which: bool) -> Result<(), Failure> {
    explicit.sort_unstable();
    explicit.dedup();
    let (before, after) = (state.enabled(), file::with_dependencies(&explicit));
    let added: Vec<&String> = after.iter().filter(|name| !before.contains(name)).collect();
    let removed: Vec<&String> = before.iter().filter(|name| !after.contains(name)).collect();
    let is_change = !added.is_empty() || !removed.is_empty();
    // Where there is no file all are enabled, and as long as that is wanted none is made.
    if is_change || state.explicit.as_ref().is_some_and(|names| *names != explicit) {
        file::write(&state.path, &explicit).map_err(|problem| Failure::error(exit::CONFIGURATION, problem))?;
    }
    if context.arguments.formatter == Formatter::Json {
        let mode = if state.running.is_some() { "online" } else { "offline" };
        return context.result(&json!({ "mode": mode, "enabled": added, "disabled": removed, "set": after }), "");
    }
    let mut lines = Vec::new();
    if after.is_empty() {
        lines.push("All plugins have been disabled.".to_owned());
    } else {
        lines.push("The following plugins have been configured:".to_owned());
        lines.extend(after.iter().map(|name| format!("  {name}")));
    }
    lines.push(format!("Applying plugin configuration to {}...", state.node));
    if !is_change {
        lines.push(if says_which { "Plugin configuration unchanged." } else { "nothing to do." }.to_owned());
        return print(&format!("{}\n", lines.join("\n")));
    }
    for (names, word) in [(&added, "enabled"), (&removed, "disabled")] {
        if !names.is_empty() {
            lines.push(format!("The following plugins have been {word}:"));
            lines.extend(names.iter().map(|name| format!("  {name}")));
            lines.push(String::new());
        }
    }
    lines.push(format!("set {} plugins.", after.len()));
    lines.push("Offline change; changes will take effect at broker restart.".to_owned());
    print(&format!("{}\n", lines.join("\n")))
}

fn is_enabled(context: &Context<'_>) -> Result<(), Failure> {
    let names = &context.arguments.positional;
    let state = State::read(context)?;
    let node = &state.node;
    let (subject, verb) = match names.as_slice() {
        [name] => (format!("plugin {name}"), "is"),
        _ => (format!("plugins {}", names.join(", ")), "are"),
    };
    context.banner(&format!("Asking node {node} if {subject} {verb} enabled..."))?;
    let mut enabled = state.enabled();
    enabled.sort_unstable();
    let missing: Vec<&str> = names.iter().filter(|name| !enabled.contains(name)).map(String::as_str).collect();
    let capital = |text: &str| text.replacen("plugin", "Plugin", 1);
    if missing.is_empty() {
        return context.message(&format!("{} {verb} enabled on node {node}", capital(&subject)));
    }
    let (subject, verb) = match missing.as_slice() {
        [name] => (format!("Plugin {name}"), "is"),
        _ => (format!("Plugins {}", missing.join(", ")), "are"),
    };
    let text = format!(
        "Error:\n{subject} {verb} not enabled on node {node}. Enabled plugins and dependencies: {}",
        enabled.join(", ")
    );
    Err(context.failed_check(&json!({ "result": "error", "message": text }), &text))
}

fn directories(context: &Context<'_>) -> Result<(), Failure> {
    let state = State::read(context)?;
    context.banner(&format!("Listing plugin directories used by node {}", state.node))?;
    let path = state.path.display().to_string();
    let object = json!({ "plugins_dir": null, "plugins_expand_dir": null, "enabled_plugins_file": path });
    let text = format!(
        "Plugin archives directory: none, they are part of the program\nPlugin expansion directory: none\n\
         Enabled plugins file: {path}"
    );
    context.result(&object, &text)
}
