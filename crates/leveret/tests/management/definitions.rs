//! Definitions over HTTP. What an import makes of which document is in the unit tests of `management`; here is what
//! comes in and goes out by the network, and what survives.

use crate::support::{Client, start};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::{ConnectOptions, QueueDeclare, RawClient};

fn names(document: &Value, key: &str) -> Vec<String> {
    let list = document[key].as_array().unwrap_or_else(|| panic!("no {key}: {document}"));
    list.iter().map(|object| object["name"].as_str().unwrap_or_default().to_owned()).collect()
}

fn reason(answer: &crate::support::Answer) -> String {
    answer.json()["reason"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_file_is_offered_under_the_name_that_is_asked_for() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    let plain = guest.send("GET", "/api/definitions", &[], "");
    assert_eq!((plain.status, plain.header("content-disposition")), (200, None));
    assert_eq!(plain.header("content-type"), Some("application/json"));
    assert_eq!(plain.json()["users"][0]["name"], "guest");
    assert_eq!(guest.get("/api/all-configuration"), plain.json());
    let file = guest.send("GET", "/api/definitions?download=rabbit_1.json", &[], "");
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=rabbit_1.json"));
    for name in ["a%20b", "a%22b", "a%0d%0ab", ""] {
        let answer = guest.send("GET", &format!("/api/definitions?download={name}"), &[], "");
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
    }
    let of_vhost = guest.get("/api/definitions/%2F");
    assert_eq!(of_vhost["original_vhost_name"], "/");
    assert_eq!(of_vhost.get("users"), None);
}

#[test]
fn a_vhost_that_is_not_there_is_named() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    // Measured on RabbitMQ 3.10.8: 400 and 404.
    let exported = guest.send("GET", "/api/definitions/nope", &[], "");
    assert_eq!((exported.status, reason(&exported).as_str()), (400, "vhost_not_found"));
    let imported = guest.post("/api/definitions/nope", "{}");
    assert_eq!(imported.status, 404);
    assert_eq!(imported.json(), json!({ "error": "not_found", "reason": "vhost_not_found" }));
}

#[test]
fn only_administrators_see_and_change_definitions() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    guest.put("/api/users/monitor", r#"{"password":"m","tags":"monitoring"}"#);
    guest.put("/api/permissions/%2F/monitor", r#"{"configure":".*","write":".*","read":".*"}"#);
    let monitor = Client::new(&broker, "monitor", "m");
    for path in ["/api/definitions", "/api/definitions/%2F"] {
        assert_eq!(monitor.send("GET", path, &[], "").status, 401);
        assert_eq!(monitor.post(path, "{}").status, 401);
        assert_eq!(monitor.post(&format!("{path}?dry_run=true"), "{}").status, 401);
    }
}

#[test]
fn bad_documents_are_refused_and_what_came_before_a_refusal_stays() {
    let broker = start(&[("management.http.max_body_size", "10000")]);
    let guest = Client::guest(&broker);
    for body in ["{", "[]", "nonsense"] {
        let answer = guest.post("/api/definitions", body);
        assert_eq!((answer.status, reason(&answer).as_str()), (400, "failed_to_parse_json"), "{body}");
    }
    assert_eq!(guest.post("/api/definitions", "").status, 204);
    let document = json!({ "vhosts": [{ "name": "v" }], "queues": [{ "name": "q", "vhost": "nope" }] });
    let answer = guest.post("/api/definitions", &document.to_string());
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.json(),
        json!({ "error": "bad_request",
            "reason": "Please create virtual host \"nope\" prior to importing definitions." })
    );
    assert!(names(&guest.get("/api/definitions"), "vhosts").contains(&"v".to_owned()));
    let long = guest.post("/api/definitions", &format!("{{\"x\":\"{}\"}}", "x".repeat(20_000)));
    assert_eq!(long.status, 400, "{long:?}");
    assert_eq!(reason(&long), "Exceeded HTTP request body size limit");
}

fn form(file: &str, redirect: Option<&str>) -> String {
    let mut form =
        format!("--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"d.json\"\r\n\r\n{file}\r\n");
    if let Some(redirect) = redirect {
        form += &format!("--b\r\ncontent-disposition: form-data; name=\"redirect\"\r\n\r\n{redirect}\r\n");
    }
    form + "--b--\r\n"
}

#[test]
fn browsers_send_a_form() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    let send = |body: &str| {
        guest.send("POST", "/api/definitions", &[("Content-Type", "multipart/form-data; boundary=b")], body)
    };
    let answer = send(&form(r#"{"vhosts":[{"name":"form"}]}"#, Some("../#/import-succeeded")));
    assert_eq!((answer.status, answer.header("location")), (303, Some("../#/import-succeeded")));
    assert!(names(&guest.get("/api/definitions"), "vhosts").contains(&"form".to_owned()));
    assert_eq!(send(&form("{}", None)).status, 204);
    for body in ["", "--b--\r\n", "{}", &form("{", None)] {
        let answer = send(body);
        assert_eq!((answer.status, reason(&answer).as_str()), (400, "failed_to_parse_json"), "{body:?}");
    }
    assert_eq!(send(&form("{}", Some("x\u{1}"))).status, 400);
}

#[test]
fn a_dry_run_lists_and_changes_nothing() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    guest.put("/api/queues/%2F/old", r#"{"durable":true}"#);
    let before = guest.get("/api/definitions");
    let document = json!({
        "users": [{ "name": "guest", "password_hash": "", "tags": ["monitoring"] }],
        "queues": [{ "name": "old", "vhost": "/", "durable": false }, { "name": "new", "vhost": "/" },
            { "name": "amq.x", "vhost": "/" }, { "name": "bad", "vhost": "nope" }],
    });
    let answer = guest.post("/api/definitions?dry_run=true", &document.to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = json!([
        { "action": "change", "type": "user", "vhost": null, "name": "guest", "different": ["password", "tags"] },
        { "action": "keep", "type": "queue", "vhost": "/", "name": "old", "different": ["durable"] },
        { "action": "create", "type": "queue", "vhost": "/", "name": "new" },
        { "action": "skip", "type": "queue", "vhost": "/", "name": "amq.x",
            "reason": "names that begin with 'amq.' are the broker's own" },
        { "action": "refuse", "type": "queue", "vhost": "nope", "name": "bad",
            "reason": "Please create virtual host \"nope\" prior to importing definitions." },
    ]);
    assert_eq!(answer.json(), expected);
    assert_eq!(guest.get("/api/definitions"), before);
    assert!(!broker.log().iter().any(|line| line.contains("importing")), "a rehearsal is nothing that happened");
}

/// Every object that was answered for is there after a power cut, and clients notice nothing while they are made.
#[test]
fn a_large_import_is_durable_and_holds_nobody_up() {
    const QUEUES: usize = 4_000;
    let mut broker = start(&[]);
    let queues: Vec<Value> =
        (0..QUEUES).map(|number| json!({ "name": format!("q{number:04}"), "vhost": "/", "durable": true })).collect();
    let bindings: Vec<Value> = (0..500)
        .map(|number| {
            json!({ "source": "amq.topic", "vhost": "/", "destination": format!("q{number:04}"),
            "destination_type": "queue", "routing_key": "a.#" })
        })
        .collect();
    let document = json!({ "queues": queues, "bindings": bindings }).to_string();
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.declare(1, QueueDeclare::new("mine").durable());
    let began = Instant::now();
    let slowest = std::thread::scope(|scope| {
        let import = scope.spawn(|| Client::guest(&broker).post("/api/definitions", &document).status);
        let mut slowest = Duration::ZERO;
        while !import.is_finished() {
            let before = Instant::now();
            client.publish(1, "", "mine", "body");
            while client.get(1, "mine", true).is_none() {}
            slowest = slowest.max(before.elapsed());
        }
        assert_eq!(import.join().unwrap(), 204);
        slowest
    });
    let whole = began.elapsed();
    assert!(slowest < whole / 4, "a message took {slowest:?} of the {whole:?} of the import");
    broker.kill_9();
    broker.launch();
    let exported = Client::guest(&broker).get("/api/definitions");
    assert_eq!(exported["queues"].as_array().unwrap().len(), QUEUES + 1);
    assert_eq!(exported["bindings"].as_array().unwrap().len(), 500);
}

#[test]
fn the_id_of_the_cluster_stays() {
    let mut broker = start(&[]);
    let id = |broker: &testkit::BrokerProcess| Client::guest(broker).get("/api/global-parameters/internal_cluster_id");
    let before = id(&broker);
    assert!(before["value"].as_str().unwrap().starts_with("rabbitmq-cluster-id-"), "{before}");
    broker.kill_9();
    broker.launch();
    assert_eq!(id(&broker), before);
}
