//! Declaring, purging and deleting queues.

use testkit::method::{get, queue_delete, queue_purge};
use testkit::{Consume, QueueDeclare, Value, id};

use crate::support::{bind, connect, queue, unique};

#[test]
fn a_server_named_queue_has_rabbitmqs_form() {
    let mut client = connect();
    let first = client.declare(1, QueueDeclare::exclusive("")).queue;
    let second = client.declare(1, QueueDeclare::exclusive("")).queue;
    assert_ne!(first, second);
    let random = first.strip_prefix("amq.gen-").expect("the prefix");
    assert_eq!(random.len(), 22);
    assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'), "{random}");
    client.declare(1, QueueDeclare::passive(&first));
}

#[test]
fn the_empty_name_means_the_last_declared() {
    let mut client = connect();
    let name = unique("last");
    client.declare(1, QueueDeclare::exclusive(&unique("earlier")));
    client.declare(1, QueueDeclare::exclusive(&name));
    bind(&mut client, "", "amq.direct", "");
    client.publish(1, "amq.direct", &name, "by its own name");
    assert_eq!(client.get(1, "", true).map(|taken| taken.text()).as_deref(), Some("by its own name"));
    client.publish(1, "", &name, "x");
    assert_eq!(client.call(1, queue_purge("")).reader().long(), 1);
    let tag = client.consume(1, Consume::new("", ""));
    assert!(tag.starts_with("amq.ctag-"), "{tag}");
    client.call(1, queue_delete("", false, false));
    assert_eq!(client.expect_method(1, id::BASIC_CANCEL).reader().short_string(), tag);
    client.send(1, QueueDeclare::passive(&name));
    assert_eq!(client.expect_close(1).code, 404);
}

#[test]
fn the_last_declared_queue_is_the_channels_own() {
    let mut client = connect();
    queue(&mut client, "first_channel");
    client.open_channel(2);
    client.send(2, get("", false));
    assert_eq!(client.expect_close(2).text, "NOT_FOUND - no previously declared queue");
}

#[test]
fn declare_counts_ready_messages_and_consumers() {
    let mut client = connect();
    let queue = queue(&mut client, "counts");
    client.fill(&queue, &["a", "b", "c"]);
    let taken = client.get(1, &queue, false).expect("a message");
    assert_eq!(taken.message_count, Some(2));
    let declared = client.declare(1, QueueDeclare::exclusive(&queue));
    assert_eq!((declared.message_count, declared.consumer_count), (2, 0));
    client.open_channel(2);
    client.call(2, testkit::method::qos(1, false));
    client.consume(2, Consume::new(&queue, ""));
    client.expect_delivery(2);
    let declared = client.declare(1, QueueDeclare::passive(&queue));
    assert_eq!((declared.queue, declared.message_count, declared.consumer_count), (queue, 1, 1));
}

#[test]
fn redeclaring_the_same_is_accepted() {
    let mut client = connect();
    let name = unique("same");
    let declare = || QueueDeclare::exclusive(&name).argument("x-max-length", 5).argument("x-own", "anything");
    client.declare(1, declare());
    client.declare(1, declare());
    // Integers compare by value whatever their width; unlisted arguments are not compared at all.
    client.declare(1, QueueDeclare::exclusive(&name).argument("x-max-length", Value::Long(5)));
    client.declare(
        1,
        QueueDeclare::exclusive(&name).argument("x-max-length", Value::UnsignedByte(5)).argument("x-own", 7),
    );
}

#[test]
fn a_missing_queue_type_equals_classic() {
    let mut client = connect();
    let name = unique("type");
    client.declare(1, QueueDeclare::exclusive(&name));
    client.declare(1, QueueDeclare::exclusive(&name).argument("x-queue-type", "classic"));
}

#[test]
fn a_passive_declare_ignores_properties() {
    let mut client = connect();
    let name = queue(&mut client, "passive");
    let declare = QueueDeclare { passive: true, ..QueueDeclare::new(&name).durable().auto_delete() };
    assert_eq!(client.declare(1, declare).queue, name);
}

#[test]
fn exclusive_and_durable_together_are_accepted() {
    let mut client = connect();
    let name = unique("both");
    client.declare(1, QueueDeclare::exclusive(&name).durable());
    client.declare(1, QueueDeclare::exclusive(&name).durable());
}

#[test]
fn an_auto_delete_queue_goes_with_its_last_consumer() {
    let mut client = connect();
    let name = unique("auto");
    client.declare(1, QueueDeclare::new(&name).auto_delete());
    client.consume(1, Consume::new(&name, "one"));
    client.consume(1, Consume::new(&name, "two"));
    client.call(1, testkit::method::cancel("one"));
    assert_eq!(client.declare(1, QueueDeclare::passive(&name)).consumer_count, 1);
    client.call(1, testkit::method::cancel("two"));
    client.send(1, QueueDeclare::passive(&name));
    assert_eq!(client.expect_close(1).code, 404);
}

#[test]
fn an_auto_delete_queue_without_consumers_stays() {
    let mut client = connect();
    let name = unique("auto_stays");
    client.declare(1, QueueDeclare::new(&name).auto_delete());
    client.publish(1, "", &name, "x");
    assert!(client.get(1, &name, true).is_some());
    client.close_channel(1);
    client.open_channel(1);
    client.declare(1, QueueDeclare::passive(&name));
    client.call(1, queue_delete(&name, false, false));
}

#[test]
fn an_auto_delete_queue_goes_with_its_consumers_channel() {
    let mut client = connect();
    let name = unique("auto_channel");
    client.open_channel(2);
    client.declare(1, QueueDeclare::new(&name).auto_delete());
    client.consume(2, Consume::new(&name, ""));
    client.close_channel(2);
    client.send(1, QueueDeclare::passive(&name));
    assert_eq!(client.expect_close(1).code, 404);
}

#[test]
fn purge_takes_only_what_is_ready() {
    let mut client = connect();
    let queue = queue(&mut client, "purge");
    client.fill(&queue, &["a", "b", "c"]);
    let held = client.get(1, &queue, false).expect("a message");
    assert_eq!(client.call(1, queue_purge(&queue)).reader().long(), 2);
    assert_eq!(client.message_count(1, &queue), 0);
    client.send(1, testkit::method::reject(held.delivery_tag, true));
    client.assert_alive(1);
    assert_eq!(client.drain(1, &queue), ["a"]);
}

#[test]
fn delete_counts_what_was_ready() {
    let mut client = connect();
    let queue = queue(&mut client, "delete");
    client.fill(&queue, &["a", "b"]);
    assert_eq!(client.call(1, queue_delete(&queue, false, false)).reader().long(), 2);
    assert_eq!(client.call(1, queue_delete(&queue, false, false)).reader().long(), 0, "a missing queue is no error");
}

#[test]
fn delete_if_unused_and_if_empty() {
    let mut client = connect();
    let name = queue(&mut client, "conditions");
    client.call(1, queue_delete(&name, true, true));
    client.declare(1, QueueDeclare::exclusive(&name));
    client.fill(&name, &["a"]);
    assert_eq!(client.call(1, queue_delete(&name, true, false)).reader().long(), 1);
    client.declare(1, QueueDeclare::exclusive(&name));
    client.consume(1, Consume::new(&name, "tag"));
    client.call(1, queue_delete(&name, false, true));
    // The consumer hears of it.
    assert_eq!(client.expect_method(1, id::BASIC_CANCEL).reader().short_string(), "tag");
}

#[test]
fn a_deleted_queue_can_be_declared_anew() {
    let mut client = connect();
    let name = unique("anew");
    for round in 0..20 {
        client.declare(1, QueueDeclare::exclusive(&name).argument("x-max-length", round + 1));
        client.publish(1, "", &name, "old");
        client.call(1, queue_delete(&name, false, false));
    }
    assert_eq!(client.declare(1, QueueDeclare::exclusive(&name)).message_count, 0);
}

#[test]
fn no_wait_methods_are_not_answered() {
    let mut client = connect();
    let name = unique("no_wait");
    client.send(1, QueueDeclare { no_wait: true, ..QueueDeclare::exclusive(&name) });
    client.send(1, Consume { no_wait: true, ..Consume::new(&name, "tag") });
    client.publish(1, "", &name, "x");
    let delivery = client.expect_delivery(1);
    assert_eq!((delivery.consumer_tag.as_str(), delivery.text().as_str()), ("tag", "x"));
}

#[test]
fn carriage_returns_and_newlines_leave_names() {
    let mut client = connect();
    let name = unique("stripped");
    let declared = client.declare(1, QueueDeclare::exclusive(&format!("{name}\r\n.end\n")));
    assert_eq!(declared.queue, format!("{name}.end"));
    client.declare(1, QueueDeclare::passive(&format!("{name}.end")));
}

#[test]
fn any_utf8_of_255_bytes_is_a_name() {
    let mut client = connect();
    for name in [format!("{}{}", unique("ü"), "é漢字🐇"), format!("{:x<255}", unique("long"))] {
        assert_eq!(client.declare(1, QueueDeclare::exclusive(&name)).queue, name);
        client.publish(1, "", &name, "x");
        assert_eq!(client.get(1, &name, true).expect("a message").routing_key, name);
    }
}

#[test]
fn arguments_of_every_field_type_are_kept() {
    let mut client = connect();
    let name = unique("types");
    let declare = QueueDeclare::exclusive(&name)
        .argument("x-a", Value::Array(vec![Value::from(1), Value::from("two"), Value::Void]))
        .argument("x-b", Value::Double(1.5))
        .argument("x-c", Value::Decimal(2, 314))
        .argument("x-d", Value::Table(vec![("deep".to_owned(), Value::Timestamp(1))]))
        .argument("x-e", Value::Binary(vec![0, 255]))
        .argument("x-f", Value::Float(0.5));
    client.declare(1, declare.clone());
    client.declare(1, declare);
}

/// Unlike everywhere else, the empty name of a passive declare is a name.
#[test]
fn a_passive_declare_of_the_empty_name_finds_nothing() {
    let mut client = connect();
    queue(&mut client, "declared");
    client.send(1, QueueDeclare::passive(""));
    assert_eq!(client.expect_close(1).text, "NOT_FOUND - no queue '' in vhost '/'");
}
