//! From the objects of a document to what the broker imports.

use super::document::Document;
use crate::json;
use amqp::{FieldTable, FieldValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use broker::{ImportedPolicy, ImportedUser, ImportedVhost, NewPassword, Secret};
use metadata::{
    BindingDefinition, DestinationKind, ExchangeDefinition, GlobalParameterDefinition, ParameterDefinition,
    PermissionDefinition, PolicyKind, QueueDefinition, TopicPermissionDefinition,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Why an object makes no sense; a line.
pub(super) type Problem = String;

/// An object of a document, and the virtual host that it belongs to where the document does not say.
pub(super) struct Object<'a> {
    /// What it is, as `queue`.
    pub(super) kind: &'static str,
    pub(super) fields: Map<String, Value>,
    pub(super) scope: Option<&'a str>,
}

impl<'a> Object<'a> {
    pub(super) fn read(kind: &'static str, raw: &RawValue, scope: Option<&'a str>) -> Result<Object<'a>, Problem> {
        let fields = serde_json::from_str(raw.get()).map_err(|error| format!("a {kind} cannot be read: {error}"))?;
        Ok(Object { kind, fields, scope })
    }

    /// The name that reports have for it.
    pub(super) fn name(&self) -> String {
        let text = |key: &str| self.fields.get(key).and_then(Value::as_str).unwrap_or_default();
        match self.kind {
            "binding" => format!("{} -> {} ({})", text("source"), text("destination"), text("routing_key")),
            "permission" => text("user").to_owned(),
            "topic permission" => format!("{} on {}", text("user"), text("exchange")),
            "parameter" => format!("{}/{}", text("component"), text("name")),
            _ => text("name").to_owned(),
        }
    }

    /// The virtual host that reports have for it.
    pub(super) fn place(&self) -> Option<String> {
        let own = self.fields.get("vhost").and_then(Value::as_str);
        self.scope.or(own).map(str::to_owned)
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.fields.get(key).filter(|value| !value.is_null())
    }

    fn problem(&self, key: &str, expected: &str) -> Problem {
        format!("{key} of {} '{}' must be {expected}", self.kind, self.name())
    }

    fn text(&self, key: &str) -> Result<Option<String>, Problem> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.problem(key, "a string")),
        }
    }

    fn required(&self, key: &str) -> Result<String, Problem> {
        self.text(key)?.ok_or_else(|| format!("{key} of {} '{}' is missing", self.kind, self.name()))
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool, Problem> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "true" => Ok(true),
            Some(Value::String(text)) if text == "false" => Ok(false),
            Some(_) => Err(self.problem(key, "true or false")),
        }
    }

    /// An object; an empty one is an empty list in some exports.
    fn table(&self, key: &str) -> Result<FieldTable, Problem> {
        match self.get(key) {
            None => Ok(FieldTable::new()),
            Some(Value::Object(object)) => Ok(json::to_table(object)),
            Some(Value::Array(list)) if list.is_empty() => Ok(FieldTable::new()),
            Some(_) => Err(self.problem(key, "an object")),
        }
    }

    fn value(&self, key: &str) -> FieldValue {
        self.fields.get(key).map_or(FieldValue::Void, json::to_field)
    }

    fn vhost(&self) -> Result<String, Problem> {
        match self.scope {
            Some(scope) => Ok(scope.to_owned()),
            None => self.text("vhost")?.ok_or_else(|| NO_VHOST.to_owned()),
        }
    }
}

const NO_VHOST: &str = "Virtual host does not exist and is not specified in definitions file.";

/// Tags as a list, or with commas between them.
fn tags(value: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(|tag| tag.trim().to_owned());
    let tags: Vec<String> = match value {
        Value::Array(list) => list.iter().map(text).collect::<Option<_>>()?,
        Value::String(list) => list.split(',').map(|tag| tag.trim().to_owned()).collect(),
        _ => return None,
    };
    Some(tags.into_iter().filter(|tag| !tag.is_empty()).collect())
}

/// The algorithm of a hash whose definition does not name one, by the version that exported it.
fn default_algorithm(version: Option<&str>) -> &'static str {
    match version {
        Some(version) if version.starts_with("3.") && version.as_bytes().get(3) == Some(&b'.') => {
            match version.as_bytes()[2] {
                b'0'..=b'5' => "rabbit_password_hashing_md5",
                _ => "rabbit_password_hashing_sha256",
            }
        }
        _ => "rabbit_password_hashing_sha256",
    }
}

pub(super) fn user(object: &Object<'_>, document: &Document<'_>) -> Result<ImportedUser, Problem> {
    let name = object.required("name")?;
    let tags = match (object.get("tags"), object.get("administrator")) {
        (Some(given), _) => tags(given).ok_or_else(|| object.problem("tags", "a list or a string"))?,
        // Exports of versions before 2.4 have this.
        (None, Some(_)) if object.flag("administrator", false)? => vec!["administrator".to_owned()],
        (None, Some(_)) => Vec::new(),
        (None, None) => return Err("tags_not_present".to_owned()),
    };
    let password = match (object.text("password")?, object.text("password_hash")?) {
        (Some(_), Some(_)) => return Err("both_password_and_password_hash_are_provided".to_owned()),
        (Some(plain), None) => Some(NewPassword::Plain(Secret(plain))),
        (None, Some(hash)) => {
            let algorithm = object.text("hashing_algorithm")?;
            let algorithm = algorithm.unwrap_or_else(|| default_algorithm(document.version.as_deref()).to_owned());
            // Its hashes are text of another form, which is looked at when the algorithm is.
            let is_argon2 = algorithm == auth::HashingAlgorithm::Argon2.as_str();
            if !is_argon2 && STANDARD.decode(&hash).is_err() {
                return Err(format!("{{not_base64,{}}}", amqp::erlang::binary(hash.as_bytes())));
            }
            Some(NewPassword::Hash { hash, algorithm })
        }
        (None, None) => None,
    };
    Ok(ImportedUser { name, password, tags, limits: object.get("limits").map(json::to_field) })
}

/// Some versions have what describes a virtual host in `metadata`, some beside it, some in both.
pub(super) fn vhost(object: &Object<'_>) -> Result<ImportedVhost, Problem> {
    let metadata = match object.get("metadata") {
        Some(Value::Object(metadata)) => metadata.clone(),
        _ => Map::new(),
    };
    let metadata = Object { kind: object.kind, fields: metadata, scope: None };
    let tags = match object.get("tags").or_else(|| metadata.get("tags")) {
        None => None,
        Some(given) => Some(tags(given).ok_or_else(|| object.problem("tags", "a list or a string"))?),
    };
    let queue_type = match metadata.text("default_queue_type")? {
        Some(queue_type) => Some(queue_type),
        None => object.text("default_queue_type")?,
    };
    let description = object.text("description")?;
    Ok(ImportedVhost {
        name: object.required("name")?,
        description: description.map_or_else(|| metadata.text("description"), |text| Ok(Some(text)))?,
        tags,
        default_queue_type: queue_type.filter(|name| !matches!(name.as_str(), "" | "undefined")),
        tracing: object.get("tracing").map(|_| object.flag("tracing", false)).transpose()?,
        protected_from_deletion: metadata
            .get("protected_from_deletion")
            .map(|_| metadata.flag("protected_from_deletion", false))
            .transpose()?,
    })
}

pub(super) fn permission(object: &Object<'_>) -> Result<PermissionDefinition, Problem> {
    Ok(PermissionDefinition {
        user: object.required("user")?,
        vhost: object.vhost()?,
        configure: object.required("configure")?,
        write: object.required("write")?,
        read: object.required("read")?,
    })
}

pub(super) fn topic_permission(object: &Object<'_>) -> Result<TopicPermissionDefinition, Problem> {
    Ok(TopicPermissionDefinition {
        user: object.required("user")?,
        vhost: object.vhost()?,
        exchange: object.required("exchange")?,
        write: object.required("write")?,
        read: object.required("read")?,
    })
}

pub(super) fn exchange(object: &Object<'_>) -> Result<ExchangeDefinition, Problem> {
    Ok(ExchangeDefinition {
        vhost: object.vhost()?,
        name: object.required("name")?,
        kind: object.required("type")?,
        durable: object.flag("durable", true)?,
        auto_delete: object.flag("auto_delete", false)?,
        internal: object.flag("internal", false)?,
        arguments: object.table("arguments")?,
    })
}

/// The type counts as an argument only: `type` beside it is for readers, as in RabbitMQ.
pub(super) fn queue(object: &Object<'_>) -> Result<QueueDefinition, Problem> {
    Ok(QueueDefinition {
        quid: 0,
        vhost: object.vhost()?,
        name: object.required("name")?,
        durable: object.flag("durable", true)?,
        auto_delete: object.flag("auto_delete", false)?,
        arguments: object.table("arguments")?,
    })
}

pub(super) fn binding(object: &Object<'_>) -> Result<BindingDefinition, Problem> {
    let kind = object.required("destination_type")?;
    Ok(BindingDefinition {
        vhost: object.vhost()?,
        source: object.required("source")?,
        destination: object.required("destination")?,
        destination_kind: DestinationKind::from_name(&kind)
            .ok_or_else(|| object.problem("destination_type", "'queue' or 'exchange'"))?,
        routing_key: object.text("routing_key")?.unwrap_or_default(),
        arguments: object.table("arguments")?,
        order: 0,
    })
}

pub(super) fn global_parameter(object: &Object<'_>) -> Result<GlobalParameterDefinition, Problem> {
    Ok(GlobalParameterDefinition { name: object.required("name")?, value: object.value("value") })
}

pub(super) fn policy(object: &Object<'_>) -> Result<ImportedPolicy, Problem> {
    let vhost = object.vhost()?;
    let Some(name) = object.text("name")? else {
        return Err(format!("policy in virtual host '{vhost}' has undefined name"));
    };
    let mut terms = FieldTable::new();
    for (key, default) in
        [("pattern", None), ("definition", None), ("priority", Some(0.into())), ("apply-to", Some("all".into()))]
    {
        if let Some(value) = object.get(key).cloned().or(default) {
            terms.insert(key, json::to_field(&value));
        }
    }
    Ok(ImportedPolicy { kind: PolicyKind::User, vhost, name, terms: FieldValue::Table(terms) })
}

/// A parameter, or the operator policy that it is.
pub(super) enum Parameter {
    Plain(ParameterDefinition),
    OperatorPolicy(ImportedPolicy),
}

pub(super) fn parameter(object: &Object<'_>) -> Result<Parameter, Problem> {
    let (vhost, name, value) = (object.vhost()?, object.required("name")?, object.value("value"));
    let component = object.required("component")?;
    if component == "operator_policy" {
        let kind = PolicyKind::Operator;
        return Ok(Parameter::OperatorPolicy(ImportedPolicy { kind, vhost, name, terms: with_object(value) }));
    }
    Ok(Parameter::Plain(ParameterDefinition { vhost, component, name, value }))
}

/// The definition of an operator policy as an object, where it is the list of pairs that `rabbitmqctl export_definitions`
/// of RabbitMQ 3.10 writes and does not read itself.
fn with_object(terms: FieldValue) -> FieldValue {
    let FieldValue::Table(mut fields) = terms else { return terms };
    if let Some(FieldValue::Array(values)) = fields.get("definition") {
        let pair = |value: &FieldValue| match value {
            FieldValue::Array(pair) => match pair.as_slice() {
                [key, value] => Some((key.as_str()?.to_owned(), value.clone())),
                _ => None,
            },
            _ => None,
        };
        if let Some(pairs) = values.iter().map(pair).collect::<Option<Vec<_>>>().filter(|pairs| !pairs.is_empty()) {
            let mut definition = FieldTable::new();
            for (key, value) in pairs {
                definition.insert(key, value);
            }
            fields.insert("definition", FieldValue::Table(definition));
        }
    }
    FieldValue::Table(fields)
}
