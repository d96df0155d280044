//! `/api/users` and what users may do, as RabbitMQ 3.10.8 answers, and 4.x where the two differ.

use crate::support::{Client, NOT_FOUND, start};

#[test]
fn come_change_and_go() {
    let broker = start(&[]);
    Client::guest(&broker).check(&[
        ("PUT", "/users/u", "{}", 400, r#"{"error":"bad_request","reason":"tags_not_present"}"#),
        ("PUT", "/users/u", r#"{"tags":""}"#, 201, ""),
        ("PUT", "/users/u", r#"{"tags":"a, b","password":"x"}"#, 204, ""),
        ("PUT", "/users/u", r#"{"tags":["a"],"password":""}"#, 204, ""),
        (
            "PUT",
            "/users/u",
            r#"{"tags":["a"],"password_hash":"%%"}"#,
            400,
            r#"{"error":"bad_request","reason":["not_base64","%%"]}"#,
        ),
        (
            "PUT",
            "/users/u",
            r#"{"tags":["a"],"password":"a","password_hash":""}"#,
            400,
            r#"{"error":"bad_request","reason":"both_password_and_password_hash_are_provided"}"#,
        ),
        (
            "PUT",
            "/users/u",
            r#"{"tags":["a"],"password_hash":"abcd","hashing_algorithm":"rabbit_password_hashing_md5","limits":{"max-connections":3}}"#,
            204,
            "",
        ),
        (
            "GET",
            "/users/u",
            "",
            200,
            r#"{"name":"u","password_hash":"abcd","hashing_algorithm":"rabbit_password_hashing_md5","tags":["a"],"limits":{"max-connections":3}}"#,
        ),
        (
            "GET",
            "/users/without-permissions",
            "",
            200,
            r#"[{"name":"u","password_hash":"abcd","hashing_algorithm":"rabbit_password_hashing_md5","tags":["a"],"limits":{"max-connections":3}}]"#,
        ),
        ("GET", "/users/nope", "", 404, NOT_FOUND),
        ("DELETE", "/users/nope", "", 404, NOT_FOUND),
        ("GET", "/users/nope/permissions", "", 404, NOT_FOUND),
        (
            "POST",
            "/users/bulk-delete",
            r#"{"users":["nope"]}"#,
            400,
            r#"{"error":"bad_request","reason":["no_such_user","nope"]}"#,
        ),
        ("POST", "/users/bulk-delete", "{}", 400, r#"{"error":"bad_request","reason":"[{key_missing,users}]"}"#),
        ("POST", "/users/bulk-delete", r#"{"users":["u"]}"#, 204, ""),
        ("GET", "/users/u", "", 404, NOT_FOUND),
    ]);
}

#[test]
fn permissions() {
    let broker = start(&[]);
    let nobody = r#"{"error":"bad_request","reason":"vhost_or_user_not_found"}"#;
    let all = r#"{"configure":"","write":"","read":""}"#;
    Client::guest(&broker).check(&[
        ("PUT", "/users/u", r#"{"tags":""}"#, 201, ""),
        (
            "PUT",
            "/permissions/%2F/u",
            r#"{"configure":""}"#,
            400,
            r#"{"error":"bad_request","reason":"[{key_missing,write},{key_missing,read}]"}"#,
        ),
        ("PUT", "/permissions/%2F/u", all, 201, ""),
        ("PUT", "/permissions/%2F/u", all, 204, ""),
        ("PUT", "/permissions/nope/u", all, 400, nobody),
        ("PUT", "/permissions/%2F/nope", all, 400, nobody),
        ("GET", "/permissions/%2F/u", "", 200, r#"{"user":"u","vhost":"/","configure":"","write":"","read":""}"#),
        ("GET", "/permissions/%2F/nope", "", 404, NOT_FOUND),
        ("DELETE", "/permissions/%2F/u", "", 204, ""),
        ("DELETE", "/permissions/%2F/u", "", 404, NOT_FOUND),
        (
            "PUT",
            "/topic-permissions/%2F/u",
            "{}",
            400,
            r#"{"error":"bad_request","reason":"[{key_missing,exchange},{key_missing,write},{key_missing,read}]"}"#,
        ),
        ("PUT", "/topic-permissions/%2F/u", r#"{"exchange":"amq.topic","write":"^a","read":".*"}"#, 201, ""),
        ("PUT", "/topic-permissions/nope/u", r#"{"exchange":"amq.topic","write":"^a","read":".*"}"#, 400, nobody),
        (
            "GET",
            "/topic-permissions/%2F/u",
            "",
            200,
            r#"[{"user":"u","vhost":"/","exchange":"amq.topic","write":"^a","read":".*"}]"#,
        ),
        ("GET", "/topic-permissions/%2F/guest", "", 404, NOT_FOUND),
        ("DELETE", "/topic-permissions/%2F/u/amq.topic", "", 204, ""),
        ("DELETE", "/topic-permissions/%2F/u", "", 404, NOT_FOUND),
    ]);
}
