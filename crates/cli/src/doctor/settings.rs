//! Rules about the configuration and policies.

use super::facts::{Facts, named, number, text};
use super::{Finding, Severity, about, of_node};

/// A disk with less left than this fills up before somebody looks, in bytes.
const DISK_LIMIT: f64 = 1e9;
/// The user whom everybody knows.
const DEFAULT_USER: &str = "guest";
/// Backends that ask a service at every login and for every right.
const ASKING: [&str; 4] = ["http", "rabbit_auth_backend_http", "ldap", "rabbit_auth_backend_ldap"];
/// Keys of policies that mirror queues begin so.
const MIRRORED: &str = "ha-";

pub(super) fn low_disk_limit(facts: &Facts) -> Vec<Finding> {
    let limit = number(&facts.node, "/disk_free_limit");
    if limit <= 0.0 || limit >= DISK_LIMIT {
        return Vec::new();
    }
    let what = format!("publishers only wait when less than {:.0} MB are free on the disk", limit / 1e6);
    let advice = "leave more, as much as there is memory: disk_free_limit.relative = 1.0, or now: \
                  leveret ctl set_disk_free_limit mem_relative 1.0";
    vec![of_node(Severity::Info, "low_disk_limit", what, advice)]
}

pub(super) fn open_default_user(facts: &Facts) -> Vec<Finding> {
    let is_there = facts.users.iter().any(|user| text(user, "name") == DEFAULT_USER);
    let is_local = facts.loopback_users.iter().any(|user| user == DEFAULT_USER);
    about(
        Severity::Warning,
        "default_user_open",
        "the user that everybody knows may come from anywhere",
        (is_there && !is_local).then(|| DEFAULT_USER.to_owned()).into_iter().collect(),
        "make a user for each application and delete this one: leveret ctl delete_user guest; \
         or let it come from this host alone: loopback_users.guest = true",
    )
}

pub(super) fn uncached_backends(facts: &Facts) -> Vec<Finding> {
    let is_backend = |key: &str| key.starts_with("auth_backends.");
    let asking = facts.configuration.iter().filter(|(key, value)| is_backend(key) && ASKING.contains(&value.as_str()));
    about(
        Severity::Warning,
        "uncached_backend",
        "another service is asked at every login and for every right, and nobody gets in while it is away",
        asking.map(|(key, value)| format!("{key} = {value}")).collect(),
        "let answers be kept for a while: auth_backends.1 = cache, auth_cache.cached_backend = http",
    )
}

pub(super) fn mirrored_policies(facts: &Facts) -> Vec<Finding> {
    let mirrors = |policy: &&serde_json::Value| {
        policy["definition"].as_object().is_some_and(|keys| keys.keys().any(|key| key.starts_with(MIRRORED)))
    };
    about(
        Severity::Warning,
        "mirrored_policy",
        "policies ask for mirrored queues, which is without effect: a queue has one copy",
        facts.policies.iter().filter(mirrors).map(named).collect(),
        "take the keys that begin with ha- out: leveret ctl set_policy, and see list_policies",
    )
}

pub(super) fn keys_without_effect(facts: &Facts) -> Vec<Finding> {
    about(
        Severity::Info,
        "key_without_effect",
        "keys of the configuration are without effect here",
        facts.without_effect.clone(),
        "see where each comes from: leveret config show; COMPAT.md says why",
    )
}
