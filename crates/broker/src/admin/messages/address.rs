//! Where a message that is moved goes, and as what.

use super::transfer::{MoveTarget, Origin, Transfer};
use crate::core::Core;
use crate::errors::ProtocolError;
use crate::topology::{Exchange, Route, Routed, Vhost};
use amqp::properties::CutProperties;
use amqp::{FieldRef, PropertiesRef, TableRef};
use auth::User;
use std::sync::Arc;
use store::{Message, MessageParts, names};

/// The headers that tell of deaths.
const DEATHS: [&str; 7] = [
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
];

/// What becomes of a message.
pub(super) enum Address {
    To(Message, Arc<Route>),
    /// No queue would get it.
    Unroutable,
    /// It does not say where it came from.
    Unknown,
    /// The user may not publish there.
    Refused,
}

/// Finds the addresses of messages of one piece of work.
pub(super) struct Addresser<'a> {
    pub(super) transfer: &'a Transfer,
    pub(super) vhost: &'a Vhost,
    pub(super) user: Option<&'a User>,
    /// The last queue, by name, and its route, so that messages with the same share it.
    last: Option<(Vec<u8>, Arc<Route>)>,
}

/// Where a dead letter came from.
struct Death<'a> {
    exchange: &'a [u8],
    queue: &'a [u8],
    routing_key: &'a [u8],
}

impl<'a> Addresser<'a> {
    pub(super) fn new(transfer: &'a Transfer, vhost: &'a Vhost, user: Option<&'a User>) -> Addresser<'a> {
        Addresser { transfer, vhost, user, last: None }
    }

    pub(super) fn address(&mut self, core: &mut Core, message: &Message) -> Address {
        let parts = message.parts();
        match &self.transfer.target {
            MoveTarget::Nowhere => Address::Unroutable,
            MoveTarget::Queue(name) => match self.check(core, "", name.as_bytes()) {
                Ok(_) => self.to_queue(core, message, name.as_bytes(), parts.names),
                Err(_) => Address::Refused,
            },
            MoveTarget::Exchange { name, routing_key } => {
                let key = routing_key.as_ref().map_or(parts.routing_key(), |key| key.as_bytes());
                self.to_exchange(core, message, name, key)
            }
            MoveTarget::Origin(origin) => {
                let headers = PropertiesRef::of_payload(parts.header).and_then(|properties| properties.headers());
                let Some(death) = headers.and_then(|headers| death(headers, *origin)) else { return Address::Unknown };
                if origin.by_exchange {
                    let exchange = String::from_utf8_lossy(death.exchange);
                    return self.to_exchange(core, message, &exchange, death.routing_key);
                }
                if self.check(core, "", death.queue).is_err() {
                    return Address::Refused;
                }
                let fits = death.exchange.len() <= 255 && death.routing_key.len() <= 255;
                let names = if fits { names(death.exchange, death.routing_key) } else { parts.names.to_vec() };
                self.to_queue(core, message, death.queue, &names)
            }
        }
    }

    fn check(&self, core: &Core, exchange: &str, key: &[u8]) -> Result<Arc<Exchange>, ProtocolError> {
        let exchange = core.exchange_for(self.user, self.vhost, exchange)?;
        core.check_topic_for(self.user, self.vhost, &exchange, key)?;
        Ok(exchange)
    }

    /// Straight to a queue, whatever its bindings.
    fn to_queue(&mut self, core: &mut Core, message: &Message, name: &[u8], names: &[u8]) -> Address {
        let known = self.last.as_ref().filter(|(last, _)| last == name).map(|(_, route)| route.clone());
        let route = known.or_else(|| {
            let cell = self.vhost.queue(std::str::from_utf8(name).ok()?)?;
            Some(Arc::new(Route::to(vec![cell])))
        });
        let Some(route) = route else { return Address::Unroutable };
        self.last = Some((name.to_vec(), route.clone()));
        let header = self.header(message);
        let parts = message.parts();
        let header = header.as_deref().unwrap_or(parts.header);
        let parts = MessageParts { names, header, entered_ms: core.time_ms, ..parts };
        Address::To(message.rewrite(&mut core.arena, parts), route)
    }

    fn to_exchange(&mut self, core: &mut Core, message: &Message, name: &str, key: &[u8]) -> Address {
        let exchange = match self.check(core, name, key) {
            Ok(exchange) => exchange,
            Err(error) if error.code.0 == 404 => return Address::Unroutable,
            Err(_) => return Address::Refused,
        };
        if key.len() > usize::from(u8::MAX) {
            return Address::Unroutable;
        }
        let header = self.header(message);
        let parts = message.parts();
        let header = header.as_deref().unwrap_or(parts.header);
        let properties = PropertiesRef::of_payload(header).unwrap_or_default();
        let keys = [key];
        let routed = Routed { keys: &keys, headers: properties.headers(), properties, ..Routed::default() };
        let route = core.route_by(self.vhost, &exchange, &routed);
        if route.queues.is_empty() {
            return Address::Unroutable;
        }
        exchange.counters.publish_in.add(1);
        exchange.counters.publish_out.add(route.queues.len() as u64);
        let names = names(exchange.name.as_bytes(), key);
        let parts = MessageParts { names: &names, header, entered_ms: core.time_ms, ..parts };
        Address::To(message.rewrite(&mut core.arena, parts), route)
    }

    /// Its content header without the history of its deaths, where that is not to be kept.
    fn header(&self, message: &Message) -> Option<Vec<u8>> {
        if !self.transfer.forgets_deaths {
            return None;
        }
        let header = message.parts().header;
        let properties = PropertiesRef::of_payload(header).and_then(CutProperties::of)?;
        let is_death = |name: &str| DEATHS.contains(&name);
        properties.headers.raw_fields().find(|(name, ..)| is_death(name))?;
        let mut new = Vec::with_capacity(header.len());
        properties.encode_header(message.body_len() as u64, &mut new, |out| {
            for (_, _, raw) in properties.headers.raw_fields().filter(|(name, ..)| !is_death(name)) {
                out.extend_from_slice(raw);
            }
        });
        Some(new)
    }
}

fn text<'a>(table: TableRef<'a>, name: &str) -> Option<&'a [u8]> {
    table.find(name)?.as_bytes()
}

/// The death that headers tell of: the latest is the first of x-death, and the first one is named apart.
fn death<'a>(headers: TableRef<'a>, origin: Origin) -> Option<Death<'a>> {
    let Some(FieldRef::Array(deaths)) = headers.find("x-death") else { return None };
    let tables =
        || deaths.iter().filter_map(|death| if let Ok(FieldRef::Table(table)) = death { Some(table) } else { None });
    let table = if origin.is_last {
        tables().next()
    } else {
        let (queue, reason) = (text(headers, "x-first-death-queue"), text(headers, "x-first-death-reason"));
        let is_first = |table: &TableRef<'a>| {
            queue.is_some() && text(*table, "queue") == queue && text(*table, "reason") == reason
        };
        tables().find(is_first).or_else(|| tables().last())
    }?;
    let routing_key = match table.find("routing-keys") {
        Some(FieldRef::Array(keys)) => keys.iter().next().and_then(Result::ok).and_then(FieldRef::as_bytes),
        _ => None,
    };
    Some(Death {
        exchange: text(table, "exchange").unwrap_or_default(),
        queue: text(table, "queue")?,
        routing_key: routing_key.unwrap_or_default(),
    })
}
