//! Which method does what on an open channel; opening and closing; prefetch and basic.get.

use super::tx::Fate;
use super::{Channel, Mode};
use crate::connection::{Connection, Park};
use crate::core::Core;
use crate::core::deliver::counted_header;
use crate::core::firehose::Who;
use crate::core::tend::Return;
use crate::delivery::{ChannelLimit, Content, Deliveries, Since, Unacked, encode_get_ok};
use crate::directory::Source;
use crate::errors::{self, ProtocolError};
use crate::events::Acting;
use crate::limits::Place;
use crate::topology::QueueCell;
use amqp::Method;
use amqp::method::{access, basic, channel};
use auth::Permission;
use metadata::Token;
use std::sync::Arc;
use tracing::warn;

impl Core {
    /// A method other than basic.publish and basic.ack on an open channel.
    pub(crate) fn method(
        &mut self,
        conn: &mut Connection,
        number: u16,
        method: Method<'_>,
    ) -> Result<(), ProtocolError> {
        if let Some(channel) = conn.channels.find(number) {
            channel.entry.used_ms.set(self.time_ms);
        }
        match method {
            Method::ChannelOpen(_) => Err(errors::SECOND_CHANNEL_OPEN.with(&[])),
            Method::ChannelClose(_) => {
                self.tell_confirms(conn);
                self.release_channel(conn, number);
                self.send(conn, number, &Method::ChannelCloseOk(channel::CloseOk {}));
                Ok(())
            }
            Method::ChannelFlow(channel::Flow { active: false }) => Err(errors::FLOW_INACTIVE.with(&[])),
            Method::ChannelFlow(channel::Flow { active }) => {
                self.send(conn, number, &Method::ChannelFlowOk(channel::FlowOk { active }));
                Ok(())
            }
            Method::ChannelFlowOk(_) => Ok(()),
            Method::AccessRequest(_) => {
                self.send(conn, number, &Method::AccessRequestOk(access::RequestOk { ticket: 1 }));
                Ok(())
            }
            Method::ExchangeDeclare(_)
            | Method::ExchangeDelete(_)
            | Method::ExchangeBind(_)
            | Method::ExchangeUnbind(_)
            | Method::QueueDeclare(_)
            | Method::QueueBind(_)
            | Method::QueueUnbind(_)
            | Method::QueuePurge(_)
            | Method::QueueDelete(_) => self.topology_method(conn, number, &method),
            Method::BasicQos(qos) => self.qos(conn, number, &qos),
            Method::BasicConsume(consume) => self.consume(conn, number, &consume),
            Method::BasicCancel(cancel) => self.cancel(conn, number, &cancel),
            Method::BasicGet(get) => self.get(conn, number, &get),
            Method::BasicReject(reject) => {
                let fate = if reject.requeue { Fate::Return(Return::Failed) } else { Fate::Reject };
                self.reject(conn, number, reject.delivery_tag, false, fate)
            }
            Method::BasicNack(nack) => {
                let fate = if nack.requeue { Fate::Return(Return::GivenBack) } else { Fate::Reject };
                self.reject(conn, number, nack.delivery_tag, nack.multiple, fate)
            }
            Method::BasicRecover(recover) => self.recover(conn, number, recover.requeue, true),
            Method::BasicRecoverAsync(recover) => self.recover(conn, number, recover.requeue, false),
            Method::ConfirmSelect(select) => self.confirm_select(conn, number, select.nowait),
            Method::TxSelect(_) => self.tx_select(conn, number),
            Method::TxCommit(_) => self.tx_commit(conn, number),
            Method::TxRollback(_) => self.tx_rollback(conn, number),
            _ => Err(errors::UNIMPLEMENTED_METHOD.with(&[])),
        }
    }

    /// Answers a method. The answer waits for `token` and whatever else of this connection is not durable yet; with
    /// `nowait` there is none, and a later one waits instead.
    pub(crate) fn reply(
        &mut self,
        conn: &mut Connection,
        number: u16,
        token: Option<Token>,
        nowait: bool,
        method: &Method<'_>,
    ) {
        let token = token.max(conn.undurable);
        if nowait {
            conn.undurable = token;
            return;
        }
        conn.undurable = None;
        match token.filter(|token| self.broker.journal.durable() < *token) {
            None => self.send(conn, number, method),
            Some(token) => {
                let mut reply = Vec::new();
                amqp::frame::write_method(&mut reply, number, method);
                conn.park = Some(Park::Journal { reply });
                self.awaiting_journal.push((token, conn.link.key, conn.link.id));
                self.want_commit();
            }
        }
    }

    /// What changes the topology. Apart, so that who does it is noted here and messages do not pay for that.
    #[inline(never)]
    fn topology_method(
        &mut self,
        conn: &mut Connection,
        number: u16,
        method: &Method<'_>,
    ) -> Result<(), ProtocolError> {
        let _acting = self.broker.events.is_listening().then(|| Acting::begin(Some(conn.user_name())));
        match method {
            Method::ExchangeDeclare(declare) => self.exchange_declare(conn, number, declare),
            Method::ExchangeDelete(delete) => self.exchange_delete(conn, number, delete),
            Method::ExchangeBind(bind) => self.exchange_bind(conn, number, bind),
            Method::ExchangeUnbind(unbind) => self.exchange_unbind(conn, number, unbind),
            Method::QueueDeclare(declare) => self.queue_declare(conn, number, declare),
            Method::QueueBind(bind) => self.queue_bind(conn, number, bind),
            Method::QueueUnbind(unbind) => self.queue_unbind(conn, number, unbind),
            Method::QueuePurge(purge) => self.queue_purge(conn, number, purge),
            Method::QueueDelete(delete) => self.queue_delete(conn, number, delete),
            _ => Ok(()),
        }
    }

    pub(crate) fn open_channel(&mut self, conn: &mut Connection, number: u16) -> Result<(), ProtocolError> {
        let limit = usize::from(conn.channel_max);
        if conn.channels.len() >= limit {
            return Err(errors::CHANNEL_MAX.with(&[&conn.channels.len(), &limit]));
        }
        let places = self.admit_channel(conn)?;
        if let Some(user) = &conn.user
            && user.has_to_be_asked_for()
            && conn.channels.iter().all(|channel| channel.assembly.is_none())
        {
            // RabbitMQ remembers what a channel may do, and so a new one asks anew.
            user.forget_answers();
            conn.channels.forget_permissions();
        }
        let limit = Arc::new(ChannelLimit::default());
        let mut output = conn.link.output();
        let slot = match output.channels.iter().position(Option::is_none) {
            Some(slot) => slot,
            None => {
                output.channels.push(None);
                output.channels.len() - 1
            }
        };
        output.channels[slot] = Some(Box::new(Deliveries::new(limit.clone())));
        drop(output);
        let mut channel = Channel::new(&conn.entry, number, slot, self.broker.limits.default_prefetch(), limit);
        channel.incarnation = self.broker.next_incarnation();
        channel.places = places;
        channel.entry.used_ms.set(self.time_ms);
        conn.entry.add_channel(&channel.entry);
        self.broker.emit_channel_created(&channel.entry);
        self.broker.totals.churn.channel_created.add(1);
        conn.channels.insert(channel);
        self.send(conn, number, &Method::ChannelOpenOk(channel::OpenOk {}));
        Ok(())
    }

    /// Counts a channel where there are limits; RabbitMQ asks for the user's before the node's.
    fn admit_channel(&self, conn: &Connection) -> Result<[Option<Place>; 2], ProtocolError> {
        let (broker, user) = (&self.broker, conn.user_name());
        let of_user = conn.user_use.as_ref().map(|user| user.channels.enter(user.max_channels.most())).transpose();
        let of_user = of_user.map_err(|most| errors::USER_CHANNEL_LIMIT.with(&[&user, &most]))?;
        let on_node = broker
            .channels
            .enter(broker.limits.channels())
            .map_err(|most| errors::NODE_CHANNEL_LIMIT.with(&[&broker.settings.node_name, &most]))?;
        Ok([of_user, Some(on_node)])
    }

    /// Closes a channel with an error; it is gone when the client answers.
    pub(crate) fn close_channel(&mut self, conn: &mut Connection, number: u16, error: &ProtocolError) {
        self.tell_confirms(conn);
        warn!(target: "channel", "{}: closing channel {number}: {} {}", conn.name(), error.code.0, error.full_text());
        self.release_channel(conn, number);
        let (class_id, method_id) = error.method;
        let reply_text = error.full_text();
        let close = channel::Close { reply_code: error.code.0, reply_text: &reply_text, class_id, method_id };
        self.send(conn, number, &Method::ChannelClose(close));
        let mut closing = Channel::new(&conn.entry, number, usize::MAX, 0, Arc::default());
        closing.closing = true;
        conn.channels.insert(closing);
    }

    /// A method on a channel that we closed: only the answer counts.
    pub(crate) fn on_closing_channel(
        &mut self,
        conn: &mut Connection,
        number: u16,
        method: Method<'_>,
        buffer: &[u8],
    ) -> Result<usize, ProtocolError> {
        self.flush_run(conn, buffer);
        match method {
            Method::ChannelCloseOk(_) => self.channel_closed(conn, number),
            Method::ChannelClose(_) => {
                // It crossed ours. RabbitMQ answers it and goes on waiting for the answer to its own.
                self.send(conn, number, &Method::ChannelCloseOk(channel::CloseOk {}));
            }
            // Content that follows is discarded frame by frame.
            _ => {}
        }
        Ok(0)
    }

    /// Gives up what a channel has: its consumers first, then its deliveries, which return to their queues.
    pub(crate) fn release_channel(&mut self, conn: &mut Connection, number: u16) {
        let vacated = self.end_subscriptions(conn, number);
        self.release_deliveries(conn, number);
        vacated.iter().for_each(|cell| self.activate_next(cell));
    }

    /// Returns the deliveries of a channel that has no consumers any more.
    pub(crate) fn release_deliveries(&mut self, conn: &mut Connection, number: u16) {
        let Some(mut channel) = conn.channels.remove(number) else { return };
        conn.entry.remove_channel(&channel.entry);
        if !channel.closing {
            self.broker.totals.churn.channel_closed.add(1);
            self.broker.emit_channel_closed(&channel.entry);
            let stats = channel.entry.message_stats();
            if let Some(vhost) = conn.vhost.as_ref().filter(|_| !stats.is_zero()) {
                vhost.add_ended(stats);
            }
        }
        let mut deliveries = Vec::new();
        if let Some(place) = conn.link.output().channels.get_mut(channel.slot)
            && let Some(mut gone) = place.take()
        {
            gone.take_all(&mut deliveries);
        }
        if let Mode::Tx(transaction) = &mut channel.mode {
            deliveries.extend(transaction.take_settled());
            deliveries.sort_by_key(|unacked| unacked.tag);
        }
        self.requeue_all(deliveries, Return::ConsumerGone);
    }

    /// Ends the consumers of a channel, and answers the queues whose [next](Core::activate_next) is to become active when
    /// their messages are back.
    pub(crate) fn end_subscriptions(&mut self, conn: &mut Connection, number: u16) -> Vec<Arc<QueueCell>> {
        let vhost = conn.vhost.clone();
        let mut vacated = Vec::new();
        let Some(channel) = conn.channels.find(number) else { return vacated };
        for subscription in channel.unsubscribe_all() {
            match (&subscription.source, &vhost) {
                (Source::Queue { cell, key, .. }, Some(vhost)) => {
                    self.broker.emit_consumer_deleted(&vhost.name, &subscription.consumer, false);
                    if self.remove_consumer(vhost, cell, *key) {
                        vacated.push(cell.clone());
                    }
                }
                (Source::Replies { address }, _) => self.broker.reply_consumers.remove(address),
                (Source::Queue { .. }, None) => {}
            }
        }
        vacated
    }

    fn qos(&mut self, conn: &mut Connection, number: u16, qos: &basic::Qos) -> Result<(), ProtocolError> {
        if qos.prefetch_size != 0 {
            return Err(errors::PREFETCH_SIZE.with(&[&qos.prefetch_size]));
        }
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        // RabbitMQ: a limit per consumer ends the channel's own.
        let limit = if qos.global { u32::from(qos.prefetch_count) } else { 0 };
        if !qos.global {
            channel.prefetch = qos.prefetch_count;
            channel.entry.set_prefetch(qos.prefetch_count);
        }
        let slot = channel.slot;
        if let Some(Some(deliveries)) = conn.link.output().channels.get(slot) {
            deliveries.set_limit(limit);
        }
        // The answer comes before what the new limit lets through.
        self.reply(conn, number, None, false, &Method::BasicQosOk(basic::QosOk {}));
        let link = conn.link.clone();
        self.resume_consumers(&link);
        Ok(())
    }

    fn get(&mut self, conn: &mut Connection, number: u16, get: &basic::Get<'_>) -> Result<(), ProtocolError> {
        let name = self.queue_name(conn, number, get.queue)?;
        self.check_queue(conn, &name, Permission::Read)?;
        let cell = self.queue(conn, &name)?;
        self.get_from(conn, number, cell, get.no_ack);
        Ok(())
    }

    /// basic.get from a queue; where its first message has to come from disk, the connection waits for that.
    pub(crate) fn get_from(&mut self, conn: &mut Connection, number: u16, cell: Arc<QueueCell>, no_ack: bool) {
        // It may have been closed while the connection waited.
        let Some(channel) = conn.channels.find(number).filter(|channel| !channel.closing) else { return };
        let mut state = cell.lock();
        let popped = state.queue.pop(self.time_ms);
        if let Some(entry) = popped.as_ref().filter(|_| !no_ack) {
            // Before the queue is looked at, which may be plain once nothing is left of it.
            state.queue.delivered(1, u64::from(entry.body_len));
        }
        if state.is_tended {
            state.used_ms = self.time_ms;
            self.tend(&cell, &mut state);
        }
        let Some(entry) = popped else {
            if !state.queue.is_empty() {
                self.fetch(&cell, &mut state);
                if !state.waited_for.contains(&self.shard) {
                    state.waited_for.push(self.shard);
                }
                drop(state);
                self.waiting.gets.push((cell.clone(), conn.link.key, conn.link.id));
                conn.park = Some(Park::Get { channel: number, queue: cell, no_ack });
                return;
            }
            cell.counters.get_empty.add(1);
            cell.note_activity(&mut state, self.time_ms);
            drop(state);
            channel.entry.counters.get_empty.add(1);
            channel.entry.count_fetched(&cell, |counters| counters.get_empty.add(1));
            self.totals.get_empty.add(1);
            self.send(conn, number, &Method::BasicGetEmpty(basic::GetEmpty {}));
            return;
        };
        let remaining = u32::try_from(state.queue.counts().ready).unwrap_or(u32::MAX);
        let (of_queue, of_channel, total) = if no_ack {
            let total = &self.totals.delivered_get_auto_ack;
            (&cell.counters.get_no_ack, &channel.entry.counters.get_no_ack, total)
        } else {
            (&cell.counters.get, &channel.entry.counters.get, &self.totals.delivered_get_manual_ack)
        };
        of_queue.add(1);
        of_channel.add(1);
        total.add(1);
        if entry.redelivered {
            cell.counters.redeliver.add(1);
            channel.entry.counters.redeliver.add(1);
            self.totals.redelivered.add(1);
        }
        channel.fetches = true;
        channel.entry.count_fetched(&cell, |counters| {
            if no_ack { &counters.get_no_ack } else { &counters.get }.add(1);
            counters.redeliver.add(u64::from(entry.redelivered));
        });
        let slot = channel.slot;
        if self.is_tracing()
            && let Some(message) = &entry.message
        {
            self.sight_deliver(&cell, Who::Channel(channel.entry.clone()), message, entry.redelivered);
        }
        if no_ack {
            self.remove_entries(&cell, &mut state, std::iter::once(&entry));
            if cell.taps.any() {
                self.note_left(&cell, "deliver_no_ack", std::iter::once(&entry));
            }
        }
        cell.publish_gauges(&state);
        cell.note_activity(&mut state, self.time_ms);
        let mut output = conn.link.output();
        let Some(Some(deliveries)) = output.channels.get_mut(slot) else { return };
        let tag = deliveries.take_tag();
        let told = (tag, entry.redelivered, remaining);
        let Some(message) = entry.message.clone() else { return };
        let counts = state.counts_deliveries();
        let counted = if counts { counted_header(&entry, message.parts().header) } else { None };
        if !no_ack {
            let own = state.options.as_ref().and_then(|options| options.consumer_timeout_ms);
            let timeout = own.or(self.broker.limits.consumer_timeout_ms());
            self.watch_timeout(timeout);
            let now_ms = self.now.mono_ms();
            let due_ms = timeout.map_or(u64::MAX, |timeout| now_ms + timeout);
            let since = Since::at(now_ms);
            deliveries.keep(Unacked { tag, queue: cell.clone(), consumer: None, entry, due_ms, since });
        }
        let mut content = Content::of(&message);
        if let Some(header) = &counted {
            content.header = header;
        }
        encode_get_ok(&mut output.batch, number, conn.frame_max, told, &content);
        drop(output);
        drop(state);
        conn.link.touch(&mut self.touched);
    }
}
