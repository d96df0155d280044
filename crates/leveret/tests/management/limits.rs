//! Limits, parameters and the name of the cluster over TCP, as RabbitMQ answers.

use crate::support::{Client, NOT_FOUND, start};

#[test]
fn limits() {
    let broker = start(&[]);
    Client::guest(&broker).check(&[
        (
            "PUT",
            "/user-limits/guest/max-connections",
            "{}",
            400,
            r#"{"error":"bad_request","reason":"[{key_missing,value}]"}"#,
        ),
        ("PUT", "/user-limits/guest/max-connections", r#"{"value":300}"#, 204, ""),
        (
            "PUT",
            "/user-limits/nope/max-connections",
            r#"{"value":3}"#,
            400,
            r#"{"error":"bad_request","reason":["no_such_user","nope"]}"#,
        ),
        ("GET", "/user-limits", "", 200, r#"[{"user":"guest","value":{"max-connections":300}}]"#),
        ("GET", "/user-limits/guest/max-connections", "", 200, r#"{"value":300}"#),
        ("GET", "/user-limits/guest/max-channels", "", 404, NOT_FOUND),
        ("GET", "/user-limits/nope", "", 404, NOT_FOUND),
        ("DELETE", "/user-limits/guest/max-connections", "", 204, ""),
        ("GET", "/user-limits/guest", "", 200, "[]"),
        ("PUT", "/vhost-limits/%2F/max-queues", r#"{"value":30}"#, 204, ""),
        (
            "PUT",
            "/vhost-limits/nope/max-queues",
            r#"{"value":30}"#,
            404,
            r#"{"error":"not_found","reason":"vhost_not_found"}"#,
        ),
        ("GET", "/vhost-limits/%2F", "", 200, r#"[{"vhost":"/","value":{"max-queues":30}}]"#),
        ("GET", "/vhost-limits/%2F/max-queues", "", 200, r#"{"value":30}"#),
        ("DELETE", "/vhost-limits/%2F/max-queues", "", 204, ""),
        ("GET", "/vhost-limits", "", 200, "[]"),
        ("GET", "/vhost-limits/nope", "", 404, NOT_FOUND),
    ]);
}

#[test]
fn parameters_and_names() {
    let broker = start(&[]);
    Client::guest(&broker).check(&[
        (
            "PUT",
            "/parameters/foo/%2F/a",
            r#"{"value":1}"#,
            400,
            r#"{"error":"bad_request","reason":"Validation failed\n\ncomponent foo not found\n"}"#,
        ),
        // Those of plugins are carried without an effect.
        ("PUT", "/parameters/shovel/%2F/s", r#"{"value":{"src-uri":"amqp://","dest-uri":["amqp://"]}}"#, 201, ""),
        (
            "GET",
            "/parameters/shovel/%2F/s",
            "",
            200,
            r#"{"value":{"src-uri":"amqp://","dest-uri":["amqp://"]},"vhost":"/","component":"shovel","name":"s"}"#,
        ),
        (
            "PUT",
            "/parameters/shovel/%2F/s",
            r#"{"value":{"src-uri":"amqp://"}}"#,
            400,
            r#"{"error":"bad_request","reason":"Validation failed\n\nKey \"dest-uri\" not found in s\n"}"#,
        ),
        (
            "PUT",
            "/parameters/federation-upstream/%2F/u",
            r#"{"value":{"uri":"amqp://","ack-mode":"nope"}}"#,
            400,
            r#"{"error":"bad_request","reason":"Validation failed\n\nack-mode should be one of [<<\"no-ack\">>,<<\"on-publish\">>,<<\"on-confirm\">>], actually was <<\"nope\">>\n"}"#,
        ),
        ("PUT", "/parameters/federation-upstream-set/%2F/s", r#"{"value":[{"upstream":"u"}]}"#, 201, ""),
        (
            "PUT",
            "/parameters/federation-upstream-set/%2F/s",
            r#"{"value":[{}]}"#,
            400,
            r#"{"error":"bad_request","reason":"Validation failed\n\nKey \"upstream\" not found in s\n"}"#,
        ),
        ("DELETE", "/parameters/federation-upstream-set/%2F/s", "", 204, ""),
        ("GET", "/shovels/%2F?columns=name,state,type,vhost", "", 200, r#"[{"name":"s","vhost":"/","type":"dynamic","state":"terminated"}]"#),
        ("GET", "/shovels/nope", "", 404, NOT_FOUND),
        ("DELETE", "/parameters/shovel/%2F/s", "", 204, ""),
        ("GET", "/shovels", "", 200, "[]"),
        ("GET", "/parameters/nope", "", 200, "[]"),
        ("GET", "/parameters/vhost-limits/nope", "", 404, NOT_FOUND),
        ("DELETE", "/parameters/vhost-limits/%2F/limits", "", 404, NOT_FOUND),
        ("PUT", "/global-parameters/foo", r#"{"value":{"a":1}}"#, 201, ""),
        ("GET", "/global-parameters/foo", "", 200, r#"{"name":"foo","value":{"a":1}}"#),
        ("DELETE", "/global-parameters/foo", "", 204, ""),
        ("DELETE", "/global-parameters/foo", "", 404, NOT_FOUND),
        ("PUT", "/cluster-name", "{}", 400, r#"{"error":"bad_request","reason":"[{key_missing,name}]"}"#),
        ("PUT", "/cluster-name", r#"{"name":"cc"}"#, 204, ""),
        ("GET", "/cluster-name", "", 200, r#"{"name":"cc"}"#),
        ("GET", "/overview?columns=cluster_name", "", 200, r#"{"cluster_name":"cc"}"#),
    ]);
}

#[test]
fn policies() {
    let broker = start(&[]);
    Client::guest(&broker).check(&[
        (
            "PUT",
            "/policies/%2F/p",
            "{}",
            400,
            r#"{"error":"bad_request","reason":"[{key_missing,pattern},{key_missing,definition}]"}"#,
        ),
        ("PUT", "/policies/%2F/p", r#"{"pattern":"^q","definition":{"max-length":1}}"#, 201, ""),
        (
            "GET",
            "/policies",
            "",
            200,
            r#"[{"vhost":"/","name":"p","pattern":"^q","apply-to":"all","definition":{"max-length":1},"priority":0}]"#,
        ),
        ("GET", "/policies/nope", "", 404, NOT_FOUND),
        ("DELETE", "/policies/%2F/nope", "", 404, NOT_FOUND),
        (
            "PUT",
            "/operator-policies/%2F/p",
            r#"{"pattern":"^q","definition":{"max-length":1},"apply-to":"queues"}"#,
            201,
            "",
        ),
        ("DELETE", "/operator-policies/%2F/p", "", 204, ""),
    ]);
}
