//! Paths of policies, parameters and limits as RabbitMQ 3.10.8 answers them.

use crate::Fixture;

/// Method, path, body; status, body.
type Exchange = (&'static str, &'static str, &'static str, u16, &'static str);

/// A text with a word in place of the node's id, which is another one each time.
pub fn without_cluster_id(text: &str) -> String {
    const BEGINS: &str = "rabbitmq-cluster-id-";
    let mut parts = text.split(BEGINS);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').unwrap_or(part.len());
        whole += &format!("{BEGINS}ID{}", &part[end..]);
    }
    whole
}

#[track_caller]
fn check(exchanges: &[Exchange]) {
    let fixture = Fixture::start();
    for (method, path, body, status, expected) in exchanges {
        let mut answer = fixture.broker.http(method, &format!("/api{path}"), &[], body).expect("an answer");
        answer.body = without_cluster_id(&answer.body);
        assert_eq!((answer.status, answer.body.as_str()), (*status, *expected), "{method} {path} {body}");
    }
}

const NOT_FOUND: &str = r#"{"error":"Object Not Found","reason":"Not Found"}"#;

#[test]
fn policies() {
    check(&[
        (
            "PUT",
            "/policies/%2f/a",
            r#"{"definition":{"max-length":1}}"#,
            400,
            r#"{"error":"bad_request","reason":"[{key_missing,pattern}]"}"#,
        ),
        (
            "PUT",
            "/policies/%2f/a",
            "{}",
            400,
            r#"{"error":"bad_request","reason":"[{key_missing,pattern},{key_missing,definition}]"}"#,
        ),
        ("PUT", "/policies/%2f/a", r#"{"pattern":"x","definition":{"max-length":1}}"#, 201, ""),
        (
            "PUT",
            "/policies/%2f/a",
            r#"{"pattern":"x","definition":{"max-length":2},"priority":"5","apply-to":"queues"}"#,
            400,
            r#"{"error":"bad_request","reason":"Validation failed\n\npriority should be a number, actually was <<\"5\">>\n"}"#,
        ),
        (
            "PUT",
            "/policies/%2f/a",
            r#"{"pattern":"x","definition":{"max-length":-2},"priority":5,"apply-to":"queues"}"#,
            400,
            r#"{"error":"bad_request","reason":"Validation failed\n\n-2 is not a valid maximum length\n"}"#,
        ),
        (
            "PUT",
            "/policies/%2f/a",
            r#"{"pattern":7,"definition":{"max-length":2}}"#,
            400,
            r#"{"error":"bad_request","reason":"Validation failed\n\npattern should be a binary but was 7\n"}"#,
        ),
        (
            "PUT",
            "/policies/nope/a",
            r#"{"pattern":"x","definition":{"max-length":1}}"#,
            404,
            r#"{"error":"not_found","reason":"vhost_not_found","missing":"vhost"}"#,
        ),
        (
            "GET",
            "/policies",
            "",
            200,
            r#"[{"vhost":"/","name":"a","pattern":"x","apply-to":"all","definition":{"max-length":1},"priority":0}]"#,
        ),
        (
            "GET",
            "/policies/%2f/a",
            "",
            200,
            r#"{"vhost":"/","name":"a","pattern":"x","apply-to":"all","definition":{"max-length":1},"priority":0}"#,
        ),
        ("GET", "/policies/%2f/b", "", 404, NOT_FOUND),
        ("PUT", "/policies/%2f/a", r#"{"pattern":"x","definition":{"max-length":2}}"#, 204, ""),
        ("DELETE", "/policies/%2f/a", "", 204, ""),
        (
            "DELETE",
            "/policies/%2f/a",
            "",
            404,
            r#"{"error":"Object Not Found","reason":"policy 'a' does not exist","missing":"policy"}"#,
        ),
        ("PUT", "/operator-policies/%2f/o", r#"{"pattern":"x","definition":{"max-length":1}}"#, 201, ""),
        (
            "GET",
            "/operator-policies",
            "",
            200,
            r#"[{"vhost":"/","name":"o","pattern":"x","apply-to":"all","definition":{"max-length":1},"priority":0}]"#,
        ),
        (
            "GET",
            "/parameters/operator_policy/%2f",
            "",
            200,
            r#"[{"value":{"apply-to":"all","definition":{"max-length":1},"pattern":"x","priority":0},"vhost":"/","component":"operator_policy","name":"o"}]"#,
        ),
        ("DELETE", "/operator-policies/%2f/o", "", 204, ""),
        ("GET", "/operator-policies/%2f/o", "", 404, NOT_FOUND),
    ]);
}

#[test]
fn parameters() {
    check(&[
        (
            "PUT",
            "/parameters/nope/%2f/a",
            r#"{"value":{"a":1}}"#,
            400,
            r#"{"error":"bad_request","reason":"Validation failed\n\ncomponent nope not found\n"}"#,
        ),
        ("PUT", "/parameters/vhost-limits/%2f/limits", r#"{"value":{"max-queues":100}}"#, 201, ""),
        (
            "PUT",
            "/parameters/vhost-limits/%2f/limits",
            "{}",
            400,
            r#"{"error":"bad_request","reason":"[{key_missing,value}]"}"#,
        ),
        (
            "GET",
            "/parameters",
            "",
            200,
            r#"[{"value":{"max-queues":100},"vhost":"/","component":"vhost-limits","name":"limits"}]"#,
        ),
        (
            "GET",
            "/parameters/vhost-limits/%2f/limits",
            "",
            200,
            r#"{"value":{"max-queues":100},"vhost":"/","component":"vhost-limits","name":"limits"}"#,
        ),
        ("GET", "/parameters/nope", "", 200, "[]"),
        ("DELETE", "/parameters/vhost-limits/%2f/limits", "", 204, ""),
        ("GET", "/parameters/vhost-limits/%2f/limits", "", 404, NOT_FOUND),
        ("PUT", "/global-parameters/mine", r#"{"value":{"a":["b",1,null]}}"#, 201, ""),
        ("PUT", "/global-parameters/mine", r#"{"value":{"a":["b",2,null]}}"#, 204, ""),
        (
            "GET",
            "/global-parameters",
            "",
            200,
            r#"[{"name":"internal_cluster_id","value":"rabbitmq-cluster-id-ID"},{"name":"mine","value":{"a":["b",2,null]}}]"#,
        ),
        ("DELETE", "/global-parameters/mine", "", 204, ""),
        ("GET", "/global-parameters/mine", "", 404, NOT_FOUND),
    ]);
}

#[test]
fn limits() {
    check(&[
        ("PUT", "/vhost-limits/%2f/max-connections", r#"{"value":100}"#, 204, ""),
        ("PUT", "/vhost-limits/%2f/max-queues", r#"{"value":7}"#, 204, ""),
        (
            "PUT",
            "/vhost-limits/%2f/max-nope",
            r#"{"value":100}"#,
            400,
            r#"{"error":"bad_request","reason":"Validation failed\n\nUnrecognised terms [{<<\"max-nope\">>,100}] in limits\n"}"#,
        ),
        (
            "PUT",
            "/vhost-limits/%2f/max-connections",
            r#"{"value":"a"}"#,
            400,
            r#"{"error":"bad_request","reason":"Validation failed\n\nmax-connections should be a number, actually was <<\"a\">>\n"}"#,
        ),
        (
            "PUT",
            "/vhost-limits/nope/max-connections",
            r#"{"value":100}"#,
            404,
            r#"{"error":"not_found","reason":"vhost_not_found","missing":"vhost"}"#,
        ),
        ("GET", "/vhost-limits", "", 200, r#"[{"vhost":"/","value":{"max-connections":100,"max-queues":7}}]"#),
        ("DELETE", "/vhost-limits/%2f/max-connections", "", 204, ""),
        ("GET", "/vhost-limits/%2f", "", 200, r#"[{"vhost":"/","value":{"max-queues":7}}]"#),
        ("PUT", "/user-limits/guest/max-connections", r#"{"value":100}"#, 204, ""),
        (
            "PUT",
            "/user-limits/guest/max-nope",
            r#"{"value":100}"#,
            400,
            r#"{"error":"bad_request","reason":"Unrecognised terms [{<<\"max-nope\">>,100}] in user-limits"}"#,
        ),
        ("GET", "/user-limits", "", 200, r#"[{"user":"guest","value":{"max-connections":100}}]"#),
        ("GET", "/user-limits/nobody", "", 404, NOT_FOUND),
        ("DELETE", "/user-limits/guest/max-connections", "", 204, ""),
        ("GET", "/user-limits/guest", "", 200, "[]"),
    ]);
}
