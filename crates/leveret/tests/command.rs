//! The command: how it starts, what keeps it from starting, how it stops, and what is there when it starts again.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use testkit::{
    BrokerProcess, CloseScope, ConnectOptions, ExchangeDeclare, QueueDeclare, RawClient, free_address, method,
};

const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");
const STARTED: &str = "Server startup complete";

fn leveret() -> Command {
    let mut command = Command::new(std::env::var_os("LEVERET_BIN").unwrap_or_else(|| LEVERET.into()));
    command.stdin(Stdio::null());
    command
}

/// An empty directory for one test.
fn directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("command").join(test);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

fn connect(address: SocketAddr) -> RawClient {
    let mut client = RawClient::connect(address, &ConnectOptions::default());
    client.open_channel(1);
    client
}

/// Checks that `leveret` refuses to start, in one line that has all of `words`.
#[track_caller]
fn check_refused(command: &mut Command, words: &[&str]) {
    check_exit(command, 1, words);
}

/// The same for a wrong configuration, which has an exit code of its own as in RabbitMQ.
#[track_caller]
fn check_misconfigured(command: &mut Command, words: &[&str]) {
    check_exit(command, 78, words);
}

#[track_caller]
fn check_exit(command: &mut Command, code: i32, words: &[&str]) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    let message = stderr.strip_suffix('\n').unwrap_or(&stderr);
    assert_eq!(status.code(), Some(code), "{stderr}");
    assert!(message.starts_with("error: ") && !message.contains('\n'), "not one line: {stderr}");
    assert!(words.iter().all(|word| message.contains(word)), "{words:?} in: {message}");
    assert_eq!(String::from_utf8_lossy(&stdout), "");
}

#[test]
fn startup_is_logged_once() {
    let broker = BrokerProcess::start(LEVERET, &[]);
    connect(broker.address());
    let log = broker.log();
    assert_eq!(log.iter().filter(|line| line.contains(STARTED)).count(), 1, "{log:?}");
}

#[test]
fn only_a_hang_up_without_a_close_is_logged_as_unexpected() {
    const UNEXPECTED: &str = "unexpectedly closed";
    let broker = BrokerProcess::start(LEVERET, &[]);
    connect(broker.address()).close();
    connect(broker.address()).close();
    drop(connect(broker.address()));
    assert!(broker.has_logged(UNEXPECTED), "a client that just vanishes is");
    assert_eq!(broker.log().iter().filter(|line| line.contains(UNEXPECTED)).count(), 1);
}

#[test]
fn a_wrong_setting_is_named() {
    for (setting, words) in [
        ("heartbaet=30", &["--set", "unknown key `heartbaet`", "`heartbeat`"][..]),
        ("heartbeat=often", &["--set", "bad value `often` for `heartbeat`", "0 to 65535"]),
        ("listeners.tcp.default=nowhere:5672", &["`nowhere:5672`", "`listeners.tcp.default`"]),
        ("heartbeat", &["--set", "expected KEY = VALUE", "`heartbeat`"]),
    ] {
        check_misconfigured(leveret().args(["--set", setting]), words);
        check_misconfigured(leveret().args(["server", "--set", setting]), words);
    }
}

#[test]
fn the_store_commands_want_a_directory() {
    for command in ["check", "dump"] {
        let Output { status, stderr, .. } = leveret().args(["store", command]).output().unwrap();
        assert_eq!(status.code(), Some(2), "a mistake in the command line");
        assert!(String::from_utf8(stderr).unwrap().contains("<DIR>"));
    }
    let Output { status, stderr, .. } = leveret().arg("store").output().unwrap();
    assert_eq!(status.code(), Some(2));
    let usage = String::from_utf8(stderr).unwrap();
    assert!(usage.contains("check") && usage.contains("dump"), "{usage}");
}

#[test]
fn a_wrong_line_of_the_file_is_named() {
    let file = directory("a_wrong_line").join("broker.conf");
    std::fs::write(&file, "# fine\nheartbeat = 30\n\nheartbaet = 30\n").unwrap();
    let place = format!("{}:4", file.display());
    check_misconfigured(leveret().arg("--config").arg(&file), &[&place, "unknown key `heartbaet`"]);

    let missing = file.with_file_name("missing.conf");
    check_misconfigured(leveret().arg("--config").arg(&missing), &["cannot read", &missing.display().to_string()]);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = leveret();
    command.arg("--data-dir").arg(directory("a_port_in_use"));
    command.arg("--set").arg(format!("listeners.tcp.default={address}"));
    check_refused(&mut command, &["cannot listen", &address, "in use"]);
}

#[test]
fn a_permission_that_is_no_pattern_is_named() {
    let free = free_address().unwrap();
    let mut command = leveret();
    command.arg("--data-dir").arg(directory("a_permission"));
    command.args(["--set", &format!("listeners.tcp.default={free}"), "--set", "default_permissions.read=("]);
    check_refused(&mut command, &["bad value `(`", "`default_permissions.read`"]);
}

#[test]
fn a_locked_data_directory_is_named() {
    let broker = BrokerProcess::start(LEVERET, &[]);
    let mut command = leveret();
    command.arg("--data-dir").arg(broker.data_dir());
    command.arg("--set").arg(format!("listeners.tcp.default={}", free_address().unwrap()));
    let (directory, pid) = (broker.data_dir().display().to_string(), broker.pid().unwrap().to_string());
    check_refused(&mut command, &[&directory, "in use", &pid]);
    connect(broker.address());
}

#[test]
fn keys_without_effect_are_listed_in_one_line() {
    let broker = BrokerProcess::start(LEVERET, &[("management.delegate_count", "5"), ("mqtt.vhost", "/")]);
    let log = broker.log();
    let lines: Vec<_> = log.iter().filter(|line| line.contains("without effect")).collect();
    assert_eq!(lines.len(), 1, "{log:?}");
    assert!(lines[0].ends_with("management.delegate_count, mqtt.vhost"), "{}", lines[0]);
}

fn check_stops_cleanly(signal: &str) {
    let mut broker = BrokerProcess::start(LEVERET, &[]);
    let mut client = connect(broker.address());
    let pid = broker.pid().unwrap().to_string();
    assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    let close = client.expect_close(0);
    assert_eq!((close.scope, close.code), (CloseScope::Connection, 320));
    assert_eq!(close.text, "CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'");
    client.expect_eof();
    assert!(broker.wait().success());
}

#[test]
fn sigterm_closes_connections_and_ends_with_success() {
    check_stops_cleanly("TERM");
}

#[test]
fn sigint_closes_connections_and_ends_with_success() {
    check_stops_cleanly("INT");
}

#[test]
fn a_client_that_does_not_answer_does_not_keep_it_from_stopping() {
    let mut broker = BrokerProcess::start(LEVERET, &[]);
    let _silent = connect(broker.address());
    let _without_a_word = RawClient::open(broker.address(), Duration::from_secs(10));
    assert!(broker.terminate().success());
}

/// Declares one of everything; what is durable ends in `-durable`.
fn declare(client: &mut RawClient) {
    for durable in [true, false] {
        let name = |what: &str| format!("{what}-{}", if durable { "durable" } else { "transient" });
        let (exchange, queue) = (name("exchange"), name("queue"));
        let (mut declare_exchange, mut declare_queue) =
            (ExchangeDeclare::new(&exchange, "direct"), QueueDeclare::new(&queue).argument("x-max-length", 7));
        if durable {
            (declare_exchange, declare_queue) = (declare_exchange.durable(), declare_queue.durable());
        }
        client.call(1, declare_exchange);
        client.call(1, declare_queue);
        client.call(1, method::queue_bind(&queue, &exchange, "key", &Vec::new()));
    }
    client.call(1, QueueDeclare::new("deleted-durable").durable());
    client.call(1, method::queue_delete("deleted-durable", false, false));
}

/// Checks that what is durable is there, works, and has its arguments, and that nothing else is there.
fn check_what_is_left(client: &mut RawClient) {
    client.call(1, ExchangeDeclare::new("exchange-durable", "direct").durable());
    client.call(1, QueueDeclare::new("queue-durable").durable().argument("x-max-length", 7));
    client.publish(1, "exchange-durable", "key", "through the binding");
    let purged = client.call(1, method::queue_purge("queue-durable"));
    assert_eq!(purged.reader().long(), 1, "messages that came through the binding");
    for (channel, queue) in [(2, "queue-transient"), (3, "deleted-durable")] {
        client.open_channel(channel);
        client.send(channel, QueueDeclare::passive(queue));
        let close = client.expect_close(channel);
        assert_eq!((close.code, close.text), (404, format!("NOT_FOUND - no queue '{queue}' in vhost '/'")));
    }
    client.open_channel(4);
    client.send(4, ExchangeDeclare::passive("exchange-transient"));
    assert_eq!(client.expect_close(4).code, 404);
}

#[test]
fn what_is_durable_survives_a_restart() {
    let mut broker = BrokerProcess::start(LEVERET, &[]);
    declare(&mut connect(broker.address()));
    broker.restart();
    check_what_is_left(&mut connect(broker.address()));
}

/// An answered declaration is on disk, so ending at once loses nothing, however soon it comes.
#[test]
fn what_is_durable_survives_a_kill() {
    let mut broker = BrokerProcess::start(LEVERET, &[]);
    declare(&mut connect(broker.address()));
    for _ in 0..3 {
        broker.kill_9();
        broker.launch();
        check_what_is_left(&mut connect(broker.address()));
    }
}

/// A broker started without the testkit, to start it with other settings on the same data.
struct Started(Child);

impl Started {
    fn new(data: &Path, address: SocketAddr, settings: &[&str]) -> Started {
        let mut command = leveret();
        command.arg("--data-dir").arg(data).args(["--set", &format!("listeners.tcp.default={address}")]);
        command.args(["--set", "leveret.management=false", "--set", "leveret.prometheus=false"]);
        command.args(settings.iter().flat_map(|setting| ["--set", setting]));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stdout.take().unwrap());
        let broker = Started(child);
        let mut lines = log.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains(STARTED)), "the broker does not start");
        // Somebody has to read on, or the broker could not log.
        std::thread::spawn(move || lines.for_each(drop));
        broker
    }

    fn stop(mut self) {
        assert!(Command::new("kill").arg(self.0.id().to_string()).status().unwrap().success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_default_user_is_made_once_and_survives() {
    let data = directory("the_default_user");
    let address = free_address().unwrap();
    let settings =
        ["default_user=alice", "default_pass=first", "default_vhost=shop", "default_permissions.configure=^a-"];
    Started::new(&data, address, &settings).stop();

    // Other defaults change nothing on a node that has its users.
    let _broker = Started::new(&data, address, &["default_user=bob", "default_pass=second"]);
    let options = ConnectOptions { vhost: "shop".to_owned(), ..ConnectOptions::default().user("alice", "first") };
    let mut client = RawClient::connect(address, &options);
    client.open_channel(1);
    client.call(1, QueueDeclare::new("a-queue"));
    client.send(1, QueueDeclare::new("b-queue"));
    let close = client.expect_close(1);
    assert_eq!(
        close.text,
        "ACCESS_REFUSED - configure access to queue 'b-queue' in vhost 'shop' refused for user 'alice'"
    );
    for user in ["bob", "guest"] {
        let mut client = RawClient::logged_in(address, &ConnectOptions::default().user(user, "second"));
        assert_eq!(client.expect_close(0).code, 403, "{user} does not exist");
    }
}

/// What an operator was told is done stays done.
#[test]
fn users_and_permissions_survive_a_kill() {
    let mut broker = BrokerProcess::start(LEVERET, &[]);
    for arguments in [
        &["add_vhost", "shop"][..],
        &["add_user", "alice", "secret"],
        &["set_permissions", "-p", "shop", "alice", "^a-", ".*", ".*"],
    ] {
        let mut ctl = leveret();
        ctl.arg("ctl").args(arguments).env("LEVERET_DATA_DIR", broker.data_dir());
        let Output { status, stderr, .. } = ctl.output().unwrap();
        assert!(status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&stderr));
    }
    broker.kill_9();
    broker.launch();
    let options = ConnectOptions { vhost: "shop".to_owned(), ..ConnectOptions::default().user("alice", "secret") };
    let mut client = RawClient::connect(broker.address(), &options);
    client.open_channel(1);
    client.call(1, QueueDeclare::new("a-queue"));
    client.send(1, QueueDeclare::new("b-queue"));
    assert_eq!(client.expect_close(1).code, 403);
}
