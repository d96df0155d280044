//! Duplicates: exchanges of the type `x-message-deduplication`, and queues with the argument of that name. The behaviour
//! is that of the community plugin, read from its source and its tests.

use std::time::Duration;

use testkit::method::{bare, id, queue_bind, queue_purge};
use testkit::{
    ConnectOptions, Consume, ExchangeDeclare, Properties, Publish, QueueDeclare, RawClient, Table, Value, table,
};

use crate::ours_only;
use crate::support::{address, bind, connect, connect_with, delete_exchange, exchange, queue, unique};

/// Headers that say which messages are the same.
fn key(value: impl Into<Value>) -> Table {
    table([("x-deduplication-header", value.into())])
}

fn publish(client: &mut RawClient, exchange: &str, routing_key: &str, headers: Table, body: &str) {
    let properties = Properties { headers: Some(headers), ..Properties::default() };
    client.publish_with(1, Publish::new(exchange, routing_key), &properties, body);
}

/// An exchange that looks for duplicates among `size` keys, and a queue that is bound to it.
#[track_caller]
fn window(client: &mut RawClient, size: i32, more: &[(&str, Value)]) -> (String, String) {
    let name = unique("window");
    let declare = ExchangeDeclare::new(&name, "x-message-deduplication").argument("x-cache-size", size);
    let declare = more.iter().fold(declare, |declare, (name, value)| declare.argument(name, value.clone()));
    client.call(1, declare);
    let queue = queue(client, "behind");
    bind(client, &queue, &name, "");
    (name, queue)
}

/// A queue that drops duplicates.
#[track_caller]
fn without_duplicates(client: &mut RawClient) -> String {
    let name = unique("unique");
    client.declare(1, QueueDeclare::exclusive(&name).argument("x-message-deduplication", true));
    name
}

#[test]
fn an_exchange_drops_what_it_has_seen() {
    ours_only!("needs a plugin");
    let mut client = connect();
    let (exchange, queue) = window(&mut client, 10, &[]);
    for (value, body) in [
        (Value::from("a"), "first"),
        (Value::from("a"), "the same"),
        (Value::from("b"), "another"),
        (Value::from(1), "a number"),
        (Value::Long(1), "the same number"),
        (Value::from("1"), "its text"),
    ] {
        publish(&mut client, &exchange, "whatever", key(value), body);
    }
    publish(&mut client, &exchange, "k", Table::new(), "without");
    publish(&mut client, &exchange, "k", Table::new(), "without");
    assert_eq!(client.drain(1, &queue), ["first", "another", "a number", "its text", "without", "without"]);
    // Whether the message is still there plays no part.
    publish(&mut client, &exchange, "k", key("a"), "again");
    assert!(client.drain(1, &queue).is_empty());
    delete_exchange(&mut client, &exchange);
}

#[test]
fn an_exchange_remembers_so_many_and_so_long() {
    ours_only!("needs a plugin");
    let mut client = connect();
    let (exchange, queue) = window(&mut client, 2, &[]);
    for value in ["a", "b", "c", "b", "a"] {
        publish(&mut client, &exchange, "k", key(value), value);
    }
    assert_eq!(client.drain(1, &queue), ["a", "b", "c", "a"]);
    let (brief, queue) = window(&mut client, 10, &[("x-cache-ttl", Value::from("50"))]);
    let lasting = || [key("lasts"), table([("x-cache-ttl", Value::from(60_000))])].concat();
    publish(&mut client, &brief, "k", key("brief"), "brief");
    publish(&mut client, &brief, "k", lasting(), "lasts");
    std::thread::sleep(Duration::from_millis(80));
    publish(&mut client, &brief, "k", key("brief"), "brief again");
    publish(&mut client, &brief, "k", lasting(), "lasts again");
    assert_eq!(client.drain(1, &queue), ["brief", "lasts", "brief again"]);
    delete_exchange(&mut client, &exchange);
    delete_exchange(&mut client, &brief);
}

#[test]
fn a_duplicate_is_confirmed_and_goes_to_the_alternate_exchange() {
    ours_only!("needs a plugin");
    let mut client = connect();
    let alternate = exchange(&mut client, "fanout");
    let duplicates = queue(&mut client, "duplicates");
    bind(&mut client, &duplicates, &alternate, "");
    let (exchange, queue) = window(&mut client, 10, &[("alternate-exchange", Value::from(alternate.as_str()))]);
    client.confirm_select(1);
    publish(&mut client, &exchange, "k", key("a"), "first");
    publish(&mut client, &exchange, "k", key("a"), "second");
    client.expect_all_confirmed(1, 2);
    assert_eq!(client.drain(1, &queue), ["first"]);
    assert_eq!(client.drain(1, &duplicates), ["second"]);
    delete_exchange(&mut client, &exchange);
    delete_exchange(&mut client, &alternate);
}

/// Whoever publishes again because nothing became of the first time is heard.
#[test]
fn what_was_rolled_back_or_rejected_was_not_seen() {
    ours_only!("the plugin remembers it");
    let mut client = connect();
    let (exchange, queue) = window(&mut client, 10, &[]);
    client.call(1, bare(id::TX_SELECT));
    publish(&mut client, &exchange, "k", key("a"), "rolled back");
    client.call(1, bare(id::TX_ROLLBACK));
    publish(&mut client, &exchange, "k", key("a"), "committed");
    client.call(1, bare(id::TX_COMMIT));
    publish(&mut client, &exchange, "k", key("a"), "a duplicate");
    client.call(1, bare(id::TX_COMMIT));
    assert_eq!(client.drain(1, &queue), ["committed"]);
    client.call(1, bare(id::TX_COMMIT));

    let mut client = connect_with(address(), &ConnectOptions::default());
    let full = unique("full");
    let declare = QueueDeclare::exclusive(&full).argument("x-max-length", 0);
    client.declare(1, declare.argument("x-overflow", "reject-publish"));
    let (limited, behind) = window(&mut client, 10, &[]);
    client.call(1, queue_bind(&full, &limited, "", &Vec::new()));
    publish(&mut client, &limited, "k", key("a"), "rejected by one");
    publish(&mut client, &limited, "k", key("a"), "again");
    assert_eq!(client.drain(1, &behind), ["rejected by one", "again"]);
    delete_exchange(&mut client, &limited);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn a_queue_drops_what_is_in_it() {
    ours_only!("needs a plugin");
    let mut client = connect();
    let queue = without_duplicates(&mut client);
    client.confirm_select(1);
    for body in ["first", "second"] {
        publish(&mut client, "", &queue, key("a"), body);
    }
    publish(&mut client, "", &queue, key("b"), "another");
    publish(&mut client, "", &queue, Table::new(), "without");
    publish(&mut client, "", &queue, Table::new(), "without");
    client.expect_all_confirmed(1, 5);
    assert_eq!(client.message_count(1, &queue), 4);
    assert_eq!(client.drain(1, &queue), ["first", "another", "without", "without"]);
    // They have left it.
    publish(&mut client, "", &queue, key("a"), "third");
    assert_eq!(client.drain(1, &queue), ["third"]);
}

#[test]
fn unacknowledged_messages_are_in_the_queue() {
    ours_only!("needs a plugin");
    let mut client = connect();
    let queue = without_duplicates(&mut client);
    publish(&mut client, "", &queue, key("a"), "first");
    let first = client.get(1, &queue, false).expect("the message");
    publish(&mut client, "", &queue, key("a"), "dropped");
    assert_eq!(client.message_count(1, &queue), 0);
    // Back in the queue it still is.
    client.send(1, testkit::method::reject(first.delivery_tag, true));
    publish(&mut client, "", &queue, key("a"), "dropped");
    let again = client.get(1, &queue, false).expect("the message");
    assert_eq!(again.body, b"first");
    client.send(1, testkit::method::ack(again.delivery_tag, false));
    publish(&mut client, "", &queue, key("a"), "second");
    let second = client.get(1, &queue, false).expect("the message");
    assert_eq!(second.body, b"second");
    client.send(1, testkit::method::reject(second.delivery_tag, false));
    publish(&mut client, "", &queue, key("a"), "third");
    assert_eq!(client.drain(1, &queue), ["third"]);
}

#[test]
fn keys_go_with_messages_however_they_leave() {
    ours_only!("needs a plugin");
    let mut client = connect();
    let queue = without_duplicates(&mut client);
    publish(&mut client, "", &queue, key("a"), "purged");
    client.call(1, queue_purge(&queue));
    publish(&mut client, "", &queue, key("a"), "not purged");
    assert_eq!(client.drain(1, &queue), ["not purged"]);

    let expiring = Properties { headers: Some(key("a")), expiration: Some("1".into()), ..Properties::default() };
    client.publish_with(1, Publish::new("", &queue), &expiring, "expired");
    std::thread::sleep(Duration::from_millis(50));
    publish(&mut client, "", &queue, key("a"), "not expired");
    assert_eq!(client.drain(1, &queue), ["not expired"]);

    let short = unique("short");
    let declare = QueueDeclare::exclusive(&short).argument("x-message-deduplication", true);
    client.declare(1, declare.argument("x-max-length", 1));
    publish(&mut client, "", &short, key("a"), "dropped");
    publish(&mut client, "", &short, key("b"), "second");
    publish(&mut client, "", &short, key("a"), "third");
    publish(&mut client, "", &short, key("a"), "a duplicate");
    assert_eq!(client.drain(1, &short), ["third"]);
}

/// What goes straight to a consumer who acknowledges nothing was never in the queue.
#[test]
fn consumers_get_one_of_each_that_is_in_the_queue() {
    ours_only!("needs a plugin");
    let mut client = connect();
    let queue = without_duplicates(&mut client);
    let tag = client.consume(1, Consume::new(&queue, "").no_ack());
    publish(&mut client, "", &queue, key("a"), "first");
    publish(&mut client, "", &queue, key("a"), "second");
    assert_eq!((client.expect_delivery(1).body, client.expect_delivery(1).body), (b"first".into(), b"second".into()));
    client.call(1, testkit::method::cancel(&tag));
    client.consume(1, Consume::new(&queue, ""));
    publish(&mut client, "", &queue, key("a"), "third");
    publish(&mut client, "", &queue, key("a"), "a duplicate");
    let third = client.expect_delivery(1);
    assert_eq!(third.body, b"third");
    client.send(1, testkit::method::ack(third.delivery_tag, false));
    publish(&mut client, "", &queue, key("a"), "fourth");
    assert_eq!(client.expect_delivery(1).body, b"fourth");
}
