//! From checked settings to [`Config`], with the defaults of the table where nothing was given.

mod auth;
mod definitions;
mod events;
mod ldap;
mod log;
mod management;
mod tls;
mod users;
mod vhosts;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::key::{Effect, KeySpec};
use crate::kind::Value;
use crate::load::Loader;
use crate::options::{
    Compat, Config, ConsumerTimeoutAction, DiskFreeLimit, MemoryWatermark, MessageExpiry, OnRedeclare, OtlpOptions,
    PassiveDeclarePermission, PublisherXDeath, Sync, TcpListenOptions, UnknownExchangeType,
};
use crate::origin::Setting;
use crate::plugins::Plugins;
use crate::table::row;

/// A setting that passed the table.
pub(crate) struct CheckedSetting {
    pub(crate) setting: Setting,
    pub(crate) value: Value,
    /// The key's last segment: what stands for a family's wildcard.
    pub(crate) name: String,
    /// Which file or argument it came from, counted in order of precedence.
    pub(crate) source: usize,
}

/// Settings that passed the table, by canonical name.
pub(crate) struct Checked {
    settings: BTreeMap<String, CheckedSetting>,
}

impl Default for Config {
    /// What holds when nothing is given.
    fn default() -> Self {
        Loader::new().load().expect("a loader with nothing given has nothing to refuse")
    }
}

impl Checked {
    pub(crate) fn new(settings: BTreeMap<String, CheckedSetting>) -> Self {
        Self { settings }
    }

    pub(crate) fn into_config(self, plugins: Plugins) -> Config {
        Config {
            listeners: self.listeners(),
            tls: self.tls(),
            tcp_listen_options: self.tcp_listen_options(),
            handshake_timeout_ms: self.limit("handshake_timeout"),
            heartbeat_s: self.integer("heartbeat"),
            frame_max_bytes: self.limit("frame_max").unwrap_or(0),
            initial_frame_max_bytes: self.integer("initial_frame_max"),
            channel_max: self.integer("max_channels_per_connection"),
            connection_max: self.limit("max_connections"),
            channel_max_per_node: self.limit("channel_max_per_node"),
            vhost_max: self.limit("vhost_max"),
            queue_limit: self.limit("cluster_queue_limit"),
            exchange_limit: self.limit("cluster_exchange_limit"),
            vhosts: self.vhosts(),
            default_queue_type: match self.value("default_queue_type") {
                Some(Value::Word(word)) => word,
                _ => "classic",
            },
            quorum_as_classic: self.boolean("leveret.quorum_as_classic"),
            on_redeclare: self.choice("leveret.on_redeclare", OnRedeclare::from_word),
            track_login_sources: self.boolean("leveret.track_login_sources"),
            consumer_max_per_channel: self.limit("consumer_max_per_channel"),
            max_message_size_bytes: self.integer("max_message_size"),
            consumer_timeout_ms: self.limit("consumer_timeout"),
            default_consumer_prefetch: self.integer("default_consumer_prefetch"),
            vm_memory_high_watermark: self.memory_watermark(),
            total_memory_available_bytes: self.limit("total_memory_available_override_value"),
            disk_free_limit: self.disk_free_limit(),
            default_user: self.default_user(),
            default_vhost: self.text("default_vhost"),
            loopback_users: self.loopback_users(),
            anonymous_login: self.anonymous_login(),
            auth_mechanisms: self.auth_mechanisms(),
            auth: self.auth(),
            cluster_name: self.optional_text("cluster_name"),
            cluster_tags: self.texts("cluster_tags.$tag"),
            node_tags: self.texts("node_tags.$tag"),
            node_name: self.optional_text("leveret.node_name"),
            log: self.log(),
            events: self.events(&plugins),
            compat: self.compat(),
            reactors: self.integer("leveret.reactors"),
            data_dir: self.text("leveret.data_dir").into(),
            sync: self.sync(),
            message_memory_bytes: self.integer("leveret.message_memory"),
            management: self.management(&plugins),
            otlp: OtlpOptions {
                endpoint: self.optional_text("leveret.otlp.endpoint").filter(|endpoint| !endpoint.is_empty()),
                sample: self.fraction("leveret.otlp.sample"),
                service_name: self.text("leveret.otlp.service_name"),
            },
            definitions: self.definitions(),
            plugins,
            pid_file: self.optional_text("leveret.pid_file").map(Into::into),
            long_names: self.boolean("leveret.long_names"),
            ignored: self.ignored(),
            settings: self.settings.into_values().map(|checked| checked.setting).collect(),
        }
    }

    fn listeners(&self) -> Vec<SocketAddr> {
        if self.members("listeners.tcp.$name").next().is_none() && !self.settings.contains_key("listeners.tcp") {
            return self.value("listeners.tcp.$name").map(Value::into_addresses).unwrap_or_default();
        }
        let mut addresses = Vec::new();
        for address in self.members("listeners.tcp.$name").flat_map(|(_, value)| value.clone().into_addresses()) {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    fn tcp_listen_options(&self) -> TcpListenOptions {
        TcpListenOptions {
            backlog: self.integer("tcp_listen_options.backlog"),
            nodelay: self.boolean("tcp_listen_options.nodelay"),
            keepalive: self.boolean("tcp_listen_options.keepalive"),
            sndbuf_bytes: self.limit("tcp_listen_options.sndbuf"),
            recbuf_bytes: self.limit("tcp_listen_options.recbuf"),
            resets: self.boolean("tcp_listen_options.linger.on")
                && self.limit("tcp_listen_options.linger.timeout") == Some(0_u64),
            send_timeout_ms: self.limit("tcp_listen_options.send_timeout").filter(|ms| *ms > 0),
            tos: self.limit("tcp_listen_options.tos"),
            priority: self.limit("tcp_listen_options.priority"),
        }
    }

    fn memory_watermark(&self) -> MemoryWatermark {
        let (relative, absolute) = ("vm_memory_high_watermark.relative", "vm_memory_high_watermark.absolute");
        if self.source(absolute) > Some(0) && self.source(absolute) >= self.source(relative) {
            MemoryWatermark::AbsoluteBytes(self.integer(absolute))
        } else {
            MemoryWatermark::Relative(self.fraction(relative))
        }
    }

    fn disk_free_limit(&self) -> DiskFreeLimit {
        let (relative, absolute) = ("disk_free_limit.relative", "disk_free_limit.absolute");
        if self.source(relative) > self.source(absolute) {
            DiskFreeLimit::Relative(self.fraction(relative))
        } else {
            DiskFreeLimit::AbsoluteBytes(self.integer(absolute))
        }
    }

    fn sync(&self) -> Sync {
        match self.value("leveret.sync") {
            Some(Value::Integer(ms)) => Sync::Interval { ms: ms.unsigned_abs() },
            Some(Value::Word("never")) => Sync::Never,
            _ => Sync::Always,
        }
    }

    fn compat(&self) -> Compat {
        Compat {
            version: self.text("leveret.compat.version"),
            consumer_timeout: self.choice("leveret.compat.consumer_timeout", ConsumerTimeoutAction::from_word),
            unknown_exchange_type: self.choice("leveret.compat.unknown_exchange_type", UnknownExchangeType::from_word),
            passive_declare_permission: self
                .choice("leveret.compat.passive_declare_permission", PassiveDeclarePermission::from_word),
            publisher_x_death: self.choice("leveret.compat.publisher_x_death", PublisherXDeath::from_word),
            message_expiry: self.choice("leveret.compat.message_expiry", MessageExpiry::from_word),
        }
    }

    fn ignored(&self) -> Vec<String> {
        let ignored = self.settings.values().filter(|checked| checked.setting.spec.effect == Effect::Ignored);
        ignored.map(|checked| checked.setting.key.clone()).collect()
    }
}

/// Reading by key: what was given, or else the default. That a key has a row, a default and the kind asked for is a matter
/// of the table alone and never of what was given, so the expectations below hold for every input once they hold for none.
impl Checked {
    fn value(&self, key: &str) -> Option<Value> {
        let given = self.settings.get(key).map(|checked| checked.value.clone());
        given.or_else(|| default(row(key).expect("the key has a row")))
    }

    /// The source a key was given by, or 0 for a default; `None` where there is neither.
    fn source(&self, key: &str) -> Option<usize> {
        match self.settings.get(key) {
            Some(checked) => Some(checked.source),
            None => self.value(key).map(|_| 0),
        }
    }

    fn boolean(&self, key: &str) -> bool {
        matches!(self.value(key), Some(Value::Boolean(true)))
    }

    fn integer<T: TryFrom<i64>>(&self, key: &str) -> T {
        self.limit(key).expect("the key has a default")
    }

    /// `None` where the value is a word such as `infinity`.
    fn limit<T: TryFrom<i64>>(&self, key: &str) -> Option<T> {
        match self.value(key)? {
            Value::Integer(integer) => {
                Some(T::try_from(integer).ok().expect("the row's bounds are those of the field"))
            }
            _ => None,
        }
    }

    fn fraction(&self, key: &str) -> f64 {
        match self.value(key) {
            Some(Value::Fraction(fraction)) => fraction,
            _ => unreachable!("{key} is a fraction with a default"),
        }
    }

    fn text(&self, key: &str) -> String {
        self.optional_text(key).expect("the key has a default")
    }

    /// `None` where nothing was given or the value is a word such as `none`.
    fn optional_text(&self, key: &str) -> Option<String> {
        match self.value(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn choice<T>(&self, key: &str, from_word: fn(&str) -> Option<T>) -> T {
        self.value(key).and_then(|value| word(&value, from_word)).expect("the row's words are those of the type")
    }

    /// The members of a family with what stands for its wildcard. `none` for the whole family clears what was given by the
    /// same source or an earlier one: within a file the order of lines does not count, as in RabbitMQ.
    fn members(&self, pattern: &'static str) -> impl Iterator<Item = (&str, &Value)> {
        let family = pattern.rsplit_once('.').map_or(pattern, |(family, _)| family);
        let cleared_by = self.settings.get(family).map(|checked| checked.source);
        self.settings
            .values()
            .filter(move |checked| checked.setting.spec.pattern == pattern && Some(checked.source) > cleared_by)
            .map(|checked| (checked.name.as_str(), &checked.value))
    }

    /// The members of a family of texts, by what stands for its wildcard.
    fn texts(&self, pattern: &'static str) -> BTreeMap<String, String> {
        let text = |(name, value): (&str, &Value)| match value {
            Value::Text(text) => Some((name.to_owned(), text.clone())),
            _ => None,
        };
        self.members(pattern).filter_map(text).collect()
    }

    /// The members that are true, or the default where no member was given.
    fn named_true(&self, pattern: &'static str, default: &str) -> BTreeSet<String> {
        if self.members(pattern).next().is_none() {
            return BTreeSet::from([default.to_owned()]);
        }
        let named = self.members(pattern).filter(|(_, value)| **value == Value::Boolean(true));
        named.map(|(name, _)| name.to_owned()).collect()
    }
}

fn default(row: &KeySpec) -> Option<Value> {
    if row.default.is_empty() { None } else { row.kind.read(row.default) }
}

fn word<T>(value: &Value, from_word: fn(&str) -> Option<T>) -> Option<T> {
    match value {
        Value::Word(word) => from_word(word),
        _ => None,
    }
}
