//! Channel 0: the handshake, closing, and what concerns the whole connection.

use crate::connection::{Capabilities, Connection, Park, Phase};
use crate::core::{Core, DeleteCondition};
use crate::directory::Tuned;
use crate::errors::{self, ProtocolError};
use crate::inbound::undecodable;
use crate::limits::Place;
use crate::properties::server_properties;
use crate::totals::LoginProtocol;
use amqp::method::{channel, connection};
use amqp::{FieldTable, FieldValue, Method, ProtocolHeader};
use auth::{LoginError, Mechanism, SaslError};
use tracing::{debug, info, warn};

/// What a frame_max of 0, no limit, comes to in bytes: frames are put together in memory.
const UNLIMITED_FRAME: usize = 16 << 20;
/// The smallest frame_max that a client may ask for, in bytes (RabbitMQ before 4.1; later 8192).
const SMALLEST_FRAME: u32 = amqp::frame::FRAME_MIN_SIZE as u32;

impl Core {
    /// Answers a protocol header that is served: connection.start.
    pub(crate) fn start(&mut self, conn: &mut Connection) {
        conn.phase = Phase::Starting;
        self.broker.directory.add(&conn.entry);
        let properties = server_properties(&self.broker.settings, &self.broker.cluster_name()).to_bytes();
        let mechanisms = self.offered_mechanisms(conn);
        let mechanisms: Vec<&str> = mechanisms.iter().map(|mechanism| mechanism.as_str()).collect();
        let mechanisms = mechanisms.join(" ");
        let start = connection::Start {
            version_major: 0,
            version_minor: 9,
            server_properties: amqp::TableRef::new(&properties),
            mechanisms: mechanisms.as_bytes(),
            locales: b"en_US",
        };
        self.send(conn, 0, &Method::ConnectionStart(start));
    }

    /// EXTERNAL is for TLS only. Without a certificate it is offered all the same, as by RabbitMQ: the refusal says why.
    fn offered_mechanisms(&self, conn: &Connection) -> Vec<Mechanism> {
        let mut offered = self.broker.access.offered_mechanisms();
        let has_tls = conn.entry.tls.as_ref().is_some_and(|tls| tls.ends_here);
        offered.retain(|mechanism| *mechanism != Mechanism::External || has_tls);
        offered
    }

    /// Answers a protocol header that is not served, and hangs up.
    pub(crate) fn refuse_protocol(&mut self, conn: &mut Connection, header: ProtocolHeader) {
        let what = match header {
            ProtocolHeader::Http => "HTTP",
            ProtocolHeader::Tls => "TLS",
            ProtocolHeader::Amqp10 | ProtocolHeader::Amqp10Sasl => "AMQP 1.0",
            _ => "another protocol",
        };
        warn!(target: "connection", "closing {}: the client speaks {what} to an AMQP 0-9-1 port", conn.name());
        self.send_frames(conn, &header.refusal().unwrap_or(ProtocolHeader::AMQP_0_9_1));
        conn.phase = Phase::Closed;
    }

    /// A method on channel 0.
    pub(crate) fn connection_method(&mut self, conn: &mut Connection, payload: &[u8]) -> Result<(), ProtocolError> {
        let method = match Method::decode(payload) {
            Ok(method) => method,
            Err(_) if conn.phase == Phase::Closing => return Ok(()),
            Err(error) => return Err(undecodable(error, payload)),
        };
        let id = method.id();
        let outcome = match (conn.phase, method) {
            (Phase::Starting, Method::ConnectionStartOk(start_ok)) => self.start_ok(conn, &start_ok),
            (Phase::Tuning, Method::ConnectionTuneOk(tune_ok)) => self.tune_ok(conn, &tune_ok),
            (Phase::Opening, Method::ConnectionOpen(open)) => self.open(conn, &open),
            (Phase::Running, Method::ConnectionUpdateSecret(update)) => self.update_secret(conn, &update),
            (Phase::Closing, Method::ConnectionCloseOk(_)) => {
                conn.phase = Phase::Closed;
                Ok(())
            }
            (Phase::Running | Phase::Closing | Phase::Opening | Phase::Tuning, Method::ConnectionClose(close)) => {
                self.client_closes(conn, &close);
                Ok(())
            }
            (Phase::Closing, _) => Ok(()),
            (phase, _) => Err(errors::UNEXPECTED_METHOD.with(&[&phase.name()])),
        };
        outcome.map_err(|error| if error.method == (0, 0) { error.by_method(id.class, id.method) } else { error })
    }

    fn start_ok(&mut self, conn: &mut Connection, start_ok: &connection::StartOk<'_>) -> Result<(), ProtocolError> {
        let properties = start_ok.client_properties.to_owned().unwrap_or_default();
        conn.capabilities = capabilities(conn.entry.set_client_properties(properties));
        let offered = self.offered_mechanisms(conn);
        let chosen = Mechanism::choose(start_ok.mechanism, &offered);
        let credentials = chosen
            .and_then(|mechanism| Ok((mechanism, mechanism.credentials(start_ok.response, conn.entry.certified())?)));
        let (mechanism, credentials) = match credentials {
            Ok(credentials) => credentials,
            Err(error) => {
                self.sasl_failed(conn, &error);
                return Ok(());
            }
        };
        self.check_login(conn, mechanism, credentials);
        Ok(())
    }

    /// A malformed login. RabbitMQ has an error for each, waits, and then hangs up without sending it; here it is sent.
    fn sasl_failed(&mut self, conn: &mut Connection, error: &SaslError) {
        self.broker.note_login(None, conn.entry.peer.ip(), LoginProtocol::Amqp091, false);
        warn!(target: "connection", "closing {}: {error}", conn.name());
        let error = match error {
            SaslError::UnknownMechanism(name) => errors::UNKNOWN_MECHANISM.with(&[name]),
            SaslError::InvalidMechanism(mechanism) => errors::INVALID_MECHANISM.with(&[mechanism]),
            SaslError::InvalidResponse(response) => {
                errors::MALFORMED_RESPONSE.with(&[&errors::Binary::new(response, "response ".len())])
            }
            other => ProtocolError { text: other.reply_text(), ..errors::MALFORMED_RESPONSE.with(&[&""]) },
        };
        let mut close = Vec::new();
        encode_connection_close(&error.by_method(10, 11), &mut close);
        self.refuse_login(conn, close);
    }

    /// RabbitMQ: 403 after a delay for clients that announced that they understand it, silence for others.
    pub(crate) fn login_failed(&mut self, conn: &mut Connection, mechanism: Mechanism, error: &LoginError) {
        warn!(target: "connection", "closing {}: {mechanism} login refused: {error}", conn.name());
        let mut close = Vec::new();
        if conn.capabilities.authentication_failure_close {
            let refused = errors::LOGIN_REFUSED.with(&[&mechanism]);
            encode_connection_close(&refused, &mut close);
        }
        self.refuse_login(conn, close);
    }

    fn refuse_login(&mut self, conn: &mut Connection, close: Vec<u8>) {
        let until_ms = self.now.mono_ms() + self.broker.settings.login_delay_ms;
        conn.park = Some(Park::Refused { until_ms, close });
    }

    /// The delay of a refused login is over.
    pub(crate) fn answer_refused(&mut self, conn: &mut Connection, close: &[u8]) {
        if close.is_empty() {
            conn.phase = Phase::Closed;
        } else {
            self.send_frames(conn, close);
            conn.phase = Phase::Closing;
        }
    }

    fn tune_ok(&mut self, conn: &mut Connection, tune_ok: &connection::TuneOk) -> Result<(), ProtocolError> {
        let settings = &self.broker.settings;
        check_limit("frame_max", tune_ok.frame_max, SMALLEST_FRAME, settings.frame_max)?;
        check_limit("channel_max", u32::from(tune_ok.channel_max), 1, u32::from(self.broker.channel_max()))?;
        conn.frame_max = match tune_ok.frame_max {
            0 => UNLIMITED_FRAME,
            frame_max => (frame_max as usize).min(UNLIMITED_FRAME),
        };
        conn.link.frame_max.store(conn.frame_max as u32, std::sync::atomic::Ordering::Relaxed);
        conn.channel_max = if tune_ok.channel_max == 0 { u16::MAX } else { tune_ok.channel_max };
        conn.heartbeat_s = tune_ok.heartbeat;
        conn.entry.set_tuned(Tuned {
            channel_max: conn.channel_max,
            frame_max: conn.frame_max as u32,
            heartbeat_s: conn.heartbeat_s,
        });
        conn.phase = Phase::Opening;
        Ok(())
    }

    fn open(&mut self, conn: &mut Connection, open: &connection::Open<'_>) -> Result<(), ProtocolError> {
        let name = open.virtual_host;
        // Those of before, when a backend had to be asked and the frame is presented again.
        conn.places.clear();
        conn.places = self.admit(conn, name)?;
        self.check_vhost(conn, name)?;
        let vhost = self.broker.vhost(name).ok_or_else(|| errors::VHOST_NOT_FOUND.with(&[&name]))?;
        conn.entry.set_vhost(vhost.name.clone());
        self.broker.totals.churn.connection_created.add(1);
        self.broker.emit_connection_created(&conn.entry);
        conn.vhost = Some(vhost);
        conn.phase = Phase::Running;
        info!(target: "connection", "{}: user '{}' authenticated and granted access to vhost '{name}'", conn.name(), conn.user_name());
        self.send(conn, 0, &Method::ConnectionOpenOk(connection::OpenOk {}));
        Ok(())
    }

    /// Counts a connection where there are limits. RabbitMQ asks for those of the node, the virtual host and the user in
    /// this order, before anything else.
    fn admit(&self, conn: &mut Connection, vhost: &str) -> Result<Vec<Place>, ProtocolError> {
        let in_use = self.broker.user_in_use(conn.user_name());
        conn.user_use = Some(in_use.clone());
        let (broker, user) = (&self.broker, conn.user_name());
        let on_node = broker
            .connections
            .enter(broker.limits.connections())
            .map_err(|most| errors::NODE_CONNECTION_LIMIT.with(&[&most]))?;
        let limits = &broker.vhost(vhost).ok_or_else(|| errors::VHOST_NOT_FOUND.with(&[&vhost]))?.limits;
        let in_vhost = limits
            .connections
            .enter(limits.max_connections.most())
            .map_err(|most| errors::VHOST_CONNECTION_LIMIT.with(&[&vhost, &user, &most]))?;
        let of_user = in_use
            .connections
            .enter(in_use.max_connections.most())
            .map_err(|most| errors::USER_CONNECTION_LIMIT.with(&[&user, &most]))?;
        Ok(vec![on_node, in_vhost, of_user])
    }

    /// connection.close from the client: everything of the connection is gone before close-ok. Then, as RabbitMQ does, we
    /// read on and discard until the client hangs up: closing first would reset what it still sends, and close-ok with it.
    fn client_closes(&mut self, conn: &mut Connection, close: &connection::Close<'_>) {
        debug!(target: "connection", "{}: closed by the client ({} {})", conn.name(), close.reply_code, close.reply_text);
        self.tell_confirms(conn);
        self.release(conn);
        self.send(conn, 0, &Method::ConnectionCloseOk(connection::CloseOk {}));
        conn.phase = Phase::Closing;
    }

    /// Closes the connection with an error; nothing of it is left but to wait for the answer.
    pub(crate) fn close_connection(&mut self, conn: &mut Connection, error: &ProtocolError) {
        if matches!(conn.phase, Phase::Closing | Phase::Closed) {
            return;
        }
        // What it waited for has no more meaning, and the answer to our close has to be read.
        conn.park = None;
        let (name, text) = (conn.name(), error.full_text());
        warn!(target: "connection", "closing {name}: {} {text}", error.code.0);
        let silent = matches!(conn.phase, Phase::Header | Phase::Starting);
        self.release(conn);
        if silent {
            self.refuse_login(conn, Vec::new());
            return;
        }
        let mut frame = Vec::new();
        encode_connection_close(error, &mut frame);
        self.send_frames(conn, &frame);
        conn.phase = Phase::Closing;
    }

    /// Gives up everything that the connection has: consumers first, then deliveries, then its exclusive queues.
    pub(crate) fn release(&mut self, conn: &mut Connection) {
        // The consumers of all channels go before a delivery of any returns: it must not be given to one of them, who
        // may not acknowledge, and be lost with it.
        let mut vacated = Vec::new();
        for number in conn.channels.numbers() {
            vacated.extend(self.end_subscriptions(conn, number));
        }
        for number in conn.channels.numbers() {
            self.release_deliveries(conn, number);
        }
        vacated.iter().for_each(|cell| self.activate_next(cell));
        if let Some(vhost) = conn.vhost.clone() {
            for cell in std::mem::take(&mut conn.exclusive_queues) {
                // Without a condition nothing can be in the way.
                let _ = self.delete_queue(&vhost, &cell, DeleteCondition::default());
            }
        }
        conn.places = Vec::new();
        conn.partial_body = None;
        conn.leftover = Vec::new();
    }

    /// Unblocks a publisher when the last alarm is cleared.
    pub(crate) fn alarms_changed(&mut self, conn: &mut Connection) {
        if self.broker.is_alarmed() {
            return;
        }
        if matches!(conn.park, Some(Park::Alarm)) {
            conn.park = None;
        }
        if std::mem::take(&mut conn.told_blocked) {
            self.send(conn, 0, &Method::ConnectionUnblocked(connection::Unblocked {}));
        }
    }

    /// Stops reading from a connection that publishes during an alarm, before the content is taken (RabbitMQ: a connection
    /// that does not publish notices nothing).
    pub(crate) fn block_publisher(&mut self, conn: &mut Connection) {
        conn.park = Some(Park::Alarm);
        if conn.capabilities.connection_blocked && !conn.told_blocked {
            conn.told_blocked = true;
            let reason = self.broker.alarm_reason();
            self.send(conn, 0, &Method::ConnectionBlocked(connection::Blocked { reason }));
        }
    }

    /// channel.open, and any other method on a channel that is not open.
    pub(crate) fn on_unopened_channel(
        &mut self,
        conn: &mut Connection,
        number: u16,
        method: Method<'_>,
    ) -> Result<(), ProtocolError> {
        match method {
            Method::ChannelOpen(_) => {
                conn.just_closed.retain(|(closed, _)| *closed != number);
                self.open_channel(conn, number)
            }
            // A thread of the client that has not noticed yet; what it asks fails there when it does.
            _ if self.is_just_closed(conn, number) => Ok(()),
            // A close-ok to a close that crossed the client's own.
            Method::ChannelCloseOk(_) => Ok(()),
            Method::ChannelClose(_) => {
                self.send(conn, number, &Method::ChannelCloseOk(channel::CloseOk {}));
                Ok(())
            }
            method => {
                let id = method.id();
                Err(errors::CHANNEL_NOT_OPEN.with(&[]).by_method(id.class, id.method))
            }
        }
    }
}

/// How long after channel.close-ok methods on the channel are passed over, in ms. RabbitMQ closes the connection at
/// once, but takes longer to close the channel than a client needs to send what it had begun.
const LATE_METHODS_MS: u64 = 1000;

impl Core {
    /// True for a channel that we closed a moment ago.
    pub(crate) fn is_just_closed(&self, conn: &Connection, number: u16) -> bool {
        conn.just_closed.iter().any(|(closed, until_ms)| *closed == number && self.now.mono_ms() < *until_ms)
    }

    /// The client has answered our channel.close.
    pub(crate) fn channel_closed(&self, conn: &mut Connection, number: u16) {
        let now_ms = self.now.mono_ms();
        conn.channels.remove(number);
        conn.just_closed.retain(|(_, until_ms)| now_ms < *until_ms);
        conn.just_closed.push((number, now_ms + LATE_METHODS_MS));
    }
}

/// Appends the frame of connection.close for an error.
fn encode_connection_close(error: &ProtocolError, out: &mut Vec<u8>) {
    let (class_id, method_id) = error.method;
    let reply_text = error.full_text();
    let close = connection::Close { reply_code: error.code.0, reply_text: &reply_text, class_id, method_id };
    amqp::frame::write_method(out, 0, &Method::ConnectionClose(close));
}

/// RabbitMQ: a limit of the server is a maximum, and then 0, no limit, is above it.
fn check_limit(name: &str, asked: u32, least: u32, most: u32) -> Result<(), ProtocolError> {
    let method = |error: ProtocolError| error.by_method(10, 30);
    if asked != 0 && asked < least {
        return Err(method(errors::NEGOTIATED_TOO_LOW.with(&[&name, &asked, &least])));
    }
    if most != 0 && (asked == 0 || asked > most) {
        let asked = if asked == 0 { "0 (no limit)".to_owned() } else { asked.to_string() };
        return Err(method(errors::NEGOTIATED_TOO_HIGH.with(&[&name, &asked, &most])));
    }
    Ok(())
}

fn capabilities(client_properties: &FieldTable) -> Capabilities {
    let Some(FieldValue::Table(table)) = client_properties.get("capabilities") else { return Capabilities::default() };
    let has = |name: &str| table.get(name).and_then(FieldValue::as_bool) == Some(true);
    Capabilities {
        authentication_failure_close: has("authentication_failure_close"),
        connection_blocked: has("connection.blocked"),
        consumer_cancel_notify: has("consumer_cancel_notify"),
    }
}
