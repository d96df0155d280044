//! Starting from RabbitMQ's files and variables.

use crate::{LEVERET, directory, json, setting, write};
use std::net::TcpStream;
use testkit::{BrokerProcess, ConnectOptions, RawClient};

#[test]
fn files_and_variables_are_in_force_and_say_where_they_came_from() {
    let directory = directory("start");
    let main = write(&directory, "rabbitmq.conf", "heartbeat = 11\nframe_max = 8192");
    let other = write(&directory, "conf.d/10-other.conf", "heartbeat = 12");
    write(&directory, "advanced.config", "[{rabbit, [{channel_max, 33}]}].");
    let secret = write(&directory, "secret", "s3cret\n");
    let broker = BrokerProcess::start_configured(
        LEVERET,
        &["--config-dir", directory.to_str().unwrap()],
        &[
            ("RABBITMQ_DEFAULT_USER", "admin"),
            ("RABBITMQ_DEFAULT_PASS_FILE", secret.to_str().unwrap()),
            ("RABBITMQ_DEFAULT_VHOST", "orders"),
            ("RABBITMQ_NODENAME", "hare@burrow"),
            ("RABBITMQ_VM_MEMORY_HIGH_WATERMARK", "1GB"),
        ],
        false,
    );
    assert_eq!(setting(&broker, "heartbeat")["origin"], format!("{}:1", other.display()));
    assert_eq!(setting(&broker, "frame_max")["origin"], format!("{}:2", main.display()));
    assert_eq!(setting(&broker, "max_channels_per_connection")["value"], "33");
    assert_eq!(setting(&broker, "default_pass")["value"], "********");
    let overview = json(&broker, "GET", "/api/overview", "");
    assert_eq!(overview["node"], "hare@burrow");
    assert_eq!(json(&broker, "GET", "/api/nodes/hare@burrow", "")["mem_limit"], 1_000_000_000);
    let options = ConnectOptions {
        response: b"\0admin\0s3cret".to_vec(),
        vhost: "orders".to_owned(),
        ..ConnectOptions::default()
    };
    let client = RawClient::connect(broker.address(), &options);
    drop(client);
    let text = broker.http("GET", "/api/config/effective", &[], "").unwrap().body;
    assert!(text.contains("heartbeat = 12  # ") && !text.contains("s3cret"), "{text}");
    assert!(!broker.log().iter().any(|line| line.contains("s3cret")));
}

#[test]
fn plugins_that_are_not_enabled_do_not_listen() {
    let directory = directory("plugins");
    let file = write(&directory, "enabled_plugins", "[rabbitmq_prometheus, rabbitmq_shovel].");
    let broker = BrokerProcess::start_configured(
        LEVERET,
        &[],
        &[("RABBITMQ_ENABLED_PLUGINS_FILE", file.to_str().unwrap())],
        true,
    );
    assert!(TcpStream::connect(broker.management()).is_err());
    assert!(TcpStream::connect(broker.prometheus()).is_ok());
    assert!(broker.has_logged("plugins that do not exist here: rabbitmq_shovel"));
    let plugins = &json(&broker, "GET", "/api/leveret/configuration", "")["plugins"];
    assert_eq!(plugins["absent"], serde_json::json!(["rabbitmq_shovel"]));
}

#[test]
fn unknown_variables_are_listed_in_one_line() {
    let environment =
        [("RABBITMQ_NODENAM", "secret"), ("RABBITMQ_DIST_PORT", "25672"), ("RABBITMQ_QUIRK_OF_OURS", "x")];
    let broker = BrokerProcess::start_configured(LEVERET, &[], &environment, false);
    let line =
        "unknown environment variables: RABBITMQ_NODENAM (did you mean RABBITMQ_NODENAME), RABBITMQ_QUIRK_OF_OURS";
    assert!(broker.has_logged(line), "{:?}", broker.log());
    assert!(broker.has_logged("environment variables without effect here: RABBITMQ_DIST_PORT"));
}

#[test]
fn outputs_of_the_log_that_are_no_files_make_none() {
    for (place, says) in [("exchange:", None), ("syslog:", Some("log.syslog")), ("journald:", Some("log.journald"))] {
        let broker = BrokerProcess::start_configured(LEVERET, &[], &[("RABBITMQ_LOGS", place)], false);
        let listed = says.map(|key| format!("configuration keys without effect here: {key}"));
        assert!(listed.is_none_or(|line| broker.has_logged(&line)), "{:?}", broker.log());
        assert_eq!(setting(&broker, says.unwrap_or("log.exchange"))["value"], "true");
        assert!(!std::path::Path::new(place).exists());
    }
}

#[test]
fn the_pid_file_is_there_while_it_runs() {
    let file = directory("pid").join("leveret.pid");
    let environment = [("RABBITMQ_PID_FILE", file.to_str().unwrap())];
    let mut broker = BrokerProcess::start_configured(LEVERET, &[], &environment, false);
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), broker.pid().unwrap().to_string());
    assert!(broker.terminate().success());
    assert!(!file.exists());
}
