//! No secret reaches the log, whatever its level.

use serde_json::json;

use crate::http::start_with;
use crate::oauth2::{self, Issuer};
use crate::service::Service;
use crate::{assert_refused, connect, get};

const DEBUG: [(&str, &str); 3] =
    [("log.console.level", "debug"), ("log.default.level", "debug"), ("log.connection.level", "debug")];

#[test]
fn passwords_and_tokens_are_not_logged() {
    let service = Service::start(|asked| match asked.get("password") {
        "hunter2-good" => (200, "allow administrator".to_owned()),
        _ => (500, "no".to_owned()),
    });
    let mut settings = vec![("auth_backends.1", "internal"), ("auth_backends.2", "http")];
    settings.extend(DEBUG);
    let broker = start_with(&service, &settings);
    connect(&broker, "guest", "guest");
    let mut client = connect_lenient(&broker, "hunter2-good");
    client.expect_tune();
    assert_refused(&broker, "alice", "hunter2-bad");
    // alice:hunter2-bad
    get(&broker, "/api/whoami", "Basic YWxpY2U6aHVudGVyMi1iYWQ=");
    assert!(broker.log().iter().any(|line| line.contains("alice")), "the attempts are logged");
    let leaked: Vec<String> =
        broker.log().into_iter().filter(|line| line.contains("hunter2") || line.contains("aHVudGVy")).collect();
    assert_eq!(leaked, Vec::<String>::new());

    let issuer = Issuer::start();
    let broker = oauth2::broker(&issuer, &DEBUG);
    let (good, bad) = (issuer.full(600), issuer.token(0, json!({ "sub": "mallory" })));
    connect(&broker, "", &good);
    assert_refused(&broker, "", &bad);
    get(&broker, "/api/whoami", &format!("Bearer {good}"));
    let parts: Vec<&str> = good.split('.').chain(bad.split('.')).skip(1).collect();
    let leaked: Vec<String> =
        broker.log().into_iter().filter(|line| parts.iter().any(|part| line.contains(part))).collect();
    assert_eq!(leaked, Vec::<String>::new());
}

/// Logs in, and leaves it at that.
fn connect_lenient(broker: &testkit::BrokerProcess, password: &str) -> testkit::RawClient {
    let options = crate::user("alice", password);
    let mut client = testkit::RawClient::open(broker.address(), options.timeout);
    client.send_raw(&options.protocol_header);
    client.expect_start();
    client.send(0, options.start_ok());
    client
}
