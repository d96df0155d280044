//! `/api/vhosts` as RabbitMQ answers.

use crate::support::{Client, NOT_FOUND, assert_has, start};
use serde_json::json;

#[test]
fn come_change_and_go() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    guest.check(&[
        ("PUT", "/vhosts/v", "", 201, ""),
        ("PUT", "/vhosts/v", r#"{"description":"d","tags":"a,b","tracing":true}"#, 204, ""),
        ("PUT", "/vhosts/v", r#"{"tracing":"x"}"#, 400, r#"{"error":"bad_request","reason":["not_boolean","x"]}"#),
        (
            "PUT",
            "/vhosts/w",
            r#"{"default_queue_type":"nope"}"#,
            400,
            r#"{"error":"bad_request","reason":"nope is not a valid queue type"}"#,
        ),
        ("GET", "/vhosts/nope", "", 404, NOT_FOUND),
        ("DELETE", "/vhosts/nope", "", 404, NOT_FOUND),
        ("GET", "/vhosts/nope/permissions", "", 404, NOT_FOUND),
        // Who creates a virtual host may use it.
        (
            "GET",
            "/vhosts/v/permissions",
            "",
            200,
            r#"[{"user":"guest","vhost":"v","configure":".*","write":".*","read":".*"}]"#,
        ),
        ("GET", "/vhosts/v/topic-permissions", "", 200, "[]"),
    ]);
    let vhost = guest.get("/api/vhosts/v");
    assert_eq!(vhost["tags"], json!(["a", "b"]));
    assert_eq!((&vhost["description"], &vhost["tracing"]), (&json!("d"), &json!(true)));
    let counted = ["messages", "messages_details", "messages_ready", "recv_oct", "send_oct_details", "cluster_state"];
    assert_has(&vhost, &counted);
    // What is not given is reset.
    guest.put("/api/vhosts/v", r#"{"tracing":false}"#);
    let vhost = guest.get("/api/vhosts/v?columns=description,tags,tracing");
    assert_eq!(vhost, json!({ "description": "", "tags": [], "tracing": false }));
    let node = guest.get("/api/overview?columns=node")["node"].as_str().unwrap().to_owned();
    assert_eq!(guest.post(&format!("/api/vhosts/v/start/{node}"), "").status, 204);
    assert_eq!(guest.delete("/api/vhosts/v"), 204);
}

#[test]
fn protected_ones_stay() {
    let broker = start(&[]);
    Client::guest(&broker).check(&[
        ("PUT", "/vhosts/v", "", 201, ""),
        ("POST", "/vhosts/v/deletion/protection", "", 204, ""),
        (
            "DELETE",
            "/vhosts/v",
            "",
            412,
            r#"{"error":"precondition_failed","reason":"Refusing to delete virtual host 'v' because it is protected from deletion"}"#,
        ),
        ("GET", "/vhosts/v?columns=protected_from_deletion", "", 200, r#"{"protected_from_deletion":true}"#),
        ("DELETE", "/vhosts/v/deletion/protection", "", 204, ""),
        ("DELETE", "/vhosts/v", "", 204, ""),
        ("POST", "/vhosts/v/deletion/protection", "", 404, NOT_FOUND),
    ]);
}
