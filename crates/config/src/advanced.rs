//! advanced.config: the settings of RabbitMQ's applications as Erlang terms, translated into keys of rabbitmq.conf.
//!
//! What rabbitmq.conf cannot say cannot be said here either: it is refused by its line, with the key to use where there
//! is one.

use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Instead};
use crate::key::Key;
use crate::load::utf8;
use crate::nearest::nearest;
use crate::origin::Origin;
use crate::table::{find, table};
use crate::terms::{Located, Term, read_terms};

/// Applications, and what their settings begin with in rabbitmq.conf.
const APPLICATIONS: &[(&str, &str)] = &[
    ("kernel", ""),
    ("rabbit", ""),
    ("rabbitmq_auth_backend_cache", "auth_cache."),
    ("rabbitmq_auth_backend_http", "auth_http."),
    ("rabbitmq_auth_backend_ldap", "auth_ldap."),
    ("rabbitmq_auth_backend_oauth2", "auth_oauth2."),
    ("rabbitmq_management", "management."),
    ("rabbitmq_management_agent", "management_agent."),
    ("rabbitmq_mqtt", "mqtt."),
    ("rabbitmq_prometheus", "prometheus."),
    ("rabbitmq_stomp", "stomp."),
    ("rabbitmq_stream", "stream."),
    ("rabbitmq_web_mqtt", "web_mqtt."),
    ("rabbitmq_web_stomp", "web_stomp."),
];

/// Beginnings of names that differ, the longest first where one begins another.
const RENAMED: &[(&str, &str)] = &[
    ("auth_ldap.pool_size", "auth_ldap.connection_pool_size"),
    ("auth_ldap.resource_access_query", "auth_ldap.queries.resource_access"),
    ("auth_ldap.ssl_hostname_verification", "auth_ldap.ssl_options.hostname_verification"),
    ("auth_ldap.tag_queries", "auth_ldap.queries.tags"),
    ("auth_ldap.topic_access_query", "auth_ldap.queries.topic_access"),
    ("auth_ldap.vhost_access_query", "auth_ldap.queries.vhost_access"),
    ("log_root", "log.dir"),
    ("log.categories.", "log."),
    ("log.console.enabled", "log.console"),
    ("log.exchange.enabled", "log.exchange"),
    ("log.file.count", "log.file.rotation.count"),
    ("log.file.date", "log.file.rotation.date"),
    ("log.file.file", "log.file"),
    ("log.file.size", "log.file.rotation.size"),
    ("log.journald.enabled", "log.journald"),
    ("log.syslog.enabled", "log.syslog"),
    ("management.content_security_policy", "management.csp.policy"),
    ("management.cors_allow_origins", "management.cors.allow_origins"),
    ("management.cors_max_age", "management.cors.max_age"),
    ("management.max_http_body_size", "management.http.max_body_size"),
    ("management.ssl_config.", "management.ssl."),
    ("management.strict_transport_security", "management.hsts.policy"),
    ("management.tcp_config.", "management.tcp."),
    ("num_ssl_acceptors", "num_acceptors.ssl"),
    ("num_tcp_acceptors", "num_acceptors.tcp"),
    ("prometheus.ssl_config.", "prometheus.ssl."),
    ("prometheus.tcp_config.", "prometheus.tcp."),
];

/// Socket options that say what is so anyway.
const SAID_ANYWAY: &[&str] =
    &["tcp_listen_options.binary", "tcp_listen_options.packet", "tcp_listen_options.reuseaddr"];

/// A key with its value, and where it stands.
pub(crate) type Translated = (Key, String, Origin);

/// Translates a file; what cannot be is added to `problems`.
pub(crate) fn translate(path: PathBuf, bytes: &[u8], problems: &mut Vec<Error>) -> Vec<Translated> {
    let mut translation = Translation { path: Arc::new(path), application: "", out: Vec::new(), problems };
    let terms = match utf8(bytes).map(read_terms) {
        Ok(Ok(terms)) => terms,
        Ok(Err(wrong)) => {
            translation.wrong(wrong.line, &wrong.problem);
            return Vec::new();
        }
        Err(line) => {
            translation.wrong(line, "the line is not UTF-8, save the file as UTF-8");
            return Vec::new();
        }
    };
    for term in &terms {
        translation.applications(term);
    }
    translation.out
}

struct Translation<'a> {
    path: Arc<PathBuf>,
    application: &'static str,
    out: Vec<Translated>,
    problems: &'a mut Vec<Error>,
}

impl Translation<'_> {
    fn origin(&self, line: usize) -> Origin {
        Origin::File { path: Arc::clone(&self.path), line }
    }

    fn wrong(&mut self, line: usize, problem: &str) {
        self.problems.push(Error::Term { origin: self.origin(line), problem: problem.to_owned() });
    }

    /// `[{rabbit, [...]}, ...]`.
    fn applications(&mut self, located: &Located) {
        let expected = "expected a list of applications such as [{rabbit, [{heartbeat, 30}]}].";
        let Term::List(applications) = &located.term else { return self.wrong(located.line, expected) };
        for application in applications {
            let Some((name, settings)) = pair(application) else {
                self.wrong(application.line, expected);
                continue;
            };
            let Some((known, prefix)) = APPLICATIONS.iter().find(|(known, _)| *known == name) else {
                self.problems.push(Error::NotTranslated {
                    origin: self.origin(application.line),
                    path: name,
                    instead: Instead::Nothing,
                });
                continue;
            };
            self.application = known;
            match &settings.term {
                Term::List(settings) => self.settings(prefix, settings),
                _ => self.wrong(settings.line, expected),
            }
        }
    }

    /// A list of names with values; a name alone says that it is so.
    fn settings(&mut self, prefix: &str, settings: &[Located]) {
        let so = |line| Located { line, term: Term::Atom("true".to_owned()) };
        for setting in settings {
            match (&setting.term, pair(setting)) {
                (_, Some((name, value))) => self.setting(&format!("{prefix}{name}"), value),
                (Term::Atom(name), None) => self.setting(&format!("{prefix}{name}"), &so(setting.line)),
                _ => self.refuse(setting.line, prefix.trim_end_matches('.')),
            }
        }
    }

    fn setting(&mut self, given: &str, value: &Located) {
        let renamed = RENAMED.iter().find_map(|(from, to)| {
            let rest = given.strip_prefix(from)?;
            (from.ends_with('.') || rest.is_empty()).then(|| format!("{to}{rest}"))
        });
        let name = renamed.as_deref().unwrap_or(given);
        if SAID_ANYWAY.contains(&name) || self.structured(name, value) {
            return;
        }
        match (scalar(&value.term), &value.term) {
            (Some(text), _) => self.put(name, value.line, name, text),
            (None, Term::List(settings)) if !settings.is_empty() && settings.iter().all(is_setting) => {
                self.settings(&format!("{name}."), settings);
            }
            _ => self.refuse(value.line, name),
        }
    }

    /// Values that rabbitmq.conf has several keys for; false where it is none of them.
    fn structured(&mut self, name: &str, value: &Located) -> bool {
        let line = value.line;
        match (name, &value.term) {
            ("tcp_listeners", Term::List(listeners)) => self.listeners("listeners.tcp", line, listeners),
            ("ssl_listeners", Term::List(listeners)) => self.listeners("listeners.ssl", line, listeners),
            ("vm_memory_high_watermark", Term::Float(_) | Term::Integer(_)) => {
                self.put_scalar("vm_memory_high_watermark.relative", value);
            }
            ("disk_free_limit", Term::Integer(_) | Term::Text(_)) => self.put_scalar("disk_free_limit.absolute", value),
            ("vm_memory_high_watermark" | "disk_free_limit", Term::Tuple(_)) => match pair(value) {
                Some((kind, value)) => {
                    self.put_scalar(&format!("{name}.{}", kind.strip_prefix("mem_").unwrap_or(&kind)), value);
                }
                None => return false,
            },
            ("default_consumer_prefetch", Term::Tuple(pair)) if pair.len() == 2 => {
                self.put_scalar(name, pair.last().unwrap_or(value));
            }
            ("default_user_tags", Term::List(tags)) => self.named(name, tags, "true"),
            ("loopback_users", Term::List(users)) if users.is_empty() => {
                self.put(name, line, name, "none".to_owned());
            }
            ("loopback_users", Term::List(users)) => self.named(name, users, "true"),
            ("default_permissions", Term::List(patterns)) if patterns.len() == 3 => {
                for (what, pattern) in ["configure", "write", "read"].into_iter().zip(patterns) {
                    self.put_scalar(&format!("default_permissions.{what}"), pattern);
                }
            }
            (name, term) if name.starts_with("auth_ldap.queries.") => self.put(name, line, name, term.to_string()),
            ("auth_ldap.dn_lookup_bind" | "auth_ldap.other_bind", Term::Tuple(bind)) if bind.len() == 2 => {
                for (what, value) in ["user_dn", "password"].into_iter().zip(bind) {
                    self.put_scalar(&format!("{name}.{what}"), value);
                }
            }
            ("auth_backends", Term::List(backends)) => self.backends(backends),
            ("tcp_listen_options.linger", Term::Tuple(linger)) if linger.len() == 2 => {
                for (what, value) in ["on", "timeout"].into_iter().zip(linger) {
                    self.put_scalar(&format!("{name}.{what}"), value);
                }
            }
            (_, Term::List(items)) if is_numbered(name) => {
                for (index, item) in items.iter().enumerate() {
                    self.put_scalar(&format!("{name}.{}", index + 1), item);
                }
            }
            _ => return false,
        }
        true
    }

    /// The whole list takes the place of what other files have.
    fn listeners(&mut self, family: &str, line: usize, listeners: &[Located]) {
        self.put(family, line, family, "none".to_owned());
        for (index, listener) in listeners.iter().enumerate() {
            let text = match &listener.term {
                Term::Tuple(items) => {
                    let parts: Vec<_> = items.iter().filter_map(|item| scalar(&item.term)).collect();
                    parts.join(":")
                }
                term => scalar(term).unwrap_or_default(),
            };
            self.put(family, listener.line, &format!("{family}.{}", index + 1), text);
        }
    }

    fn backends(&mut self, backends: &[Located]) {
        for (index, backend) in backends.iter().enumerate() {
            let key = format!("auth_backends.{}", index + 1);
            match &backend.term {
                Term::Tuple(parts) => {
                    for (part, what) in parts.iter().zip(["authn", "authz"]) {
                        self.put_scalar(&format!("{key}.{what}"), part);
                    }
                }
                _ => self.put_scalar(&key, backend),
            }
        }
    }

    fn named(&mut self, family: &str, names: &[Located], text: &str) {
        for name in names {
            match scalar(&name.term) {
                Some(member) => {
                    let member = member.replace('.', "\\.");
                    self.put(family, name.line, &format!("{family}.{member}"), text.to_owned());
                }
                None => self.refuse(name.line, family),
            }
        }
    }

    fn put_scalar(&mut self, key: &str, value: &Located) {
        match scalar(&value.term) {
            Some(text) => self.put(key, value.line, key, text),
            None => self.refuse(value.line, key),
        }
    }

    fn put(&mut self, name: &str, line: usize, key: &str, text: String) {
        match Key::parse(key).filter(|key| find(key).is_some()) {
            Some(key) => self.out.push((key, text, self.origin(line))),
            None => self.refuse(line, name),
        }
    }

    fn refuse(&mut self, line: usize, name: &str) {
        let instead = match name {
            "cluster_nodes" => Instead::NoClusters,
            name => Key::parse(name).map_or(Instead::Nothing, |key| match find(&key) {
                Some((_, name)) => Instead::Key(name),
                None => nearest(&key, table()).map_or(Instead::Nothing, Instead::Key),
            }),
        };
        let prefix = APPLICATIONS.iter().find(|(application, _)| *application == self.application);
        let within = prefix.and_then(|(_, prefix)| name.strip_prefix(prefix)).unwrap_or(name);
        let path = format!("{}.{within}", self.application);
        self.problems.push(Error::NotTranslated { origin: self.origin(line), path, instead });
    }
}

/// Families whose members are numbered where the terms have a list.
fn is_numbered(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    matches!(last, "versions" | "ciphers" | "auth_mechanisms")
        || matches!(name, "management.cors.allow_origins" | "auth_ldap.servers")
}

fn is_setting(located: &Located) -> bool {
    pair(located).is_some() || matches!(located.term, Term::Atom(_))
}

/// `{name, Value}`.
fn pair(located: &Located) -> Option<(String, &Located)> {
    match &located.term {
        Term::Tuple(items) => match items.as_slice() {
            [name, value] => Some((scalar(&name.term)?, value)),
            _ => None,
        },
        _ => None,
    }
}

fn scalar(term: &Term) -> Option<String> {
    match term {
        Term::Atom(text) | Term::Text(text) => Some(text.clone()),
        Term::Integer(integer) => Some(integer.to_string()),
        Term::Float(float) => Some(float.to_string()),
        Term::List(_) | Term::Tuple(_) => None,
    }
}
