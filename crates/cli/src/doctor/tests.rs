//! Each rule finds what it is for, and nothing where that is not.

use super::facts::{Facts, seconds};
use super::{Severity, describe, examine, json_of};
use crate::listeners::Listener;
use serde_json::{Value, json};

/// The rules that find something in facts where only this is there.
fn found(change: impl FnOnce(&mut Facts)) -> Vec<(&'static str, Severity, usize)> {
    let mut facts = Facts { now_s: 1_800_000_000, ..Facts::default() };
    facts.node = json!({ "fd_used": 10, "fd_total": 100_000, "mem_used": 1, "mem_limit": 100, "disk_free": 90e9, "disk_free_limit": 2e9 });
    change(&mut facts);
    examine(&facts).into_iter().map(|finding| (finding.rule, finding.severity, finding.objects.len())).collect()
}

#[test]
fn a_healthy_broker_has_no_findings() {
    assert_eq!(found(|_| {}), []);
    assert_eq!(describe(&[]), "Nothing risky was found\n");
}

#[test]
fn queues_without_limits_that_grow() {
    let queue = |more: Value| {
        let mut queue = json!({ "name": "q", "vhost": "/", "messages": 5000, "consumers": 1, "arguments": {}, "messages_details": { "rate": 2.5 } });
        queue.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        found(|facts| facts.queues = vec![queue])
    };
    assert_eq!(queue(json!({})), [("unbounded_queue", Severity::Warning, 1)]);
    assert_eq!(queue(json!({ "messages_details": { "rate": 0.0 } })), []);
    assert_eq!(queue(json!({ "messages_details": { "rate": 0.0 }, "consumers": 0 })).len(), 1);
    assert_eq!(queue(json!({ "messages": 5 })), []);
    assert_eq!(queue(json!({ "arguments": { "x-max-length": 10 } })), []);
    assert_eq!(queue(json!({ "effective_policy_definition": { "message-ttl": 10 } })), []);
}

#[test]
fn messages_that_come_again_and_again() {
    let queue = |arguments: Value, again: u32| {
        let stats = json!({ "redeliver": again, "deliver_get": 1000 });
        found(|facts| facts.queues = vec![json!({ "name": "q", "arguments": arguments, "message_stats": stats })])
    };
    assert_eq!(queue(json!({}), 500), [("no_dead_letter_target", Severity::Warning, 1)]);
    assert_eq!(queue(json!({}), 99), []);
    assert_eq!(queue(json!({ "x-dead-letter-exchange": "dead" }), 500), []);
}

#[test]
fn deprecated_arguments_and_features() {
    let lazy = found(|facts| facts.queues = vec![json!({ "name": "q", "arguments": { "x-queue-mode": "lazy" } })]);
    assert_eq!(lazy, [("deprecated_argument", Severity::Info, 1)]);
    let used = found(|facts| facts.deprecated = vec!["transient_nonexcl_queues".to_owned()]);
    assert_eq!(used, [("deprecated_feature", Severity::Info, 1)]);
}

#[test]
fn consumers_without_prefetch() {
    let consumer = |ack: bool, prefetch: u32| {
        let consumer =
            json!({ "consumer_tag": "c", "ack_required": ack, "prefetch_count": prefetch, "queue": { "name": "q" } });
        found(|facts| facts.consumers = vec![consumer])
    };
    assert_eq!(consumer(true, 0), [("unlimited_prefetch", Severity::Warning, 1)]);
    assert_eq!(consumer(true, 10), []);
    assert_eq!(consumer(false, 0), []);
}

#[test]
fn deliveries_that_nobody_acknowledges() {
    // 1,800,000,000 seconds after 1970.
    let now = "2027-01-15T08:00:00.000+00:00";
    assert_eq!(seconds(now), Some(1_800_000_000));
    let channel = |since: &str, unacknowledged: u32| {
        let channel = json!({ "name": "c", "idle_since": since, "messages_unacknowledged": unacknowledged });
        found(|facts| facts.channels = vec![channel])
    };
    assert_eq!(channel("2027-01-15T07:40:00.000+00:00", 1), [("consumer_near_timeout", Severity::Warning, 1)]);
    assert_eq!(channel("2027-01-15T07:50:00.000+00:00", 1), [("old_unacknowledged", Severity::Info, 1)]);
    assert_eq!(channel("2027-01-15T07:59:00.000+00:00", 1), []);
    assert_eq!(channel("2027-01-15T07:00:00.000+00:00", 0), []);
}

#[test]
fn passwords_that_everybody_tries() {
    // The hash of guest with the salt 90 8D C6 0A, as RabbitMQ's documentation of hashes describes it.
    use base64::Engine;
    use sha2::{Digest, Sha256};
    let salt = [0x90, 0x8d, 0xc6, 0x0a];
    let hash = [&salt[..], &Sha256::digest([&salt[..], b"guest"].concat())[..]].concat();
    let user = json!({
        "name": "guest", "tags": ["administrator"], "hashing_algorithm": "rabbit_password_hashing_sha256",
        "password_hash": base64::engine::general_purpose::STANDARD.encode(hash),
    });
    let open = found(|facts| facts.users = vec![user.clone()]);
    assert_eq!(open, [("default_password", Severity::Critical, 1), ("default_user_open", Severity::Warning, 1)]);
    let local = found(|facts| {
        facts.users = vec![user];
        facts.loopback_users = vec!["guest".to_owned()];
    });
    assert_eq!(local, [("default_password_local", Severity::Info, 1)]);
    let other =
        json!({ "name": "u", "hashing_algorithm": "rabbit_password_hashing_sha256", "password_hash": "kI3GCjEyMzQ=" });
    assert_eq!(found(|facts| facts.users = vec![other]), []);
}

#[test]
fn users_with_weak_hashes_without_passwords_and_too_many_administrators() {
    let user = |hash: &str, algorithm: &str, tag: &str| json!({ "name": "u", "password_hash": hash, "hashing_algorithm": algorithm, "tags": [tag] });
    let md5 = user("AAAA", "rabbit_password_hashing_md5", "");
    assert_eq!(found(|facts| facts.users = vec![md5]), [("weak_password_hash", Severity::Warning, 1)]);
    let none = user("", "rabbit_password_hashing_sha256", "");
    assert_eq!(found(|facts| facts.users = vec![none]), [("no_password", Severity::Info, 1)]);
    let administrator = user("AAAA", "rabbit_password_hashing_sha256", "administrator");
    let many = found(|facts| facts.users = vec![administrator.clone(); 4]);
    assert_eq!(many, [("many_administrators", Severity::Info, 4)]);
    assert_eq!(found(|facts| facts.users = vec![administrator; 3]), []);
}

#[test]
fn memory_disk_and_descriptors_near_their_limits() {
    let node = |field: &'static str, value: Value| found(|facts| facts.node[field] = value);
    assert_eq!(node("mem_used", json!(85)), [("memory_near_watermark", Severity::Warning, 0)]);
    assert_eq!(node("mem_alarm", json!(true)), [("memory_alarm", Severity::Critical, 0)]);
    assert_eq!(node("disk_free", json!(3e9)), [("disk_near_limit", Severity::Warning, 0)]);
    assert_eq!(node("disk_free_alarm", json!(true)), [("disk_alarm", Severity::Critical, 0)]);
    assert_eq!(node("fd_total", json!(1024)), [("file_descriptors", Severity::Info, 0)]);
    assert_eq!(node("fd_used", json!(90_000)), [("file_descriptors", Severity::Critical, 0)]);
}

#[test]
fn churn_of_connections_and_channels() {
    let churn = |of: &str, rate: f64| {
        let rates = json!({ "churn_rates": { format!("{of}_created_details"): { "rate": rate } } });
        found(|facts| facts.overview = rates)
    };
    assert_eq!(churn("connection", 50.0), [("connection_churn", Severity::Warning, 0)]);
    assert_eq!(churn("channel", 500.0), [("channel_churn", Severity::Warning, 0)]);
    assert_eq!(churn("connection", 1.0), []);
}

#[test]
fn listeners_certificates_and_syncing() {
    let listener = |protocol: &str, address: &str| {
        let (protocol, address) = (protocol.to_owned(), address.to_owned());
        found(|facts| facts.listeners = vec![Listener { node: String::new(), protocol, address, port: 5672 }])
    };
    assert_eq!(listener("amqp", "::"), [("plain_listener", Severity::Info, 1)]);
    assert_eq!(listener("amqp", "127.0.0.1"), []);
    assert_eq!(listener("amqp/ssl", "::"), []);
    let expired = json!({ "status": "failed", "reason": "Certificates expiring", "expired": [{ "port": 5671 }] });
    let certificates = found(|facts| facts.certificates = Some(expired));
    assert_eq!(certificates, [("certificate_expiration", Severity::Warning, 1)]);
    let sync = |value: &str| found(|facts| facts.configuration = vec![("leveret.sync".to_owned(), value.to_owned())]);
    assert_eq!(sync("never"), [("never_synced", Severity::Warning, 0)]);
    assert_eq!(sync("always"), []);
}

#[test]
fn the_default_user_with_another_password() {
    let user = |name: &str, loopback: &[&str]| {
        let user =
            json!({ "name": name, "password_hash": "AAAAAAAA", "hashing_algorithm": "rabbit_password_hashing_sha512" });
        found(|facts| {
            facts.users = vec![user];
            facts.loopback_users = loopback.iter().map(|name| (*name).to_owned()).collect();
        })
    };
    assert_eq!(user("guest", &[]), [("default_user_open", Severity::Warning, 1)]);
    assert_eq!(user("guest", &["guest"]), []);
    assert_eq!(user("shop", &[]), []);
}

#[test]
fn a_limit_of_the_disk_that_is_no_limit() {
    let limit = |bytes: f64| found(|facts| facts.node["disk_free_limit"] = json!(bytes));
    assert_eq!(limit(50e6), [("low_disk_limit", Severity::Info, 0)]);
    assert_eq!(limit(1e9), []);
}

#[test]
fn backends_that_are_asked_every_time() {
    let backends = |values: &[&str]| {
        let named = |(at, value): (usize, &&str)| (format!("auth_backends.{}", at + 1), (*value).to_owned());
        found(|facts| facts.configuration = values.iter().enumerate().map(named).collect())
    };
    assert_eq!(backends(&["internal", "http"]), [("uncached_backend", Severity::Warning, 1)]);
    assert_eq!(backends(&["cache", "internal", "oauth2"]), []);
}

#[test]
fn policies_and_keys_without_effect() {
    let policy = |definition: Value| {
        found(|facts| facts.policies = vec![json!({ "vhost": "/", "name": "p", "definition": definition })])
    };
    assert_eq!(policy(json!({ "ha-mode": "all" })), [("mirrored_policy", Severity::Warning, 1)]);
    assert_eq!(policy(json!({ "max-length": 1 })), []);
    let keys = found(|facts| facts.without_effect = vec!["mqtt.vhost (rabbitmq.conf:3)".to_owned()]);
    assert_eq!(keys, [("key_without_effect", Severity::Info, 1)]);
}

#[test]
fn many_objects_are_counted_and_not_all_shown() {
    let lazy = |at| json!({ "name": format!("q{at}"), "arguments": { "x-queue-mode": "lazy" } });
    let facts = Facts { queues: (0..12).map(lazy).collect(), ..Facts::default() };
    let findings = examine(&facts);
    let text = describe(&findings);
    assert!(text.contains("q4 (x-queue-mode) and 7 more"), "{text}");
    let object = json_of("n", &findings);
    assert_eq!(object["findings"][0]["object_count"], 12);
    assert_eq!(object["findings"][0]["objects"].as_array().map(Vec::len), Some(5));
}
