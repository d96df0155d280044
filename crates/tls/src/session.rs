//! What is known of a connection after its handshake.

use crate::certificate::Certificate;
use crate::suites::names_of;
use rustls::{ProtocolVersion, ServerConnection};
use std::time::{SystemTime, UNIX_EPOCH};

/// A connection's TLS, in RabbitMQ's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// As `tlsv1.3`.
    pub protocol: &'static str,
    /// As `ecdhe_rsa`; `any` in TLS 1.3, where the suite does not say it.
    pub key_exchange: &'static str,
    /// As `aes_256_gcm`.
    pub cipher: &'static str,
    /// `aead`: there are no other suites.
    pub hash: &'static str,
    /// The client's certificate, which was verified.
    pub peer: Option<Certificate>,
}

impl Session {
    /// That of a connection whose handshake is done.
    pub fn of(connection: &ServerConnection) -> Session {
        let protocol = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "tlsv1.3",
            _ => "tlsv1.2",
        };
        let names = connection.negotiated_cipher_suite().and_then(|suite| names_of(suite.suite()));
        let peer = connection.peer_certificates().and_then(|chain| Certificate::parse(chain.first()?));
        Session {
            protocol,
            key_exchange: names.map_or("any", |names| names.key_exchange),
            cipher: names.map_or("", |names| names.cipher),
            hash: "aead",
            peer,
        }
    }

    /// The client's certificate, where that has expired: a session that is taken up shows one that was checked when the
    /// session began.
    pub fn expired_peer(&self) -> Option<&Certificate> {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs().cast_signed());
        self.peer.as_ref().filter(|peer| peer.not_after_s < now_s)
    }
}
