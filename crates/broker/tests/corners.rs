//! Corners where features of queues meet: what waits or is held back when a queue's options change, when it goes, and
//! after a restart.

use amqp::method::{basic, exchange, queue};
use amqp::{FieldTable, FieldValue, Method, Properties, TableRef};
use broker::{AdminCommand, DeadLetterTarget, DelayedRetry, Overflow, QueueOptions, Settings};
use metadata::PolicyKind;
use std::sync::Arc;
use store::simulation::SimulatedDisk;
use testkit::engine::{Checkpoint, Client, Engine, Random, publish};

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

#[test]
fn dead_letters_that_no_queue_takes_hold_up_no_delayed_messages() {
    // More than may be under way at once.
    const LETTERS: u64 = 9000;
    let (mut engine, mut client) = engine();
    let keys = [("dead-letter-exchange", text("nowhere")), ("dead-letter-strategy", text("at-least-once"))];
    set_policy(&mut engine, &keys);
    engine.declare(&mut client, 1, QUEUE);
    engine.declare(&mut client, 1, TARGET);
    // The others expire out of turn.
    for expiration in std::iter::once("1000000").chain((0..LETTERS).map(|_| "10")) {
        let properties = Properties { expiration: Some(expiration), ..Properties::default() };
        client.publish(1, publish("", QUEUE), &properties, b"");
    }
    engine.settle();
    pass(&mut engine, 1000);
    let unsent = engine.broker.vhost("/").and_then(|vhost| vhost.queue(QUEUE)).expect("the queue is there");
    assert_eq!(unsent.counters.messages_unacknowledged.value(), LETTERS);
    let arguments = FieldTable::from_iter([("x-delayed-type".to_owned(), text("fanout"))]).to_bytes();
    let declare = exchange::Declare {
        exchange: "late",
        kind: "x-delayed-message",
        passive: false,
        durable: false,
        auto_delete: false,
        internal: false,
        nowait: false,
        arguments: TableRef::new(&arguments),
    };
    engine.call(&mut client, 1, &Method::ExchangeDeclare(declare));
    let bind =
        queue::Bind { queue: TARGET, exchange: "late", routing_key: "", nowait: false, arguments: TableRef::default() };
    engine.call(&mut client, 1, &Method::QueueBind(bind));
    let headers = FieldTable::from_iter([("x-delay".to_owned(), FieldValue::I64(100))]).to_bytes();
    let properties = Properties { headers: Some(TableRef::new(&headers)), ..Properties::default() };
    client.publish(1, publish("late", ""), &properties, b"1");
    for _ in 0..200 {
        engine.turn(0);
        engine.advance_ms(1);
    }
    let target = engine.broker.vhost("/").and_then(|vhost| vhost.queue(TARGET)).expect("the queue is there");
    assert_eq!(target.counters.messages_ready.value(), 1);
}

#[test]
fn a_dead_letter_that_is_a_duplicate_has_arrived() {
    let (mut engine, mut client) = engine();
    let arguments = FieldTable::from_iter([("x-cache-size".to_owned(), FieldValue::I64(10))]).to_bytes();
    let declare = exchange::Declare {
        exchange: "once",
        kind: "x-message-deduplication",
        passive: false,
        durable: false,
        auto_delete: false,
        internal: false,
        nowait: false,
        arguments: TableRef::new(&arguments),
    };
    engine.call(&mut client, 1, &Method::ExchangeDeclare(declare));
    set_policy(&mut engine, &[("dead-letter-exchange", text("once")), ("dead-letter-strategy", text("at-least-once"))]);
    engine.declare(&mut client, 1, QUEUE);
    engine.declare(&mut client, 1, TARGET);
    let bind = queue::Bind {
        queue: TARGET,
        exchange: "once",
        routing_key: QUEUE,
        nowait: false,
        arguments: TableRef::default(),
    };
    engine.call(&mut client, 1, &Method::QueueBind(bind));
    let headers = FieldTable::from_iter([("x-deduplication-header".to_owned(), FieldValue::I64(1))]).to_bytes();
    for _ in 0..2 {
        put(
            &mut engine,
            &client,
            &Properties { headers: Some(TableRef::new(&headers)), ..Properties::default() },
            b"1",
        );
        let (_, tag) = get(&mut engine, &mut client, QUEUE).expect("it is there");
        reject(&mut engine, &client, tag, false);
    }
    let counters = |name: &str| {
        let cell = engine.broker.vhost("/").and_then(|vhost| vhost.queue(name)).expect("the queue is there");
        (cell.counters.messages_ready.value(), cell.counters.messages_unacknowledged.value())
    };
    assert_eq!((counters(TARGET), counters(QUEUE)), ((1, 0), (0, 0)));
}

/// Options come and go while messages are under way in every state that they can be in.
fn churn(seed: u64, memory_bytes: usize) {
    let (disk, checkpoint) = (SimulatedDisk::new(), Checkpoint::default());
    let mut random = Random::new(seed);
    let shards = 1 + seed as usize % 2;
    let mut engine = Engine::durable(Settings::default(), shards, seed, disk.clone(), checkpoint.clone(), memory_bytes);
    let mut clients: Vec<Client> = (0..2).map(|at| engine.connect_with_channel(at % shards)).collect();
    engine.declare_as(&mut clients[0], 1, QUEUE, true);
    engine.declare_as(&mut clients[0], 1, TARGET, true);
    let mut held: Vec<(usize, u64)> = Vec::new();
    for _ in 0..400 {
        let at = random.below(2);
        match random.below(20) {
            0..7 => {
                let expiration = random.pick(&[None, None, Some("5"), Some("300"), Some("5000"), Some("100000")]);
                let delivery_mode = random.pick(&[None, Some(2)]);
                let properties = Properties { expiration, delivery_mode, ..Properties::default() };
                for _ in 0..1 + random.below(20) {
                    clients[at].publish(1, publish("", QUEUE), &properties, &[0; 200]);
                }
                if random.chance(70) {
                    engine.settle();
                }
            }
            7..11 => held.extend(get(&mut engine, &mut clients[at], QUEUE).map(|(_, tag)| (at, tag))),
            11..15 if !held.is_empty() => {
                let (at, delivery_tag) = held.swap_remove(random.below(held.len()));
                let requeue = random.chance(60);
                clients[at].method(1, &Method::BasicReject(basic::Reject { delivery_tag, requeue }));
            }
            15 => {
                let target = DeadLetterTarget {
                    exchange: random.pick(&["", "nowhere"]).into(),
                    routing_key: Some(TARGET.into()),
                    at_least_once: random.chance(50),
                };
                let min_ms = random.pick(&[10, 700]);
                let retry = DelayedRetry { failed: true, returned: true, min_ms, max_ms: 10_000 };
                let (ttl_ms, length) = (random.pick(&[0, 50, 2000]), random.pick(&[0, 3, 40]));
                let options = QueueOptions {
                    dead_letter: random.chance(60).then_some(target),
                    message_ttl_ms: random.chance(40).then_some(ttl_ms),
                    max_length: random.chance(40).then_some(length),
                    overflow: random.pick(&[Overflow::DropHead, Overflow::RejectPublish, Overflow::RejectPublishDlx]),
                    delayed_retry: random.chance(40).then_some(retry),
                    delivery_limit: random.chance(30).then_some(2),
                    ..QueueOptions::default()
                };
                set_options(&engine, options.boxed());
            }
            16 if random.chance(50) => set_options(&engine, None),
            17 if random.chance(20) => {
                engine.call(&mut clients[at], 1, &Method::QueuePurge(queue::Purge { queue: QUEUE, nowait: false }));
            }
            _ => pass(&mut engine, random.pick(&[1, 20, 400, 1500])),
        }
        engine.turn(at % shards);
    }
    set_options(&engine, None);
    for (at, delivery_tag) in held {
        clients[at].method(1, &Method::BasicReject(basic::Reject { delivery_tag, requeue: true }));
    }
    pass(&mut engine, 5000);
    for name in [QUEUE, TARGET] {
        while let Some((_, delivery_tag)) = get(&mut engine, &mut clients[0], name) {
            clients[0].method(1, &Method::BasicAck(basic::Ack { delivery_tag, multiple: false }));
        }
    }
    pass(&mut engine, 5000);
    let counts = |engine: &Engine| {
        [QUEUE, TARGET].map(|name| {
            let cell = engine.broker.vhost("/").and_then(|vhost| vhost.queue(name)).expect("the queue is there");
            let counters = &cell.counters;
            [
                &counters.messages_ready,
                &counters.messages_unacknowledged,
                &counters.message_bytes_ready,
                &counters.message_bytes_unacknowledged,
            ]
            .map(broker::counters::Counter::value)
        })
    };
    assert_eq!(counts(&engine), [[0; 4]; 2]);
    let broker = engine.broker.clone();
    engine.storage.take().expect("a store").finish(&broker).expect("the disk does not fail");
    drop((engine, broker));
    let mut engine = Engine::durable(Settings::default(), 1, seed, disk, checkpoint, memory_bytes);
    engine.settle();
    assert_eq!(counts(&engine), [[0; 4]; 2], "nothing comes back");
}

fn set_options(engine: &Engine, options: Option<Arc<QueueOptions>>) {
    let cell = engine.broker.vhost("/").and_then(|vhost| vhost.queue(QUEUE)).expect("the queue is there");
    engine.broker.set_options(&cell, options);
}

#[test]
fn nothing_is_left_behind_when_options_come_and_go() {
    let seeds = match std::env::var("SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("a number");
            seed..seed + 1
        }
        Err(_) => 0..std::env::var("RUNS").map_or(20, |runs| runs.parse().expect("a number")),
    };
    for seed in seeds {
        for memory_bytes in [4096, 1 << 30] {
            let result = std::panic::catch_unwind(|| churn(seed, memory_bytes));
            assert!(result.is_ok(), "repeat it with SEED={seed}, {memory_bytes} bytes of memory");
        }
    }
}
