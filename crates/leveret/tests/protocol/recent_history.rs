//! The exchange type `x-recent-history`.

use testkit::method::{bare, exchange_bind, id};
use testkit::{ExchangeDeclare, Properties, Publish, QueueDeclare, RawClient, Value, table};

use crate::ours_only;
use crate::support::{bind, connect, delete_exchange, exchange, queue, unique};

/// An exchange that keeps `length` messages.
#[track_caller]
fn history_of(client: &mut RawClient, length: impl Into<Value>) -> String {
    let name = unique("history");
    let declare = ExchangeDeclare::new(&name, "x-recent-history");
    client.call(1, declare.argument("x-recent-history-length", length));
    name
}

/// What a queue that is bound now gets.
#[track_caller]
fn replayed(client: &mut RawClient, exchange: &str) -> Vec<String> {
    let new = queue(client, "new");
    bind(client, &new, exchange, "any");
    client.drain(1, &new)
}

fn publish(client: &mut RawClient, exchange: &str, bodies: std::ops::Range<u32>) {
    for body in bodies {
        client.publish(1, exchange, "k", body.to_string());
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn a_new_binding_gets_the_last_messages() {
    let mut client = connect();
    let exchange = exchange(&mut client, "x-recent-history");
    let first = queue(&mut client, "first");
    bind(&mut client, &first, &exchange, "");
    publish(&mut client, &exchange, 0..25);
    assert_eq!(client.drain(1, &first), numbers(0..25));
    assert_eq!(replayed(&mut client, &exchange), numbers(5..25));
    // Without a binding too.
    publish(&mut client, &exchange, 25..30);
    assert_eq!(replayed(&mut client, &exchange), numbers(10..30));
    assert_eq!(client.drain(1, &first), numbers(25..30));
    delete_exchange(&mut client, &exchange);
}

#[test]
fn the_length_is_an_argument() {
    let mut client = connect();
    for (length, expected) in
        [(Value::SignedInt(3), 7..10), (Value::Byte(1), 9..10), (Value::Short(2), 8..10), (Value::Long(100), 0..10)]
    {
        let exchange = history_of(&mut client, length);
        publish(&mut client, &exchange, 0..10);
        assert_eq!(replayed(&mut client, &exchange), numbers(expected));
        delete_exchange(&mut client, &exchange);
    }
}

#[test]
fn each_new_binding_is_one() {
    let mut client = connect();
    let exchange = history_of(&mut client, 2);
    publish(&mut client, &exchange, 0..3);
    let queue = queue(&mut client, "q");
    bind(&mut client, &queue, &exchange, "a");
    // The same again is not new, another key is.
    bind(&mut client, &queue, &exchange, "a");
    assert_eq!(client.drain(1, &queue), numbers(1..3));
    bind(&mut client, &queue, &exchange, "b");
    assert_eq!(client.drain(1, &queue), numbers(1..3));
    delete_exchange(&mut client, &exchange);
}

#[test]
fn messages_ask_not_to_be_kept() {
    let mut client = connect();
    let exchange = history_of(&mut client, 10);
    for (body, value) in
        [("kept", Value::Bool(false)), ("not kept", Value::Bool(true)), ("no boolean", Value::from("true"))]
    {
        let headers = Some(table([("x-recent-history-no-store", value)]));
        let properties = Properties { headers, ..Properties::default() };
        client.publish_with(1, Publish::new(&exchange, "k"), &properties, body);
    }
    assert_eq!(replayed(&mut client, &exchange), ["kept", "no boolean"]);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn an_exchange_that_is_bound_gets_them_too() {
    let mut client = connect();
    let (history, direct) = (history_of(&mut client, 10), exchange(&mut client, "direct"));
    let (one, two) = (queue(&mut client, "one"), queue(&mut client, "two"));
    bind(&mut client, &one, &direct, "1");
    bind(&mut client, &two, &direct, "2");
    client.publish(1, &history, "1", "for one");
    client.publish(1, &history, "2", "for two");
    client.call(1, exchange_bind(&direct, &history, "", &Vec::new()));
    assert_eq!((client.drain(1, &one), client.drain(1, &two)), (vec!["for one".into()], vec!["for two".into()]));
    delete_exchange(&mut client, &history);
    delete_exchange(&mut client, &direct);
}

/// What comes through another exchange is kept as well.
#[test]
fn messages_of_other_exchanges_are_kept() {
    let mut client = connect();
    let (history, fanout) = (history_of(&mut client, 10), exchange(&mut client, "fanout"));
    client.call(1, exchange_bind(&history, &fanout, "", &Vec::new()));
    publish(&mut client, &fanout, 0..3);
    assert_eq!(replayed(&mut client, &history), numbers(0..3));
    delete_exchange(&mut client, &history);
    delete_exchange(&mut client, &fanout);
}

#[test]
fn properties_keys_and_the_exchange_are_those_of_the_publish() {
    let mut client = connect();
    let history = history_of(&mut client, 10);
    let properties = Properties { delivery_mode: Some(2), message_id: Some("m".into()), ..Properties::default() };
    client.publish_with(1, Publish::new(&history, "the key"), &properties, "body");
    let queue = queue(&mut client, "q");
    bind(&mut client, &queue, &history, "");
    let got = client.get(1, &queue, true).expect("the message");
    assert_eq!(
        (got.exchange.as_str(), got.routing_key.as_str(), got.redelivered),
        (history.as_str(), "the key", false)
    );
    assert_eq!((got.properties.message_id, got.properties.delivery_mode), (Some("m".into()), Some(2)));
    delete_exchange(&mut client, &history);
}

/// They expire where they are replayed to, not in the history.
#[test]
fn expirations_begin_with_the_replay() {
    let mut client = connect();
    let history = history_of(&mut client, 10);
    let properties = Properties { expiration: Some("1".into()), ..Properties::default() };
    client.publish_with(1, Publish::new(&history, "k"), &properties, "gone soon");
    std::thread::sleep(std::time::Duration::from_millis(20));
    let properties = Properties { expiration: Some("60000".into()), ..Properties::default() };
    client.publish_with(1, Publish::new(&history, "k"), &properties, "stays");
    let queue = queue(&mut client, "q");
    bind(&mut client, &queue, &history, "");
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(client.drain(1, &queue), ["stays"]);
    delete_exchange(&mut client, &history);
}

#[test]
fn what_a_transaction_publishes_is_kept_when_it_commits() {
    ours_only!("RabbitMQ keeps it when it is published");
    let mut client = connect();
    let history = history_of(&mut client, 10);
    client.call(1, bare(id::TX_SELECT));
    client.publish(1, &history, "k", "rolled back");
    client.call(1, bare(id::TX_ROLLBACK));
    client.publish(1, &history, "k", "committed");
    client.call(1, bare(id::TX_COMMIT));
    assert_eq!(replayed(&mut client, &history), ["committed"]);
    client.call(1, bare(id::TX_COMMIT));
    delete_exchange(&mut client, &history);
}

#[test]
fn mandatory_looks_at_bindings_alone() {
    let mut client = connect();
    let history = history_of(&mut client, 10);
    client.publish_with(1, Publish::new(&history, "k").mandatory(), &Properties::default(), "returned");
    assert_eq!(client.expect_return(1).text, "NO_ROUTE");
    assert_eq!(replayed(&mut client, &history), ["returned"]);
    delete_exchange(&mut client, &history);
}

/// What the broker keeps for itself has a name that no client can give.
#[test]
fn the_history_is_out_of_reach() {
    ours_only!("RabbitMQ keeps a history elsewhere");
    let mut client = connect();
    let history = history_of(&mut client, 10);
    let name = format!("\n{history}");
    client.publish(1, "", &name, "astray");
    assert!(replayed(&mut client, &history).is_empty());
    client.send(1, QueueDeclare::passive(&name));
    assert_eq!(client.expect_close(1).code, 404);
    client.open_channel(1);
    delete_exchange(&mut client, &history);
}
