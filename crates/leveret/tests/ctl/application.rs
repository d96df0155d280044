//! `stop_app` and `start_app`: the broker goes and comes back while its process stays.

use crate::Fixture;
use std::net::TcpStream;
use testkit::{ConnectOptions, QueueDeclare, RawClient};

#[test]
fn what_is_durable_comes_back_and_the_rest_does_not() {
    let fixture = Fixture::start();
    let mut client = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.declare(1, QueueDeclare { durable: true, ..QueueDeclare::new("durable") });
    client.declare(1, QueueDeclare::new("transient"));
    let pid = fixture.broker.pid();

    let node = fixture.node();
    let stopped = fixture.output_of(&["stop_app"]);
    assert_eq!(stopped, format!("Stopping rabbit application on node {node} ...\n"));
    let close = client.expect_close(0);
    assert_eq!(close.text, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'");
    assert!(TcpStream::connect(fixture.broker.address()).is_err());
    fixture.output_of(&["ping"]);
    fixture.output_of(&["stop_app"]);
    let refused = fixture.ctl(&["list_users"]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Start it with 'rabbitmqctl start_app'"));

    fixture.output_of(&["start_app"]);
    fixture.output_of(&["start_app"]);
    assert_eq!(fixture.output_of(&["-s", "list_queues", "name"]), "durable\n");
    let mut client = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.assert_alive(1);
    assert_eq!(fixture.broker.pid(), pid);
}

#[test]
fn a_start_that_failed_can_be_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("definitions.json");
    std::fs::write(&file, "{}").unwrap();
    let fixture = Fixture::start_with(&[("load_definitions", file.to_str().unwrap())]);
    fixture.output_of(&["stop_app"]);
    std::fs::write(&file, r#"{"queues":[{"name":"q","vhost":"nope"}]}"#).unwrap();
    for _ in 0..2 {
        let refused = fixture.ctl(&["start_app"]);
        let reason = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && reason.contains("cannot import definitions from"), "{reason}");
    }
    let repaired = r#"{"vhosts":[{"name":"v"}]}"#;
    std::fs::write(&file, repaired).unwrap();
    fixture.output_of(&["start_app"]);
    assert_eq!(fixture.output_of(&["-s", "list_vhosts"]), "v\n");
}

#[test]
fn a_stopped_broker_ends_in_order() {
    let mut fixture = Fixture::start();
    fixture.output_of(&["stop_app"]);
    assert!(fixture.broker.terminate().success());
}

#[test]
fn process_ids_of_before_mean_nobody() {
    let fixture = Fixture::start();
    let pids = || fixture.output_of(&["-s", "list_connections", "pid"]);
    let _before = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    let old = pids().trim().to_owned();
    fixture.output_of(&["stop_app"]);
    fixture.output_of(&["start_app"]);
    let mut after = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    assert_ne!(pids().trim(), old);
    fixture.output_of(&["close_connection", &old, "too late"]);
    after.open_channel(1);
    after.assert_alive(1);
}

#[test]
fn checks_say_whether_the_broker_runs() {
    let fixture = Fixture::start();
    let code = |arguments: &[&str]| fixture.tool("rabbitmq-diagnostics", arguments).status.code();
    assert_eq!((code(&["check_running"]), code(&["ping"])), (Some(0), Some(0)));
    fixture.output_of(&["stop_app"]);
    assert_eq!((code(&["check_running"]), code(&["ping"]), code(&["is_running"])), (Some(69), Some(0), Some(0)));
    let waited = fixture.ctl(&["-t", "1", "await_startup"]);
    assert_eq!(waited.status.code(), Some(75));
    fixture.output_of(&["start_app"]);
    fixture.output_of(&["await_startup"]);
}

#[test]
fn a_reset_broker_has_nothing_of_before() {
    let fixture = Fixture::start();
    let mut client = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.declare(1, QueueDeclare { durable: true, ..QueueDeclare::new("durable") });
    fixture.output_of(&["-q", "add_user", "u", "p"]);
    let refused = fixture.ctl(&["reset"]);
    assert_eq!(refused.status.code(), Some(64), "a running broker is not reset");
    for _ in 0..2 {
        fixture.output_of(&["stop_app"]);
        fixture.output_of(&["reset"]);
        fixture.output_of(&["start_app"]);
        assert_eq!(fixture.output_of(&["-s", "list_users"]), "guest\t[administrator]\n");
        assert_eq!(fixture.output_of(&["-s", "list_queues"]), "");
    }
}

#[test]
fn shutdown_waits_for_the_end_of_the_process() {
    let mut fixture = Fixture::start();
    let output = fixture.output_of(&["shutdown"]);
    assert!(output.trim_end().ends_with("successfully shut down"), "{output}");
    assert!(fixture.broker.wait().success());
    let nobody = fixture.ctl(&["list_users"]);
    assert_eq!(nobody.status.code(), Some(69));
    assert!(String::from_utf8_lossy(&nobody.stderr).starts_with("Error: no broker runs with its data in "));
    assert_eq!(fixture.ctl(&["stop", "--idempotent"]).status.code(), Some(0));
}
