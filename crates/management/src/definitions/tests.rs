//! Documents imported into a broker in memory. What RabbitMQ's own files of `definition_import_SUITE` show is here,
//! each reduced to the one thing that it is about; what they must lead to is what that suite expects.

use super::export::{Scope, export};
use super::import::{Entry, Mode, run};
use super::{DefinitionsError, Document, import_definitions};
use auth::AccessControl;
use broker::{AdminCommand, AdminReply, Broker, ImportOutcome, Settings};
use metadata::{MemoryJournal, Snapshot, VhostDefinition};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Different bytes each time.
fn bytes(into: &mut [u8]) {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    into.fill(NEXT.fetch_add(1, Ordering::Relaxed));
}

fn broker_with(settings: Settings) -> Arc<Broker> {
    let vhost = VhostDefinition { name: "/".to_owned(), ..VhostDefinition::default() };
    let snapshot = Snapshot { vhosts: vec![vhost], ..Snapshot::default() };
    let access = Arc::new(AccessControl::new(auth::LoginSettings::default(), &snapshot));
    let journal = Arc::new(MemoryJournal::from_snapshot(snapshot.clone()));
    let broker = Broker::new(settings, access, journal, &snapshot, 1, bytes);
    broker.ensure_cluster_id().unwrap();
    broker
}

fn broker() -> Arc<Broker> {
    broker_with(Settings::default())
}

fn exported(broker: &Broker, scope: &Scope) -> Value {
    let text: String = export(broker, scope).unwrap().collect();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Everything but what tells one cluster from another.
fn portable(broker: &Broker) -> Value {
    let mut document = exported(broker, &Scope::All);
    let globals = document["global_parameters"].as_array_mut().unwrap();
    globals.retain(|parameter| parameter["name"] != "internal_cluster_id");
    document
}

fn import(broker: &Broker, document: Value) -> Result<(), String> {
    import_definitions(broker, document.to_string().as_bytes()).map_err(|error| error.to_string())
}

fn import_into(broker: &Broker, vhost: &str, document: &Value) -> Result<(), String> {
    let text = document.to_string();
    let document = Document::parse(text.as_bytes()).unwrap();
    run(broker, &document, Some(vhost), Mode::Import, &mut |_| {}).map_err(|error| error.to_string())
}

fn entries(broker: &Broker, document: Value) -> Vec<Entry> {
    let text = document.to_string();
    let document = Document::parse(text.as_bytes()).unwrap();
    let mut entries = Vec::new();
    run(broker, &document, None, Mode::Rehearse, &mut |entry| entries.push(entry)).unwrap();
    entries
}

fn outcomes(broker: &Broker, document: Value) -> Vec<ImportOutcome> {
    entries(broker, document).into_iter().map(|entry| entry.outcome).collect()
}

/// A user who is there already, for what needs one.
fn admin() -> Value {
    json!({ "name": "admin", "password": "x", "tags": "administrator" })
}

#[track_caller]
fn check_refused(document: Value, reason: &str) {
    let broker = broker();
    import(&broker, json!({ "users": [admin()] })).unwrap();
    assert_eq!(import(&broker, document.clone()).unwrap_err(), reason, "{document}");
}

#[test]
fn keys_and_fields_are_those_of_rabbitmq() {
    let broker = broker();
    let document = json!({
        "users": [{ "name": "u", "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": ["a"],
            "limits": { "max-channels": 3 } }],
        "permissions": [{ "user": "u", "vhost": "/", "configure": "c", "write": "w", "read": "r" }],
        "topic_permissions": [{ "user": "u", "vhost": "/", "exchange": "x", "write": "w", "read": "r" }],
        "parameters": [{ "vhost": "/", "component": "vhost-limits", "name": "limits", "value": { "max-queues": 9 } }],
        "policies": [{ "vhost": "/", "name": "p", "pattern": "^a", "apply-to": "queues",
            "definition": { "max-length": 5 }, "priority": 1 }],
        "queues": [{ "name": "q", "vhost": "/", "durable": true, "auto_delete": false,
            "arguments": { "x-max-length": 5 } }],
        "exchanges": [{ "name": "x", "vhost": "/", "type": "topic", "durable": true, "auto_delete": false,
            "internal": false, "arguments": {} }],
        "bindings": [{ "source": "x", "vhost": "/", "destination": "q", "destination_type": "queue",
            "routing_key": "a.*", "arguments": {} }],
    });
    import(&broker, document).unwrap();
    let id = broker.cluster_id().unwrap();
    assert!(id.starts_with("rabbitmq-cluster-id-") && id.len() == 42, "{id}");
    let version = Settings::default().version;
    let cluster = Settings::default().cluster_name;
    let text: String = export(&broker, &Scope::All).unwrap().collect();
    let expected = json!({
        "rabbit_version": version,
        "rabbitmq_version": version,
        "product_name": "Leveret",
        "product_version": env!("CARGO_PKG_VERSION"),
        "rabbitmq_definition_format": "cluster",
        "original_cluster_name": cluster,
        "explanation": format!("Definitions of cluster '{cluster}'"),
        "users": [{ "name": "u", "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": ["a"], "limits": { "max-channels": 3 } }],
        "vhosts": [{ "name": "/", "description": "", "tags": [], "default_queue_type": "classic",
            "limits": { "max-queues": 9 },
            "metadata": { "description": "", "tags": [], "default_queue_type": "classic" } }],
        "permissions": [{ "user": "u", "vhost": "/", "configure": "c", "write": "w", "read": "r" }],
        "topic_permissions": [{ "user": "u", "vhost": "/", "exchange": "x", "write": "w", "read": "r" }],
        "parameters": [{ "value": { "max-queues": 9 }, "vhost": "/", "component": "vhost-limits", "name": "limits" }],
        "global_parameters": [{ "name": "internal_cluster_id", "value": id }],
        "policies": [{ "vhost": "/", "name": "p", "pattern": "^a", "apply-to": "queues",
            "definition": { "max-length": 5 }, "priority": 1 }],
        "queues": [{ "name": "q", "vhost": "/", "durable": true, "auto_delete": false,
            "arguments": { "x-max-length": 5 }, "type": "classic" }],
        "exchanges": [{ "name": "x", "vhost": "/", "type": "topic", "durable": true, "auto_delete": false,
            "internal": false, "arguments": {} }],
        "bindings": [{ "source": "x", "vhost": "/", "destination": "q", "destination_type": "queue",
            "routing_key": "a.*", "arguments": {} }],
    });
    // As text, since the order of keys is part of it.
    assert_eq!(text, expected.to_string());
    let of_vhost = exported(&broker, &Scope::Vhost("/".to_owned()));
    let keys: Vec<&str> = of_vhost.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = [
        "rabbit_version",
        "rabbitmq_version",
        "product_name",
        "product_version",
        "rabbitmq_definition_format",
        "original_vhost_name",
        "explanation",
        "metadata",
        "description",
        "limits",
        "parameters",
        "policies",
        "queues",
        "exchanges",
        "bindings",
    ];
    assert_eq!(keys, expected);
    assert_eq!(of_vhost["queues"][0].get("vhost"), None);
    assert_eq!(of_vhost["limits"], json!({ "max-queues": 9 }));
}

#[test]
fn what_makes_no_sense_is_refused_in_the_words_of_rabbitmq() {
    check_refused(json!({ "users": [{ "name": "u" }] }), "tags_not_present");
    check_refused(
        json!({ "users": [{ "name": "u", "tags": "", "password": "x", "password_hash": "" }] }),
        "both_password_and_password_hash_are_provided",
    );
    check_refused(json!({ "users": [{ "name": "u", "tags": "", "password_hash": "x!" }] }), "{not_base64,<<\"x!\">>}");
    // failing_case19
    check_refused(
        json!({ "users": [{ "name": "u", "tags": "", "limits": { "max-connections": "two" } }] }),
        "max-connections should be a number, actually was <<\"two\">>",
    );
    let permission = |user: &str, vhost: &str| {
        json!({ "permissions": [
        { "user": user, "vhost": vhost, "configure": "", "write": "", "read": "" }] })
    };
    check_refused(permission("nobody", "/"), "{no_such_user,<<\"nobody\">>}");
    check_refused(permission("admin", "nope"), "Please create virtual host \"nope\" prior to importing definitions.");
    check_refused(
        json!({ "queues": [{ "name": "q", "vhost": "nope" }] }),
        "Please create virtual host \"nope\" prior to importing definitions.",
    );
    // failing_case21: an export of one virtual host is no export of everything.
    check_refused(json!({ "queues": [{ "name": "q" }] }), "invalid_definitions_file");
    check_refused(json!({ "exchanges": [{ "name": "x", "type": "topic" }] }), "invalid_definitions_file");
    check_refused(
        json!({ "queues": [{ "name": "q", "vhost": "/", "arguments": { "x-max-length": "a" } }] }),
        "precondition_failed: invalid arg 'x-max-length' for queue 'q' in vhost '/': \
         \"expected integer, got longstr\"",
    );
    // failing_case12: its queue would be left out, and its exchange is what is wrong.
    check_refused(
        json!({ "queues": [{ "name": "amq.q", "vhost": "/" }],
            "exchanges": [{ "name": "x", "vhost": "/", "type": "definitely not direct" }] }),
        "precondition_failed: unknown exchange type 'definitely not direct'",
    );
    let binding = |source: &str, destination: &str| {
        json!({ "bindings": [{ "vhost": "/", "source": source,
        "destination": destination, "destination_type": "queue", "routing_key": "" }] })
    };
    check_refused(binding("amq.direct", "q"), "{resources_missing,[{not_found,{resource,<<\"/\">>,queue,<<\"q\">>}}]}");
    check_refused(
        binding("x", "q"),
        "{resources_missing,[{not_found,{resource,<<\"/\">>,exchange,<<\"x\">>}},\
         {not_found,{resource,<<\"/\">>,queue,<<\"q\">>}}]}",
    );
    // failing_case17
    check_refused(
        json!({ "policies": [{ "vhost": "/", "pattern": "a", "definition": { "expires": 1 } }] }),
        "policy in virtual host '/' has undefined name",
    );
    check_refused(
        json!({ "policies": [{ "vhost": "/", "name": "p", "pattern": "a", "definition": { "nope": 1 } }] }),
        "Validation failed\n\n[{<<\"nope\">>,1}] are not recognised policy settings\n (vhost: \"/\" key: \"p\")",
    );
    check_refused(
        json!({ "parameters": [{ "vhost": "/", "component": "nope", "name": "s", "value": {} }] }),
        "Validation failed\n\ncomponent nope not found\n (vhost: \"/\" / component: \"nope\" / key: \"s\")",
    );
    check_refused(json!({ "users": 1 }), "users must be a list");
    check_refused(
        json!({ "queues": [{ "name": "q", "vhost": "/", "durable": 1 }] }),
        "durable of queue 'q' must be true or false",
    );
}

#[test]
fn what_is_not_json_changes_nothing() {
    // failing_case20 and more
    for text in ["{", "[]", "1", "{\"users\":[{}]", "{\"users\":[],}", "{} {}"] {
        let broker = broker();
        assert_eq!(import_definitions(&broker, text.as_bytes()), Err(DefinitionsError::NotJson), "{text}");
    }
    for text in ["", "{}", "{\"nobody\":1,\"knows\":[2]}"] {
        import_definitions(&broker(), text.as_bytes()).unwrap();
    }
}

/// case23: RabbitMQ takes any of them off, whatever follows.
#[test]
fn byte_order_marks_are_taken_off() {
    let marks = [&b"\xef\xbb\xbf"[..], b"\xfe\xff", b"\xff\xfe\0\0", b"\xff\xfe", b"\0\0\xfe\xff"];
    for mark in marks {
        let broker = broker();
        let document = json!({ "vhosts": [{ "name": "v" }] }).to_string();
        import_definitions(&broker, &[mark, document.as_bytes()].concat()).unwrap();
        assert!(broker.vhost("v").is_some(), "{mark:?}");
    }
}

/// case13a: a queue that is there stays as it is, whatever the definitions say of it.
#[test]
fn objects_that_exist_are_kept() {
    let broker = broker();
    let queue = |durable: bool, most: u32| {
        json!({ "queues": [
        { "name": "q", "vhost": "/", "durable": durable, "arguments": { "x-max-length": most } }] })
    };
    assert_eq!(outcomes(&broker, queue(true, 1)), [ImportOutcome::Created]);
    assert_eq!(outcomes(&broker, queue(true, 1)), [ImportOutcome::Kept(vec![])]);
    assert_eq!(outcomes(&broker, queue(false, 2)), [ImportOutcome::Kept(vec!["durable", "arguments"])]);
    let exchange = |kind: &str| json!({ "exchanges": [{ "name": "x", "vhost": "/", "type": kind }] });
    assert_eq!(outcomes(&broker, exchange("topic")), [ImportOutcome::Created]);
    assert_eq!(outcomes(&broker, exchange("fanout")), [ImportOutcome::Kept(vec!["type"])]);
    let binding = json!({ "bindings": [{ "vhost": "/", "source": "x", "destination": "q", "destination_type": "queue",
        "routing_key": "k" }] });
    assert_eq!(outcomes(&broker, binding.clone()), [ImportOutcome::Created]);
    assert_eq!(outcomes(&broker, binding), [ImportOutcome::Kept(vec![])]);
    let exported = exported(&broker, &Scope::All);
    assert_eq!(exported["queues"][0]["arguments"], json!({ "x-max-length": 1 }));
    assert_eq!(exported["exchanges"][0]["type"], "topic");
}

#[test]
fn users_policies_and_parameters_are_replaced() {
    let broker = broker();
    let user = |tags: &str| json!({ "users": [{ "name": "u", "password_hash": "", "tags": tags }] });
    assert_eq!(outcomes(&broker, user("a")), [ImportOutcome::Created]);
    assert_eq!(outcomes(&broker, user("a")), [ImportOutcome::Kept(vec![])]);
    assert_eq!(outcomes(&broker, user("b,c")), [ImportOutcome::Changed(vec!["tags"])]);
    let policy = |most: u32| {
        json!({ "policies": [
        { "vhost": "/", "name": "p", "pattern": "", "definition": { "max-length": most } }] })
    };
    assert_eq!(outcomes(&broker, policy(1)), [ImportOutcome::Created]);
    assert_eq!(outcomes(&broker, policy(2)), [ImportOutcome::Changed(vec!["definition"])]);
    let parameter = |most: i32| {
        json!({ "parameters": [
        { "vhost": "/", "component": "vhost-limits", "name": "limits", "value": { "max-queues": most } }] })
    };
    assert_eq!(outcomes(&broker, parameter(1)), [ImportOutcome::Created]);
    assert_eq!(outcomes(&broker, parameter(0)), [ImportOutcome::Changed(vec!["value"])]);
    // The limit is in force: RabbitMQ's text.
    let queues = json!({ "queues": [{ "name": "a", "vhost": "/" }, { "name": "b", "vhost": "/" }] });
    assert_eq!(
        import(&broker, queues).unwrap_err(),
        "Adding 2 queue(s) to virtual host \"/\" would exceed the limit of 0 queue(s).\n\nThis virtual host currently \
         has 0 queue(s) defined.\n\nImport aborted!"
    );
    let global = |value: Value| json!({ "global_parameters": [{ "name": "g", "value": value }] });
    // case5: objects as values
    assert_eq!(outcomes(&broker, global(json!({ "1883": "/" }))), [ImportOutcome::Created]);
    assert_eq!(outcomes(&broker, global(json!(1))), [ImportOutcome::Changed(vec!["value"])]);
}

#[test]
fn the_identity_of_a_cluster_is_not_imported() {
    let broker = broker();
    let id = broker.cluster_id();
    let document =
        json!({ "global_parameters": [{ "name": "internal_cluster_id", "value": "rabbitmq-cluster-id-x" }] });
    assert!(matches!(outcomes(&broker, document)[..], [ImportOutcome::Skipped(_)]));
    assert_eq!(broker.cluster_id(), id);
}

#[test]
fn reserved_names_are_left_out() {
    let document = json!({
        "exchanges": [{ "name": "", "vhost": "/", "type": "direct" }, { "name": "amq.x", "vhost": "/", "type": "direct" }],
        "queues": [{ "name": "amq.q", "vhost": "/" }],
        "bindings": [{ "source": "", "vhost": "/", "destination": "q", "destination_type": "queue", "routing_key": "q" }],
    });
    let broker = broker();
    assert!(outcomes(&broker, document).iter().all(|outcome| matches!(outcome, ImportOutcome::Skipped(_))));
    assert_eq!(exported(&broker, &Scope::All)["queues"], json!([]));
}

/// case16, case22: what describes a virtual host is beside `metadata` or in it, and tags are a list or a text.
#[test]
fn virtual_hosts_come_in_every_shape() {
    let broker = broker();
    let document = json!({ "vhosts": [
        { "name": "old" },
        { "name": "beside", "description": "d", "tags": "a, b", "default_queue_type": "quorum", "limits": [] },
        { "name": "within", "metadata": { "description": "d", "tags": ["a"], "default_queue_type": "stream",
            "protected_from_deletion": true, "unknown": 1 } },
        { "name": "undefined", "metadata": { "default_queue_type": "undefined" }, "tracing": true },
    ] });
    import(&broker, document).unwrap();
    let Ok(AdminReply::Vhosts(vhosts)) = broker.execute(AdminCommand::ListVhosts) else { panic!("no vhosts") };
    let found = |name: &str| vhosts.iter().find(|vhost| vhost.name == name).unwrap();
    assert_eq!(*found("old"), VhostDefinition { name: "old".to_owned(), ..VhostDefinition::default() });
    let beside = found("beside");
    assert_eq!((beside.description.as_str(), &beside.tags[..]), ("d", &["a".to_owned(), "b".to_owned()][..]));
    assert_eq!(beside.default_queue_type.as_deref(), Some("quorum"));
    let within = found("within");
    assert!(within.protected_from_deletion && !within.tracing);
    assert_eq!(within.default_queue_type.as_deref(), Some("stream"));
    assert!(found("undefined").tracing);
    assert_eq!(found("undefined").default_queue_type, None);
    check_refused(
        json!({ "vhosts": [{ "name": "v", "metadata": { "default_queue_type": "nope" } }] }),
        "nope is not a valid queue type",
    );
}

/// Hashes of versions that did not say how they were made.
#[test]
fn old_hashes_are_md5() {
    for (version, algorithm) in [
        (Some("3.5.7"), "rabbit_password_hashing_md5"),
        (Some("3.0.4"), "rabbit_password_hashing_md5"),
        (Some("3.6.0"), "rabbit_password_hashing_sha256"),
        (Some("3.13.7"), "rabbit_password_hashing_sha256"),
        (Some("4.1.0"), "rabbit_password_hashing_sha256"),
        (None, "rabbit_password_hashing_sha256"),
    ] {
        let broker = broker();
        let mut document = json!({ "users": [{ "name": "u", "password_hash": "AAAA", "administrator": true }] });
        if let Some(version) = version {
            document["rabbit_version"] = version.into();
        }
        import(&broker, document).unwrap();
        let user = &exported(&broker, &Scope::All)["users"][0];
        assert_eq!(user["hashing_algorithm"], algorithm, "{version:?}");
        assert_eq!(user["tags"], json!(["administrator"]));
    }
}

#[test]
fn what_is_no_object_is_left_out() {
    let broker = broker();
    import(&broker, json!({ "vhosts": ["a", 1, null, { "name": "v" }] })).unwrap();
    assert!(broker.vhost("v").is_some());
}

/// What `rabbitmqctl export_definitions` of RabbitMQ 3.10.8 writes for an operator policy.
#[test]
fn operator_policies_are_read_as_lists_of_pairs_too() {
    let broker = broker();
    let operator_policy = |name: &str, definition: Value| {
        json!({ "parameters": [{ "vhost": "/", "component": "operator_policy", "name": name, "value": {
            "apply-to": "queues", "definition": definition, "pattern": ".*", "priority": 0 } }] })
    };
    import(&broker, operator_policy("o", json!([["max-length", 1000], ["expires", 9]]))).unwrap();
    let exported = exported(&broker, &Scope::All);
    assert_eq!(exported["parameters"][0]["value"]["definition"], json!({ "max-length": 1000, "expires": 9 }));
    for wrong in [json!([]), json!([["max-length"]]), json!([[1, 2]]), json!(["max-length", 1000])] {
        assert!(import(&broker, operator_policy("w", wrong.clone())).is_err(), "{wrong}");
    }
}

#[test]
fn an_import_of_one_vhost_goes_where_it_is_told() {
    let (from, to) = (broker(), broker());
    import(
        &from,
        json!({
            "vhosts": [{ "name": "a" }],
            "queues": [{ "name": "q", "vhost": "a" }, { "name": "other", "vhost": "/" }],
            "exchanges": [{ "name": "x", "vhost": "a", "type": "fanout" }],
            "bindings": [{ "vhost": "a", "source": "x", "destination": "q", "destination_type": "queue" }],
            "policies": [{ "vhost": "a", "name": "p", "pattern": "", "definition": { "max-length": 1 } }],
            "parameters": [{ "vhost": "a", "component": "operator_policy", "name": "o",
                "value": { "pattern": "", "definition": { "expires": 9 }, "priority": 0, "apply-to": "queues" } }],
        }),
    )
    .unwrap();
    let mut document = exported(&from, &Scope::Vhost("a".to_owned()));
    import(&to, json!({ "vhosts": [{ "name": "b" }] })).unwrap();
    import_into(&to, "b", &document).unwrap();
    let mut imported = exported(&to, &Scope::Vhost("b".to_owned()));
    for document in [&mut document, &mut imported] {
        for key in ["original_vhost_name", "explanation"] {
            document[key].take();
        }
    }
    assert_eq!(imported, document);
    assert_eq!(exported(&to, &Scope::Vhost("/".to_owned()))["queues"], json!([]));
}

#[test]
fn a_rehearsal_changes_nothing_and_sees_what_depends_on_what() {
    let broker = broker();
    import(&broker, json!({ "queues": [{ "name": "q", "vhost": "/", "durable": false }] })).unwrap();
    let before = exported(&broker, &Scope::All);
    let document = json!({
        "vhosts": [{ "name": "v" }],
        "queues": [{ "name": "q", "vhost": "/" }, { "name": "q", "vhost": "v" }, { "name": "q", "vhost": "nope" }],
        "bindings": [{ "vhost": "v", "source": "amq.fanout", "destination": "q", "destination_type": "queue" }],
    });
    let found: Vec<(&str, Option<String>, ImportOutcome)> = entries(&broker.rehearsal(), document)
        .into_iter()
        .map(|entry| (entry.kind, entry.vhost, entry.outcome))
        .collect();
    let vhost = |name: &str| Some(name.to_owned());
    let expected = [
        ("vhost", None, ImportOutcome::Created),
        ("queue", vhost("/"), ImportOutcome::Kept(vec!["durable"])),
        ("queue", vhost("v"), ImportOutcome::Created),
        (
            "queue",
            vhost("nope"),
            ImportOutcome::Refused("Please create virtual host \"nope\" prior to importing definitions.".to_owned()),
        ),
        ("binding", vhost("v"), ImportOutcome::Created),
    ];
    assert_eq!(found, expected);
    assert_eq!(exported(&broker, &Scope::All), before);
    assert!(broker.vhost("v").is_none());
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]", "[a-zA-Z0-9._-]{1,12}", "\\PC{1,10}"].prop_filter("reserved, or cut by RabbitMQ too", |name| {
        !name.starts_with("amq.") && !name.contains(['\r', '\n'])
    })
}

fn argument() -> impl Strategy<Value = (String, Value)> {
    prop_oneof![
        (0..1000i64).prop_map(|most| ("x-max-length".to_owned(), most.into())),
        (1..1000i64).prop_map(|ms| ("x-expires".to_owned(), ms.into())),
        "\\PC{0,8}".prop_map(|name| ("x-dead-letter-exchange".to_owned(), name.into())),
        ("k-[a-z]{1,6}", any::<bool>()).prop_map(|(name, value)| (name, value.into())),
        ("k-[a-z]{1,6}", prop::collection::vec(-9..9i64, 0..3)).prop_map(|(name, value)| (name, value.into())),
        ("k-[a-z]{1,6}", -1e9..1e9f64).prop_map(|(name, value)| (name, value.into())),
    ]
}

fn arguments() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("k-[a-z]{1,3}", argument(), 0..3)
        .prop_map(|map| Value::Object(map.into_values().collect()))
}

/// A topology whose parts fit together.
fn topology() -> impl Strategy<Value = Value> {
    let vhosts = prop::collection::btree_set(name(), 1..3);
    let exchange = (name(), prop::sample::select(vec!["direct", "fanout", "topic", "headers"]), any::<[bool; 3]>());
    let queue = (name(), any::<bool>(), arguments());
    let objects = (
        prop::collection::btree_map(any::<u8>(), exchange, 1..5),
        prop::collection::btree_map(any::<u8>(), queue, 1..5),
        prop::collection::vec((any::<[prop::sample::Index; 2]>(), any::<bool>(), "\\PC{0,8}", arguments()), 0..8),
        prop::collection::vec((name(), 0..9i64, any::<bool>()), 0..3),
    );
    (vhosts, prop::collection::vec(objects, 2)).prop_map(|(vhosts, objects)| {
        let mut document = json!({ "vhosts": [], "queues": [], "exchanges": [], "bindings": [], "policies": [],
            "parameters": [], "users": [], "permissions": [] });
        let mut add = |key: &str, value: Value| document[key].as_array_mut().unwrap().push(value);
        for (vhost, (exchanges, queues, bindings, policies)) in vhosts.iter().zip(objects) {
            add("vhosts", json!({ "name": vhost, "description": vhost, "tags": ["t"] }));
            add("users", json!({ "name": vhost, "password": "x", "tags": "", "limits": { "max-connections": 7 } }));
            add("permissions", json!({ "user": vhost, "vhost": vhost, "configure": "", "write": ".*", "read": "^a" }));
            for (name, kind, [durable, auto_delete, internal]) in exchanges.values() {
                add(
                    "exchanges",
                    json!({ "vhost": vhost, "name": name, "type": kind, "durable": durable,
                    "auto_delete": auto_delete, "internal": internal, "arguments": {} }),
                );
            }
            for (name, durable, arguments) in queues.values() {
                add(
                    "queues",
                    json!({ "vhost": vhost, "name": name, "durable": durable, "auto_delete": false,
                    "arguments": arguments }),
                );
            }
            let (exchanges, queues): (Vec<_>, Vec<_>) = (exchanges.values().collect(), queues.values().collect());
            for ([source, destination], to_queue, routing_key, arguments) in &bindings {
                let destination = if *to_queue { &destination.get(&queues).0 } else { &destination.get(&exchanges).0 };
                add(
                    "bindings",
                    json!({ "vhost": vhost, "source": source.get(&exchanges).0,
                    "destination": destination, "destination_type": if *to_queue { "queue" } else { "exchange" },
                    "routing_key": routing_key, "arguments": arguments }),
                );
            }
            for (name, priority, is_operators) in &policies {
                let mut terms = json!({ "pattern": "^x", "definition": { "max-length": priority },
                    "priority": priority, "apply-to": "queues" });
                if *is_operators {
                    add(
                        "parameters",
                        json!({ "vhost": vhost, "component": "operator_policy", "name": name,
                        "value": terms }),
                    );
                } else {
                    terms["vhost"] = vhost.as_str().into();
                    terms["name"] = name.as_str().into();
                    add("policies", terms);
                }
            }
        }
        document
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// What is exported can be imported, and is then exported as it was; doing so again changes nothing.
    #[test]
    fn an_export_imported_into_an_empty_broker_is_the_same_export(document in topology()) {
        let (from, to) = (broker(), broker());
        import(&from, document).unwrap();
        let exported = portable(&from);
        import(&to, exported.clone()).unwrap();
        prop_assert_eq!(portable(&to).to_string(), exported.to_string());
        let again = outcomes(&to, exported.clone());
        prop_assert!(again.iter().all(|outcome| matches!(outcome, ImportOutcome::Kept(different) if different.is_empty())), "{again:?}");
        prop_assert_eq!(portable(&to), exported);
    }

    /// Nothing that a document may hold panics.
    #[test]
    fn any_text_is_answered(text in prop_oneof![".*", "\\{\"(queues|users|bindings)\":\\[(\\{\"[a-z]{0,4}\":[0-9\\[\\]]*\\},?){0,3}\\]\\}"]) {
        let _ = import_definitions(&broker(), text.as_bytes());
    }
}
