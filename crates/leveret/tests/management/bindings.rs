//! `/api/bindings` as RabbitMQ 3.10.8 answers; the keys and hashes are those that it gave.

use crate::support::{Client, NOT_FOUND, start};

const ARGUMENTS: &str = r#"{"a":1,"b":"x","c":true,"d":[1,"y"],"e":{"f":1.5}}"#;

fn prepared(guest: &Client<'_>) {
    guest.put("/api/exchanges/%2F/x1", r#"{"type":"topic"}"#);
    guest.put("/api/queues/%2F/q1", "{}");
}

#[test]
fn locations_are_keys_encoded_twice() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    prepared(&guest);
    let complex = format!(r#"{{"routing_key":"a.b/c #","arguments":{ARGUMENTS}}}"#);
    for (body, location) in [
        (complex.as_str(), "q1/a.b%252Fc%2B%2523~7WjF_g"),
        ("{}", "q1/~"),
        ("", "q1/~"),
        (r#"{"routing_key":"k","arguments":{"a":1}}"#, "q1/k~Ajat_Q"),
        (r#"{"routing_key":"üñ/~","arguments":{}}"#, "q1/%25C3%25BC%25C3%25B1%252F%257E"),
        (r#"{"routing_key":"~"}"#, "q1/%257E"),
    ] {
        let answer = guest.post("/api/bindings/%2F/e/x1/q/q1", body);
        assert_eq!((answer.status, answer.header("location")), (201, Some(location)), "{body}: {answer:?}");
        // Each names the binding that it is the location of.
        let path = format!("/api/bindings/%2F/e/x1/q/{location}");
        assert_eq!(guest.get(&path)["destination"], "q1");
        assert_eq!(guest.delete(&path), 204);
        assert_eq!(guest.answer("GET", &path, ""), (404, NOT_FOUND.to_owned()));
        guest.post("/api/bindings/%2F/e/x1/q/q1", body);
    }
    let list = guest.get("/api/bindings/%2F/e/x1/q/q1?columns=properties_key");
    let keys: Vec<&str> = list.as_array().unwrap().iter().map(|row| row["properties_key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["~", "a.b%2Fc+%23~7WjF_g", "k~Ajat_Q", "%7E", "%C3%BC%C3%B1%2F%7E"]);
}

#[test]
fn lists_and_errors() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    prepared(&guest);
    guest.check(&[
        ("POST", "/bindings/%2F/e/x1/q/q1", r#"{"routing_key":"k"}"#, 201, ""),
        ("POST", "/bindings/%2F/e/x1/e/amq.direct", r#"{"routing_key":"k"}"#, 201, ""),
        (
            "POST",
            "/bindings/%2F/e/x1/q/nope",
            "{}",
            404,
            r#"{"error":"not_found","reason":"no queue 'nope' in vhost '/'"}"#,
        ),
        (
            "POST",
            "/bindings/%2F/e/nope/q/q1",
            "{}",
            404,
            r#"{"error":"not_found","reason":"no exchange 'nope' in vhost '/'"}"#,
        ),
        (
            "POST",
            "/bindings/%2F/e/amq.default/q/q1",
            "{}",
            401,
            r#"{"error":"not_authorised","reason":"Access refused."}"#,
        ),
        (
            "GET",
            "/exchanges/%2F/amq.direct/bindings/destination",
            "",
            200,
            r#"[{"source":"x1","vhost":"/","destination":"amq.direct","destination_type":"exchange","routing_key":"k","arguments":{},"properties_key":"k"}]"#,
        ),
        (
            "GET",
            "/exchanges/%2F/amq.default/bindings/source",
            "",
            200,
            r#"[{"source":"","vhost":"/","destination":"q1","destination_type":"queue","routing_key":"q1","arguments":{},"properties_key":"q1"}]"#,
        ),
        (
            "GET",
            "/bindings/%2F/e//q/q1",
            "",
            200,
            r#"[{"source":"","vhost":"/","destination":"q1","destination_type":"queue","routing_key":"q1","arguments":{},"properties_key":"q1"}]"#,
        ),
        (
            "GET",
            "/queues/%2F/q1/bindings",
            "",
            200,
            r#"[{"source":"","vhost":"/","destination":"q1","destination_type":"queue","routing_key":"q1","arguments":{},"properties_key":"q1"},{"source":"x1","vhost":"/","destination":"q1","destination_type":"queue","routing_key":"k","arguments":{},"properties_key":"k"}]"#,
        ),
        ("GET", "/bindings/%2F/e/nope/q/nope", "", 200, "[]"),
        ("GET", "/bindings/%2F/e/x1/q/q1/nope", "", 404, NOT_FOUND),
        ("DELETE", "/bindings/%2F/e/x1/q/q1/nope", "", 404, NOT_FOUND),
        ("GET", "/bindings/nope", "", 404, NOT_FOUND),
    ]);
}
