//! RabbitMQ's `rabbit_auth_backend_ldap`: users that bind to an LDAP server, and queries that say what they may do.

mod ber;
mod client;
mod pattern;
mod pool;
mod query;

use std::sync::Arc;
use std::time::Duration;

use auth::{Attempt, Authenticated, Backend, Question, Refusal, ResourceKind, Verdict};
use config::{LdapBind, LdapQuery};
use rustls::ClientConfig;
use tracing::{info, warn};

use client::{Connection, Found, Protection, Scope};
use pattern::{For, Variables};
use pool::{Bind, Pool, Trouble};
use query::{Asker, Directory, Failure};

const NAME: &str = "rabbit_auth_backend_ldap";

/// How connections are protected.
#[derive(Clone, Debug)]
pub enum LdapTls {
    /// Not at all.
    Off,
    /// From the first byte on (`use_ssl`).
    FromStart(Arc<ClientConfig>),
    /// By StartTLS (`use_starttls`).
    StartTls(Arc<ClientConfig>),
}

/// `auth_ldap.*`.
#[derive(Clone, Debug)]
pub struct LdapSettings {
    /// Names or addresses; the first that answers is asked.
    pub servers: Vec<String>,
    /// Their port.
    pub port: u16,
    /// How long one request may take.
    pub timeout: Option<Duration>,
    /// How long a connection is kept that nobody uses.
    pub idle_timeout: Option<Duration>,
    /// Connections that are kept.
    pub pool_size: usize,
    /// Whether questions and answers are logged.
    pub logs_decisions: bool,
    /// `user_bind_pattern`.
    pub user_bind_pattern: Option<String>,
    /// `user_dn_pattern`.
    pub user_dn_pattern: String,
    /// `dn_lookup_attribute` and `dn_lookup_base`; `None` looks nobody up.
    pub dn_lookup: Option<(String, String)>,
    /// `dn_lookup_bind`.
    pub dn_lookup_bind: LdapBind,
    /// `other_bind`.
    pub other_bind: LdapBind,
    /// `group_lookup_base`.
    pub group_lookup_base: String,
    /// `use_ssl` and `use_starttls`.
    pub tls: LdapTls,
    /// `queries.vhost_access`.
    pub vhost_access: LdapQuery,
    /// `queries.resource_access`.
    pub resource_access: LdapQuery,
    /// `queries.topic_access`.
    pub topic_access: LdapQuery,
    /// `queries.tags`.
    pub tags: Vec<(String, LdapQuery)>,
}

/// The server.
#[derive(Clone)]
pub struct LdapBackend(Arc<Inner>);

struct Inner {
    settings: LdapSettings,
    pool: Pool,
}

impl LdapBackend {
    /// A backend that asks as `settings` say; nobody is connected to yet.
    pub fn new(settings: LdapSettings) -> LdapBackend {
        let protection = match &settings.tls {
            LdapTls::Off => Protection::None,
            LdapTls::FromStart(config) => Protection::Tls(config.clone()),
            LdapTls::StartTls(config) => Protection::StartTls(config.clone()),
        };
        let timeouts = (settings.timeout, settings.idle_timeout);
        let pool = Pool::new(settings.servers.clone(), settings.port, timeouts, settings.pool_size, protection);
        LdapBackend(Arc::new(Inner { settings, pool }))
    }
}

impl Backend for LdapBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authenticated, Refusal> {
        let inner = &self.0;
        let outcome = match attempt.password {
            None => inner.enter_without_password(attempt.user),
            // A bind without a password proves nothing, and servers take it (RFC 4513, 5.1.2).
            Some([]) => {
                let text = format!("user '{}' - unauthenticated bind not allowed", attempt.user);
                return Err(Refusal::Refused(text));
            }
            Some(password) => match std::str::from_utf8(password) {
                Ok(password) => inner.enter(attempt.user, password),
                // LDAP has no others.
                Err(_) => Err(Trouble::Refused),
            },
        };
        let words = if outcome.is_ok() { "ok" } else { "denied" };
        inner.say(|| format!("LDAP DECISION: login for {}: {words}", attempt.user));
        match outcome {
            Ok((user_dn, tags)) => {
                let bind = attempt.password.and_then(|password| {
                    let password = String::from_utf8(password.to_vec()).ok()?;
                    Some(Bind::As { dn: inner.bind_name(attempt.user, &user_dn), password })
                });
                let asked: Arc<dyn Backend> = Arc::new(LoggedIn { inner: inner.clone(), user_dn, bind });
                Ok(Authenticated { name: attempt.user.to_owned(), tags, token: None, asked: Some(asked) })
            }
            Err(Trouble::Refused) => Err(Refusal::Refused("invalid credentials".to_owned())),
            Err(Trouble::Error(error)) => Err(Refusal::Failed(error.to_owned())),
        }
    }

    fn check(&self, _: &str, _: &[String], _: Question<'_>) -> Verdict {
        // Nobody is asked about who has not logged in here.
        Verdict::Refused
    }
}

impl Inner {
    /// Binds as the user: its distinguished name, and its tags.
    fn enter(&self, user: &str, password: &str) -> Result<(String, Vec<String>), Trouble> {
        let settings = &self.settings;
        let of = |dn: String| Bind::As { dn, password: password.to_owned() };
        let found = match (&settings.dn_lookup, &settings.dn_lookup_bind) {
            (None, _) | (_, LdapBind::AsUser) => None,
            (Some(lookup), bind) => {
                Some(self.pool.with(&fixed(bind), |connection| self.look_up(user, lookup, connection))?)
            }
        };
        let name = match &found {
            Some(dn) => dn.clone(),
            None => self.bind_name(user, &self.named(user)),
        };
        let bind = of(name);
        let user_dn = self.pool.with(&bind, |connection| match (&found, &settings.dn_lookup) {
            (Some(dn), _) => Ok(dn.clone()),
            (None, Some(lookup)) => self.look_up(user, lookup, connection),
            (None, None) => Ok(self.named(user)),
        })?;
        let tags = self.tags(
            user,
            &user_dn,
            &if settings.other_bind == LdapBind::AsUser { bind } else { fixed(&settings.other_bind) },
        )?;
        Ok((user_dn, tags))
    }

    /// Looks a user up who has proved by other means who it is.
    fn enter_without_password(&self, user: &str) -> Result<(String, Vec<String>), Trouble> {
        let settings = &self.settings;
        if settings.other_bind == LdapBind::AsUser {
            warn!("LDAP: 'other_bind' set to 'as_user' but no password supplied");
            return Err(Trouble::Error("'other_bind' set to 'as_user' but no password supplied"));
        }
        let bind = fixed(&settings.other_bind);
        let user_dn = match &settings.dn_lookup {
            Some(lookup) => self.pool.with(&bind, |connection| self.look_up(user, lookup, connection))?,
            None => self.named(user),
        };
        let tags = self.tags(user, &user_dn, &bind)?;
        Ok((user_dn, tags))
    }

    /// The user's name as `user_dn_pattern` has it.
    fn named(&self, user: &str) -> String {
        Variables::of_user(user).fill(&self.settings.user_dn_pattern, For::Name)
    }

    /// What the user binds as.
    fn bind_name(&self, user: &str, user_dn: &str) -> String {
        let looked_up = self.settings.dn_lookup.is_some() && self.settings.dn_lookup_bind != LdapBind::AsUser;
        match &self.settings.user_bind_pattern {
            _ if looked_up => user_dn.to_owned(),
            Some(pattern) => Variables::of_user(user).fill(pattern, For::Name),
            None if self.settings.dn_lookup.is_some() => self.named(user),
            None => user_dn.to_owned(),
        }
    }

    fn look_up(
        &self,
        user: &str,
        (attribute, base): &(String, String),
        connection: &mut Connection,
    ) -> Result<String, Failure> {
        let wanted = Variables::of_user(user).fill(&self.settings.user_dn_pattern, For::Text);
        let found = connection.search(base, Scope::Subtree, Some((attribute, &wanted)), "distinguishedName")?;
        let mut entries = found.entries;
        match (entries.pop(), entries.is_empty() && found.is_all) {
            (Some(entry), true) => {
                self.say(|| format!("LDAP DN lookup: {user} -> {}", entry.dn));
                Ok(entry.dn)
            }
            _ => {
                warn!("LDAP: searching for the DN of {user} found not exactly one entry");
                Ok(self.named(user))
            }
        }
    }

    fn tags(&self, user: &str, user_dn: &str, bind: &Bind) -> Result<Vec<String>, Trouble> {
        let mut variables = Variables::of_user(user);
        variables.add("user_dn", user_dn);
        let asker = Asker { user_dn, variables: &variables };
        self.pool.with(bind, |connection| {
            let mut tags = Vec::new();
            for (tag, query) in &self.settings.tags {
                let mut directory = Server { connection: &mut *connection, inner: self };
                match asker.holds(query, &mut directory) {
                    Ok(true) => tags.push(tag.clone()),
                    Ok(false) | Err(Failure::Other(_)) => {}
                    Err(failure @ Failure::Undecided(_)) => {
                        warn!("LDAP: whether {user} has the tag {tag} is not known: {}", failure.text());
                    }
                    Err(failure) => return Err(failure),
                }
            }
            Ok(tags)
        })
    }

    fn say(&self, text: impl FnOnce() -> String) {
        if self.settings.logs_decisions {
            info!("{}", text());
        }
    }
}

fn fixed(bind: &LdapBind) -> Bind {
    match bind {
        LdapBind::Fixed { user_dn, password } => {
            Bind::As { dn: user_dn.clone(), password: password.expose().to_owned() }
        }
        LdapBind::AsUser | LdapBind::Anonymous => Bind::Anonymous,
    }
}

/// A user who has logged in, and as whom the server is asked about it.
struct LoggedIn {
    inner: Arc<Inner>,
    user_dn: String,
    /// As the user; `None` for one without a password.
    bind: Option<Bind>,
}

impl Backend for LoggedIn {
    fn name(&self) -> &'static str {
        NAME
    }

    fn authenticate(&self, _: &Attempt<'_>) -> Result<Authenticated, Refusal> {
        Err(Refusal::Refused("it has logged in".to_owned()))
    }

    fn check(&self, user: &str, _: &[String], question: Question<'_>) -> Verdict {
        let settings = &self.inner.settings;
        let mut variables = Variables::of_user(user);
        variables.add("user_dn", &self.user_dn);
        let query = match question {
            Question::Vhost { vhost, .. } => {
                variables.add("vhost", vhost);
                &settings.vhost_access
            }
            Question::Object { resource, permission } => {
                let kind = if resource.kind == ResourceKind::Queue { "queue" } else { "exchange" };
                for (name, value) in [
                    ("vhost", resource.vhost),
                    ("resource", kind),
                    ("name", resource.name),
                    ("permission", permission.as_str()),
                ] {
                    variables.add(name, value);
                }
                &settings.resource_access
            }
            Question::Topic { vhost, exchange, permission, routing_key } => {
                for (name, value) in [
                    ("vhost", vhost),
                    ("resource", "topic"),
                    ("name", exchange),
                    ("permission", permission.as_str()),
                    ("routing_key", routing_key),
                    ("variable_map.username", user),
                    ("variable_map.vhost", vhost),
                ] {
                    variables.add(name, value);
                }
                &settings.topic_access
            }
        };
        // What is the same whoever asks needs no server.
        if let LdapQuery::Constant(constant) = query {
            return (*constant).into();
        }
        let bind = match (&settings.other_bind, &self.bind) {
            (LdapBind::AsUser, Some(bind)) => bind.clone(),
            (LdapBind::AsUser, None) => {
                return Verdict::Failed { backend: NAME, error: "no password supplied".to_owned() };
            }
            (other, _) => fixed(other),
        };
        let asker = Asker { user_dn: &self.user_dn, variables: &variables };
        let held = self
            .inner
            .pool
            .with(&bind, |connection| asker.holds(query, &mut Server { connection, inner: &self.inner }));
        self.inner.say(|| {
            let words = match &held {
                Ok(true) => "true",
                Ok(false) | Err(Trouble::Refused) => "denied",
                Err(Trouble::Error(error)) => error,
            };
            format!("LDAP DECISION: {question:?} for \"{user}\": {words}")
        });
        match held {
            Ok(held) => held.into(),
            Err(Trouble::Refused) => Verdict::Refused,
            Err(Trouble::Error(error)) => Verdict::Failed { backend: NAME, error: error.to_owned() },
        }
    }
}

/// The server on a connection.
struct Server<'a> {
    connection: &'a mut Connection,
    inner: &'a Inner,
}

impl Directory for Server<'_> {
    fn has(&mut self, dn: &str, value: Option<(&str, &str)>) -> Result<bool, Failure> {
        self.connection.search(dn, Scope::Entry, value, "objectClass").map(|found| !found.entries.is_empty())
    }

    fn attribute(&mut self, dn: &str, name: &str) -> Result<Vec<String>, Failure> {
        let Found { entries, .. } = self.connection.search(dn, Scope::Subtree, None, name)?;
        let values = entries.into_iter().flat_map(|entry| entry.attributes);
        let mut values = values.filter(|(found, values)| found.eq_ignore_ascii_case(name) && !values.is_empty());
        values.next().map(|(_, values)| values).ok_or_else(|| Failure::Other("not_found".to_owned()))
    }

    fn groups_of(&mut self, member: &str, attribute: &str, is_subtree: bool) -> Result<Vec<String>, Failure> {
        let scope = if is_subtree { Scope::Subtree } else { Scope::Below };
        let base = &self.inner.settings.group_lookup_base;
        let found = self.connection.search(base, scope, Some((attribute, member)), "dn")?;
        if !found.is_all {
            return Err(Failure::Undecided(format!("there are more groups with {member} than the server tells")));
        }
        Ok(found.entries.into_iter().map(|entry| entry.dn).collect())
    }
}
