//! Compiled permissions of one user in one virtual host.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use metadata::{PermissionDefinition, TopicPermissionDefinition};

use crate::{Pattern, Permission};

/// Patterns kept per topic permission for the client ids seen last; more than the clients of a user usually are.
const CLIENT_PATTERNS: usize = 64;

const CLIENT_ID: &str = "{client_id}";

/// What a user may do in a virtual host.
pub(crate) struct Permissions {
    configure: Compiled,
    write: Compiled,
    read: Compiled,
}

impl Permissions {
    pub(crate) fn new(definition: &PermissionDefinition) -> Permissions {
        Permissions {
            configure: compile(&definition.configure),
            write: compile(&definition.write),
            read: compile(&definition.read),
        }
    }

    pub(crate) fn allow(&self, permission: Permission, name: &str) -> bool {
        let pattern = match permission {
            Permission::Configure => &self.configure,
            Permission::Write => &self.write,
            Permission::Read => &self.read,
        };
        matches(pattern, name)
    }
}

/// `None` for a pattern that does not compile. It was refused when it was set; one that got in by another version allows
/// nothing, as in RabbitMQ.
type Compiled = Option<Pattern>;

fn compile(pattern: &str) -> Compiled {
    Pattern::compile(pattern).ok()
}

fn matches(pattern: &Compiled, name: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(name))
}

/// Topic permissions of a user in a virtual host, by exchange.
#[derive(Default)]
pub(crate) struct TopicPermissions(HashMap<String, TopicPermission>);

impl TopicPermissions {
    pub(crate) fn put(&mut self, definition: &TopicPermissionDefinition) {
        let permission = TopicPermission {
            write: TopicPattern::new(&definition.write, definition),
            read: TopicPattern::new(&definition.read, definition),
        };
        self.0.insert(definition.exchange.clone(), permission);
    }

    pub(crate) fn delete(&mut self, exchange: &str) {
        self.0.remove(exchange);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn allow(
        &self,
        exchange: &str,
        permission: Permission,
        routing_key: &str,
        client_id: Option<&str>,
    ) -> bool {
        let Some(of_exchange) = self.0.get(exchange) else { return true };
        match permission {
            Permission::Configure => true, // no such topic permission exists
            Permission::Write => of_exchange.write.is_match(routing_key, client_id),
            Permission::Read => of_exchange.read.is_match(routing_key, client_id),
        }
    }
}

struct TopicPermission {
    write: TopicPattern,
    read: TopicPattern,
}

/// A pattern with the user's and virtual host's names filled in.
struct TopicPattern {
    /// As it is for a client without an id.
    plain: Compiled,
    /// The text to fill client ids into, where it has a place for them.
    template: Option<Template>,
}

struct Template {
    text: String,
    compiled: Mutex<HashMap<String, Compiled>>,
}

impl TopicPattern {
    fn new(pattern: &str, definition: &TopicPermissionDefinition) -> TopicPattern {
        let text = fill(&fill(pattern, "{username}", &definition.user), "{vhost}", &definition.vhost);
        TopicPattern {
            plain: compile(&text),
            template: text.contains(CLIENT_ID).then(|| Template { text, compiled: Mutex::default() }),
        }
    }

    fn is_match(&self, routing_key: &str, client_id: Option<&str>) -> bool {
        match (&self.template, client_id) {
            (Some(template), Some(client_id)) => template.is_match(routing_key, client_id),
            _ => matches(&self.plain, routing_key),
        }
    }
}

impl Template {
    fn is_match(&self, routing_key: &str, client_id: &str) -> bool {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if compiled.len() >= CLIENT_PATTERNS && !compiled.contains_key(client_id) {
            compiled.clear(); // client ids are the peers' choice: never keep more than a few
        }
        let pattern =
            compiled.entry(client_id.to_owned()).or_insert_with(|| compile(&fill(&self.text, CLIENT_ID, client_id)));
        matches(pattern, routing_key)
    }
}

/// Puts `value` in place of `variable`, escaped: a name with wildcards in it must not widen the permission.
fn fill(pattern: &str, variable: &str, value: &str) -> String {
    pattern.replace(variable, &regex::escape(value))
}
