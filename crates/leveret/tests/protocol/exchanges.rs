//! Exchange types and what exchanges do beside routing.

use testkit::method::{exchange_bind, exchange_delete, exchange_unbind, queue_bind, queue_unbind};
use testkit::{ExchangeDeclare, Properties, Publish, RawClient, Table, Value, table};

use crate::support::{bind, connect, delete_exchange, exchange, queue, unique};

/// Publishes each key and asserts which of them arrive in `queue`.
#[track_caller]
fn check_keys(client: &mut RawClient, exchange: &str, queue: &str, keys: &[&str], arriving: &[&str]) {
    for key in keys {
        client.publish(1, exchange, key, key);
    }
    assert_eq!(client.drain(1, queue), arriving, "from {exchange}");
}

#[test]
fn the_predeclared_exchanges_are_there() {
    let mut client = connect();
    for (name, exchange_type) in [
        ("amq.direct", "direct"),
        ("amq.fanout", "fanout"),
        ("amq.topic", "topic"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
    ] {
        client.call(1, ExchangeDeclare::passive(name));
        client.call(1, ExchangeDeclare::new(name, exchange_type).durable());
    }
    client.call(1, ExchangeDeclare::new("amq.rabbitmq.trace", "topic").durable().internal());
}

#[test]
fn the_default_exchange_routes_by_queue_name() {
    let mut client = connect();
    let queue = queue(&mut client, "default");
    check_keys(&mut client, "", &queue, &[&queue, "other"], &[&queue]);
}

#[test]
fn direct_matches_the_whole_key() {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "q"), exchange(&mut client, "direct"));
    bind(&mut client, &queue, &exchange, "a.b");
    bind(&mut client, &queue, &exchange, "*");
    check_keys(&mut client, &exchange, &queue, &["a.b", "a", "A.B", "*", "", "a.b.c"], &["a.b", "*"]);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn fanout_ignores_the_key() {
    let mut client = connect();
    let (one, two) = (queue(&mut client, "one"), queue(&mut client, "two"));
    let exchange = exchange(&mut client, "fanout");
    bind(&mut client, &one, &exchange, "k");
    bind(&mut client, &two, &exchange, "other");
    client.publish(1, &exchange, "whatever", "x");
    assert_eq!((client.drain(1, &one).len(), client.drain(1, &two).len()), (1, 1));
    delete_exchange(&mut client, &exchange);
}

/// The empty key has no words at all, so that `*` does not match it.
#[test]
fn topic_wildcards() {
    let mut client = connect();
    let exchange = exchange(&mut client, "topic");
    for (pattern, keys, arriving) in [
        ("a.*.c", &["a.b.c", "a.c", "a.b.b.c", "a..c", "a.*.c"][..], &["a.b.c", "a..c", "a.*.c"][..]),
        ("#", &["", "a", "a.b", "."], &["", "a", "a.b", "."]),
        ("*", &["", "a", "a.b"], &["a"]),
        ("a.#", &["a", "a.b", "a.b.c", "b", "ab"], &["a", "a.b", "a.b.c"]),
        ("#.z", &["z", "y.z", "x.y.z", "z.y"], &["z", "y.z", "x.y.z"]),
        ("a.#.z", &["a.z", "a.b.z", "a.b.c.z", "a.b", "z"], &["a.z", "a.b.z", "a.b.c.z"]),
        ("#.b.#", &["b", "a.b", "b.c", "a.b.c", "a.c"], &["b", "a.b", "b.c", "a.b.c"]),
        ("#.*", &["", "a", "a.b"], &["a", "a.b"]),
        ("*.#", &["", "a", "a.b"], &["a", "a.b"]),
        ("a#b", &["a#b", "ab", "a.b"], &["a#b"]),
        ("a*", &["a*", "ab"], &["a*"]),
        ("", &["", "a"], &[""]),
    ] {
        let queue = queue(&mut client, "q");
        bind(&mut client, &queue, &exchange, pattern);
        check_keys(&mut client, &exchange, &queue, keys, arriving);
        client.call(1, queue_unbind(&queue, &exchange, pattern, &Table::new()));
        check_keys(&mut client, &exchange, &queue, keys, &[]);
    }
    delete_exchange(&mut client, &exchange);
}

/// RabbitMQ 4.3 refuses more than two; every other version takes any number, and so do we.
#[test]
fn topic_takes_any_number_of_hashes() {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "q"), exchange(&mut client, "topic"));
    bind(&mut client, &queue, &exchange, "#.a.#.b.#.c.#");
    let (keys, arriving) = (["a.b.c", "x.a.y.b.z.c.w", "a.c.b"], ["a.b.c", "x.a.y.b.z.c.w"]);
    check_keys(&mut client, &exchange, &queue, &keys, &arriving);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn unbinding_one_of_several_patterns_leaves_the_others() {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "q"), exchange(&mut client, "topic"));
    for pattern in ["a.*", "a.#", "a.b"] {
        bind(&mut client, &queue, &exchange, pattern);
    }
    for pattern in ["a.#", "a.b"] {
        client.call(1, queue_unbind(&queue, &exchange, pattern, &Table::new()));
    }
    check_keys(&mut client, &exchange, &queue, &["a.b", "a.c", "a", "a.b.c"], &["a.b", "a.c"]);
    delete_exchange(&mut client, &exchange);
}

/// Binds with `arguments` and asserts which of the messages with these headers arrive.
#[track_caller]
fn check_headers(arguments: Table, messages: &[(&str, Table, bool)]) {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "q"), exchange(&mut client, "headers"));
    client.call(1, queue_bind(&queue, &exchange, "", &arguments));
    for (body, headers, _) in messages {
        let properties = Properties { headers: Some(headers.clone()), ..Properties::default() };
        client.publish_with(1, Publish::new(&exchange, "ignored"), &properties, body);
    }
    let arriving: Vec<&str> = messages.iter().filter(|message| message.2).map(|message| message.0).collect();
    assert_eq!(client.drain(1, &queue), arriving, "bound with {arguments:?}");
    delete_exchange(&mut client, &exchange);
}

fn text(value: &str) -> Value {
    Value::from(value)
}

#[test]
fn headers_all_is_the_default() {
    let messages = [
        ("both", table([("a", text("1")), ("b", text("2"))]), true),
        ("more", table([("a", text("1")), ("b", text("2")), ("c", text("3"))]), true),
        ("one", table([("a", text("1"))]), false),
        ("other value", table([("a", text("1")), ("b", text("9"))]), false),
        ("none", table([]), false),
    ];
    check_headers(table([("a", text("1")), ("b", text("2"))]), &messages);
    check_headers(table([("x-match", text("all")), ("a", text("1")), ("b", text("2"))]), &messages);
}

#[test]
fn headers_any() {
    check_headers(
        table([("x-match", text("any")), ("a", text("1")), ("b", text("2"))]),
        &[
            ("both", table([("a", text("1")), ("b", text("2"))]), true),
            ("one", table([("b", text("2"))]), true),
            ("wrong values", table([("a", text("2")), ("b", text("1"))]), false),
            ("none", table([]), false),
        ],
    );
}

#[test]
fn headers_without_arguments() {
    check_headers(table([]), &[("x", table([("a", text("1"))]), true), ("none", table([]), true)]);
    check_headers(
        table([("x-match", text("any"))]),
        &[("x", table([("a", text("1"))]), false), ("none", table([]), false)],
    );
}

#[test]
fn headers_beginning_with_x_are_ignored_unless_asked_for() {
    let message = || table([("a", text("1")), ("x-b", text("2"))]);
    check_headers(table([("x-match", text("all")), ("a", text("1")), ("x-b", text("9"))]), &[("m", message(), true)]);
    check_headers(table([("x-match", text("any")), ("a", text("9")), ("x-b", text("2"))]), &[("m", message(), false)]);
    check_headers(
        table([("x-match", text("all-with-x")), ("a", text("1")), ("x-b", text("9"))]),
        &[("m", message(), false)],
    );
    check_headers(
        table([("x-match", text("any-with-x")), ("a", text("9")), ("x-b", text("2"))]),
        &[("m", message(), true)],
    );
}

#[test]
fn a_void_header_asks_for_presence() {
    check_headers(
        table([("x-match", text("all")), ("a", Value::Void)]),
        &[
            ("text", table([("a", text("1"))]), true),
            ("number", table([("a", Value::Long(1))]), true),
            ("absent", table([("b", text("1"))]), false),
        ],
    );
}

#[test]
fn header_values_compare_by_value() {
    check_headers(
        table([("a", Value::Long(5))]),
        &[
            ("wider", table([("a", Value::SignedInt(5))]), true),
            ("text", table([("a", text("5"))]), false),
            ("other", table([("a", Value::SignedInt(6))]), false),
        ],
    );
    check_headers(table([("a", Value::Bool(true))]), &[("bool", table([("a", Value::Bool(true))]), true)]);
}

#[test]
fn a_message_without_headers_matches_an_empty_binding() {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "q"), exchange(&mut client, "headers"));
    client.call(1, queue_bind(&queue, &exchange, "", &Table::new()));
    client.publish(1, &exchange, "", "x");
    assert_eq!(client.drain(1, &queue), ["x"]);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn exchanges_bind_to_exchanges() {
    let mut client = connect();
    let queue = queue(&mut client, "q");
    let (source, middle) = (exchange(&mut client, "topic"), exchange(&mut client, "direct"));
    client.call(1, exchange_bind(&middle, &source, "a.*", &Table::new()));
    bind(&mut client, &queue, &middle, "a.b");
    check_keys(&mut client, &source, &queue, &["a.b", "a.c", "x"], &["a.b"]);
    client.call(1, exchange_unbind(&middle, &source, "a.*", &Table::new()));
    check_keys(&mut client, &source, &queue, &["a.b"], &[]);
    client.call(1, exchange_unbind(&middle, &source, "a.*", &Table::new()));
    delete_exchange(&mut client, &source);
    delete_exchange(&mut client, &middle);
}

#[test]
fn cycles_of_exchanges_deliver_once() {
    let mut client = connect();
    let queue = queue(&mut client, "q");
    let ring: Vec<String> = (0..3).map(|_| exchange(&mut client, "fanout")).collect();
    for (at, source) in ring.iter().enumerate() {
        client.call(1, exchange_bind(&ring[(at + 1) % ring.len()], source, "", &Table::new()));
        bind(&mut client, &queue, source, "");
    }
    client.call(1, exchange_bind(&ring[0], &ring[0], "", &Table::new()));
    client.publish(1, &ring[1], "", "once");
    assert_eq!(client.drain(1, &queue), ["once"]);
    for name in &ring {
        delete_exchange(&mut client, name);
    }
}

#[test]
fn deleting_a_destination_exchange_unbinds_it() {
    let mut client = connect();
    let (source, destination) = (exchange(&mut client, "fanout"), exchange(&mut client, "fanout"));
    client.call(1, exchange_bind(&destination, &source, "", &Table::new()));
    delete_exchange(&mut client, &destination);
    client.call(1, exchange_delete(&source, true));
}

#[test]
fn the_alternate_exchange_takes_what_is_unrouted() {
    let mut client = connect();
    let (routed, unrouted) = (queue(&mut client, "routed"), queue(&mut client, "unrouted"));
    let alternate = exchange(&mut client, "fanout");
    bind(&mut client, &unrouted, &alternate, "");
    let name = unique("ae");
    client.call(1, ExchangeDeclare::new(&name, "direct").argument("alternate-exchange", alternate.as_str()));
    bind(&mut client, &routed, &name, "k");
    client.publish(1, &name, "k", "known");
    client.publish(1, &name, "other", "unknown");
    assert_eq!(client.drain(1, &routed), ["known"]);
    let taken = client.get(1, &unrouted, true).expect("the unrouted message");
    assert_eq!((taken.text().as_str(), taken.exchange.as_str()), ("unknown", name.as_str()));
    delete_exchange(&mut client, &name);
    delete_exchange(&mut client, &alternate);
}

#[test]
fn alternate_exchanges_form_chains_that_may_be_circular() {
    let mut client = connect();
    let queue = queue(&mut client, "q");
    let names: Vec<String> = (0..3).map(|_| unique("chain")).collect();
    for (at, name) in names.iter().enumerate() {
        let next = names[(at + 1) % names.len()].as_str();
        client.call(1, ExchangeDeclare::new(name, "direct").argument("alternate-exchange", next));
    }
    client.confirm_select(1);
    client.publish_with(1, Publish::new(&names[0], "lost").mandatory(), &Properties::default(), "lost");
    assert_eq!(client.expect_return(1).code, 312);
    client.expect_all_confirmed(1, 1);
    bind(&mut client, &queue, &names[2], "k");
    client.publish_with(1, Publish::new(&names[0], "k").mandatory(), &Properties::default(), "found");
    assert!(client.expect_confirm(1).ack, "routed by an alternate exchange, so no return");
    assert_eq!(client.drain(1, &queue), ["found"]);
    for name in &names {
        delete_exchange(&mut client, name);
    }
}

#[test]
fn a_missing_alternate_exchange_drops() {
    let mut client = connect();
    let name = unique("ae");
    client.call(1, ExchangeDeclare::new(&name, "direct").argument("alternate-exchange", "no such exchange"));
    client.publish_with(1, Publish::new(&name, "k").mandatory(), &Properties::default(), "x");
    assert_eq!(client.expect_return(1).text, "NO_ROUTE");
    delete_exchange(&mut client, &name);
}

#[test]
fn an_internal_exchange_routes_for_others() {
    let mut client = connect();
    let queue = queue(&mut client, "q");
    let (internal, source) = (unique("internal"), exchange(&mut client, "fanout"));
    client.call(1, ExchangeDeclare::new(&internal, "fanout").internal());
    client.call(1, exchange_bind(&internal, &source, "", &Table::new()));
    bind(&mut client, &queue, &internal, "");
    client.publish(1, &source, "", "x");
    assert_eq!(client.drain(1, &queue), ["x"]);
    delete_exchange(&mut client, &source);
    delete_exchange(&mut client, &internal);
}

#[test]
fn an_auto_delete_exchange_goes_with_its_last_binding() {
    let mut client = connect();
    let (one, two) = (queue(&mut client, "one"), queue(&mut client, "two"));
    let name = unique("auto");
    client.call(1, ExchangeDeclare::new(&name, "fanout").auto_delete());
    // Without ever having had a binding it stays.
    client.call(1, queue_unbind(&one, &name, "", &Table::new()));
    client.call(1, ExchangeDeclare::passive(&name));
    bind(&mut client, &one, &name, "");
    bind(&mut client, &two, &name, "");
    client.call(1, queue_unbind(&one, &name, "", &Table::new()));
    client.call(1, ExchangeDeclare::passive(&name));
    client.call(1, testkit::method::queue_delete(&two, false, false));
    client.send(1, ExchangeDeclare::passive(&name));
    assert_eq!(client.expect_close(1).code, 404);
}

#[test]
fn auto_delete_exchanges_go_one_after_the_other() {
    let mut client = connect();
    let queue = queue(&mut client, "q");
    let (source, middle) = (unique("source"), unique("middle"));
    for name in [&source, &middle] {
        client.call(1, ExchangeDeclare::new(name, "fanout").auto_delete());
    }
    client.call(1, exchange_bind(&middle, &source, "", &Table::new()));
    bind(&mut client, &queue, &middle, "");
    client.call(1, queue_unbind(&queue, &middle, "", &Table::new()));
    for name in [&middle, &source] {
        client.send(1, ExchangeDeclare::passive(name));
        assert_eq!(client.expect_close(1).code, 404, "{name}");
        client.open_channel(1);
    }
}

#[test]
fn redeclaring_compares_only_the_alternate_exchange_argument() {
    let mut client = connect();
    let name = unique("args");
    client.call(1, ExchangeDeclare::new(&name, "direct").argument("x-own", 1));
    client.call(1, ExchangeDeclare::new(&name, "direct").argument("x-own", 2));
    client.call(1, ExchangeDeclare::new(&name, "direct"));
    delete_exchange(&mut client, &name);
}

#[test]
fn deleting_a_missing_exchange_succeeds() {
    let mut client = connect();
    client.call(1, exchange_delete("no such exchange", false));
    client.call(1, exchange_delete("no such exchange", true));
}

#[test]
fn if_unused_looks_at_bindings_from_the_exchange_alone() {
    let mut client = connect();
    let (source, destination) = (exchange(&mut client, "fanout"), exchange(&mut client, "fanout"));
    client.call(1, exchange_bind(&destination, &source, "", &Table::new()));
    client.call(1, exchange_delete(&destination, true));
    client.call(1, exchange_delete(&source, true));
}

#[test]
fn a_publish_is_routed_by_the_bindings_of_its_moment() {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "q"), exchange(&mut client, "direct"));
    client.in_one_write(|client| {
        for round in 0..10 {
            client.send(1, queue_bind(&queue, &exchange, "k", &Table::new()));
            client.publish(1, &exchange, "k", format!("bound {round}"));
            client.send(1, queue_unbind(&queue, &exchange, "k", &Table::new()));
            client.publish(1, &exchange, "k", "unbound");
        }
    });
    for _ in 0..10 {
        client.expect_method(1, (50, 21));
        client.expect_method(1, (50, 51));
    }
    let expected: Vec<String> = (0..10).map(|round| format!("bound {round}")).collect();
    assert_eq!(client.drain(1, &queue), expected);
    client.call(1, exchange_delete(&exchange, false));
}
