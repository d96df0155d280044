//! Bindings of queues: identity, duplicates and unbinding.

use testkit::method::{exchange_delete, queue_bind, queue_delete, queue_unbind};
use testkit::{QueueDeclare, RawClient, Table, Value, table};

use crate::support::{bind, connect, delete_exchange, exchange, queue};

/// Publishes to `exchange` and counts how often it arrives in `queue`.
#[track_caller]
fn arrivals(client: &mut RawClient, exchange: &str, key: &str, queue: &str) -> usize {
    client.publish(1, exchange, key, "x");
    client.drain(1, queue).len()
}

#[test]
fn a_duplicate_binding_delivers_once() {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "q"), exchange(&mut client, "direct"));
    bind(&mut client, &queue, &exchange, "k");
    bind(&mut client, &queue, &exchange, "k");
    assert_eq!(arrivals(&mut client, &exchange, "k", &queue), 1);
    client.call(1, queue_unbind(&queue, &exchange, "k", &Table::new()));
    assert_eq!(arrivals(&mut client, &exchange, "k", &queue), 0, "one unbind removes it");
    delete_exchange(&mut client, &exchange);
}

#[test]
fn several_matching_bindings_deliver_once() {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "q"), exchange(&mut client, "topic"));
    for key in ["a.b", "a.*", "#", "*.b"] {
        bind(&mut client, &queue, &exchange, key);
    }
    assert_eq!(arrivals(&mut client, &exchange, "a.b", &queue), 1);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn arguments_are_part_of_a_binding() {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "q"), exchange(&mut client, "direct"));
    let arguments = table([("colour", Value::from("red"))]);
    client.call(1, queue_bind(&queue, &exchange, "k", &arguments));
    bind(&mut client, &queue, &exchange, "k");
    client.call(1, queue_unbind(&queue, &exchange, "k", &Table::new()));
    assert_eq!(arrivals(&mut client, &exchange, "k", &queue), 1, "the other binding is still there");
    client.call(1, queue_unbind(&queue, &exchange, "k", &arguments));
    assert_eq!(arrivals(&mut client, &exchange, "k", &queue), 0);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn unbinding_what_is_not_there_succeeds() {
    let mut client = connect();
    let queue = queue(&mut client, "q");
    client.call(1, queue_unbind(&queue, "amq.direct", "never bound", &Table::new()));
    client.call(1, queue_unbind(&queue, "no such exchange", "k", &Table::new()));
    client.call(1, queue_unbind("no such queue", "amq.direct", "k", &Table::new()));
}

#[test]
fn deleting_a_queue_removes_its_bindings() {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "q"), exchange(&mut client, "fanout"));
    bind(&mut client, &queue, &exchange, "");
    client.call(1, queue_delete(&queue, false, false));
    client.declare(1, QueueDeclare::exclusive(&queue));
    assert_eq!(arrivals(&mut client, &exchange, "", &queue), 0);
    client.call(1, exchange_delete(&exchange, true));
}

#[test]
fn deleting_an_exchange_removes_its_bindings() {
    let mut client = connect();
    let (queue, name) = (queue(&mut client, "q"), exchange(&mut client, "fanout"));
    bind(&mut client, &queue, &name, "");
    delete_exchange(&mut client, &name);
    client.call(1, testkit::ExchangeDeclare::new(&name, "fanout"));
    assert_eq!(arrivals(&mut client, &name, "", &queue), 0);
    delete_exchange(&mut client, &name);
}

#[test]
fn a_key_of_255_bytes_routes() {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "q"), exchange(&mut client, "topic"));
    let key = "k".repeat(255);
    bind(&mut client, &queue, &exchange, &key);
    assert_eq!(arrivals(&mut client, &exchange, &key, &queue), 1);
    assert_eq!(arrivals(&mut client, &exchange, &key[1..], &queue), 0);
    delete_exchange(&mut client, &exchange);
}
