//! Connections that are kept, and what is done on one.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{error, warn};

use super::client::{Connection, Protection};
use super::query::Failure;

/// Who a connection binds as; there is no `Debug`, for its password.
#[derive(Clone)]
pub(super) enum Bind {
    Anonymous,
    As { dn: String, password: String },
}

/// Why nothing came of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Wrong name or password.
    Refused,
    /// RabbitMQ's word for what went wrong.
    Error(&'static str),
}

pub(super) struct Pool {
    pub(super) servers: Vec<String>,
    pub(super) port: u16,
    pub(super) timeout: Option<Duration>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) size: usize,
    pub(super) protection: Protection,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: Connection,
    /// It was never bound, and may be nobody's.
    is_anonymous: bool,
    since: Instant,
}

impl Pool {
    pub(super) fn new(
        servers: Vec<String>,
        port: u16,
        (timeout, idle_timeout): (Option<Duration>, Option<Duration>),
        size: usize,
        protection: Protection,
    ) -> Pool {
        Pool { servers, port, timeout, idle_timeout, size, protection, idle: Mutex::default() }
    }

    /// Does something on a connection that is bound. One that was kept may have been closed meanwhile; then it is done
    /// again on another.
    pub(super) fn with<T>(
        &self,
        bind: &Bind,
        mut work: impl FnMut(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T, Trouble> {
        loop {
            let (mut connection, was_kept) = match self.take(matches!(bind, Bind::Anonymous)) {
                Some(connection) => (connection, true),
                None => (self.open()?, false),
            };
            let bound = match bind {
                Bind::Anonymous => Ok(true),
                Bind::As { dn, password } => connection.bind(dn, password),
            };
            match bound {
                Ok(true) => {}
                Ok(false) => {
                    self.keep(connection, bind);
                    return Err(Trouble::Refused);
                }
                Err(Failure::Closed) if was_kept => continue,
                Err(failure) => return Err(failed("cannot bind", failure, "ldap_bind_error")),
            }
            match work(&mut connection) {
                Ok(done) => {
                    self.keep(connection, bind);
                    return Ok(done);
                }
                Err(Failure::Closed) if was_kept => {}
                Err(failure @ (Failure::Other(_) | Failure::Undecided(_))) => {
                    self.keep(connection, bind);
                    return Err(failed("cannot evaluate a query", failure, "ldap_evaluate_error"));
                }
                Err(failure) => return Err(failed("cannot evaluate a query", failure, "ldap_evaluate_error")),
            }
        }
    }

    fn take(&self, anonymous: bool) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(most) = self.idle_timeout {
            idle.retain(|idle| idle.since.elapsed() < most);
        }
        let at = idle.iter().rposition(|idle| idle.is_anonymous == anonymous)?;
        Some(idle.swap_remove(at).connection)
    }

    fn keep(&self, connection: Connection, bind: &Bind) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.size && self.idle_timeout != Some(Duration::ZERO) {
            let is_anonymous = matches!(bind, Bind::Anonymous);
            idle.push(Idle { connection, is_anonymous, since: Instant::now() });
        }
    }

    /// Connects to the first server that answers.
    fn open(&self) -> Result<Connection, Trouble> {
        for server in &self.servers {
            match Connection::open(server, self.port, self.timeout, &self.protection) {
                Ok(connection) => return Ok(connection),
                Err(failure) => warn!("cannot connect to LDAP server {server}:{}: {}", self.port, failure.text()),
            }
        }
        Err(Trouble::Error("ldap_connect_error"))
    }
}

/// The client is not told what it was.
fn failed(what: &str, failure: Failure, error: &'static str) -> Trouble {
    error!("LDAP {what}: {}", failure.text());
    match failure {
        Failure::Closed => Trouble::Error("ldap_connect_error"),
        Failure::Broken(_) | Failure::Other(_) | Failure::Undecided(_) => Trouble::Error(error),
    }
}
