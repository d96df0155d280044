//! Policies and runtime parameters.
//!
//! RabbitMQ writes their values as JSON. Here they are field values, so that who evaluates them needs no JSON: numbers
//! are `I64` or `F64`, strings `LongString`, objects `Table`, lists `Array`, null `Void`.

use std::fmt;

use amqp::{FieldTable, FieldValue};

/// Who set a policy: the two kinds are matched apart and merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyKind {
    /// `rabbitmqctl set_policy`.
    #[default]
    User,
    /// `rabbitmqctl set_operator_policy`.
    Operator,
}

/// The objects that a policy is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ApplyTo {
    /// Queues of every type, and exchanges.
    #[default]
    All,
    /// Exchanges.
    Exchanges,
    /// Queues of every type.
    Queues,
    /// Classic queues.
    ClassicQueues,
    /// Quorum queues.
    QuorumQueues,
    /// Streams.
    Streams,
}

impl ApplyTo {
    const EVERY: [ApplyTo; 6] = [
        ApplyTo::All,
        ApplyTo::Exchanges,
        ApplyTo::Queues,
        ApplyTo::ClassicQueues,
        ApplyTo::QuorumQueues,
        ApplyTo::Streams,
    ];

    /// The value of `apply-to` in definitions.
    pub fn as_str(self) -> &'static str {
        match self {
            ApplyTo::All => "all",
            ApplyTo::Exchanges => "exchanges",
            ApplyTo::Queues => "queues",
            ApplyTo::ClassicQueues => "classic_queues",
            ApplyTo::QuorumQueues => "quorum_queues",
            ApplyTo::Streams => "streams",
        }
    }

    /// The value that definitions write as `name`.
    pub fn from_name(name: &str) -> Option<ApplyTo> {
        ApplyTo::EVERY.into_iter().find(|value| value.as_str() == name)
    }
}

/// A policy: arguments for every object whose name its pattern matches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PolicyDefinition {
    /// The virtual host's name.
    pub vhost: String,
    /// User or operator policy; names are unique per kind.
    pub kind: PolicyKind,
    /// The policy's name.
    pub name: String,
    /// Regular expression over object names, not anchored.
    pub pattern: String,
    /// Which objects it is about.
    pub apply_to: ApplyTo,
    /// The highest of the matching ones wins.
    pub priority: i64,
    /// Keys as `max-length` with their values.
    pub definition: FieldTable,
}

/// A runtime parameter of a virtual host, as `shovel` or `vhost-limits`.
///
/// `Debug` leaves the value out: it may hold the passwords of URIs.
#[derive(Clone, PartialEq)]
pub struct ParameterDefinition {
    /// The virtual host's name.
    pub vhost: String,
    /// What it configures, as `federation-upstream`.
    pub component: String,
    /// Its name, unique per component.
    pub name: String,
    /// Its value, usually a table.
    pub value: FieldValue,
}

impl fmt::Debug for ParameterDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParameterDefinition")
            .field("vhost", &self.vhost)
            .field("component", &self.component)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A runtime parameter of the whole node, as `cluster_name`.
///
/// `Debug` leaves the value out, as with [`ParameterDefinition`].
#[derive(Clone, PartialEq)]
pub struct GlobalParameterDefinition {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: FieldValue,
}

impl fmt::Debug for GlobalParameterDefinition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GlobalParameterDefinition").field("name", &self.name).finish_non_exhaustive()
    }
}
