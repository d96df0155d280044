//! The chain of backends: who authenticates, and who says afterwards what a user may do.
//!
//! RabbitMQ's `rabbit_access_control`: the first link that authenticates a login decides, and its last refusal is what
//! the log tells when none does. What a user may do is then the business of that link alone; the others are not asked.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use crate::cache::Cache;
use crate::login::is_loopback;
use crate::session::Session;
use crate::user::Grant;
use crate::{
    AccessControl, Attempt, Authenticated, Backend, Credentials, LoginError, Question, Refusal, Token, User, Verdict,
};

/// A backend by its place.
#[derive(Clone)]
pub enum Module {
    /// The internal database.
    Internal,
    /// The internal database, for clients on this machine only.
    InternalLoopback,
    /// Another one.
    External(Arc<dyn Backend>),
    /// One whose answers are kept for a while.
    Cache(Arc<Cache>),
}

/// A link of the chain.
#[derive(Clone)]
pub struct Link {
    /// Who authenticates.
    pub authn: Module,
    /// Who says what a user may do; `None` where that is who authenticated it.
    pub authz: Option<Module>,
}

/// The backends in the order in which they are asked.
#[derive(Clone)]
pub struct Chain(pub Vec<Link>);

impl Default for Chain {
    fn default() -> Chain {
        Chain(vec![Link { authn: Module::Internal, authz: None }])
    }
}

impl Link {
    fn asks_others(&self) -> bool {
        let is_external = |module: &Module| !matches!(module, Module::Internal | Module::InternalLoopback);
        is_external(&self.authn) || self.authz.as_ref().is_some_and(is_external)
    }
}

impl Chain {
    /// True when a login may have to wait for somebody outside.
    pub fn asks_others(&self) -> bool {
        self.0.iter().any(Link::asks_others)
    }
}

/// How far a login got without asking anybody outside.
pub enum Begun {
    /// To its end.
    Settled(Result<Arc<User>, LoginError>),
    /// To the first link that asks.
    Asks(Unsettled),
}

/// A login that the links so far did not let in.
pub struct Unsettled {
    chain: Arc<Chain>,
    /// The link that is next.
    next: usize,
    /// Why the last one refused it.
    last: LoginError,
}

/// Why a new secret does not take the place of the old one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretRefused(pub String);

/// A user whom a module let in, and who is to say what it may do.
pub(crate) struct Entered {
    pub(crate) user: Arc<User>,
    pub(crate) grant: Grant,
}

impl Module {
    pub(crate) fn authenticate(&self, access: &AccessControl, attempt: &Attempt<'_>) -> Result<Entered, LoginError> {
        let internal = |user| Entered { user, grant: Grant::Internal };
        match self {
            Module::Internal => access.authenticate(attempt).map(internal),
            Module::InternalLoopback if !is_loopback(attempt.peer) => {
                Err(LoginError::NotLoopback { user: attempt.user.to_owned() })
            }
            Module::InternalLoopback => access.authenticate(attempt).map(internal),
            Module::External(backend) => {
                let authenticated = backend.authenticate(attempt);
                let authenticated =
                    authenticated.map_err(|refusal| refused(&**backend, "authenticating", attempt.user, refusal))?;
                Ok(Entered::of(authenticated, backend))
            }
            Module::Cache(cache) => cache.authenticate(access, attempt),
        }
    }

    pub(crate) fn authorize(
        &self,
        access: &AccessControl,
        name: &str,
        attempt: &Attempt<'_>,
    ) -> Result<Entered, LoginError> {
        match self {
            Module::Internal | Module::InternalLoopback => {
                let unknown = || LoginError::InvalidCredentials { user: name.to_owned() };
                access.user(name).map(|user| Entered { user, grant: Grant::Internal }).ok_or_else(unknown)
            }
            Module::External(backend) => {
                let authorized = backend.authorize(name, attempt);
                let authorized = authorized.map_err(|refusal| refused(&**backend, "authorizing", name, refusal))?;
                Ok(Entered::of(authorized, backend))
            }
            Module::Cache(cache) => cache.authorize(access, name, attempt),
        }
    }
}

fn refused(backend: &dyn Backend, doing: &str, user: &str, refusal: Refusal) -> LoginError {
    let user = user.to_owned();
    match refusal {
        Refusal::Refused(text) => LoginError::Refused { user, text },
        Refusal::Failed(text) => {
            let text = format!("{} failed {doing} {user}: {text}", backend.name());
            LoginError::Failed { user, text }
        }
    }
}

impl Entered {
    pub(crate) fn of(authenticated: Authenticated, backend: &Arc<dyn Backend>) -> Entered {
        let Authenticated { name, tags, token, asked } = authenticated;
        let grant = match token {
            Some(token) => Grant::Token(token),
            None => Grant::Asked(Arc::new(Session::new(asked.unwrap_or_else(|| backend.clone())))),
        };
        Entered { user: Arc::new(User::external(name, tags, Vec::new())), grant }
    }
}

impl AccessControl {
    /// Takes other backends, for logins from now on.
    pub fn set_chain(&self, chain: Chain) {
        *self.chain.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(chain);
        self.raise_generation();
    }

    /// Takes backends of its own for HTTP, or none.
    pub fn set_http_chain(&self, chain: Option<Chain>) {
        *self.http_chain.write().unwrap_or_else(PoisonError::into_inner) = chain.map(Arc::new);
        self.raise_generation();
    }

    /// The backends for HTTP.
    fn chain_for_http(&self) -> Arc<Chain> {
        let own = self.http_chain.read().unwrap_or_else(PoisonError::into_inner).clone();
        own.unwrap_or_else(|| self.chain())
    }

    pub(crate) fn chain(&self) -> Arc<Chain> {
        self.chain.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True when a login may have to wait for somebody outside.
    pub fn asks_others(&self) -> bool {
        self.chain().asks_others() || self.chain_for_http().asks_others()
    }

    /// Forgets what caches of backends have kept; false where there is none.
    pub fn clear_caches(&self) -> bool {
        let mut found = false;
        for link in self.chain().0.iter().chain(&self.chain_for_http().0) {
            for module in std::iter::once(&link.authn).chain(&link.authz) {
                if let Module::Cache(cache) = module {
                    cache.clear();
                    found = true;
                }
            }
        }
        found
    }

    /// Checks `credentials` of a client at `peer` through the chain. It hashes, and may wait for others, so reactors never
    /// call it.
    ///
    /// A refusal is to be told to the client only after 3 s; waiting is the caller's.
    pub fn login(&self, credentials: &Credentials, peer: IpAddr) -> Result<Arc<User>, LoginError> {
        match self.begin_login(credentials, peer) {
            Begun::Settled(outcome) => outcome,
            Begun::Asks(unsettled) => self.finish_login(unsettled, credentials, peer),
        }
    }

    /// The first half of it, which hashes but waits for nobody: what links settle that come before any that asks.
    pub fn begin_login(&self, credentials: &Credentials, peer: IpAddr) -> Begun {
        self.begin(self.chain(), credentials, peer)
    }

    /// The same for a client that comes over HTTP.
    pub fn begin_login_over_http(&self, credentials: &Credentials, peer: IpAddr) -> Begun {
        self.begin(self.chain_for_http(), credentials, peer)
    }

    fn begin(&self, chain: Arc<Chain>, credentials: &Credentials, peer: IpAddr) -> Begun {
        let first = match self.attempt(credentials, peer) {
            Ok((user, _)) => LoginError::InvalidCredentials { user: user.into_owned() },
            Err(error) => return Begun::Settled(Err(error)),
        };
        let until = chain.0.iter().position(Link::asks_others).unwrap_or(chain.0.len());
        let outcome = self.enter(&chain.0[..until], first, credentials, peer);
        match outcome {
            Err(last) if until < chain.0.len() && !matches!(last, LoginError::LoopbackOnly { .. }) => {
                Begun::Asks(Unsettled { chain, next: until, last })
            }
            outcome => Begun::Settled(outcome),
        }
    }

    /// The second half of it. It may wait for others.
    pub fn finish_login(
        &self,
        unsettled: Unsettled,
        credentials: &Credentials,
        peer: IpAddr,
    ) -> Result<Arc<User>, LoginError> {
        let Unsettled { chain, next, last } = unsettled;
        self.enter(chain.0.get(next..).unwrap_or_default(), last, credentials, peer)
    }

    /// The name and the password that credentials come to.
    fn attempt<'a>(
        &'a self,
        credentials: &'a Credentials,
        peer: IpAddr,
    ) -> Result<(Cow<'a, str>, Option<&'a [u8]>), LoginError> {
        let (user, password) = match credentials {
            Credentials::Password { user, password } => (user.as_slice(), Some(password.as_slice())),
            Credentials::Certificate { name } => (name.as_bytes(), None),
            Credentials::NoCertificate { reason } => return Err(LoginError::NoCertificate { reason }),
            Credentials::Anonymous => {
                let (user, password) = self.settings().anonymous().ok_or(LoginError::AnonymousDisabled)?;
                if self.settings().anonymous_loopback_only && !is_loopback(peer) {
                    return Err(LoginError::AnonymousLoopbackOnly);
                }
                (user.as_bytes(), Some(password.as_bytes()))
            }
        };
        // A name that is not UTF-8 is nobody's: with its bad bytes replaced it is none of a definition either.
        Ok((String::from_utf8_lossy(user), password))
    }

    /// Goes through `links`; `last` is why those before them refused the login.
    fn enter(
        &self,
        links: &[Link],
        mut last: LoginError,
        credentials: &Credentials,
        peer: IpAddr,
    ) -> Result<Arc<User>, LoginError> {
        let (user, password) = self.attempt(credentials, peer)?;
        let attempt = Attempt { user: &user, password, peer };
        for link in links {
            match self.enter_by(link, &attempt) {
                // Whom a link has let in no other is asked about.
                Ok(user) if !is_loopback(peer) && self.loopback_users().iter().any(|name| name == user.name()) => {
                    return Err(LoginError::LoopbackOnly { user: user.name().to_owned() });
                }
                Ok(user) => return Ok(user),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn enter_by(&self, link: &Link, attempt: &Attempt<'_>) -> Result<Arc<User>, LoginError> {
        let Entered { user, grant } = link.authn.authenticate(self, attempt)?;
        // The cache may have two backends behind it, so it is asked twice, as in RabbitMQ.
        let authz = match (&link.authz, &link.authn) {
            (None, Module::Cache(_)) => Some(&link.authn),
            (authz, _) => authz.as_ref(),
        };
        let Some(authz) = authz else { return Ok(joined(user, Vec::new(), grant)) };
        let Entered { user: authorized, grant } = authz.authorize(self, user.name(), attempt)?;
        Ok(joined(user, authorized.tags().to_vec(), grant))
    }

    /// Whether a user may do something, as far as that is known without asking anybody outside.
    pub fn decide(&self, user: &User, question: Question<'_>) -> Verdict {
        if user.grants.is_empty() {
            return self.check_internally(user.name(), question).into();
        }
        let verdict_of = |grant: &Grant| match grant {
            Grant::Internal => self.check_internally(user.name(), question).into(),
            Grant::Token(token) => token.check(question),
            Grant::Asked(session) => session.decide(question),
        };
        user.grants.iter().map(verdict_of).find(|verdict| !verdict.is_allowed()).unwrap_or(Verdict::Allowed)
    }

    /// The same, asking where it is not known, which may block.
    pub fn ask(&self, user: &User, question: Question<'_>) -> Verdict {
        let verdict_of = |grant: &Grant| match grant {
            Grant::Internal => self.check_internally(user.name(), question).into(),
            Grant::Token(token) => token.check(question),
            Grant::Asked(session) => match session.decide(question) {
                Verdict::Unknown => session.ask(user.name(), user.tags(), question),
                verdict => verdict,
            },
        };
        if user.grants.is_empty() {
            return self.check_internally(user.name(), question).into();
        }
        user.grants.iter().map(verdict_of).find(|verdict| !verdict.is_allowed()).unwrap_or(Verdict::Allowed)
    }

    /// Checks a new secret for those of a user's logins that expire; the others stay as they are. It may block.
    ///
    /// # Errors
    /// When a token is not valid, or another user's.
    pub fn renew(&self, user: &User, secret: &[u8]) -> Result<Arc<User>, SecretRefused> {
        let mut renewed = user.clone();
        let mut tags = None;
        for grant in &mut renewed.grants {
            let Grant::Token(token) = grant else { continue };
            if token.expires_at_s().is_none() {
                continue;
            }
            let Authenticated { tags: of_token, token: Some(fresh), .. } =
                token.renew(secret).map_err(|refusal| SecretRefused(refusal.to_string()))?
            else {
                continue;
            };
            *grant = Grant::Token(fresh);
            tags.get_or_insert_with(Vec::new).extend(of_token);
        }
        // Tags that the new token does not have are gone, even when it has none.
        Ok(Arc::new(match tags {
            Some(tags) => User::external(renewed.name().to_owned(), tags, renewed.grants),
            None => renewed,
        }))
    }

    fn check_internally(&self, user: &str, question: Question<'_>) -> bool {
        match question {
            Question::Vhost { vhost, .. } => self.check_vhost(user, vhost).is_ok(),
            Question::Object { resource, permission } => self.check(user, resource, permission),
            Question::Topic { vhost, exchange, permission, routing_key } => {
                self.check_topic(user, vhost, exchange, permission, routing_key, None)
            }
        }
    }
}

/// The user that comes of one that authenticated, the tags that its authorization adds, and who says what it may do.
fn joined(user: Arc<User>, more_tags: Vec<String>, grant: Grant) -> Arc<User> {
    if user.is_internal && more_tags.is_empty() && matches!(grant, Grant::Internal) {
        return user;
    }
    let grants = if matches!(grant, Grant::Internal) { Vec::new() } else { vec![grant] };
    let mut tags = user.tags().to_vec();
    tags.extend(more_tags.into_iter().filter(|tag| !user.tags().contains(tag)));
    Arc::new(User::external(user.name().to_owned(), tags, grants))
}

/// For those who need no more than that a token exists.
impl std::fmt::Debug for dyn Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests;
