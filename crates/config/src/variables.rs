//! Environment variables: which RabbitMQ has, and which keys they stand for.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::Error;
use crate::load::read;
use crate::nearest::nearest_of;
use crate::origin::Origin;

/// What a variable is for; names without `RABBITMQ_`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// It is the value of this key.
    Key(&'static str),
    /// The same, and `NAME_FILE` names a file that holds the value, as orchestrators mount secrets.
    Secret(&'static str),
    /// It is read where files are looked for, or stands for more than one key.
    Read,
    /// RabbitMQ has it, and nothing here depends on it.
    Inert,
    /// The same, and images set it, so that nobody has to hear of it.
    Image,
}

use Meaning::{Image, Inert, Key, Read, Secret};

const VARIABLES: &[(&str, Meaning)] = &[
    ("ADVANCED_CONFIG_FILE", Read),
    ("ALLOW_INPUT", Inert),
    ("BASE", Inert),
    ("CONFIG_FILE", Read),
    ("CONFIG_FILES", Read),
    ("CONF_ENV_FILE", Read),
    ("CTL_DIST_PORT_MAX", Inert),
    ("CTL_DIST_PORT_MIN", Inert),
    ("CTL_ERL_ARGS", Inert),
    ("DATA_DIR", Image),
    ("DBG", Inert),
    ("DEFAULT_ALLOC_ARGS", Inert),
    ("DEFAULT_PASS", Secret("default_pass")),
    ("DEFAULT_USER", Secret("default_user")),
    ("DEFAULT_VHOST", Secret("default_vhost")),
    ("DISTRIBUTION_BUFFER_SIZE", Inert),
    ("DIST_PORT", Inert),
    ("ENABLED_PLUGINS", Read),
    ("ENABLED_PLUGINS_FILE", Read),
    ("ERLANG_COOKIE", Inert),
    ("FEATURE_FLAGS", Inert),
    ("FEATURE_FLAGS_FILE", Inert),
    ("GENERATED_CONFIG_DIR", Inert),
    ("HOME", Image),
    ("IO_THREAD_POOL_SIZE", Inert),
    ("KEEP_PID_FILE_ON_EXIT", Inert),
    ("LOG", Read),
    ("LOGS", Read),
    ("LOG_BASE", Key("log.dir")),
    ("MANAGEMENT_SSL_CACERTFILE", Secret("management.ssl.cacertfile")),
    ("MANAGEMENT_SSL_CERTFILE", Secret("management.ssl.certfile")),
    ("MANAGEMENT_SSL_DEPTH", Key("management.ssl.depth")),
    ("MANAGEMENT_SSL_FAIL_IF_NO_PEER_CERT", Key("management.ssl.fail_if_no_peer_cert")),
    ("MANAGEMENT_SSL_KEYFILE", Secret("management.ssl.keyfile")),
    ("MANAGEMENT_SSL_VERIFY", Key("management.ssl.verify")),
    ("MANAGEMENT_SSL_VERSIONS", Read),
    ("MAX_NUMBER_OF_ATOMS", Inert),
    ("MAX_NUMBER_OF_PROCESSES", Inert),
    ("MNESIA_BASE", Read),
    ("MNESIA_DIR", Key("leveret.data_dir")),
    ("MOTD_FILE", Inert),
    ("NODENAME", Key("leveret.node_name")),
    ("NODE_IP_ADDRESS", Read),
    ("NODE_PORT", Read),
    ("PGP_KEY_ID", Image),
    ("PID_FILE", Key("leveret.pid_file")),
    ("PLUGINS_DIR", Inert),
    ("PLUGINS_EXPAND_DIR", Inert),
    ("PRODUCT_NAME", Inert),
    ("PRODUCT_VERSION", Inert),
    ("QUORUM_DIR", Inert),
    ("SCHEDULER_BIND_TYPE", Inert),
    ("SCHEMA_DIR", Inert),
    ("SERVER_ADDITIONAL_ERL_ARGS", Inert),
    ("SERVER_CODE_PATH", Inert),
    ("SERVER_ERL_ARGS", Inert),
    ("SERVER_START_ARGS", Inert),
    ("SSL_CACERTFILE", Secret("ssl_options.cacertfile")),
    ("SSL_CERTFILE", Secret("ssl_options.certfile")),
    ("SSL_DEPTH", Key("ssl_options.depth")),
    ("SSL_FAIL_IF_NO_PEER_CERT", Key("ssl_options.fail_if_no_peer_cert")),
    ("SSL_KEYFILE", Secret("ssl_options.keyfile")),
    ("SSL_VERIFY", Key("ssl_options.verify")),
    ("SSL_VERSIONS", Read),
    ("STREAM_DIR", Inert),
    ("USE_LONGNAME", Read),
    ("VERSION", Image),
    ("VM_MEMORY_HIGH_WATERMARK", Read),
];

const PREFIX: &str = "RABBITMQ_";

/// The variables of a process, and those of rabbitmq-env.conf that the process does not have itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables {
    values: BTreeMap<String, String>,
    /// The file of those that the process does not have itself.
    files: BTreeMap<String, Arc<PathBuf>>,
}

impl Variables {
    pub(crate) fn new(environment: &BTreeMap<String, String>) -> Self {
        // RabbitMQ takes an empty variable for one that is not set, but for these, where it says "none".
        let counts = |name: &str, value: &str| !value.is_empty() || name == "RABBITMQ_ENABLED_PLUGINS";
        let values = environment.iter().filter(|(name, value)| name.starts_with(PREFIX) && counts(name, value));
        let values = values.map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { values, files: BTreeMap::new() }
    }

    /// Adds an assignment of rabbitmq-env.conf, where the prefix may be left out: the environment counts more.
    pub(crate) fn add(&mut self, name: &str, value: String, file: &Arc<PathBuf>) {
        let name = if name.starts_with(PREFIX) { name.to_owned() } else { format!("{PREFIX}{name}") };
        if let Entry::Vacant(vacant) = self.values.entry(name) {
            self.files.insert(vacant.key().clone(), Arc::clone(file));
            vacant.insert(value);
        }
    }

    /// Where `RABBITMQ_NAME` comes from.
    pub(crate) fn origin(&self, name: &str) -> Origin {
        let variable = format!("{PREFIX}{name}");
        let file = self.files.get(&variable).map(|file| format!("{variable} in {}", file.display()));
        Origin::Variable { name: file.unwrap_or(variable) }
    }

    /// The value of `RABBITMQ_NAME`.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values.get(&format!("{PREFIX}{name}")).map(String::as_str)
    }

    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(PathBuf::from)
    }

    /// The variables that stand for one key, with their values: `(origin, key, value)`.
    pub(crate) fn keys(&self, problems: &mut Vec<Error>) -> Vec<(Origin, &'static str, String)> {
        let mut found = Vec::new();
        for (name, meaning) in VARIABLES {
            let (key, has_file) = match meaning {
                Key(key) => (*key, false),
                Secret(key) => (*key, true),
                Read | Inert | Image => continue,
            };
            if let Some(value) = self.given(name, has_file, problems) {
                found.push((self.origin(name), key, value));
            }
        }
        found
    }

    /// The value of a variable, or what the file holds that `NAME_FILE` names.
    pub(crate) fn given(&self, name: &str, has_file: bool, problems: &mut Vec<Error>) -> Option<String> {
        let file = self.path(&format!("{name}_FILE")).filter(|_| has_file);
        match (self.value(name), file) {
            (Some(_), Some(_)) => {
                problems.push(Error::ConflictingVariables { variable: format!("{PREFIX}{name}") });
                None
            }
            (Some(value), None) => Some(value.to_owned()),
            (None, Some(file)) => secret(&format!("{PREFIX}{name}_FILE"), file, problems),
            (None, None) => None,
        }
    }

    /// The variables that nobody knows, each with the known name that looks most like it.
    pub(crate) fn unknown(&self) -> Vec<UnknownVariable> {
        let names = self.values.keys().filter(|name| !is_known(name));
        let known = || VARIABLES.iter().map(|(known, _)| format!("{PREFIX}{known}"));
        names.map(|name| UnknownVariable { name: name.clone(), nearest: nearest_of(name, known()) }).collect()
    }

    /// The variables that RabbitMQ has and nothing here depends on.
    pub(crate) fn inert(&self) -> Vec<String> {
        let is_inert = |name: &&String| {
            let bare = name.strip_prefix(PREFIX).unwrap_or(name);
            VARIABLES.iter().any(|(known, meaning)| *known == bare && *meaning == Inert)
        };
        self.values.keys().filter(is_inert).cloned().collect()
    }
}

/// A variable that begins with `RABBITMQ_` and is none of RabbitMQ's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVariable {
    /// Its name.
    pub name: String,
    /// The known name that looks most like it.
    pub nearest: Option<String>,
}

fn is_known(name: &str) -> bool {
    let bare = name.strip_prefix(PREFIX).unwrap_or(name);
    let holds_file = |known: &str, meaning: Meaning| {
        bare.strip_suffix("_FILE") == Some(known)
            && (matches!(meaning, Secret(_)) || known == "VM_MEMORY_HIGH_WATERMARK")
    };
    VARIABLES.iter().any(|(known, meaning)| *known == bare || holds_file(known, *meaning)) || is_of_kubernetes(bare)
}

/// Kubernetes gives pods the addresses of a service called `rabbitmq` in variables of these forms.
fn is_of_kubernetes(bare: &str) -> bool {
    bare == "PORT"
        || bare == "SERVICE_HOST"
        || bare.starts_with("SERVICE_PORT")
        || bare.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// What the file of a variable holds, without the line feed at its end.
fn secret(variable: &str, path: PathBuf, problems: &mut Vec<Error>) -> Option<String> {
    let text = read(&path).and_then(|bytes| {
        String::from_utf8(bytes)
            .map_err(|_| Error::NotUtf8 { origin: Origin::File { path: Arc::new(path.clone()), line: 1 } })
    });
    let text = text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
    match text {
        // A user with an empty password could never log in.
        Ok(text) if text.is_empty() => problems.push(Error::EmptyFile { variable: variable.to_owned(), path }),
        Ok(text) => return Some(text),
        Err(error) => problems.push(error),
    }
    None
}
