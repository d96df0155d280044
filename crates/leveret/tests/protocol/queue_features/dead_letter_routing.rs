//! Where dead letters go: their own keys or the queue's, CC and BCC, and exchanges of every type.

use testkit::method::{queue_bind, reject};
use testkit::{Delivery, Properties, RawClient, Value, table};

use super::waiting::{
    await_bodies, await_message, deaths, header, put, put_all, queue_with, take, until, with_dead_letters,
};
use crate::ours_only;
use crate::support::{bind, connect, delete_exchange, exchange, queue, unique};

fn copies(header: &str, keys: &[&str]) -> Properties {
    Properties::default().header(header, Value::strings(keys))
}

/// A queue whose dead letters go to a direct exchange, with their own keys.
fn with_own_keys(client: &mut RawClient) -> (String, String, String) {
    let exchange = exchange(client, "direct");
    let source = queue_with(client, "source", [("x-dead-letter-exchange", exchange.as_str().into())]);
    let dead = queue(client, "dead");
    (source, exchange, dead)
}

#[track_caller]
fn reject_next(client: &mut RawClient, source: &str) -> Delivery {
    let taken = until("message to reject", || client.get(1, source, false));
    client.send(1, reject(taken.delivery_tag, false));
    taken
}

#[test]
fn without_a_key_of_the_queue_the_messages_own_is_used() {
    let mut client = connect();
    let (source, exchange, dead) = with_own_keys(&mut client);
    put_all(&mut client, &source, &["a"]);
    reject_next(&mut client, &source);
    bind(&mut client, &dead, &exchange, &source);
    put_all(&mut client, &source, &["b"]);
    reject_next(&mut client, &source);
    let taken = await_message(&mut client, &dead);
    assert_eq!(
        (taken.text().as_str(), taken.exchange.as_str(), taken.routing_key.as_str()),
        ("b", &*exchange, &*source)
    );
    delete_exchange(&mut client, &exchange);
}

#[test]
fn the_key_of_the_queue_replaces_the_messages_own() {
    let mut client = connect();
    let exchange = exchange(&mut client, "direct");
    let arguments =
        [("x-dead-letter-exchange", exchange.as_str().into()), ("x-dead-letter-routing-key", "other".into())];
    let source = queue_with(&mut client, "source", arguments);
    let (own, other) = (queue(&mut client, "own"), queue(&mut client, "other"));
    bind(&mut client, &own, &exchange, &source);
    bind(&mut client, &other, &exchange, "other");
    put_all(&mut client, &source, &["a"]);
    reject_next(&mut client, &source);
    let taken = await_message(&mut client, &other);
    assert_eq!((taken.text().as_str(), taken.routing_key.as_str()), ("a", "other"));
    assert_eq!(deaths(&taken)[0].routing_keys, [source.as_str()]);
    assert!(client.get(1, &own, true).is_none());
    delete_exchange(&mut client, &exchange);
}

#[test]
fn an_empty_key_of_the_queue_is_a_key() {
    let mut client = connect();
    let exchange = exchange(&mut client, "direct");
    let arguments = [("x-dead-letter-exchange", exchange.as_str().into()), ("x-dead-letter-routing-key", "".into())];
    let source = queue_with(&mut client, "source", arguments);
    let dead = queue(&mut client, "dead");
    bind(&mut client, &dead, &exchange, "");
    put_all(&mut client, &source, &["a"]);
    reject_next(&mut client, &source);
    let taken = await_message(&mut client, &dead);
    assert_eq!(taken.routing_key, "");
    delete_exchange(&mut client, &exchange);
}

/// Without a key of the queue, those of CC and BCC route the dead letter as well.
#[test]
fn cc_and_bcc_route_dead_letters_as_the_own_key_does() {
    for name in ["CC", "BCC"] {
        let mut client = connect();
        let (source, exchange, dead) = with_own_keys(&mut client);
        bind(&mut client, &dead, &exchange, &dead);
        put_all(&mut client, &source, &["a"]);
        put(&mut client, &source, &copies(name, &[&dead]), "b");
        await_bodies(&mut client, &dead, &["b"]);
        reject_next(&mut client, &source);
        reject_next(&mut client, &source);
        let taken = await_message(&mut client, &dead);
        assert_eq!((taken.text().as_str(), deaths(&taken).len()), ("b", 1), "{name}");
        assert!(client.get(1, &dead, true).is_none(), "{name}");
        delete_exchange(&mut client, &exchange);
    }
}

#[test]
fn the_key_of_the_queue_keeps_cc_and_bcc_from_routing() {
    for name in ["CC", "BCC"] {
        let mut client = connect();
        let exchange = exchange(&mut client, "direct");
        let arguments =
            [("x-dead-letter-exchange", exchange.as_str().into()), ("x-dead-letter-routing-key", "other".into())];
        let source = queue_with(&mut client, "source", arguments);
        let (copied, other) = (queue(&mut client, "copied"), queue(&mut client, "other"));
        bind(&mut client, &copied, &exchange, &copied);
        bind(&mut client, &other, &exchange, "other");
        put(&mut client, &source, &copies(name, &[&copied]), "a");
        await_bodies(&mut client, &copied, &["a"]);
        reject_next(&mut client, &source);
        await_bodies(&mut client, &other, &["a"]);
        assert!(client.get(1, &copied, true).is_none(), "{name}");
        delete_exchange(&mut client, &exchange);
    }
}

#[test]
fn cc_stays_in_the_headers_without_a_key_of_the_queue() {
    let mut client = connect();
    let (source, exchange, dead) = with_own_keys(&mut client);
    bind(&mut client, &dead, &exchange, &source);
    put(&mut client, &source, &copies("CC", &["one", "two"]), "a");
    reject_next(&mut client, &source);
    let taken = await_message(&mut client, &dead);
    assert_eq!(header(&taken, "CC"), Some(&Value::strings(&["one", "two"])));
    assert_eq!(deaths(&taken)[0].routing_keys, [source.as_str(), "one", "two"]);
    delete_exchange(&mut client, &exchange);
}

/// With a key of the queue 3.10 removes the CC header, 3.13 and later leave it.
#[test]
fn cc_stays_in_the_headers_with_a_key_of_the_queue_as_in_4() {
    ours_only!("3.10 removes the CC header");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "cc", []);
    put(&mut client, &source, &copies("CC", &["one"]), "a");
    reject_next(&mut client, &source);
    let taken = await_message(&mut client, &dead);
    assert_eq!(header(&taken, "CC"), Some(&Value::strings(&["one"])));
    assert_eq!(deaths(&taken)[0].routing_keys, [source.as_str(), "one"]);
}

/// x-death names the keys of CC, those of BCC nobody learns.
#[test]
fn bcc_is_recorded_nowhere() {
    let mut client = connect();
    let (source, exchange, dead) = with_own_keys(&mut client);
    bind(&mut client, &dead, &exchange, &source);
    let properties = copies("CC", &["cc1", "cc2"]).header("BCC", Value::strings(&[&dead, "bcc2"]));
    put(&mut client, &source, &properties, "a");
    await_bodies(&mut client, &dead, &["a"]);
    let before = reject_next(&mut client, &source);
    assert_eq!((deaths(&before).len(), header(&before, "BCC")), (0, None));
    let taken = await_message(&mut client, &dead);
    assert_eq!(header(&taken, "BCC"), None);
    let mut keys = deaths(&taken)[0].routing_keys.clone();
    keys.sort();
    let mut expected = [source.as_str(), "cc1", "cc2"];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn a_topic_exchange_routes_dead_letters() {
    let mut client = connect();
    let exchange = exchange(&mut client, "topic");
    let arguments =
        [("x-dead-letter-exchange", exchange.as_str().into()), ("x-dead-letter-routing-key", "dead.eu.x".into())];
    let source = queue_with(&mut client, "source", arguments);
    let (matching, other) = (queue(&mut client, "matching"), queue(&mut client, "other"));
    bind(&mut client, &matching, &exchange, "dead.#");
    bind(&mut client, &other, &exchange, "alive.#");
    put_all(&mut client, &source, &["a"]);
    reject_next(&mut client, &source);
    await_bodies(&mut client, &matching, &["a"]);
    assert!(client.get(1, &other, true).is_none());
    delete_exchange(&mut client, &exchange);
}

/// A headers exchange sees what dead-lettering has written: reasons go to queues of their own.
#[test]
fn a_headers_exchange_routes_by_the_first_death() {
    let mut client = connect();
    let exchange = exchange(&mut client, "headers");
    let dlx = || [("x-dead-letter-exchange", exchange.as_str().into())];
    let (one, two) = (queue_with(&mut client, "one", dlx()), queue_with(&mut client, "two", dlx()));
    let (expired, rejected) = (queue(&mut client, "expired"), queue(&mut client, "rejected"));
    let both = table([
        ("x-match", "all-with-x".into()),
        ("x-first-death-reason", "expired".into()),
        ("x-first-death-queue", one.as_str().into()),
    ]);
    client.call(1, queue_bind(&expired, &exchange, "", &both));
    let any = table([("x-match", "any-with-x".into()), ("x-first-death-reason", "rejected".into())]);
    client.call(1, queue_bind(&rejected, &exchange, "", &any));
    put(&mut client, &one, &Properties::default().expiration("0"), "a");
    await_bodies(&mut client, &expired, &["a"]);
    put(&mut client, &two, &Properties::default().expiration("0"), "nowhere");
    put_all(&mut client, &two, &["b"]);
    reject_next(&mut client, &two);
    await_bodies(&mut client, &rejected, &["b"]);
    assert!(client.get(1, &expired, true).is_none() && client.get(1, &rejected, true).is_none());
    delete_exchange(&mut client, &exchange);
}

#[test]
fn a_headers_exchange_routes_by_the_headers_of_the_publisher() {
    let mut client = connect();
    let exchange = exchange(&mut client, "headers");
    let source = queue_with(&mut client, "source", [("x-dead-letter-exchange", exchange.as_str().into())]);
    let dead = queue(&mut client, "dead");
    client.call(1, queue_bind(&dead, &exchange, "", &table([("kind", "invoice".into())])));
    put(&mut client, &source, &Properties::default().header("kind", "letter"), "a");
    put(&mut client, &source, &Properties::default().header("kind", "invoice"), "b");
    reject_next(&mut client, &source);
    reject_next(&mut client, &source);
    await_bodies(&mut client, &dead, &["b"]);
    assert!(client.get(1, &dead, true).is_none());
    delete_exchange(&mut client, &exchange);
}

#[test]
fn bindings_between_exchanges_are_followed() {
    let mut client = connect();
    let (first, second) = (exchange(&mut client, "fanout"), exchange(&mut client, "topic"));
    client.call(1, testkit::method::exchange_bind(&second, &first, "", &Vec::new()));
    let dead = queue(&mut client, "dead");
    bind(&mut client, &dead, &second, "#");
    let source = queue_with(&mut client, "source", [("x-dead-letter-exchange", first.as_str().into())]);
    put_all(&mut client, &source, &["a"]);
    reject_next(&mut client, &source);
    let taken = await_message(&mut client, &dead);
    assert_eq!((taken.text().as_str(), taken.exchange.as_str()), ("a", first.as_str()));
    delete_exchange(&mut client, &first);
    delete_exchange(&mut client, &second);
}

/// Several messages of one queue keep their order on their way to another.
#[test]
fn the_order_holds_through_a_chain_of_queues() {
    let mut client = connect();
    let last = queue(&mut client, "last");
    let to = |target: &str| {
        [
            ("x-dead-letter-exchange", "".into()),
            ("x-dead-letter-routing-key", target.into()),
            ("x-message-ttl", 30.into()),
        ]
    };
    let middle = queue_with(&mut client, "middle", to(&last));
    let source = queue_with(&mut client, "source", to(&middle));
    let bodies: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    put_all(&mut client, &source, &bodies.iter().map(String::as_str).collect::<Vec<_>>());
    super::waiting::await_count(&mut client, &last, 200);
    assert_eq!(client.drain(1, &last), bodies);
}

#[test]
fn a_dead_letter_exchange_that_is_deleted_and_declared_again_works_again() {
    let mut client = connect();
    let (name, dead) = (unique("again"), queue(&mut client, "dead"));
    let source = queue_with(&mut client, "source", [("x-dead-letter-exchange", name.as_str().into())]);
    for body in ["a", "b"] {
        client.call(1, testkit::ExchangeDeclare::new(&name, "fanout"));
        bind(&mut client, &dead, &name, "");
        put_all(&mut client, &source, &[body]);
        let taken = take(&mut client, &source, 1);
        client.send(1, reject(taken[0].delivery_tag, false));
        await_bodies(&mut client, &dead, &[body]);
        delete_exchange(&mut client, &name);
    }
}
