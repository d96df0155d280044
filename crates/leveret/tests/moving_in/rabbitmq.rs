//! `leveret import` from a real RabbitMQ, where one is installed.

use crate::{LEVERET, Running, get, import, succeeds};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use testkit::{BrokerProcess, ConnectOptions, Properties, Publish, RawClient, free_address, pause};

const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// A RabbitMQ with the management plugin, or `None` where it is not installed.
fn start(directory: &Path) -> Option<(Running, SocketAddr, SocketAddr)> {
    if !Path::new(SERVER).exists() {
        eprintln!("skipped: there is no {SERVER}");
        return None;
    }
    let [amqp, http, distribution, epmd] = std::array::from_fn(|_| free_address().unwrap());
    let file = |name: &str, text: String| {
        std::fs::write(directory.join(name), text).unwrap();
        directory.join(name)
    };
    let plugins = file("plugins", "[rabbitmq_management].\n".to_owned());
    let configuration = file(
        "rabbitmq.conf",
        format!(
            "listeners.tcp.default = {amqp}\nmanagement.tcp.ip = {}\nmanagement.tcp.port = {}\n",
            http.ip(),
            http.port()
        ),
    );
    let mut command = Command::new(SERVER);
    command
        .env("HOME", directory)
        .env("RABBITMQ_NODENAME", format!("moving-{}@localhost", std::process::id()))
        .env("RABBITMQ_MNESIA_BASE", directory.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", directory.join("log"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", plugins)
        .env("RABBITMQ_CONFIG_FILE", configuration)
        .env("RABBITMQ_DIST_PORT", distribution.port().to_string())
        .env("ERL_EPMD_PORT", epmd.port().to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let running = Running(command.spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(120);
    while !request(http, "GET", "/api/overview", "").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
        assert!(Instant::now() < deadline, "RabbitMQ does not start");
        pause(Duration::from_millis(200));
    }
    Some((running, amqp, http))
}

fn request(address: SocketAddr, method: &str, path: &str, body: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let length = body.len();
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn a_rabbitmq_moves_in() {
    let directory = tempfile::tempdir().unwrap();
    let Some((_running, amqp, http)) = start(directory.path()) else { return };
    let put = |path: &str, body: &str| {
        let answer = request(http, "PUT", path, body).unwrap();
        assert!(answer.starts_with("HTTP/1.1 20"), "{path}: {answer}");
    };
    put("/api/vhosts/shop", "{}");
    put("/api/permissions/shop/guest", r#"{"configure":".*","write":".*","read":".*"}"#);
    put("/api/users/clerk", r#"{"password":"p","tags":"monitoring"}"#);
    put("/api/queues/shop/classic", r#"{"durable":true,"arguments":{"x-max-priority":5}}"#);
    put("/api/queues/shop/quorum", r#"{"durable":true,"arguments":{"x-queue-type":"quorum"}}"#);
    put("/api/queues/shop/stream", r#"{"durable":true,"arguments":{"x-queue-type":"stream"}}"#);
    put("/api/policies/shop/p", r#"{"pattern":"^c","definition":{"max-length":9000},"apply-to":"queues"}"#);
    let options = ConnectOptions { vhost: "shop".into(), ..ConnectOptions::default() };
    let mut client = RawClient::connect(amqp, &options);
    client.open_channel(1);
    client.confirm_select(1);
    for number in 0..500 {
        let queue = if number % 2 == 0 { "classic" } else { "quorum" };
        let properties = Properties::default().persistent().header("n", number);
        client.publish_with(1, Publish::new("", queue), &properties, number.to_string());
    }
    client.expect_all_confirmed(1, 500);

    let to = BrokerProcess::start(LEVERET, &[]);
    let url = format!("http://guest:guest@{http}");
    let port = amqp.port().to_string();
    let arguments = ["--from", &url, "--amqp-port", &port, "--messages", "--quorum-as", "classic", "--yes"];
    let output = succeeds(import(&to, &to.data_dir().join("state"), &arguments));
    for line in [
        "quorum queue 'quorum' in vhost 'shop': a durable classic queue",
        "stream 'stream' in vhost 'shop': a durable classic queue",
        "messages of 'stream' in vhost 'shop' stay",
        "500 messages of 2 queues moved",
    ] {
        assert!(output.contains(line), "{line} in: {output}");
    }
    let mut client = RawClient::connect(to.address(), &options);
    client.open_channel(1);
    for (queue, first) in [("classic", 0), ("quorum", 1)] {
        let expected: Vec<String> = (0..250).map(|number| (first + 2 * number).to_string()).collect();
        assert_eq!(client.drain(1, queue), expected, "{queue}");
    }
    assert_eq!(get(&to, "/api/policies/shop")[0]["name"], "p");
    assert!(get(&to, "/api/users").as_array().unwrap().iter().any(|user| user["name"] == "clerk"));
}
