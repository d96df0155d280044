//! What policies do to exchanges and queues that are there, and to those that come later.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use testkit::method::{exchange_delete, queue_bind, queue_delete, reject};
use testkit::{ExchangeDeclare, Publish, QueueDeclare, RawClient, Table};

use crate::administration::{Kind, clear_policy, set_policy};
use crate::support::{connect, delete_exchange, is_external, queue, unique};

/// A fanout exchange with one queue, which collects what reaches it.
fn collector(client: &mut RawClient, what: &str) -> String {
    let name = unique(what);
    client.call(1, ExchangeDeclare::new(&name, "fanout"));
    client.declare(1, QueueDeclare::exclusive(&name));
    client.call(1, queue_bind(&name, &name, "", &Table::new()));
    name
}

fn policy(name: &str, alternate: &str, priority: i32) -> bool {
    set_policy(Kind::User, name, &format!("^{name}$"), &format!(r#"{{"alternate-exchange":"{alternate}"}}"#), priority)
}

/// Where a message with a key that nothing is bound to ends up: the name of the collector, or nothing.
#[track_caller]
fn lands(client: &mut RawClient, exchange: &str, collectors: &[&String]) -> Option<String> {
    client.publish_with(1, Publish::new(exchange, "unbound").mandatory(), &Default::default(), "x");
    let found = collectors.iter().find(|name| client.get(1, name, true).is_some()).map(|name| (*name).clone());
    if found.is_none() {
        assert_eq!(client.expect_return(1).code, 312);
    }
    found
}

#[test]
fn an_alternate_exchange_comes_changes_and_goes_with_its_policy() {
    let mut client = connect();
    let (first, second) = (collector(&mut client, "first"), collector(&mut client, "second"));
    let name = unique("policy");
    client.call(1, ExchangeDeclare::new(&name, "direct"));
    let both = [&first, &second];
    // Each several times, so that the route is remembered.
    for _ in 0..3 {
        assert_eq!(lands(&mut client, &name, &both), None);
    }
    if !policy(&name, &first, 0) {
        return;
    }
    for _ in 0..3 {
        assert_eq!(lands(&mut client, &name, &both).as_ref(), Some(&first));
    }
    policy(&name, &second, 0);
    for _ in 0..3 {
        assert_eq!(lands(&mut client, &name, &both).as_ref(), Some(&second));
    }
    clear_policy(Kind::User, &name);
    for _ in 0..3 {
        assert_eq!(lands(&mut client, &name, &both), None);
    }
    [&name, &first, &second].into_iter().for_each(|exchange| delete_exchange(&mut client, exchange));
}

#[test]
fn a_policy_is_in_force_for_what_is_declared_later() {
    let mut client = connect();
    let first = collector(&mut client, "later");
    let name = unique("policy");
    if !policy(&name, &first, 0) {
        return;
    }
    client.call(1, ExchangeDeclare::new(&name, "direct"));
    assert_eq!(lands(&mut client, &name, &[&first]).as_ref(), Some(&first));
    // Also once it is deleted and declared anew, and for names that only resemble it not.
    client.call(1, exchange_delete(&name, false));
    client.call(1, ExchangeDeclare::new(&name, "topic"));
    assert_eq!(lands(&mut client, &name, &[&first]).as_ref(), Some(&first));
    let other = format!("{name}.other");
    client.call(1, ExchangeDeclare::new(&other, "direct"));
    assert_eq!(lands(&mut client, &other, &[&first]), None);
    clear_policy(Kind::User, &name);
    [&name, &other, &first].into_iter().for_each(|exchange| delete_exchange(&mut client, exchange));
}

#[test]
fn the_argument_of_an_exchange_counts_before_its_policy() {
    let mut client = connect();
    let (own, other) = (collector(&mut client, "own"), collector(&mut client, "other"));
    let name = unique("policy");
    client.call(1, ExchangeDeclare::new(&name, "direct").argument("alternate-exchange", own.as_str()));
    if !policy(&name, &other, 0) {
        return;
    }
    assert_eq!(lands(&mut client, &name, &[&own, &other]).as_ref(), Some(&own));
    clear_policy(Kind::User, &name);
    assert_eq!(lands(&mut client, &name, &[&own, &other]).as_ref(), Some(&own));
    [&name, &own, &other].into_iter().for_each(|exchange| delete_exchange(&mut client, exchange));
}

#[test]
fn the_policy_of_the_highest_priority_is_in_force() {
    let mut client = connect();
    let (low, high) = (collector(&mut client, "low"), collector(&mut client, "high"));
    let name = unique("policy");
    client.call(1, ExchangeDeclare::new(&name, "direct"));
    let set = |suffix: &str, alternate: &str, priority| {
        let definition = format!(r#"{{"alternate-exchange":"{alternate}"}}"#);
        set_policy(Kind::User, &format!("{name}{suffix}"), &format!("^{name}$"), &definition, priority)
    };
    let both = [&low, &high];
    if !set(".a", &low, 1) {
        return;
    }
    set(".b", &high, 2);
    assert_eq!(lands(&mut client, &name, &both).as_ref(), Some(&high));
    set(".a", &low, 3);
    assert_eq!(lands(&mut client, &name, &both).as_ref(), Some(&low));
    clear_policy(Kind::User, &format!("{name}.a"));
    assert_eq!(lands(&mut client, &name, &both).as_ref(), Some(&high));
    clear_policy(Kind::User, &format!("{name}.b"));
    assert_eq!(lands(&mut client, &name, &both), None);
    [&name, &low, &high].into_iter().for_each(|exchange| delete_exchange(&mut client, exchange));
}

/// Messages in a queue are not lost by a policy that comes and goes, and the consumer gets them all.
#[test]
fn a_queue_keeps_its_messages_through_policies() {
    let mut client = connect();
    let name = unique("policy");
    client.declare(1, QueueDeclare::exclusive(&name));
    client.fill(&name, &["a", "b", "c"]);
    if !set_policy(Kind::User, &name, &format!("^{name}$"), r#"{"max-length":100,"message-ttl":3600000}"#, 0) {
        return;
    }
    client.fill(&name, &["d"]);
    set_policy(Kind::Operator, &name, &format!("^{name}$"), r#"{"max-length":50}"#, 0);
    client.fill(&name, &["e"]);
    clear_policy(Kind::User, &name);
    clear_policy(Kind::Operator, &name);
    assert_eq!(client.drain(1, &name), ["a", "b", "c", "d", "e"]);
}

/// A non-exclusive queue of the test's own with messages in it.
fn filled(client: &mut RawClient, messages: &[&str]) -> String {
    let name = unique("policy");
    client.declare(1, QueueDeclare::new(&name));
    client.fill(&name, messages);
    name
}

/// Sets a policy for this queue alone.
fn set(kind: Kind, queue: &str, definition: &str) -> bool {
    set_policy(kind, queue, &format!("^{queue}$"), definition, 0)
}

fn delete(client: &mut RawClient, queue: &str) {
    client.call(1, queue_delete(queue, false, false));
}

/// Waits until `queue` has `count` ready messages.
#[track_caller]
fn wait_for_count(client: &mut RawClient, queue: &str, count: u32) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while client.message_count(1, queue) != count {
        assert!(Instant::now() < deadline, "{} messages, not {count}", client.message_count(1, queue));
        testkit::pause(Duration::from_millis(10));
    }
}

#[test]
fn a_length_limit_by_policy_drops_what_is_there() {
    let mut client = connect();
    let queue = filled(&mut client, &["a", "b", "c", "d", "e"]);
    if !set(Kind::User, &queue, r#"{"max-length":3}"#) {
        return;
    }
    wait_for_count(&mut client, &queue, 3);
    set(Kind::Operator, &queue, r#"{"max-length":2}"#);
    wait_for_count(&mut client, &queue, 2);
    client.publish(1, "", &queue, "f");
    wait_for_count(&mut client, &queue, 2);
    assert_eq!(client.drain(1, &queue), ["e", "f"]);
    // The operator's stays when the user's goes, and without either there is no limit.
    clear_policy(Kind::User, &queue);
    client.fill(&queue, &["1", "2"]);
    client.publish(1, "", &queue, "3");
    wait_for_count(&mut client, &queue, 2);
    clear_policy(Kind::Operator, &queue);
    client.publish(1, "", &queue, "4");
    wait_for_count(&mut client, &queue, 3);
    delete(&mut client, &queue);
}

#[test]
fn the_lower_limit_of_argument_and_policy_counts() {
    let mut client = connect();
    let queue = unique("policy");
    client.declare(1, QueueDeclare::new(&queue).argument("x-max-length", 2));
    if !set(Kind::User, &queue, r#"{"max-length":3}"#) {
        return;
    }
    for body in ["a", "b", "c", "d"] {
        client.publish(1, "", &queue, body);
    }
    assert_eq!(client.drain(1, &queue), ["c", "d"]);
    set(Kind::User, &queue, r#"{"max-length":1}"#);
    for body in ["a", "b", "c", "d"] {
        client.publish(1, "", &queue, body);
    }
    assert_eq!(client.drain(1, &queue), ["d"]);
    clear_policy(Kind::User, &queue);
    delete(&mut client, &queue);
}

#[test]
fn a_time_to_live_by_policy_counts_for_what_is_there() {
    let mut client = connect();
    let queue = filled(&mut client, &["a", "b"]);
    if !set(Kind::User, &queue, r#"{"message-ttl":50}"#) {
        return;
    }
    // RabbitMQ: what was there before keeps what it came with, so that only what comes now is sure to expire.
    client.publish(1, "", &queue, "c");
    if is_external() {
        client.drain(1, &queue);
        client.publish(1, "", &queue, "c");
    }
    wait_for_count(&mut client, &queue, 0);
    clear_policy(Kind::User, &queue);
    client.fill(&queue, &["stays"]);
    testkit::pause(Duration::from_millis(150));
    assert_eq!(client.drain(1, &queue), ["stays"]);
    delete(&mut client, &queue);
}

#[test]
fn an_unused_queue_expires_by_policy() {
    let mut client = connect();
    let queue = filled(&mut client, &["a"]);
    testkit::pause(Duration::from_millis(500));
    if !set(Kind::User, &queue, r#"{"expires":400}"#) {
        return;
    }
    // The time begins with the policy, and asking for the queue is a use of it.
    client.declare(1, QueueDeclare::passive(&queue));
    testkit::pause(Duration::from_millis(1000));
    client.send(1, QueueDeclare::passive(&queue));
    assert_eq!(client.expect_close(1).code, 404);
    clear_policy(Kind::User, &queue);
}

#[test]
fn dead_letters_go_where_the_policy_says() {
    let mut client = connect();
    let letters = collector(&mut client, "letters");
    let queue = filled(&mut client, &["a", "b"]);
    if !set(Kind::User, &queue, &format!(r#"{{"dead-letter-exchange":"{letters}","dead-letter-routing-key":"key"}}"#)) {
        return;
    }
    let taken = client.get(1, &queue, false).expect("a message");
    client.send(1, reject(taken.delivery_tag, false));
    wait_for_count(&mut client, &letters, 1);
    let letter = client.get(1, &letters, true).expect("a dead letter");
    assert_eq!((letter.text(), letter.routing_key.as_str()), ("a".to_owned(), "key"));
    clear_policy(Kind::User, &queue);
    let taken = client.get(1, &queue, false).expect("a message");
    client.send(1, reject(taken.delivery_tag, false));
    client.assert_alive(1);
    assert_eq!(client.message_count(1, &letters), 0);
    delete(&mut client, &queue);
    delete_exchange(&mut client, &letters);
}

#[test]
fn a_full_queue_rejects_by_policy() {
    let mut client = connect();
    let queue = filled(&mut client, &["a"]);
    client.confirm_select(1);
    if !set(Kind::User, &queue, r#"{"max-length":1,"overflow":"reject-publish"}"#) {
        return;
    }
    client.publish(1, "", &queue, "b");
    assert!(!client.expect_confirm(1).ack);
    clear_policy(Kind::User, &queue);
    client.publish(1, "", &queue, "c");
    assert!(client.expect_confirm(1).ack);
    assert_eq!(client.drain(1, &queue), ["a", "c"]);
    delete(&mut client, &queue);
}

/// A policy that comes to a long queue is no pause for others: what it means for the messages is done a piece at a time.
#[test]
fn a_policy_on_a_long_queue_holds_up_nobody() {
    let mut client = connect();
    let queue = unique("policy");
    client.declare(1, QueueDeclare::new(&queue));
    const MESSAGES: u32 = 300_000;
    for _ in 0..MESSAGES / 1000 {
        client.in_one_write(|client| (0..1000).for_each(|_| client.publish(1, "", &queue, "x")));
    }
    client.confirm_select(1);
    client.publish(1, "", &queue, "last");
    client.expect_confirm(1);
    assert_eq!(client.message_count(1, &queue), MESSAGES + 1);
    let mut other = connect();
    let echo = self::queue(&mut other, "echo");
    let over = std::sync::atomic::AtomicBool::new(false);
    let (slowest, dropped) = std::thread::scope(|scope| {
        let echoing = scope.spawn(|| {
            let mut slowest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                other.publish(1, "", &echo, "x");
                assert!(other.get(1, &echo, true).is_some());
                slowest = slowest.max(begin.elapsed());
            }
            slowest
        });
        let dropped = set(Kind::User, &queue, r#"{"max-length":5}"#);
        if dropped {
            wait_for_count(&mut client, &queue, 5);
        }
        over.store(true, Ordering::Relaxed);
        (echoing.join().expect("the echo"), dropped)
    });
    eprintln!("slowest echo beside {MESSAGES} dropped messages: {slowest:?}");
    if dropped {
        // Generous: tests of other threads run at the same time. All at once would take longer.
        assert!(is_external() || slowest < Duration::from_millis(250), "{slowest:?}");
        clear_policy(Kind::User, &queue);
    }
    delete(&mut client, &queue);
}

/// RabbitMQ 4.3 has the key for quorum queues; 3.10 does not know it.
#[test]
fn a_consumer_timeout_by_policy_counts_for_consumers_that_come_later() {
    if is_external() {
        eprintln!("skipped: RabbitMQ 3.10 does not have the key");
        return;
    }
    let mut client = connect();
    let queue = filled(&mut client, &["a"]);
    set(Kind::User, &queue, r#"{"consumer-timeout":300}"#);
    client.consume(1, testkit::Consume::new(&queue, "tag"));
    client.expect_delivery(1);
    let text = client.expect_close(1).text;
    assert!(text.contains("delivery acknowledgement on channel 1 timed out. Timeout value used: 300 ms"), "{text}");
    client.open_channel(1);
    clear_policy(Kind::User, &queue);
    delete(&mut client, &queue);
}

/// The delivery limit of an operator binds whoever sets another one.
#[test]
fn the_delivery_limit_is_the_strictest_of_all() {
    if is_external() {
        eprintln!("skipped: RabbitMQ's classic queues have no delivery limit");
        return;
    }
    let mut client = connect();
    let queue = unique("policy");
    client.declare(1, QueueDeclare::new(&queue).argument("x-delivery-limit", 10));
    set(Kind::User, &queue, r#"{"delivery-limit":-1}"#);
    set(Kind::Operator, &queue, r#"{"delivery-limit":2}"#);
    client.fill(&queue, &["a"]);
    let mut returned = 0;
    while let Some(taken) = client.get(1, &queue, false) {
        client.send(1, reject(taken.delivery_tag, true));
        returned += 1;
        assert!(returned <= 10, "it comes without end");
    }
    assert_eq!(returned, 3);
    [Kind::User, Kind::Operator].into_iter().for_each(|kind| clear_policy(kind, &queue));
    delete(&mut client, &queue);
}
