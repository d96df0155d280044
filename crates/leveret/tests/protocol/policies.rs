//! What policies do to exchanges and queues that are there, and to those that come later.

use testkit::method::{exchange_delete, queue_bind};
use testkit::{ExchangeDeclare, Publish, QueueDeclare, RawClient, Table};

use crate::administration::{Kind, clear_policy, set_policy};
use crate::support::{connect, delete_exchange, unique};

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
