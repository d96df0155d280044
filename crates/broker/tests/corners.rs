//! Corners where features of queues meet: what waits or is held back when a queue's options change, when it goes, and
//! after a restart.

use amqp::method::{basic, exchange, queue};
use amqp::{FieldTable, FieldValue, Method, Properties, TableRef};
use broker::{AdminCommand, Settings};
use metadata::PolicyKind;
use std::sync::Arc;
use store::simulation::SimulatedDisk;
use testkit::engine::{Checkpoint, Client, Engine, publish};

const QUEUE: &str = "q";
const TARGET: &str = "target";

fn engine() -> (Engine, Client) {
    let mut engine = Engine::new(Settings::default(), 1, 1);
    let client = engine.connect_with_channel(0);
    (engine, client)
}

fn text(value: &str) -> FieldValue {
    FieldValue::LongString(value.as_bytes().to_vec())
}

/// Sets the only policy, for all queues called [`QUEUE`].
fn set_policy(engine: &mut Engine, keys: &[(&str, FieldValue)]) {
    let definition: FieldTable = keys.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    let mut terms = FieldTable::new();
    terms.insert("priority", FieldValue::I64(0));
    terms.insert("pattern", text("^q$"));
    terms.insert("definition", FieldValue::Table(definition));
    let (vhost, name) = ("/".to_owned(), "p".to_owned());
    let set = AdminCommand::SetPolicy { kind: PolicyKind::User, vhost, name, terms: FieldValue::Table(terms) };
    engine.broker.execute(set).expect("the policy is set");
    engine.settle();
}

fn clear_policy(engine: &mut Engine) {
    let (vhost, name) = ("/".to_owned(), "p".to_owned());
    engine.broker.execute(AdminCommand::ClearPolicy { kind: PolicyKind::User, vhost, name }).expect("it is cleared");
    engine.settle();
}

fn put(engine: &mut Engine, client: &Client, properties: &Properties<'_>, body: &[u8]) {
    client.publish(1, publish("", QUEUE), properties, body);
    engine.settle();
}

/// The body and the delivery tag of what basic.get finds.
fn get(engine: &mut Engine, client: &mut Client, queue: &str) -> Option<(Vec<u8>, u64)> {
    let answer = engine.call(client, 1, &Method::BasicGet(basic::Get { queue, no_ack: false }));
    match answer.method() {
        Method::BasicGetOk(got) => Some((answer.body.clone(), got.delivery_tag)),
        Method::BasicGetEmpty(_) => None,
        other => panic!("an answer to basic.get: {other:?}"),
    }
}

fn reject(engine: &mut Engine, client: &Client, delivery_tag: u64, requeue: bool) {
    client.method(1, &Method::BasicReject(basic::Reject { delivery_tag, requeue }));
    engine.settle();
}

fn pass(engine: &mut Engine, ms: u64) {
    engine.advance_ms(ms);
    engine.settle();
}

#[test]
fn a_message_expires_that_was_got_from_a_plain_queue_and_came_back() {
    let (mut engine, mut client) = engine();
    engine.declare(&mut client, 1, QUEUE);
    put(&mut engine, &client, &Properties { expiration: Some("1000"), ..Properties::default() }, b"1");
    let (_, tag) = get(&mut engine, &mut client, QUEUE).expect("it is there");
    reject(&mut engine, &client, tag, true);
    pass(&mut engine, 2000);
    assert_eq!(get(&mut engine, &mut client, QUEUE), None, "it has expired");
}

#[test]
fn a_message_that_waits_before_it_is_ready_comes_back_when_the_policy_goes() {
    let (mut engine, mut client) = engine();
    let waits = [("delayed-retry-type", text("all")), ("delayed-retry-min", FieldValue::I64(1000))];
    set_policy(&mut engine, &waits);
    engine.declare(&mut client, 1, QUEUE);
    put(&mut engine, &client, &Properties::default(), b"1");
    let (_, tag) = get(&mut engine, &mut client, QUEUE).expect("it is there");
    reject(&mut engine, &client, tag, true);
    assert_eq!(get(&mut engine, &mut client, QUEUE), None, "it waits");
    clear_policy(&mut engine);
    pass(&mut engine, 2000);
    assert!(get(&mut engine, &mut client, QUEUE).is_some(), "its wait is over");
}

/// A queue whose message was rejected, and which keeps it because no queue takes it.
fn with_an_unsent_letter() -> (Engine, Client) {
    let (mut engine, mut client) = engine();
    set_policy(
        &mut engine,
        &[("dead-letter-exchange", text("nowhere")), ("dead-letter-strategy", text("at-least-once"))],
    );
    engine.declare(&mut client, 1, QUEUE);
    engine.declare(&mut client, 1, TARGET);
    put(&mut engine, &client, &Properties::default(), b"1");
    let (_, tag) = get(&mut engine, &mut client, QUEUE).expect("it is there");
    reject(&mut engine, &client, tag, false);
    pass(&mut engine, 5000);
    (engine, client)
}

#[test]
fn a_dead_letter_that_no_queue_took_goes_where_the_policy_says_by_then() {
    let (mut engine, mut client) = with_an_unsent_letter();
    set_policy(
        &mut engine,
        &[
            ("dead-letter-exchange", text("")),
            ("dead-letter-routing-key", text(TARGET)),
            ("dead-letter-strategy", text("at-least-once")),
        ],
    );
    pass(&mut engine, 5000);
    assert!(get(&mut engine, &mut client, TARGET).is_some());
}

#[test]
fn a_dead_letter_that_no_queue_took_is_dropped_where_the_queue_dead_letters_no_more() {
    let (mut engine, mut client) = with_an_unsent_letter();
    let unacknowledged = |engine: &Engine| {
        let cell = engine.broker.vhost("/").and_then(|vhost| vhost.queue(QUEUE)).expect("the queue is there");
        cell.counters.messages_unacknowledged.value()
    };
    assert_eq!(unacknowledged(&engine), 1);
    clear_policy(&mut engine);
    pass(&mut engine, 5000);
    assert_eq!(unacknowledged(&engine), 0);
    assert_eq!(get(&mut engine, &mut client, QUEUE), None);
}

#[test]
fn a_queue_that_is_deleted_lets_go_of_what_it_keeps() {
    let (mut engine, mut client) = with_an_unsent_letter();
    let cell = engine.broker.vhost("/").and_then(|vhost| vhost.queue(QUEUE)).map(|cell| Arc::downgrade(&cell));
    let delete = queue::Delete { queue: QUEUE, if_unused: false, if_empty: false, nowait: false };
    engine.call(&mut client, 1, &Method::QueueDelete(delete));
    pass(&mut engine, 5000);
    // The cache of routes remembers it until it needs the place.
    assert!(cell.expect("it was there").strong_count() <= 1, "its letter lets go of it");
}

#[test]
fn a_history_is_given_to_new_bindings_after_a_restart() {
    let (disk, checkpoint) = (SimulatedDisk::new(), Checkpoint::default());
    let open = |seed| Engine::durable(Settings::default(), 1, seed, disk.clone(), checkpoint.clone(), 1 << 30);
    let mut engine = open(1);
    let mut client = engine.connect_with_channel(0);
    let declare = exchange::Declare {
        exchange: "history",
        kind: "x-recent-history",
        passive: false,
        durable: true,
        auto_delete: false,
        internal: false,
        nowait: false,
        arguments: TableRef::default(),
    };
    engine.call(&mut client, 1, &Method::ExchangeDeclare(declare));
    for body in [b"1", b"2", b"3"] {
        client.publish(1, publish("history", ""), &Properties::default(), body);
    }
    engine.settle();
    let broker = engine.broker.clone();
    engine.storage.take().expect("a store").finish(&broker).expect("the disk does not fail");
    drop((engine, broker));
    let mut engine = open(2);
    let mut client = engine.connect_with_channel(0);
    engine.declare(&mut client, 1, TARGET);
    let bind = queue::Bind {
        queue: TARGET,
        exchange: "history",
        routing_key: "",
        nowait: false,
        arguments: TableRef::default(),
    };
    engine.call(&mut client, 1, &Method::QueueBind(bind));
    engine.settle();
    let bodies: Vec<_> = std::iter::from_fn(|| get(&mut engine, &mut client, TARGET)).map(|(body, _)| body).collect();
    assert_eq!(bodies, [b"1", b"2", b"3"]);
}

#[test]
fn a_queue_that_is_used_in_the_moment_of_its_end_ends_later() {
    let (mut engine, mut client) = engine();
    engine.declare_with(
        &mut client,
        1,
        QUEUE,
        false,
        &FieldTable::from_iter([("x-expires".to_owned(), FieldValue::I64(1000))]),
    );
    let exists = |engine: &Engine| engine.broker.vhost("/").is_some_and(|vhost| vhost.queue(QUEUE).is_some());
    engine.advance_ms(1000);
    // In the same turn.
    let declare = queue::Declare {
        queue: QUEUE,
        passive: true,
        durable: false,
        exclusive: false,
        auto_delete: false,
        nowait: false,
        arguments: TableRef::default(),
    };
    engine.call(&mut client, 1, &Method::QueueDeclare(declare));
    assert!(exists(&engine), "it was used");
    pass(&mut engine, 1100);
    assert!(!exists(&engine), "it was not used any more");
}

#[test]
fn dead_letters_wait_while_the_log_is_full() {
    let disk = SimulatedDisk::new();
    let mut engine = Engine::durable(Settings::default(), 1, 1, disk, Checkpoint::default(), 1 << 30);
    let mut client = engine.connect_with_channel(0);
    let arguments = FieldTable::from_iter([
        ("x-message-ttl".to_owned(), FieldValue::I64(1000)),
        ("x-dead-letter-exchange".to_owned(), text("")),
        ("x-dead-letter-routing-key".to_owned(), text(TARGET)),
    ]);
    engine.declare_with(&mut client, 1, QUEUE, true, &arguments);
    engine.declare_as(&mut client, 1, TARGET, true);
    let ready = |engine: &Engine, name: &str| {
        let cell = engine.broker.vhost("/").and_then(|vhost| vhost.queue(name)).expect("the queue is there");
        cell.counters.messages_ready.value()
    };
    // Nobody writes what is staged, until the publisher is parked.
    let persistent = Properties { delivery_mode: Some(2), ..Properties::default() };
    let mut published = 0;
    while ready(&engine, QUEUE) == published {
        client.publish(1, publish("", QUEUE), &persistent, &[0; 64 << 10]);
        published += 1;
        while engine.turn(0) {}
    }
    engine.advance_ms(1000);
    for _ in 0..100 {
        engine.turn(0);
    }
    assert_eq!((ready(&engine, QUEUE), ready(&engine, TARGET)), (0, 0), "expired, and on their way");
    pass(&mut engine, 1000);
    pass(&mut engine, 1000);
    assert_eq!(ready(&engine, TARGET), published, "all arrive when there is room");
}
