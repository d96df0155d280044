//! What users without the tag administrator may do and see.

use crate::support::{Client, start};
use testkit::BrokerProcess;

const NOBODY: &str = r#"{"error":"not_authorised","reason":"Not administrator user"}"#;
const REFUSED: &str = r#"{"error":"not_authorised","reason":"Access refused."}"#;

/// A user of the virtual host `v` with these tags and permissions there, and none in `/`.
fn with_user(broker: &BrokerProcess, tags: &str, permissions: &str) {
    let guest = Client::guest(broker);
    guest.put("/api/vhosts/v", "");
    guest.put("/api/users/u", &format!(r#"{{"tags":"{tags}","password":"u"}}"#));
    guest.put("/api/permissions/v/u", permissions);
    for vhost in ["%2F", "v"] {
        guest.put(&format!("/api/queues/{vhost}/q"), "{}");
    }
}

#[test]
fn a_management_user_sees_its_vhosts_only() {
    let broker = start(&[]);
    with_user(&broker, "management", r#"{"configure":"^a","write":"^a","read":"^a"}"#);
    let user = Client::new(&broker, "u", "u");
    user.check(&[
        ("GET", "/queues?columns=vhost,name", "", 200, r#"[{"name":"q","vhost":"v"}]"#),
        ("GET", "/vhosts?columns=name", "", 200, r#"[{"name":"v"}]"#),
        ("GET", "/users", "", 401, NOBODY),
        ("GET", "/permissions", "", 401, NOBODY),
        ("PUT", "/cluster-name", r#"{"name":"x"}"#, 401, NOBODY),
        ("GET", "/nodes", "", 401, r#"{"error":"not_authorised","reason":"Not monitor user"}"#),
        (
            "GET",
            "/parameters",
            "",
            401,
            r#"{"error":"not_authorised","reason":"User not authorised to access object"}"#,
        ),
        ("PUT", "/queues/v/a", "{}", 201, ""),
        ("PUT", "/queues/v/b", "{}", 401, REFUSED),
        ("DELETE", "/queues/v/q", "", 401, REFUSED),
        ("DELETE", "/queues/v/q/contents", "", 401, REFUSED),
        ("PUT", "/exchanges/v/b", "{}", 401, REFUSED),
        ("PUT", "/exchanges/v/ax", "{}", 201, ""),
        ("POST", "/bindings/v/e/ax/q/a", "{}", 201, ""),
        ("POST", "/bindings/v/e/amq.direct/q/q", "{}", 401, REFUSED),
        ("POST", "/bindings/v/e/b/q/a", "{}", 401, REFUSED),
        // Dead letters of a queue are published elsewhere.
        ("PUT", "/queues/v/ad", r#"{"arguments":{"x-dead-letter-exchange":"b"}}"#, 401, REFUSED),
        ("DELETE", "/exchanges/v/ax", "", 204, ""),
        ("DELETE", "/queues/v/a", "", 204, ""),
    ]);
    for path in ["/queues/%2F", "/queues/%2F/q", "/exchanges/%2F", "/bindings/%2F"] {
        let (status, body) = user.answer("GET", &format!("/api{path}"), "");
        assert!(status == 401 || status == 404, "{path}: {status} {body}");
    }
}

#[test]
fn a_policymaker_makes_policies_where_it_has_permissions() {
    let broker = start(&[]);
    with_user(&broker, "policymaker", r#"{"configure":"","write":"","read":""}"#);
    let user = Client::new(&broker, "u", "u");
    let policy = r#"{"pattern":"^q","definition":{"max-length":1}}"#;
    user.check(&[
        ("PUT", "/policies/v/p", policy, 201, ""),
        ("DELETE", "/policies/v/p", "", 204, ""),
        ("PUT", "/operator-policies/v/p", policy, 401, NOBODY),
        ("PUT", "/global-parameters/g", r#"{"value":1}"#, 201, ""),
    ]);
    assert_ne!(user.answer("PUT", "/api/policies/%2F/p", policy).0, 201);
}

#[test]
fn a_monitor_sees_the_node() {
    let broker = start(&[]);
    with_user(&broker, "monitoring", r#"{"configure":"","write":"","read":""}"#);
    let user = Client::new(&broker, "u", "u");
    user.get("/api/nodes");
    assert_eq!(user.get("/api/vhosts?columns=name").as_array().map(Vec::len), Some(2));
    user.check(&[
        ("GET", "/user-limits/guest", "", 200, "[]"),
        ("GET", "/user-limits", "", 401, NOBODY),
        ("DELETE", "/reset", "", 401, NOBODY),
    ]);
}

#[test]
fn a_user_without_a_tag_gets_nothing() {
    let broker = start(&[]);
    with_user(&broker, "", r#"{"configure":".*","write":".*","read":".*"}"#);
    let refused = r#"{"error":"not_authorised","reason":"Not management user"}"#;
    Client::new(&broker, "u", "u").check(&[("GET", "/whoami", "", 401, refused), ("GET", "/queues", "", 401, refused)]);
}
