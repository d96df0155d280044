//! Exchange types that choose one of their bindings: by hash, or at random.

use testkit::method::{exchange_bind, queue_delete, queue_unbind};
use testkit::{ExchangeDeclare, Properties, Publish, QueueDeclare, RawClient, Table, Value, table};

use crate::ours_only;
use crate::support::{bind, connect, delete_exchange, exchange, queue, unique};

/// Publishes the keys `k0` to `k29` and names for each the queue where it arrived, by its place in `queues`.
#[track_caller]
fn spread(client: &mut RawClient, exchange: &str, queues: &[String]) -> String {
    for key in 0..30 {
        client.publish(1, exchange, &format!("k{key}"), key.to_string());
    }
    arrivals(client, queues, 30)
}

/// A digit for each of the messages `0` to `count`: the place of the queue where it arrived; `-` for nowhere.
#[track_caller]
fn arrivals(client: &mut RawClient, queues: &[String], count: usize) -> String {
    let mut places = vec!['-'; count];
    for (place, queue) in queues.iter().enumerate() {
        for body in client.drain(1, queue) {
            let at: usize = body.parse().expect("the bodies are numbers");
            assert_eq!(places[at], '-', "message {at} arrived twice");
            places[at] = char::from_digit(place as u32, 10).expect("few queues");
        }
    }
    places.into_iter().collect()
}

fn queues(client: &mut RawClient, count: usize) -> Vec<String> {
    (0..count).map(|place| queue(client, &format!("q{place}"))).collect()
}

fn text(text: &str) -> Value {
    Value::from(text)
}

fn with_headers(headers: Table) -> Properties {
    Properties { headers: Some(headers), ..Properties::default() }
}

#[test]
fn consistent_hash_has_the_buckets_of_the_plugin() {
    let mut client = connect();
    let queues = queues(&mut client, 4);
    let exchange = exchange(&mut client, "x-consistent-hash");
    assert_eq!(spread(&mut client, &exchange, &queues), "-".repeat(30));
    for (queue, weight) in queues.iter().zip(["3", "1", "2"]) {
        bind(&mut client, queue, &exchange, weight);
    }
    assert_eq!(spread(&mut client, &exchange, &queues), "012002012022000002002120102120");
    // A new one takes from the others.
    bind(&mut client, &queues[3], &exchange, "4");
    assert_eq!(spread(&mut client, &exchange, &queues), "332302033332000032002120303120");
    // The buckets behind those that go move down.
    client.call(1, queue_unbind(&queues[1], &exchange, "1", &Vec::new()));
    assert_eq!(spread(&mut client, &exchange, &queues), "333002023032000033002220303220");
    // Bound again it comes last.
    bind(&mut client, &queues[1], &exchange, "1");
    assert_eq!(spread(&mut client, &exchange, &queues), "333102013132000033002220303220");
    client.call(1, queue_delete(&queues[0], false, false));
    assert_eq!(spread(&mut client, &exchange, &queues[1..]), "102122120222221112112221210222");
    delete_exchange(&mut client, &exchange);
}

/// As the plugin has it: the first binding counts, and any that goes takes all buckets along.
#[test]
fn consistent_hash_counts_one_binding_per_queue() {
    let mut client = connect();
    let queues = queues(&mut client, 2);
    let exchange = exchange(&mut client, "x-consistent-hash");
    bind(&mut client, &queues[0], &exchange, "1");
    bind(&mut client, &queues[1], &exchange, "1");
    let even = spread(&mut client, &exchange, &queues);
    assert_eq!(even, "101101101111111000011111101011");
    bind(&mut client, &queues[1], &exchange, "100");
    assert_eq!(spread(&mut client, &exchange, &queues), even);
    client.call(1, queue_unbind(&queues[1], &exchange, "100", &Vec::new()));
    assert_eq!(spread(&mut client, &exchange, &queues), "0".repeat(30));
    delete_exchange(&mut client, &exchange);
}

/// The expectation is what the plugin of 4.x computes, run under Erlang by itself.
#[test]
fn consistent_hash_of_a_header() {
    ours_only!("before 3.13 the plugin hashes the value together with its type");
    let mut client = connect();
    let queues = queues(&mut client, 9);
    let exchange = unique("by-header");
    client.call(1, ExchangeDeclare::new(&exchange, "x-consistent-hash").argument("hash-header", text("h")));
    for queue in &queues {
        bind(&mut client, queue, &exchange, "2");
    }
    let values = [
        Some(text("a")),
        Some(text("customer-1000")),
        Some(Value::SignedInt(7)),
        Some(Value::Long(7)),
        Some(Value::SignedInt(-7)),
        Some(Value::Bool(true)),
        Some(Value::Void),
        Some(Value::Double(1.5)),
        Some(Value::Array(vec![text("x"), Value::SignedInt(1)])),
        Some(Value::Table(table([("k", text("v"))]))),
        None,
    ];
    for (number, value) in values.iter().enumerate() {
        let headers = value.iter().map(|value| ("h".to_owned(), value.clone())).collect();
        // The key plays no part.
        let publish = Publish::new(&exchange, &number.to_string());
        client.publish_with(1, publish, &with_headers(headers), number.to_string());
    }
    assert_eq!(arrivals(&mut client, &queues, values.len()), "76448800610");
    delete_exchange(&mut client, &exchange);
}

#[test]
fn consistent_hash_of_a_property() {
    let mut client = connect();
    let queues = queues(&mut client, 9);
    let message = Properties {
        message_id: Some("m-1".into()),
        correlation_id: Some("c-1".into()),
        timestamp: Some(1_700_000_000),
        ..Properties::default()
    };
    for (property, expected) in [("message_id", "61"), ("correlation_id", "51"), ("timestamp", "51")] {
        let exchange = unique(property);
        let declare = ExchangeDeclare::new(&exchange, "x-consistent-hash").argument("hash-property", text(property));
        client.call(1, declare);
        for queue in &queues {
            bind(&mut client, queue, &exchange, "1");
        }
        client.publish_with(1, Publish::new(&exchange, "k"), &message, "0");
        client.publish(1, &exchange, "k", "1");
        assert_eq!(arrivals(&mut client, &queues, 2), expected, "{property}");
        delete_exchange(&mut client, &exchange);
    }
}

/// Of the routing key and those of CC and BCC the first counts.
#[test]
fn consistent_hash_leads_to_exchanges_too_and_once_whatever_cc_says() {
    let mut client = connect();
    let queues = queues(&mut client, 3);
    let (exchange, fanout) = (exchange(&mut client, "x-consistent-hash"), exchange(&mut client, "fanout"));
    bind(&mut client, &queues[2], &fanout, "");
    client.call(1, exchange_bind(&fanout, &exchange, "2", &Vec::new()));
    bind(&mut client, &queues[0], &exchange, "1");
    bind(&mut client, &queues[1], &exchange, "1");
    assert_eq!(spread(&mut client, &exchange, &queues), "212202211022002222222112120120");
    let cc = || Value::Array((0..30).map(|key| text(&format!("k{key}"))).collect());
    client.publish_with(1, Publish::new(&exchange, "k0"), &with_headers(table([("CC", cc()), ("BCC", cc())])), "0");
    assert_eq!(arrivals(&mut client, &queues, 1), "2");
    delete_exchange(&mut client, &exchange);
    delete_exchange(&mut client, &fanout);
}

#[test]
fn modulus_hash_takes_the_queues_in_the_order_of_their_names() {
    let mut client = connect();
    let names: Vec<_> = ["b", "c", "a"].iter().map(|name| format!("{name}.{}", unique("modulus"))).collect();
    for name in &names {
        client.declare(1, QueueDeclare::exclusive(name));
    }
    let exchange = exchange(&mut client, "x-modulus-hash");
    for name in &names {
        bind(&mut client, name, &exchange, "whatever");
    }
    assert_eq!(spread(&mut client, &exchange, &names), "122202111220100110111200112021");
    // All keys are hashed, and one message arrives.
    let cc = Value::Array(vec![text("k1"), text("k2")]);
    client.publish_with(1, Publish::new(&exchange, "k0"), &with_headers(table([("CC", cc)])), "0");
    assert_eq!(arrivals(&mut client, &names, 1), "1");
    delete_exchange(&mut client, &exchange);
}

#[test]
fn random_takes_one_binding_at_a_time() {
    let mut client = connect();
    let queues = queues(&mut client, 2);
    let exchange = exchange(&mut client, "x-random");
    for queue in &queues {
        bind(&mut client, queue, &exchange, "plays no part");
    }
    let mut counts = [0, 0];
    for _ in 0..10 {
        let arrived = spread(&mut client, &exchange, &queues);
        assert!(!arrived.contains('-'), "{arrived}");
        counts[0] += arrived.matches('0').count();
        counts[1] += arrived.matches('1').count();
    }
    // A fair coin fails this once in 10^17 runs.
    assert!(counts.iter().all(|count| *count > 75), "{counts:?}");
    delete_exchange(&mut client, &exchange);
}

#[test]
fn random_exchanges_in_a_row_choose_apart() {
    let mut client = connect();
    let queues = queues(&mut client, 3);
    let (first, second) = (exchange(&mut client, "x-random"), exchange(&mut client, "x-random"));
    bind(&mut client, &queues[0], &first, "");
    client.call(1, exchange_bind(&second, &first, "", &Vec::new()));
    bind(&mut client, &queues[1], &second, "");
    bind(&mut client, &queues[2], &second, "");
    let arrived: String = (0..10).map(|_| spread(&mut client, &first, &queues)).collect();
    let counts = ['0', '1', '2'].map(|place| arrived.matches(place).count());
    assert!(counts[0] > 75 && counts[1] > 25 && counts[2] > 25, "{counts:?}");
    delete_exchange(&mut client, &first);
    delete_exchange(&mut client, &second);
}

#[test]
fn local_random_takes_one_queue() {
    ours_only!("from 4.0 on");
    let mut client = connect();
    let queues = queues(&mut client, 2);
    let exchange = exchange(&mut client, "x-local-random");
    for queue in &queues {
        bind(&mut client, queue, &exchange, "");
    }
    let arrived = spread(&mut client, &exchange, &queues);
    assert!(!arrived.contains('-') && arrived.contains('0') && arrived.contains('1'), "{arrived}");
    delete_exchange(&mut client, &exchange);
}

/// What chose nothing goes to the alternate exchange, and what chose is not returned.
#[test]
fn an_exchange_that_chooses_has_an_alternate() {
    let mut client = connect();
    let (chosen, rest) = (queue(&mut client, "chosen"), queue(&mut client, "rest"));
    let alternate = exchange(&mut client, "fanout");
    bind(&mut client, &rest, &alternate, "");
    for exchange_type in ["x-consistent-hash", "x-random", "x-modulus-hash"] {
        let exchange = unique(exchange_type);
        let declare = ExchangeDeclare::new(&exchange, exchange_type);
        client.call(1, declare.argument("alternate-exchange", text(&alternate)));
        client.publish_with(1, Publish::new(&exchange, "k").mandatory(), &Properties::default(), "first");
        bind(&mut client, &chosen, &exchange, "1");
        client.publish_with(1, Publish::new(&exchange, "k").mandatory(), &Properties::default(), "second");
        assert_eq!((client.drain(1, &rest), client.drain(1, &chosen)), (vec!["first".into()], vec!["second".into()]));
        delete_exchange(&mut client, &exchange);
    }
    delete_exchange(&mut client, &alternate);
}
