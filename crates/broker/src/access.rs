//! Checks of what a connection's user may do.

use crate::broker::Broker;
use crate::channel::content::read_header;
use crate::channel::properties::more_routing_keys;
use crate::connection::{Connection, Park};
use crate::core::Core;
use crate::errors::{self, ProtocolError, Resource};
use crate::link::ConnectionId;
use crate::message::ShardMessage;
use crate::settings::PassiveDeclare;
use crate::topology::{Exchange, ExchangeKind, QueueCell, Vhost};
use crate::workers::Work;
use auth::{Asked, Permission, Question, User, Verdict};
use std::sync::Arc;
use tracing::warn;

/// What somebody may do who declares, binds or deletes something.
#[derive(Clone, Copy)]
pub(crate) struct Rights<'a> {
    pub(crate) broker: &'a Broker,
    /// The user; `None` is an operator, who may do everything.
    pub(crate) user: Option<&'a User>,
    /// The connection whose exclusive queues are within reach; without one, a backend may be waited for.
    pub(crate) connection: Option<ConnectionId>,
}

impl<'a> Rights<'a> {
    /// Those of an operator.
    pub(crate) fn operator(broker: &'a Broker) -> Rights<'a> {
        Rights { broker, user: None, connection: None }
    }

    pub(crate) fn check(&self, resource: auth::Resource<'_>, permission: Permission) -> Result<(), ProtocolError> {
        let Some(user) = self.user else { return Ok(()) };
        let verdict = self.verdict(user, Question::Object { resource, permission });
        allowed(&verdict, user, resource, permission)
    }

    /// What whoever is in charge says. On a reactor that may be [`Verdict::Unknown`]: the frame is then presented again.
    fn verdict(&self, user: &User, question: Question<'_>) -> Verdict {
        match self.connection {
            Some(_) => self.broker.access.decide(user, question),
            None => self.broker.access.ask(user, question),
        }
    }

    /// Topic permissions: which routing keys a user may publish with (write) or bind to (read).
    pub(crate) fn check_topic(
        &self,
        vhost: &Vhost,
        exchange: &Exchange,
        routing_key: &str,
        permission: Permission,
    ) -> Result<(), ProtocolError> {
        let Some(user) = self.user.filter(|_| exchange.kind == ExchangeKind::Topic) else { return Ok(()) };
        let question = Question::Topic { vhost: &vhost.name, exchange: &exchange.name, permission, routing_key };
        topic_allowed(&self.verdict(user, question), user, vhost, exchange, permission, routing_key)
    }

    /// The queue called `name`, unless it is somebody else's own.
    pub(crate) fn queue(&self, vhost: &Vhost, name: &str) -> Result<Arc<QueueCell>, ProtocolError> {
        let resource = Resource::queue(&vhost.name, name);
        let cell = vhost.queue(name).ok_or_else(|| errors::NOT_FOUND.with(&[&resource]))?;
        if self.user.is_some() && cell.owner.is_some() && cell.owner != self.connection {
            return Err(errors::QUEUE_LOCKED.with(&[&resource]));
        }
        Ok(cell)
    }

    /// Who dead-letters a queue's messages reads them and publishes them elsewhere.
    pub(crate) fn check_dead_letters(
        &self,
        vhost: &Vhost,
        name: &str,
        arguments: &amqp::FieldTable,
    ) -> Result<(), ProtocolError> {
        const ARGUMENT: &str = "x-dead-letter-exchange";
        match arguments.get(ARGUMENT) {
            None => Ok(()),
            Some(amqp::FieldValue::LongString(exchange)) => {
                self.check(auth::Resource::queue(&vhost.name, name), Permission::Read)?;
                let exchange = String::from_utf8_lossy(exchange);
                self.check(auth::Resource::exchange(&vhost.name, &exchange), Permission::Write)
            }
            Some(other) => {
                let resource = Resource::queue(&vhost.name, name);
                Err(errors::INVALID_ARGUMENT_TYPE.with(&[&other.type_name(), &ARGUMENT, &resource]))
            }
        }
    }
}

impl Core {
    /// What a connection's user may do.
    pub(crate) fn rights<'a>(&'a self, conn: &'a Connection) -> Rights<'a> {
        let user = conn.user.as_deref().unwrap_or_else(|| User::nobody());
        Rights { broker: &self.broker, user: Some(user), connection: Some(conn.link.id) }
    }

    /// The connection's virtual host.
    pub(crate) fn vhost(&self, conn: &Connection) -> Result<Arc<Vhost>, ProtocolError> {
        // Channels exist only after connection.open.
        conn.vhost.clone().ok_or_else(|| errors::UNEXPECTED_METHOD.with(&[&conn.phase.name()]))
    }

    /// The exchange called `name`.
    pub(crate) fn exchange(&self, conn: &Connection, name: &str) -> Result<Arc<Exchange>, ProtocolError> {
        let vhost = self.vhost(conn)?;
        vhost.exchange(name).ok_or_else(|| errors::NOT_FOUND.with(&[&Resource::exchange(&vhost.name, name)]))
    }

    pub(crate) fn check_queue(
        &self,
        conn: &Connection,
        name: &str,
        permission: Permission,
    ) -> Result<(), ProtocolError> {
        let vhost = self.vhost(conn)?;
        self.check(conn, auth::Resource::queue(&vhost.name, name), permission)
    }

    pub(crate) fn check_exchange(
        &self,
        conn: &Connection,
        name: &str,
        permission: Permission,
    ) -> Result<(), ProtocolError> {
        let vhost = self.vhost(conn)?;
        self.check(conn, auth::Resource::exchange(&vhost.name, name), permission)
    }

    fn check(
        &self,
        conn: &Connection,
        resource: auth::Resource<'_>,
        permission: Permission,
    ) -> Result<(), ProtocolError> {
        self.rights(conn).check(resource, permission)
    }

    /// What a passive declare needs, which depends on the version of RabbitMQ to be.
    pub(crate) fn check_passive(&self, conn: &Connection, resource: auth::Resource<'_>) -> Result<(), ProtocolError> {
        match self.broker.settings.passive_declare {
            PassiveDeclare::Free => Ok(()),
            PassiveDeclare::Configure => self.check(conn, resource, Permission::Configure),
            PassiveDeclare::Any => self
                .check(conn, resource, Permission::Read)
                .or_else(|_| self.check(conn, resource, Permission::Write))
                .or_else(|_| self.check(conn, resource, Permission::Configure)),
        }
    }

    /// Topic permissions: which routing keys a user may publish with (write) or bind to (read).
    pub(crate) fn check_topic(
        &self,
        conn: &Connection,
        exchange: &Exchange,
        routing_key: &str,
        permission: Permission,
    ) -> Result<(), ProtocolError> {
        if exchange.kind != ExchangeKind::Topic {
            return Ok(());
        }
        let vhost = self.vhost(conn)?;
        self.rights(conn).check_topic(&vhost, exchange, routing_key, permission)
    }
}

/// What a verdict about an object comes to.
pub(crate) fn allowed(
    verdict: &Verdict,
    user: &User,
    resource: auth::Resource<'_>,
    permission: Permission,
) -> Result<(), ProtocolError> {
    let (permission, user) = (permission.as_str(), user.name());
    match verdict {
        Verdict::Allowed => Ok(()),
        // Nobody is told what is not known: the frame is presented again when it is.
        Verdict::Refused | Verdict::Unknown => Err(errors::PERMISSION_DENIED.with(&[&permission, &resource, &user])),
        Verdict::Because { backend, reason } => {
            Err(errors::PERMISSION_DENIED_BY_BACKEND.with(&[&permission, &resource, &user, backend, reason]))
        }
        Verdict::Failed { backend, error } => {
            Err(errors::PERMISSION_BACKEND_FAILED.with(&[&permission, &resource, &user, backend, error]))
        }
    }
}

/// What a verdict about a routing key comes to.
pub(crate) fn topic_allowed(
    verdict: &Verdict,
    user: &User,
    vhost: &Vhost,
    exchange: &Exchange,
    permission: Permission,
    key: &str,
) -> Result<(), ProtocolError> {
    let resource = Resource::exchange(&vhost.name, &exchange.name);
    let (permission, user) = (permission.as_str(), user.name());
    match verdict {
        Verdict::Allowed => Ok(()),
        Verdict::Refused | Verdict::Unknown => {
            Err(errors::TOPIC_PERMISSION_DENIED.with(&[&permission, &key, &resource, &user]))
        }
        Verdict::Because { backend, reason } => Err(errors::TOPIC_PERMISSION_DENIED_BY_BACKEND.with(&[
            &permission,
            &key,
            &resource,
            &user,
            backend,
            reason,
        ])),
        Verdict::Failed { backend, error } => {
            Err(errors::TOPIC_PERMISSION_BACKEND_FAILED.with(&[&permission, &key, &resource, &user, backend, error]))
        }
    }
}

/// What a verdict about a virtual host comes to.
fn vhost_allowed(verdict: &Verdict, user: &User, vhost: &str) -> Result<(), ProtocolError> {
    let user = user.name();
    match verdict {
        Verdict::Allowed => Ok(()),
        Verdict::Refused | Verdict::Unknown => Err(errors::VHOST_REFUSED.with(&[&vhost, &user])),
        Verdict::Because { backend, reason } => {
            Err(errors::VHOST_REFUSED_BY_BACKEND.with(&[&vhost, &user, backend, reason]))
        }
        Verdict::Failed { backend, error } => Err(errors::VHOST_BACKEND_FAILED.with(&[&vhost, &user, backend, error])),
    }
}

/// Questions that somebody outside has to answer.
impl Core {
    /// Whether the connection's user may be in `vhost`.
    pub(crate) fn check_vhost(&self, conn: &Connection, vhost: &str) -> Result<(), ProtocolError> {
        let user = conn.user.as_deref().unwrap_or_else(|| User::nobody());
        let question = Question::Vhost { vhost, peer: Some(conn.entry.peer.ip()) };
        vhost_allowed(&self.broker.access.decide(user, question), user, vhost)
    }

    /// What went wrong with a frame was that nobody knew whether the user may do it: has that found out, and parks the
    /// connection until then. False where something else went wrong.
    pub(crate) fn ask_for(&mut self, conn: &mut Connection) -> bool {
        let Some(user) = conn.user.clone().filter(|user| user.has_to_be_asked_for()) else { return false };
        let Some(asked) = user.take_pending() else {
            // A refusal that the client is told does not count for what it tries next.
            user.forget_refusals();
            conn.chosen_name = None;
            return false;
        };
        let (broker, address, shard) = (self.broker.clone(), conn.address(), self.shard);
        let question = asked.clone();
        let job = Box::new(move || {
            broker.access.ask(&user, question.question());
            broker.post(shard, ShardMessage::Answered { address });
        });
        let submitted = self.broker.do_aside(Work::Asking, job);
        if !submitted {
            warn!(target: "connection", "{}: too much waits to be asked about: {}", conn.name(), wanted(&asked));
            return false;
        }
        conn.park = Some(Park::Question);
        true
    }

    /// Asks before the content of a publish comes, which could not wait for the answer. True when the connection is
    /// parked meanwhile; a refusal is left to the end of the content.
    pub(crate) fn must_ask_to_publish(
        &mut self,
        conn: &mut Connection,
        number: u16,
        exchange: &[u8],
        key: &[u8],
    ) -> bool {
        if !conn.user.as_ref().is_some_and(|user| user.has_to_be_asked_for()) {
            return false;
        }
        self.check_publish(conn, number, exchange, key).is_err()
            && conn.user.as_ref().is_some_and(|user| user.is_pending())
            && self.ask_for(conn)
    }

    /// The same for the keys of CC and BCC, which come with the header of a content that is not there whole.
    pub(crate) fn must_ask_for_more_keys(&mut self, conn: &mut Connection, number: u16, header: &[u8]) -> bool {
        if !conn.user.as_ref().is_some_and(|user| user.has_to_be_asked_for()) {
            return false;
        }
        let Some(channel) = conn.channels.find(number).filter(|channel| !channel.closing) else { return false };
        let Some(name) = channel.assembly.as_ref().filter(|assembly| assembly.wants_header()).map(|it| it.exchange())
        else {
            return false;
        };
        let keys = read_header(header).map(more_routing_keys).unwrap_or_default();
        // Errors are those of the content when it is there.
        !keys.is_empty()
            && self
                .exchange_to_publish(conn, number, &name)
                .and_then(|exchange| self.check_more_topics(conn, number, &exchange, &keys))
                .is_err()
            && conn.user.as_ref().is_some_and(|user| user.is_pending())
            && self.ask_for(conn)
    }
}

/// What a question is about, for the log.
fn wanted(asked: &Asked) -> String {
    match asked {
        Asked::Vhost { vhost, .. } => format!("vhost '{vhost}'"),
        Asked::Object { vhost, name, .. } => format!("'{name}' in vhost '{vhost}'"),
        Asked::Topic { vhost, exchange, .. } => format!("topics of exchange '{exchange}' in vhost '{vhost}'"),
    }
}
