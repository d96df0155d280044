//! RabbitMQ's `rabbit_auth_backend_cache`: the answers of another backend, kept for a while.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::chain::Entered;
use crate::session::Session;
use crate::user::Grant;
use crate::{
    AccessControl, Asked, Attempt, Authenticated, Backend, LoginError, Module, Question, Refusal, User, Verdict,
};

/// Answers kept of each kind; with one more those that are too old go, and if there are none, all.
const MOST: usize = 65_536;

/// How answers are kept.
#[derive(Clone, Copy, Debug)]
pub struct CacheSettings {
    /// `auth_cache.cache_ttl`.
    pub ttl: Duration,
    /// `auth_cache.cache_refusals`.
    pub refusals: bool,
}

/// Answers of the backends behind it.
pub struct Cache {
    authn: Module,
    authz: Module,
    settings: CacheSettings,
    /// With which passwords are hashed; none, and no login is kept, where the system gives no random numbers.
    salt: Option<[u8; 32]>,
    logins: Kept<Login, Result<Arc<User>, LoginError>>,
    authorized: Kept<Login, (Arc<User>, Arc<dyn Backend>)>,
    answers: Answers,
}

/// What a login was checked by, its password hashed with a salt that nobody knows.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Login {
    user: String,
    password: Option<[u8; 32]>,
    peer: IpAddr,
}

/// What was answered about a user, its tags and a question.
type Answers = Arc<Kept<(String, Vec<String>, Asked), Verdict>>;

struct Kept<K, V>(Mutex<HashMap<K, (Instant, V)>>);

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    fn new() -> Self {
        Kept(Mutex::default())
    }

    fn find(&self, key: &K, ttl: Duration) -> Option<V> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.get(key) {
            Some((since, value)) if since.elapsed() < ttl => Some(value.clone()),
            Some(_) => {
                kept.remove(key);
                None
            }
            None => None,
        }
    }

    fn keep(&self, key: K, value: V, ttl: Duration) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.retain(|_, (since, _)| since.elapsed() < ttl);
        }
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(key, (Instant::now(), value));
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Cache {
    /// Keeps answers of `authn` about logins and of `authz` about what users may do.
    pub fn new(authn: Module, authz: Module, settings: CacheSettings) -> Cache {
        let mut salt = [0; 32];
        let salt = getrandom::fill(&mut salt).is_ok().then_some(salt);
        Cache {
            authn,
            authz,
            settings,
            salt,
            logins: Kept::new(),
            authorized: Kept::new(),
            answers: Arc::new(Kept::new()),
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.logins.clear();
        self.authorized.clear();
        self.answers.clear();
    }

    pub(crate) fn authenticate(&self, access: &AccessControl, attempt: &Attempt<'_>) -> Result<Entered, LoginError> {
        let login = self.login_of(attempt.user, attempt);
        if let Some(known) = login.as_ref().and_then(|login| self.logins.find(login, self.settings.ttl)) {
            return known.map(|user| Entered { user, grant: Grant::Internal });
        }
        let entered = self.authn.authenticate(access, attempt);
        let outcome = match &entered {
            Ok(entered) => Some(Ok(entered.user.clone())),
            // One that could not tell is asked again.
            Err(error) if self.settings.refusals && error.is_refusal() => Some(Err(error.clone())),
            Err(_) => None,
        };
        if let (Some(login), Some(outcome)) = (login, outcome) {
            self.logins.keep(login, outcome, self.settings.ttl);
        }
        entered
    }

    pub(crate) fn authorize(
        &self,
        access: &AccessControl,
        name: &str,
        attempt: &Attempt<'_>,
    ) -> Result<Entered, LoginError> {
        // A token says for itself what it allows and until when; nothing of that is to be kept.
        let login = self.login_of(name, attempt);
        if let Module::External(_) = &self.authz {
            if let Some((user, backend)) =
                login.as_ref().and_then(|login| self.authorized.find(login, self.settings.ttl))
            {
                return Ok(Entered { user, grant: self.asked(&backend) });
            }
            let Entered { user, grant } = self.authz.authorize(access, name, attempt)?;
            let Grant::Asked(session) = &grant else { return Ok(Entered { user, grant }) };
            let backend = session.backend();
            if let Some(login) = login {
                self.authorized.keep(login, (user.clone(), backend.clone()), self.settings.ttl);
            }
            return Ok(Entered { user, grant: self.asked(backend) });
        }
        self.authz.authorize(access, name, attempt)
    }

    fn asked(&self, backend: &Arc<dyn Backend>) -> Grant {
        let cached = Cached { backend: backend.clone(), answers: self.answers.clone(), settings: self.settings };
        Grant::Asked(Arc::new(Session::new(Arc::new(cached))))
    }

    fn login_of(&self, user: &str, attempt: &Attempt<'_>) -> Option<Login> {
        let salt = self.salt?;
        let hash = |password| Sha256::new().chain_update(salt).chain_update(password).finalize().into();
        Some(Login { user: user.to_owned(), password: attempt.password.map(hash), peer: attempt.peer })
    }
}

/// A backend of which answers about users are kept.
struct Cached {
    backend: Arc<dyn Backend>,
    answers: Answers,
    settings: CacheSettings,
}

impl Backend for Cached {
    fn name(&self) -> &'static str {
        self.backend.name()
    }

    fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authenticated, Refusal> {
        self.backend.authenticate(attempt)
    }

    fn check(&self, user: &str, tags: &[String], question: Question<'_>) -> Verdict {
        let key = (user.to_owned(), tags.to_vec(), question.to_asked());
        if let Some(verdict) = self.answers.find(&key, self.settings.ttl) {
            return verdict;
        }
        let verdict = self.backend.check(user, tags, question);
        let is_kept = match &verdict {
            Verdict::Allowed => true,
            Verdict::Refused | Verdict::Because { .. } => self.settings.refusals,
            Verdict::Failed { .. } | Verdict::Unknown => false,
        };
        if is_kept {
            self.answers.keep(key, verdict.clone(), self.settings.ttl);
        }
        verdict
    }
}
