//! What virtual hosts begin with, what there may be in them, and what the cluster is called.

use super::start;
use crate::json;
use serde_json::json;
use testkit::BrokerProcess;

fn status(broker: &BrokerProcess, method: &str, path: &str, body: &str) -> u16 {
    broker.http(method, path, &[], body).unwrap().status
}

#[test]
fn virtual_hosts_begin_with_the_first_limits_that_match() {
    let broker = start(&[
        ("default_limits.vhosts.1.pattern", "^tenant"),
        ("default_limits.vhosts.1.max_connections", "7"),
        ("default_limits.vhosts.1.max_queues", "8"),
        ("default_limits.vhosts.2.max_queues", "9"),
    ]);
    json(&broker, "PUT", "/api/vhosts/tenant-1", "");
    json(&broker, "PUT", "/api/vhosts/other", "");
    let of = |vhost: &str| json(&broker, "GET", &format!("/api/vhost-limits/{vhost}"), "")[0]["value"].clone();
    assert_eq!(of("tenant-1"), json!({ "max-connections": 7, "max-queues": 8 }));
    assert_eq!(of("other"), json!({ "max-queues": 9 }));
    assert_eq!(of("%2F"), json!({ "max-queues": 9 }), "the first virtual host is a new one, too");
}

#[test]
fn virtual_hosts_begin_with_operator_policies() {
    let keys = [
        ("default_policies.operator.cap.vhost_pattern", "^tenant"),
        ("default_policies.operator.cap.queue_pattern", "^q"),
        ("default_policies.operator.cap.apply_to", "queues"),
        ("default_policies.operator.cap.expires", "1h"),
        ("default_policies.operator.cap.message_ttl", "2000"),
        ("default_policies.operator.cap.max_length", "10"),
        ("default_policies.operator.cap.max_length_bytes", "1MB"),
        ("default_policies.operator.cap.delivery_limit", "5"),
        ("default_policies.operator.everywhere.max_length", "100"),
    ];
    let broker = start(&keys);
    json(&broker, "PUT", "/api/vhosts/tenant-1", "");
    let policies = |vhost: &str| json(&broker, "GET", &format!("/api/operator-policies/{vhost}"), "");
    let everywhere = |vhost: &str| {
        json!({ "vhost": vhost, "name": "everywhere", "pattern": ".*", "apply-to": "all", "priority": 0,
                "definition": { "max-length": 100 } })
    };
    let cap = json!({
        "vhost": "tenant-1",
        "name": "cap",
        "pattern": "^q",
        "apply-to": "queues",
        "priority": 0,
        "definition": { "expires": 3_600_000, "message-ttl": 2000, "max-length": 10, "max-length-bytes": 1_048_576,
                        "delivery-limit": 5 },
    });
    assert_eq!(policies("tenant-1"), json!([cap, everywhere("tenant-1")]));
    assert_eq!(policies("%2F"), json!([everywhere("/")]), "the first virtual host is a new one, too");
    json(&broker, "PUT", "/api/queues/tenant-1/q1", "{}");
    assert_eq!(json(&broker, "GET", "/api/queues/tenant-1/q1", "")["operator_policy"], "cap");
}

/// RabbitMQ's words; what exists counts, and is not changed either.
#[test]
fn components_have_as_many_parameters_as_they_may() {
    let broker = start(&[
        ("runtime_parameters.limits.policy", "1"),
        ("runtime_parameters.limits.operator_policy", "0"),
        ("runtime_parameters.limits.vhost-limits", "0"),
    ]);
    let policy = r#"{"pattern":".*","definition":{"max-length":1},"apply-to":"queues"}"#;
    assert_eq!(status(&broker, "PUT", "/api/policies/%2F/one", policy), 201);
    for path in ["/api/policies/%2F/two", "/api/policies/%2F/one", "/api/operator-policies/%2F/one"] {
        let answer = broker.http("PUT", path, &[], policy).unwrap();
        let component = if path.contains("operator") { "operator_policy" } else { "policy" };
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.contains(&format!("component {component} is limited to ")), "{answer:?}");
    }
    assert_eq!(status(&broker, "PUT", "/api/vhost-limits/%2F/max-queues", r#"{"value":1}"#), 400);
    assert_eq!(status(&broker, "DELETE", "/api/policies/%2F/one", ""), 204);
    assert_eq!(status(&broker, "PUT", "/api/policies/%2F/two", policy), 201);
}

/// As in RabbitMQ, every start sets them, whatever an operator did; they are in exported definitions.
#[test]
fn the_cluster_has_the_name_and_tags_of_the_configuration() {
    let mut broker = start(&[
        ("cluster_name", "burrow"),
        ("cluster_tags.region", "north"),
        ("cluster_tags.stage", "test"),
        ("node_tags.rack", "3"),
    ]);
    let look = |broker: &BrokerProcess| {
        let name = json(broker, "GET", "/api/global-parameters/cluster_name", "")["value"].clone();
        let tags = json(broker, "GET", "/api/global-parameters/cluster_tags", "")["value"].clone();
        assert_eq!((name, tags), (json!("burrow"), json!({ "region": "north", "stage": "test" })));
        let overview = json(broker, "GET", "/api/overview", "");
        assert_eq!(overview["cluster_name"], "burrow");
        assert_eq!(overview["cluster_tags"], json!({ "region": "north", "stage": "test" }));
        assert_eq!(overview["node_tags"], json!({ "rack": "3" }));
    };
    look(&broker);
    json(&broker, "PUT", "/api/cluster-name", r#"{"name":"warren"}"#);
    broker.restart();
    look(&broker);
}
