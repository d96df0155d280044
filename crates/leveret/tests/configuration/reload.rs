//! SIGHUP and `POST /api/leveret/reload`.

use crate::{LEVERET, directory, json, setting, write};
use serde_json::json;
use std::path::Path;
use testkit::{BrokerProcess, ConnectOptions, Consume, RawClient, method};

fn start(file: &Path) -> BrokerProcess {
    BrokerProcess::start_configured(LEVERET, &["--config", file.to_str().unwrap()], &[], false)
}

fn node(broker: &BrokerProcess) -> serde_json::Value {
    json(broker, "GET", "/api/nodes", "")[0].clone()
}

#[test]
fn what_can_change_does_and_the_rest_is_named() {
    let directory = directory("changes");
    let file = write(&directory, "a.conf", "heartbeat = 10\nleveret.reactors = 1\n");
    let broker = start(&file);
    write(
        &directory,
        "a.conf",
        "heartbeat = 20\nleveret.reactors = 2\nvm_memory_high_watermark.absolute = 2GB\ndisk_free_limit.absolute = 3GB\n\
         loopback_users.nobody = true\nmax_connections = 1\ndefault_pass = other\n",
    );
    let answer = json(&broker, "POST", "/api/leveret/reload", "");
    assert_eq!(
        answer,
        json!({
            "applied": ["disk_free_limit.absolute", "heartbeat", "loopback_users.nobody", "max_connections",
                        "vm_memory_high_watermark.absolute"],
            "needs_restart": ["leveret.reactors"],
            "for_first_start": ["default_pass"],
            "without_effect": [],
            "definitions_imported": false,
        })
    );
    let node = node(&broker);
    assert_eq!((&node["mem_limit"], &node["disk_free_limit"]), (&json!(2_000_000_000), &json!(3_000_000_000_u64)));
    assert_eq!(json(&broker, "GET", "/api/leveret/loopback-users", ""), json!(["nobody"]));
    assert_eq!(setting(&broker, "heartbeat")["value"], "20");
    assert!(broker.has_logged("changed keys that need a restart: leveret.reactors"));
    // It is not in force for having been read.
    assert_eq!(setting(&broker, "leveret.reactors")["value"], "1");
    assert_eq!(json(&broker, "GET", "/api/leveret/configuration", "")["needs_restart"], json!(["leveret.reactors"]));
    let again = json(&broker, "POST", "/api/leveret/reload", "");
    assert_eq!((&again["applied"], &again["needs_restart"]), (&json!([]), &json!(["leveret.reactors"])));
    let first = RawClient::connect(broker.address(), &ConnectOptions::default());
    let health = broker.http("GET", "/api/health/checks/below-node-connection-limit", &[], "").unwrap();
    assert_eq!(health.status, 503, "one connection is the limit now");
    drop(first);
}

#[test]
fn a_wrong_file_changes_nothing() {
    let directory = directory("wrong");
    let file = write(&directory, "a.conf", "heartbeat = 10\n");
    let broker = start(&file);
    write(&directory, "a.conf", "heartbeat = 20\nlog.default.level = loud\nheartbaet = 1\n");
    let answer = broker.http("POST", "/api/leveret/reload", &[], "").unwrap();
    assert_eq!(answer.status, 400);
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["problems"].as_array().unwrap().len(), 2, "{body}");
    assert_eq!(setting(&broker, "heartbeat")["value"], "10");
    // What would keep the next start from succeeding is refused now.
    write(
        &directory,
        "a.conf",
        "heartbeat = 20\nlisteners.ssl.1 = 127.0.0.1:5671\nssl_options.certfile = /nowhere.pem\n",
    );
    let answer = broker.http("POST", "/api/leveret/reload", &[], "").unwrap();
    assert!(answer.status == 400 && answer.body.contains("/nowhere.pem"), "{}", answer.body);
    assert_eq!(setting(&broker, "heartbeat")["value"], "10");
    assert!(broker.has_logged("the configuration stays as it is: "));
    // Nor does a log file that cannot be opened.
    write(&directory, "a.conf", "heartbeat = 20\nlog.file = /proc/no/such.log\n");
    assert_eq!(broker.http("POST", "/api/leveret/reload", &[], "").unwrap().status, 400);
    assert_eq!(setting(&broker, "heartbeat")["value"], "10");
}

#[test]
fn a_hang_up_reads_the_configuration_again() {
    let directory = directory("hang_up");
    let file = write(&directory, "a.conf", "");
    let mut broker = start(&file);
    write(&directory, "a.conf", "heartbeat = 20\n");
    broker.send_hang_up();
    assert!(broker.has_logged("configuration read again; changed and in force: heartbeat"), "{:?}", broker.log());
    assert!(broker.is_running());
}

#[test]
fn definitions_are_imported_when_they_changed() {
    let directory = directory("definitions");
    let exchange = |name: &str| {
        json!({ "vhosts": [{ "name": "/" }], "exchanges": [{ "name": name, "vhost": "/", "type": "fanout",
                "durable": true, "auto_delete": false, "internal": false, "arguments": {} }] })
        .to_string()
    };
    let definitions = write(&directory, "definitions.json", &exchange("first"));
    let file = write(&directory, "a.conf", &format!("load_definitions = {}\n", definitions.display()));
    let broker = start(&file);
    let imported = || json(&broker, "POST", "/api/leveret/reload", "")["definitions_imported"].clone();
    assert_eq!(imported(), false);
    write(&directory, "definitions.json", &exchange("second"));
    assert_eq!((imported(), imported()), (json!(true), json!(false)));
    json(&broker, "GET", "/api/exchanges/%2F/second", "");
    write(&directory, "definitions.json", "{");
    assert_eq!(broker.http("POST", "/api/leveret/reload", &[], "").unwrap().status, 400);
}

#[test]
fn levels_and_outputs_of_the_log_change() {
    let directory = directory("log_changes");
    let file = write(&directory, "a.conf", "");
    let broker = start(&file);
    let log = directory.join("node.log");
    write(&directory, "a.conf", &format!("log.file = {}\nlog.default.level = debug\n", log.display()));
    json(&broker, "POST", "/api/leveret/reload", "");
    RawClient::connect(broker.address(), &ConnectOptions::default()).close();
    // The end of the connection is logged after its last frame.
    json(&broker, "GET", "/api/overview", "");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while !std::fs::read_to_string(&log).unwrap().contains("[debug]") {
        assert!(std::time::Instant::now() < deadline, "{}", std::fs::read_to_string(&log).unwrap());
        testkit::pause(std::time::Duration::from_millis(20));
    }
}

/// Keys that the table says hold at once, and what a new connection sees of them.
#[test]
fn limits_hold_for_what_comes_after_they_changed() {
    let directory = directory("limits");
    let file = write(&directory, "a.conf", "");
    let broker = start(&file);
    let mut old = RawClient::connect(broker.address(), &ConnectOptions::default());
    old.open_channel(1);
    old.confirm_select(1);
    let publish = |client: &mut RawClient| {
        client.publish(1, "", "nobody", "x".repeat(101));
        client.next_event(1).method.id == method::id::BASIC_ACK
    };
    assert!(publish(&mut old));
    write(
        &directory,
        "a.conf",
        "max_message_size = 100\nmax_channels_per_connection = 7\nheartbeat = 9\nconsumer_max_per_channel = 1\n\
         default_consumer_prefetch = 1\nvhost_max = 1\ncluster_queue_limit = 1\ncluster_exchange_limit = 7\n\
         channel_max_per_node = 1\nconsumer_timeout = 600000\ncluster_name = burrow\ncluster_tags.region = north\n",
    );
    let answer = json(&broker, "POST", "/api/leveret/reload", "");
    assert_eq!(answer["needs_restart"], json!([]), "{answer}");
    assert_eq!(answer["applied"].as_array().unwrap().len(), 12, "{answer}");
    assert!(!publish(&mut old), "an open channel has the new limit, too");
    drop(old);
    let options = ConnectOptions::default();
    let mut client = RawClient::open(broker.address(), options.timeout);
    client.send_raw(&options.protocol_header);
    client.expect_start();
    client.send(0, options.start_ok());
    let tune = client.expect_tune();
    assert_eq!((tune.channel_max, tune.heartbeat), (7, 9));
    drop(client);
    assert_eq!(broker.http("PUT", "/api/vhosts/second", &[], "").unwrap().status, 400);
    let exchange = r#"{"type":"direct"}"#;
    assert_eq!(broker.http("PUT", "/api/exchanges/%2F/one-more", &[], exchange).unwrap().status, 400);
    json(&broker, "PUT", "/api/queues/%2F/q", "{}");
    assert_eq!(broker.http("PUT", "/api/queues/%2F/second", &[], "{}").unwrap().status, 400);
    assert_eq!(json(&broker, "GET", "/api/global-parameters/cluster_name", "")["value"], "burrow");
    assert_eq!(json(&broker, "GET", "/api/overview", "")["cluster_tags"], json!({ "region": "north" }));
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    for body in ["1", "2"] {
        client.publish(1, "", "q", body);
    }
    client.consume(1, Consume::new("q", "first"));
    client.expect_bodies(1, &["1"]);
    client.expect_nothing(1, std::time::Duration::from_millis(200));
    client.send(1, Consume::new("q", "second"));
    assert_ne!(client.next_event(1).method.id, method::id::BASIC_CONSUME_OK);
}

/// What is told of a changed key is what the table says, whichever key it is.
#[test]
fn keys_that_need_a_restart_are_told() {
    let directory = directory("restart");
    let file = write(&directory, "a.conf", "");
    let broker = start(&file);
    write(
        &directory,
        "a.conf",
        "log.exchange.formatter = json\nlog.console.formatter.level_format = uc\ndefault_users.x.tags = monitoring\n\
         default_user_tags.monitoring = true\nmanagement.path_prefix = /x\nssl_options.depth = 2\nmqtt.vhost = a\n",
    );
    let answer = json(&broker, "POST", "/api/leveret/reload", "");
    assert_eq!(answer["applied"], json!(["default_users.x.tags", "log.console.formatter.level_format"]));
    assert_eq!(answer["for_first_start"], json!(["default_user_tags.monitoring"]));
    let needs_restart = ["log.exchange.formatter", "management.path_prefix", "ssl_options.depth"];
    assert_eq!(answer["needs_restart"], json!(needs_restart));
    assert_eq!(answer["without_effect"], json!(["mqtt.vhost"]));
}
