//! The definitions: plain values, named and shaped as in RabbitMQ's definitions export.

mod access;
mod policy;
mod topology;

pub use access::{PermissionDefinition, TopicPermissionDefinition, UserDefinition, UserLimits, VhostDefinition};
pub use policy::{ApplyTo, GlobalParameterDefinition, ParameterDefinition, PolicyDefinition, PolicyKind};
pub use topology::{BindingDefinition, DestinationKind, ExchangeDefinition, QueueDefinition};
