//! Publishing events and lines of the log to their exchanges.

use super::Core;
use super::leave::Outgoing;
use crate::events::{Event, LogLine};
use crate::topology::{Exchange, Routed};
use amqp::{FieldTable, FieldValue, Properties, TableRef};
use std::sync::Arc;
use store::{Message, MessageParts, names};
use tracing::warn;

impl Core {
    /// Publishes what waits, and tells those who read events.
    pub(crate) fn publish_events(&mut self) {
        let broker = self.broker.clone();
        let exchange = broker.events.exchange();
        for mut event in broker.events.take() {
            let now_ms = i64::try_from(self.time_ms).unwrap_or(i64::MAX);
            event.fields.insert("timestamp_in_ms", FieldValue::I64(now_ms));
            broker.events.tell(&event);
            if let Some(exchange) = &exchange {
                self.publish_event(exchange, &event);
            }
        }
        let dropped = broker.events.newly_dropped();
        if dropped > 0 {
            warn!("{dropped} events were dropped: they came faster than they could be published or read");
        }
        if let Some(exchange) = broker.events.log.exchange() {
            broker.events.log.take().iter().for_each(|line| self.publish_log_line(&exchange, line));
        }
    }

    /// Delivery mode 2 and no body, as RabbitMQ.
    fn publish_event(&mut self, exchange: &Arc<Exchange>, event: &Event) {
        let headers = event.fields.to_bytes();
        let properties = Properties {
            headers: TableRef::parse(&headers).ok(),
            delivery_mode: Some(2),
            timestamp: Some(self.time_ms / 1000),
            ..Properties::default()
        };
        self.publish_own(exchange, event.name, properties, &[]);
    }

    fn publish_log_line(&mut self, exchange: &Arc<Exchange>, line: &LogLine) {
        let mut headers = FieldTable::new();
        headers.insert("node", self.broker.settings.node_name.as_str());
        let headers = headers.to_bytes();
        let properties = Properties {
            content_type: Some(line.content_type),
            headers: TableRef::parse(&headers).ok(),
            timestamp: Some(line.time_s),
            ..Properties::default()
        };
        self.publish_own(exchange, line.level, properties, line.body.as_bytes());
    }

    /// Publishes a message of the broker's own.
    fn publish_own(&mut self, exchange: &Arc<Exchange>, key: &str, properties: Properties<'_>, body: &[u8]) {
        let Some(vhost) = self.broker.vhost(&exchange.vhost) else { return };
        let (key, headers) = (key.as_bytes(), properties.headers);
        let route = self.route_by(&vhost, exchange, &Routed { keys: &[key], headers, ..Routed::default() });
        exchange.counters.publish_in.add(1);
        if route.queues.is_empty() {
            return;
        }
        exchange.counters.publish_out.add(route.queues.len() as u64);
        let mut header = Vec::new();
        properties.encode_header(body.len() as u64, &mut header);
        let names = names(exchange.name.as_bytes(), key);
        let persistent = properties.delivery_mode == Some(2);
        let parts = MessageParts { names: &names, header: &header, persistent, entered_ms: self.time_ms };
        let message = Message::store(&mut self.arena, parts, body);
        self.enqueue_all(&mut [Outgoing { message, route, reached: Vec::new() }]);
        self.want_commit();
    }
}
