//! What shells and scripts do to commands: pipes that close, names with odd characters, directories that are not there.

use crate::{BINARY, Fixture, run};
use std::path::Path;
use std::process::{Command, Stdio};
use testkit::{QueueDeclare, RawClient};

#[test]
fn a_reader_who_has_gone_changes_nothing_of_a_command() {
    let fixture = Fixture::start();
    let unread = |tool: &str, arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(fixture.broker.data_dir().join(tool));
        command.args(arguments).env("LEVERET_DATA_DIR", fixture.broker.data_dir());
        let output = command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(unread("rabbitmqctl", &["list_users"]), (Some(0), String::new()));
    assert_eq!(unread("rabbitmq-plugins", &["list"]), (Some(0), String::new()));
    assert_eq!(unread("rabbitmqadmin", &["--help"]), (Some(0), String::new()));
    // The banner comes first, and what it announces is done all the same.
    assert_eq!(unread("rabbitmqctl", &["add_vhost", "v"]), (Some(0), String::new()));
    assert_eq!(fixture.output_of(&["-s", "list_vhosts"]), "/\nv\n");
    let failed = unread("rabbitmqctl", &["delete_vhost", "nope"]);
    assert_eq!(failed, (Some(65), "Virtual host 'nope' does not exist\n".to_owned()));
}

#[test]
fn texts_of_clients_are_shown_as_they_are() {
    let fixture = Fixture::start();
    let mut client = RawClient::connect(fixture.broker.address(), &Default::default());
    client.open_channel(1);
    client.declare(1, QueueDeclare::new("a\tb\\c\"d").argument("x-a", "t\tb\\c\"d\n"));
    let list =
        |formatter: &str| fixture.output_of(&["-s", "list_queues", "name", "arguments", "--formatter", formatter]);
    assert_eq!(list("table"), "a\tb\\c\"d\t[{\"x-a\",\"t\\tb\\\\c\\\"d\\n\"}]\n");
    let row = "\"a\tb\\c\"\"d\",\"[{\"\"x-a\"\",\"\"t\\tb\\\\c\\\"\"d\\n\"\"}]\"\n";
    assert_eq!(list("csv"), format!("\"name\",\"arguments\"\n{row}"));
    let rows: serde_json::Value = serde_json::from_str(&list("json")).expect("JSON");
    assert_eq!(rows[0]["arguments"]["x-a"], "t\tb\\c\"d\n");
}

#[test]
fn manual_pages_go_into_a_new_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let pages = directory.path().join("share/man1");
    let output = run(Path::new(BINARY), directory.path(), &["man", &pages.display().to_string()]);
    assert!(output.status.success(), "{output:?}");
    assert!(pages.read_dir().expect("it is there").count() > 1);
}
