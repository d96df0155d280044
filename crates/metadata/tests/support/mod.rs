//! Changes over a handful of names, so that most of them meet something.

use amqp::{FieldTable, FieldValue};
use metadata::*;
use proptest::prelude::*;

pub fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => vhost().prop_map(Change::PutVhost),
        1 => name().prop_map(|name| Change::DeleteVhost { name }),
        3 => user().prop_map(Change::PutUser),
        1 => name().prop_map(|name| Change::DeleteUser { name }),
        3 => permission().prop_map(Change::PutPermission),
        1 => (name(), name()).prop_map(|(user, vhost)| Change::DeletePermission { user, vhost }),
        3 => topic_permission().prop_map(Change::PutTopicPermission),
        1 => (name(), name(), prop::option::of(name()))
            .prop_map(|(user, vhost, exchange)| Change::DeleteTopicPermission { user, vhost, exchange }),
        4 => exchange().prop_map(Change::PutExchange),
        2 => (name(), name()).prop_map(|(vhost, name)| Change::DeleteExchange { vhost, name }),
        4 => queue().prop_map(Change::PutQueue),
        2 => (name(), name()).prop_map(|(vhost, name)| Change::DeleteQueue { vhost, name }),
        12 => (binding(), 0..4_u64).prop_map(|(binding, order)| Change::PutBinding(BindingDefinition { order, ..binding })),
        3 => binding().prop_map(Change::DeleteBinding),
        3 => policy().prop_map(Change::PutPolicy),
        1 => (name(), policy_kind(), name()).prop_map(|(vhost, kind, name)| Change::DeletePolicy { vhost, kind, name }),
        3 => (name(), name(), name(), value())
            .prop_map(|(vhost, component, name, value)| {
                Change::PutParameter(ParameterDefinition { vhost, component, name, value })
            }),
        1 => (name(), name(), name())
            .prop_map(|(vhost, component, name)| Change::DeleteParameter { vhost, component, name }),
        2 => (name(), value())
            .prop_map(|(name, value)| Change::PutGlobalParameter(GlobalParameterDefinition { name, value })),
        1 => name().prop_map(|name| Change::DeleteGlobalParameter { name }),
        1 => (0..1u64 << 40).prop_map(Change::ReserveIds),
    ]
}

/// Names that are prefixes of each other or sort around a NUL, where ranges of keys would go wrong.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "a", "a\0", "a\0b", "ab", "b", "é"]).prop_map(str::to_owned)
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just(".*".to_owned()), "\\PC{0,40}"]
}

fn value() -> impl Strategy<Value = FieldValue> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(FieldValue::Bool),
        any::<i64>().prop_map(FieldValue::I64),
        any::<u8>().prop_map(FieldValue::U8),
        (-1e300..1e300).prop_map(FieldValue::F64),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(FieldValue::LongString),
        Just(FieldValue::Void),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(FieldValue::Array),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|fields| FieldValue::Table(fields.into_iter().collect())),
        ]
    })
}

fn table() -> impl Strategy<Value = FieldTable> {
    prop_oneof![
        2 => Just(FieldTable::new()),
        1 => prop::collection::vec((name(), value()), 1..3).prop_map(FieldTable::from_iter),
    ]
}

fn vhost() -> impl Strategy<Value = VhostDefinition> {
    (name(), text(), prop::collection::vec(text(), 0..3), prop::option::of(text()), any::<bool>(), any::<bool>())
        .prop_map(|(name, description, tags, default_queue_type, tracing, protected_from_deletion)| VhostDefinition {
            name,
            description,
            tags,
            default_queue_type,
            tracing,
            protected_from_deletion,
        })
}

fn user() -> impl Strategy<Value = UserDefinition> {
    let limit = || prop::option::of(any::<i64>());
    (name(), text(), text(), prop::collection::vec(text(), 0..3), limit(), limit()).prop_map(
        |(name, password_hash, hashing_algorithm, tags, max_connections, max_channels)| UserDefinition {
            name,
            password_hash,
            hashing_algorithm,
            tags,
            limits: UserLimits { max_connections, max_channels },
        },
    )
}

fn permission() -> impl Strategy<Value = PermissionDefinition> {
    (name(), name(), text(), text(), text()).prop_map(|(user, vhost, configure, write, read)| PermissionDefinition {
        user,
        vhost,
        configure,
        write,
        read,
    })
}

fn topic_permission() -> impl Strategy<Value = TopicPermissionDefinition> {
    (name(), name(), name(), text(), text()).prop_map(|(user, vhost, exchange, write, read)| {
        TopicPermissionDefinition { user, vhost, exchange, write, read }
    })
}

fn exchange() -> impl Strategy<Value = ExchangeDefinition> {
    (name(), name(), text(), any::<[bool; 3]>(), table()).prop_map(|(vhost, name, kind, flags, arguments)| {
        let [durable, auto_delete, internal] = flags;
        ExchangeDefinition { vhost, name, kind, durable, auto_delete, internal, arguments }
    })
}

fn queue() -> impl Strategy<Value = QueueDefinition> {
    (0..1u64 << 40, name(), name(), any::<bool>(), any::<bool>(), table()).prop_map(
        |(quid, vhost, name, durable, auto_delete, arguments)| QueueDefinition {
            quid,
            vhost,
            name,
            durable,
            auto_delete,
            arguments,
        },
    )
}

fn binding() -> impl Strategy<Value = BindingDefinition> {
    let kind = prop_oneof![Just(DestinationKind::Queue), Just(DestinationKind::Exchange)];
    (name(), name(), name(), kind, name(), table()).prop_map(
        |(vhost, source, destination, destination_kind, routing_key, arguments)| BindingDefinition {
            vhost,
            source,
            destination,
            destination_kind,
            routing_key,
            arguments,
            order: 0,
        },
    )
}

fn policy_kind() -> impl Strategy<Value = PolicyKind> {
    prop_oneof![Just(PolicyKind::User), Just(PolicyKind::Operator)]
}

fn policy() -> impl Strategy<Value = PolicyDefinition> {
    let apply_to = prop::sample::select(vec![
        ApplyTo::All,
        ApplyTo::Exchanges,
        ApplyTo::Queues,
        ApplyTo::ClassicQueues,
        ApplyTo::QuorumQueues,
        ApplyTo::Streams,
    ]);
    (name(), policy_kind(), name(), text(), apply_to, any::<i64>(), table()).prop_map(
        |(vhost, kind, name, pattern, apply_to, priority, definition)| PolicyDefinition {
            vhost,
            kind,
            name,
            pattern,
            apply_to,
            priority,
            definition,
        },
    )
}
