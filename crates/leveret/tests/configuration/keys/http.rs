//! Keys of the HTTP API and the metrics.

use super::{start, start_with_http};
use crate::{directory, json, write};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::{BrokerProcess, ConnectOptions, QueueDeclare, RawClient, free_address};

const GUEST: &str = "Basic Z3Vlc3Q6Z3Vlc3Q=";

/// The answer to a request over the network, whole.
fn ask(address: SocketAddr, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    let rest = format!("Host: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(format!("{head}\r\n{rest}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(address, &format!("GET {path} HTTP/1.1\r\nAuthorization: {GUEST}"), "")
}

/// The lines of the log of requests, once there is one with `text`.
#[track_caller]
fn log_of_requests(directory: &Path, text: &str) -> String {
    let of_a_day = regex::Regex::new(r"^access\.log\.\d{4}_\d\d_\d\d_\d\d$").unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let mut log = String::new();
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(of_a_day.is_match(&name), "{name}");
            log += &std::fs::read_to_string(path).unwrap();
        }
        if log.contains(text) {
            return log;
        }
        assert!(Instant::now() < deadline, "no `{text}` in {log}");
        testkit::pause(Duration::from_millis(20));
    }
}

/// The form of RabbitMQ 3.10.8; what comes by the socket is not told.
#[test]
fn requests_are_told_in_a_file_per_hour() {
    for key in ["management.http_log_dir", "http_dispatch.access_log_dir"] {
        let directory = directory(&format!("requests-{key}")).join("http");
        let broker = start_with_http(&[(key, directory.to_str().unwrap())]);
        json(&broker, "GET", "/api/nodes", "");
        let head = format!("GET /api/overview?columns=node HTTP/1.1\r\nAuthorization: {GUEST}");
        ask(broker.management(), &format!("{head}\r\nReferer: http://x/\r\nUser-Agent: test/1"), "");
        ask(broker.management(), "PUT /api/vhosts/none HTTP/1.1", "");
        get(broker.prometheus(), "/metrics");
        let log = log_of_requests(&directory, "/metrics");
        let lines: Vec<&str> = log.lines().collect();
        let time = r"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]";
        for (line, pattern) in lines.iter().zip([
            format!(r#"^127\.0\.0\.1 - guest {time} "GET /api/overview HTTP/1\.1" 200 [1-9]\d* "http://x/" "test/1"$"#),
            format!(r#"^127\.0\.0\.1 - - {time} "PUT /api/vhosts/none HTTP/1\.1" 401 \d+ "" ""$"#),
            format!(r#"^127\.0\.0\.1 - guest {time} "GET /metrics HTTP/1\.1" 200 \d+ "" ""$"#),
        ]) {
            assert!(regex::Regex::new(&pattern).unwrap().is_match(line), "{line} is not {pattern}");
        }
        assert_eq!(lines.len(), 3, "{log}");
    }
}

#[test]
fn a_log_of_requests_that_cannot_be_written_keeps_it_from_starting() {
    let directory = directory("no-requests");
    let file = write(&directory, "file", "");
    let set = format!("management.http_log_dir={}", file.display());
    let data = directory.join("data");
    let listener = format!("listeners.tcp.1={}", free_address().unwrap());
    let arguments = ["server", "--data-dir", data.to_str().unwrap(), "--set", &set, "--set", &listener];
    let off = ["--set", "leveret.management=false", "--set", "leveret.prometheus=false"];
    let (code, _, error) = crate::run(&[&arguments[..], &off].concat(), &[]);
    assert_eq!(code, Some(1), "{error}");
    let line = format!("cannot write the log of requests in {}", file.display());
    assert!(error.contains(&line) && error.trim_end().lines().count() == 1, "{error}");
}

#[test]
fn uploaded_definitions_may_have_to_be_json_by_name() {
    let broker = start_with_http(&[("management.definitions.require_json_extension", "true")]);
    let upload = |name: &str| {
        let head = format!(
            "POST /api/definitions HTTP/1.1\r\nAuthorization: {GUEST}\r\nContent-Type: multipart/form-data; boundary=B"
        );
        let disposition = format!("Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"");
        ask(broker.management(), &head, &format!("--B\r\n{disposition}\r\n\r\n{{\"vhosts\":[]}}\r\n--B--\r\n"))
    };
    let refused = upload("definitions.txt");
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("unsupported_file_extension"), "{refused}");
    assert!(upload("Definitions.JSON").starts_with("HTTP/1.1 204"));
    assert_eq!(json(&broker, "GET", "/api/overview", "")["require_definition_json_extension"], true);
}

/// As in RabbitMQ there are no such verbs over HTTP then; the command line, by the socket, still has them.
#[test]
fn operator_policies_may_be_out_of_reach() {
    let broker = start_with_http(&[("management.restrictions.operator_policy_changes.disabled", "true")]);
    let policy = r#"{"pattern":".*","definition":{"max-length":1}}"#;
    let over_http = |verb: &str| {
        let head = format!("{verb} /api/operator-policies/%2F/p HTTP/1.1\r\nAuthorization: {GUEST}");
        ask(broker.management(), &head, policy)
    };
    assert!(over_http("PUT").starts_with("HTTP/1.1 405"));
    assert_eq!(json(&broker, "GET", "/api/overview", "")["is_op_policy_updating_enabled"], false);
    json(&broker, "PUT", "/api/operator-policies/%2F/p", policy);
    assert!(over_http("DELETE").starts_with("HTTP/1.1 405"));
    assert_eq!(json(&broker, "GET", "/api/operator-policies", "").as_array().unwrap().len(), 1);
}

#[test]
fn pages_of_other_origins_can_be_kept_out_again() {
    let broker = start_with_http(&[
        ("management.cors.allow_origins.1", "http://page"),
        ("management.cors.allow_origins", "none"),
    ]);
    let answer = ask(
        broker.management(),
        &format!("GET /api/whoami HTTP/1.1\r\nAuthorization: {GUEST}\r\nOrigin: http://page"),
        "",
    );
    assert!(answer.starts_with("HTTP/1.1 200"));
    assert!(!answer.to_lowercase().contains("access-control-allow-origin"), "{answer}");
}

#[test]
fn counts_of_queues_may_be_shown_though_statistics_are_not() {
    let counts = |settings: &[(&str, &str)]| {
        let broker = start(settings);
        json(&broker, "PUT", "/api/queues/%2F/q", "{}");
        json(&broker, "GET", "/api/queues", "")[0]["messages"].clone()
    };
    assert_eq!(counts(&[("management.disable_stats", "true")]), json!(null));
    let both = [("management.disable_stats", "true"), ("management.enable_queue_totals", "true")];
    assert_eq!(counts(&both), 0);
}

#[test]
fn samples_are_kept_as_long_as_is_asked_for() {
    let broker = start(&[
        ("management.sample_retention_policies.global.600", "10"),
        ("management.sample_retention_policies.basic.hour", "60"),
    ]);
    let policies = json(&broker, "GET", "/api/overview", "")["sample_retention_policies"].clone();
    assert_eq!((&policies["global"], &policies["basic"]), (&json!([600]), &json!([3600])));
}

#[test]
fn queues_are_left_out_of_sums_by_the_older_key_too() {
    let broker = start_with_http(&[("management_agent.filter_aggregated_queue_metrics_pattern", "^left")]);
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    for (queue, bodies) in [("left", &["1", "2"][..]), ("kept", &["3"])] {
        client.declare(1, QueueDeclare::new(queue));
        client.fill(queue, bodies);
    }
    let metrics = get(broker.prometheus(), "/metrics");
    assert!(metrics.lines().any(|line| line == "rabbitmq_queue_messages_ready 1"), "{metrics}");
}

#[test]
fn who_stops_in_the_middle_is_given_up() {
    let broker = start_with_http(&[("management.tcp.inactivity_timeout", "300")]);
    let mut stream = TcpStream::connect(broker.management()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "PUT /api/vhosts/v HTTP/1.1\r\nHost: localhost\r\nAuthorization: {GUEST}\r\nContent-Length: 100\r\n\r\n"
    );
    stream.write_all(format!("{head}{{").as_bytes()).unwrap();
    let mut answer = Vec::new();
    // An end or a reset, long before the 60 s of idle_timeout.
    let outcome = stream.read_to_end(&mut answer);
    assert!(!outcome.is_err_and(|error| testkit::is_timeout(&error)), "still open after 20 s");
}

#[test]
fn metrics_are_served_where_it_is_said() {
    let address = free_address().unwrap();
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    let broker = start(&[("leveret.prometheus", "true"), ("prometheus.tcp.ip", &ip), ("prometheus.tcp.port", &port)]);
    assert!(get(address, "/metrics").contains("rabbitmq_build_info"));
    let listeners = json(&broker, "GET", "/api/overview", "")["listeners"].to_string();
    assert!(listeners.contains(&format!("\"port\":{port}")), "{listeners}");
}

/// With a backend that nobody answers for, over HTTP only.
#[test]
fn the_api_may_have_backends_of_its_own_for_either_half() {
    let dead = free_address().unwrap();
    let url = format!("http://{dead}/");
    for (key, other) in [
        ("http_dispatch.auth_backends.1.authn", "http_dispatch.auth_backends.1.authz"),
        ("http_dispatch.auth_backends.1.authz", "http_dispatch.auth_backends.1.authn"),
    ] {
        let broker = start_with_http(&[
            (key, "http"),
            (other, "internal"),
            ("auth_http.user_path", &url),
            ("auth_http.vhost_path", &url),
            ("auth_http.connection_timeout", "1000"),
        ]);
        assert!(get(broker.management(), "/api/whoami").starts_with("HTTP/1.1 401"), "{key}");
        RawClient::connect(broker.address(), &ConnectOptions::default()).close();
    }
}

/// A server that has definitions for whoever asks, and what it was asked.
fn server_of_definitions(status: &'static str) -> (SocketAddr, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let length = stream.read(&mut request).unwrap();
        let body = r#"{"vhosts":[{"name":"fetched"}],"users":[],"permissions":[]}"#;
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    (address, served)
}

#[test]
fn definitions_are_fetched_from_another_server() {
    let (address, served) = server_of_definitions("200 OK");
    let url = format!("http://{address}/definitions.json?token=s3cret");
    let broker = start(&[("definitions.import_backend", "https"), ("definitions.https.url", &url)]);
    assert!(served.join().unwrap().starts_with("GET /definitions.json?token=s3cret HTTP/1.1"));
    json(&broker, "GET", "/api/vhosts/fetched", "");
    // As with files, the default user is not made.
    assert_eq!(broker.http("GET", "/api/users/guest", &[], "").unwrap().status, 404);
    assert!(broker.has_logged(&format!("importing definitions from http://{address}/definitions.json")));
    assert!(!broker.log().iter().any(|line| line.contains("s3cret")), "{:?}", broker.log());
}

#[test]
fn definitions_that_cannot_be_fetched_keep_it_from_starting() {
    let (address, served) = server_of_definitions("404 Not Found");
    let dead = free_address().unwrap();
    for (url, reason) in [
        (format!("http://{address}/d"), "the server answered 404".to_owned()),
        (format!("http://{dead}/d"), format!("cannot fetch definitions from http://{dead}/d: ")),
        ("ftp://host/d".to_owned(), "the address does not begin with https:// or http://".to_owned()),
    ] {
        let data = directory("no-definitions");
        let set = format!("definitions.https.url={url}");
        let listener = format!("listeners.tcp.1={}", free_address().unwrap());
        let arguments = ["server", "--data-dir", data.to_str().unwrap(), "--set", &set, "--set", &listener];
        let more = ["--set", "definitions.import_backend=https", "--set", "leveret.management=false"];
        let off = ["--set", "leveret.prometheus=false"];
        let (code, _, error) = crate::run(&[&arguments[..], &more, &off].concat(), &[]);
        assert_eq!(code, Some(1), "{error}");
        assert!(error.contains(&reason) && error.trim_end().lines().count() == 1, "{reason}: {error}");
    }
    served.join().unwrap();
}

#[test]
fn the_node_says_where_its_files_are() {
    let directory = directory("files");
    let plugins = write(&directory, "enabled_plugins", "[rabbitmq_management].");
    let log = directory.join("node.log");
    let set = format!("log.file={}", log.display());
    let broker = BrokerProcess::start_configured(
        crate::LEVERET,
        &["--set", &set, "--set", "log.console=true", "--set", "log.connection.file=/dev/null"],
        &[("RABBITMQ_ENABLED_PLUGINS_FILE", plugins.to_str().unwrap())],
        false,
    );
    let node = json(&broker, "GET", "/api/nodes", "")[0].clone();
    assert_eq!(node["log_files"], json!([log.to_str().unwrap(), "/dev/null", "<stdout>"]));
    assert_eq!(node["enabled_plugins_file"], plugins.to_str().unwrap());
    let enabled = ["rabbitmq_management", "rabbitmq_management_agent", "rabbitmq_web_dispatch"];
    assert_eq!(node["enabled_plugins"], json!(enabled));
    let process = json(&broker, "GET", "/api/leveret/process", "");
    assert_eq!(process["enabled_plugins_file"], plugins.to_str().unwrap());
}

/// With samples a minute apart there is no rate yet that one second apart shows soon.
#[test]
fn counters_are_sampled_as_often_as_is_asked_for() {
    let has_rate = |interval: &str, wait: Duration| {
        let broker = start(&[("collect_statistics_interval", interval)]);
        let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
        client.open_channel(1);
        client.declare(1, QueueDeclare::new("q"));
        let deadline = Instant::now() + wait;
        while Instant::now() < deadline {
            client.publish(1, "", "q", "m");
            let queue = json(&broker, "GET", "/api/queues/%2F/q", "");
            if queue["message_stats"]["publish_details"]["rate"].as_f64() > Some(0.0) {
                return true;
            }
            testkit::pause(Duration::from_millis(50));
        }
        false
    };
    assert!(has_rate("1000", Duration::from_secs(20)));
    assert!(!has_rate("60000", Duration::from_secs(4)));
}
