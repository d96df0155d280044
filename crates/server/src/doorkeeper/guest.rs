//! One connection before it speaks AMQP.

use super::{EntranceSettings, PROXY_TIMEOUT};
use crate::distributor::Arrival;
use crate::proxy::{self, MAX_HEADER_BYTES};
use broker::{Ends, PeerCertificate, TlsEnds};
use mio::net::TcpStream;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use tls::rustls::ServerConnection;
use tls::{LoginFrom, Session};

/// The first octet of a TLS record that begins a handshake.
const HANDSHAKE_RECORD: u8 = 0x16;
/// A fatal alert in TLS 1.0, which everybody reads who reads alerts.
const UNEXPECTED_MESSAGE: &[u8] = &[0x15, 3, 1, 0, 2, 2, 10];
/// RabbitMQ's words for a client that showed none.
const NO_CERTIFICATE: &str = "connection peer presented no TLS (x.509) certificate";
/// RabbitMQ's words where TLS ends at the proxy.
const NO_TLS: &str = "not a TLS-enabled connection";

enum Stage {
    Proxy,
    Handshake(Option<Box<ServerConnection>>),
    Done,
}

/// How a guest has come along.
pub(super) enum Progress {
    /// It waits for its peer.
    Waits,
    /// It speaks AMQP from here on.
    Through,
    /// It is over, for this reason.
    Gone(String),
}

pub(super) struct Guest {
    stream: TcpStream,
    /// Who is at the other end of the socket, whatever a proxy says.
    socket_peer: SocketAddr,
    ends: Ends,
    stage: Stage,
    has_tls: bool,
    session: Option<Box<ServerConnection>>,
    has_spoken: bool,
    /// Bytes of its handshake so far, which is the most that it may have made the session keep.
    received_bytes: usize,
    deadline: Instant,
}

impl Guest {
    pub(super) fn new(
        stream: TcpStream,
        peer: SocketAddr,
        local: SocketAddr,
        has_tls: bool,
        settings: &EntranceSettings,
    ) -> Guest {
        let time = settings.tls.as_ref().filter(|_| has_tls).map_or(PROXY_TIMEOUT, |tls| tls.handshake_timeout);
        let mut guest = Guest {
            stream,
            socket_peer: peer,
            ends: Ends { peer, local, tls: None },
            stage: Stage::Proxy,
            has_tls,
            session: None,
            has_spoken: false,
            received_bytes: 0,
            deadline: Instant::now() + time,
        };
        if !settings.proxy_protocol {
            guest.enter();
        }
        guest
    }

    /// After the header of a proxy, or without one.
    fn enter(&mut self) {
        self.stage = if self.has_tls { Stage::Handshake(None) } else { Stage::Done };
    }

    pub(super) fn has_nothing_to_do(&self) -> bool {
        matches!(self.stage, Stage::Done)
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.ends.peer
    }

    pub(super) fn has_spoken(&self) -> bool {
        self.has_spoken
    }

    pub(super) fn received_bytes(&self) -> usize {
        self.received_bytes
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Who is at the other end of the socket.
    pub(super) fn socket_peer(&self) -> SocketAddr {
        self.socket_peer
    }

    /// What it did not do in time.
    pub(super) fn why_late(&self) -> &'static str {
        match self.stage {
            Stage::Proxy => "no PROXY header in time",
            _ => "TLS handshake timed out",
        }
    }

    pub(super) fn into_arrival(self) -> Arrival {
        Arrival { stream: self.stream, ends: self.ends, session: self.session }
    }

    /// Does what can be done without waiting.
    pub(super) fn advance(&mut self, settings: &EntranceSettings) -> Progress {
        let outcome = match self.stage {
            Stage::Proxy => self.read_header(),
            _ => Ok(true),
        };
        let outcome = outcome.and_then(|goes_on| if goes_on { self.handshake(settings) } else { Ok(false) });
        match outcome {
            Ok(true) => Progress::Through,
            Ok(false) => Progress::Waits,
            Err(what) => Progress::Gone(what),
        }
    }

    /// Looks at what has come without taking it, so that not a byte behind the header is lost.
    fn read_header(&mut self) -> Result<bool, String> {
        let mut bytes = [0; MAX_HEADER_BYTES];
        let count = match waiting(self.stream.peek(&mut bytes))? {
            None => return Ok(false),
            Some(0) => return Err("hung up before the PROXY header".to_owned()),
            Some(count) => count,
        };
        self.has_spoken = true;
        let Some(header) = proxy::parse(&bytes[..count]).map_err(|error| error.to_string())? else { return Ok(false) };
        let taken = bytes.get_mut(..header.length).ok_or("malformed PROXY header")?;
        self.stream.read_exact(taken).map_err(|error| error.to_string())?;
        if let Some((peer, local)) = header.ends {
            self.ends.peer = believed(self.socket_peer, peer);
            self.ends.local = local;
        }
        self.ends.tls = header.tls.map(|(version, suite)| Arc::new(by_proxy(&version, &suite)));
        self.enter();
        Ok(true)
    }

    /// True when there is nothing left to do.
    fn handshake(&mut self, settings: &EntranceSettings) -> Result<bool, String> {
        let Stage::Handshake(begun) = &mut self.stage else { return Ok(true) };
        let tls = settings.tls.as_ref().ok_or("the listener has no certificate")?;
        if begun.is_none() {
            let mut first = [0; 4];
            match waiting(self.stream.peek(&mut first))? {
                None => return Ok(false),
                Some(0) => return Err("hung up before the TLS handshake".to_owned()),
                Some(count) => {
                    self.has_spoken = true;
                    if let Err(what) = check_first(&first[..count]) {
                        // What RabbitMQ says to them, if it can be written.
                        let _ = self.stream.write(UNEXPECTED_MESSAGE);
                        return Err(what);
                    }
                }
            }
            let connection = ServerConnection::new(tls.endpoint.config()).map_err(|error| error.to_string())?;
            *begun = Some(Box::new(connection));
        }
        let Some(connection) = begun else { return Ok(false) };
        if !shake(connection, &mut self.stream, &mut self.received_bytes)
            .map_err(|what| format!("TLS handshake failed: {what}"))?
        {
            return Ok(false);
        }
        let session = Session::of(connection);
        if let Some(peer) = session.expired_peer() {
            return Err(format!("the certificate of {} has expired", peer.subject));
        }
        self.ends.tls = Some(Arc::new(facts(session, tls.login_from)));
        self.session = begun.take();
        self.stage = Stage::Done;
        Ok(true)
    }
}

/// Whom a header speaks of. A loopback address in it is one of the machine that sent it: from another machine it must not
/// make a client one of ours, whom loopback users may log in as. RabbitMQ goes by the socket there.
fn believed(socket_peer: SocketAddr, named: SocketAddr) -> SocketAddr {
    let is_loopback = |end: SocketAddr| end.ip().to_canonical().is_loopback();
    if is_loopback(named) && !is_loopback(socket_peer) { socket_peer } else { named }
}

/// `None` for what would have to wait.
fn waiting(outcome: io::Result<usize>) -> Result<Option<usize>, String> {
    match outcome {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Tells at once those who speak something else.
fn check_first(bytes: &[u8]) -> Result<(), String> {
    if bytes.first() == Some(&HANDSHAKE_RECORD) {
        return Ok(());
    }
    Err(match bytes {
        [b'A', ..] if b"AMQP".starts_with(bytes) => "the client speaks AMQP without TLS to a TLS port",
        b"GET " | b"POST" | b"HEAD" | b"PUT " => "the client speaks HTTP to an AMQP port with TLS",
        b"PROX" | b"\r\n\r\n" => "a PROXY header, and proxy_protocol is not set",
        _ => "TLS handshake failed: the client does not speak TLS",
    }
    .to_owned())
}

/// Reads and writes until the handshake is done, true then, or until that would have to wait.
fn shake(
    connection: &mut ServerConnection,
    stream: &mut TcpStream,
    received_bytes: &mut usize,
) -> Result<bool, String> {
    loop {
        while connection.wants_write() {
            match connection.write_tls(stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.to_string()),
            }
        }
        if !connection.is_handshaking() {
            return Ok(true);
        }
        match connection.read_tls(stream) {
            Ok(0) => return Err("the client hung up".to_owned()),
            Ok(count) => *received_bytes += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.to_string()),
        }
        if let Err(error) = connection.process_new_packets() {
            // The alert that says why, if it can be written.
            let _ = connection.write_tls(stream);
            return Err(error.to_string());
        }
    }
}

fn facts(session: Session, login_from: LoginFrom) -> TlsEnds {
    let login_name = session.peer.as_ref().map_or(Err(NO_CERTIFICATE), |peer| peer.login_name(login_from));
    TlsEnds {
        protocol: session.protocol.to_owned(),
        key_exchange: session.key_exchange.to_owned(),
        cipher: session.cipher.to_owned(),
        hash: session.hash.to_owned(),
        peer: session.peer.map(|peer| PeerCertificate {
            subject: peer.subject,
            issuer: peer.issuer,
            validity: peer.validity,
            serial_number: peer.serial,
        }),
        login_name,
        ends_here: true,
    }
}

/// What a proxy says of the TLS between it and the client.
fn by_proxy(version: &str, suite: &str) -> TlsEnds {
    let parts = tls::suite_parts(suite);
    TlsEnds {
        protocol: version.to_lowercase(),
        key_exchange: parts.map_or("", |(key_exchange, _)| key_exchange).to_owned(),
        cipher: parts.map_or(suite, |(_, cipher)| cipher).to_owned(),
        hash: parts.map_or("", |_| "aead").to_owned(),
        peer: None,
        login_name: Err(NO_TLS),
        ends_here: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_from_another_machine_makes_nobody_local() {
        for (socket_peer, named, expected) in [
            ("192.0.2.1:1", "127.0.0.1:2", "192.0.2.1:1"),
            ("192.0.2.1:1", "[::1]:2", "192.0.2.1:1"),
            ("[2001:db8::1]:1", "[::ffff:127.0.0.9]:2", "[2001:db8::1]:1"),
            ("192.0.2.1:1", "198.51.100.7:2", "198.51.100.7:2"),
            ("127.0.0.1:1", "127.0.0.2:2", "127.0.0.2:2"),
            ("127.0.0.1:1", "198.51.100.7:2", "198.51.100.7:2"),
        ] {
            let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
            assert_eq!(believed(address(socket_peer), address(named)), address(expected), "{socket_peer} {named}");
        }
    }
}
