//! The firehose: copies of what is published and delivered in a virtual host that is traced, for its exchange
//! amq.rabbitmq.trace.
//!
//! While no virtual host is traced, a run of messages costs a load and a branch. What happens is noted where it does,
//! perhaps under a queue's lock; the copies are made and published at the end of the turn, with nothing locked.

use super::Core;
use super::item::Item;
use super::leave::Outgoing;
use crate::delivery::Consumer;
use crate::directory::ChannelEntry;
use crate::names::TRACE_EXCHANGE;
use crate::topology::{Exchange, QueueCell, Route, Routed, Vhost};
use amqp::properties::PropertiesRef;
use amqp::{FieldTable, FieldValue, Properties, TableRef};
use std::sync::Arc;
use store::{Message, MessageParts, names};

/// Longest routing key in bytes.
const LONGEST_KEY: usize = 255;

/// Something that happened to a message in a virtual host that is traced.
pub(crate) struct Sight {
    vhost: Arc<str>,
    message: Message,
    who: Who,
    what: What,
}

/// Who published or received.
#[derive(Clone)]
pub(crate) enum Who {
    /// A client, on this channel.
    Channel(Arc<ChannelEntry>),
    /// An administrative command, in the name of this user.
    Operator(String),
}

enum What {
    /// It was published and went to these queues.
    Publish { queues: Vec<String> },
    /// It was delivered from this queue.
    Deliver { queue: Arc<str>, redelivered: bool },
}

impl Core {
    /// True while messages of some virtual host are to be traced.
    #[inline]
    pub(crate) fn is_tracing(&self) -> bool {
        self.broker.is_tracing()
    }

    /// True when messages of this virtual host are to be traced.
    fn traces(&self, vhost: &str) -> bool {
        self.broker.vhost(vhost).is_some_and(|vhost| vhost.is_traced())
    }

    /// Publishes of a run went to an exchange.
    #[cold]
    pub(super) fn sight_published(
        &mut self,
        entry: Option<Arc<ChannelEntry>>,
        exchange: &Exchange,
        route: &Route,
        items: &mut [Item],
        buffer: &[u8],
    ) {
        let Some(entry) = entry.filter(|_| self.traces(&exchange.vhost) && *exchange.name != *TRACE_EXCHANGE) else {
            return;
        };
        for item in items {
            let message = self.stored(item, buffer, false);
            self.sight_publish(Who::Channel(entry.clone()), exchange, route, &message);
        }
    }

    /// A message was published to an exchange.
    #[cold]
    pub(super) fn sight_publish(&mut self, who: Who, exchange: &Exchange, route: &Route, message: &Message) {
        if !self.traces(&exchange.vhost) || *exchange.name == *TRACE_EXCHANGE {
            return;
        }
        let mut queues: Vec<String> = match route.is_delayed {
            true => Vec::new(),
            false => route.queues.iter().map(|cell| cell.name.to_string()).collect(),
        };
        let key = message.parts().routing_key();
        if exchange.is_default() && queues.is_empty() && !crate::reply_to::is_address(key) {
            // RabbitMQ: to the default exchange a key is the name of a queue, whether there is one or not.
            queues.push(String::from_utf8_lossy(key).into_owned());
        }
        let what = What::Publish { queues };
        self.sights.push(Sight { vhost: exchange.vhost.clone(), message: message.clone(), who, what });
    }

    /// New messages are on their way to consumers.
    #[cold]
    pub(super) fn sight_delivered_items<'a>(
        &mut self,
        cell: &QueueCell,
        items: &mut [Item],
        consumers: impl Iterator<Item = Option<&'a Arc<Consumer>>>,
        buffer: &[u8],
    ) {
        if !self.traces(&cell.vhost) {
            return;
        }
        for (item, consumer) in items.iter_mut().zip(consumers) {
            let message = self.stored(item, buffer, false);
            if let Some(consumer) = consumer {
                self.sight_deliver(cell, Who::Channel(consumer.entry.clone()), &message, false);
            }
        }
    }

    /// A message is on its way to a consumer, or was fetched.
    #[cold]
    pub(crate) fn sight_deliver(&mut self, cell: &QueueCell, who: Who, message: &Message, redelivered: bool) {
        if message.parts().exchange() == TRACE_EXCHANGE.as_bytes() || !self.traces(&cell.vhost) {
            return;
        }
        let what = What::Deliver { queue: cell.name.clone(), redelivered };
        self.sights.push(Sight { vhost: cell.vhost.clone(), message: message.clone(), who, what });
    }

    /// Publishes copies of what was noted; called with nothing locked.
    #[cold]
    pub(super) fn publish_sights(&mut self) {
        let mut sights = std::mem::take(&mut self.sights);
        for sight in sights.drain(..) {
            let Some(vhost) = self.broker.vhost(&sight.vhost) else { continue };
            self.publish_sight(&vhost, &sight);
        }
        self.sights = sights;
    }

    fn publish_sight(&mut self, vhost: &Vhost, sight: &Sight) {
        let Some(exchange) = vhost.exchange(TRACE_EXCHANGE) else { return };
        let key = routing_key(sight);
        let headers = headers(sight, &self.broker.settings.node_name).to_bytes();
        let headers = TableRef::parse(&headers).ok();
        let route = self.route_by(vhost, &exchange, &Routed { keys: &[&key], headers, ..Routed::default() });
        exchange.counters.publish_in.add(1);
        if route.queues.is_empty() {
            return;
        }
        exchange.counters.publish_out.add(route.queues.len() as u64);
        let mut header = Vec::new();
        Properties { headers, ..Properties::default() }.encode_header(sight.message.body_len() as u64, &mut header);
        let names = names(exchange.name.as_bytes(), &key);
        let parts = MessageParts { names: &names, header: &header, persistent: false, entered_ms: self.time_ms };
        let message = sight.message.copy_as(&mut self.arena, parts);
        self.enqueue_all(&mut [Outgoing { message, route, reached: Vec::new() }]);
    }
}

fn routing_key(sight: &Sight) -> Vec<u8> {
    let mut key = match &sight.what {
        What::Publish { .. } => [b"publish.", sight.message.parts().exchange()].concat(),
        What::Deliver { queue, .. } => [b"deliver.", queue.as_bytes()].concat(),
    };
    if key.len() > LONGEST_KEY {
        // A whole character less rather than a part of one.
        let end = (0..=LONGEST_KEY).rev().find(|end| key[*end] & 0xC0 != 0x80);
        key.truncate(end.unwrap_or(LONGEST_KEY));
    }
    key
}

/// The headers that RabbitMQ's rabbit_trace gives a copy, in its order.
fn headers(sight: &Sight, node: &str) -> FieldTable {
    let parts = sight.message.parts();
    let properties = PropertiesRef::of_payload(parts.header).and_then(|properties| properties.decode().ok());
    let properties = properties.unwrap_or_default();
    let mut table = FieldTable::new();
    table.insert("exchange_name", FieldValue::LongString(parts.exchange().to_vec()));
    table.insert("routing_keys", FieldValue::Array(routing_keys(&sight.message, &properties)));
    table.insert("properties", FieldValue::Table(properties_table(&properties)));
    table.insert("node", node);
    if let What::Deliver { redelivered, .. } = sight.what {
        table.insert("redelivered", i32::from(redelivered));
    }
    table.insert("vhost", &*sight.vhost);
    let (connection, channel, user) = match &sight.who {
        Who::Channel(entry) => (&*entry.connection.name, i32::from(entry.number), entry.connection.user()),
        Who::Operator(user) => ("", 1, &**user),
    };
    table.insert("connection", connection);
    table.insert("channel", channel);
    table.insert("user", user);
    if let What::Publish { queues } = &sight.what {
        let queues = queues.iter().map(|name| FieldValue::from(&**name)).collect();
        table.insert("routed_queues", FieldValue::Array(queues));
    }
    table
}

/// The routing key, then those of CC and BCC.
fn routing_keys(message: &Message, properties: &Properties<'_>) -> Vec<FieldValue> {
    let mut keys = vec![FieldValue::LongString(message.parts().routing_key().to_vec())];
    let copies = properties.headers.and_then(|headers| headers.find("CC"));
    if let Some(Ok(FieldValue::Array(copies))) = copies.map(amqp::FieldRef::to_owned) {
        keys.extend(copies);
    }
    keys.extend(message.hidden_keys().map(|key| FieldValue::LongString(key.to_vec())));
    keys
}

/// Properties as a table: numbers as signed integers, all else as strings. RabbitMQ's type comes from its last field.
fn properties_table(properties: &Properties<'_>) -> FieldTable {
    let mut table = FieldTable::new();
    let text = |table: &mut FieldTable, name: &str, value: Option<&str>| {
        if let Some(value) = value {
            table.insert(name, value);
        }
    };
    let number = |table: &mut FieldTable, name: &str, value: Option<u64>| {
        if let Some(value) = value {
            // As RabbitMQ's `signedint`, which keeps the lowest 32 bits.
            table.insert(name, FieldValue::I32(value as i32));
        }
    };
    text(&mut table, "cluster_id", properties.cluster_id);
    text(&mut table, "app_id", properties.app_id);
    text(&mut table, "user_id", properties.user_id);
    text(&mut table, "type", properties.kind);
    number(&mut table, "timestamp", properties.timestamp);
    text(&mut table, "message_id", properties.message_id);
    text(&mut table, "expiration", properties.expiration);
    text(&mut table, "reply_to", properties.reply_to);
    text(&mut table, "correlation_id", properties.correlation_id);
    number(&mut table, "priority", properties.priority.map(u64::from));
    number(&mut table, "delivery_mode", properties.delivery_mode.map(u64::from));
    if let Some(headers) = properties.headers {
        table.insert("headers", FieldValue::Table(headers.to_owned().unwrap_or_default()));
    }
    text(&mut table, "content_encoding", properties.content_encoding);
    text(&mut table, "content_type", properties.content_type);
    table
}
