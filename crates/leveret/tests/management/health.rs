//! Health checks, which monitors run every few seconds.

use crate::support::{Client, NOT_FOUND, request, start};
use serde_json::json;

const OK: &str = r#"{"status":"ok"}"#;

#[test]
fn a_healthy_node_is_ok() {
    let broker = start(&[]);
    Client::guest(&broker).check(&[
        ("GET", "/health/checks/alarms", "", 200, OK),
        ("GET", "/health/checks/local-alarms", "", 200, OK),
        ("GET", "/health/checks/virtual-hosts", "", 200, OK),
        ("GET", "/health/checks/node-is-quorum-critical", "", 200, r#"{"status":"ok","reason":"single node cluster"}"#),
        ("GET", "/health/checks/metadata-store/initialized", "", 200, OK),
        ("GET", "/health/checks/metadata-store/initialized/with-data", "", 200, OK),
        ("GET", "/health/checks/quorum-queues-without-elected-leaders/all-vhosts", "", 200, OK),
        ("GET", "/health/checks/quorum-queues-without-elected-leaders/vhost/%2F/pattern/x", "", 200, OK),
        ("GET", "/health/checks/certificate-expiration/1/weeks", "", 200, OK),
        (
            "GET",
            "/health/checks/certificate-expiration/x/weeks",
            "",
            400,
            r#"{"error":"bad_request","reason":"Invalid expiration value."}"#,
        ),
        (
            "GET",
            "/health/checks/certificate-expiration/1/foo",
            "",
            400,
            r#"{"error":"bad_request","reason":"Time unit not recognised. Supported units: days, weeks, months, years."}"#,
        ),
        ("GET", "/health/checks/port-listener/x", "", 400, r#"{"error":"bad_request","reason":"Invalid port"}"#),
        (
            "GET",
            "/health/checks/protocol-listener/amqp091,http",
            "",
            200,
            r#"{"status":"ok","protocols":["amqp","http","http/prometheus"]}"#,
        ),
        (
            "GET",
            "/health/checks/protocol-listener/amqp,mqtt",
            "",
            503,
            r#"{"status":"failed","reason":"No active listener","missing":["mqtt"],"protocols":["amqp","http","http/prometheus"]}"#,
        ),
        ("GET", "/aliveness-test/%2F", "", 200, OK),
        ("GET", "/aliveness-test/nope", "", 404, NOT_FOUND),
        ("GET", "/healthchecks/node", "", 200, OK),
        ("GET", "/healthchecks/node/nope@x", "", 404, NOT_FOUND),
        // Nothing was declared by them.
        ("GET", "/queues", "", 200, "[]"),
    ]);
}

#[test]
fn ports_are_those_that_are_open() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    let mut ports = [broker.address(), broker.management(), broker.prometheus()].map(|address| address.port());
    ports.sort_unstable();
    let found = guest.get(&format!("/api/health/checks/port-listener/{}", ports[0]));
    assert_eq!(found, json!({ "status": "ok", "port": ports[0] }));
    let answer = guest.send("GET", "/api/health/checks/port-listener/1", &[], "");
    let expected = json!({ "status": "failed", "reason": "No active listener", "missing": 1, "ports": ports });
    assert_eq!((answer.status, answer.json()), (503, expected));
}

/// As in RabbitMQ, so that probes of Kubernetes need no password.
#[test]
fn some_ask_for_no_password() {
    let broker = start(&[]);
    for path in
        ["is-in-service", "below-node-connection-limit", "ready-to-serve-clients", "reached-target-cluster-size"]
    {
        let answer = request(broker.management(), "GET", &format!("/api/health/checks/{path}"), &[], "");
        assert_eq!((answer.status, answer.body.as_str()), (200, OK), "{path}");
    }
    let answer = request(broker.management(), "GET", "/api/health/checks/alarms", &[], "");
    assert_eq!(answer.status, 401);
}

#[test]
fn alarms_are_told() {
    let broker = start(&[("disk_free_limit.absolute", "1000000TB")]);
    let guest = Client::guest(&broker);
    let node = guest.get("/api/overview")["node"].clone();
    for (path, reason) in [
        ("alarms", "There are alarms in effect in the cluster"),
        ("local-alarms", "There are alarms in effect on the node"),
    ] {
        let answer = guest.send("GET", &format!("/api/health/checks/{path}"), &[], "");
        let alarms = json!([{ "node": node, "resource": "disk" }]);
        assert_eq!(answer.status, 503);
        assert_eq!(answer.json(), json!({ "status": "failed", "reason": reason, "alarms": alarms }));
    }
    assert_eq!(guest.get("/api/nodes")[0]["disk_free_alarm"], true);
}
