//! Logins and new secrets: checked by threads of their own while the connection is parked.

use crate::connection::{Connection, Park, Phase};
use crate::core::Core;
use crate::directory::Source;
use crate::errors::{self, ProtocolError};
use crate::message::ShardMessage;
use crate::totals::LoginProtocol;
use crate::workers::Work;
use amqp::Method;
use amqp::method::connection;
use auth::{Begun, Credentials, LoginError, Mechanism, Permission, SecretRefused, User};
use std::sync::Arc;
use tracing::{debug, info, warn};

impl Core {
    /// Has a login checked. Hashing takes a while, and who is asked over the network may take longer: what can be settled
    /// without is not to wait for that.
    pub(crate) fn check_login(&mut self, conn: &mut Connection, mechanism: Mechanism, credentials: Credentials) {
        let (broker, address, shard, peer) = (self.broker.clone(), conn.address(), self.shard, conn.entry.peer.ip());
        let link = Arc::downgrade(&conn.link);
        let job = Box::new(move || {
            // Who has gone meanwhile, or was too slow, need not be checked.
            if link.upgrade().is_none() {
                return;
            }
            let unsettled = match broker.begin_login(&credentials, peer, LoginProtocol::Amqp091) {
                Begun::Asks(unsettled) => unsettled,
                Begun::Settled(outcome) => return broker.post(shard, ShardMessage::LoggedIn { address, outcome }),
            };
            let asked = broker.clone();
            let job = Box::new(move || {
                if link.upgrade().is_none() {
                    return;
                }
                let outcome = asked.finish_login(unsettled, &credentials, peer, LoginProtocol::Amqp091);
                asked.post(shard, ShardMessage::LoggedIn { address, outcome });
            });
            if !broker.do_aside(Work::Asking, job) {
                broker.note_login(None, peer, LoginProtocol::Amqp091, false);
                broker.post(shard, ShardMessage::LoggedIn { address, outcome: Err(LoginError::Busy) });
            }
        });
        let submitted = self.broker.do_aside(Work::Hashing, job);
        conn.park = Some(Park::Login { mechanism });
        if !submitted {
            self.broker.note_login(None, peer, LoginProtocol::Amqp091, false);
            self.logged_in(conn, Err(LoginError::Busy));
        }
    }

    /// The login was checked.
    pub(crate) fn logged_in(&mut self, conn: &mut Connection, outcome: Result<Arc<User>, LoginError>) {
        let mechanism = match conn.park {
            Some(Park::Login { mechanism }) if conn.phase == Phase::Starting => mechanism,
            // It was closed meanwhile.
            _ => return,
        };
        conn.park = None;
        match outcome {
            Ok(user) => {
                self.broker.emit_login(&conn.entry, user.name(), mechanism.as_str(), None);
                conn.entry.set_login(user.clone(), mechanism);
                conn.user = Some(user);
                conn.phase = Phase::Tuning;
                let settings = &self.broker.settings;
                let (channel_max, frame_max) = (self.broker.channel_max(), settings.frame_max);
                let tune = connection::Tune { channel_max, frame_max, heartbeat: self.broker.limits.heartbeat_s() };
                self.send(conn, 0, &Method::ConnectionTune(tune));
            }
            Err(error) => {
                let name = error.user().unwrap_or_default();
                self.broker.emit_login(&conn.entry, name, mechanism.as_str(), Some(&error.to_string()));
                self.login_failed(conn, mechanism, &error);
            }
        }
    }

    /// connection.update-secret: a token that is to take the place of the one that will expire.
    pub(crate) fn update_secret(
        &mut self,
        conn: &mut Connection,
        update: &connection::UpdateSecret<'_>,
    ) -> Result<(), ProtocolError> {
        debug!(target: "connection", "{}: user '{}' asks for a new secret, reason: {}", conn.name(), conn.user_name(), update.reason);
        let Some(user) = conn.user.clone().filter(|user| user.expires_at_s().is_some()) else {
            // Other logins have no secrets that expire.
            self.send(conn, 0, &Method::ConnectionUpdateSecretOk(connection::UpdateSecretOk {}));
            return Ok(());
        };
        let (broker, address, shard) = (self.broker.clone(), conn.address(), self.shard);
        let secret = update.new_secret.to_vec();
        let job = Box::new(move || {
            let outcome = broker.access.renew(&user, &secret);
            broker.post(shard, ShardMessage::Renewed { address, outcome });
        });
        let submitted = self.broker.do_aside(Work::Asking, job);
        if !submitted {
            warn!(target: "connection", "{}: too much waits to check a new secret", conn.name());
            return Err(errors::SECRET_REFUSED.with(&[]));
        }
        conn.park = Some(Park::Secret);
        Ok(())
    }

    /// The new secret was checked. What the user may no longer do is over: the virtual host with the connection, queues
    /// with the consumer.
    pub(crate) fn renewed(&mut self, conn: &mut Connection, outcome: Result<Arc<User>, SecretRefused>) {
        if !matches!(conn.park, Some(Park::Secret)) {
            return;
        }
        conn.park = None;
        let checked = match outcome {
            Ok(user) => {
                conn.user = Some(user);
                // It may be earlier than before.
                conn.expiry_is_armed_for = None;
                conn.channels.forget_permissions();
                let vhost = conn.vhost.as_ref().map(|vhost| vhost.name.clone()).unwrap_or_default();
                self.check_vhost(conn, &vhost)
            }
            Err(SecretRefused(text)) => {
                warn!(target: "connection", "{}: the new secret of user '{}' is refused: {text}", conn.name(), conn.user_name());
                Err(errors::SECRET_REFUSED.with(&[]))
            }
        };
        match checked {
            Ok(()) => {
                info!(target: "connection", "{}: user '{}' updated its secret", conn.name(), conn.user_name());
                self.cancel_forbidden_consumers(conn);
                self.send(conn, 0, &Method::ConnectionUpdateSecretOk(connection::UpdateSecretOk {}));
            }
            Err(error) => self.close_connection(conn, &error.by_method(10, 70)),
        }
    }

    /// Ends the consumers of queues that the user may no longer read from; the client is told as if the queues were gone.
    fn cancel_forbidden_consumers(&mut self, conn: &mut Connection) {
        let Some(vhost) = conn.vhost.clone() else { return };
        for number in conn.channels.numbers() {
            let Some(channel) = conn.channels.find(number) else { continue };
            let consumers: Vec<_> = channel
                .subscriptions
                .iter()
                .filter_map(|subscription| match &subscription.source {
                    Source::Queue { cell, .. } => Some((subscription.consumer.tag.clone(), cell.clone())),
                    Source::Replies { .. } => None,
                })
                .collect();
            for (tag, cell) in consumers {
                if self.check_queue(conn, &cell.name, Permission::Read).is_ok() {
                    continue;
                }
                let Some(channel) = conn.channels.find(number) else { continue };
                let Some(at) = channel.subscription(&tag) else { continue };
                let key = match &channel.subscriptions[at].source {
                    Source::Queue { key, .. } => *key,
                    Source::Replies { .. } => continue,
                };
                self.consumer_gone(conn, number, &tag, cell.quid);
                if self.remove_consumer(&vhost, &cell, key) {
                    self.activate_next(&cell);
                }
            }
        }
    }

    /// The time of the user's token is over.
    pub(crate) fn expire(&mut self, conn: &mut Connection) {
        let Some(expires_at_s) = conn.user.as_ref().and_then(|user| user.expires_at_s()) else { return };
        if expires_at_s.saturating_mul(1000) <= self.time_ms && !matches!(conn.phase, Phase::Closing | Phase::Closed) {
            warn!(target: "connection", "closing AMQP connection {} of user '{}': credential has expired", conn.name(), conn.user_name());
            self.close_connection(conn, &errors::CREDENTIAL_EXPIRED.with(&[]));
        }
    }
}
