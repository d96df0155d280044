//! Keys of AMQP connections, users and limits.

use super::start;
use crate::{LEVERET, directory, json};
use serde_json::json;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testkit::{
    BrokerProcess, ConnectOptions, Consume, Properties, QueueDeclare, RawClient, Value, eventually, free_address,
    method, table,
};

fn node(broker: &BrokerProcess) -> serde_json::Value {
    json(broker, "GET", "/api/nodes", "")[0].clone()
}

fn connect(broker: &BrokerProcess) -> RawClient {
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client
}

/// What becomes of a login by a mechanism: whether it is let in.
fn is_let_in(broker: &BrokerProcess, options: &ConnectOptions) -> bool {
    let mut client = RawClient::open(broker.address(), options.timeout);
    client.send_raw(&options.protocol_header);
    client.expect_start();
    client.send(0, options.start_ok());
    let answer = client.try_next(Duration::from_secs(10)).ok().flatten();
    answer.is_some_and(|event| event.method.id == method::id::CONNECTION_TUNE)
}

/// 4 GB count as the memory that there is, so that shares of it are known.
#[test]
fn shares_are_of_the_memory_that_counts_as_available() {
    let broker = start(&[
        ("total_memory_available_override_value", "4GB"),
        ("vm_memory_high_watermark.relative", "0.25"),
        ("disk_free_limit.relative", "1.5"),
    ]);
    let node = node(&broker);
    assert_eq!((&node["mem_limit"], &node["disk_free_limit"]), (&json!(1_000_000_000), &json!(6_000_000_000_u64)));
}

#[test]
fn a_consumer_that_says_nothing_has_the_default_prefetch() {
    let broker = start(&[("default_consumer_prefetch", "2")]);
    let mut client = connect(&broker);
    client.declare(1, QueueDeclare::new("q"));
    client.fill("q", &["1", "2", "3"]);
    client.consume(1, Consume::new("q", "c"));
    client.expect_bodies(1, &["1", "2"]);
    client.expect_nothing(1, Duration::from_millis(300));
}

/// Before tune-ok: a password of 20 KB is refused as a password with 64 KB, and as a frame without.
#[test]
fn the_first_frames_have_a_limit_of_their_own() {
    let options = ConnectOptions::default().user("guest", &"x".repeat(20_000));
    let refusal = |settings: &[(&str, &str)]| {
        let broker = start(settings);
        let mut client = RawClient::open(broker.address(), options.timeout);
        client.send_raw(&options.protocol_header);
        client.expect_start();
        client.send(0, options.start_ok());
        client.try_next(Duration::from_secs(10)).ok().flatten().map(|event| event.method.id)
    };
    assert_eq!(refusal(&[("initial_frame_max", "64KB")]), Some(method::id::CONNECTION_CLOSE));
    assert_ne!(refusal(&[]), Some(method::id::CONNECTION_CLOSE));
}

#[test]
fn the_first_user_has_tags_and_permissions() {
    let broker = start(&[
        ("default_user_tags.monitoring", "true"),
        ("default_user_tags.policymaker", "true"),
        ("default_permissions.configure", "^a"),
        ("default_permissions.write", "^b"),
        ("default_permissions.read", "^c"),
    ]);
    let user = json(&broker, "GET", "/api/users/guest", "");
    assert_eq!(user["tags"], json!(["monitoring", "policymaker"]));
    let permission = json(&broker, "GET", "/api/permissions/%2F/guest", "");
    assert_eq!([&permission["configure"], &permission["write"], &permission["read"]], ["^a", "^b", "^c"]);
}

#[test]
fn anonymous_clients_are_a_user_that_has_to_have_its_password() {
    let anonymous =
        ConnectOptions { mechanism: "ANONYMOUS".to_owned(), response: b"nobody".to_vec(), ..ConnectOptions::default() };
    let settings = |password| {
        [
            ("default_user", "visitor"),
            ("default_pass", "open"),
            ("anonymous_login_user", "visitor"),
            ("anonymous_login_pass", password),
        ]
    };
    let broker = start(&settings("open"));
    assert!(is_let_in(&broker, &anonymous));
    let _client = RawClient::connect(broker.address(), &anonymous);
    let connections = json(&broker, "GET", "/api/connections", "");
    assert!(connections.as_array().unwrap().iter().all(|connection| connection["user"] == "visitor"), "{connections}");
    assert!(!is_let_in(&start(&settings("wrong")), &anonymous));
    assert!(!is_let_in(&start(&[("anonymous_login_user", "none")]), &anonymous));
}

#[test]
fn attempts_to_log_in_are_counted_by_their_source() {
    let attempts = |settings: &[(&str, &str)]| {
        let broker = start(settings);
        drop(connect(&broker));
        let name = node(&broker)["name"].as_str().unwrap().to_owned();
        json(&broker, "GET", &format!("/api/auth/attempts/{name}/source"), "").as_array().unwrap().len()
    };
    assert_eq!(attempts(&[]), 0);
    assert_eq!(attempts(&[("leveret.track_login_sources", "true")]), 1);
}

#[test]
fn clients_see_the_version_that_is_asked_for() {
    let broker = start(&[("leveret.compat.version", "3.13.7")]);
    let mut client = RawClient::open(broker.address(), Duration::from_secs(10));
    client.send_raw(&testkit::PROTOCOL_HEADER);
    let properties = client.expect_start().server_properties;
    assert_eq!(testkit::field(&properties, "version"), Some(&Value::from("3.13.7")));
    assert_eq!(json(&broker, "GET", "/api/overview", "")["rabbitmq_version"], "3.13.7");
}

/// With 3.x a header that the publisher made goes on being counted.
#[test]
fn a_history_that_the_publisher_wrote_counts_where_that_is_wanted() {
    let count = |settings: &[(&str, &str)]| {
        let broker = start(settings);
        let mut client = connect(&broker);
        let to_dead = |queue: &str| {
            QueueDeclare::new(queue)
                .argument("x-dead-letter-exchange", "")
                .argument("x-dead-letter-routing-key", "dead")
        };
        client.declare(1, QueueDeclare::new("dead"));
        client.declare(1, to_dead("q"));
        let death = table([
            ("queue", Value::from("q")),
            ("reason", Value::from("rejected")),
            ("count", Value::Long(5)),
            ("exchange", Value::from("")),
            ("routing-keys", Value::strings(&["q"])),
        ]);
        let properties = Properties::default().header("x-death", Value::Array(vec![Value::Table(death)]));
        client.publish_with(1, testkit::Publish::new("", "q"), &properties, "m");
        let delivery = client.get(1, "q", false).unwrap();
        client.send(1, method::reject(delivery.delivery_tag, false));
        let deadline = Instant::now() + Duration::from_secs(10);
        let dead = loop {
            if let Some(dead) = client.get(1, "dead", true) {
                break dead;
            }
            assert!(Instant::now() < deadline, "no dead letter");
        };
        let headers = dead.properties.headers.unwrap();
        let Some(Value::Array(deaths)) = testkit::field(&headers, "x-death") else { panic!("{headers:?}") };
        let Some(Value::Table(death)) = deaths.first() else { panic!("{deaths:?}") };
        testkit::field(death, "count").cloned()
    };
    assert_eq!(count(&[]), Some(Value::Long(1)));
    assert_eq!(count(&[("leveret.compat.publisher_x_death", "interpret")]), Some(Value::Long(6)));
}

/// A broker that is not started by the harness, which gives every one its own directory and listener.
fn launch(arguments: &[&str], ready: impl Fn() -> bool) {
    let mut command = Command::new(std::env::var_os("LEVERET_BIN").unwrap_or_else(|| LEVERET.into()));
    command.arg("server").args(arguments).args([
        "--set",
        "leveret.management=false",
        "--set",
        "leveret.prometheus=false",
    ]);
    let mut broker = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !ready() && Instant::now() < deadline {
        testkit::pause(Duration::from_millis(20));
    }
    let is_ready = ready();
    broker.kill().unwrap();
    broker.wait().unwrap();
    assert!(is_ready, "{arguments:?}");
}

#[test]
fn data_and_the_process_id_are_where_they_are_asked_for() {
    let directory = directory("places");
    let (data, pid) = (directory.join("data"), directory.join("broker.pid"));
    let address = free_address().unwrap();
    launch(
        &[
            "--set",
            &format!("leveret.data_dir={}", data.display()),
            "--set",
            &format!("leveret.pid_file={}", pid.display()),
            "--set",
            &format!("listeners.tcp.here={address}"),
        ],
        || data.join("metadata.redb").exists() && pid.exists() && is_served(address),
    );
}

/// Ends a broker in order, which writes what was logged.
fn ended(broker: std::process::Child) -> std::process::Output {
    assert!(Command::new("kill").arg(broker.id().to_string()).status().unwrap().success());
    broker.wait_with_output().unwrap()
}

fn is_served(address: SocketAddr) -> bool {
    std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// Seen with RabbitMQ 3.10.8, too: listeners of a file are all there are, whatever the environment says.
#[test]
fn a_listener_of_the_file_counts_more_than_the_environment() {
    let directory = directory("listener");
    let (of_file, of_environment) = (free_address().unwrap(), free_address().unwrap());
    let file = crate::write(&directory, "rabbitmq.conf", &format!("listeners.tcp.1 = {of_file}\n"));
    let data = directory.join("data");
    let mut command = Command::new(std::env::var_os("LEVERET_BIN").unwrap_or_else(|| LEVERET.into()));
    command.args(["server", "--config", file.to_str().unwrap(), "--data-dir", data.to_str().unwrap()]);
    command.args(["--set", "leveret.management=false", "--set", "leveret.prometheus=false"]);
    command.env("RABBITMQ_NODE_PORT", of_environment.port().to_string()).env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1");
    let broker = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_served(of_file) && Instant::now() < deadline {
        testkit::pause(Duration::from_millis(20));
    }
    let served = (is_served(of_file), is_served(of_environment));
    let output = ended(broker);
    assert_eq!(served, (true, false));
    // And the log is on standard output, where the log of RabbitMQ's console is.
    let log = String::from_utf8_lossy(&output.stdout);
    assert!(log.contains(&format!("started TCP listener on {of_file}")), "{log}");
    assert!(log.contains("without effect here: RABBITMQ_NODE_PORT (listeners.tcp is given)"), "{log}");
}

#[test]
fn standard_error_is_the_console_where_that_is_asked_for() {
    let directory = directory("stderr");
    let mut command = Command::new(std::env::var_os("LEVERET_BIN").unwrap_or_else(|| LEVERET.into()));
    command.args(["server", "--data-dir", directory.to_str().unwrap(), "--set", "log.console.stdio=stderr"]);
    command.args(["--set", &format!("listeners.tcp.1={}", free_address().unwrap())]);
    command.args(["--set", "leveret.management=false", "--set", "leveret.prometheus=false"]);
    let broker = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let socket = directory.join("leveret.sock");
    let deadline = Instant::now() + Duration::from_secs(20);
    while std::os::unix::net::UnixStream::connect(&socket).is_err() && Instant::now() < deadline {
        testkit::pause(Duration::from_millis(20));
    }
    let output = ended(broker);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("started TCP listener on"));
}

#[test]
fn there_need_be_no_listener_without_tls() {
    let broker = start(&[("listeners.tcp", "none")]);
    // Given by the same source, `none` does away with the listener that the harness asks for.
    assert!(!is_served(broker.address()));
}

#[test]
fn there_are_as_many_reactors_as_asked_for() {
    let reactors = |broker: &BrokerProcess| {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", broker.pid().unwrap())).unwrap();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
        names.filter(|name| name.starts_with("reactor-")).count()
    };
    for count in [1, 3] {
        let broker = start(&[("leveret.reactors", &count.to_string())]);
        // A thread has its name a moment after it was started.
        eventually("as many reactors as asked for", || reactors(&broker) >= count);
        assert_eq!(reactors(&broker), count);
    }
}

#[test]
fn an_unknown_type_of_exchange_may_close_the_connection() {
    let closed = |settings: &[(&str, &str)]| {
        let broker = start(settings);
        let mut client = connect(&broker);
        client.send(1, testkit::ExchangeDeclare::new("e", "x-nonsense"));
        let event = client.next_event(1);
        event.method.id == method::id::CONNECTION_CLOSE
    };
    assert!(!closed(&[]));
    assert!(closed(&[("leveret.compat.unknown_exchange_type", "connection_503")]));
}

#[test]
fn channels_have_a_highest_number() {
    let broker = start(&[("max_channels_per_connection", "7")]);
    let options = ConnectOptions::default();
    let mut client = RawClient::open(broker.address(), options.timeout);
    client.send_raw(&options.protocol_header);
    client.expect_start();
    client.send(0, options.start_ok());
    assert_eq!(client.expect_tune().channel_max, 7);
}

/// One key each, and what is refused then; without the key it is not.
#[test]
fn there_is_as_much_as_there_may_be() {
    let second_connection = |broker: &BrokerProcess| {
        let _first = RawClient::connect(broker.address(), &ConnectOptions::default());
        let options = ConnectOptions::default();
        let mut client = RawClient::open(broker.address(), options.timeout);
        client.send_raw(&options.protocol_header);
        client.expect_start();
        client.send(0, options.start_ok());
        let Ok(Some(event)) = client.try_next(Duration::from_secs(10)) else { return true };
        if event.method.id != method::id::CONNECTION_TUNE {
            return true;
        }
        client.send(0, testkit::tune_ok(2047, 131_072, 0));
        client.send(0, testkit::connection_open("/"));
        !client
            .try_next(Duration::from_secs(10))
            .is_ok_and(|event| event.is_some_and(|event| event.method.id == method::id::CONNECTION_OPEN_OK))
    };
    let second_channel = |broker: &BrokerProcess| {
        let mut client = connect(broker);
        client.send(2, method::channel_open());
        let event = client.wait_for("an answer", |event| event.channel == 2 || event.channel == 0);
        event.method.id != method::id::CHANNEL_OPEN_OK
    };
    // The first virtual host has seven already.
    let another_exchange = |broker: &BrokerProcess| {
        let mut client = connect(broker);
        client.send(1, testkit::ExchangeDeclare::new("one more", "direct"));
        client.next_event(1).method.id != method::id::EXCHANGE_DECLARE_OK
    };
    let second_consumer = |broker: &BrokerProcess| {
        let mut client = connect(broker);
        client.declare(1, QueueDeclare::new("q"));
        client.consume(1, Consume::new("q", "first"));
        client.send(1, Consume::new("q", "second"));
        client.next_event(1).method.id != method::id::BASIC_CONSUME_OK
    };
    let large_message = |broker: &BrokerProcess| {
        let mut client = connect(broker);
        client.confirm_select(1);
        client.publish(1, "", "nobody", "x".repeat(101));
        client.next_event(1).method.id != method::id::BASIC_ACK
    };
    type Limit<'a> = (&'a str, &'a str, &'a dyn Fn(&BrokerProcess) -> bool);
    let limits: [Limit<'_>; 5] = [
        ("max_connections", "1", &second_connection),
        ("channel_max_per_node", "1", &second_channel),
        ("cluster_exchange_limit", "7", &another_exchange),
        ("consumer_max_per_channel", "1", &second_consumer),
        ("max_message_size", "100", &large_message),
    ];
    for (key, value, is_refused) in limits {
        assert!(is_refused(&start(&[(key, value)])), "{key}");
        assert!(!is_refused(&start(&[])), "without {key}");
    }
}

/// Whether guest is let in from another host, as a proxy says.
#[test]
fn users_are_kept_to_the_loopback_interface() {
    let is_let_in = |settings: &[(&str, &str)]| {
        let broker = start(&[&[("proxy_protocol", "true")], settings].concat());
        let options = ConnectOptions::default();
        let mut client = RawClient::open(broker.address(), options.timeout);
        client.send_raw(b"PROXY TCP4 192.0.2.7 192.0.2.8 5000 5672\r\n");
        client.send_raw(&options.protocol_header);
        client.expect_start();
        client.send(0, options.start_ok());
        let answer = client.try_next(Duration::from_secs(10)).ok().flatten();
        answer.is_some_and(|event| event.method.id == method::id::CONNECTION_TUNE)
    };
    assert!(!is_let_in(&[]));
    assert!(is_let_in(&[("loopback_users", "none")]));
    assert!(is_let_in(&[("loopback_users.somebody", "true")]));
    assert!(!is_let_in(&[("loopback_users.guest", "true"), ("loopback_users.somebody", "true")]));
}

#[test]
fn passwords_have_to_match_an_expression() {
    let broker = start(&[
        ("credential_validator.validation_backend", "regexp"),
        ("credential_validator.regexp", "^[a-z]{4}[0-9]+$"),
        ("default_pass", "abcd1"),
    ]);
    let put = |password: &str| {
        let body = json!({ "password": password, "tags": "" }).to_string();
        broker.http("PUT", "/api/users/new", &[], &body).unwrap().status
    };
    assert_eq!((put("abcd"), put("abcd99")), (400, 201));
}
