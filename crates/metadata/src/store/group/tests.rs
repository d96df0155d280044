//! Groups of changes: what is written is read, and nothing else is.

use amqp::{FieldTable, FieldValue};
use proptest::prelude::*;

use super::*;
use crate::model::*;

fn table() -> FieldTable {
    [("x".to_owned(), FieldValue::Array(vec![FieldValue::I64(-7), FieldValue::Bool(true)]))].into_iter().collect()
}

/// One change of each kind, in the order of their numbers.
fn one_of_each() -> Vec<Change> {
    let s = str::to_owned;
    let (user, vhost, exchange) = (s("guest"), s("/"), s("amq.topic"));
    let binding = BindingDefinition {
        vhost: s("/"),
        source: s("amq.topic"),
        destination: s("q"),
        destination_kind: DestinationKind::Exchange,
        routing_key: s("a.#"),
        arguments: table(),
        order: 0,
    };
    vec![
        Change::PutVhost(VhostDefinition {
            name: s("v\0é"),
            description: s("text"),
            tags: vec![s("a"), s("")],
            default_queue_type: Some(s("classic")),
            tracing: true,
            protected_from_deletion: false,
        }),
        Change::DeleteVhost { name: s("") },
        Change::PutUser(UserDefinition {
            name: s("guest"),
            password_hash: s("hash"),
            hashing_algorithm: s("rabbit_password_hashing_sha256"),
            tags: vec![s("administrator")],
            limits: UserLimits { max_connections: Some(-1), max_channels: None },
        }),
        Change::DeleteUser { name: s("guest") },
        Change::PutPermission(PermissionDefinition {
            user: user.clone(),
            vhost: vhost.clone(),
            configure: s(".*"),
            write: s(""),
            read: s("^a"),
        }),
        Change::DeletePermission { user: user.clone(), vhost: vhost.clone() },
        Change::PutTopicPermission(TopicPermissionDefinition {
            user: user.clone(),
            vhost: vhost.clone(),
            exchange: exchange.clone(),
            write: s("w"),
            read: s("r"),
        }),
        Change::DeleteTopicPermission { user, vhost, exchange: Some(exchange) },
        Change::PutExchange(ExchangeDefinition {
            vhost: s("/"),
            name: s("x"),
            kind: s("topic"),
            durable: true,
            auto_delete: false,
            internal: true,
            arguments: table(),
        }),
        Change::DeleteExchange { vhost: s("/"), name: s("x") },
        Change::PutQueue(QueueDefinition {
            quid: u64::MAX,
            vhost: s("/"),
            name: s("q"),
            durable: true,
            auto_delete: true,
            arguments: table(),
        }),
        Change::DeleteQueue { vhost: s("/"), name: s("q") },
        Change::PutBinding(BindingDefinition { order: 9, ..binding.clone() }),
        Change::DeleteBinding(binding),
        Change::PutPolicy(PolicyDefinition {
            vhost: s("/"),
            kind: PolicyKind::Operator,
            name: s("p"),
            pattern: s("^q"),
            apply_to: ApplyTo::QuorumQueues,
            priority: i64::MIN,
            definition: table(),
        }),
        Change::DeletePolicy { vhost: s("/"), kind: PolicyKind::User, name: s("p") },
        Change::PutParameter(ParameterDefinition {
            vhost: s("/"),
            component: s("shovel"),
            name: s("n"),
            value: FieldValue::Table(table()),
        }),
        Change::DeleteParameter { vhost: s("/"), component: s("shovel"), name: s("n") },
        Change::PutGlobalParameter(GlobalParameterDefinition { name: s("n"), value: FieldValue::Void }),
        Change::DeleteGlobalParameter { name: s("n") },
        Change::ReserveIds(1 << 40),
    ]
}

#[test]
fn every_change_is_read_back_under_its_own_number() {
    for (at, change) in one_of_each().into_iter().enumerate() {
        let bytes = encode_changes(std::slice::from_ref(&change));
        assert_eq!(bytes[..6], [VERSION, 0, 0, 0, 1, at as u8 + 1], "{change:?}");
        assert_eq!(decode_changes(&bytes), Some(vec![change]));
    }
    let after_the_last = one_of_each().len() as u8 + 1;
    for kind in [0, after_the_last, 255] {
        assert_eq!(decode_changes(&[VERSION, 0, 0, 0, 1, kind]), None, "kind {kind} is of no change");
    }
}

#[test]
fn a_group_is_read_whole_or_not_at_all() {
    let changes = one_of_each();
    let bytes = encode_changes(&changes);
    assert_eq!(decode_changes(&bytes), Some(changes));
    for length in 0..bytes.len() {
        assert_eq!(decode_changes(&bytes[..length]), None, "cut to {length} bytes");
    }
    assert_eq!(decode_changes(&[&bytes[..], &[0]].concat()), None, "one byte too many");
    assert_eq!(decode_changes(&[&[VERSION + 1], &bytes[1..]].concat()), None, "another version");
    assert_eq!(decode_changes(&encode_changes(&[])), Some(vec![]));
}

#[test]
fn the_bytes_are_those_of_the_documentation() {
    let queue = QueueDefinition { quid: 7, vhost: "/".into(), name: "q".into(), durable: true, ..Default::default() };
    let bytes = encode_changes(&[Change::PutQueue(queue), Change::ReserveIds(258)]);
    let expected: &[&[u8]] = &[
        &[1, 0, 0, 0, 2],                          // version, count
        &[11, 0, 0, 0, 1, b'/', 0, 0, 0, 1, b'q'], // put queue: virtual host, name
        &[0, 0, 0, 14],                            // length of the record
        &[1, 0, 0, 0, 0, 0, 0, 0, 7, 1, 0, 0, 0, 0],
        &[21, 0, 0, 0, 0, 0, 0, 1, 2],
    ];
    assert_eq!(bytes, expected.concat());
}

#[test]
fn a_declared_count_allocates_nothing() {
    assert_eq!(decode_changes(&[VERSION, 255, 255, 255, 255]), None);
    assert_eq!(decode_changes(&[VERSION, 0, 0, 0, 1, kind::DELETE_VHOST, 255, 255, 255, 255]), None);
}

proptest! {
    #[test]
    fn noise_never_panics(kind in 0..25u8, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        decode_changes(&bytes);
        decode_changes(&[&[VERSION, 0, 0, 0, 1, kind], &bytes[..]].concat());
    }

    #[test]
    fn a_flipped_bit_never_panics(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut bytes = encode_changes(&one_of_each());
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Some(changes) = decode_changes(&bytes) {
            prop_assert_eq!(decode_changes(&encode_changes(&changes)), Some(changes));
        }
    }
}
