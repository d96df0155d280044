//! Definitions that the configuration names.

use crate::{fails, get, leveret};
use std::path::Path;
use testkit::{BrokerProcess, ConnectOptions, RawClient, free_address};

use crate::LEVERET;

const USER: &str = r#"{"name":"u","password":"p","tags":"administrator"}"#;

fn document(vhost: &str) -> String {
    format!(
        r#"{{"users":[{USER}],"vhosts":[{{"name":"{vhost}"}}],
            "permissions":[{{"user":"u","vhost":"{vhost}","configure":".*","write":".*","read":".*"}}],
            "queues":[{{"name":"q-{vhost}","vhost":"{vhost}","durable":true}}]}}"#
    )
}

fn path_of(path: &Path) -> String {
    path.display().to_string()
}

fn names(broker: &BrokerProcess, path: &str) -> Vec<String> {
    let list = get(broker, path);
    list.as_array().unwrap().iter().map(|object| object["name"].as_str().unwrap().to_owned()).collect()
}

/// RabbitMQ: there is no default user and no default virtual host where there are definitions to import.
#[test]
fn definitions_come_instead_of_the_default_user() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("d.json");
    std::fs::write(&file, document("shop")).unwrap();
    for key in ["load_definitions", "management.load_definitions", "definitions.local.path"] {
        let broker = BrokerProcess::start(
            LEVERET,
            &[(key, &path_of(&file)), ("definitions.import_backend", "local_filesystem")],
        );
        assert_eq!(names(&broker, "/api/users"), ["u"], "{key}");
        assert_eq!(names(&broker, "/api/vhosts"), ["shop"], "{key}");
        let options = ConnectOptions { vhost: "shop".into(), ..ConnectOptions::default() }.user("u", "p");
        let mut client = RawClient::connect(broker.address(), &options);
        client.open_channel(1);
        assert_eq!(client.message_count(1, "q-shop"), 0);
    }
}

#[test]
fn files_of_a_directory_come_in_order_of_their_names() {
    let directory = tempfile::tempdir().unwrap();
    // The permission needs what the first file brings; hidden files and directories are not for us.
    std::fs::write(directory.path().join("1.json"), document("a")).unwrap();
    let second = r#"{"policies":[{"vhost":"a","name":"p","pattern":"","definition":{"max-length":1}}]}"#;
    std::fs::write(directory.path().join("2.json"), second).unwrap();
    std::fs::write(directory.path().join(".hidden"), "nonsense").unwrap();
    std::fs::create_dir(directory.path().join("sub")).unwrap();
    let broker = BrokerProcess::start(LEVERET, &[("load_definitions", &path_of(directory.path()))]);
    assert_eq!(names(&broker, "/api/policies"), ["p"]);
}

#[test]
fn what_cannot_be_imported_keeps_the_broker_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    let start = |file: &Path, data: &str| {
        let mut command = leveret();
        command.arg("--data-dir").arg(directory.path().join(data));
        command.args(["--set", "leveret.management=false", "--set", "leveret.prometheus=false"]);
        command.arg("--set").arg(format!("listeners.tcp.default={}", free_address().unwrap()));
        command.arg("--set").arg(format!("load_definitions={}", file.display()));
        command
    };
    let file = directory.path().join("bad.json");
    std::fs::write(&file, "{").unwrap();
    fails(start(&file, "1"), 1, &[&path_of(&file), "failed_to_parse_json"]);
    std::fs::write(&file, r#"{"queues":[{"name":"q","vhost":"nope"}]}"#).unwrap();
    fails(start(&file, "2"), 1, &[&path_of(&file), "Please create virtual host \"nope\""]);
    std::fs::write(&file, r#"{"queues":[{"name":"q"}]}"#).unwrap();
    fails(start(&file, "3"), 1, &[&path_of(&file), "invalid_definitions_file"]);
    let missing = directory.path().join("missing.json");
    fails(start(&missing, "4"), 78, &[&path_of(&missing), "No such file"]);
}

#[test]
fn a_start_that_definitions_refuse_leaves_the_data_directory_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let (file, data) = (directory.path().join("d.json"), directory.path().join("data"));
    std::fs::write(&file, r#"{"queues":[{"name":"q","vhost":"nope"}]}"#).unwrap();
    let mut command = leveret();
    command.arg("--data-dir").arg(&data);
    command.args(["--set", "leveret.management=false", "--set", "leveret.prometheus=false"]);
    command.arg("--set").arg(format!("listeners.tcp.default={}", free_address().unwrap()));
    command.arg("--set").arg(format!("load_definitions={}", file.display()));
    fails(command, 1, &["Please create virtual host \"nope\""]);
    let broker = BrokerProcess::start_in(&data, LEVERET, &[]);
    // Nothing was imported, so that there is a default user now.
    assert_eq!(names(&broker, "/api/users"), ["guest"]);
    assert!(broker.has_logged("message store: "));
    assert!(!broker.log().iter().any(|line| line.contains("it had not been closed")));
}

#[test]
fn definitions_of_the_last_start_are_skipped_on_request() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("d.json");
    std::fs::write(&file, document("shop")).unwrap();
    let settings = [
        ("definitions.import_backend", "local_filesystem"),
        ("definitions.local.path", &path_of(&file)),
        ("definitions.skip_if_unchanged", "true"),
    ];
    let mut broker = BrokerProcess::start(LEVERET, &settings);
    broker.administer("DELETE", "/api/queues/shop/q-shop", "");
    broker.restart();
    assert!(broker.has_logged("definitions are not imported again"));
    assert_eq!(names(&broker, "/api/queues"), Vec::<String>::new());
    // What the digest is kept as is nobody's definition.
    let exported = get(&broker, "/api/definitions");
    let globals: Vec<&str> =
        exported["global_parameters"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert_eq!(globals, ["internal_cluster_id"]);
    std::fs::write(&file, document("shop") + " ").unwrap();
    broker.restart();
    assert_eq!(names(&broker, "/api/queues"), ["q-shop"]);
}
