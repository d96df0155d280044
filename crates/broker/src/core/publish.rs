//! Publishing: checks, routing, and runs of messages for the same queues.
//!
//! Publishes of one read that go the same way are gathered into a run, without copying them, and each queue's lock is
//! taken once for the run. A message is copied from the read buffer straight into a consumer's output; it is stored
//! only when nobody can take it now, when it will have to be acknowledged, or when it is large.

use super::deliver::Tally;
use super::{Core, MESSAGES_PER_LOCK};
use crate::channel::Mode;
use crate::connection::Connection;
use crate::delivery::{Content, ContentBody, INLINE_BODY, OutputGate, encode_deliver, encode_return};
use crate::errors::{self, ProtocolError};
use crate::topology::{Exchange, ExchangeKind, QueueCell, QueueState, Route};
use amqp::{ContentHeader, TableRef};
use queue::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;
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

/// Bytes of the read buffer.
#[derive(Clone, Copy, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Where `part` lies in `whole`, of which it is a part; anywhere when it is empty.
    #[inline]
    fn of(whole: &[u8], part: &[u8]) -> Span {
        if part.is_empty() {
            return Span::default();
        }
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        debug_assert!(start + part.len() <= whole.len(), "the part lies in the read buffer");
        Span { start: start as u32, end: (start + part.len()) as u32 }
    }

    #[inline]
    fn in_buffer(self, buffer: &[u8]) -> &[u8] {
        &buffer[self.start as usize..self.end as usize]
    }
}

/// Where a publish lies in the read buffer.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Exchange and routing key, each behind its length, as they stand in the method.
    names: Span,
    header: Span,
    body: Span,
}

/// A publish of the run.
struct Item {
    place: Place,
    /// Set when it is stored already; then `place` means nothing.
    stored: Option<Message>,
    persistent: bool,
    mandatory: bool,
    body_len: usize,
}

/// Publishes on one channel that go to the same queues.
#[derive(Default)]
pub(super) struct Run {
    channel: u16,
    route: Option<Arc<Route>>,
    items: Vec<Item>,
    /// Confirm tag of the first; the others follow. 0 without confirms.
    first_tag: u64,
    exchange: Option<Arc<Exchange>>,
}

impl Item {
    fn parts<'a>(&'a self, buffer: &'a [u8]) -> MessageParts<'a> {
        MessageParts {
            names: self.place.names.in_buffer(buffer),
            header: self.place.header.in_buffer(buffer),
            persistent: self.persistent,
        }
    }

    fn content<'a>(&'a self, buffer: &'a [u8]) -> Content<'a> {
        if let Some(message) = &self.stored {
            return Content::of(message);
        }
        let MessageParts { names, header, .. } = self.parts(buffer);
        Content { names, header, body: ContentBody::Bytes(self.body(buffer)) }
    }

    #[inline]
    fn body<'a>(&self, buffer: &'a [u8]) -> &'a [u8] {
        self.place.body.in_buffer(buffer)
    }
}

impl Core {
    /// Takes a publish. `buffer` is the read buffer that `incoming` borrows from, the same for a whole run.
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
        let body_len = incoming.body.len();
        if body_len as u64 > self.broker.settings.max_message_size {
            return Err(errors::MESSAGE_TOO_LARGE.with(&[&body_len, &self.broker.settings.max_message_size]));
        }
        let exchange = self.exchange_to_publish(conn, number, incoming.exchange)?;
        self.check_topic_to_publish(conn, number, &exchange, incoming.routing_key)?;
        let checked = self.check_properties(conn, number, &incoming)?;
        let mut item = Item {
            place: Place::default(),
            stored: None,
            persistent: incoming.header.properties.delivery_mode() == Some(2),
            mandatory: incoming.mandatory,
            body_len,
        };
        let header = checked.header.as_deref().unwrap_or(incoming.header_payload);
        let parts = MessageParts { names: incoming.names, header, persistent: item.persistent };
        match incoming.body {
            IncomingBody::Stored(pieces) => {
                item.stored = Some(Message::assemble(&mut self.arena, parts, pieces));
            }
            IncomingBody::Read(body) if checked.header.is_some() || body_len > INLINE_BODY => {
                item.stored = Some(Message::store(&mut self.arena, parts, body));
            }
            IncomingBody::Read(body) => {
                item.place = Place {
                    names: Span::of(buffer, incoming.names),
                    header: Span::of(buffer, header),
                    body: Span::of(buffer, body),
                };
            }
        }
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        channel.counters.publish.add(1);
        channel.last_publish.pair.add(1);
        let is_reply = exchange.is_default() && crate::reply_to::is_address(incoming.routing_key);
        let route = if is_reply {
            None
        } else {
            Some(self.route(conn, number, &exchange, incoming.routing_key, &checked.more_keys, checked.headers))
        };
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        let tag = match &mut channel.mode {
            Mode::Plain => 0,
            Mode::Confirm(confirms) => confirms.publish(),
            Mode::Tx(transaction) => {
                let message = match item.stored.take() {
                    Some(message) => message,
                    None => Message::store(&mut self.arena, item.parts(buffer), item.body(buffer)),
                };
                transaction.publish(exchange, route, message, incoming.mandatory);
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

    /// Adds a publish to the run when it is like the one before: the same exchange, key and fate, with nothing to check.
    ///
    /// What has been decided for the run's first publish holds for the others of the same read, whatever other reactors
    /// change meanwhile: they might as well have come after it.
    #[inline]
    fn continues_run(&mut self, conn: &mut Connection, number: u16, incoming: &Incoming<'_>, buffer: &[u8]) -> bool {
        let Some(route) = &self.run.route else { return false };
        let Some(channel) = conn.channels.find(number) else { return false };
        let IncomingBody::Read(body) = incoming.body else { return false };
        let last = &channel.last_publish;
        let same = self.run.channel == number
            && self.run.items.len() < MESSAGES_PER_LOCK
            && !last.restricted
            && last.routing_key == incoming.routing_key
            && last.route.as_ref().is_some_and(|last| Arc::ptr_eq(last, route))
            && last.exchange.as_ref().is_some_and(|(last, _)| last.name.as_bytes() == incoming.exchange)
            && body.len() <= INLINE_BODY
            && incoming.header.properties.is_plain();
        if !same || body.len() as u64 > self.broker.settings.max_message_size {
            return false;
        }
        match &mut channel.mode {
            Mode::Plain => {}
            Mode::Confirm(confirms) => {
                confirms.publish();
            }
            Mode::Tx(_) => return false,
        }
        channel.counters.publish.add(1);
        channel.last_publish.pair.add(1);
        let place = Place {
            names: Span::of(buffer, incoming.names),
            header: Span::of(buffer, incoming.header_payload),
            body: Span::of(buffer, body),
        };
        let persistent = incoming.header.properties.delivery_mode() == Some(2);
        let mandatory = incoming.mandatory;
        self.run.items.push(Item { place, stored: None, persistent, mandatory, body_len: body.len() });
        true
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one run")]
    fn add_to_run(
        &mut self,
        conn: &mut Connection,
        channel: u16,
        exchange: Arc<Exchange>,
        route: Arc<Route>,
        item: Item,
        tag: u64,
        buffer: &[u8],
    ) {
        let fits = self.run.channel == channel
            && self.run.items.len() < MESSAGES_PER_LOCK
            && self.run.route.as_ref().is_some_and(|current| Arc::ptr_eq(current, &route));
        if !fits {
            self.flush_run(conn, buffer);
            self.run.channel = channel;
            self.run.route = Some(route);
            self.run.exchange = Some(exchange);
            self.run.first_tag = tag;
        }
        self.run.items.push(item);
    }

    /// The exchange called `name`, when the user may publish to it.
    fn exchange_to_publish(
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
            && self.broker.access.has_topic_permissions(conn.user_name(), &self.vhost(conn)?.name);
        if let Some(channel) = conn.channels.find(number) {
            channel.last_publish.pair = channel.published_to(&exchange.name);
            channel.last_publish.restricted = restricted;
            channel.last_publish.permissions = permissions;
            channel.last_publish.exchange = Some((exchange.clone(), exchange.generation()));
            channel.last_publish.route = None;
        }
        Ok(exchange)
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

    /// Where a message goes, remembered where that is possible.
    fn route(
        &mut self,
        conn: &mut Connection,
        number: u16,
        exchange: &Arc<Exchange>,
        key: &[u8],
        more_keys: &[Vec<u8>],
        headers: Option<TableRef<'_>>,
    ) -> Arc<Route> {
        let Some(vhost) = conn.vhost.clone() else { return Arc::default() };
        let Some(channel) = conn.channels.find(number) else { return Arc::default() };
        if !more_keys.is_empty() {
            let keys: Vec<&[u8]> = std::iter::once(key).chain(more_keys.iter().map(Vec::as_slice)).collect();
            return Arc::new(vhost.read().route(exchange, &keys, headers));
        }
        let last = &mut channel.last_publish;
        if let Some(route) = &last.route
            && last.routing_key == key
            && route.is_current()
        {
            return route.clone();
        }
        // Exchange ids are those of a virtual host; its name's address tells virtual hosts apart.
        let scope = (Arc::as_ptr(&exchange.name).cast::<u8>() as u64) ^ exchange.id.rotate_left(32);
        let generation = exchange.generation();
        let known = self.routes.find(scope, generation, key).and_then(Option::as_ref);
        let route = match known.filter(|route| route.is_for(exchange) && route.is_current()) {
            Some(route) => route.clone(),
            None => {
                let route = Arc::new(vhost.read().route(exchange, &[key], headers));
                if route.by_key_alone {
                    self.routes.insert(scope, generation, key, Some(route.clone()));
                }
                route
            }
        };
        if route.by_key_alone {
            last.routing_key.clear();
            last.routing_key.extend_from_slice(key);
            last.route = Some(route.clone());
        }
        route
    }

    /// Sends the publishes gathered so far on their way.
    pub(crate) fn flush_run(&mut self, conn: &mut Connection, buffer: &[u8]) {
        let Some(route) = self.run.route.take() else { return };
        let mut items = std::mem::take(&mut self.run.items);
        let count = items.len() as u64;
        if let Some(exchange) = self.run.exchange.take() {
            exchange.counters.publish_in.add(count);
            exchange.counters.publish_out.add(count * route.queues.len() as u64);
        }
        for (at, cell) in route.queues.iter().enumerate() {
            let last = at + 1 == route.queues.len();
            if self.enqueue_run(cell, &mut items, buffer, last) {
                self.outpaces_consumers = Some(cell.clone());
            }
        }
        if route.queues.is_empty() && !route.delivered_directly {
            self.unroutable(conn, &items, buffer);
        }
        if self.run.first_tag > 0 {
            let (first, last) = (self.run.first_tag, self.run.first_tag + count - 1);
            self.confirm(conn, self.run.channel, first, last);
        }
        items.clear();
        self.run.items = items;
    }

    /// Puts messages into one queue. Returns true when the queue grows although its consumers are willing.
    fn enqueue_run(&mut self, cell: &Arc<QueueCell>, items: &mut [Item], buffer: &[u8], last: bool) -> bool {
        let mut state = cell.lock();
        if cell.is_dead() {
            return false;
        }
        let mut keys = std::mem::take(&mut self.scratch.keys);
        keys.clear();
        state.queue.plan_new(items.len(), &mut OutputGate { cell }, &mut keys);
        let (direct, rest) = items.split_at_mut(keys.len());
        self.scratch.keys = keys;
        if !direct.is_empty() {
            self.deliver_new(cell, &mut state, direct, buffer, last);
        }
        for item in rest {
            let message = self.stored(item, buffer, last);
            state.queue.push(message);
        }
        cell.counters.publish.add(items.len() as u64);
        cell.publish_gauges(&state);
        cell.is_long() && state.queue.consumers.want_messages()
    }

    /// The message of an item, stored now if it was not; kept for the next queue unless this is the last.
    fn stored(&mut self, item: &mut Item, buffer: &[u8], last: bool) -> Message {
        match &item.stored {
            Some(message) if !last => message.clone(),
            _ => match item.stored.take() {
                Some(message) => message,
                None => {
                    let message = Message::store(&mut self.arena, item.parts(buffer), item.body(buffer));
                    if !last {
                        item.stored = Some(message.clone());
                    }
                    message
                }
            },
        }
    }

    /// Delivers new messages to the consumers that `scratch.keys` assigns them to.
    fn deliver_new(
        &mut self,
        cell: &Arc<QueueCell>,
        state: &mut QueueState,
        items: &mut [Item],
        buffer: &[u8],
        last: bool,
    ) {
        let keys = std::mem::take(&mut self.scratch.keys);
        let mut sent = std::mem::take(&mut self.scratch.sent);
        sent.clear();
        sent.resize(items.len(), false);
        let first_seq = state.queue.take_seqs(items.len() as u64);
        let mut tally = Tally::default();
        let mut undeliverable = Vec::new();
        let mut first = 0;
        while let Some(skip) = sent[first..].iter().position(|sent| !sent) {
            first += skip;
            let Some(link) = state.queue.consumers.handle(keys[first]).map(|consumer| consumer.link.clone()) else {
                debug_assert!(false, "a planned consumer is there as long as the queue is locked");
                break;
            };
            let frame_max = link.frame_max.load(Ordering::Relaxed) as usize;
            let mut output = link.output();
            for at in first..items.len() {
                let Some(consumer) = state.queue.consumers.handle(keys[at]).filter(|_| !sent[at]) else { continue };
                if !Arc::ptr_eq(&consumer.link, &link) {
                    continue;
                }
                sent[at] = true;
                let item = &mut items[at];
                let entry =
                    |message| Entry { message, seq: first_seq + at as u64, delivery_count: 0, redelivered: false };
                let Some(tag) = output.take_tag(consumer) else {
                    undeliverable.push(entry(self.stored(item, buffer, last)));
                    continue;
                };
                encode_deliver(&mut output.batch, consumer, tag, false, frame_max, &item.content(buffer));
                tally.count(consumer, false, item.body_len);
                if !consumer.no_ack {
                    let entry = entry(self.stored(item, buffer, last));
                    self.keep(&mut output, cell, consumer, keys[at], tag, entry);
                }
            }
            drop(output);
            link.touch(&mut self.touched);
        }
        undeliverable.into_iter().for_each(|entry| state.queue.put_back(entry));
        state.queue.delivered(tally.deliver, tally.unacked_bytes);
        cell.count_deliveries(&tally);
        self.scratch.keys = keys;
        self.scratch.sent = sent;
    }

    /// Returns mandatory messages that no queue takes; drops the others.
    fn unroutable(&mut self, conn: &mut Connection, items: &[Item], buffer: &[u8]) {
        let channel = self.run.channel;
        let mut returned = 0;
        for item in items.iter().filter(|item| item.mandatory) {
            let frame_max = conn.frame_max;
            let content = item.content(buffer);
            encode_return(&mut conn.link.output().batch, channel, frame_max, (312, "NO_ROUTE"), &content);
            returned += 1;
        }
        if returned > 0 {
            conn.link.touch(&mut self.touched);
        }
        if let Some(channel) = conn.channels.find(channel) {
            channel.counters.return_unroutable.add(returned);
            channel.counters.drop_unroutable.add(items.len() as u64 - returned);
        }
    }

    /// Delivers the one publish of the run to a direct reply consumer.
    fn deliver_reply(&mut self, conn: &mut Connection, address: &[u8], buffer: &[u8]) {
        let consumer = self.broker.reply_consumers.find(address);
        if let (Some(consumer), Some(item)) = (consumer, self.run.items.first()) {
            let link = consumer.link.clone();
            let frame_max = link.frame_max.load(Ordering::Relaxed) as usize;
            let mut output = link.output();
            if let Some(tag) = output.take_tag(&consumer) {
                encode_deliver(&mut output.batch, &consumer, tag, false, frame_max, &item.content(buffer));
                self.run.route = Some(Arc::new(Route::direct()));
            }
            drop(output);
            link.touch(&mut self.touched);
        }
        self.flush_run(conn, buffer);
    }

    /// Publishes a stored message, as tx.commit does.
    pub(crate) fn publish_stored(
        &mut self,
        conn: &mut Connection,
        channel: u16,
        (exchange, route): (Arc<Exchange>, Option<Arc<Route>>),
        message: Message,
        mandatory: bool,
    ) {
        let body_len = message.body_len();
        let persistent = message.is_persistent();
        let address = route.is_none().then(|| message.parts().routing_key().to_vec());
        let item = Item { place: Place::default(), stored: Some(message), persistent, mandatory, body_len };
        self.add_to_run(conn, channel, exchange, route.unwrap_or_default(), item, 0, &[]);
        if let Some(address) = address {
            self.deliver_reply(conn, &address, &[]);
        }
    }
}

impl IncomingBody<'_> {
    fn len(&self) -> usize {
        match self {
            IncomingBody::Read(body) => body.len(),
            IncomingBody::Stored(pieces) => pieces.iter().map(|piece| piece.len()).sum(),
        }
    }
}
