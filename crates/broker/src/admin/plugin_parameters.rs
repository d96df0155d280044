//! Parameters of RabbitMQ's plugins for shovels and federation: kept and given back, so that definitions and the tools
//! that declare them carry them, without an effect.

use crate::policy::Invalid;
use amqp::erlang::json_value;
use amqp::{FieldTable, FieldValue};

const SHOVEL: &str = "shovel";
const UPSTREAM: &str = "federation-upstream";
const UPSTREAM_SET: &str = "federation-upstream-set";

/// Texts of RabbitMQ (`rabbit_parameter_validation:enum`) have the values of it in this order.
const ACK_MODES: [&str; 3] = ["no-ack", "on-publish", "on-confirm"];

/// Whether parameters of this component are kept although nothing acts on them.
pub(super) fn is_without_effect(component: &str) -> bool {
    [SHOVEL, UPSTREAM, UPSTREAM_SET].contains(&component)
}

/// Checks that a parameter of such a component is an object, or a list of them, that has what its plugin cannot do
/// without; keys that are not known here are no errors.
pub(super) fn check(component: &str, name: &str, value: &FieldValue) -> Result<(), Invalid> {
    match (component, value) {
        (SHOVEL, value) => {
            let fields = object(name, value)?;
            for key in ["src-uri", "dest-uri"] {
                check_uri(name, fields, key)?;
            }
            check_ack_mode(fields)
        }
        (UPSTREAM, value) => {
            let fields = object(name, value)?;
            check_uri(name, fields, "uri")?;
            check_ack_mode(fields)
        }
        (_, FieldValue::Array(upstreams)) => upstreams.iter().try_for_each(|upstream| {
            let fields = object(name, upstream)?;
            match fields.get("upstream") {
                Some(FieldValue::LongString(_)) => Ok(()),
                Some(other) => Err(vec![format!("upstream should be binary, actually was {}", json_value(other))]),
                None => Err(vec![missing("upstream", name)]),
            }
        }),
        (_, other) => Err(not_a_list(name, other)),
    }
}

fn object<'a>(name: &str, value: &'a FieldValue) -> Result<&'a FieldTable, Invalid> {
    value.as_table().ok_or_else(|| not_a_list(name, value))
}

fn check_uri(name: &str, fields: &FieldTable, key: &str) -> Result<(), Invalid> {
    let is_text = |value: &FieldValue| matches!(value, FieldValue::LongString(_));
    match fields.get(key) {
        None => Err(vec![missing(key, name)]),
        Some(FieldValue::Array(all)) if !all.is_empty() && all.iter().all(is_text) => Ok(()),
        Some(value) if is_text(value) => Ok(()),
        Some(other) => Err(vec![format!("{key} should be binary, actually was {}", json_value(other))]),
    }
}

fn check_ack_mode(fields: &FieldTable) -> Result<(), Invalid> {
    match fields.get("ack-mode") {
        Some(mode) if !mode.as_str().is_some_and(|mode| ACK_MODES.contains(&mode)) => {
            let modes = ACK_MODES.map(|mode| format!("<<\"{mode}\">>")).join(",");
            Err(vec![format!("ack-mode should be one of [{modes}], actually was {}", json_value(mode))])
        }
        _ => Ok(()),
    }
}

fn missing(key: &str, name: &str) -> String {
    format!("Key \"{key}\" not found in {name}")
}

fn not_a_list(name: &str, value: &FieldValue) -> Invalid {
    vec![format!("{name} not a list {}", json_value(value))]
}
