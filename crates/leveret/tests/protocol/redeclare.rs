//! `leveret.on_redeclare` and `leveret.quorum_as_classic`.

use testkit::{BrokerProcess, QueueDeclare, RawClient, Table, Value};

use crate::support::{connect_to, own_broker};

fn broker(settings: &[(&str, &str)]) -> Option<(BrokerProcess, RawClient)> {
    let broker = own_broker(settings)?;
    let client = connect_to(broker.address());
    Some((broker, client))
}

/// The JSON of queue `name` in `/`.
fn shown(broker: &BrokerProcess, name: &str) -> String {
    broker.http("GET", &format!("/api/queues/%2F/{name}"), &[], "").expect("an answer").body
}

#[track_caller]
fn refused(client: &mut RawClient, declare: QueueDeclare) -> String {
    client.send(1, declare);
    let text = client.expect_close(1).text;
    client.open_channel(1);
    text
}

#[test]
fn warn_keeps_the_queue_as_it_is() {
    let Some((broker, mut client)) = broker(&[("leveret.on_redeclare", "warn")]) else { return };
    client.declare(1, QueueDeclare::new("q").durable().argument("x-max-length", 5));
    client.fill("q", &["a"]);
    assert_eq!(client.declare(1, QueueDeclare::new("q").argument("x-max-length", 6)).message_count, 1);
    client.declare(1, QueueDeclare::new("q").durable().argument("x-expires", 60000));
    assert!(broker.has_logged("kept as it is (leveret.on_redeclare = warn): inequivalent arg 'durable' for queue 'q'"));
    assert!(broker.has_logged("inequivalent arg 'x-expires' for queue 'q' in vhost '/'"));
    let shown = shown(&broker, "q");
    assert!(shown.contains(r#""arguments":{"x-max-length":5}"#) && shown.contains(r#""durable":true"#), "{shown}");
    // A queue of another connection stays its own.
    client.declare(1, QueueDeclare::exclusive("own"));
    let mut other = connect_to(broker.address());
    assert!(refused(&mut other, QueueDeclare::new("own")).starts_with("RESOURCE_LOCKED"));
}

#[test]
fn alter_changes_what_can_change_in_place() {
    let Some((mut broker, mut client)) = broker(&[("leveret.on_redeclare", "alter")]) else { return };
    let first = || QueueDeclare::new("q").durable().argument("x-max-length", 5).argument("x-max-priority", 3);
    client.declare(1, first());
    client.fill("q", &["a"]);
    let changed = QueueDeclare::new("q")
        .durable()
        .argument("x-max-length", 7)
        .argument("x-message-ttl", 3_600_000)
        .argument("x-max-priority", 3);
    assert_eq!(client.declare(1, changed.clone()).message_count, 1);
    let arguments = r#""arguments":{"x-max-length":7,"x-message-ttl":3600000,"x-max-priority":3}"#;
    assert!(shown(&broker, "q").contains(arguments), "{}", shown(&broker, "q"));
    assert!(broker.has_logged("changed as redeclared (leveret.on_redeclare = alter)"));

    for (declare, text) in [
        (QueueDeclare { durable: false, ..changed.clone() }, "inequivalent arg 'durable'"),
        (QueueDeclare { auto_delete: true, ..changed.clone() }, "inequivalent arg 'auto_delete'"),
        (QueueDeclare::new("q").durable().argument("x-max-priority", 4), "inequivalent arg 'x-max-priority'"),
        (QueueDeclare::new("q").durable(), "inequivalent arg 'x-max-priority'"),
        (changed.clone().argument("x-single-active-consumer", true), "inequivalent arg 'x-single-active-consumer'"),
        (changed.clone().argument("x-queue-type", "quorum"), "inequivalent arg 'x-queue-type'"),
        (changed.clone().argument("x-overflow", "nope"), "invalid arg 'x-overflow'"),
        (changed.clone().argument("x-expires", -1), "invalid arg 'x-expires'"),
    ] {
        let refusal = refused(&mut client, declare);
        assert!(refusal.starts_with(&format!("PRECONDITION_FAILED - {text} for queue 'q'")), "{refusal}");
    }
    assert!(shown(&broker, "q").contains(arguments));

    // It is durable like the queue itself.
    broker.kill_9();
    broker.launch();
    assert!(shown(&broker, "q").contains(arguments), "{}", shown(&broker, "q"));
}

const STAND_IN: (&str, &str) = ("leveret.quorum_as_classic", "true");

fn quorum(name: &str) -> QueueDeclare {
    QueueDeclare::new(name).durable().argument("x-queue-type", "quorum")
}

#[test]
fn a_classic_queue_stands_in_for_a_quorum_queue() {
    let Some((broker, mut client)) = broker(&[STAND_IN]) else { return };
    let declare = || {
        quorum("q")
            .argument("x-delivery-limit", 5)
            .argument("x-quorum-initial-group-size", 3)
            .argument("x-max-in-memory-length", 100)
            .argument("x-dead-letter-strategy", "at-least-once")
    };
    client.declare(1, declare());
    client.fill("q", &["a"]);
    assert_eq!(client.declare(1, declare()).message_count, 1);
    assert!(
        broker.has_logged("queue 'q' in vhost '/' is declared as a quorum queue and becomes a durable classic one")
    );
    let shown = shown(&broker, "q");
    assert!(shown.contains(r#""type":"classic""#) && shown.contains(r#""x-queue-type":"quorum""#), "{shown}");
    for (declare, text) in [
        (quorum("q").argument("x-delivery-limit", 5), "inequivalent arg 'x-dead-letter-strategy'"),
        (declare().argument("x-quorum-target-group-size", 5), "inequivalent arg 'x-quorum-target-group-size'"),
        (QueueDeclare::new("q").durable().argument("x-queue-type", "classic"), "inequivalent arg"),
        (quorum("other").argument("x-quorum-initial-group-size", 0), "invalid arg 'x-quorum-initial-group-size'"),
        (QueueDeclare::new("s").durable().argument("x-queue-type", "stream"), "this version has no streams"),
    ] {
        let refusal = refused(&mut client, declare);
        assert!(refusal.starts_with(&format!("PRECONDITION_FAILED - {text}")), "{refusal}");
    }
}

/// RabbitMQ injects the default type, so that a declaration with it and one without are the same.
#[test]
fn the_default_type_is_that_of_the_node_and_of_the_virtual_host() {
    let Some((broker, mut client)) = broker(&[STAND_IN, ("default_queue_type", "quorum")]) else { return };
    client.declare(1, QueueDeclare::new("q").durable());
    client.declare(1, quorum("q"));
    assert!(shown(&broker, "q").contains(r#""x-queue-type":"quorum""#));
    // What cannot be a quorum queue is a classic one.
    for (name, declare) in [
        ("transient", QueueDeclare::new("transient")),
        ("exclusive", QueueDeclare::exclusive("exclusive")),
        ("auto-delete", QueueDeclare::new("auto-delete").durable().auto_delete()),
        ("classic", QueueDeclare::new("classic").durable().argument("x-queue-type", "classic")),
    ] {
        client.declare(1, declare);
        assert!(!shown(&broker, name).contains("quorum"), "{name}");
    }
    // RabbitMQ: as if the argument were not there.
    client.declare(1, QueueDeclare::new("q").durable().argument("x-queue-type", ""));

    broker.administer("PUT", "/api/vhosts/v", r#"{"default_queue_type":"classic"}"#);
    broker.administer("PUT", "/api/permissions/v/guest", r#"{"configure":".*","write":".*","read":".*"}"#);
    let options = testkit::ConnectOptions { vhost: "v".to_owned(), ..Default::default() };
    let mut client = crate::support::connect_with(broker.address(), &options);
    client.declare(1, QueueDeclare::new("q").durable());
    client.declare(1, QueueDeclare::new("q").durable().argument("x-queue-type", "classic"));
}

#[test]
fn a_default_type_that_does_not_exist_is_refused_when_it_is_used() {
    let Some((broker, mut client)) = broker(&[]) else { return };
    broker.administer("PUT", "/api/vhosts/%2F", r#"{"default_queue_type":"quorum"}"#);
    let refusal = refused(&mut client, QueueDeclare::new("q").durable());
    assert!(refusal.starts_with("PRECONDITION_FAILED - this version has no quorum queues"), "{refusal}");
    client.declare(1, QueueDeclare::new("q"));
    broker.administer("PUT", "/api/vhosts/%2F", r#"{"default_queue_type":"undefined"}"#);
    client.declare(1, QueueDeclare::new("durable").durable());
    let answer = broker.http("PUT", "/api/vhosts/%2F", &[], r#"{"default_queue_type":"nope"}"#).expect("an answer");
    assert_eq!((answer.status, answer.body.contains("nope is not a valid queue type")), (400, true), "{}", answer.body);
}

#[test]
fn a_redeclaration_is_refused_by_default() {
    let Some((_broker, mut client)) = broker(&[]) else { return };
    client.declare(1, QueueDeclare::new("q").durable());
    let with = |name: &str, value: Value| QueueDeclare {
        arguments: Table::from([(name.into(), value)]),
        ..QueueDeclare::new("q").durable()
    };
    for (name, value) in [("x-message-ttl", Value::from(5)), ("x-delayed-retry-min", Value::from(5))] {
        let refusal = refused(&mut client, with(name, value));
        assert!(refusal.contains(&format!("inequivalent arg '{name}'")), "{refusal}");
    }
}
