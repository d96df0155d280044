//! Which keys hold at once when they change and the configuration is read again.
//!
//! One list for what is carried out, what operators are told of it, and the documentation.

use crate::key::Change;

/// Patterns of keys; one that ends in a dot stands for all that begin with it.
pub(super) const NOW: &[&str] = &[
    "auth_backends.",
    "auth_cache.",
    "auth_http.",
    "auth_ldap.",
    "auth_oauth2.",
    "channel_max_per_node",
    "cluster_exchange_limit",
    "cluster_name",
    "cluster_queue_limit",
    "cluster_tags.",
    "consumer_max_per_channel",
    "consumer_timeout",
    "credential_validator.",
    "default_consumer_prefetch",
    "default_users.",
    "definitions.",
    "disk_free_limit.",
    "heartbeat",
    "http_dispatch.auth_backends.",
    "load_definitions",
    "log.channel.",
    "log.connection.",
    "log.console",
    "log.console.",
    "log.default.",
    "log.dir",
    "log.exchange.level",
    "log.file",
    "log.file.",
    "log.queue.",
    "log.user.",
    "loopback_users",
    "loopback_users.",
    "management.load_definitions",
    "max_channels_per_connection",
    "max_connections",
    "max_message_size",
    "password_hashing_module",
    "vhost_max",
    "vm_memory_high_watermark.",
];

pub(super) const FIRST_START: &[&str] =
    &["default_pass", "default_permissions.", "default_user", "default_user_tags.", "default_vhost"];

pub(super) fn change(pattern: &str) -> Change {
    let is_in = |list: &[&str]| list.iter().any(|entry| is_meant(entry, pattern));
    match (is_in(NOW), is_in(FIRST_START)) {
        (true, _) => Change::Now,
        (_, true) => Change::FirstStart,
        _ => Change::Restart,
    }
}

pub(super) fn is_meant(entry: &str, pattern: &str) -> bool {
    if entry.ends_with('.') { pattern.starts_with(entry) } else { pattern == entry }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Effect, table};

    #[test]
    fn what_is_listed_are_keys_with_an_effect() {
        for entry in NOW.iter().chain(FIRST_START) {
            let takes = |row: &&'static crate::KeySpec| row.effect == Effect::Takes;
            assert!(table().filter(takes).any(|row| is_meant(entry, &row.pattern)), "{entry}");
        }
    }

    /// What differs by a letter is not meant, too.
    #[test]
    fn families_are_not_taken_for_their_neighbours() {
        assert_eq!(change("default_user"), Change::FirstStart);
        assert_eq!(change("default_users.$name.password"), Change::Now);
        assert_eq!(change("log.exchange.level"), Change::Now);
        assert_eq!(change("log.exchange.formatter"), Change::Restart);
    }
}
