//! Validation of policies and parameters as they are set, with RabbitMQ's texts (`rabbit_policy`, `rabbit_policies`,
//! `rabbit_parameter_validation`); what was seen on 3.10.8 is in `admin`'s tests of each.

use super::keys::{self, integer};
use amqp::erlang::{json_fields, json_value};
use amqp::{FieldTable, FieldValue};
use auth::Pattern;
use metadata::{ApplyTo, PolicyDefinition, PolicyKind};

/// Longest pattern in bytes (RabbitMQ's `rabbit_re`).
const MAX_PATTERN_BYTES: usize = 1024;

/// Why a value is refused, a line each.
pub(crate) type Invalid = Vec<String>;
type Check = fn(&str, &FieldValue) -> Result<(), String>;

/// Checks the fields of an object: each that `checks` knows with its check, those that are mandatory for being there.
/// Errors come in RabbitMQ's order: the last field first, and before all what is not known.
pub(crate) fn proplist(owner: &str, checks: &[(&str, Check, bool)], value: &FieldValue) -> Result<(), Invalid> {
    let empty = FieldTable::new();
    let fields = match value {
        FieldValue::Table(fields) => fields,
        FieldValue::Array(values) if values.is_empty() => &empty,
        other => return Err(vec![format!("{owner} not a list {}", json_value(other))]),
    };
    let mut errors = Vec::new();
    for (key, check, is_mandatory) in checks {
        match fields.get(key) {
            Some(value) => errors.extend(check(key, value).err()),
            None if *is_mandatory => errors.push(format!("Key \"{key}\" not found in {owner}")),
            None => {}
        }
    }
    let mut unknown = fields.iter().filter(|(name, _)| !checks.iter().any(|(key, ..)| key == name)).peekable();
    if unknown.peek().is_some() {
        errors.push(format!("Unrecognised terms {} in {owner}", json_fields(unknown)));
    }
    errors.reverse();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// A number without a fraction.
pub(crate) fn integer_or_error(name: &str, value: &FieldValue) -> Result<(), String> {
    match integer(value) {
        Some(_) => Ok(()),
        None => Err(format!("{name} should be a number, actually was {}", json_value(value))),
    }
}

fn number(name: &str, value: &FieldValue) -> Result<(), String> {
    match value {
        FieldValue::F64(_) => Ok(()),
        other => integer_or_error(name, other),
    }
}

fn regex(name: &str, value: &FieldValue) -> Result<(), String> {
    let Some(pattern) = value.as_str() else {
        return Err(format!("{name} should be a binary but was {}", json_value(value)));
    };
    if pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("{name} must not exceed {MAX_PATTERN_BYTES} bytes"));
    }
    match Pattern::compile_search(pattern) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{name} should be regular expression but is invalid: {:?}", error.reason)),
    }
}

fn apply_to(_: &str, value: &FieldValue) -> Result<(), String> {
    if value.as_str().and_then(ApplyTo::from_name).is_some() {
        return Ok(());
    }
    let shown = value.as_str().map_or_else(|| json_value(value), str::to_owned);
    Err(format!(
        "apply-to '{shown}' unrecognised; should be one of: 'queues', 'classic_queues',  'quorum_queues', 'streams', \
         'exchanges', or 'all'"
    ))
}

fn definition_of_user(_: &str, value: &FieldValue) -> Result<(), String> {
    definition(value, false)
}

fn definition_of_operator(_: &str, value: &FieldValue) -> Result<(), String> {
    definition(value, true)
}

fn definition(value: &FieldValue, is_operators: bool) -> Result<(), String> {
    let fields = match value {
        FieldValue::Table(fields) => fields,
        FieldValue::Array(values) if values.is_empty() => return Err("no policy provided".to_owned()),
        other => return Err(format!("definition must be a dictionary: {}", json_value(other))),
    };
    if fields.is_empty() {
        return Err("no policy provided".to_owned());
    }
    let known = |name: &str| keys::find(name).filter(|key| key.for_operators || !is_operators);
    for (name, value) in fields.iter() {
        if let Some(key) = known(name).filter(|key| !(key.is_valid)(value)) {
            return Err(format!("{} is not {}", json_value(value), key.expected));
        }
    }
    check_delayed_retry(fields)?;
    let mut unknown = fields.iter().filter(|(name, _)| known(name).is_none()).peekable();
    if unknown.peek().is_some() {
        return Err(format!("{} are not recognised policy settings", json_fields(unknown)));
    }
    Ok(())
}

fn check_delayed_retry(fields: &FieldTable) -> Result<(), String> {
    let number = |key| fields.get(key).and_then(integer);
    let (min, max) = (number("delayed-retry-min"), number("delayed-retry-max"));
    match (fields.get("delayed-retry-type").and_then(FieldValue::as_str), min, max) {
        (Some(kind), None, _) if kind != "disabled" => {
            Err(format!("delayed-retry-min is required when delayed-retry-type is {kind}"))
        }
        (_, Some(min), Some(max)) if max < min => {
            Err(format!("delayed-retry-max ({max}) must not be smaller than delayed-retry-min ({min})"))
        }
        _ => Ok(()),
    }
}

/// The policy that `pattern`, `definition`, `priority` and `apply-to` describe, checked.
pub(crate) fn definition_of_terms(
    kind: PolicyKind,
    vhost: &str,
    name: &str,
    terms: &FieldValue,
) -> Result<PolicyDefinition, Invalid> {
    let definition: Check = match kind {
        PolicyKind::User => definition_of_user,
        PolicyKind::Operator => definition_of_operator,
    };
    let checks: [(&str, Check, bool); 4] = [
        ("priority", number, true),
        ("pattern", regex, true),
        ("apply-to", apply_to, false),
        ("definition", definition, true),
    ];
    let terms = sorted(terms);
    proplist(name, &checks, &terms)?;
    let field = |key: &str| terms.as_table().and_then(|table| table.get(key));
    let text = |key: &str| field(key).and_then(FieldValue::as_str);
    let priority = field("priority");
    Ok(PolicyDefinition {
        vhost: vhost.to_owned(),
        kind,
        name: name.to_owned(),
        pattern: text("pattern").unwrap_or_default().to_owned(),
        apply_to: text("apply-to").and_then(ApplyTo::from_name).unwrap_or_default(),
        // RabbitMQ takes numbers with a fraction as well; the order among them is all that counts.
        priority: priority.and_then(integer).or_else(|| Some(priority?.as_f64()? as i64)).unwrap_or_default(),
        definition: field("definition").and_then(FieldValue::as_table).cloned().unwrap_or_default(),
    })
}

/// The terms of a policy, as `operator_policy` parameters show them.
pub(crate) fn terms_of(policy: &PolicyDefinition) -> FieldTable {
    let mut terms = FieldTable::new();
    terms.insert("apply-to", policy.apply_to.as_str());
    terms.insert("definition", FieldValue::Table(policy.definition.clone()));
    terms.insert("pattern", policy.pattern.as_str());
    terms.insert("priority", policy.priority);
    terms
}

/// Fields in the order of their names, as RabbitMQ keeps and prints them.
fn sorted(value: &FieldValue) -> FieldValue {
    let FieldValue::Table(table) = value else { return value.clone() };
    let mut fields: Vec<(String, FieldValue)> =
        table.iter().map(|(name, value)| (name.to_owned(), sorted(value))).collect();
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    FieldValue::Table(fields.into_iter().collect())
}
