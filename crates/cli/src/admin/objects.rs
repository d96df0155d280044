//! What can be listed and changed, and which `name=value` arguments it takes.

use super::Failed;
use crate::http::segment;
use serde_json::{Map, Value, json};

/// A kind of object that is listed.
pub(super) struct Listed {
    pub(super) name: &'static str,
    /// `--vhost` limits the list.
    pub(super) is_of_vhost: bool,
    /// Shown where no others are asked for; empty for all.
    pub(super) columns: &'static [&'static str],
    /// Objects that are shown as JSON, whatever their depth.
    pub(super) as_json: &'static [&'static str],
}

const fn listed(name: &'static str, is_of_vhost: bool, columns: &'static [&'static str]) -> Listed {
    Listed { name, is_of_vhost, columns, as_json: &[] }
}

const fn with_json(name: &'static str, as_json: &'static [&'static str]) -> Listed {
    Listed { name, is_of_vhost: false, columns: &[], as_json }
}

pub(super) const LISTABLE: &[Listed] = &[
    listed("connections", false, &["name", "user", "channels"]),
    listed("channels", false, &["name", "user"]),
    listed("consumers", true, &[]),
    listed("exchanges", true, &["name", "type"]),
    listed("queues", true, &["name", "messages"]),
    listed("bindings", true, &["source", "destination", "routing_key"]),
    listed("users", false, &[]),
    listed("vhosts", false, &["name", "messages"]),
    listed("permissions", false, &[]),
    listed("nodes", false, &["name", "type", "mem_used"]),
    with_json("parameters", &["value"]),
    with_json("policies", &["definition"]),
    with_json("operator_policies", &["definition"]),
    with_json("vhost_limits", &["value"]),
];

pub(super) const SHOWABLE: &[Listed] = &[listed(
    "overview",
    false,
    &["rabbitmq_version", "cluster_name", "queue_totals.messages", "object_totals.queues"],
)];

/// What is done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Declare,
    Delete,
    Close,
    Purge,
}

/// A value where none is given.
#[derive(Clone, Copy)]
pub(super) enum Usual {
    Nothing,
    Text(&'static str),
    Zero,
    Table,
}

/// An object with its arguments.
pub(super) struct Object {
    pub(super) name: &'static str,
    /// Each has to be there, or one of those with a bar between them.
    pub(super) mandatory: &'static [&'static str],
    pub(super) optional: &'static [(&'static str, Usual)],
    /// Arguments whose values are JSON.
    json: &'static [&'static str],
    path: &'static str,
}

const fn object(
    name: &'static str,
    mandatory: &'static [&'static str],
    optional: &'static [(&'static str, Usual)],
    json: &'static [&'static str],
    path: &'static str,
) -> Object {
    Object { name, mandatory, optional, json, path }
}

use Usual::{Nothing, Table, Text, Zero};

const EXCHANGE: &str = "/exchanges/{vhost}/{name}";
const QUEUE: &str = "/queues/{vhost}/{name}";
const VHOST: &str = "/vhosts/{name}";
const USER: &str = "/users/{name}";
const PERMISSION: &str = "/permissions/{vhost}/{user}";
const PARAMETER: &str = "/parameters/{component}/{vhost}/{name}";
const POLICY: &str = "/policies/{vhost}/{name}";
const OPERATOR_POLICY: &str = "/operator-policies/{vhost}/{name}";
const VHOST_LIMIT: &str = "/vhost-limits/{vhost}/{name}";
const POLICY_OPTIONS: &[(&str, Usual)] = &[("priority", Zero), ("apply-to", Nothing)];

pub(super) const DECLARABLE: &[Object] = &[
    object(
        "exchange",
        &["name", "type"],
        &[("auto_delete", Text("false")), ("durable", Text("true")), ("internal", Text("false")), ("arguments", Table)],
        &["arguments"],
        EXCHANGE,
    ),
    object(
        "queue",
        &["name"],
        &[
            ("auto_delete", Text("false")),
            ("durable", Text("true")),
            ("arguments", Table),
            ("node", Nothing),
            ("queue_type", Nothing),
        ],
        &["arguments"],
        QUEUE,
    ),
    object(
        "binding",
        &["source", "destination"],
        &[("destination_type", Text("queue")), ("routing_key", Text("")), ("arguments", Table)],
        &["arguments"],
        "/bindings/{vhost}/e/{source}/{destination_char}/{destination}",
    ),
    object("vhost", &["name"], &[("tracing", Nothing)], &[], VHOST),
    object("user", &["name", "password|password_hash", "tags"], &[("hashing_algorithm", Nothing)], &[], USER),
    object("permission", &["vhost", "user", "configure", "write", "read"], &[], &[], PERMISSION),
    object("parameter", &["component", "name", "value"], &[], &["value"], PARAMETER),
    object("policy", &["name", "pattern", "definition"], POLICY_OPTIONS, &["definition", "priority"], POLICY),
    object(
        "operator_policy",
        &["name", "pattern", "definition"],
        POLICY_OPTIONS,
        &["definition", "priority"],
        OPERATOR_POLICY,
    ),
    object("vhost_limit", &["vhost", "name", "value"], &[], &["value"], VHOST_LIMIT),
];

pub(super) const DELETABLE: &[Object] = &[
    object("exchange", &["name"], &[], &[], EXCHANGE),
    object("queue", &["name"], &[], &[], QUEUE),
    object(
        "binding",
        &["source", "destination_type", "destination"],
        &[("properties_key", Text("~"))],
        &[],
        "/bindings/{vhost}/e/{source}/{destination_char}/{destination}/{properties_key}",
    ),
    object("vhost", &["name"], &[], &[], VHOST),
    object("user", &["name"], &[], &[], USER),
    object("permission", &["vhost", "user"], &[], &[], PERMISSION),
    object("parameter", &["component", "name"], &[], &[], PARAMETER),
    object("policy", &["name"], &[], &[], POLICY),
    object("operator_policy", &["name"], &[], &[], OPERATOR_POLICY),
    object("vhost_limit", &["vhost", "name"], &[], &[], VHOST_LIMIT),
];

pub(super) const CLOSABLE: &[Object] = &[object("connection", &["name"], &[], &[], "/connections/{name}")];
pub(super) const PURGABLE: &[Object] = &[object("queue", &["name"], &[], &[], "/queues/{vhost}/{name}/contents")];

pub(super) const PUBLISH: Object = object(
    "publish",
    &["routing_key"],
    &[
        ("payload", Nothing),
        ("properties", Table),
        ("exchange", Text("amq.default")),
        ("payload_encoding", Text("string")),
    ],
    &["properties"],
    "/exchanges/{vhost}/{exchange}/publish",
);
pub(super) const GET: Object = object(
    "get",
    &["queue"],
    &[
        ("count", Text("1")),
        ("ackmode", Text("ack_requeue_true")),
        ("payload_file", Nothing),
        ("encoding", Text("auto")),
    ],
    &[],
    "/queues/{vhost}/{queue}/get",
);

/// The objects that something is done to.
pub(super) fn all(verb: Verb) -> &'static [Object] {
    match verb {
        Verb::Declare => DECLARABLE,
        Verb::Delete => DELETABLE,
        Verb::Close => CLOSABLE,
        Verb::Purge => PURGABLE,
    }
}

/// The object of this name that something is done to.
pub(super) fn find(verb: Verb, name: &str) -> Option<&'static Object> {
    all(verb).iter().find(|object| object.name == name)
}

impl Object {
    /// The path and the body for `name=value` arguments.
    pub(super) fn parse(&self, arguments: &[String], vhost: &str) -> Result<(String, Map<String, Value>), Failed> {
        let mut upload = Map::new();
        for (name, usual) in self.optional {
            let value = match usual {
                Nothing => continue,
                Text(text) => Value::from(*text),
                Zero => json!(0),
                Table => json!({}),
            };
            upload.insert((*name).to_owned(), value);
        }
        for argument in arguments {
            let (name, value) = argument
                .split_once('=')
                .ok_or_else(|| Failed::usage(format!("Argument \"{argument}\" not in the name=value format")))?;
            if !self.takes(name) {
                return Err(Failed::usage(format!("Argument \"{name}\" is not recognised")));
            }
            let value = if self.json.contains(&name) {
                let parsed = serde_json::from_str(value);
                parsed.map_err(|_| Failed(format!("ERROR: Could not parse JSON:\n  {value}")))?
            } else {
                Value::from(value)
            };
            upload.insert(name.to_owned(), value);
        }
        self.check_mandatory(&upload)?;
        if !self.mandatory.contains(&"vhost") {
            upload.insert("vhost".to_owned(), vhost.into());
        }
        let path = self.path(&upload)?;
        // The type of a queue is an argument of it.
        if let Some(kind) = upload.get("queue_type").cloned() {
            let arguments = upload.entry("arguments").or_insert_with(|| json!({}));
            if let Some(arguments) = arguments.as_object_mut() {
                arguments.insert("x-queue-type".to_owned(), kind);
            }
        }
        Ok((path, upload))
    }

    fn takes(&self, name: &str) -> bool {
        self.mandatory.iter().any(|key| key.split('|').any(|one| one == name))
            || self.optional.iter().any(|(key, _)| *key == name)
    }

    fn check_mandatory(&self, upload: &Map<String, Value>) -> Result<(), Failed> {
        for key in self.mandatory {
            if key.split('|').any(|one| upload.contains_key(one)) {
                continue;
            }
            let problem = if key.contains('|') {
                let names: Vec<String> = key.split('|').map(|name| format!("'{name}'")).collect();
                format!("one of mandatory arguments \"[{}]\" is required", names.join(", "))
            } else {
                format!("mandatory argument \"{key}\" is required")
            };
            return Err(Failed::usage(problem));
        }
        Ok(())
    }

    fn path(&self, upload: &Map<String, Value>) -> Result<String, Failed> {
        let mut path = String::new();
        let mut rest = self.path;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            path.push_str(before);
            let text = |name: &str| upload.get(name).and_then(Value::as_str).unwrap_or_default();
            let value: String = match name {
                "destination_char" => text("destination_type").chars().take(1).collect(),
                name => text(name).to_owned(),
            };
            if value.is_empty() {
                return Err(Failed::usage(format!("Argument \"{name}\" must not be empty")));
            }
            path.push_str(&segment(&value));
            rest = after;
        }
        Ok(path + rest)
    }
}
