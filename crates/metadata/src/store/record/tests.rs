//! Records of no version, cut short, too long or made of noise.

use proptest::prelude::*;

use super::*;

#[test]
fn a_record_is_read_whole_or_not_at_all() {
    let queue = QueueDefinition {
        quid: 7,
        vhost: "/".into(),
        name: "q".into(),
        durable: true,
        arguments: FieldTable::from_iter([("x-max-priority".into(), amqp::FieldValue::U8(9))]),
        ..QueueDefinition::default()
    };
    let bytes = encode_queue(&queue);
    assert_eq!(decode_queue(("/", "q"), &bytes), Some(queue));
    for length in 0..bytes.len() {
        assert_eq!(decode_queue(("/", "q"), &bytes[..length]), None, "cut to {length} bytes");
    }
    assert_eq!(decode_queue(("/", "q"), &[&bytes[..], &[0]].concat()), None, "one byte too many");
    assert_eq!(decode_queue(("/", "q"), &[&[VERSION + 1], &bytes[1..]].concat()), None, "another version");
}

#[test]
fn unknown_flags_and_kinds_are_refused() {
    let bytes = encode_exchange(&ExchangeDefinition::default());
    assert!(decode_exchange(("/", "x"), &bytes).is_some());
    let mut flagged = bytes;
    flagged[1] |= 1 << 3;
    assert_eq!(decode_exchange(("/", "x"), &flagged), None);
    assert_eq!(
        decode_binding(("/", "x", 2, "q", "", FieldTable::new()), &encode_binding(&BindingDefinition::default())),
        None
    );
    assert_eq!(decode_policy(("/", 2, "p"), &encode_policy(&PolicyDefinition::default())), None);
}

proptest! {
    #[test]
    fn noise_is_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let bytes = [&[VERSION], &bytes[..]].concat();
        decode_vhost("v", &bytes);
        decode_user("u", &bytes);
        decode_permission(("u", "v"), &bytes);
        decode_topic_permission(("u", "v", "x"), &bytes);
        decode_exchange(("v", "x"), &bytes);
        decode_queue(("v", "q"), &bytes);
        decode_policy(("v", 0, "p"), &bytes);
        decode_parameter(("v", "c", "n"), &bytes);
        decode_global_parameter("n", &bytes);
    }
}
