//! The file `enabled_plugins`: a list of Erlang's atoms with a full stop behind it, and the plugins that exist here.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// A plugin of RabbitMQ whose work this program does.
pub(crate) struct Plugin {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// The plugins without which it is not enabled.
    pub(crate) needs: &'static [&'static str],
}

const fn plugin(name: &'static str, description: &'static str, needs: &'static [&'static str]) -> Plugin {
    Plugin { name, description, needs }
}

const DISPATCH: &str = "rabbitmq_web_dispatch";
const AGENT: &str = "rabbitmq_management_agent";

/// By name.
pub(crate) const KNOWN: [Plugin; 18] = [
    plugin("rabbitmq_auth_backend_cache", "Remembers what other backends answered", &[]),
    plugin("rabbitmq_auth_backend_http", "Asks an HTTP server for rights", &[]),
    plugin("rabbitmq_auth_backend_ldap", "Asks an LDAP server for rights", &[]),
    plugin("rabbitmq_auth_backend_oauth2", "Takes rights from tokens", &[]),
    plugin("rabbitmq_auth_mechanism_ssl", "Logs in with certificates", &[]),
    plugin("rabbitmq_consistent_hash_exchange", "Exchange that routes by consistent hash", &[]),
    plugin("rabbitmq_delayed_message_exchange", "Exchange that routes after a delay", &[]),
    plugin("rabbitmq_event_exchange", "Publishes events to an exchange", &[]),
    plugin("rabbitmq_management", "HTTP API and user interface", &[AGENT, DISPATCH]),
    plugin(AGENT, "What the HTTP API knows of the node", &[DISPATCH]),
    plugin("rabbitmq_message_deduplication", "Exchange and queues that drop what was seen before", &[]),
    plugin("rabbitmq_prometheus", "Metrics for Prometheus", &[AGENT, DISPATCH]),
    plugin("rabbitmq_random_exchange", "Exchange that routes at random", &[]),
    plugin("rabbitmq_recent_history_exchange", "Exchange that shows new queues what came last", &[]),
    plugin("rabbitmq_sharding", "Exchange that routes by hash modulo queues", &[]),
    plugin("rabbitmq_shovel", "Moves messages between queues and brokers", &[]),
    plugin(
        "rabbitmq_shovel_management",
        "HTTP API of shovels",
        &["rabbitmq_management", AGENT, "rabbitmq_shovel", DISPATCH],
    ),
    plugin(DISPATCH, "Serves HTTP", &[]),
];

/// The plugin of this name.
pub(crate) fn find(name: &str) -> Option<&'static Plugin> {
    KNOWN.iter().find(|plugin| plugin.name == name)
}

/// The same plugins and those that they need, sorted.
pub(crate) fn with_dependencies(names: &[String]) -> Vec<String> {
    let mut all: BTreeSet<String> = names.iter().cloned().collect();
    for name in names {
        let needed = find(name).map(|plugin| plugin.needs).unwrap_or_default();
        all.extend(needed.iter().map(|name| (*name).to_owned()));
    }
    all.into_iter().collect()
}

/// Where the file is: as given, as the environment or the broker says, or beside rabbitmq.conf.
pub(crate) fn path(given: Option<&str>, from_broker: Option<&str>) -> PathBuf {
    let from_environment = std::env::var("RABBITMQ_ENABLED_PLUGINS_FILE").ok().filter(|path| !path.is_empty());
    let named = given.map(str::to_owned).or(from_environment).or_else(|| from_broker.map(str::to_owned));
    named.unwrap_or_else(|| "/etc/rabbitmq/enabled_plugins".to_owned()).into()
}

/// The names in the file; `None` where there is no file. The error is a line for the user.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<String>>, String> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    parse(&text)
        .map(Some)
        .ok_or_else(|| format!("{} is not a list of plugins such as [rabbitmq_management].", path.display()))
}

/// Replaces the file at once, so that nobody reads half of it.
pub(crate) fn write(path: &Path, names: &[String]) -> Result<(), String> {
    let problem = |error: io::Error| format!("cannot write {}: {error}", path.display());
    let new = path.with_extension("new");
    std::fs::write(&new, format!("[{}].\n", names.join(","))).map_err(problem)?;
    std::fs::rename(&new, path).map_err(problem)
}

fn parse(text: &str) -> Option<Vec<String>> {
    // A comment goes from a percent sign to the end of its line.
    let text: String = text.lines().map(|line| line.split('%').next().unwrap_or_default()).collect();
    let text: String = text.chars().filter(|character| !character.is_whitespace()).collect();
    if text.is_empty() {
        return Some(Vec::new());
    }
    let inner = text.strip_prefix('[')?.strip_suffix("].")?;
    let names = inner.split(',').filter(|name| !name.is_empty()).map(|name| name.trim_matches('\''));
    let is_atom = |name: &&str| name.chars().all(|each| each.is_ascii_alphanumeric() || "_@-.".contains(each));
    names.map(|name| Some(name).filter(is_atom).map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_a_list_of_atoms() {
        let names = |text| parse(text).map(|names| names.join(" "));
        assert_eq!(names("[rabbitmq_management,\n 'x'].\n"), Some("rabbitmq_management x".to_owned()));
        assert_eq!(names("% nothing\n"), Some(String::new()));
        assert_eq!(names("[]."), Some(String::new()));
        assert_eq!(names("[a,b]"), None);
        assert_eq!(names("[\"a\"]."), None);
    }

    #[test]
    fn plugins_are_by_name_and_need_what_exists() {
        assert!(KNOWN.is_sorted_by_key(|plugin| plugin.name));
        for plugin in &KNOWN {
            assert!(plugin.needs.iter().all(|name| find(name).is_some()), "{}", plugin.name);
        }
    }
}
