//! Who may log in from where, and why a login was refused.

use std::fmt;
use std::net::IpAddr;

use crate::Mechanism;

/// The login settings of `rabbitmq.conf`; `Debug` leaves the password out.
#[derive(Clone)]
pub struct LoginSettings {
    /// `auth_mechanisms`, in the order in which they are offered.
    pub mechanisms: Vec<Mechanism>,
    /// `loopback_users`: those who may log in from the node's own machine only.
    pub loopback_users: Vec<String>,
    /// `anonymous_login_user`; `None` turns anonymous logins off.
    pub anonymous_login_user: Option<String>,
    /// `anonymous_login_pass`; `None` turns anonymous logins off.
    pub anonymous_login_pass: Option<String>,
    /// Anonymous logins from the node's own machine only, whoever the anonymous user is.
    pub anonymous_loopback_only: bool,
}

impl Default for LoginSettings {
    fn default() -> LoginSettings {
        LoginSettings {
            mechanisms: vec![Mechanism::Plain, Mechanism::Amqplain, Mechanism::Anonymous],
            loopback_users: vec!["guest".to_owned()],
            anonymous_login_user: Some("guest".to_owned()),
            anonymous_login_pass: Some("guest".to_owned()),
            anonymous_loopback_only: true,
        }
    }
}

impl fmt::Debug for LoginSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginSettings")
            .field("mechanisms", &self.mechanisms)
            .field("loopback_users", &self.loopback_users)
            .field("anonymous_login_user", &self.anonymous_login_user)
            .field("anonymous_loopback_only", &self.anonymous_loopback_only)
            .finish_non_exhaustive()
    }
}

impl LoginSettings {
    /// The mechanisms of `connection.start`: those configured, ANONYMOUS only with a user to log in as.
    pub fn offered(&self) -> Vec<Mechanism> {
        let can_offer = |mechanism: &Mechanism| *mechanism != Mechanism::Anonymous || self.anonymous().is_some();
        self.mechanisms.iter().copied().filter(can_offer).collect()
    }

    pub(crate) fn anonymous(&self) -> Option<(&str, &str)> {
        self.anonymous_login_user.as_deref().zip(self.anonymous_login_pass.as_deref())
    }
}

/// True for an address of the machine itself, in IPv6 notation too.
pub(crate) fn is_loopback(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}

/// A refused login, as the log words it.
///
/// The client only learns [`LoginError::reply_text`], 3 s later, with 403 and only if it has the capability
/// `authentication_failure_close`; without it the socket closes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// No such user, or not its password; which of the two is told to nobody.
    #[error("user '{user}' - invalid credentials")]
    InvalidCredentials {
        /// The name given.
        user: String,
    },
    /// An empty password, which never logs in, whatever the user's hash.
    #[error(
        "user '{user}' attempted to log in with a blank password, which is prohibited by the internal authN backend"
    )]
    BlankPassword {
        /// The name given.
        user: String,
    },
    /// A user of `loopback_users` from another machine.
    #[error("user '{user}' can only connect via localhost")]
    LoopbackOnly {
        /// The user's name.
        user: String,
    },
    /// A client on another machine, where the backend lets only those on this one in.
    #[error(
        "user '{user}' attempted to log in, but the socket or address was not from loopback/localhost, which is prohibited by the internal loopback authN backend."
    )]
    NotLoopback {
        /// The name given.
        user: String,
    },
    /// A backend said no.
    #[error("user '{user}' failed to authenticate: {text}")]
    Refused {
        /// The name given.
        user: String,
        /// Its words.
        text: String,
    },
    /// A backend could not tell.
    #[error("user '{user}' failed to authenticate: {text}")]
    Failed {
        /// The name given.
        user: String,
        /// What is wrong.
        text: String,
    },
    /// There are more logins at once than can be checked.
    #[error("too many logins are waiting to be checked")]
    Busy,
    /// An anonymous login from another machine.
    #[error("anonymous login is only allowed via localhost")]
    AnonymousLoopbackOnly,
    /// An anonymous login with no user to log in as.
    #[error("anonymous login is disabled")]
    AnonymousDisabled,
    /// A login by certificate without one that names a user.
    #[error("{reason}")]
    NoCertificate {
        /// Why, in RabbitMQ's words.
        reason: &'static str,
    },
}

impl LoginError {
    /// False where nobody said no, but nobody could tell.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, LoginError::Failed { .. } | LoginError::Busy)
    }

    /// The name that was given, where one was.
    pub fn user(&self) -> Option<&str> {
        match self {
            LoginError::InvalidCredentials { user }
            | LoginError::BlankPassword { user }
            | LoginError::LoopbackOnly { user }
            | LoginError::NotLoopback { user }
            | LoginError::Refused { user, .. }
            | LoginError::Failed { user, .. } => Some(user),
            LoginError::Busy
            | LoginError::AnonymousLoopbackOnly
            | LoginError::AnonymousDisabled
            | LoginError::NoCertificate { .. } => None,
        }
    }

    /// The text of `connection.close` with 403, without the leading `ACCESS_REFUSED - `.
    pub fn reply_text(mechanism: Mechanism) -> String {
        format!("Login was refused using authentication mechanism {mechanism}. For details see the broker logfile.")
    }
}
