//! The values of the tables: everything of a definition that is not in its key, field by field, after a version byte.

use amqp::FieldTable;

use super::codec::{Reader, Writer, table_of, value_of};
use crate::model::{
    ApplyTo, BindingDefinition, DestinationKind, ExchangeDefinition, GlobalParameterDefinition, ParameterDefinition,
    PermissionDefinition, PolicyDefinition, PolicyKind, QueueDefinition, TopicPermissionDefinition, UserDefinition,
    UserLimits, VhostDefinition,
};

/// In front of every record; another number is a record that this version cannot read.
const VERSION: u8 = 1;

fn writer() -> Writer {
    let mut writer = Writer::new();
    writer.byte(VERSION);
    writer
}

fn reader(bytes: &[u8]) -> Option<Reader<'_>> {
    let mut reader = Reader::new(bytes);
    (reader.byte()? == VERSION).then_some(reader)
}

pub(super) fn encode_vhost(vhost: &VhostDefinition) -> Vec<u8> {
    let mut out = writer();
    out.flags(&[vhost.tracing, vhost.protected_from_deletion]);
    out.text(&vhost.description);
    out.list(&vhost.tags);
    out.option(vhost.default_queue_type.as_deref(), Writer::text);
    out.finish()
}

pub(super) fn decode_vhost(name: &str, bytes: &[u8]) -> Option<VhostDefinition> {
    let mut input = reader(bytes)?;
    let [tracing, protected_from_deletion] = input.flags()?;
    let vhost = VhostDefinition {
        name: name.to_owned(),
        description: input.text()?,
        tags: input.list()?,
        default_queue_type: input.option(Reader::text)?,
        tracing,
        protected_from_deletion,
    };
    input.finish(vhost)
}

pub(super) fn encode_user(user: &UserDefinition) -> Vec<u8> {
    let mut out = writer();
    out.text(&user.password_hash);
    out.text(&user.hashing_algorithm);
    out.list(&user.tags);
    out.option(user.limits.max_connections, Writer::i64);
    out.option(user.limits.max_channels, Writer::i64);
    out.finish()
}

pub(super) fn decode_user(name: &str, bytes: &[u8]) -> Option<UserDefinition> {
    let mut input = reader(bytes)?;
    let user = UserDefinition {
        name: name.to_owned(),
        password_hash: input.text()?,
        hashing_algorithm: input.text()?,
        tags: input.list()?,
        limits: UserLimits { max_connections: input.option(Reader::i64)?, max_channels: input.option(Reader::i64)? },
    };
    input.finish(user)
}

pub(super) fn encode_permission(permission: &PermissionDefinition) -> Vec<u8> {
    let mut out = writer();
    out.text(&permission.configure);
    out.text(&permission.write);
    out.text(&permission.read);
    out.finish()
}

pub(super) fn decode_permission((user, vhost): (&str, &str), bytes: &[u8]) -> Option<PermissionDefinition> {
    let mut input = reader(bytes)?;
    let permission = PermissionDefinition {
        user: user.to_owned(),
        vhost: vhost.to_owned(),
        configure: input.text()?,
        write: input.text()?,
        read: input.text()?,
    };
    input.finish(permission)
}

pub(super) fn encode_topic_permission(permission: &TopicPermissionDefinition) -> Vec<u8> {
    let mut out = writer();
    out.text(&permission.write);
    out.text(&permission.read);
    out.finish()
}

pub(super) fn decode_topic_permission(
    (user, vhost, exchange): (&str, &str, &str),
    bytes: &[u8],
) -> Option<TopicPermissionDefinition> {
    let mut input = reader(bytes)?;
    let permission = TopicPermissionDefinition {
        user: user.to_owned(),
        vhost: vhost.to_owned(),
        exchange: exchange.to_owned(),
        write: input.text()?,
        read: input.text()?,
    };
    input.finish(permission)
}

pub(super) fn encode_exchange(exchange: &ExchangeDefinition) -> Vec<u8> {
    let mut out = writer();
    out.flags(&[exchange.durable, exchange.auto_delete, exchange.internal]);
    out.text(&exchange.kind);
    out.table(&exchange.arguments);
    out.finish()
}

pub(super) fn decode_exchange((vhost, name): (&str, &str), bytes: &[u8]) -> Option<ExchangeDefinition> {
    let mut input = reader(bytes)?;
    let [durable, auto_delete, internal] = input.flags()?;
    let exchange = ExchangeDefinition {
        vhost: vhost.to_owned(),
        name: name.to_owned(),
        kind: input.text()?,
        durable,
        auto_delete,
        internal,
        arguments: input.table()?,
    };
    input.finish(exchange)
}

pub(super) fn encode_queue(queue: &QueueDefinition) -> Vec<u8> {
    let mut out = writer();
    out.u64(queue.quid);
    out.flags(&[queue.durable, queue.auto_delete]);
    out.table(&queue.arguments);
    out.finish()
}

pub(super) fn decode_queue((vhost, name): (&str, &str), bytes: &[u8]) -> Option<QueueDefinition> {
    let mut input = reader(bytes)?;
    let quid = input.u64()?;
    let [durable, auto_delete] = input.flags()?;
    let queue = QueueDefinition {
        quid,
        vhost: vhost.to_owned(),
        name: name.to_owned(),
        durable,
        auto_delete,
        arguments: input.table()?,
    };
    input.finish(queue)
}

/// A binding is all key; its record is the version, and its order where that matters.
pub(super) fn encode_binding(binding: &BindingDefinition) -> Vec<u8> {
    let mut out = writer();
    if binding.order > 0 {
        out.u64(binding.order);
    }
    out.finish()
}

pub(super) fn decode_binding(
    (vhost, source, kind, destination, routing_key, arguments): (&str, &str, u8, &str, &str, FieldTable),
    bytes: &[u8],
) -> Option<BindingDefinition> {
    let binding = BindingDefinition {
        vhost: vhost.to_owned(),
        source: source.to_owned(),
        destination: destination.to_owned(),
        destination_kind: decode_destination_kind(kind)?,
        routing_key: routing_key.to_owned(),
        arguments,
        order: decode_binding_order(bytes)?,
    };
    Some(binding)
}

/// The order that the record of a binding tells.
pub(super) fn decode_binding_order(bytes: &[u8]) -> Option<u64> {
    let mut input = reader(bytes)?;
    let order = if input.is_empty() { 0 } else { input.u64()? };
    input.finish(order)
}

pub(super) fn encode_destination_kind(kind: DestinationKind) -> u8 {
    match kind {
        DestinationKind::Queue => 0,
        DestinationKind::Exchange => 1,
    }
}

pub(super) fn decode_destination_kind(kind: u8) -> Option<DestinationKind> {
    match kind {
        0 => Some(DestinationKind::Queue),
        1 => Some(DestinationKind::Exchange),
        _ => None,
    }
}

pub(super) fn encode_policy(policy: &PolicyDefinition) -> Vec<u8> {
    let mut out = writer();
    out.text(&policy.pattern);
    out.text(policy.apply_to.as_str());
    out.i64(policy.priority);
    out.table(&policy.definition);
    out.finish()
}

pub(super) fn decode_policy((vhost, kind, name): (&str, u8, &str), bytes: &[u8]) -> Option<PolicyDefinition> {
    let mut input = reader(bytes)?;
    let policy = PolicyDefinition {
        vhost: vhost.to_owned(),
        kind: decode_policy_kind(kind)?,
        name: name.to_owned(),
        pattern: input.text()?,
        apply_to: ApplyTo::from_name(&input.text()?)?,
        priority: input.i64()?,
        definition: input.table()?,
    };
    input.finish(policy)
}

pub(super) fn encode_policy_kind(kind: PolicyKind) -> u8 {
    match kind {
        PolicyKind::User => 0,
        PolicyKind::Operator => 1,
    }
}

pub(super) fn decode_policy_kind(kind: u8) -> Option<PolicyKind> {
    match kind {
        0 => Some(PolicyKind::User),
        1 => Some(PolicyKind::Operator),
        _ => None,
    }
}

pub(super) fn encode_parameter(parameter: &ParameterDefinition) -> Vec<u8> {
    let mut out = writer();
    out.table(&table_of(&parameter.value));
    out.finish()
}

pub(super) fn decode_parameter(
    (vhost, component, name): (&str, &str, &str),
    bytes: &[u8],
) -> Option<ParameterDefinition> {
    let mut input = reader(bytes)?;
    let parameter = ParameterDefinition {
        vhost: vhost.to_owned(),
        component: component.to_owned(),
        name: name.to_owned(),
        value: value_of(input.table()?)?,
    };
    input.finish(parameter)
}

pub(super) fn encode_global_parameter(parameter: &GlobalParameterDefinition) -> Vec<u8> {
    let mut out = writer();
    out.table(&table_of(&parameter.value));
    out.finish()
}

pub(super) fn decode_global_parameter(name: &str, bytes: &[u8]) -> Option<GlobalParameterDefinition> {
    let mut input = reader(bytes)?;
    let parameter = GlobalParameterDefinition { name: name.to_owned(), value: value_of(input.table()?)? };
    input.finish(parameter)
}

#[cfg(test)]
mod tests;
