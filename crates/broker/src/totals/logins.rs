//! Attempts to log in.

use crate::broker::Broker;
use auth::{Begun, Credentials, LoginError, Unsettled, User};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Sources of attempts that are counted apart; attempts from further ones count for their protocol only, so that who
/// makes names up cannot fill memory.
const MOST_SOURCES: usize = 10_000;
/// Bytes of a user's name that are kept.
const NAME_BYTES: usize = 255;

/// What a client logged in over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoginProtocol {
    /// AMQP 0-9-1.
    Amqp091,
    /// The HTTP API.
    Http,
}

impl LoginProtocol {
    /// All of them.
    pub const ALL: [LoginProtocol; 2] = [LoginProtocol::Amqp091, LoginProtocol::Http];

    /// RabbitMQ's name for it.
    pub fn name(self) -> &'static str {
        match self {
            LoginProtocol::Amqp091 => "amqp091",
            LoginProtocol::Http => "http",
        }
    }
}

/// Attempts to log in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoginCounts {
    /// Those that succeeded.
    pub succeeded: u64,
    /// Those that were refused.
    pub failed: u64,
}

impl LoginCounts {
    /// All of them.
    pub fn attempts(&self) -> u64 {
        self.succeeded + self.failed
    }

    fn count(&mut self, succeeded: bool) {
        *(if succeeded { &mut self.succeeded } else { &mut self.failed }) += 1;
    }
}

/// Where attempts came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoginSource {
    /// Over what.
    pub protocol: LoginProtocol,
    /// The client's address.
    pub peer: IpAddr,
    /// The name given; empty where none was.
    pub user: String,
}

#[derive(Default)]
pub(crate) struct Logins(Mutex<Counted>);

#[derive(Default)]
struct Counted {
    protocols: BTreeMap<LoginProtocol, LoginCounts>,
    sources: BTreeMap<LoginSource, LoginCounts>,
}

impl Logins {
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, source: Option<LoginSource>, protocol: LoginProtocol, succeeded: bool) {
        let mut counted = self.lock();
        counted.protocols.entry(protocol).or_default().count(succeeded);
        let Some(source) = source else { return };
        let has_room = counted.sources.len() < MOST_SOURCES;
        match counted.sources.get_mut(&source) {
            Some(counts) => counts.count(succeeded),
            None if has_room => counted.sources.entry(source).or_default().count(succeeded),
            None => {}
        }
    }
}

impl Broker {
    /// Checks the credentials of a client at `peer`, and counts the attempt.
    pub fn login(
        &self,
        credentials: &Credentials,
        peer: IpAddr,
        protocol: LoginProtocol,
    ) -> Result<Arc<User>, LoginError> {
        match self.begin_login(credentials, peer, protocol) {
            Begun::Settled(outcome) => outcome,
            Begun::Asks(unsettled) => self.finish_login(unsettled, credentials, peer, protocol),
        }
    }

    /// Checks the credentials of a client at `peer` as far as nobody outside is asked, and counts the attempt if that
    /// settles it.
    pub fn begin_login(&self, credentials: &Credentials, peer: IpAddr, protocol: LoginProtocol) -> Begun {
        let begun = match protocol {
            LoginProtocol::Amqp091 => self.access.begin_login(credentials, peer),
            LoginProtocol::Http => self.access.begin_login_over_http(credentials, peer),
        };
        if let Begun::Settled(outcome) = &begun {
            self.note_login(Some(credentials), peer, protocol, outcome.is_ok());
        }
        begun
    }

    /// Checks the rest, which may wait for others, and counts the attempt.
    pub fn finish_login(
        &self,
        unsettled: Unsettled,
        credentials: &Credentials,
        peer: IpAddr,
        protocol: LoginProtocol,
    ) -> Result<Arc<User>, LoginError> {
        let outcome = self.access.finish_login(unsettled, credentials, peer);
        self.note_login(Some(credentials), peer, protocol, outcome.is_ok());
        outcome
    }

    /// Counts an attempt; one without credentials gave none that could be read.
    pub(crate) fn note_login(
        &self,
        credentials: Option<&Credentials>,
        peer: IpAddr,
        protocol: LoginProtocol,
        succeeded: bool,
    ) {
        let source = self.settings.track_login_sources.then(|| {
            let user = match credentials {
                Some(Credentials::Password { user, .. }) => &user[..user.len().min(NAME_BYTES)],
                Some(Credentials::Certificate { name }) => &name.as_bytes()[..name.len().min(NAME_BYTES)],
                _ => &[],
            };
            LoginSource { protocol, peer: peer.to_canonical(), user: String::from_utf8_lossy(user).into_owned() }
        });
        self.totals.logins.count(source, protocol, succeeded);
    }

    /// Attempts to log in, by what they were over; what nobody tried is not there.
    pub fn logins(&self) -> Vec<(LoginProtocol, LoginCounts)> {
        self.totals.logins.lock().protocols.iter().map(|(protocol, counts)| (*protocol, *counts)).collect()
    }

    /// The same by where they came from, where [`Settings::track_login_sources`](crate::Settings) says so.
    pub fn login_sources(&self) -> Vec<(LoginSource, LoginCounts)> {
        self.totals.logins.lock().sources.iter().map(|(source, counts)| (source.clone(), *counts)).collect()
    }

    /// Forgets all attempts so far.
    pub fn reset_logins(&self) {
        *self.totals.logins.lock() = Counted::default();
    }

    /// Forgets where attempts came from, and keeps what they were over.
    pub fn reset_login_sources(&self) {
        self.totals.logins.lock().sources.clear();
    }
}
