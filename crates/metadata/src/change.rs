//! One change of the durable definitions.

use amqp::field::MAX_DEPTH;
use amqp::{FieldTable, FieldValue};

use crate::model::{
    BindingDefinition, ExchangeDefinition, GlobalParameterDefinition, ParameterDefinition, PermissionDefinition,
    PolicyDefinition, PolicyKind, QueueDefinition, TopicPermissionDefinition, UserDefinition, VhostDefinition,
};

/// One change; putting replaces what has the same identity, deleting what is not there changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Creates or replaces a virtual host.
    PutVhost(VhostDefinition),
    /// Deletes a virtual host and everything in it, permissions included.
    DeleteVhost {
        /// Its name.
        name: String,
    },
    /// Creates or replaces a user.
    PutUser(UserDefinition),
    /// Deletes a user and its permissions.
    DeleteUser {
        /// Its name.
        name: String,
    },
    /// Sets a user's permissions in a virtual host.
    PutPermission(PermissionDefinition),
    /// Clears a user's permissions in a virtual host; topic permissions stay.
    DeletePermission {
        /// The user's name.
        user: String,
        /// The virtual host's name.
        vhost: String,
    },
    /// Sets a user's permissions on a topic exchange.
    PutTopicPermission(TopicPermissionDefinition),
    /// Clears a user's topic permissions in a virtual host.
    DeleteTopicPermission {
        /// The user's name.
        user: String,
        /// The virtual host's name.
        vhost: String,
        /// The exchange, or `None` for all of them.
        exchange: Option<String>,
    },
    /// Creates or replaces an exchange.
    PutExchange(ExchangeDefinition),
    /// Deletes an exchange and the bindings from and to it.
    DeleteExchange {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
    },
    /// Creates or replaces a queue, and reserves its id.
    PutQueue(QueueDefinition),
    /// Deletes a queue and the bindings to it.
    DeleteQueue {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
    },
    /// Creates a binding.
    PutBinding(BindingDefinition),
    /// Deletes exactly this binding.
    DeleteBinding(BindingDefinition),
    /// Creates or replaces a policy.
    PutPolicy(PolicyDefinition),
    /// Deletes a policy.
    DeletePolicy {
        /// The virtual host's name.
        vhost: String,
        /// User or operator policy.
        kind: PolicyKind,
        /// Its name.
        name: String,
    },
    /// Sets a runtime parameter.
    PutParameter(ParameterDefinition),
    /// Clears a runtime parameter.
    DeleteParameter {
        /// The virtual host's name.
        vhost: String,
        /// What it configures.
        component: String,
        /// Its name.
        name: String,
    },
    /// Sets a global runtime parameter.
    PutGlobalParameter(GlobalParameterDefinition),
    /// Clears a global runtime parameter.
    DeleteGlobalParameter {
        /// Its name.
        name: String,
    },
    /// Reserves every queue id below this one: after a restart ids are given from here. It never goes back.
    ReserveIds(u64),
}

/// The largest arguments of an object, in bytes: a change is one record of the log, which has to fit its segments.
const MAX_ARGUMENTS_BYTES: usize = 256 << 10;
/// The longest name of a field, in bytes: a short string.
const MAX_FIELD_NAME: usize = 255;

impl Change {
    /// True when its field tables can be read back after they are written.
    ///
    /// What was read from a connection always can. A table made otherwise may be nested deeper than
    /// [`MAX_DEPTH`] less one, have a name over 255 bytes or a float that is not finite: it must be refused before it is
    /// proposed, for a journal that wrote it could not be opened again. So must arguments, policies and parameters of
    /// more than 256 KiB.
    pub fn is_storable(&self) -> bool {
        match self {
            Change::PutExchange(exchange) => are_storable(&exchange.arguments),
            Change::PutQueue(queue) => are_storable(&queue.arguments),
            Change::PutBinding(binding) => are_storable(&binding.arguments),
            Change::PutPolicy(policy) => {
                are_storable(&policy.definition) && policy.name.len() + policy.pattern.len() <= MAX_ARGUMENTS_BYTES
            }
            Change::PutParameter(ParameterDefinition { component, name, value, .. }) => {
                is_storable_parameter(value) && component.len() + name.len() <= MAX_ARGUMENTS_BYTES
            }
            Change::PutGlobalParameter(GlobalParameterDefinition { name, value }) => {
                is_storable_parameter(value) && name.len() <= MAX_ARGUMENTS_BYTES
            }
            _ => true,
        }
    }
}

fn are_storable(arguments: &FieldTable) -> bool {
    is_storable_table(arguments, MAX_DEPTH) && arguments.to_bytes().len() <= MAX_ARGUMENTS_BYTES
}

/// A lone value is written as the field of a table, which takes one level.
fn is_storable_parameter(value: &FieldValue) -> bool {
    let mut bytes = Vec::new();
    is_storable_value(value, MAX_DEPTH - 1) && {
        value.encode(&mut bytes);
        bytes.len() <= MAX_ARGUMENTS_BYTES
    }
}

fn is_storable_table(table: &FieldTable, levels: usize) -> bool {
    levels > 0 && table.iter().all(|(name, value)| name.len() <= MAX_FIELD_NAME && is_storable_value(value, levels - 1))
}

fn is_storable_value(value: &FieldValue, levels: usize) -> bool {
    match value {
        FieldValue::Table(table) => is_storable_table(table, levels),
        FieldValue::Array(values) => levels > 0 && values.iter().all(|value| is_storable_value(value, levels - 1)),
        FieldValue::F32(value) => value.is_finite(),
        FieldValue::F64(value) => value.is_finite(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> FieldTable {
        (1..levels).fold(FieldTable::new(), |inner, _| FieldTable::from_iter([("t".into(), FieldValue::Table(inner))]))
    }

    #[track_caller]
    fn check(arguments: FieldTable, storable: bool) {
        let read_back = FieldTable::from_slice(&arguments.to_bytes());
        assert_eq!(read_back.as_ref() == Ok(&arguments), storable, "{arguments:?}");
        let queue = QueueDefinition { arguments, ..QueueDefinition::default() };
        assert_eq!(Change::PutQueue(queue).is_storable(), storable);
    }

    #[test]
    fn storable_is_what_can_be_read_back() {
        check(nested(MAX_DEPTH), true);
        check(nested(MAX_DEPTH + 1), false);
        let array = |levels| (0..levels).fold(FieldValue::Void, |inner, _| FieldValue::Array(vec![inner]));
        check(FieldTable::from_iter([("a".into(), array(MAX_DEPTH - 1))]), true);
        check(FieldTable::from_iter([("a".into(), array(MAX_DEPTH))]), false);
        check(FieldTable::from_iter([("n".repeat(255), FieldValue::Void)]), true);
        check(FieldTable::from_iter([("n".repeat(256), FieldValue::Void)]), false);
        check(FieldTable::from_iter([("f".into(), FieldValue::F64(f64::NAN))]), false);
        check(FieldTable::from_iter([("f".into(), FieldValue::F32(f32::INFINITY))]), false);
    }

    #[test]
    fn large_arguments_are_not_storable() {
        let arguments = |len| FieldTable::from_iter([("a".into(), FieldValue::LongString(vec![b'x'; len]))]);
        let is_storable = |len| {
            let queue = QueueDefinition { arguments: arguments(len), ..QueueDefinition::default() };
            Change::PutQueue(queue).is_storable()
        };
        assert!(is_storable(200 << 10));
        assert!(!is_storable(300 << 10));
    }

    #[test]
    fn a_parameter_has_one_level_less() {
        let parameter = |levels| {
            let value = FieldValue::Table(nested(levels));
            Change::PutGlobalParameter(GlobalParameterDefinition { name: "p".into(), value })
        };
        assert!(parameter(MAX_DEPTH - 1).is_storable());
        assert!(!parameter(MAX_DEPTH).is_storable());
    }
}
