//! The firehose: what a virtual host that is traced sends to amq.rabbitmq.trace. Keys, fields and types are those that
//! RabbitMQ 3.10.8 was seen to send.

use testkit::{BrokerProcess, Consume, Delivery, ExchangeDeclare, Properties, Publish, QueueDeclare, RawClient, Value};
use testkit::{field, method, table};

use crate::support::{bind, connect_to, own_broker};

/// The channel that copies come on, so that they do not mix with what else the client gets.
const COPIES: u16 = 9;

fn trace(broker: &BrokerProcess, tracing: bool) {
    broker.administer("PUT", "/api/vhosts/%2F", &format!(r#"{{"tracing":{tracing}}}"#));
}

/// A client that is sent every copy.
fn observer(broker: &BrokerProcess) -> RawClient {
    let mut client = connect_to(broker.address());
    client.open_channel(COPIES);
    client.call(COPIES, QueueDeclare::exclusive("copies"));
    client.call(COPIES, method::queue_bind("copies", "amq.rabbitmq.trace", "#", &Vec::new()));
    client.consume(COPIES, Consume::new("copies", "observer").no_ack());
    client
}

#[track_caller]
fn next(client: &mut RawClient) -> Delivery {
    let copy = client.expect_delivery(COPIES);
    assert_eq!(copy.exchange, "amq.rabbitmq.trace");
    copy
}

#[track_caller]
fn header(copy: &Delivery, name: &str) -> Value {
    let headers = copy.properties.headers.as_ref().expect("headers");
    field(headers, name).unwrap_or_else(|| panic!("no {name} in {headers:?}")).clone()
}

fn names(copy: &Delivery) -> Vec<&str> {
    copy.properties.headers.iter().flatten().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn copies_have_what_rabbitmq_puts_into_them() {
    let Some(broker) = own_broker(&[]) else { return };
    trace(&broker, true);
    let mut client = observer(&broker);
    client.call(1, ExchangeDeclare::new("fx", "fanout"));
    for queue in ["fq", "fq2"] {
        client.call(1, QueueDeclare::exclusive(queue));
        bind(&mut client, queue, "fx", "");
    }
    let properties = Properties {
        content_type: Some("text/plain".to_owned()),
        delivery_mode: Some(2),
        priority: Some(3),
        timestamp: Some(12345),
        message_type: Some("t".to_owned()),
        ..Properties::default()
    }
    .header("h1", "v")
    .header("CC", Value::strings(&["cc1"]));
    client.publish_with(1, Publish::new("fx", "rk"), &properties, "hello");
    let copy = next(&mut client);
    assert_eq!((copy.routing_key.as_str(), copy.text().as_str()), ("publish.fx", "hello"));
    let expected = [
        "exchange_name",
        "routing_keys",
        "properties",
        "node",
        "vhost",
        "connection",
        "channel",
        "user",
        "routed_queues",
    ];
    assert_eq!(names(&copy), expected);
    assert_eq!(copy.properties, Properties { headers: copy.properties.headers.clone(), ..Properties::default() });
    assert_eq!(header(&copy, "exchange_name"), "fx".into());
    assert_eq!(header(&copy, "routing_keys"), Value::strings(&["rk", "cc1"]));
    let expected = table([
        ("type", "t".into()),
        ("timestamp", 12345.into()),
        ("priority", 3.into()),
        ("delivery_mode", 2.into()),
        ("headers", table([("h1", "v".into()), ("CC", Value::strings(&["cc1"]))]).into()),
        ("content_type", "text/plain".into()),
    ]);
    assert_eq!(header(&copy, "properties"), expected.into());
    assert_eq!((header(&copy, "vhost"), header(&copy, "user")), ("/".into(), "guest".into()));
    assert_eq!(header(&copy, "channel"), 1.into());
    let Value::LongString(connection) = header(&copy, "connection") else { panic!("{copy:?}") };
    let connection = String::from_utf8(connection).unwrap();
    assert!(connection.ends_with(&format!(" -> {}", broker.address())), "{connection}");
    let Value::Array(mut queues) = header(&copy, "routed_queues") else { panic!("{copy:?}") };
    queues.sort_by_key(|name| match name {
        Value::LongString(name) => name.clone(),
        _ => Vec::new(),
    });
    assert_eq!(Value::Array(queues), Value::strings(&["fq", "fq2"]));

    let got = client.get(1, "fq", false).expect("a message");
    let copy = next(&mut client);
    assert_eq!((copy.routing_key.as_str(), copy.text().as_str()), ("deliver.fq", "hello"));
    let expected = [
        "exchange_name",
        "routing_keys",
        "properties",
        "node",
        "redelivered",
        "vhost",
        "connection",
        "channel",
        "user",
    ];
    assert_eq!(names(&copy), expected);
    assert_eq!(header(&copy, "redelivered"), 0.into());
    client.send(1, method::reject(got.delivery_tag, true));
    client.get(1, "fq", true).expect("the same message");
    assert_eq!(header(&next(&mut client), "redelivered"), 1.into());

    client.consume(1, Consume::new("fq2", "c").no_ack());
    let copy = next(&mut client);
    assert_eq!((copy.routing_key.as_str(), header(&copy, "redelivered")), ("deliver.fq2", 0.into()));
    client.expect_delivery(1);
    // Straight to a consumer.
    client.publish(1, "", "fq2", "direct");
    assert_eq!(next(&mut client).routing_key, "publish.");
    assert_eq!(next(&mut client).routing_key, "deliver.fq2");
    // RabbitMQ names the queue although there is none.
    client.publish(1, "", "nowhere", "lost");
    let copy = next(&mut client);
    assert_eq!((copy.text().as_str(), header(&copy, "routed_queues")), ("lost", Value::strings(&["nowhere"])));
}

#[test]
fn copies_come_only_while_a_virtual_host_is_traced() {
    let Some(mut broker) = own_broker(&[]) else { return };
    let mut client = observer(&broker);
    client.publish(1, "", "nowhere", "before");
    client.assert_alive(1);
    trace(&broker, true);
    client.publish(1, "", "nowhere", "while");
    assert_eq!(next(&mut client).text(), "while");
    trace(&broker, false);
    client.publish(1, "", "nowhere", "after");
    client.assert_alive(1);
    trace(&broker, true);
    client.publish(1, "", "nowhere", "again");
    assert_eq!(next(&mut client).text(), "again");
    // It is a property of the virtual host, and stays; another one is not concerned.
    broker.administer("PUT", "/api/vhosts/other", "");
    broker.terminate();
    broker.launch();
    let mut client = observer(&broker);
    client.publish(1, "", "nowhere", "later");
    assert_eq!(next(&mut client).text(), "later");
    broker.administer(
        "POST",
        "/api/exchanges/other/amq.default/publish",
        r#"{"routing_key":"x","payload":"o","payload_encoding":"string","properties":{}}"#,
    );
    broker.administer(
        "POST",
        "/api/exchanges/%2F/amq.default/publish",
        r#"{"routing_key":"x","payload":"by http","payload_encoding":"string","properties":{}}"#,
    );
    assert_eq!(next(&mut client).text(), "by http");
}

#[test]
fn large_bodies_and_many_messages_are_copied_whole() {
    let Some(broker) = own_broker(&[]) else { return };
    trace(&broker, true);
    let mut client = observer(&broker);
    let body = vec![7; 300_000];
    client.publish(1, "", "nowhere", &body);
    assert_eq!(next(&mut client).body, body);
    client.call(1, QueueDeclare::exclusive("many"));
    client.confirm_select(1);
    client.in_one_write(|client| (0..1500).for_each(|at| client.publish(1, "", "many", at.to_string())));
    let copies: Vec<String> = (0..1500).map(|_| next(&mut client).text()).collect();
    assert_eq!(copies, (0..1500).map(|at| at.to_string()).collect::<Vec<_>>());
    client.expect_all_confirmed(1, 1500);
}
