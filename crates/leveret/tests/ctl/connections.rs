//! Commands that clients notice.

use crate::Fixture;
use std::time::Duration;
use testkit::{Close, ConnectOptions, QueueDeclare, RawClient, table};

#[track_caller]
fn assert_closed(client: &mut RawClient, text: &str) {
    let Close { code, text: told, .. } = client.expect_close(0);
    assert_eq!((code, told.as_str()), (320, text));
}

fn connect(fixture: &Fixture, options: &ConnectOptions) -> RawClient {
    let mut client = RawClient::connect(fixture.broker.address(), options);
    client.open_channel(1);
    client
}

/// The columns that the Java client's suite reads.
fn listed(fixture: &Fixture) -> Vec<Vec<String>> {
    let output = fixture.output_of(&["list_connections", "-q", "pid", "peer_port", "client_properties"]);
    let lines = output.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    lines.filter(|columns| columns[1].parse::<u16>().is_ok()).collect()
}

#[test]
fn one_connection_is_closed_by_its_process_id() {
    let fixture = Fixture::start();
    let client_properties = table([("product", "x".into()), ("connection_name", "conn_1".into())]);
    let named = ConnectOptions { client_properties, ..ConnectOptions::default() };
    let mut first = connect(&fixture, &named);
    let mut second = connect(&fixture, &ConnectOptions::default());
    let connections = listed(&fixture);
    assert_eq!(connections.len(), 2);
    let of_first = connections.iter().find(|columns| columns[2].contains(r#""connection_name","conn_1""#)).unwrap();
    fixture.output_of(&["close_connection", &of_first[0], "Closed via rabbitmqctl"]);
    assert_closed(&mut first, "CONNECTION_FORCED - Closed via rabbitmqctl");
    second.assert_alive(1);
}

#[test]
fn all_connections_are_closed() {
    let fixture = Fixture::start();
    let mut clients: Vec<RawClient> = (0..3).map(|_| connect(&fixture, &ConnectOptions::default())).collect();
    let output = fixture.output_of(&["-q", "close_all_connections", "maintenance"]);
    assert_eq!(output, "Closed 3 connections\n");
    clients.iter_mut().for_each(|client| assert_closed(client, "CONNECTION_FORCED - maintenance"));
}

#[test]
fn a_deleted_user_loses_its_connections() {
    let fixture = Fixture::start();
    fixture.output_of(&["add_user", "alice", "pw"]);
    fixture.output_of(&["set_permissions", "alice", ".*", ".*", ".*"]);
    let mut of_alice = connect(&fixture, &ConnectOptions::default().user("alice", "pw"));
    let mut of_guest = connect(&fixture, &ConnectOptions::default());
    fixture.output_of(&["delete_user", "alice"]);
    assert_closed(&mut of_alice, "CONNECTION_FORCED - user 'alice' is deleted");
    of_guest.assert_alive(1);
}

#[test]
fn a_deleted_vhost_loses_its_connections_and_queues() {
    let mut fixture = Fixture::start();
    fixture.output_of(&["add_vhost", "v"]);
    fixture.output_of(&["set_permissions", "-p", "v", "guest", ".*", ".*", ".*"]);
    let in_v = ConnectOptions { vhost: "v".to_owned(), ..ConnectOptions::default() };
    let mut client = connect(&fixture, &in_v);
    client.declare(1, QueueDeclare { durable: true, ..QueueDeclare::new("kept") });
    fixture.output_of(&["delete_vhost", "v"]);
    assert_closed(&mut client, "CONNECTION_FORCED - vhost 'v' is deleted");
    fixture.output_of(&["add_vhost", "v"]);
    assert_eq!(fixture.output_of(&["-q", "list_queues", "-p", "v"]), "");
    fixture.broker.kill_9();
    fixture.broker.launch();
    assert_eq!(fixture.output_of(&["-q", "list_queues", "-p", "v"]), "");
    assert_eq!(fixture.output_of(&["-q", "list_permissions", "-p", "v"]), "");
}

#[test]
fn permissions_hold_at_once_for_open_connections() {
    let fixture = Fixture::start();
    let mut client = connect(&fixture, &ConnectOptions::default());
    client.declare(1, QueueDeclare::new("before"));
    fixture.output_of(&["set_permissions", "guest", "^allowed$", ".*", ".*"]);
    client.declare(1, QueueDeclare::new("allowed"));
    client.send(1, QueueDeclare::new("after"));
    let close = client.expect_close(1);
    assert_eq!(close.text, "ACCESS_REFUSED - configure access to queue 'after' in vhost '/' refused for user 'guest'");
}

#[test]
fn queues_are_listed_purged_and_deleted() {
    let fixture = Fixture::start();
    let mut client = connect(&fixture, &ConnectOptions::default());
    client.declare(1, QueueDeclare { arguments: table([("x-max-length", 10.into())]), ..QueueDeclare::new("a") });
    client.declare(1, QueueDeclare { durable: true, ..QueueDeclare::new("b") });
    client.fill("a", &["1", "2"]);
    client.assert_alive(1);
    let columns = &["-q", "list_queues", "name", "messages", "durable", "arguments", "consumers"];
    assert_eq!(
        fixture.output_of(columns),
        "name\tmessages\tdurable\targuments\tconsumers\na\t2\tfalse\t[{\"x-max-length\",10}]\t0\nb\t0\ttrue\t[]\t0\n"
    );
    let refused = |arguments: &[&str]| {
        let output = fixture.ctl(arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(refused(&["delete_queue", "a", "--if-empty"]), (Some(64), "Error:\nQueue is not empty\n".to_owned()));
    let tag = client.consume(1, testkit::Consume::new("b", ""));
    assert_eq!(refused(&["delete_queue", "b", "--if-unused"]), (Some(64), "Error:\nQueue is in use\n".to_owned()));
    client.call(1, testkit::method::cancel(&tag));
    fixture.output_of(&["purge_queue", "a"]);
    assert_eq!(fixture.output_of(&["-q", "list_queues"]), "name\tmessages\na\t0\nb\t0\n");
    fixture.output_of(&["delete_queue", "a", "--if-empty"]);
    assert_eq!(fixture.output_of(&["-s", "list_queues"]), "b\t0\n");
}

#[test]
fn channels_and_consumers_are_listed() {
    let fixture = Fixture::start();
    let mut client = connect(&fixture, &ConnectOptions::default());
    client.declare(1, QueueDeclare::new("q"));
    let tag = client.consume(1, testkit::Consume::new("q", ""));
    let consumers =
        fixture.output_of(&["-s", "list_consumers", "queue_name", "consumer_tag", "ack_required", "active"]);
    assert_eq!(consumers, format!("q\t{tag}\ttrue\ttrue\n"));
    let channels = fixture.output_of(&["-s", "list_channels", "number", "user", "vhost", "consumer_count"]);
    assert_eq!(channels, "1\tguest\t/\t1\n");
}

#[test]
fn the_single_active_consumer_is_told_from_those_that_wait() {
    let fixture = Fixture::start();
    let mut client = connect(&fixture, &ConnectOptions::default());
    client.declare(1, QueueDeclare::new("q").argument("x-single-active-consumer", true));
    client.declare(1, QueueDeclare::new("plain"));
    for (queue, tag) in [("q", "first"), ("q", "second"), ("plain", "third")] {
        client.consume(1, testkit::Consume::new(queue, tag));
    }
    let consumers = || {
        let told = fixture.output_of(&["-s", "list_consumers", "consumer_tag", "active", "activity_status"]);
        let mut lines: Vec<String> = told.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let expected = ["first\ttrue\tsingle_active", "second\tfalse\twaiting", "third\ttrue\tup"];
    assert_eq!(consumers(), expected);
    client.call(1, testkit::method::cancel("first"));
    assert_eq!(consumers(), ["second\ttrue\tsingle_active", "third\ttrue\tup"]);
}

#[test]
fn an_alarm_by_hand_blocks_publishers() {
    let fixture = Fixture::start();
    let mut client = connect(&fixture, &ConnectOptions::default());
    client.declare(1, QueueDeclare::new("q"));
    fixture.output_of(&["eval", "rabbit_alarm:set_alarm({{resource_limit, disk, node()}, []})."]);
    client.publish(1, "", "q", "held back");
    client.expect_method(0, testkit::id::CONNECTION_BLOCKED);
    assert_eq!(fixture.output_of(&["-s", "list_queues"]).lines().count(), 1);
    fixture.output_of(&["eval", "rabbit_alarm:clear_alarm({resource_limit, disk, node()})."]);
    client.expect_method(0, testkit::id::CONNECTION_UNBLOCKED);
    let mut other = connect(&fixture, &ConnectOptions::default());
    let arrived = (0..100).any(|_| {
        other.message_count(1, "q") == 1 || {
            testkit::pause(Duration::from_millis(10));
            false
        }
    });
    assert!(arrived);
}
