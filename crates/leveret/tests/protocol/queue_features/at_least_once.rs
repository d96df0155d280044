//! `x-dead-letter-strategy` at-least-once, which RabbitMQ has on quorum queues and we have on every queue: a dead letter that
//! no target took stays with its queue, out of sight, and is tried again.

use testkit::method::{queue_delete, reject};
use testkit::{QueueDeclare, RawClient, Value};

use super::waiting::{await_bodies, await_count, await_message, death_counts, put_all, queue_with, take, until};
use crate::ours_only;
use crate::support::{bind, connect, delete_exchange, exchange, queue, unique};

/// A queue that keeps its dead letters for `exchange` until somebody takes them.
fn keeping<const N: usize>(client: &mut RawClient, exchange: &str, more: [(&str, Value); N]) -> String {
    let name = unique("keeping");
    let mut declare = QueueDeclare::exclusive(&name)
        .argument("x-dead-letter-exchange", exchange)
        .argument("x-dead-letter-strategy", "at-least-once")
        .argument("x-overflow", "reject-publish");
    for (argument, value) in more {
        declare = declare.argument(argument, value);
    }
    client.declare(1, declare);
    name
}

/// Rejects `count` messages of `source`.
#[track_caller]
fn reject_all(client: &mut RawClient, source: &str, count: usize) {
    for taken in take(client, source, count) {
        client.send(1, reject(taken.delivery_tag, false));
    }
}

#[test]
fn what_is_taken_is_there_once_with_its_death() {
    ours_only!("RabbitMQ's classic queues have at-most-once only");
    let mut client = connect();
    let dead = queue(&mut client, "dead");
    let source = keeping(&mut client, "", [("x-dead-letter-routing-key", dead.as_str().into())]);
    put_all(&mut client, &source, &["a", "b"]);
    reject_all(&mut client, &source, 2);
    let taken = await_message(&mut client, &dead);
    assert_eq!(taken.text(), "a");
    assert_eq!(death_counts(&taken), [("rejected".to_owned(), source.clone(), 1)]);
    await_bodies(&mut client, &dead, &["b"]);
    assert!(client.get(1, &dead, true).is_none() && client.get(1, &source, true).is_none());
}

#[test]
fn without_a_route_it_waits_for_one() {
    ours_only!("RabbitMQ's classic queues have at-most-once only");
    let mut client = connect();
    let exchange = exchange(&mut client, "fanout");
    let source = keeping(&mut client, &exchange, []);
    put_all(&mut client, &source, &["a", "b"]);
    reject_all(&mut client, &source, 2);
    assert!(client.get(1, &source, true).is_none(), "it is out of sight");
    assert_eq!(client.message_count(1, &source), 0);
    let dead = queue(&mut client, "dead");
    bind(&mut client, &dead, &exchange, "");
    await_bodies(&mut client, &dead, &["a", "b"]);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn without_the_exchange_it_waits_for_it() {
    ours_only!("RabbitMQ's classic queues have at-most-once only");
    let mut client = connect();
    let (exchange, dead) = (unique("later"), queue(&mut client, "dead"));
    let source = keeping(&mut client, &exchange, []);
    put_all(&mut client, &source, &["a"]);
    reject_all(&mut client, &source, 1);
    client.call(1, testkit::ExchangeDeclare::new(&exchange, "fanout"));
    bind(&mut client, &dead, &exchange, "");
    await_bodies(&mut client, &dead, &["a"]);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn without_the_target_queue_it_waits_for_it() {
    ours_only!("RabbitMQ's classic queues have at-most-once only");
    let mut client = connect();
    let dead = unique("dead");
    let source = keeping(&mut client, "", [("x-dead-letter-routing-key", dead.as_str().into())]);
    put_all(&mut client, &source, &["a"]);
    reject_all(&mut client, &source, 1);
    client.declare(1, QueueDeclare::exclusive(&dead));
    await_bodies(&mut client, &dead, &["a"]);
}

#[test]
fn a_full_target_gets_it_when_there_is_room() {
    ours_only!("RabbitMQ's classic queues have at-most-once only");
    let mut client = connect();
    let arguments = [("x-max-length", 1.into()), ("x-overflow", "reject-publish".into())];
    let dead = queue_with(&mut client, "full", arguments);
    let source = keeping(&mut client, "", [("x-dead-letter-routing-key", dead.as_str().into())]);
    put_all(&mut client, &source, &["a", "b", "c"]);
    reject_all(&mut client, &source, 3);
    let mut taken: Vec<String> = Vec::new();
    for _ in 0..3 {
        taken.push(await_message(&mut client, &dead).text());
    }
    taken.sort();
    assert_eq!(taken, ["a", "b", "c"]);
    assert!(client.get(1, &dead, true).is_none());
}

#[test]
fn expired_messages_wait_too() {
    ours_only!("RabbitMQ's classic queues have at-most-once only");
    let mut client = connect();
    let exchange = exchange(&mut client, "fanout");
    let source = keeping(&mut client, &exchange, [("x-message-ttl", 20.into())]);
    client.fill(&source, &["a", "b", "c"]);
    await_count(&mut client, &source, 0);
    let dead = queue(&mut client, "dead");
    bind(&mut client, &dead, &exchange, "");
    await_bodies(&mut client, &dead, &["a", "b", "c"]);
    delete_exchange(&mut client, &exchange);
}

/// What waits for a target does not keep the queue from taking and delivering others.
#[test]
fn others_pass_what_waits() {
    ours_only!("RabbitMQ's classic queues have at-most-once only");
    let mut client = connect();
    let exchange = exchange(&mut client, "fanout");
    let source = keeping(&mut client, &exchange, []);
    put_all(&mut client, &source, &["a"]);
    reject_all(&mut client, &source, 1);
    put_all(&mut client, &source, &["b"]);
    assert_eq!(client.drain(1, &source), ["b"]);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn deleting_the_queue_ends_the_waiting() {
    ours_only!("RabbitMQ's classic queues have at-most-once only");
    let mut client = connect();
    let exchange = exchange(&mut client, "fanout");
    let source = keeping(&mut client, &exchange, []);
    put_all(&mut client, &source, &["a"]);
    reject_all(&mut client, &source, 1);
    client.call(1, queue_delete(&source, false, false));
    let dead = queue(&mut client, "dead");
    bind(&mut client, &dead, &exchange, "");
    client.publish(1, &exchange, "", "after");
    assert_eq!(await_message(&mut client, &dead).text(), "after");
    delete_exchange(&mut client, &exchange);
}

/// One of two targets is full: the other gets the message once, however often the full one is tried.
#[test]
fn a_target_that_took_it_does_not_get_it_again() {
    ours_only!("RabbitMQ's classic queues have at-most-once only");
    let mut client = connect();
    let exchange = exchange(&mut client, "fanout");
    let arguments = [("x-max-length", 1.into()), ("x-overflow", "reject-publish".into())];
    let full = queue_with(&mut client, "full", arguments);
    let roomy = queue(&mut client, "roomy");
    for name in [&full, &roomy] {
        bind(&mut client, name, &exchange, "");
    }
    put_all(&mut client, &full, &["in the way"]);
    let source = keeping(&mut client, &exchange, []);
    put_all(&mut client, &source, &["a"]);
    reject_all(&mut client, &source, 1);
    await_bodies(&mut client, &roomy, &["a"]);
    assert_eq!(client.get(1, &full, true).expect("what is in the way").text(), "in the way");
    await_bodies(&mut client, &full, &["a"]);
    assert!(client.get(1, &roomy, true).is_none(), "a second copy");
    delete_exchange(&mut client, &exchange);
}

#[test]
fn a_thousand_wait_and_all_arrive() {
    ours_only!("RabbitMQ's classic queues have at-most-once only");
    let mut client = connect();
    let exchange = exchange(&mut client, "fanout");
    let source = keeping(&mut client, &exchange, [("x-message-ttl", 1.into())]);
    client.confirm_select(1);
    for number in 0..1000 {
        client.publish(1, "", &source, number.to_string());
    }
    client.expect_all_confirmed(1, 1000);
    await_count(&mut client, &source, 0);
    let dead = queue(&mut client, "dead");
    bind(&mut client, &dead, &exchange, "");
    let mut numbers: Vec<u32> = Vec::new();
    until("the thousandth", || {
        numbers.extend(client.drain(1, &dead).iter().map(|body| body.parse::<u32>().expect("a number")));
        (numbers.len() >= 1000).then_some(())
    });
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..1000), "each once");
    delete_exchange(&mut client, &exchange);
}

#[test]
fn an_unknown_strategy_is_refused() {
    ours_only!("3.10 says that classic queues have no strategy");
    let mut client = connect();
    let name = unique("unknown");
    let declare = QueueDeclare::exclusive(&name).argument("x-dead-letter-exchange", "");
    client.send(1, declare.argument("x-dead-letter-strategy", "exactly-once"));
    let closed = client.expect_close(1);
    let expected = format!(
        "PRECONDITION_FAILED - invalid arg 'x-dead-letter-strategy' for queue '{name}' in vhost '/': invalid_dlx_strategy"
    );
    assert_eq!((closed.code, closed.text), (406, expected));
}
