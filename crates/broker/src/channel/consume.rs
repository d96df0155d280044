//! basic.consume and basic.cancel, from the client and from the broker.

use super::queue_arguments::{check_consume_arguments, timeout_argument};
use crate::connection::{Connection, Park};
use crate::core::Core;
use crate::delivery::{Consumer, tag_field};
use crate::directory::{Source, Subscription};
use crate::errors::{self, ProtocolError, Resource};
use crate::names::REPLY_TO;
use crate::reply_to;
use amqp::method::basic;
use amqp::{FieldTable, FieldValue, Method};
use auth::Permission;
use std::sync::Arc;

impl Core {
    pub(crate) fn consume(
        &mut self,
        conn: &mut Connection,
        number: u16,
        consume: &basic::Consume<'_>,
    ) -> Result<(), ProtocolError> {
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        if !consume.consumer_tag.is_empty() && channel.subscription(consume.consumer_tag).is_some() {
            return Err(errors::DUPLICATE_CONSUMER_TAG.with(&[&consume.consumer_tag]));
        }
        if let Some(most) = self.broker.limits.consumers_per_channel()
            && channel.subscriptions.len() as u64 >= most
        {
            return Err(errors::CONSUMER_LIMIT.with(&[&most]));
        }
        let tag: Arc<str> = match consume.consumer_tag {
            "" => self.broker.unique_name("amq.ctag-").into(),
            tag => tag.into(),
        };
        if consume.queue == REPLY_TO {
            return self.consume_replies(conn, number, consume, tag);
        }
        let name = self.queue_name(conn, number, consume.queue)?;
        self.check_queue(conn, &name, Permission::Read)?;
        let vhost = self.vhost(conn)?;
        let arguments = owned(consume)?;
        let cell = self.queue(conn, &name)?;
        let resource = Resource::queue(&vhost.name, &name);
        check_consume_arguments(&arguments, &resource)?;
        let priority = arguments.get("x-priority").and_then(FieldValue::as_i64).unwrap_or(0);
        let priority = priority.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        let timeout_ms = timeout_argument(&arguments)
            .or_else(|| cell.lock().options.as_ref()?.consumer_timeout_ms)
            .or(self.broker.limits.consumer_timeout_ms())
            .filter(|_| !consume.no_ack);
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        let prefetch = channel.prefetch;
        let consumer = Arc::new(Consumer {
            link: conn.link.clone(),
            slot: channel.slot,
            channel: number,
            entry: channel.entry.clone(),
            tag_field: tag_field(&tag),
            tag: tag.clone(),
            no_ack: consume.no_ack,
            exclusive: consume.exclusive,
            prefetch,
            arguments,
            timeout_ms,
            queue: cell.name.clone(),
            channel_limit: channel.limit.clone(),
            counters: Default::default(),
        });
        let mut state = cell.lock();
        if cell.is_dead() {
            return Err(errors::NOT_FOUND.with(&[&resource]));
        }
        let consumers = &state.queue.consumers;
        let busy = consume.exclusive && (!consumers.is_empty() || consumers.has_single_active());
        if state.consumed_exclusively || busy {
            return Err(errors::EXCLUSIVE_CONSUMER.with(&[&resource]));
        }
        state.consumed_exclusively = consume.exclusive;
        let limit = if consume.no_ack { 0 } else { u32::from(prefetch) };
        let key = state.queue.consumers.add(consumer.clone(), priority, limit);
        let watch = state.queue.consumers.watch(key).unwrap_or_default();
        cell.publish_gauges(&state);
        cell.note_activity(&mut state, self.time_ms);
        drop(state);
        self.watch_timeout(timeout_ms);
        self.broker.emit_consumer_created(&vhost.name, &consumer);
        let source = Source::Queue { cell: cell.clone(), key, watch };
        channel.subscribe(Subscription { consumer, source }, self.broker.consumers.enter_freely());
        if !consume.nowait {
            self.send(conn, number, &Method::BasicConsumeOk(basic::ConsumeOk { consumer_tag: &tag }));
        }
        // After consume-ok: clients do not expect deliveries before it.
        self.deliver_ready(&cell);
        Ok(())
    }

    /// Consuming from the pseudo queue of direct reply-to.
    fn consume_replies(
        &mut self,
        conn: &mut Connection,
        number: u16,
        consume: &basic::Consume<'_>,
        tag: Arc<str>,
    ) -> Result<(), ProtocolError> {
        let address = reply_to::new_address([self.broker.random(), self.broker.random(), self.broker.random()]);
        let arguments = owned(consume)?;
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        if channel.reply_address().is_some() {
            return Err(errors::REPLY_CONSUMER_EXISTS.with(&[]));
        }
        if !consume.no_ack {
            return Err(errors::REPLY_CONSUMER_ACKNOWLEDGES.with(&[]));
        }
        let consumer = Arc::new(Consumer {
            link: conn.link.clone(),
            slot: channel.slot,
            channel: number,
            entry: channel.entry.clone(),
            tag_field: tag_field(&tag),
            tag: tag.clone(),
            no_ack: true,
            exclusive: consume.exclusive,
            prefetch: 0,
            arguments,
            timeout_ms: None,
            queue: REPLY_TO.into(),
            channel_limit: channel.limit.clone(),
            counters: Default::default(),
        });
        self.broker.reply_consumers.add(&address, consumer.clone());
        let source = Source::Replies { address };
        channel.subscribe(Subscription { consumer, source }, self.broker.consumers.enter_freely());
        if !consume.nowait {
            self.send(conn, number, &Method::BasicConsumeOk(basic::ConsumeOk { consumer_tag: &tag }));
        }
        Ok(())
    }

    /// Cancelling an unknown consumer is fine; what it has in flight stays with the channel.
    pub(crate) fn cancel(
        &mut self,
        conn: &mut Connection,
        number: u16,
        cancel: &basic::Cancel<'_>,
    ) -> Result<(), ProtocolError> {
        let vhost = self.vhost(conn)?;
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        if let Some(at) = channel.subscription(cancel.consumer_tag) {
            let subscription = channel.unsubscribe(at);
            match &subscription.source {
                Source::Queue { cell, key, .. } => {
                    self.broker.emit_consumer_deleted(&vhost.name, &subscription.consumer, true);
                    if self.remove_consumer(&vhost, cell, *key) {
                        self.activate_next(cell);
                    }
                }
                Source::Replies { address } => self.broker.reply_consumers.remove(address),
            }
        }
        if !cancel.nowait {
            let consumer_tag = cancel.consumer_tag;
            self.send(conn, number, &Method::BasicCancelOk(basic::CancelOk { consumer_tag }));
        }
        Ok(())
    }

    /// The queue of a consumer is gone: clients that understand it get basic.cancel.
    pub(crate) fn consumer_gone(&mut self, conn: &mut Connection, number: u16, tag: &str, quid: u64) {
        let Some(channel) = conn.channels.find(number) else { return };
        let of_queue = |source: &Source| matches!(source, Source::Queue { cell, .. } if cell.quid == quid);
        let Some(at) = channel.subscription(tag).filter(|at| of_queue(&channel.subscriptions[*at].source)) else {
            return;
        };
        let gone = channel.unsubscribe(at);
        if let Some(vhost) = &conn.vhost {
            self.broker.emit_consumer_deleted(&vhost.name, &gone.consumer, false);
        }
        if conn.capabilities.consumer_cancel_notify {
            let cancel = Method::BasicCancel(basic::Cancel { consumer_tag: tag, nowait: true });
            // RabbitMQ: whoever deletes a queue that it consumes sees delete-ok before cancel.
            match &mut conn.park {
                Some(Park::Journal { reply }) => amqp::frame::write_method(reply, number, &cancel),
                _ => self.send(conn, number, &cancel),
            }
        }
    }
}

fn owned(consume: &basic::Consume<'_>) -> Result<FieldTable, ProtocolError> {
    consume.arguments.to_owned().map_err(|_| errors::CANNOT_DECODE.with(&[&errors::Octets(consume.arguments.bytes())]))
}
