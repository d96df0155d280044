//! Publishing without a connection: one message at a time, for an administrative command.

use super::Core;
use super::firehose::Who;
use super::leave::Outgoing;
use crate::channel::properties::check_all;
use crate::delivery::{Content, encode_deliver};
use crate::errors::{self, ProtocolError, Resource};
use crate::topology::{Exchange, ExchangeKind, Route, Routed, Vhost};
use amqp::ContentHeader;
use auth::{Permission, Question, User, Verdict};
use metadata::Token;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use store::{Message, MessageParts, names};

/// Keys of CC and BCC that a backend is asked about for one message: its answers have to be there together.
pub(crate) const MOST_ASKED_KEYS: usize = 256;

/// A message that somebody publishes who has no channel.
pub(crate) struct Publication {
    /// Who does; `None` for an operator, who may publish anything anywhere.
    pub(crate) user: Option<Arc<User>>,
    pub(crate) vhost: Arc<Vhost>,
    pub(crate) exchange: String,
    /// At most 255 bytes.
    pub(crate) routing_key: Vec<u8>,
    /// Payload of a content header.
    pub(crate) header: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// What became of it.
pub(crate) struct Published {
    /// A queue, or a consumer of direct replies, has it.
    pub(crate) is_routed: bool,
    /// A queue refused it.
    pub(crate) is_rejected: bool,
    /// What to wait for before it is confirmed.
    pub(crate) token: Option<Token>,
}

impl Core {
    /// Publishes it as basic.publish would, with the same refusals.
    pub(crate) fn publish_for(&mut self, publication: &Publication) -> Result<Published, ProtocolError> {
        let Publication { user, vhost, exchange, routing_key, header, body } = publication;
        let limit = self.broker.limits.max_message_size();
        if body.len() as u64 > limit {
            return Err(errors::MESSAGE_TOO_LARGE.with(&[&body.len(), &limit]));
        }
        let exchange = self.exchange_for(user.as_deref(), vhost, exchange)?;
        self.check_topic_for(user.as_deref(), vhost, &exchange, routing_key)?;
        let malformed = |_| errors::CANNOT_DECODE.with(&[&errors::Octets(header)]);
        let parsed = ContentHeader::parse(header).map_err(malformed)?;
        let delays = exchange.delays();
        let checked = check_all(parsed, delays, user.as_deref(), || None)?;
        self.check_topics_for(user.as_deref(), vhost, &exchange, &checked.more_keys)?;
        let persistent = parsed.properties.delivery_mode() == Some(2);
        let names = names(exchange.name.as_bytes(), routing_key);
        let header = checked.header.as_deref().unwrap_or(header);
        let parts = MessageParts { names: &names, header, persistent, entered_ms: self.time_ms };
        let mut message = Message::store(&mut self.arena, parts, body);
        if checked.hidden > 0 {
            message = message.with_hidden_keys(&mut self.arena, checked.hidden_keys());
        }
        exchange.counters.publish_in.add(1);
        if exchange.taps.any() {
            exchange.taps.note_message("publish", (0, Some(&message)), self.time_ms, &mut self.told);
        }
        if exchange.is_default() && crate::reply_to::is_address(routing_key) {
            let is_routed = self.reply_directly(routing_key, &message);
            return Ok(Published { is_routed, is_rejected: false, token: None });
        }
        let keys: Vec<&[u8]> =
            std::iter::once(&routing_key[..]).chain(checked.more_keys.iter().map(Vec::as_slice)).collect();
        let routed =
            Routed { keys: &keys, headers: checked.headers, properties: parsed.properties, ..Routed::default() };
        let route = self.route_by(vhost, &exchange, &routed);
        if self.is_tracing() {
            let user = user.as_ref().map_or("", |user| user.name()).to_owned();
            self.sight_publish(Who::Operator(user), &exchange, &route, &message);
        }
        Ok(self.send_alone(&exchange, route, message))
    }

    /// Puts one message into the queues of its route.
    fn send_alone(&mut self, exchange: &Exchange, route: Arc<Route>, message: Message) -> Published {
        if !route.is_delayed {
            exchange.counters.publish_out.add(route.queues.len() as u64);
        }
        let mut outgoing = [Outgoing { message, route, reached: Vec::new() }];
        self.enqueue_all(&mut outgoing);
        let [Outgoing { route, reached, .. }] = outgoing;
        // Where the log is by now, it has the message; that of a duplicate may still be on its way, too.
        let token = self.end_of_log().map(|lsn| Token(lsn.0));
        if token.is_some() {
            self.want_commit();
        }
        Published { is_routed: !route.queues.is_empty(), is_rejected: reached.len() < route.queues.len(), token }
    }

    /// The exchange called `name`, when the user may publish to it.
    pub(crate) fn exchange_for(
        &self,
        user: Option<&User>,
        vhost: &Vhost,
        name: &str,
    ) -> Result<Arc<Exchange>, ProtocolError> {
        let resource = auth::Resource::exchange(&vhost.name, name);
        if let Some(user) = user {
            let permission = Permission::Write;
            let verdict = self.broker.access.decide(user, Question::Object { resource, permission });
            crate::access::allowed(&verdict, user, resource, permission)?;
        }
        let missing = || errors::NOT_FOUND.with(&[&Resource::exchange(&vhost.name, name)]);
        let exchange = vhost.exchange(name).ok_or_else(missing)?;
        if exchange.internal {
            return Err(errors::INTERNAL_EXCHANGE.with(&[&Resource::exchange(&vhost.name, &exchange.name)]));
        }
        Ok(exchange)
    }

    pub(crate) fn check_topic_for(
        &self,
        user: Option<&User>,
        vhost: &Vhost,
        exchange: &Exchange,
        routing_key: &[u8],
    ) -> Result<(), ProtocolError> {
        let Some(user) = user.filter(|_| exchange.kind == ExchangeKind::Topic) else { return Ok(()) };
        let (permission, key) = (Permission::Write, String::from_utf8_lossy(routing_key));
        let question = Question::Topic { vhost: &vhost.name, exchange: &exchange.name, permission, routing_key: &key };
        let verdict = self.broker.access.decide(user, question);
        crate::access::topic_allowed(&verdict, user, vhost, exchange, permission, &key)
    }

    /// The same for the keys of CC and BCC.
    pub(super) fn check_topics_for(
        &self,
        user: Option<&User>,
        vhost: &Vhost,
        exchange: &Exchange,
        keys: &[Vec<u8>],
    ) -> Result<(), ProtocolError> {
        if let Some((user, key)) = user.zip(keys.get(MOST_ASKED_KEYS))
            && user.has_to_be_asked_for()
            && exchange.kind == ExchangeKind::Topic
        {
            let reason = format!("CC and BCC have more than {MOST_ASKED_KEYS} keys, and each has to be asked about");
            let (verdict, key) = (Verdict::Because { backend: "leveret", reason }, String::from_utf8_lossy(key));
            return crate::access::topic_allowed(&verdict, user, vhost, exchange, Permission::Write, &key);
        }
        keys.iter().try_for_each(|key| self.check_topic_for(user, vhost, exchange, key))
    }

    /// Delivers to a consumer of direct replies; false when there is none.
    fn reply_directly(&mut self, address: &[u8], message: &Message) -> bool {
        let Some(consumer) = self.broker.reply_consumers.find(address) else { return false };
        let link = consumer.link.clone();
        let frame_max = link.frame_max.load(Ordering::Relaxed) as usize;
        let mut output = link.output();
        let tag = output.take_tag(&consumer);
        if let Some(tag) = tag {
            encode_deliver(&mut output.batch, &consumer, tag, false, frame_max, &Content::of(message));
        }
        drop(output);
        link.touch(&mut self.touched);
        tag.is_some()
    }
}
