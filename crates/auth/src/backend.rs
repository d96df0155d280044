//! What authenticates and authorizes users beside the internal database.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::{Question, Verdict};

/// A login as a backend sees it; `Debug` leaves the password out.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    /// The name given; one that is not UTF-8 has its bad bytes replaced.
    pub user: &'a str,
    /// The password; `None` for a client that has proved who it is by other means, such as its certificate.
    pub password: Option<&'a [u8]>,
    /// The client's address.
    pub peer: IpAddr,
}

impl fmt::Debug for Attempt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("user", &self.user).field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// Why a backend let nobody in, in words for the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It said no.
    #[error("{0}")]
    Refused(String),
    /// It could not tell, which is no.
    #[error("{0}")]
    Failed(String),
}

/// Whom a backend recognised.
#[derive(Clone)]
pub struct Authenticated {
    /// The user's name, which may be another than the one given.
    pub name: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// What it brought that says what it may do; `None` where the backend is to be asked each time.
    pub token: Option<Arc<dyn Token>>,
    /// Who is to be asked what this login may do, where that is not the backend itself.
    pub asked: Option<Arc<dyn Backend>>,
}

/// An authentication and authorization backend that may take its time.
pub trait Backend: Send + Sync {
    /// RabbitMQ's name of its module, as texts of refusals have it.
    fn name(&self) -> &'static str;

    /// Checks a login. It may block.
    ///
    /// # Errors
    /// When the login is refused, or the backend cannot tell.
    fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authenticated, Refusal>;

    /// Takes over a user that another backend has authenticated as `name`. It may block.
    ///
    /// # Errors
    /// When the backend knows no such user, or cannot tell.
    fn authorize(&self, name: &str, attempt: &Attempt<'_>) -> Result<Authenticated, Refusal> {
        self.authenticate(&Attempt { user: name, ..*attempt })
    }

    /// Whether a user without a token may do something. It may block.
    fn check(&self, user: &str, tags: &[String], question: Question<'_>) -> Verdict;
}

/// Something that a client brings along that says what it may do, so that no question needs an answer from outside.
pub trait Token: Send + Sync {
    /// Whether it allows something, at once.
    fn check(&self, question: Question<'_>) -> Verdict;

    /// When it expires, in s since 1970.
    fn expires_at_s(&self) -> Option<u64>;

    /// Checks a new one that is to take its place. It may block.
    ///
    /// # Errors
    /// When it is not valid, or another user's.
    fn renew(&self, secret: &[u8]) -> Result<Authenticated, Refusal>;
}
