//! Which plugins count as enabled: RabbitMQ's `enabled_plugins` file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::Error;
use crate::load::utf8;
use crate::origin::Origin;
use crate::terms::{Term, read_terms};

/// Plugins whose work is done here, each with those that RabbitMQ enables along with it.
const PLUGINS: &[(&str, &[&str])] = &[
    ("rabbitmq_auth_backend_cache", &[]),
    ("rabbitmq_auth_backend_http", &[]),
    ("rabbitmq_auth_backend_ldap", &[]),
    ("rabbitmq_auth_backend_oauth2", &[]),
    ("rabbitmq_auth_mechanism_ssl", &[]),
    ("rabbitmq_consistent_hash_exchange", &[]),
    ("rabbitmq_delayed_message_exchange", &[]),
    ("rabbitmq_event_exchange", &[]),
    ("rabbitmq_management", &["rabbitmq_management_agent", "rabbitmq_web_dispatch"]),
    ("rabbitmq_management_agent", &["rabbitmq_web_dispatch"]),
    ("rabbitmq_message_deduplication", &[]),
    ("rabbitmq_prometheus", &["rabbitmq_management_agent", "rabbitmq_web_dispatch"]),
    ("rabbitmq_random_exchange", &[]),
    ("rabbitmq_recent_history_exchange", &[]),
    ("rabbitmq_sharding", &[]),
    ("rabbitmq_web_dispatch", &[]),
];

/// Plugins that are enabled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plugins {
    /// Those that were asked for, sorted; `None` where nothing says which, and all that exist here are.
    explicit: Option<BTreeSet<String>>,
    /// Where they are listed; a command that enables one writes there.
    pub file: Option<PathBuf>,
}

impl Plugins {
    /// The plugins that exist here, sorted.
    pub fn available() -> impl Iterator<Item = &'static str> {
        PLUGINS.iter().map(|(name, _)| *name)
    }

    /// Those of the file, which may be missing: then all that exist here are enabled.
    pub(crate) fn from_file(path: &Path, content: Option<&[u8]>) -> Result<Self, Error> {
        let file = Some(path.to_owned());
        let Some(content) = content else { return Ok(Self { explicit: None, file }) };
        Ok(Self { explicit: Some(listed(path, content)?), file })
    }

    /// Those of a list with commas as `RABBITMQ_ENABLED_PLUGINS` has it: `ALL` for all, nothing for none.
    pub(crate) fn from_list(list: &str, file: Option<PathBuf>) -> Self {
        if list == "ALL" {
            return Self { explicit: None, file };
        }
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        Self { explicit: Some(names.map(str::to_owned).collect()), file }
    }

    /// Those that were asked for by name, sorted; `None` where nothing says which.
    #[must_use]
    pub fn explicit(&self) -> Option<&BTreeSet<String>> {
        self.explicit.as_ref()
    }

    /// Those that were asked for and do not exist here.
    pub fn absent(&self) -> impl Iterator<Item = &str> {
        let names = self.explicit.iter().flatten().map(String::as_str);
        names.filter(|name| !Self::available().any(|available| available == *name))
    }

    /// Whether it exists here and is enabled, by itself or along with another.
    #[must_use]
    pub fn is_enabled(&self, name: &str) -> bool {
        let exists = Self::available().any(|available| available == name);
        let Some(explicit) = &self.explicit else { return exists };
        exists
            && (explicit.contains(name)
                || PLUGINS.iter().any(|(other, along)| along.contains(&name) && explicit.contains(*other)))
    }
}

/// Reads `[rabbitmq_management,rabbitmq_prometheus].`.
fn listed(path: &Path, content: &[u8]) -> Result<BTreeSet<String>, Error> {
    let path = Arc::new(path.to_owned());
    let at = |line, problem: &str| {
        let problem = problem.to_owned();
        Error::Term { origin: Origin::File { path: Arc::clone(&path), line }, problem }
    };
    let expected = "expected a list of plugins such as [rabbitmq_management].";
    let text = utf8(content).map_err(|line| at(line, "the line is not UTF-8, save the file as UTF-8"))?;
    let terms = read_terms(text).map_err(|wrong| at(wrong.line, &wrong.problem))?;
    let [list] = terms.as_slice() else { return Err(at(1, expected)) };
    let Term::List(names) = &list.term else { return Err(at(list.line, expected)) };
    let name = |located: &crate::terms::Located| match &located.term {
        Term::Atom(name) => Ok(name.clone()),
        _ => Err(at(located.line, expected)),
    };
    names.iter().map(name).collect()
}
