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

    assert_eq!(fixture.output_of(&["stop_app"]), "Stopping the broker ...\n");
    let close = client.expect_close(0);
    assert_eq!(close.text, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'");
    assert!(TcpStream::connect(fixture.broker.address()).is_err());
    fixture.output_of(&["ping"]);
    fixture.output_of(&["stop_app"]);
    let refused = fixture.ctl(&["list_users"]);
    assert_eq!(refused.status.code(), Some(69));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the broker is stopped"));

    fixture.output_of(&["start_app"]);
    fixture.output_of(&["start_app"]);
    assert_eq!(fixture.output_of(&["-s", "list_queues", "name"]), "durable\n");
    let mut client = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.assert_alive(1);
    assert_eq!(fixture.broker.pid(), pid);
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
