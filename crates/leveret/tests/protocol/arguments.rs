//! Arguments of queue.declare and basic.consume: what is refused, and in which words.

use testkit::{Consume, QueueDeclare, RawClient, Table, Value};

use crate::support::{connect, is_external, queue, unique};

#[track_caller]
fn check_declare(client: &mut RawClient, arguments: Table, expected: Option<&str>) {
    let name = unique("arg");
    client.send(1, QueueDeclare { arguments: arguments.clone(), ..QueueDeclare::exclusive(&name) });
    check_close(client, &name, &format!("{arguments:?}"), expected);
}

/// What `PRECONDITION_FAILED - invalid arg 'NAME' for queue 'QUEUE' in vhost '/'` goes on with; `None` = accepted.
#[track_caller]
fn check_close(client: &mut RawClient, queue: &str, what: &str, expected: Option<&str>) {
    let Some(expected) = expected else {
        client.expect_method(1, (50, 11));
        return;
    };
    let close = client.expect_close(1);
    client.open_channel(1);
    let (argument, reason) = expected.split_once(' ').expect("an argument and a reason");
    let text = format!("PRECONDITION_FAILED - invalid arg '{argument}' for queue '{queue}' in vhost '/'{reason}");
    assert_eq!(close.text, text, "{what}");
}

fn one(name: &str, value: impl Into<Value>) -> Table {
    vec![(name.to_owned(), value.into())]
}

#[test]
fn times_are_checked() {
    let mut client = connect();
    for (value, reason) in [
        (Value::Long(-1), ": {value_negative,-1}"),
        (Value::Long(315_360_000_001), ": {value_too_large,315360000001}"),
        (Value::from("60"), ": \"expected integer, got longstr\""),
        (Value::Bool(true), ": \"expected integer, got bool\""),
    ] {
        for argument in ["x-message-ttl", "x-expires"] {
            check_declare(&mut client, one(argument, value.clone()), Some(&format!("{argument} {reason}")));
        }
    }
    check_declare(&mut client, one("x-expires", 0), Some("x-expires : {value_zero,0}"));
    check_declare(&mut client, one("x-message-ttl", 0), None);
    check_declare(&mut client, one("x-message-ttl", Value::Long(315_360_000_000)), None);
    check_declare(&mut client, one("x-expires", Value::Long(315_360_000_000)), None);
}

#[test]
fn lengths_are_checked() {
    let mut client = connect();
    for argument in ["x-max-length", "x-max-length-bytes"] {
        for (value, reason) in [
            (Value::from(-1), ": {value_negative,-1}"),
            (Value::from("5"), ": \"expected integer, got longstr\""),
            (Value::Double(5.0), ": \"expected integer, got double\""),
        ] {
            check_declare(&mut client, one(argument, value), Some(&format!("{argument} {reason}")));
        }
        check_declare(&mut client, one(argument, 0), None);
        check_declare(&mut client, one(argument, Value::Long(i64::MAX)), None);
    }
    check_declare(&mut client, one("x-max-priority", 256), Some("x-max-priority : {max_value_exceeded,256}"));
    check_declare(&mut client, one("x-max-priority", -1), Some("x-max-priority : {value_negative,-1}"));
    check_declare(&mut client, one("x-max-priority", 255), None);
    check_declare(&mut client, one("x-max-priority", 0), None);
}

#[test]
fn words_are_checked() {
    let mut client = connect();
    check_declare(&mut client, one("x-overflow", "x"), Some("x-overflow : invalid_overflow"));
    check_declare(&mut client, one("x-overflow", 1), Some("x-overflow : {unacceptable_type,signedint}"));
    for word in ["drop-head", "reject-publish", "reject-publish-dlx"] {
        check_declare(&mut client, one("x-overflow", word), None);
    }
    check_declare(
        &mut client,
        one("x-dead-letter-routing-key", "key"),
        Some("x-dead-letter-routing-key : routing_key_but_no_dlx_defined"),
    );
    check_declare(
        &mut client,
        vec![
            ("x-dead-letter-exchange".to_owned(), Value::from("amq.fanout")),
            ("x-dead-letter-routing-key".to_owned(), Value::from(1)),
        ],
        Some("x-dead-letter-routing-key : {unacceptable_type,signedint}"),
    );
    check_declare(&mut client, one("x-single-active-consumer", true), None);
    check_declare(&mut client, one("x-queue-mode", "lazy"), None);
    check_declare(&mut client, one("x-queue-version", 2), None);
    check_declare(&mut client, one("x-queue-version", 3), Some("x-queue-version : \"unsupported queue version '3'\""));
}

#[test]
fn queue_types_are_checked() {
    let mut client = connect();
    check_declare(&mut client, one("x-queue-type", "zz"), Some("x-queue-type : \"unsupported queue type 'zz'\""));
    check_declare(&mut client, one("x-queue-type", 1), Some("x-queue-type : {unacceptable_type,signedint}"));
    check_declare(&mut client, one("x-queue-type", "classic"), None);
    for argument in ["x-max-age", "x-stream-max-segment-size-bytes", "x-initial-cluster-size"] {
        let expected = format!("{argument}  of queue type rabbit_classic_queue");
        check_declare(&mut client, one(argument, "1D"), Some(&expected));
    }
    for argument in ["x-quorum-initial-group-size", "x-max-in-memory-length"] {
        let expected = format!("{argument}  of queue type rabbit_classic_queue");
        check_declare(&mut client, one(argument, 3), Some(&expected));
    }
}

/// Those that only quorum queues have in RabbitMQ, and every queue here.
#[test]
fn arguments_of_quorum_queues_that_classic_ones_have_here() {
    if is_external() {
        eprintln!("skipped: RabbitMQ refuses them");
        return;
    }
    let mut client = connect();
    for (argument, good, bad, reason) in [
        ("x-dead-letter-strategy", Value::from("at-least-once"), Value::from("x"), "invalid_dlx_strategy"),
        ("x-delivery-limit", Value::from(-1), Value::from("x"), "\"expected integer, got longstr\""),
        ("x-consumer-timeout", Value::from(0), Value::from(-1), "{value_negative,-1}"),
        ("x-delayed-retry-type", Value::from("failed"), Value::from("x"), "invalid_delayed_retry_type"),
        ("x-delayed-retry-min", Value::from(1), Value::from(0), "{value_zero,0}"),
        ("x-delayed-retry-max", Value::from(1), Value::from(-3), "{value_negative,-3}"),
        ("x-message-deduplication", Value::Bool(true), Value::from("true"), "\"expected boolean, got longstr\""),
    ] {
        check_declare(&mut client, one(argument, good), None);
        check_declare(&mut client, one(argument, bad), Some(&format!("{argument} : {reason}")));
    }
}

#[test]
fn unknown_arguments_are_ignored() {
    let mut client = connect();
    check_declare(&mut client, vec![("x-own".into(), Value::from(7)), ("own".into(), Value::Bool(false))], None);
}

#[test]
fn arguments_of_consuming_are_checked() {
    let mut client = connect();
    let name = queue(&mut client, "consume");
    let mut check = |argument: &str, value: Value, expected: &str| {
        client.send(1, Consume::new(&name, "tag").argument(argument, value));
        check_close(&mut client, &name, argument, Some(expected));
    };
    check("x-priority", Value::from("a"), "x-priority : \"expected integer, got longstr\"");
    check("x-priority", Value::Double(1.5), "x-priority : \"expected integer, got double\"");
    check("x-stream-offset", Value::from("first"), "x-stream-offset  of queue type rabbit_classic_queue");
    client.consume(1, Consume::new(&name, "tag").argument("x-priority", -5).argument("x-own", "anything"));
}
