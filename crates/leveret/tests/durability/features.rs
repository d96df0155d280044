//! What queues with features keep: priorities, times to live, limits, dead letters and what waits for a while.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use testkit::method::{queue_bind, reject};
use testkit::{BrokerProcess, ExchangeDeclare, Properties, Publish, QueueDeclare, RawClient, Value, field, pause};

use crate::support::{
    Ending, bodies, connect, declare, numbers, persistent, publish, settle, start, take, wait_for_count,
};

fn durable(client: &mut RawClient, queue: &str, arguments: &[(&str, Value)]) {
    let mut declare = QueueDeclare::new(queue).durable();
    for (name, value) in arguments {
        declare = declare.argument(name, value.clone());
    }
    client.declare(1, declare);
}

/// `queue` with these arguments, whose dead letters go to `dead`.
fn with_dead_letters(client: &mut RawClient, arguments: &[(&str, Value)]) {
    declare(client, &["dead"]);
    let mut all = vec![("x-dead-letter-exchange", "".into()), ("x-dead-letter-routing-key", "dead".into())];
    all.extend_from_slice(arguments);
    durable(client, "queue", &all);
}

/// Kills the broker and starts it when so much time has passed.
fn kill_for(broker: &mut BrokerProcess, time: Duration) -> RawClient {
    broker.kill_9();
    pause(time);
    broker.launch();
    connect(broker)
}

fn put(client: &mut RawClient, properties: &[Properties]) {
    const CHANNEL: u16 = 1997;
    client.open_channel(CHANNEL);
    client.confirm_select(CHANNEL);
    for (number, properties) in properties.iter().enumerate() {
        client.publish_with(CHANNEL, Publish::new("", "queue"), properties, number.to_string());
    }
    client.expect_all_confirmed(CHANNEL, properties.len() as u64);
    client.close_channel(CHANNEL);
}

/// Waits for the next message of `queue`.
#[track_caller]
fn await_message(client: &mut RawClient, queue: &str) -> testkit::Delivery {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(taken) = client.get(1, queue, true) {
            return taken;
        }
        assert!(Instant::now() < deadline, "no message in {queue}");
        pause(Duration::from_millis(10));
    }
}

#[test]
fn priorities_keep_their_order() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        durable(&mut client, "queue", &[("x-max-priority", 10.into())]);
        let of = |number: usize| (number * 7 % 11) as u8;
        let properties: Vec<_> =
            (0..1000).map(|number| Properties { priority: Some(of(number)), ..persistent() }).collect();
        put(&mut client, &properties);
        // The highest 91 of them are out when the broker ends.
        for _ in 0..91 {
            client.get(1, "queue", false).expect("a message");
        }
        let mut client = ending.restart(&mut broker);
        wait_for_count(&mut client, "queue", 1000);
        let mut expected: Vec<usize> = (0..1000).collect();
        expected.sort_by_key(|number| (std::cmp::Reverse(of(*number)), *number));
        let expected: Vec<String> = expected.iter().map(usize::to_string).collect();
        assert_eq!(bodies(&mut client, "queue"), expected, "{ending:?}");
    }
}

/// The time runs on while the broker is down.
#[test]
fn messages_expire_while_the_broker_is_down() {
    let mut broker = start();
    let mut client = connect(&broker);
    with_dead_letters(&mut client, &[("x-message-ttl", 900.into())]);
    publish(&mut client, "", "queue", &numbers(0..200));
    let mut client = kill_for(&mut broker, Duration::from_millis(1000));
    assert!(client.get(1, "queue", true).is_none(), "its time began anew");
    wait_for_count(&mut client, "dead", 200);
    assert_eq!(bodies(&mut client, "dead"), numbers(0..200));
}

#[test]
fn expirations_of_their_own_come_true_after_a_restart() {
    let mut broker = start();
    let mut client = connect(&broker);
    with_dead_letters(&mut client, &[]);
    let properties: Vec<_> = (0..300)
        .map(
            |number| if number % 3 == 0 { persistent() } else { persistent().expiration(&(1000 + number).to_string()) },
        )
        .collect();
    put(&mut client, &properties);
    let mut client = Ending::Kill.restart(&mut broker);
    wait_for_count(&mut client, "dead", 200);
    let left: Vec<String> = (0..300).step_by(3).map(|number: u32| number.to_string()).collect();
    assert_eq!(bodies(&mut client, "queue"), left);
}

#[test]
fn what_expired_or_was_dropped_stays_away() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        durable(&mut client, "queue", &[("x-message-ttl", 50.into())]);
        publish(&mut client, "", "queue", &numbers(0..500));
        wait_for_count(&mut client, "queue", 0);
        durable(&mut client, "short", &[("x-max-length", 10.into())]);
        publish(&mut client, "", "short", &numbers(0..500));
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        assert_eq!(bodies(&mut client, "queue"), numbers(0..0), "{ending:?}");
        assert_eq!(bodies(&mut client, "short"), numbers(490..500), "{ending:?}");
    }
}

#[test]
fn limits_hold_after_a_restart() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        durable(&mut client, "queue", &[("x-max-length", 100.into()), ("x-max-length-bytes", 200.into())]);
        durable(&mut client, "full", &[("x-max-length", 5.into()), ("x-overflow", "reject-publish".into())]);
        publish(&mut client, "", "queue", &numbers(0..100));
        publish(&mut client, "", "full", &numbers(0..5));
        let mut client = ending.restart(&mut broker);
        publish(&mut client, "", "queue", &numbers(100..150));
        // 25 of two bytes and 50 of three.
        assert_eq!(bodies(&mut client, "queue"), numbers(75..150), "{ending:?}");
        client.confirm_select(1);
        client.publish_with(1, Publish::new("", "full"), &persistent(), "sixth");
        assert!(!client.expect_confirm(1).ack, "{ending:?}");
    }
}

/// A dead letter is in its old queue or in its new one, whenever the broker ends; its history survives.
#[test]
fn dead_letters_are_not_lost() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        with_dead_letters(&mut client, &[]);
        publish(&mut client, "", "queue", &numbers(0..300));
        for _ in 0..300 {
            let taken = client.get(1, "queue", false).expect("a message");
            client.send(1, reject(taken.delivery_tag, false));
        }
        let mut client = ending.restart(&mut broker);
        let dead = take(&mut client, "dead");
        assert!(dead.iter().all(|taken| {
            taken.properties.headers.as_ref().is_some_and(|headers| field(headers, "x-death").is_some())
        }));
        let mut all: BTreeSet<u32> = dead.iter().map(|taken| taken.text().parse().expect("a number")).collect();
        all.extend(bodies(&mut client, "queue").iter().map(|body| body.parse::<u32>().expect("a number")));
        assert!(all.iter().copied().eq(0..300), "{ending:?}: {} of 300 are left", all.len());
    }
}

#[test]
fn dead_letters_that_were_synced_are_in_their_new_queue_only() {
    let mut broker = start();
    let mut client = connect(&broker);
    with_dead_letters(&mut client, &[]);
    publish(&mut client, "", "queue", &numbers(0..50));
    for _ in 0..50 {
        let taken = client.get(1, "queue", false).expect("a message");
        client.send(1, reject(taken.delivery_tag, false));
    }
    wait_for_count(&mut client, "dead", 50);
    settle(&mut client);
    let mut client = Ending::Kill.restart(&mut broker);
    assert_eq!(bodies(&mut client, "dead"), numbers(0..50));
    assert_eq!(bodies(&mut client, "queue"), numbers(0..0));
}

/// Dead letters that wait for a target wait on after a restart.
#[test]
fn at_least_once_outlives_the_broker() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        client.call(1, ExchangeDeclare::new("dlx", "fanout").durable());
        let arguments = [
            ("x-dead-letter-exchange", "dlx".into()),
            ("x-dead-letter-strategy", "at-least-once".into()),
            ("x-overflow", "reject-publish".into()),
        ];
        durable(&mut client, "queue", &arguments);
        publish(&mut client, "", "queue", &numbers(0..100));
        for _ in 0..100 {
            let taken = client.get(1, "queue", false).expect("a message");
            client.send(1, reject(taken.delivery_tag, false));
        }
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        // What the broker forgot of the rejections is to be rejected again.
        while let Some(taken) = client.get(1, "queue", false) {
            client.send(1, reject(taken.delivery_tag, false));
        }
        declare(&mut client, &["dead"]);
        client.call(1, queue_bind("dead", "dlx", "", &Vec::new()));
        let mut all = BTreeSet::new();
        while all.len() < 100 {
            all.insert(await_message(&mut client, "dead").text());
        }
    }
}

/// A message that waits for its retry is not lost with the broker.
#[test]
fn what_waits_for_its_retry_comes_back_once() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        let arguments = [("x-delayed-retry-type", "all".into()), ("x-delayed-retry-min", 1500.into())];
        durable(&mut client, "queue", &arguments);
        publish(&mut client, "", "queue", &numbers(0..20));
        for _ in 0..20 {
            let taken = client.get(1, "queue", false).expect("a message");
            client.send(1, reject(taken.delivery_tag, true));
        }
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        let mut back: Vec<u32> = Vec::new();
        while back.len() < 20 {
            let taken = await_message(&mut client, "queue");
            assert!(taken.redelivered, "{ending:?}");
            back.push(taken.text().parse().expect("a number"));
        }
        back.sort_unstable();
        assert!(back.iter().copied().eq(0..20), "{ending:?}: {back:?}");
        assert!(client.get(1, "queue", true).is_none(), "{ending:?}");
    }
}

/// A poisonous message does not get a new life from a restart.
#[test]
fn failures_are_remembered() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        with_dead_letters(&mut client, &[("x-delivery-limit", 3.into())]);
        publish(&mut client, "", "queue", &numbers(0..1));
        for _ in 0..3 {
            let taken = client.get(1, "queue", false).expect("the message");
            client.send(1, reject(taken.delivery_tag, true));
        }
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        let taken = client.get(1, "queue", false).expect("the message");
        let headers = taken.properties.headers.clone().unwrap_or_default();
        assert_eq!(field(&headers, "x-delivery-count"), Some(&Value::Long(3)), "{ending:?}");
        client.send(1, reject(taken.delivery_tag, true));
        assert_eq!(await_message(&mut client, "dead").text(), "0", "{ending:?}");
    }
}

/// An unused queue has its whole time again after a restart, and then it goes.
#[test]
fn an_unused_queue_goes_after_a_restart() {
    let mut broker = start();
    let mut client = connect(&broker);
    durable(&mut client, "queue", &[("x-expires", 1500.into())]);
    publish(&mut client, "", "queue", &numbers(0..10));
    let mut client = kill_for(&mut broker, Duration::from_millis(1600));
    client.publish_with(1, Publish::new("", "queue").mandatory(), &persistent(), "there");
    client.assert_alive(1);
    let deadline = Instant::now() + Duration::from_secs(30);
    client.confirm_select(1);
    loop {
        client.publish_with(1, Publish::new("", "queue").mandatory(), &persistent(), "probe");
        if client.next_event(1).method.id == testkit::id::BASIC_RETURN {
            break;
        }
        assert!(Instant::now() < deadline, "the queue is still there");
        pause(Duration::from_millis(20));
    }
    let mut client = Ending::Clean.restart(&mut broker);
    client.send(1, QueueDeclare::passive("queue"));
    assert_eq!(client.expect_close(1).code, 404);
}
