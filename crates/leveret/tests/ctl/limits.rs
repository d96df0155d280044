//! Limits at work: what counts, what is refused, and when a place is free again (the cases of RabbitMQ's
//! per_vhost_connection_limit, per_vhost_queue_limit, per_user_connection_channel_limit and cluster_limit suites).

use crate::Fixture;
use std::time::{Duration, Instant};
use testkit::{ConnectOptions, QueueDeclare, RawClient, connection_open, id, method};

fn options(user: &str, vhost: &str) -> ConnectOptions {
    ConnectOptions { vhost: vhost.to_owned(), ..ConnectOptions::default().user(user, user) }
}

fn connect(fixture: &Fixture, user: &str, vhost: &str) -> RawClient {
    RawClient::connect(fixture.broker.address(), &options(user, vhost))
}

/// What a connection is refused with, once nothing is left that is on its way out.
#[track_caller]
fn refused(fixture: &Fixture, user: &str, vhost: &str) -> String {
    let mut client = RawClient::tuned(fixture.broker.address(), &options(user, vhost));
    client.send(0, connection_open(vhost));
    client.expect_close(0).text
}

/// Waits until a connection is accepted.
#[track_caller]
fn accepted(fixture: &Fixture, user: &str, vhost: &str) -> RawClient {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let mut client = RawClient::tuned(fixture.broker.address(), &options(user, vhost));
        client.send(0, connection_open(vhost));
        if client.next_event(0).method.id == id::CONNECTION_OPEN_OK {
            return client;
        }
        assert!(Instant::now() < deadline, "no place becomes free");
        testkit::pause(Duration::from_millis(10));
    }
}

fn with_user_and_vhosts(user: &str, vhosts: &[&str]) -> Fixture {
    let fixture = Fixture::start();
    fixture.output_of(&["add_user", user, user]);
    for vhost in vhosts {
        if *vhost != "/" {
            fixture.output_of(&["add_vhost", vhost]);
        }
        for user in [user, "guest"] {
            fixture.output_of(&["set_permissions", "-p", vhost, user, ".*", ".*", ".*"]);
        }
    }
    fixture
}

#[test]
fn connections_of_a_virtual_host() {
    let fixture = with_user_and_vhosts("u", &["/", "v"]);
    let text = "NOT_ALLOWED - access to vhost 'v' refused for user 'u': connection limit (1) is reached";
    let first = connect(&fixture, "u", "v");
    let _second = connect(&fixture, "guest", "v");
    // A limit ends no connection that is there, and those of other virtual hosts do not count.
    fixture.output_of(&["set_vhost_limits", "-p", "v", r#"{"max-connections":1}"#]);
    assert_eq!(refused(&fixture, "u", "v"), text);
    let _other = connect(&fixture, "u", "/");
    first.close();
    assert_eq!(refused(&fixture, "u", "v"), text);
    fixture.output_of(&["set_vhost_limits", "-p", "v", r#"{"max-connections":2}"#]);
    let first = connect(&fixture, "u", "v");
    // A client that vanishes gives up its place too, as does one that an operator closes.
    drop(first);
    let mut first = accepted(&fixture, "u", "v");
    fixture.output_of(&["close_all_user_connections", "u", "out"]);
    first.expect_close(0);
    let first = accepted(&fixture, "u", "v");
    fixture.output_of(&["set_vhost_limits", "-p", "v", r#"{"max-connections":0}"#]);
    first.close();
    assert!(refused(&fixture, "u", "v").ends_with("connection limit (0) is reached"));
    for unlimited in [r#"{"max-connections":-1}"#, "{}"] {
        fixture.output_of(&["set_vhost_limits", "-p", "v", unlimited]);
        (0..5).map(|_| connect(&fixture, "u", "v")).for_each(RawClient::close);
    }
    fixture.output_of(&["set_vhost_limits", "-p", "v", r#"{"max-connections":0}"#]);
    fixture.output_of(&["clear_vhost_limits", "-p", "v"]);
    connect(&fixture, "u", "v").close();
}

/// RabbitMQ asks for limits before permissions.
#[test]
fn a_limit_comes_before_a_permission() {
    let fixture = with_user_and_vhosts("u", &["v"]);
    fixture.output_of(&["clear_permissions", "-p", "v", "u"]);
    assert_eq!(refused(&fixture, "u", "v"), "NOT_ALLOWED - access to vhost 'v' refused for user 'u'");
    fixture.output_of(&["set_vhost_limits", "-p", "v", r#"{"max-connections":0}"#]);
    assert!(refused(&fixture, "u", "v").ends_with("connection limit (0) is reached"));
    assert_eq!(refused(&fixture, "u", "nowhere"), "NOT_ALLOWED - vhost nowhere not found");
    // Those who were refused hold no place.
    fixture.output_of(&["set_vhost_limits", "-p", "v", r#"{"max-connections":1}"#]);
    fixture.output_of(&["set_permissions", "-p", "v", "u", "", "", ""]);
    connect(&fixture, "u", "v").close();
}

#[test]
fn connections_of_a_user() {
    let fixture = with_user_and_vhosts("u", &["/", "v"]);
    fixture.output_of(&["set_user_limits", "u", r#"{"max-connections":2}"#]);
    let first = connect(&fixture, "u", "/");
    let _second = connect(&fixture, "u", "v");
    let text = "NOT_ALLOWED - connection refused for user 'u': user connection limit (2) is reached";
    assert_eq!(refused(&fixture, "u", "/"), text);
    let _guest = connect(&fixture, "guest", "/");
    first.close();
    let _third = connect(&fixture, "u", "/");
    fixture.output_of(&["set_user_limits", "u", r#"{"max-connections":0}"#]);
    assert!(refused(&fixture, "u", "/").ends_with("user connection limit (0) is reached"));
    fixture.output_of(&["clear_user_limits", "u", "max-connections"]);
    let _fourth = connect(&fixture, "u", "/");
    // A change of password or tags keeps limits.
    fixture.output_of(&["set_user_limits", "u", r#"{"max-connections":3,"max-channels":9}"#]);
    fixture.output_of(&["change_password", "u", "u"]);
    fixture.output_of(&["set_user_tags", "u", "monitoring"]);
    let limits = fixture.output_of(&["-s", "list_user_limits", "--user", "u"]);
    assert_eq!(limits, "{\"max-channels\":9,\"max-connections\":3}\n");
    assert!(refused(&fixture, "u", "/").ends_with("user connection limit (3) is reached"));
}

#[test]
fn a_user_that_is_deleted_and_added_again_begins_anew() {
    let fixture = with_user_and_vhosts("u", &["/"]);
    fixture.output_of(&["set_user_limits", "u", r#"{"max-connections":1}"#]);
    let mut client = connect(&fixture, "u", "/");
    fixture.output_of(&["delete_user", "u"]);
    client.expect_close(0);
    fixture.output_of(&["add_user", "u", "u"]);
    fixture.output_of(&["set_permissions", "u", ".*", ".*", ".*"]);
    let _first = connect(&fixture, "u", "/");
    let _second = connect(&fixture, "u", "/");
}

#[test]
fn channels_of_a_user_count_over_its_connections() {
    let fixture = with_user_and_vhosts("u", &["/"]);
    fixture.output_of(&["set_user_limits", "u", r#"{"max-channels":3}"#]);
    let mut first = connect(&fixture, "u", "/");
    let mut second = connect(&fixture, "u", "/");
    first.open_channel(1);
    first.open_channel(2);
    second.open_channel(1);
    // A channel that ended with an error counts no longer.
    first.send(2, QueueDeclare::passive("nowhere"));
    assert_eq!(first.expect_close(2).code, 404);
    second.open_channel(2);
    first.send(3, method::channel_open());
    let text = first.expect_close(0).text;
    let expected =
        "NOT_ALLOWED - number of channels opened for user 'u' has reached the maximum allowed user limit of 3";
    assert_eq!(text, expected);
    // Its other channels ended with the connection.
    second.open_channel(3);
    fixture.output_of(&["set_user_limits", "u", r#"{"max-channels":-1}"#]);
    (4..50).for_each(|number| second.open_channel(number));
}

#[test]
fn queues_of_a_virtual_host() {
    let fixture = with_user_and_vhosts("u", &["v"]);
    fixture.output_of(&["set_vhost_limits", "-p", "v", r#"{"max-queues":2}"#]);
    let mut client = connect(&fixture, "u", "v");
    client.open_channel(1);
    client.declare(1, QueueDeclare::exclusive("a"));
    fixture.broker.administer("PUT", "/api/queues/v/b", r#"{"durable":true}"#);
    let answer = fixture.broker.http("PUT", "/api/queues/v/c", &[], "{}").expect("an answer");
    let text = "cannot declare queue 'c': queue limit in vhost 'v' (2) is reached";
    assert_eq!(answer.body, format!(r#"{{"error":"bad_request","reason":"{text}"}}"#));
    client.send(1, QueueDeclare::exclusive(""));
    assert!(client.expect_close(1).text.ends_with("queue limit in vhost 'v' (2) is reached"));
    // The exclusive queue goes with its connection.
    client.close();
    fixture.broker.administer("PUT", "/api/queues/v/c", "{}");
    // Lowering the limit takes nothing away.
    fixture.output_of(&["set_vhost_limits", "-p", "v", r#"{"max-queues":0}"#]);
    assert_eq!(fixture.output_of(&["-s", "list_queues", "-p", "v", "name"]), "b\nc\n");
    fixture.broker.administer("PUT", "/api/queues/v/c", "{}");
    fixture.output_of(&["set_vhost_limits", "-p", "v", r#"{"max-queues":-1}"#]);
    (0..20).for_each(|number| fixture.broker.administer("PUT", &format!("/api/queues/v/q{number}"), "{}"));
}

#[test]
fn the_node_has_limits_of_its_own() {
    let fixture = Fixture::start_with(&[
        ("vhost_max", "3"),
        ("cluster_queue_limit", "2"),
        ("default_limits.vhosts.1.pattern", "^limited"),
        ("default_limits.vhosts.1.max_queues", "1"),
        ("default_limits.vhosts.1.max_connections", "10"),
    ]);
    fixture.output_of(&["add_vhost", "limited"]);
    fixture.output_of(&["add_vhost", "free"]);
    let limits = fixture.output_of(&["-s", "list_vhost_limits", "--global"]);
    assert_eq!(limits, "limited\t{\"max-connections\":10,\"max-queues\":1}\n");
    let refused = fixture.ctl(&["add_vhost", "fourth"]);
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("cannot create vhost 'fourth': vhost limit of 3 is reached"), "{text}");
    fixture.output_of(&["add_vhost", "free"]);
    fixture.broker.administer("PUT", "/api/queues/limited/a", "{}");
    fixture.broker.administer("PUT", "/api/queues/free/b", "{}");
    for vhost in ["free", "%2F"] {
        let answer = fixture.broker.http("PUT", &format!("/api/queues/{vhost}/c"), &[], "{}").expect("an answer");
        assert!(
            answer.body.contains("cannot declare queue 'c': queue limit in cluster (2) is reached"),
            "{}",
            answer.body
        );
    }
    // A virtual host that goes takes its queues out of the count.
    fixture.output_of(&["delete_vhost", "free"]);
    fixture.broker.administer("PUT", "/api/queues/%2F/c", "{}");
}
