//! Events of queues, exchanges, bindings, connections, channels, consumers and logins.

use super::{Acting, INTERNAL};
use crate::broker::{Alarm, Broker};
use crate::delivery::Consumer;
use crate::directory::{ChannelEntry, ConnectionEntry};
use crate::link::ConnectionId;
use crate::policy::Policy;
use crate::topology::{BindingInfo, Exchange, QueueCell};
use amqp::{FieldTable, FieldValue, erlang};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Who did it, which is the first field of most events.
const BY: &str = "user_who_performed_action";

/// The middle number of process ids: when the process started, in seconds since 1970.
static CREATION: AtomicU64 = AtomicU64::new(0);

/// Sets the number that tells process ids of this run from those of others.
pub fn set_process_creation(creation: u64) {
    CREATION.store(creation, Ordering::Relaxed);
}

/// `<NODE.CREATION.ID.CHANNEL>`: a connection (channel 0) or channel where RabbitMQ prints an Erlang process.
pub fn process_id(node: &str, id: ConnectionId, channel: u16) -> String {
    format!("<{node}.{}.{}.{channel}>", CREATION.load(Ordering::Relaxed), id.0)
}

/// A table of a few fields.
pub(super) fn fields<const N: usize>(of: [(&str, FieldValue); N]) -> FieldTable {
    of.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) fn by() -> (&'static str, FieldValue) {
    (BY, Acting::user().into())
}

/// Arguments as RabbitMQ shows a list of tuples that it has no better form for.
fn terms(table: &FieldTable) -> FieldValue {
    let tuple = |(name, value): (&str, &FieldValue)| {
        erlang::tuple([&erlang::binary(name.as_bytes()), value.type_name(), &erlang::field_value(value)]).into()
    };
    FieldValue::Array(table.iter().map(tuple).collect())
}

/// An address as a tuple of numbers: `{127,0,0,1}`.
fn address(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => erlang::tuple(ip.octets().map(|octet| octet.to_string())),
        IpAddr::V6(ip) => erlang::tuple(ip.segments().map(|segment| segment.to_string())),
    }
}

fn number(value: impl Into<i64>) -> FieldValue {
    FieldValue::I64(value.into())
}

impl Broker {
    fn pid(&self, id: ConnectionId, channel: u16) -> FieldValue {
        process_id(&self.settings.node_name, id, channel).into()
    }

    fn node(&self) -> FieldValue {
        self.settings.node_name.as_str().into()
    }

    pub(crate) fn emit_queue_created(&self, cell: &QueueCell) {
        self.emit("queue.created", || {
            fields([
                by(),
                ("exclusive", cell.owner.is_some().into()),
                ("owner_pid", cell.owner.map_or_else(|| "".into(), |owner| self.pid(owner, 0))),
                ("arguments", terms(&cell.terms().arguments)),
                ("auto_delete", cell.auto_delete.into()),
                ("durable", cell.durable.into()),
                ("name", (*cell.name).into()),
                ("vhost", (*cell.vhost).into()),
            ])
        });
    }

    pub(crate) fn emit_queue_deleted(&self, cell: &QueueCell) {
        self.emit("queue.deleted", || fields([by(), ("name", (*cell.name).into()), ("vhost", (*cell.vhost).into())]));
    }

    pub(crate) fn emit_queue_policy(&self, cell: &QueueCell, policy: Option<&Policy>) {
        let name = if policy.is_some() { "queue.policy.updated" } else { "queue.policy.cleared" };
        self.emit(name, || {
            let mut table =
                policy.map(|policy| super::definitions::policy_terms(&policy.definition)).unwrap_or_default();
            let of_queue = fields([
                by(),
                ("type", "rabbit_classic_queue".into()),
                ("vhost", (*cell.vhost).into()),
                ("name", (*cell.name).into()),
            ]);
            of_queue.into_iter().for_each(|(name, value)| table.insert(name, value));
            table
        });
    }

    pub(crate) fn emit_exchange_created(&self, exchange: &Exchange) {
        self.emit("exchange.created", || {
            let options = exchange.options();
            let policy = options.policies.user.as_ref().map_or("", |policy| &policy.definition.name);
            fields([
                by(),
                ("policy", policy.into()),
                ("arguments", terms(&exchange.arguments)),
                ("internal", exchange.internal.into()),
                ("auto_delete", exchange.auto_delete.into()),
                ("durable", exchange.durable.into()),
                ("type", exchange.type_name().into()),
                ("name", (*exchange.name).into()),
                ("vhost", (*exchange.vhost).into()),
            ])
        });
    }

    pub(crate) fn emit_exchange_deleted(&self, exchange: &Exchange) {
        let of = || fields([by(), ("name", (*exchange.name).into()), ("vhost", (*exchange.vhost).into())]);
        self.emit("exchange.deleted", of);
    }

    pub(crate) fn emit_binding(&self, name: &'static str, vhost: &str, binding: &BindingInfo) {
        self.emit(name, || {
            fields([
                by(),
                ("vhost", vhost.into()),
                ("arguments", terms(&binding.arguments)),
                ("routing_key", (*binding.routing_key).into()),
                ("destination_kind", if binding.to_queue { "queue" } else { "exchange" }.into()),
                ("destination_name", (*binding.destination).into()),
                ("source_kind", "exchange".into()),
                ("source_name", (*binding.source).into()),
            ])
        });
    }

    /// Exchanges and bindings that went along with something that was removed. Nobody asked for that; RabbitMQ names
    /// whoever deletes an exchange for its bindings, too.
    pub(crate) fn emit_removed(&self, vhost: &str, removed: &crate::topology::Removed, asked_for: Option<&Exchange>) {
        if !self.events.is_listening() {
            return;
        }
        let _acting = asked_for.is_none().then(|| Acting::begin(None));
        removed.exchanges.iter().for_each(|exchange| self.emit_exchange_deleted(exchange));
        removed.bindings.iter().for_each(|binding| self.emit_binding("binding.deleted", vhost, binding));
    }

    pub(crate) fn emit_connection_created(&self, entry: &ConnectionEntry) {
        self.emit("connection.created", || {
            let tuned = entry.tuned();
            let tls = entry.tls.as_deref();
            let peer = tls.and_then(|tls| tls.peer.as_ref());
            let mut table = fields([
                (BY, entry.user().into()),
                ("node", self.node()),
                ("connected_at", FieldValue::I64(i64::try_from(entry.connected_at_ms).unwrap_or(i64::MAX))),
                ("client_properties", entry.client_properties().map_or_else(|| Vec::new().into(), terms)),
                ("channel_max", number(tuned.channel_max)),
                ("frame_max", number(tuned.frame_max)),
                ("timeout", number(tuned.heartbeat_s)),
                ("vhost", entry.vhost().map_or("", |vhost| &**vhost).into()),
                ("user", entry.user().into()),
                ("protocol", "{0,9,1}".into()),
                ("ssl_hash", tls.map_or("", |tls| &tls.hash).into()),
                ("ssl_cipher", tls.map_or("", |tls| &tls.cipher).into()),
                ("ssl_key_exchange", tls.map_or("", |tls| &tls.key_exchange).into()),
                ("ssl_protocol", tls.map_or("", |tls| &tls.protocol).into()),
                ("auth_mechanism", entry.mechanism().unwrap_or_default().into()),
                ("peer_cert_validity", peer.map_or("", |peer| &peer.validity).into()),
                ("peer_cert_issuer", peer.map_or("", |peer| &peer.issuer).into()),
                ("peer_cert_subject", peer.map_or("", |peer| &peer.subject).into()),
                ("ssl", tls.is_some().into()),
                ("peer_host", address(entry.peer.ip()).into()),
                ("host", address(entry.local.ip()).into()),
                ("peer_port", number(entry.peer.port())),
                ("port", number(entry.local.port())),
                ("name", (*entry.name).into()),
                ("pid", self.pid(entry.id, 0)),
                ("type", "network".into()),
            ]);
            put_given_name(&mut table, entry);
            table
        });
    }

    pub(crate) fn emit_connection_closed(&self, entry: &ConnectionEntry) {
        self.emit("connection.closed", || {
            let mut table = fields([
                ("client_properties", entry.client_properties().map_or_else(|| Vec::new().into(), terms)),
                ("node", self.node()),
                ("pid", self.pid(entry.id, 0)),
                ("name", (*entry.name).into()),
            ]);
            put_given_name(&mut table, entry);
            table
        });
    }

    pub(crate) fn emit_channel_created(&self, channel: &ChannelEntry) {
        self.emit("channel.created", || {
            let connection = &channel.connection;
            fields([
                (BY, connection.user().into()),
                ("vhost", connection.vhost().map_or("", |vhost| &**vhost).into()),
                ("user", connection.user().into()),
                ("number", number(channel.number)),
                ("connection", self.pid(connection.id, 0)),
                ("name", channel.name().into()),
                ("pid", self.pid(connection.id, channel.number)),
            ])
        });
    }

    pub(crate) fn emit_channel_closed(&self, channel: &ChannelEntry) {
        self.emit("channel.closed", || {
            let connection = &channel.connection;
            fields([(BY, connection.user().into()), ("pid", self.pid(connection.id, channel.number))])
        });
    }

    pub(crate) fn emit_consumer_created(&self, vhost: &str, consumer: &Consumer) {
        self.emit("consumer.created", || {
            let connection = &consumer.entry.connection;
            fields([
                (BY, connection.user().into()),
                ("arguments", terms(&consumer.arguments)),
                ("prefetch_count", number(consumer.prefetch)),
                ("queue", (*consumer.queue).into()),
                ("vhost", vhost.into()),
                ("channel", self.pid(connection.id, consumer.channel)),
                ("ack_required", (!consumer.no_ack).into()),
                ("exclusive", consumer.exclusive.into()),
                ("consumer_tag", (*consumer.tag).into()),
            ])
        });
    }

    /// `cancelled` when the client asked for it.
    pub(crate) fn emit_consumer_deleted(&self, vhost: &str, consumer: &Arc<Consumer>, cancelled: bool) {
        self.emit("consumer.deleted", || {
            let connection = &consumer.entry.connection;
            fields([
                (BY, if cancelled { connection.user() } else { INTERNAL }.into()),
                ("queue", (*consumer.queue).into()),
                ("vhost", vhost.into()),
                ("channel", self.pid(connection.id, consumer.channel)),
                ("consumer_tag", (*consumer.tag).into()),
            ])
        });
    }

    /// Somebody tried to log in; `error` where that was refused.
    pub(crate) fn emit_login(&self, entry: &ConnectionEntry, user: &str, mechanism: &str, error: Option<&str>) {
        let name = if error.is_some() { "user.authentication.failure" } else { "user.authentication.success" };
        self.emit(name, || {
            let mut table = FieldTable::new();
            if let Some(error) = error {
                // A string of Erlang is a list of numbers.
                let letters = error.chars().map(|letter| number(u32::from(letter))).collect();
                table.insert("error", FieldValue::Array(letters));
            }
            // Where there is nothing to say of TLS, RabbitMQ leaves it out here.
            if let Some(tls) = entry.tls.as_deref() {
                if let Some(peer) = &tls.peer {
                    table.insert("peer_cert_validity", peer.validity.as_str());
                    table.insert("peer_cert_subject", peer.subject.as_str());
                    table.insert("peer_cert_issuer", peer.issuer.as_str());
                }
                table.insert("ssl_cipher", tls.cipher.as_str());
                table.insert("ssl_protocol", tls.protocol.as_str());
            }
            let more = fields([
                ("ssl", entry.tls.is_some().into()),
                ("auth_mechanism", mechanism.into()),
                ("protocol", "{0,9,1}".into()),
                ("peer_port", number(entry.peer.port())),
                ("peer_host", address(entry.peer.ip()).into()),
                ("connection_name", (*entry.name).into()),
                ("host", address(entry.local.ip()).into()),
                ("name", user.into()),
                ("connection_type", "network".into()),
            ]);
            more.into_iter().for_each(|(name, value)| table.insert(name, value));
            table
        });
    }

    pub(crate) fn emit_alarm(&self, alarm: Alarm, raised: bool) {
        let source = match alarm {
            Alarm::Memory => "memory",
            Alarm::Disk => "disk",
        };
        let of = || fields([("node", self.node()), ("source", source.into())]);
        self.emit(if raised { "alarm.set" } else { "alarm.cleared" }, of);
    }
}

/// The name that a client gave its connection.
fn put_given_name(table: &mut FieldTable, entry: &ConnectionEntry) {
    let given = entry.client_properties().and_then(|properties| properties.get("connection_name"));
    if let Some(name) = given {
        table.insert("user_provided_name", name.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_tuples() {
        let of = |text: &str| address(text.parse().unwrap());
        assert_eq!(of("127.0.0.1"), "{127,0,0,1}");
        assert_eq!(of("::1"), "{0,0,0,0,0,0,0,1}");
        assert_eq!(of("::ffff:10.1.2.3"), "{10,1,2,3}");
    }

    #[test]
    fn arguments_are_terms() {
        let mut table = FieldTable::new();
        table.insert("x-max-length", 5);
        assert_eq!(terms(&table), FieldValue::Array(vec!["{<<\"x-max-length\">>,signedint,5}".into()]));
    }
}
