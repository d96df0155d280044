//! Commands around a deployment: maintenance, listeners, backup, the configuration, the log and events.

use crate::{BINARY, Fixture, run};
use std::io::Read;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::{BrokerProcess, ConnectOptions, QueueDeclare, RawClient, pause};

/// What a command prints on both, and its exit code.
fn all_of(output: &std::process::Output) -> (String, String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

#[test]
fn a_drained_node_has_no_clients_until_it_is_revived() {
    let fixture = Fixture::start();
    let mut client = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    let upgrade = |arguments: &[&str]| all_of(&fixture.tool("rabbitmq-upgrade", arguments));
    assert_eq!(upgrade(&["-q", "drain"]), (String::new(), String::new(), Some(0)));
    assert_eq!(client.expect_close(0).text, "CONNECTION_FORCED - Node was put into maintenance mode");
    assert!(fixture.output_of(&["status"]).contains("Is under maintenance?: true"));
    assert_eq!(upgrade(&["drain"]).2, Some(0), "a second time changes nothing");
    assert_eq!(upgrade(&["-q", "revive"]), (String::new(), String::new(), Some(0)));
    assert!(fixture.output_of(&["status"]).contains("Is under maintenance?: false"));
    RawClient::connect(fixture.broker.address(), &ConnectOptions::default()).close();
}

#[test]
fn suspended_listeners_are_in_no_list() {
    let fixture = Fixture::start();
    let address = fixture.broker.address();
    let port = address.port().to_string();
    let check = || fixture.tool("rabbitmq-diagnostics", &["-q", "check_port_listener", &port]).status.code();
    let mut client = RawClient::connect(address, &ConnectOptions::default());
    client.open_channel(1);
    fixture.output_of(&["suspend_listeners"]);
    assert!(TcpStream::connect(address).is_err());
    assert_eq!(check(), Some(69));
    client.assert_alive(1);
    fixture.output_of(&["resume_listeners"]);
    assert_eq!(check(), Some(0));
    RawClient::connect(address, &ConnectOptions::default()).close();
}

#[test]
fn a_backup_is_made_by_a_command_and_restored_by_another() {
    let fixture = Fixture::start();
    let mut client = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.declare(1, QueueDeclare { durable: true, ..QueueDeclare::new("kept") });
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (backup, data) = (path("backup"), path("data"));

    let made = fixture.output_of(&["backup", &backup]);
    assert!(made.contains(&format!("are in {backup}")) && made.contains(" bytes "), "{made}");
    let again = fixture.ctl(&["backup", &backup]);
    assert_eq!(again.status.code(), Some(69));
    assert!(String::from_utf8_lossy(&again.stderr).contains("not empty"));
    let own = run(Path::new(BINARY), fixture.broker.data_dir(), &["backup", "-q", "--to", &path("other")]);
    assert!(own.status.success() && own.stderr.is_empty(), "{own:?}");

    let restored = run(Path::new(BINARY), directory.path(), &["restore", "-q", "--from", &backup, "--to", &data]);
    assert!(restored.status.success() && restored.stderr.is_empty(), "{restored:?}");
    let used = run(Path::new(BINARY), directory.path(), &["restore", "--from", &backup, "--to", &data]);
    assert!(!used.status.success());
    let other = Fixture::of(BrokerProcess::start_in(Path::new(&data), BINARY, &[]));
    assert_eq!(other.output_of(&["-s", "list_queues", "name"]), "kept\n");
}

#[test]
fn what_a_reload_has_changed_is_said_in_words() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("rabbitmq.conf");
    let write = |text: &str| std::fs::write(&file, text).expect("a file");
    write("heartbeat = 60\n");
    let shown = file.display().to_string();
    let fixture = Fixture::of(BrokerProcess::start_configured(BINARY, &["--config", &shown], &[], false));
    assert_eq!(fixture.output_of(&["-q", "reload"]), "Nothing has changed\n");
    write("heartbeat = 30\nleveret.reactors = 3\nmqtt.vhost = x\n");
    let expected = "In force now: heartbeat\nAfter a restart: leveret.reactors\nWithout effect here: mqtt.vhost\n";
    assert_eq!(fixture.output_of(&["-q", "reload"]), expected);
    write("heartbeat = often\nframe_max = many\n");
    let (output, errors, code) = all_of(&fixture.ctl(&["-q", "reload"]));
    assert_eq!((output.as_str(), code), ("", Some(78)), "{errors}");
    assert!(errors.contains(&format!("{shown}:1")) && errors.contains(&format!("{shown}:2")), "{errors}");
    // Nothing of it is in force.
    let environment = fixture.output_of(&["-q", "environment"]);
    assert!(environment.contains("heartbeat = 30"), "{environment}");
}

#[test]
fn the_log_is_shown_and_its_level_changes() {
    let fixture = Fixture::start();
    let diagnostics = |arguments: &[&str]| all_of(&fixture.tool("rabbitmq-diagnostics", arguments));
    let (lines, errors, code) = diagnostics(&["-q", "log_tail", "-N", "2"]);
    assert_eq!((lines.lines().count(), errors.as_str(), code), (2, "", Some(0)), "{lines}");
    assert!(lines.contains("Server startup complete"), "{lines}");

    let connect = || RawClient::connect(fixture.broker.address(), &ConnectOptions::default()).close();
    let mentions = |what: &str| diagnostics(&["-q", "log_tail", "-N", "50"]).0.matches(what).count();
    fixture.output_of(&["-q", "set_log_level", "connection", "error"]);
    let before = mentions("accepting AMQP connection");
    connect();
    assert_eq!(mentions("accepting AMQP connection"), before);
    fixture.output_of(&["-q", "set_log_level", "debug"]);
    connect();
    assert!(mentions("accepting AMQP connection") > before);
    let (_, errors, code) = all_of(&fixture.ctl(&["set_log_level", "nosuch", "info"]));
    assert_eq!(code, Some(69));
    assert!(errors.contains("there is no category `nosuch`"), "{errors}");
}

#[test]
fn a_new_file_of_the_log_is_begun() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("leveret.log");
    let shown = file.display().to_string();
    let fixture =
        Fixture::start_with(&[("log.file", &shown), ("log.console", "true"), ("log.file.rotation.count", "2")]);
    fixture.output_of(&["-q", "rotate_logs"]);
    let is_log = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("leveret.log");
    let count = std::fs::read_dir(directory.path()).expect("a directory").flatten().filter(is_log).count();
    assert_eq!(count, 2, "the new one and the one before");
}

/// Runs a command that prints as things happen, does `work` once it has begun, and says what it printed.
fn while_streaming(fixture: &Fixture, command: &[&str], work: impl FnOnce(&Fixture)) -> String {
    let mut child = Command::new(fixture.broker.data_dir().join("rabbitmq-diagnostics"))
        .args(command)
        .env("LEVERET_DATA_DIR", fixture.broker.data_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command runs");
    pause(Duration::from_millis(700));
    work(fixture);
    let mut printed = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut printed).expect("UTF-8");
    assert!(child.wait().expect("an end").success());
    printed
}

#[test]
fn log_and_events_are_printed_as_they_come() {
    let fixture = Fixture::start();
    let work = |fixture: &Fixture| drop(fixture.output_of(&["-q", "add_user", "streamed", "secret"]));
    let printed = while_streaming(&fixture, &["-q", "consume_event_stream", "-d", "4"], work);
    let created = printed.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut created = created.filter(|event| event["event"] == "user.created");
    assert!(created.any(|event| event["name"] == "streamed"), "{printed}");
    assert!(!printed.contains("secret"), "{printed}");

    let work = |fixture: &Fixture| drop(fixture.output_of(&["-q", "delete_user", "streamed"]));
    let printed = while_streaming(&fixture, &["-q", "log_tail_stream", "--duration", "4"], work);
    assert!(printed.contains("streamed"), "{printed}");
}

#[test]
fn a_report_has_all_virtual_hosts_and_no_passwords() {
    let fixture = Fixture::start_with(&[("default_pass", "hidden-secret")]);
    for vhost in ["one", "two"] {
        fixture.output_of(&["-q", "add_vhost", vhost]);
    }
    let report = fixture.output_of(&["report"]);
    for part in
        ["Status of node", "Cluster status of node", "Listing queues for vhost one", "Listing queues for vhost two"]
    {
        assert!(report.contains(part), "{part} is not in\n{report}");
    }
    assert!(!report.contains("hidden-secret"));
}

#[test]
fn a_reader_who_has_had_enough_is_no_error() {
    let fixture = Fixture::start();
    let script = format!("{} report | head -1", fixture.rabbitmqctl.display());
    let output = Command::new("sh")
        .args(["-c", &script])
        .env("LEVERET_DATA_DIR", fixture.broker.data_dir())
        .output()
        .expect("a shell");
    assert_eq!(all_of(&output).1, "");
}
