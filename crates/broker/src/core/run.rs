//! Runs of publishes for the same queues.
//!
//! Publishes of one read that go the same way are gathered into a run, without copying them, and each queue's lock is
//! taken once for the run. A message is copied from the read buffer straight into a consumer's output; it is stored
//! only when nobody can take it now, when it will have to be acknowledged, or when it is large.

use super::deliver::Tally;
use super::item::{InBuffer, Item, Span};
use super::persist::Levels;
use super::publish::{Incoming, IncomingBody};
use super::{Core, MESSAGES_PER_LOCK};
use crate::channel::Mode;
use crate::connection::Connection;
use crate::counters::PairCounters;
use crate::delivery::{INLINE_BODY, OutputGate, encode_deliver, encode_return};
use crate::topology::{Exchange, QueueCell, QueueState, Route};
use crate::trace::{At, Operation};
use queue::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::{Lsn, Message};

/// What became of a run in one queue.
#[derive(Default)]
pub(super) struct Enqueued {
    /// The queue grows although its consumers are willing.
    outpaces_consumers: bool,
    /// Where the log has to be for the run to be safe there.
    logged: Option<Lsn>,
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
    /// What the channel published to it.
    pair: Option<Arc<PairCounters>>,
    /// True when one of them has an expiration of its own.
    pub(super) expires: bool,
    /// True when a queue refused one of them.
    pub(super) rejected: bool,
}

impl Core {
    /// Adds a publish to the run when it is like the one before: the same exchange, key and fate, with nothing to check.
    ///
    /// What has been decided for the run's first publish holds for the others of the same read, whatever other reactors
    /// change meanwhile: they might as well have come after it.
    #[inline]
    pub(super) fn continues_run(
        &mut self,
        conn: &mut Connection,
        number: u16,
        incoming: &Incoming<'_>,
        buffer: &[u8],
    ) -> bool {
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
        if !same || body.len() as u64 > self.broker.limits.max_message_size() {
            return false;
        }
        match &mut channel.mode {
            Mode::Plain => {}
            Mode::Confirm(confirms) => {
                confirms.publish();
            }
            Mode::Tx(_) => return false,
        }
        let place = InBuffer {
            names: Span::of(buffer, incoming.names),
            header: Span::of(buffer, incoming.header_payload),
            body: Span::of(buffer, body),
        };
        let persistent = incoming.header.properties.delivery_mode() == Some(2);
        let mandatory = incoming.mandatory;
        self.run.items.push(Item { place, persistent, mandatory, body_len: body.len(), ..Item::default() });
        true
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one run")]
    pub(super) fn add_to_run(
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
            && self.run.route.as_ref().is_some_and(|current| Arc::ptr_eq(current, &route))
            && self.run.exchange.as_ref().is_some_and(|current| Arc::ptr_eq(current, &exchange));
        if !fits {
            self.flush_run(conn, buffer);
            self.run.pair = conn.channels.find(channel).map(|channel| channel.pair_with(&exchange));
            self.run.channel = channel;
            self.run.route = Some(route);
            self.run.exchange = Some(exchange);
            self.run.first_tag = tag;
        }
        self.run.expires |= item.expires;
        self.run.items.push(item);
    }

    /// Sends them on their way if it depends on what becomes of them whether the next one is a duplicate.
    #[inline]
    pub(super) fn settle_claims(&mut self, conn: &mut Connection, buffer: &[u8]) {
        if self.run.route.as_ref().is_some_and(|route| !route.claims.is_empty()) {
            self.flush_run(conn, buffer);
        }
    }

    /// Sends the publishes gathered so far on their way.
    pub(crate) fn flush_run(&mut self, conn: &mut Connection, buffer: &[u8]) {
        let Some(route) = self.run.route.take() else { return };
        let mut items = std::mem::take(&mut self.run.items);
        let count = items.len() as u64;
        let exchange = self.run.exchange.take();
        if let Some(exchange) = &exchange {
            exchange.counters.publish_in.add(count);
            let out = if route.is_delayed { 0 } else { count * route.queues.len() as u64 };
            exchange.counters.publish_out.add(out);
            self.totals.routed.add(out);
            if exchange.taps.any() {
                self.note_published(exchange, &items, buffer);
            }
            if self.broker.settings.detailed_rates {
                route.queues.iter().for_each(|cell| cell.note_incoming(exchange, count));
            }
        }
        if self.tracer.is_some() {
            let at = At { routed: route.queues.len(), ..At::default() };
            items.iter().for_each(|item| self.trace(Operation::Publish, item.look(buffer), at));
        }
        if self.is_tracing()
            && let Some(exchange) = &exchange
        {
            let entry = conn.channels.find(self.run.channel).map(|channel| channel.entry.clone());
            self.sight_published(entry, exchange, &route, &mut items, buffer);
        }
        self.totals.received.add(count);
        self.totals.count_published(items.iter().map(|item| (item.body_len as u64, item.persistent)));
        if let Some(channel) = conn.channels.find(self.run.channel) {
            channel.entry.used_ms.set(self.time_ms);
            channel.entry.counters.publish.add(count);
            if self.run.first_tag > 0 {
                self.totals.received_confirm.add(count);
                channel.entry.unconfirmed.add(count);
            }
        }
        if let Some(pair) = &self.run.pair {
            pair.publish.add(count);
        }
        if !route.histories.is_empty() {
            self.remember(&route, &mut items, buffer);
        }
        let mut logged = None;
        for (at, cell) in route.queues.iter().enumerate() {
            let last = at + 1 == route.queues.len();
            let enqueued = self.enqueue_run(cell, &mut items, buffer, last);
            logged = logged.max(enqueued.logged);
            if enqueued.outpaces_consumers {
                self.outpaces_consumers = Some(cell.clone());
            }
        }
        if route.met_duplicate {
            // It is confirmed as the one before it is, which may still be on its way to the disk.
            logged = logged.max(self.end_of_log());
            items.iter_mut().for_each(|item| item.durable = true);
        }
        if !route.claims.is_empty() && !items.iter().any(|item| item.rejected) {
            self.keep_claims(&route);
        }
        if items.iter().any(|item| item.logged.is_some()) {
            self.park_if_log_is_full(conn, 0);
        }
        if route.queues.is_empty() && !route.delivered_directly {
            self.unroutable(conn, &items, buffer);
        }
        if self.run.first_tag > 0 {
            self.confirm_items(conn, self.run.channel, self.run.first_tag, &items, logged);
        }
        self.rejected_in_transaction |= self.run.rejected && self.run.first_tag == 0;
        (self.run.expires, self.run.rejected) = (false, false);
        items.clear();
        self.run.items = items;
    }

    /// Puts messages into one queue.
    pub(super) fn enqueue_run(
        &mut self,
        cell: &Arc<QueueCell>,
        items: &mut [Item],
        buffer: &[u8],
        last: bool,
    ) -> Enqueued {
        let told_before = self.told.len();
        let told = if cell.taps.any() { self.note_entering(cell, items, buffer) } else { Vec::new() };
        let mut state = cell.lock();
        if cell.is_dead() {
            return Enqueued::default();
        }
        // What expires does so from the time on at which it is released.
        let logged = if !state.is_tended && (!self.run.expires || cell.holds_delayed) {
            self.enqueue_items(cell, &mut state, items, buffer, last)
        } else {
            self.enqueue_with_options(cell, &mut state, items, buffer, last)
        };
        if cell.holds_delayed {
            self.page_out_delayed(cell, &mut state);
        }
        self.page_out_if_short(cell, &mut state);
        cell.counters.publish.add(items.len() as u64);
        cell.publish_gauges(&state);
        cell.note_activity(&mut state, self.time_ms);
        let outpaces_consumers = cell.is_long() && state.queue.consumers.want_messages();
        drop(state);
        if !told.is_empty() {
            self.tell_entered(told, items, told_before);
        }
        self.scratch.done.clear();
        Enqueued { outpaces_consumers, logged }
    }

    /// Delivers messages straight, as far as consumers can take them, and pushes the others. Returns where the log has to
    /// be for them to be safe.
    pub(super) fn enqueue_items(
        &mut self,
        cell: &Arc<QueueCell>,
        state: &mut QueueState,
        items: &mut [Item],
        buffer: &[u8],
        last: bool,
    ) -> Option<Lsn> {
        let mut keys = std::mem::take(&mut self.scratch.keys);
        keys.clear();
        state.queue.plan_new(items.len(), &mut OutputGate { cell }, &mut keys);
        let mut logged = self.log_run(cell, state, items, &keys, buffer);
        let levels = Levels::of(state);
        let (direct, rest) = items.split_at_mut(keys.len());
        self.scratch.keys = keys;
        if !direct.is_empty() {
            logged = logged.max(self.deliver_new(cell, state, direct, buffer, last));
        }
        for item in rest {
            let message = self.stored(item, buffer, last);
            let stored = levels.is_paged(state, item) || (cell.is_stored && item.persistent);
            let level = item.level;
            if cell.holds_delayed {
                self.note_due(cell, state.queue.next_seq(), &message);
            }
            if let Some(due_ms) = state.queue.push(message, stored, level) {
                self.expire_out_of_turn(cell, state, level, due_ms);
            }
        }
        logged
    }

    /// The message of an item, stored now if it was not; kept for the next queue unless this is the last.
    pub(super) fn stored(&mut self, item: &mut Item, buffer: &[u8], last: bool) -> Message {
        match &item.stored {
            Some(message) if !last => message.clone(),
            _ => match item.stored.take() {
                Some(message) => message,
                None => {
                    let message = Message::store(&mut self.arena, item.parts(buffer, self.time_ms), item.body(buffer));
                    if !last {
                        item.stored = Some(message.clone());
                    }
                    message
                }
            },
        }
    }

    /// Delivers new messages to the consumers that `scratch.keys` assigns them to. Returns where the log has to be for
    /// those to be safe that could not be delivered.
    fn deliver_new(
        &mut self,
        cell: &Arc<QueueCell>,
        state: &mut QueueState,
        items: &mut [Item],
        buffer: &[u8],
        last: bool,
    ) -> Option<Lsn> {
        let keys = std::mem::take(&mut self.scratch.keys);
        if self.tracer.is_some() {
            for (item, key) in items.iter().zip(&keys) {
                let consumer = state.queue.consumers.handle(*key).map(|consumer| &**consumer);
                self.trace(Operation::Deliver, item.look(buffer), At { queue: &cell.name, consumer, routed: 0 });
            }
        }
        if self.is_tracing() {
            let consumers = keys.iter().map(|key| state.queue.consumers.handle(*key));
            self.sight_delivered_items(cell, items, consumers, buffer);
        }
        let mut sent = std::mem::take(&mut self.scratch.sent);
        sent.clear();
        sent.resize(items.len(), false);
        let first_seq = state.queue.take_seqs(items.len() as u64);
        let mut tally = Tally::default();
        let mut undeliverable = Vec::new();
        let short_of_memory = self.broker.is_short_of_memory();
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
                let stored = cell.is_stored && item.persistent && !consumer.no_ack;
                let level = item.level;
                let entry = |message| Entry::new(message, first_seq + at as u64, stored, level);
                let Some(tag) = output.take_tag(consumer) else {
                    undeliverable.push((at, entry(self.stored(item, buffer, last))));
                    continue;
                };
                encode_deliver(&mut output.batch, consumer, tag, false, frame_max, &item.content(buffer));
                tally.count(consumer, false, item.body_len);
                if !consumer.no_ack {
                    let mut entry = entry(self.stored(item, buffer, last));
                    if stored && short_of_memory {
                        entry.message = None;
                    }
                    self.keep(&mut output, cell, consumer, keys[at], tag, entry);
                }
            }
            drop(output);
            link.touch(&mut self.touched);
        }
        let mut logged = None;
        for (at, mut entry) in undeliverable {
            logged = logged.max(self.log_undelivered(cell, state, &mut items[at], &mut entry));
            state.queue.put_back(entry);
        }
        state.queue.delivered(tally.deliver, tally.unacked_bytes);
        self.count_deliveries(cell, &tally);
        self.scratch.keys = keys;
        self.scratch.sent = sent;
        logged
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
        self.totals.unroutable_returned.add(returned);
        self.totals.unroutable_dropped.add(items.len() as u64 - returned);
        if let Some(channel) = conn.channels.find(channel) {
            channel.entry.counters.return_unroutable.add(returned);
            channel.entry.counters.drop_unroutable.add(items.len() as u64 - returned);
        }
        if let Some(pair) = &self.run.pair {
            pair.return_unroutable.add(returned);
            pair.drop_unroutable.add(items.len() as u64 - returned);
        }
    }

    /// Delivers the one publish of the run to a direct reply consumer.
    pub(super) fn deliver_reply(&mut self, conn: &mut Connection, address: &[u8], buffer: &[u8]) {
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
}
