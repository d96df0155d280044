//! Where the log goes, and what can be changed about it at run time.

use crate::{LEVERET, directory, json};
use serde_json::{Value, json as object};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use testkit::{BrokerProcess, ConnectOptions, RawClient};

fn start(settings: &[(&str, &str)]) -> BrokerProcess {
    BrokerProcess::start(LEVERET, settings)
}

/// Connects and leaves, which connections log at info and at debug.
fn come_and_go(broker: &BrokerProcess) {
    RawClient::connect(broker.address(), &ConnectOptions::default()).close();
}

fn last_lines(broker: &BrokerProcess) -> Vec<String> {
    let log = json(broker, "GET", "/api/leveret/log?lines=500", "");
    log["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// Waits until the log has a line with `text`.
#[track_caller]
fn wait_for(broker: &BrokerProcess, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !last_lines(broker).iter().any(|line| line.contains(text)) {
        assert!(Instant::now() < deadline, "no `{text}` in {:#?}", last_lines(broker));
        testkit::pause(Duration::from_millis(20));
    }
}

#[test]
fn lines_look_as_rabbitmqs() {
    let broker = start(&[]);
    let line = broker.log().into_iter().find(|line| line.contains("Server startup complete")).unwrap();
    let pattern = regex::Regex::new(
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00 \[info\] <0\.\d+\.0> Server startup complete",
    );
    assert!(pattern.unwrap().is_match(&line), "{line}");
}

#[test]
fn json_is_an_object_per_line() {
    let broker = start(&[("log.console.formatter", "json")]);
    come_and_go(&broker);
    assert!(broker.has_logged("accepting AMQP connection"));
    for line in broker.log() {
        let object: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for field in ["time", "level", "msg", "pid", "domain"] {
            assert!(object[field].is_string(), "{field} in {line}");
        }
    }
    assert!(broker.log().iter().any(|line| line.contains("\"domain\":\"rabbitmq.connection\"")));
}

#[test]
fn a_file_is_named_after_the_node_and_can_be_moved_away() {
    let directory = directory("file");
    let broker = start(&[
        ("log.dir", directory.to_str().unwrap()),
        ("log.console", "true"),
        ("leveret.node_name", "hare@burrow"),
        ("log.connection.file", "connection.log"),
    ]);
    come_and_go(&broker);
    wait_for(&broker, "accepting AMQP connection");
    json(&broker, "POST", "/api/leveret/log/rotation", "");
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap_or_default();
    assert!(read("hare@burrow.log").contains("Server startup complete"));
    assert!(read("connection.log").contains("accepting AMQP connection"));
    assert!(!read("hare@burrow.log").contains("accepting AMQP connection"));
    std::fs::rename(directory.join("connection.log"), directory.join("moved")).unwrap();
    json(&broker, "POST", "/api/leveret/log/rotation", "");
    assert_eq!(read("connection.log"), "");
}

#[test]
fn rotation_on_demand_keeps_older_files() {
    let directory = directory("rotation");
    let file = directory.join("node.log");
    let broker =
        start(&[("log.file", file.to_str().unwrap()), ("log.console", "true"), ("log.file.rotation.count", "3")]);
    json(&broker, "POST", "/api/leveret/log/rotation", "");
    let older = std::fs::read_to_string(directory.join("node.log.0")).unwrap();
    assert!(older.contains("Server startup complete"), "{older}");
}

#[test]
fn levels_change_while_it_runs() {
    let broker = start(&[("log.connection.level", "error")]);
    come_and_go(&broker);
    json(&broker, "PUT", "/api/leveret/log-level", r#"{"level":"info","category":"queue"}"#);
    come_and_go(&broker);
    wait_for(&broker, "log level of queue set to info");
    json(&broker, "PUT", "/api/leveret/log-level", r#"{"level":"debug","category":"connection"}"#);
    assert!(!last_lines(&broker).iter().any(|line| line.contains("accepting")), "that category was silent");
    come_and_go(&broker);
    wait_for(&broker, "accepting AMQP connection");
    assert!(broker.has_logged("accepting AMQP connection"), "on the console, too");
    json(&broker, "PUT", "/api/leveret/log-level", r#"{"level":"debug"}"#);
    wait_for(&broker, "log level of everything set to debug");
    for wrong in [r#"{"level":"loud"}"#, r#"{"level":"info","category":"no_such"}"#, r#"{}"#] {
        assert_eq!(broker.http("PUT", "/api/leveret/log-level", &[], wrong).unwrap().status, 400, "{wrong}");
    }
}

#[test]
fn the_last_lines_are_in_memory_whatever_the_outputs() {
    let broker = start(&[]);
    let log = json(&broker, "GET", "/api/leveret/log?lines=1", "");
    assert_eq!(log["lines"].as_array().unwrap().len(), 1);
    let last = log["last"].as_u64().unwrap();
    json(&broker, "PUT", "/api/leveret/log-level", r#"{"level":"info"}"#);
    wait_for(&broker, "log level of everything");
    let newer = json(&broker, "GET", &format!("/api/leveret/log?lines=500&after={last}"), "");
    assert!(!newer["lines"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains("startup")));
    assert_eq!(broker.http("GET", "/api/leveret/log?lines=x", &[], "").unwrap().status, 400);
    assert_eq!(object!([]), json(&broker, "GET", "/api/leveret/log?lines=0", "")["lines"]);
}

#[test]
fn lines_are_streamed_as_they_come() {
    let broker = start(&[]);
    let mut stream = UnixStream::connect(broker.data_dir().join("leveret.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET /api/leveret/log/stream HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines();
    assert!(lines.next().unwrap().unwrap().contains("200"));
    // The stream begins where the log ends when the request is served.
    assert!(lines.by_ref().map_while(Result::ok).any(|line| line.is_empty()), "the end of the head");
    come_and_go(&broker);
    assert!(lines.map_while(Result::ok).any(|line| line.contains("accepting AMQP connection")));
}

/// RabbitMQ writes its file in the place of a console that is switched off; here that is the only output.
#[test]
fn a_console_without_which_there_would_be_no_log_stays() {
    let says = "log.console = false has no effect, since there is no other output of the log: set log.dir, log.file or log.exchange, too";
    let broker = start(&[("log.console", "false"), ("log.syslog", "true")]);
    assert!(broker.has_logged(says), "{:?}", broker.log());
    let (code, checked, _) = crate::run(&["config", "check", "--set", "log.console=false"], &[]);
    assert_eq!(code, Some(0));
    assert!(checked.lines().any(|line| line == says), "{checked}");
}

#[test]
fn a_log_that_cannot_be_written_is_refused() {
    let (code, _, stderr) = crate::run(&["server", "--set", "log.file=/proc/no/such.log"], &[]);
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("error: cannot open the log file /proc/no/such.log: "), "{stderr}");
}
