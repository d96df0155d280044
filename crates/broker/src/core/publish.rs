//! Publishing: what a publish is allowed to be, and where it goes.

use super::Core;
use super::item::{InBuffer, Item, Span};
use crate::channel::Mode;
use crate::connection::Connection;
use crate::delivery::INLINE_BODY;
use crate::errors::{self, ProtocolError};
use crate::topology::{Exchange, ExchangeKind, Route, Routed, Vhost};
use amqp::ContentHeader;
use routing::RouteCache;
use std::sync::Arc;
use store::{Message, MessageParts, Slice};

/// A publish whose content is complete.
pub(crate) struct Incoming<'a> {
    /// Exchange and routing key, each behind its length.
    pub(crate) names: &'a [u8],
    pub(crate) exchange: &'a [u8],
    pub(crate) routing_key: &'a [u8],
    pub(crate) mandatory: bool,
    pub(crate) header: ContentHeader<'a>,
    /// The payload that `header` was read from.
    pub(crate) header_payload: &'a [u8],
    pub(crate) body: IncomingBody<'a>,
}

pub(crate) enum IncomingBody<'a> {
    /// The whole body; it and everything else of the publish lies in the read buffer.
    Read(&'a [u8]),
    /// Pieces that were stored as they arrived; nothing of the publish lies in the read buffer.
    Stored(Vec<Slice>),
}

impl Core {
    /// Takes a publish. `buffer` is the read buffer that `incoming` borrows from, the same for a whole run.
    #[inline]
    pub(crate) fn publish(
        &mut self,
        conn: &mut Connection,
        number: u16,
        incoming: Incoming<'_>,
        buffer: &[u8],
    ) -> Result<(), ProtocolError> {
        if self.continues_run(conn, number, &incoming, buffer) {
            return Ok(());
        }
        self.publish_first(conn, number, incoming, buffer)
    }

    /// A publish that is not like the one before. Apart, because what few publishes need makes the others dearer.
    #[inline(never)]
    fn publish_first(
        &mut self,
        conn: &mut Connection,
        number: u16,
        incoming: Incoming<'_>,
        buffer: &[u8],
    ) -> Result<(), ProtocolError> {
        let body_len = incoming.body.len();
        if body_len as u64 > self.broker.limits.max_message_size() {
            return Err(errors::MESSAGE_TOO_LARGE.with(&[&body_len, &self.broker.limits.max_message_size()]));
        }
        let exchange = self.exchange_to_publish(conn, number, incoming.exchange)?;
        self.check_topic_to_publish(conn, number, &exchange, incoming.routing_key)?;
        let delays = exchange.delays();
        let checked = self.check_properties(conn, number, &incoming, &exchange)?;
        let mut item = Item {
            persistent: incoming.header.properties.delivery_mode() == Some(2),
            mandatory: incoming.mandatory,
            body_len,
            expires: checked.expires,
            ..Item::default()
        };
        let header = checked.header.as_deref().unwrap_or(incoming.header_payload);
        let entered_ms = self.time_ms;
        let parts = MessageParts { names: incoming.names, header, persistent: item.persistent, entered_ms };
        match incoming.body {
            IncomingBody::Stored(pieces) => {
                item.stored = Some(Message::assemble(&mut self.arena, parts, pieces));
            }
            IncomingBody::Read(body) if checked.header.is_some() || body_len > INLINE_BODY => {
                item.stored = Some(Message::store(&mut self.arena, parts, body));
            }
            IncomingBody::Read(body) => {
                item.place = InBuffer {
                    names: Span::of(buffer, incoming.names),
                    header: Span::of(buffer, header),
                    body: Span::of(buffer, body),
                };
            }
        }
        if checked.hidden > 0 {
            // The header was rewritten without them, so that there is a message already.
            let arena = &mut self.arena;
            item.stored = item.stored.map(|message| message.with_hidden_keys(arena, checked.hidden_keys()));
        }
        self.settle_claims(conn, buffer);
        let is_reply = exchange.is_default() && crate::reply_to::is_address(incoming.routing_key);
        let route = if is_reply {
            None
        } else if delays && checked.headers.is_some_and(|headers| crate::delayed::delay_ms(headers).is_some()) {
            Some(self.delayed_route(&*self.vhost(conn)?))
        } else {
            let routed =
                Routed { headers: checked.headers, properties: incoming.header.properties, ..Routed::default() };
            Some(self.route(conn, number, &exchange, incoming.routing_key, &checked.more_keys, routed))
        };
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        let tag = match &mut channel.mode {
            Mode::Plain => 0,
            Mode::Confirm(confirms) => confirms.publish(),
            Mode::Tx(transaction) => {
                let message = match item.stored.take() {
                    Some(message) => message,
                    None => Message::store(&mut self.arena, item.parts(buffer, self.time_ms), item.body(buffer)),
                };
                transaction.publish(exchange, route, message, incoming.mandatory);
                channel.entry.uncommitted_messages.add(1);
                return Ok(());
            }
        };
        match route {
            Some(route) => self.add_to_run(conn, number, exchange, route, item, tag, buffer),
            None => {
                self.flush_run(conn, buffer);
                self.add_to_run(conn, number, exchange, Arc::new(Route::default()), item, tag, buffer);
                self.deliver_reply(conn, incoming.routing_key, buffer);
            }
        }
        Ok(())
    }

    /// The exchange called `name`, when the user may publish to it.
    pub(crate) fn exchange_to_publish(
        &mut self,
        conn: &mut Connection,
        number: u16,
        name: &[u8],
    ) -> Result<Arc<Exchange>, ProtocolError> {
        let permissions = self.broker.access.generation();
        if let Some(channel) = conn.channels.find(number)
            && let Some((exchange, generation)) = &channel.last_publish.exchange
            && exchange.name.as_bytes() == name
            && exchange.generation() == *generation
            && channel.last_publish.permissions == permissions
        {
            return Ok(exchange.clone());
        }
        let name = String::from_utf8_lossy(name);
        let name = crate::names::clean(&name);
        self.check_exchange(conn, &name, auth::Permission::Write)?;
        let exchange = self.exchange(conn, &name)?;
        if exchange.internal {
            let (vhost, name) = (self.vhost(conn)?.name.clone(), &exchange.name);
            return Err(errors::INTERNAL_EXCHANGE.with(&[&errors::Resource::exchange(&vhost, name)]));
        }
        let restricted = exchange.kind == ExchangeKind::Topic
            && (!conn.user.as_ref().is_some_and(|user| user.asks_internally())
                || self.broker.access.has_topic_permissions(conn.user_name(), &self.vhost(conn)?.name));
        if let Some(channel) = conn.channels.find(number) {
            channel.last_publish.pair = Some(channel.entry.published_to(&exchange.name));
            channel.last_publish.restricted = restricted;
            channel.publisher.get_or_insert_with(|| self.broker.publishers.enter_freely());
            channel.last_publish.permissions = permissions;
            channel.last_publish.exchange = Some((exchange.clone(), exchange.generation()));
            channel.last_publish.route = None;
        }
        Ok(exchange)
    }

    /// The checks of a publish, before there is anything to publish.
    pub(crate) fn check_publish(
        &mut self,
        conn: &mut Connection,
        number: u16,
        exchange: &[u8],
        key: &[u8],
    ) -> Result<(), ProtocolError> {
        let exchange = self.exchange_to_publish(conn, number, exchange)?;
        self.check_topic_to_publish(conn, number, &exchange, key)
    }

    /// Topic permissions, which few users have.
    #[inline]
    fn check_topic_to_publish(
        &self,
        conn: &mut Connection,
        number: u16,
        exchange: &Exchange,
        key: &[u8],
    ) -> Result<(), ProtocolError> {
        let restricted = conn.channels.find(number).is_some_and(|channel| channel.last_publish.restricted);
        if !restricted {
            return Ok(());
        }
        self.check_topic(conn, exchange, &String::from_utf8_lossy(key), auth::Permission::Write)
    }

    /// The same for the keys of CC and BCC.
    pub(crate) fn check_more_topics(
        &self,
        conn: &mut Connection,
        number: u16,
        exchange: &Exchange,
        keys: &[Vec<u8>],
    ) -> Result<(), ProtocolError> {
        let (Some(user), Some(vhost)) = (conn.user.clone(), conn.vhost.clone()) else { return Ok(()) };
        let restricted = conn.channels.find(number).is_some_and(|channel| channel.last_publish.restricted);
        if restricted { self.check_topics_for(Some(&user), &vhost, exchange, keys) } else { Ok(()) }
    }

    /// Where a message goes, remembered where that is possible.
    fn route(
        &mut self,
        conn: &mut Connection,
        number: u16,
        exchange: &Arc<Exchange>,
        key: &[u8],
        more_keys: &[Vec<u8>],
        routed: Routed<'_>,
    ) -> Arc<Route> {
        let Some(channel) = conn.channels.find(number) else { return Arc::default() };
        let last = &channel.last_publish;
        if let Some(route) = &last.route
            && more_keys.is_empty()
            && last.routing_key == key
            && route.is_current()
        {
            return route.clone();
        }
        let Some(vhost) = conn.vhost.clone() else { return Arc::default() };
        let (random, now_ms) = (self.random(), self.time_ms);
        if !more_keys.is_empty() {
            let keys: Vec<&[u8]> = std::iter::once(key).chain(more_keys.iter().map(Vec::as_slice)).collect();
            return Arc::new(vhost.read().route(exchange, &Routed { keys: &keys, random, now_ms, ..routed }));
        }
        let route = find_route(&mut self.routes, &vhost, exchange, &Routed { keys: &[key], random, now_ms, ..routed });
        if route.by_key_alone
            && let Some(channel) = conn.channels.find(number)
        {
            let last = &mut channel.last_publish;
            last.routing_key.clear();
            last.routing_key.extend_from_slice(key);
            last.route = Some(route.clone());
        }
        route
    }

    /// Where a message goes that no connection publishes.
    pub(crate) fn route_by(&mut self, vhost: &Vhost, exchange: &Arc<Exchange>, message: &Routed<'_>) -> Arc<Route> {
        if exchange.delays() && message.headers.is_some_and(|headers| crate::delayed::delay_ms(headers).is_some()) {
            return self.delayed_route(vhost);
        }
        let (random, now_ms) = (self.random(), self.time_ms);
        find_route(&mut self.routes, vhost, exchange, &Routed { random, now_ms, ..*message })
    }

    /// Publishes a stored message, as tx.commit does: it enters its queues now, so that its time to live begins.
    ///
    /// A delay began when it was published. RabbitMQ does both alike (the Java client's `transactionalPublishWithGet`).
    pub(crate) fn publish_stored(
        &mut self,
        conn: &mut Connection,
        channel: u16,
        (exchange, route): (Arc<Exchange>, Option<Arc<Route>>),
        message: Message,
        mandatory: bool,
    ) {
        let address = route.is_none().then(|| message.parts().routing_key().to_vec());
        let is_delayed = route.as_ref().is_some_and(|route| route.is_delayed);
        let message = if is_delayed || message.entered_ms() == self.time_ms {
            message
        } else {
            message.rewrite(&mut self.arena, MessageParts { entered_ms: self.time_ms, ..message.parts() })
        };
        let item = Item { mandatory, ..Item::of(&message) };
        self.add_to_run(conn, channel, exchange, route.unwrap_or_default(), item, 0, &[]);
        if let Some(address) = address {
            self.deliver_reply(conn, &address, &[]);
        }
    }
}

/// Where a message goes, remembered where one key alone decides.
fn find_route(
    routes: &mut RouteCache<Option<Arc<Route>>>,
    vhost: &Vhost,
    exchange: &Arc<Exchange>,
    message: &Routed<'_>,
) -> Arc<Route> {
    let [key] = message.keys else { return Arc::new(vhost.read().route(exchange, message)) };
    // Exchange ids are those of a virtual host; its name's address tells virtual hosts apart.
    let scope = (Arc::as_ptr(&exchange.name).cast::<u8>() as u64) ^ exchange.id.rotate_left(32);
    let generation = exchange.generation();
    let known = routes.find(scope, generation, key).and_then(Option::as_ref);
    if let Some(route) = known.filter(|route| route.is_for(exchange) && route.is_current()) {
        return route.clone();
    }
    let route = Arc::new(vhost.read().route(exchange, message));
    if route.by_key_alone {
        routes.insert(scope, generation, key, Some(route.clone()));
    }
    route
}

impl IncomingBody<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            IncomingBody::Read(body) => body.len(),
            IncomingBody::Stored(pieces) => pieces.iter().map(|piece| piece.len()).sum(),
        }
    }
}
