//! Topic permissions hold for all keys of a message, those of CC and BCC among them.

use std::collections::BTreeMap;

use serde_json::json;
use testkit::{Properties, Publish, QueueDeclare, RawClient, Table, Value, method};

use crate::http::start_with;
use crate::service::Service;
use crate::{connect, post, start};

const GUEST: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

fn with(header: &str, keys: &[&str]) -> Properties {
    Properties::default().header(header, Value::strings(keys))
}

fn publish(client: &mut RawClient, exchange: &str, properties: &Properties, size: usize) {
    client.publish_with(1, Publish::new(exchange, "yes.1"), properties, vec![7; size]);
}

#[track_caller]
fn assert_denied(client: &mut RawClient, key: &str, user: &str) {
    let close = client.expect_close(1);
    let refused = format!("access to topic '{key}' in exchange 'amq.topic' in vhost '/' refused for user '{user}'");
    assert_eq!((close.code, &*close.text), (403, &*format!("ACCESS_REFUSED - write {refused}")));
    client.open_channel(1);
    client.confirm_select(1);
}

#[test]
fn cc_and_bcc_do_not_get_around_topic_permissions() {
    let broker = start(&[]);
    let permissions = json!({ "exchange": "amq.topic", "write": "^yes", "read": ".*" }).to_string();
    broker.administer("PUT", "/api/topic-permissions/%2F/guest", &permissions);
    let mut client = connect(&broker, "guest", "guest");
    client.declare(1, QueueDeclare::exclusive("q"));
    client.call(1, method::queue_bind("q", "amq.topic", "no.#", &Table::new()));
    client.confirm_select(1);
    for header in ["CC", "BCC"] {
        for size in [1, 300_000] {
            publish(&mut client, "amq.topic", &with(header, &["yes.2", "yes.3"]), size);
            client.expect_confirm(1);
            publish(&mut client, "amq.topic", &with(header, &["yes.2", "no.1"]), size);
            assert_denied(&mut client, "no.1", "guest");
        }
        // Keys of other exchanges are no topics.
        publish(&mut client, "amq.direct", &with(header, &["no.1"]), 1);
        client.expect_confirm(1);
        let publication = |key: &str| {
            let properties = json!({ "headers": BTreeMap::from([(header, [key])]) });
            let body = json!({ "routing_key": "yes.1", "properties": properties, "payload": "x",
                "payload_encoding": "string" });
            let path = "/api/exchanges/%2F/amq.topic/publish";
            post(&broker, path, GUEST, &body.to_string())
        };
        assert_eq!(publication("yes.2").0, 200);
        let (status, answer) = publication("no.1");
        assert!(status >= 400 && answer.contains("topic 'no.1'"), "{status} {answer}");
    }
    assert_eq!(client.message_count(1, "q"), 0);
}

#[test]
fn a_backend_is_asked_about_the_keys_of_cc_and_bcc() {
    let service = Service::start(|asked| match &*asked.path {
        "/user" => (200, "allow administrator".to_owned()),
        "/topic" if asked.get("routing_key").starts_with("no") => (200, "deny".to_owned()),
        _ => (200, "allow".to_owned()),
    });
    let broker = start_with(&service, &[("auth_backends.1", "http")]);
    let mut client = connect(&broker, "guest", "guest");
    client.declare(1, QueueDeclare::exclusive("q"));
    client.call(1, method::queue_bind("q", "amq.topic", "#", &Table::new()));
    client.confirm_select(1);
    service.take();
    for size in [1, 300_000] {
        let keys = [format!("yes.{size}.2"), format!("yes.{size}.3")];
        let keys = keys.each_ref().map(String::as_str);
        publish(&mut client, "amq.topic", &with("CC", &keys), size);
        client.expect_confirm(1);
        let asked: Vec<String> = service.take().iter().map(|asked| asked.get("routing_key").to_owned()).collect();
        assert!(keys.iter().all(|key| asked.iter().filter(|asked| asked == key).count() == 1), "{asked:?}");
        publish(&mut client, "amq.topic", &with("BCC", &["no.1"]), size);
        assert_denied(&mut client, "no.1", "guest");
    }
    assert_eq!(client.message_count(1, "q"), 2);
    let publication = |key: &str| {
        let body = json!({ "routing_key": "yes.1", "properties": { "headers": { "CC": [key] } }, "payload": "x",
            "payload_encoding": "string" });
        post(&broker, "/api/exchanges/%2F/amq.topic/publish", GUEST, &body.to_string()).0
    };
    assert_eq!(publication("yes.4"), 200);
    assert!(publication("no.4") >= 400);
    // Answers to so many would not be kept until the last one is there.
    let many: Vec<String> = (0..2000).map(|key| format!("yes.{key}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    publish(&mut client, "amq.topic", &with("CC", &many), 1);
    let close = client.expect_close(1);
    assert!(close.code == 403 && close.text.contains("more than 256 keys"), "{}", close.text);
    client.open_channel(1);
    assert_eq!(client.message_count(1, "q"), 3);
}
