//! Exchanges that delay: what RabbitMQ's archived plugin `rabbitmq_delayed_message_exchange` did, and what it could not.

use std::time::{Duration, Instant};

use testkit::method::{bare, exchange_delete, queue_bind};
use testkit::{ExchangeDeclare, Properties, Publish, RawClient, Table, Value, field, id, path_segment, pause, table};

use super::waiting::{await_bodies, await_count, await_message, queue_with};
use crate::ours_only;
use crate::support::{bind, connect, delete_exchange, queue, shared, unique};

fn delayed(ms: impl Into<Value>) -> Properties {
    Properties::default().header("x-delay", ms)
}

/// An exchange of the type x-delayed-message, under a name of its own.
fn delaying(client: &mut RawClient, kind: &str) -> String {
    let name = unique("delayed");
    client.call(1, ExchangeDeclare::new(&name, "x-delayed-message").argument("x-delayed-type", kind));
    name
}

fn publish(client: &mut RawClient, exchange: &str, key: &str, properties: &Properties, body: &str) {
    client.publish_with(1, Publish::new(exchange, key), properties, body);
}

/// The header x-delay of a message as it was delivered.
fn shown_delay(headers: &Table) -> Option<&Value> {
    field(headers, "x-delay")
}

#[test]
fn a_message_comes_when_its_delay_is_over_and_not_before() {
    ours_only!("needs the plugin");
    let mut client = connect();
    let (exchange, queue) = (delaying(&mut client, "direct"), queue(&mut client, "late"));
    bind(&mut client, &queue, &exchange, "k");
    let start = Instant::now();
    for (ms, body) in [(400, "last"), (150, "first"), (250, "second")] {
        publish(&mut client, &exchange, "k", &delayed(ms), body);
    }
    publish(&mut client, &exchange, "k", &Properties::default(), "at once");
    await_bodies(&mut client, &queue, &["at once"]);
    assert!(start.elapsed() < Duration::from_millis(140), "nothing holds up what has no delay");
    for (ms, body) in [(150, "first"), (250, "second"), (400, "last")] {
        let came = await_message(&mut client, &queue);
        assert_eq!(came.text(), body);
        assert!(start.elapsed() >= Duration::from_millis(ms), "{body} after {:?}", start.elapsed());
        let headers = came.properties.headers.unwrap_or_default();
        assert_eq!(shown_delay(&headers), Some(&Value::Long(-(ms as i64))), "the delay is negated, as a long");
    }
    delete_exchange(&mut client, &exchange);
}

#[test]
fn what_is_no_delay_is_routed_at_once_as_it_is() {
    ours_only!("needs the plugin");
    let mut client = connect();
    let (exchange, queue) = (delaying(&mut client, "fanout"), queue(&mut client, "now"));
    bind(&mut client, &queue, &exchange, "");
    for value in [
        Value::SignedInt(0),
        Value::SignedInt(-1000),
        Value::Bool(true),
        Value::Void,
        "soon".into(),
        Value::Long(i64::MAX),
    ] {
        publish(&mut client, &exchange, "", &delayed(value.clone()), "x");
        let came = client.get(1, &queue, true).expect("it is there already");
        assert_eq!(shown_delay(&came.properties.headers.unwrap_or_default()), Some(&value));
    }
    delete_exchange(&mut client, &exchange);
}

#[test]
fn delays_of_other_types_count() {
    ours_only!("needs the plugin");
    let mut client = connect();
    let (exchange, queue) = (delaying(&mut client, "fanout"), queue(&mut client, "types"));
    bind(&mut client, &queue, &exchange, "");
    for value in [Value::SignedInt(80), Value::Long(80), "80".into()] {
        let start = Instant::now();
        publish(&mut client, &exchange, "", &delayed(value.clone()), "x");
        await_message(&mut client, &queue);
        assert!(start.elapsed() >= Duration::from_millis(80), "{value:?}");
    }
    delete_exchange(&mut client, &exchange);
}

#[test]
fn it_is_routed_by_the_bindings_of_its_time() {
    ours_only!("needs the plugin");
    let mut client = connect();
    let exchange = delaying(&mut client, "topic");
    let (before, after) = (queue(&mut client, "before"), queue(&mut client, "after"));
    bind(&mut client, &before, &exchange, "a.*");
    publish(&mut client, &exchange, "a.b", &delayed(150), "x");
    client.call(1, testkit::method::queue_unbind(&before, &exchange, "a.*", &Vec::new()));
    bind(&mut client, &after, &exchange, "#.b");
    await_bodies(&mut client, &after, &["x"]);
    assert_eq!(client.message_count(1, &before), 0);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn headers_exchanges_and_further_keys_work_when_it_is_time() {
    ours_only!("needs the plugin");
    let mut client = connect();
    let exchange = delaying(&mut client, "headers");
    let by_header = queue(&mut client, "headers");
    let arguments = table([("colour", "red".into())]);
    client.call(1, queue_bind(&by_header, &exchange, "", &arguments));
    publish(&mut client, &exchange, "", &delayed(60).header("colour", "red"), "x");
    publish(&mut client, &exchange, "", &delayed(60).header("colour", "blue"), "y");
    await_bodies(&mut client, &by_header, &["x"]);
    delete_exchange(&mut client, &exchange);

    let exchange = delaying(&mut client, "direct");
    let queues = ["to", "cc", "bcc"].map(|key| {
        let queue = queue(&mut client, key);
        bind(&mut client, &queue, &exchange, key);
        queue
    });
    let properties = delayed(60).header("CC", Value::strings(&["cc"])).header("BCC", Value::strings(&["bcc"]));
    publish(&mut client, &exchange, "to", &properties, "x");
    for queue in &queues {
        let headers = await_message(&mut client, queue).properties.headers.unwrap_or_default();
        assert_eq!(field(&headers, "CC"), Some(&Value::strings(&["cc"])));
        assert_eq!(field(&headers, "BCC"), None, "BCC is not told");
    }
    delete_exchange(&mut client, &exchange);
}

#[test]
fn it_is_confirmed_and_never_returned() {
    ours_only!("the plugin returned every mandatory message that it delayed");
    let mut client = connect();
    let (exchange, queue) = (delaying(&mut client, "direct"), queue(&mut client, "confirmed"));
    bind(&mut client, &queue, &exchange, "k");
    client.confirm_select(1);
    for (key, ms) in [("k", 100), ("nowhere", 50)] {
        client.publish_with(1, Publish::new(&exchange, key).mandatory(), &delayed(ms).persistent(), key);
    }
    // A return would come first.
    client.expect_all_confirmed(1, 2);
    await_bodies(&mut client, &queue, &["k"]);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn its_time_to_live_begins_when_its_delay_ends() {
    ours_only!("needs the plugin");
    let mut client = connect();
    let exchange = delaying(&mut client, "fanout");
    let queue = queue_with(&mut client, "ttl", [("x-message-ttl", Value::SignedInt(400))]);
    bind(&mut client, &queue, &exchange, "");
    publish(&mut client, &exchange, "", &delayed(300).expiration("250"), "x");
    await_count(&mut client, &queue, 1);
    await_count(&mut client, &queue, 0);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn transactions_delay_what_they_commit() {
    ours_only!("needs the plugin");
    let mut client = connect();
    let (exchange, queue) = (delaying(&mut client, "fanout"), queue(&mut client, "tx"));
    bind(&mut client, &queue, &exchange, "");
    client.call(1, bare(id::TX_SELECT));
    publish(&mut client, &exchange, "", &delayed(30), "lost");
    client.call(1, bare(id::TX_ROLLBACK));
    publish(&mut client, &exchange, "", &delayed(60).persistent(), "kept");
    client.call(1, bare(id::TX_COMMIT));
    await_bodies(&mut client, &queue, &["kept"]);
    pause(Duration::from_millis(30));
    assert_eq!(client.message_count(1, &queue), 0);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn any_exchange_delays_that_was_declared_to() {
    ours_only!("RabbitMQ has no such argument");
    let mut client = connect();
    let exchange = unique("delays");
    client.call(1, ExchangeDeclare::new(&exchange, "fanout").argument("x-delayed", true));
    let queue = queue(&mut client, "any");
    bind(&mut client, &queue, &exchange, "");
    let start = Instant::now();
    publish(&mut client, &exchange, "", &delayed(100), "x");
    await_bodies(&mut client, &queue, &["x"]);
    assert!(start.elapsed() >= Duration::from_millis(100));
    // And no other does.
    publish(&mut client, "", &queue, &delayed(60_000), "y");
    await_bodies(&mut client, &queue, &["y"]);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn dead_letters_are_delayed_too() {
    ours_only!("needs the plugin");
    let mut client = connect();
    let (exchange, target) = (delaying(&mut client, "fanout"), queue(&mut client, "target"));
    bind(&mut client, &target, &exchange, "");
    let source = queue_with(&mut client, "source", [("x-dead-letter-exchange", exchange.as_str().into())]);
    publish(&mut client, "", &source, &delayed(100), "x");
    let start = Instant::now();
    let taken = client.get(1, &source, false).expect("it is there");
    client.send(1, testkit::method::reject(taken.delivery_tag, false));
    let came = await_message(&mut client, &target);
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert!(field(&came.properties.headers.unwrap_or_default(), "x-death").is_some());
    delete_exchange(&mut client, &exchange);
}

#[test]
fn what_is_declared_wrongly_is_refused_in_the_plugin_s_words() {
    ours_only!("needs the plugin");
    let mut client = connect();
    let declare = |argument: Option<Value>| {
        let declare = ExchangeDeclare::new(&unique("wrong"), "x-delayed-message");
        argument.into_iter().fold(declare, |declare, value| declare.argument("x-delayed-type", value))
    };
    let missing = "PRECONDITION_FAILED - Invalid argument, 'x-delayed-type' must be an existing exchange type";
    let nested = "PRECONDITION_FAILED - Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'";
    let unknown = "PRECONDITION_FAILED - unknown exchange type 'nonsense'";
    for (argument, text) in [
        (None, missing),
        (Some(Value::SignedInt(1)), missing),
        (Some("x-delayed-message".into()), nested),
        (Some("nonsense".into()), unknown),
    ] {
        client.send(1, declare(argument));
        let close = client.expect_close(1);
        assert_eq!((close.code, close.text.as_str()), (406, text));
        client.open_channel(1);
    }
    let exchange = delaying(&mut client, "direct");
    client.send(1, ExchangeDeclare::new(&exchange, "direct"));
    let close = client.expect_close(1);
    assert_eq!(close.code, 406);
    assert!(close.text.contains("received 'direct' but current is 'x-delayed-message'"), "{}", close.text);
    client.open_channel(1);
    // As the plugin: what it delays for is not compared.
    client.call(1, ExchangeDeclare::new(&exchange, "x-delayed-message").argument("x-delayed-type", "fanout"));
    delete_exchange(&mut client, &exchange);
}

#[test]
fn the_queue_where_they_wait_is_nobody_s() {
    ours_only!("RabbitMQ has none");
    let mut client = connect();
    let exchange = delaying(&mut client, "direct");
    publish(&mut client, &exchange, "k", &delayed(60_000), "x");
    client.assert_alive(1);
    let name = "amq.leveret.delayed";
    client.send(1, testkit::QueueDeclare::passive(name));
    assert_eq!(client.expect_close(1).code, 404);
    client.open_channel(1);
    client.send(1, testkit::QueueDeclare::new(name));
    assert_eq!(client.expect_close(1).code, 403);
    client.open_channel(1);
    for list in ["queues", "bindings", "overview"] {
        let answer = shared().http("GET", &format!("/api/{list}"), &[], "").expect("an answer");
        assert!(!answer.body.contains("leveret.delayed"), "{list}");
    }
    client.call(1, exchange_delete(&exchange, false));
}

/// The ids, keys and due times of an exchange's delayed messages.
fn listed(exchange: &str, query: &str) -> (Vec<(u64, String, u64)>, Option<u64>) {
    let path = format!("/api/delayed/%2F?exchange={}{query}", path_segment(exchange));
    let answer = shared().http("GET", &path, &[], "").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let page: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
    let messages = page["messages"].as_array().expect("a list").iter();
    let listed = messages.map(|message| {
        let number = |name: &str| message[name].as_u64().unwrap_or_else(|| panic!("{name} in {message}"));
        assert_eq!((message["exchange"].as_str(), number("body_bytes")), (Some(exchange), 4));
        (number("id"), message["routing_key"].as_str().expect("a key").to_owned(), number("due_ms"))
    });
    (listed.collect(), page["next"].as_u64())
}

#[test]
fn they_are_listed_and_cancelled() {
    ours_only!("RabbitMQ has no such path");
    // Until then it is cancelled, on a busy machine as well.
    const SOON_MS: i32 = 3000;
    let mut client = connect();
    let (exchange, queue) = (delaying(&mut client, "fanout"), queue(&mut client, "cancelled"));
    bind(&mut client, &queue, &exchange, "");
    client.confirm_select(1);
    for number in 0..30 {
        let properties = delayed(60_000 + number);
        let properties = if number % 2 == 0 { properties.persistent() } else { properties };
        publish(&mut client, &exchange, &number.to_string(), &properties, "body");
    }
    let published = Instant::now();
    publish(&mut client, &exchange, "soon", &delayed(SOON_MS).persistent(), "body");
    client.expect_all_confirmed(1, 31);
    let (all, _) = listed(&exchange, "");
    assert_eq!(all.len(), 31);
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "by id");
    assert!((50_000..=57_000).contains(&(all[0].2 - all[30].2)), "due as they were delayed");
    // Page by page.
    let (mut paged, mut from) = (Vec::new(), Some(0));
    while let Some(at) = from {
        let (some, next) = listed(&exchange, &format!("&limit=7&from={at}"));
        assert!(some.len() <= 7);
        paged.extend(some);
        from = next;
    }
    assert_eq!(paged, all);
    shared().administer("DELETE", &format!("/api/delayed/%2F/{}", all[30].0), "");
    for (id, ..) in &all[..29] {
        shared().administer("DELETE", &format!("/api/delayed/%2F/{id}"), "");
    }
    let gone = shared().http("DELETE", &format!("/api/delayed/%2F/{}", all[30].0), &[], "").expect("an answer");
    assert_eq!(gone.status, 404, "{}", gone.body);
    assert_eq!(listed(&exchange, "").0, all[29..30]);
    pause(Duration::from_millis(3100).saturating_sub(published.elapsed()));
    assert_eq!(client.message_count(1, &queue), 0, "what was cancelled does not come");
    shared().administer("DELETE", &format!("/api/delayed/%2F/{}", all[29].0), "");
    delete_exchange(&mut client, &exchange);
}

#[test]
fn without_its_exchange_it_is_dropped() {
    ours_only!("needs the plugin");
    let mut client = connect();
    let (exchange, queue) = (delaying(&mut client, "fanout"), queue(&mut client, "dropped"));
    bind(&mut client, &queue, &exchange, "");
    publish(&mut client, &exchange, "", &delayed(100), "body");
    client.call(1, exchange_delete(&exchange, false));
    pause(Duration::from_millis(150));
    assert_eq!(client.message_count(1, &queue), 0);
    assert_eq!(listed(&exchange, "").0, []);
}

#[test]
fn a_policy_makes_an_exchange_delay_and_lets_it_be_again() {
    ours_only!("RabbitMQ has no such policy");
    let mut client = connect();
    let exchange = crate::support::exchange(&mut client, "fanout");
    let queue = queue(&mut client, "policy");
    bind(&mut client, &queue, &exchange, "");
    let path = format!("/api/policies/%2F/{}", path_segment(&exchange));
    let pattern = exchange.replace('.', "[.]");
    let body = format!(r#"{{"pattern":"^{pattern}$","definition":{{"delayed":true}},"apply-to":"exchanges"}}"#);
    publish(&mut client, &exchange, "", &delayed(60_000), "before");
    await_bodies(&mut client, &queue, &["before"]);
    shared().administer("PUT", &path, &body);
    let start = Instant::now();
    publish(&mut client, &exchange, "", &delayed(100), "under");
    await_bodies(&mut client, &queue, &["under"]);
    assert!(start.elapsed() >= Duration::from_millis(100));
    shared().administer("DELETE", &path, "");
    publish(&mut client, &exchange, "", &delayed(60_000), "after");
    await_bodies(&mut client, &queue, &["after"]);
    delete_exchange(&mut client, &exchange);
}
