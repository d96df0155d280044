//! Deliveries that wait too long for their acknowledgement.

use super::Core;
use super::tend::Return;
use crate::connection::Connection;
use crate::directory::Source;
use crate::errors;
use crate::settings::ConsumerTimeoutAction;
use crate::topology::QueueCell;
use amqp::Method;
use amqp::method::basic;
use queue::ConsumerKey;
use std::sync::Arc;

/// The longest time between two looks, in ms.
const LONGEST_INTERVAL_MS: u64 = 15_000;
/// The shortest.
const SHORTEST_INTERVAL_MS: u64 = 100;

impl Core {
    /// Makes sure that somebody looks for deliveries that are overdue after `timeout_ms`.
    pub(crate) fn watch_timeout(&mut self, timeout_ms: Option<u64>) {
        if let Some(timeout_ms) = timeout_ms {
            let interval_ms = (timeout_ms / 4).clamp(SHORTEST_INTERVAL_MS, LONGEST_INTERVAL_MS);
            if self.timeout_interval_ms.is_none_or(|current| interval_ms < current) {
                self.timeout_interval_ms = Some(interval_ms);
                self.timeout_interval_changed = true;
            }
        }
    }

    /// How often to look from now on, when that has changed.
    pub(crate) fn take_new_timeout_interval(&mut self) -> Option<u64> {
        if std::mem::take(&mut self.timeout_interval_changed) { self.timeout_interval_ms } else { None }
    }

    /// Closes channels, or cancels consumers, with overdue deliveries.
    pub(crate) fn close_overdue(&mut self, conn: &mut Connection) {
        let now_ms = self.now.mono_ms();
        let slots: Vec<(u16, usize)> = conn
            .channels
            .iter()
            .filter(|channel| !channel.closing)
            .map(|channel| (channel.number, channel.slot))
            .collect();
        for (number, slot) in slots {
            let overdue = match conn.link.output().channels.get(slot) {
                Some(Some(deliveries)) => {
                    let overdue = deliveries.iter().find(|unacked| unacked.due_ms <= now_ms);
                    overdue.map(|unacked| (unacked.queue.clone(), unacked.consumer))
                }
                _ => None,
            };
            if let Some((queue, consumer)) = overdue {
                self.end_overdue(conn, number, slot, &queue, consumer);
            }
        }
    }

    /// A key names a consumer of one queue only, so that it takes both to find the one that is meant.
    fn end_overdue(
        &mut self,
        conn: &mut Connection,
        number: u16,
        slot: usize,
        queue: &Arc<QueueCell>,
        key: Option<ConsumerKey>,
    ) {
        let Some(channel) = conn.channels.find(number) else { return };
        let is_meant = |source: &Source| match source {
            Source::Queue { cell, key: other, .. } => Arc::ptr_eq(cell, queue) && Some(*other) == key,
            Source::Replies { .. } => false,
        };
        let at = channel.subscriptions.iter().position(|subscription| is_meant(&subscription.source));
        let timeout_ms = at
            .and_then(|at| channel.subscriptions[at].consumer.timeout_ms)
            // What basic.get took has the timeout of its queue.
            .or_else(|| queue.lock().options.as_ref()?.consumer_timeout_ms)
            .or(self.broker.limits.consumer_timeout_ms())
            .unwrap_or_default();
        let cancels = self.broker.settings.consumer_timeout_action == ConsumerTimeoutAction::CancelConsumer
            && conn.capabilities.consumer_cancel_notify;
        match (at, conn.vhost.clone()) {
            (Some(at), Some(vhost)) if cancels => {
                let subscription = channel.unsubscribe(at);
                let vacated = match &subscription.source {
                    Source::Queue { cell, key, .. } => self.remove_consumer(&vhost, cell, *key),
                    Source::Replies { .. } => false,
                };
                let consumer_tag = &subscription.consumer.tag;
                self.send(conn, number, &Method::BasicCancel(basic::Cancel { consumer_tag, nowait: true }));
                let mut returned = Vec::new();
                if let Some(Some(deliveries)) = conn.link.output().channels.get_mut(slot) {
                    deliveries.take_of(queue, key, &mut returned);
                }
                self.requeue_all(returned, Return::ConsumerGone);
                if vacated {
                    self.activate_next(queue);
                }
            }
            _ => {
                let error = errors::ACKNOWLEDGEMENT_TIMEOUT.with(&[&number, &timeout_ms]);
                self.close_channel(conn, number, &error);
            }
        }
    }
}
