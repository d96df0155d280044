//! The socket: who may use it, and what a command says when nobody listens.

use crate::{BINARY, Fixture, run};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;
use testkit::pause;

#[test]
fn only_the_broker_s_own_user_may_connect() {
    let fixture = Fixture::start();
    let metadata = std::fs::metadata(fixture.broker.data_dir().join("leveret.sock")).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
}

#[test]
fn the_socket_goes_with_the_broker() {
    let mut fixture = Fixture::start();
    fixture.broker.terminate();
    assert!(!fixture.broker.data_dir().join("leveret.sock").exists());
    let output = fixture.ctl(&["list_users"]);
    assert_eq!(output.status.code(), Some(69));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.starts_with("Error: no broker runs with its data in "), "{errors}");
}

#[test]
fn a_socket_left_by_a_crash_is_replaced() {
    let mut fixture = Fixture::start();
    fixture.broker.kill_9();
    assert!(fixture.broker.data_dir().join("leveret.sock").exists());
    assert_eq!(fixture.ctl(&["ping"]).status.code(), Some(69));
    fixture.broker.launch();
    fixture.output_of(&["ping"]);
}

#[test]
fn what_a_command_changed_survives_a_kill() {
    let mut fixture = Fixture::start();
    for command in [
        &["add_user", "alice", "pw"][..],
        &["add_vhost", "v"],
        &["set_permissions", "-p", "v", "alice", "^a", ".*", ""],
        &["set_user_tags", "alice", "monitoring"],
    ] {
        fixture.output_of(command);
    }
    fixture.broker.kill_9();
    fixture.broker.launch();
    assert_eq!(fixture.output_of(&["-s", "list_users"]), "alice\t[monitoring]\nguest\t[administrator]\n");
    assert_eq!(fixture.output_of(&["-s", "list_permissions", "-p", "v"]), "alice\t^a\t.*\t\n");
    assert_eq!(fixture.output_of(&["-q", "authenticate_user", "alice", "pw"]), "Success\n");
}

#[test]
fn leveret_ctl_is_the_same_program() {
    let fixture = Fixture::start();
    let data_dir = fixture.broker.data_dir().to_str().unwrap().to_owned();
    let elsewhere = Path::new("/nonexistent");
    for arguments in [
        &["ctl", "-s", "list_users", "--data-dir", &data_dir][..],
        &["--data-dir", &data_dir, "ctl", "-s", "list_users"],
    ] {
        let output = run(Path::new(BINARY), elsewhere, arguments);
        assert_eq!(String::from_utf8(output.stdout).unwrap(), "guest\t[administrator]\n", "{arguments:?}");
    }
    let help = run(Path::new(BINARY), elsewhere, &["ctl", "add_user", "--help"]);
    assert!(String::from_utf8(help.stdout).unwrap().contains("leveret ctl [--node <node>]"));
}

#[test]
fn status_tells_what_the_broker_is() {
    let fixture = Fixture::start();
    let status = fixture.output_of(&["status"]);
    let address = fixture.broker.address();
    for line in [
        format!("OS PID: {}", fixture.broker.pid().unwrap()),
        format!("Interface: {}, port: {}, protocol: amqp, purpose: AMQP 0-9-1", address.ip(), address.port()),
        "Virtual host count: 1".to_owned(),
        "Queue count: 0".to_owned(),
    ] {
        assert!(status.contains(&line), "{line} is not in\n{status}");
    }
    assert!(!status.contains("Memory alarm on node"));
    fixture.output_of(&["set_vm_memory_high_watermark", "0.000000001"]);
    let raised = || fixture.output_of(&["status"]).contains("Memory alarm on node");
    let soon = |wanted: bool| {
        (0..100).any(|_| {
            raised() == wanted || {
                pause(Duration::from_millis(20));
                false
            }
        })
    };
    assert!(soon(true));
    let put = |body: &str| fixture.broker.http("PUT", "/api/leveret/memory-watermark", &[], body).expect("an answer");
    let refused = put(r#"{"relative":50}"#);
    assert!(refused.status == 400 && refused.body.contains("from 0.0 to 1.0"), "{} {}", refused.status, refused.body);
    assert_eq!(put(r#"{"relative":-0.1}"#).status, 400);
    fixture.output_of(&["set_vm_memory_high_watermark", "0.9"]);
    assert!(soon(false));
}
