//! Passwords: how they are hashed, and what they have to be like.

use serde_json::Value;

use crate::{assert_refused, connect, start};

fn users(broker: &testkit::BrokerProcess) -> Vec<Value> {
    let answer = broker.http("GET", "/api/users", &[], "").unwrap();
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
fn new_passwords_are_hashed_as_configured_and_old_ones_verify() {
    let mut broker = start(&[("password_hashing_module", "argon2")]);
    broker.administer("PUT", "/api/users/alice", r#"{"password":"s3cret","tags":""}"#);
    broker.administer("PUT", "/api/permissions/%2F/alice", r#"{"configure":".*","write":".*","read":".*"}"#);
    for user in users(&broker) {
        assert_eq!(user["hashing_algorithm"], "leveret_password_hashing_argon2", "{user}");
        assert!(user["password_hash"].as_str().unwrap().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{user}");
    }
    connect(&broker, "alice", "s3cret");
    connect(&broker, "guest", "guest");
    assert_refused(&broker, "alice", "secret");
    broker.restart();
    connect(&broker, "alice", "s3cret");
    // Definitions carry the hash.
    let definitions = serde_json::json!({ "rabbit_version": "4.2.0", "users": users(&broker) }).to_string();
    let other = start(&[("password_hashing_module", "rabbit_password_hashing_sha512")]);
    other.administer("POST", "/api/definitions", &definitions);
    other.administer("PUT", "/api/permissions/%2F/alice", r#"{"configure":".*","write":".*","read":".*"}"#);
    connect(&other, "alice", "s3cret");
    other.administer("PUT", "/api/users/bob", r#"{"password":"s3cret","tags":""}"#);
    let bob = users(&other).into_iter().find(|user| user["name"] == "bob").unwrap();
    assert_eq!(bob["hashing_algorithm"], "rabbit_password_hashing_sha512");
}

#[test]
fn a_hash_that_is_none_is_refused() {
    let broker = start(&[]);
    let body = r#"{"password_hash":"$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$c29tZXNhbHQ","hashing_algorithm":"leveret_password_hashing_argon2","tags":""}"#;
    assert_eq!(broker.http("PUT", "/api/users/alice", &[], body).unwrap().status, 400);
}

/// RabbitMQ 3.10.8 answers so, and does not start with a default password that is too short.
#[test]
fn new_passwords_are_held_to_the_rule() {
    let rule = ("credential_validator.validation_backend", "rabbit_credential_validator_min_password_length");
    let broker = start(&[rule, ("credential_validator.min_length", "6"), ("default_pass", "longenough")]);
    for body in [r#"{"password":"short","tags":""}"#, r#"{"password":"","tags":""}"#, r#"{"tags":""}"#] {
        let answer = broker.http("PUT", "/api/users/alice", &[], body).unwrap();
        assert_eq!(answer.status, 400, "{body}");
        assert!(
            answer.body.contains(r#""error":"bad_request""#)
                && answer.body.contains("minimum required password length is 6"),
            "{}",
            answer.body
        );
    }
    broker.administer("PUT", "/api/users/alice", r#"{"password":"longer","tags":""}"#);
    assert!(broker.has_logged("minimum required password length is 6"));
}

#[test]
fn default_users_come_with_their_virtual_hosts() {
    let broker = start(&[
        ("default_users.tenant.vhost_pattern", "^tenant"),
        ("default_users.tenant.password", "secret"),
        ("default_users.tenant.tags", "monitoring"),
        ("default_users.tenant.configure", "^mine"),
    ]);
    assert!(users(&broker).iter().all(|user| user["name"] != "tenant"));
    broker.administer("PUT", "/api/vhosts/tenant-1", "");
    let tenant = users(&broker).into_iter().find(|user| user["name"] == "tenant").expect("the user is there");
    assert_eq!(tenant["tags"], serde_json::json!(["monitoring"]));
    let permissions = broker.http("GET", "/api/permissions/tenant-1/tenant", &[], "").unwrap();
    assert!(permissions.body.contains(r#""configure":"^mine""#), "{}", permissions.body);
    broker.administer("PUT", "/api/vhosts/other", "");
    assert_eq!(broker.http("GET", "/api/permissions/other/tenant", &[], "").unwrap().status, 404);
}
