//! Many connections at once: nothing is lost, nothing is delivered twice unflagged, nothing blocks for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::method::{ack, exchange_bind, exchange_delete, nack, qos, queue_bind, queue_delete, queue_unbind};
use testkit::{Consume, ExchangeDeclare, Publish, QueueDeclare, RawClient, Table};

use crate::random::Random;
use crate::support::{address, connect, connect_to, own_broker, unique};

const PUBLISHERS: usize = 4;
const EACH: usize = 1500;

/// Publishes its numbers with confirms, some of them in one write.
fn publish_all(queue: &str, publisher: usize) {
    let mut client = connect();
    client.confirm_select(1);
    for burst in (0..EACH).collect::<Vec<_>>().chunks(25) {
        client.in_one_write(|client| {
            for number in burst {
                client.publish(1, "", queue, format!("{publisher}:{number}"));
            }
        });
    }
    client.expect_all_confirmed(1, EACH as u64);
}

/// Consumes until all is settled; now and then it requeues, and now and then it loses its connection.
fn work(queue: &str, seed: u64, settled: &Mutex<BTreeMap<String, usize>>) {
    let mut random = Random::new(seed);
    let deadline = Instant::now() + Duration::from_secs(20);
    while settled.lock().expect("lock").len() < PUBLISHERS * EACH {
        assert!(Instant::now() < deadline, "only {} settled", settled.lock().expect("lock").len());
        let mut client = connect();
        client.call(1, qos(20, false));
        client.consume(1, Consume::new(queue, ""));
        for _ in 0..400 {
            if !client.has_delivery(1) {
                break;
            }
            let delivery = client.expect_delivery(1);
            if random.below(10) == 0 {
                client.send(1, nack(delivery.delivery_tag, false, true));
                continue;
            }
            client.send(1, ack(delivery.delivery_tag, false));
            *settled.lock().expect("lock").entry(delivery.text()).or_default() += 1;
        }
        // In half of the cases with deliveries outstanding and acks on their way.
        if random.below(2) == 0 {
            client.close();
        }
    }
}

#[test]
fn workers_that_come_and_go_lose_nothing() {
    let queue = unique("workers");
    let mut client = connect();
    client.declare(1, QueueDeclare::new(&queue));
    let settled = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let queue = &queue;
            scope.spawn(move || publish_all(queue, publisher));
        }
        for seed in 1..=4 {
            let (queue, settled) = (&queue, &settled);
            scope.spawn(move || work(queue, seed, settled));
        }
    });
    let settled = settled.into_inner().expect("lock");
    assert_eq!(settled.len(), PUBLISHERS * EACH);
    client.call(1, queue_delete(&queue, false, false));
}

/// One consumer with automatic acknowledgement sees each publisher's messages in its order and once.
#[test]
fn each_publishers_order_is_kept() {
    let queue = unique("order");
    let mut consumer = connect();
    consumer.declare(1, QueueDeclare::new(&queue).auto_delete());
    consumer.consume(1, Consume::new(&queue, "").no_ack());
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let queue = &queue;
            scope.spawn(move || publish_all(queue, publisher));
        }
        let mut next = [0; PUBLISHERS];
        for _ in 0..PUBLISHERS * EACH {
            let text = consumer.expect_delivery(1).text();
            let (publisher, number) = text.split_once(':').expect("publisher:number");
            let publisher: usize = publisher.parse().expect("a publisher");
            assert_eq!(number, next[publisher].to_string(), "of publisher {publisher}");
            next[publisher] += 1;
        }
    });
    consumer.expect_nothing(1, RawClient::SILENCE);
}

/// Connections declare, bind, publish, consume and delete the same few objects; whatever one of them does, the others get
/// an answer or an error, and the broker stays alive.
#[test]
fn topology_changes_under_load_never_block() {
    const THREADS: u64 = 6;
    let Some(broker) = own_broker(&[]) else { return };
    let address = broker.address();
    let (stop, rounds) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for seed in 1..=THREADS {
            let (stop, rounds) = (&stop, &rounds);
            scope.spawn(move || {
                let mut random = Random::new(seed);
                while !stop.load(Ordering::Relaxed) {
                    churn(address, &mut random);
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        testkit::pause(Duration::from_secs(3));
        stop.store(true, Ordering::Relaxed);
    });
    let rounds = rounds.into_inner();
    assert!(rounds >= THREADS as usize * 3, "only {rounds} rounds");
    connect_to(address).assert_alive(1);
    assert!(!broker.log().join("\n").contains("panicked"), "{}", broker.log().join("\n"));
}

/// A connection's worth of random methods on four names, until one of them closes the channel.
fn churn(address: std::net::SocketAddr, random: &mut Random) {
    let mut client = connect_to(address);
    let none = Table::new();
    for _ in 0..60 {
        let (one, two) = (format!("n{}", random.below(4)), format!("n{}", random.below(4)));
        match random.below(12) {
            0 | 1 => client.send(1, QueueDeclare::new(&one)),
            2 => client.send(1, ExchangeDeclare::new(&one, "fanout")),
            3 => client.send(1, queue_bind(&one, &two, "", &none)),
            4 => client.send(1, queue_unbind(&one, &two, "", &none)),
            5 => client.send(1, exchange_bind(&one, &two, "", &none)),
            6 => client.send(1, queue_delete(&one, random.below(2) == 0, false)),
            7 => client.send(1, exchange_delete(&one, random.below(2) == 0)),
            8 => client.send(1, Consume::new(&one, "").no_ack()),
            9 => client.send(1, testkit::method::get(&one, true)),
            _ => {
                let exchange = if random.below(2) == 0 { two.as_str() } else { "" };
                client.publish_with(1, Publish::new(exchange, &one), &testkit::Properties::default(), "x");
            }
        }
    }
    // Whichever it is, an answer comes: the flow-ok, or the close of the channel that an error caused.
    client.send(1, testkit::method::channel_flow(true));
    client.wait_for("flow-ok or a close", |event| {
        event.method.id == testkit::id::CHANNEL_FLOW_OK || event.method.id == testkit::id::CHANNEL_CLOSE
    });
}

#[test]
fn a_fanout_from_many_connections_reaches_every_queue_once() {
    let exchange = unique("fan");
    let mut admin = connect();
    admin.call(1, ExchangeDeclare::new(&exchange, "fanout"));
    let mut consumers: Vec<RawClient> = (0..4).map(|_| connect()).collect();
    for consumer in &mut consumers {
        let queue = crate::support::queue(consumer, "fan");
        consumer.call(1, queue_bind(&queue, &exchange, "", &Table::new()));
        consumer.consume(1, Consume::new(&queue, "").no_ack());
    }
    thread::scope(|scope| {
        for publisher in 0..3 {
            let exchange = &exchange;
            scope.spawn(move || {
                let mut client = RawClient::connect(address(), &testkit::ConnectOptions::default());
                client.open_channel(1);
                client.confirm_select(1);
                for number in 0..300 {
                    client.publish(1, exchange, "", format!("{publisher}:{number}"));
                }
                client.expect_all_confirmed(1, 300);
            });
        }
    });
    for consumer in &mut consumers {
        let got: BTreeSet<String> = (0..900).map(|_| consumer.expect_delivery(1).text()).collect();
        assert_eq!(got.len(), 900);
        consumer.expect_nothing(1, RawClient::SILENCE);
    }
    admin.call(1, exchange_delete(&exchange, false));
}
