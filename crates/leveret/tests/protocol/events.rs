//! Events at amq.rabbitmq.event, and the log at amq.rabbitmq.log. Names, fields and types are those that RabbitMQ 3.10.8
//! with its plugin was seen to send.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use testkit::{BrokerProcess, ConnectOptions, Consume, Delivery, ExchangeDeclare, QueueDeclare, RawClient, Value};
use testkit::{field, method, table};

use crate::support::{bind, connect_to, connect_with, own_broker};

/// The channel that events come on.
const EVENTS: u16 = 9;

/// A client that is sent every event but those of itself.
fn observer(broker: &BrokerProcess, exchange: &str) -> RawClient {
    let mut client = connect_to(broker.address());
    client.open_channel(EVENTS);
    client.call(EVENTS, QueueDeclare::exclusive("events"));
    client.consume(EVENTS, Consume::new("events", "observer").no_ack());
    client.call(EVENTS, method::queue_bind("events", exchange, "#", &Vec::new()));
    client
}

/// The next event with this name; others are passed over.
#[track_caller]
fn next(client: &mut RawClient, name: &str) -> Vec<(String, Value)> {
    loop {
        let event = client.expect_delivery(EVENTS);
        if event.routing_key == name {
            return fields(&event);
        }
    }
}

#[track_caller]
fn fields(event: &Delivery) -> Vec<(String, Value)> {
    assert_eq!((event.exchange.as_str(), event.body.len()), ("amq.rabbitmq.event", 0));
    assert_eq!(event.properties.delivery_mode, Some(2));
    let fields = event.properties.headers.clone().expect("headers");
    let Some((name, Value::Long(ms))) = fields.last() else { panic!("no time: {fields:?}") };
    assert_eq!(name, "timestamp_in_ms");
    assert_eq!(event.properties.timestamp, Some(u64::try_from(*ms).expect("a time after 1970") / 1000));
    fields[..fields.len() - 1].to_vec()
}

fn by(user: &str) -> (&str, Value) {
    ("user_who_performed_action", user.into())
}

fn no_terms() -> Value {
    Value::Array(Vec::new())
}

fn broker_with_events() -> Option<BrokerProcess> {
    own_broker(&[("leveret.event_exchange", "true")])
}

#[test]
fn queues_exchanges_and_bindings() {
    let Some(broker) = broker_with_events() else { return };
    let mut client = observer(&broker, "amq.rabbitmq.event");
    client.call(1, QueueDeclare::new("q").durable().argument("x-max-length", 5));
    let expected = table([
        by("guest"),
        ("exclusive", false.into()),
        ("owner_pid", "".into()),
        ("arguments", Value::strings(&["{<<\"x-max-length\">>,signedint,5}"])),
        ("auto_delete", false.into()),
        ("durable", true.into()),
        ("name", "q".into()),
        ("vhost", "/".into()),
    ]);
    assert_eq!(next(&mut client, "queue.created"), expected);
    client.call(1, ExchangeDeclare::new("x", "topic").durable());
    let expected = table([
        by("guest"),
        ("policy", "".into()),
        ("arguments", no_terms()),
        ("internal", false.into()),
        ("auto_delete", false.into()),
        ("durable", true.into()),
        ("type", "topic".into()),
        ("name", "x".into()),
        ("vhost", "/".into()),
    ]);
    assert_eq!(next(&mut client, "exchange.created"), expected);
    bind(&mut client, "q", "x", "k.#");
    let binding = |user, key: &str| {
        table([
            by(user),
            ("vhost", "/".into()),
            ("arguments", no_terms()),
            ("routing_key", key.into()),
            ("destination_kind", "queue".into()),
            ("destination_name", "q".into()),
            ("source_kind", "exchange".into()),
            ("source_name", "x".into()),
        ])
    };
    assert_eq!(next(&mut client, "binding.created"), binding("guest", "k.#"));
    client.call(1, method::queue_unbind("q", "x", "k.#", &Vec::new()));
    assert_eq!(next(&mut client, "binding.deleted"), binding("guest", "k.#"));
    bind(&mut client, "q", "x", "other");
    client.call(1, method::queue_delete("q", false, false));
    assert_eq!(next(&mut client, "binding.deleted"), binding("rmq-internal", "other"));
    let deleted = |name: &str| table([by("guest"), ("name", name.into()), ("vhost", "/".into())]);
    assert_eq!(next(&mut client, "queue.deleted"), deleted("q"));
    client.call(1, method::exchange_delete("x", false));
    assert_eq!(next(&mut client, "exchange.deleted"), deleted("x"));
}

#[test]
fn connections_channels_consumers_and_logins() {
    let Some(broker) = broker_with_events() else { return };
    let mut client = observer(&broker, "amq.rabbitmq.event");
    let mut other = connect_to(broker.address());
    let login = next(&mut client, "user.authentication.success");
    let of = |fields: &Vec<(String, Value)>, name: &str| field(fields, name).unwrap_or(&Value::Void).clone();
    assert_eq!((of(&login, "name"), of(&login, "auth_mechanism")), ("guest".into(), "PLAIN".into()));
    assert_eq!((of(&login, "peer_host"), of(&login, "protocol")), ("{127,0,0,1}".into(), "{0,9,1}".into()));
    let created = next(&mut client, "connection.created");
    assert_eq!(created[0], ("user_who_performed_action".to_owned(), "guest".into()));
    assert_eq!((of(&created, "vhost"), of(&created, "type")), ("/".into(), "network".into()));
    assert_eq!(of(&created, "port"), Value::Long(i64::from(broker.address().port())));
    let pid = of(&created, "pid");
    let channel = next(&mut client, "channel.created");
    assert_eq!((of(&channel, "number"), of(&channel, "connection")), (Value::Long(1), pid.clone()));
    let channel_pid = of(&channel, "pid");

    let queue = other.declare(1, QueueDeclare::exclusive("")).queue;
    assert_eq!(of(&next(&mut client, "queue.created"), "owner_pid"), pid);
    other.consume(1, Consume::new(&queue, "tag").argument("x-priority", 3));
    let expected = table([
        by("guest"),
        ("arguments", Value::strings(&["{<<\"x-priority\">>,signedint,3}"])),
        ("prefetch_count", Value::Long(0)),
        ("queue", queue.as_str().into()),
        ("vhost", "/".into()),
        ("channel", channel_pid.clone()),
        ("ack_required", true.into()),
        ("exclusive", false.into()),
        ("consumer_tag", "tag".into()),
    ]);
    assert_eq!(next(&mut client, "consumer.created"), expected);
    drop(other);
    let gone = next(&mut client, "consumer.deleted");
    assert_eq!(gone[0], ("user_who_performed_action".to_owned(), "rmq-internal".into()));
    assert_eq!(next(&mut client, "channel.closed"), table([by("guest"), ("pid", channel_pid)]));
    assert_eq!(of(&next(&mut client, "queue.deleted"), "name"), queue.as_str().into());
    assert_eq!(of(&next(&mut client, "connection.closed"), "pid"), pid);

    let options = ConnectOptions::default().user("guest", "wrong");
    let refused = std::thread::spawn({
        let address = broker.address();
        move || std::panic::catch_unwind(|| drop(connect_with(address, &options))).is_err()
    });
    let failure = next(&mut client, "user.authentication.failure");
    assert_eq!(of(&failure, "name"), "guest".into());
    let text: Vec<Value> = "user 'guest' - invalid credentials".chars().map(|c| Value::Long(c as i64)).collect();
    assert_eq!(of(&failure, "error"), Value::Array(text));
    assert!(refused.join().unwrap(), "the login is refused");
}

#[test]
fn what_operators_change() {
    let Some(broker) = broker_with_events() else { return };
    let mut client = observer(&broker, "amq.rabbitmq.event");
    client.call(1, QueueDeclare::exclusive("q"));
    let admin = |method: &str, path: &str, body: &str| broker.administer(method, path, body);
    let named = |name: &str| ("name", Value::from(name));
    let one = |client: &mut RawClient, event: &str, name: &str| {
        let fields = next(client, event);
        assert_eq!(field(&fields, "name"), Some(&name.into()), "{event}: {fields:?}");
        fields
    };
    admin("PUT", "/api/users/u", r#"{"password":"secret","tags":"management"}"#);
    one(&mut client, "user.created", "u");
    let tags = one(&mut client, "user.tags.set", "u");
    assert_eq!(field(&tags, "tags"), Some(&Value::strings(&["management"])));
    admin("PUT", "/api/users/u", r#"{"password":"other","tags":"management"}"#);
    one(&mut client, "user.password.changed", "u");
    admin("PUT", "/api/permissions/%2F/u", r#"{"configure":"","write":".*","read":"^x"}"#);
    let permission = next(&mut client, "permission.created");
    let expected = [
        ("read", "^x".into()),
        ("write", ".*".into()),
        ("configure", "".into()),
        ("vhost", "/".into()),
        ("user", "u".into()),
    ];
    assert_eq!(permission[1..], table(expected));
    admin("DELETE", "/api/permissions/%2F/u", "");
    next(&mut client, "permission.deleted");
    admin("PUT", "/api/topic-permissions/%2F/u", r#"{"exchange":"amq.topic","write":".*","read":""}"#);
    next(&mut client, "topic.permission.created");
    admin("DELETE", "/api/topic-permissions/%2F/u", "");
    next(&mut client, "topic.permission.deleted");
    admin("PUT", "/api/user-limits/u/max-channels", r#"{"value":7}"#);
    let limits = next(&mut client, "user.limits.set");
    assert_eq!(limits[..2], table([("max-channels", Value::Long(7)), ("username", "u".into())]));
    admin("DELETE", "/api/users/u", "");
    one(&mut client, "user.deleted", "u");

    let policy = r#"{"pattern":"^q","definition":{"max-length":3},"apply-to":"queues","priority":1}"#;
    admin("PUT", "/api/policies/%2F/p", policy);
    let terms = [
        ("apply-to", "queues".into()),
        ("priority", Value::Long(1)),
        ("definition", table([("max-length", Value::Long(3))]).into()),
        ("pattern", "^q".into()),
    ];
    let updated = next(&mut client, "queue.policy.updated");
    assert_eq!(updated[..4], table(terms.clone()));
    assert_eq!(updated[5..], table([("type", "rabbit_classic_queue".into()), ("vhost", "/".into()), named("q")]));
    assert_eq!(one(&mut client, "policy.set", "p")[..4], table(terms));
    admin("DELETE", "/api/policies/%2F/p", "");
    one(&mut client, "queue.policy.cleared", "q");
    one(&mut client, "policy.cleared", "p");
    admin("PUT", "/api/operator-policies/%2F/o", policy);
    assert_eq!(field(&one(&mut client, "parameter.set", "o"), "component"), Some(&"operator_policy".into()));
    admin("DELETE", "/api/operator-policies/%2F/o", "");
    one(&mut client, "operator.policy.cleared", "o");

    admin("PUT", "/api/vhosts/v", r#"{"description":"d","tags":"a,b"}"#);
    one(&mut client, "exchange.created", "");
    let created = one(&mut client, "vhost.created", "v");
    assert_eq!(field(&created, "metadata"), Some(&"#{description => <<\"d\">>,tags => [a,b]}".into()));
    assert_eq!(field(&created, "tags"), Some(&Value::strings(&["a", "b"])));
    admin("PUT", "/api/vhosts/v", r#"{"tracing":true}"#);
    assert_eq!(field(&one(&mut client, "vhost.updated", "v"), "tracing"), Some(&true.into()));
    admin("PUT", "/api/vhost-limits/v/max-queues", r#"{"value":7}"#);
    let limits = next(&mut client, "vhost.limits.set");
    assert_eq!(limits[0], ("max-queues".to_owned(), Value::Long(7)));
    admin("PUT", "/api/global-parameters/g", r#"{"value":{"a":1}}"#);
    assert_eq!(field(&one(&mut client, "parameter.set", "g"), "component"), Some(&"global".into()));
    admin("DELETE", "/api/vhosts/v", "");
    one(&mut client, "vhost.deleted", "v");
    admin("PUT", "/api/leveret/alarms/memory", "");
    assert_eq!(field(&next(&mut client, "alarm.set"), "source"), Some(&"memory".into()));
    admin("DELETE", "/api/leveret/alarms/memory", "");
    next(&mut client, "alarm.cleared");
}

#[test]
fn the_exchange_is_there_when_asked_for_and_only_then() {
    let Some(broker) = own_broker(&[]) else { return };
    let passive = |broker: &BrokerProcess| {
        let mut client = connect_to(broker.address());
        client.send(1, ExchangeDeclare::passive("amq.rabbitmq.event"));
        client.expect_close(1).code
    };
    assert_eq!(passive(&broker), 404);
    let Some(mut broker) = own_broker(&[("event_exchange.vhost", "events")]) else { return };
    assert_eq!(passive(&broker), 404, "it is in another virtual host");
    let answer = |broker: &BrokerProcess| {
        broker.http("GET", "/api/exchanges/events/amq.rabbitmq.event", &[], "").expect("an answer").body
    };
    let body = answer(&broker);
    assert!(body.contains(r#""type":"topic""#) && body.contains(r#""internal":true"#), "{body}");
    // Durable bindings come back with it.
    broker.administer("PUT", "/api/queues/events/kept", r#"{"durable":true}"#);
    broker.administer("POST", "/api/bindings/events/e/amq.rabbitmq.event/q/kept", r##"{"routing_key":"vhost.#"}"##);
    broker.terminate();
    broker.launch();
    broker.administer("PUT", "/api/vhosts/new", "");
    let get = r#"{"count":1,"ackmode":"ack_requeue_false","encoding":"auto"}"#;
    let found = (0..100).any(|_| {
        testkit::pause(Duration::from_millis(20));
        let got = broker.http("POST", "/api/queues/events/kept/get", &[], get).expect("an answer").body;
        got.contains(r#""routing_key":"vhost.created""#)
    });
    assert!(found, "the event is in the queue");
}

#[test]
fn the_stream_has_an_object_a_line() {
    let Some(broker) = own_broker(&[]) else { return };
    let mut stream = UnixStream::connect(broker.data_dir().join("leveret.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET /api/leveret/events/stream?pattern=^vhost HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    broker.administer("PUT", "/api/users/u", r#"{"password":"secret","tags":""}"#);
    broker.administer("PUT", "/api/vhosts/v", "");
    let json = loop {
        line.clear();
        reader.read_line(&mut line).unwrap();
        if line.starts_with('{') {
            break line.clone();
        }
    };
    assert!(json.starts_with(r#"{"event":"vhost.created","#), "{json}");
    assert!(json.contains(r#""name":"v""#) && json.ends_with("}\n"), "{json}");
}

#[test]
fn the_log_is_published() {
    let Some(broker) = own_broker(&[("log.exchange", "true"), ("log.exchange.level", "info")]) else { return };
    let mut client = observer(&broker, "amq.rabbitmq.log");
    broker.administer("PUT", "/api/vhosts/logged", "");
    let line = loop {
        let line = client.expect_delivery(EVENTS);
        if line.text().contains("logged") {
            break line;
        }
    };
    assert_eq!((line.exchange.as_str(), line.routing_key.as_str()), ("amq.rabbitmq.log", "info"));
    assert_eq!(line.properties.content_type.as_deref(), Some("text/plain"));
    assert!(line.properties.timestamp.is_some());
    let headers = line.properties.headers.clone().unwrap();
    assert_eq!(headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["node"]);
    let text = line.text();
    assert!(text.contains("+00:00 [info] <0.") && text.ends_with("> vhost 'logged' created\n"), "{text}");
}
