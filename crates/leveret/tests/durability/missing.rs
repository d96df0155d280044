//! Files of the message store that somebody took away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use testkit::BrokerProcess;

use crate::support::{BINARY, bodies, connect, declare, numbers, publish, start};

fn store(command: &str, data_dir: &Path) -> Output {
    Command::new(BINARY).args(["store", command]).arg(data_dir).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The files of the log, and what is in them.
fn log_files(data_dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(data_dir.join("messages")).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("log-"));
    files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

/// A broker that has ended with three messages in its queue, and its data directory.
fn closed_in_order() -> (BrokerProcess, PathBuf) {
    let mut broker = start();
    let mut client = connect(&broker);
    declare(&mut client, &["q"]);
    publish(&mut client, "", "q", &numbers(0..3));
    assert!(broker.terminate().success());
    let data_dir = broker.data_dir().to_owned();
    (broker, data_dir)
}

/// To begin anew would lose what was confirmed, and what the files have, should they be found again.
#[test]
fn a_log_whose_files_are_missing_is_refused() {
    let (mut broker, data_dir) = closed_in_order();
    let files = log_files(&data_dir);
    files.iter().for_each(|(path, _)| fs::remove_file(path).unwrap());

    let missing = "no file of the message store has segment 1 of the log";
    let checked = store("check", &data_dir);
    assert!(!checked.status.success() && text(&checked.stderr).contains(missing), "{checked:?}");
    // It would not end if it started.
    let refused = Command::new("timeout")
        .args(["20", BINARY, "server", "--set", "leveret.management=false", "--set", "leveret.prometheus=false"])
        .arg("--set")
        .arg(format!("listeners.tcp.default={}", broker.address()))
        .arg("--data-dir")
        .arg(&data_dir)
        .output()
        .unwrap();
    assert!(refused.status.code() == Some(1) && text(&refused.stderr).contains(missing), "{refused:?}");
    assert_eq!(log_files(&data_dir), [], "nothing is made in their place");

    files.iter().for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    assert!(store("check", &data_dir).status.success());
    broker.launch();
    assert_eq!(bodies(&mut connect(&broker), "q"), numbers(0..3));
}

#[test]
fn what_is_lost_can_be_given_up() {
    let (mut broker, data_dir) = closed_in_order();
    assert!(text(&store("accept-loss", &data_dir).stdout).contains("no segment of the log is missing"));
    log_files(&data_dir).iter().for_each(|(path, _)| fs::remove_file(path).unwrap());
    assert!(text(&store("accept-loss", &data_dir).stdout).contains("log segment 1 is given up"));
    broker.launch();
    assert!(broker.log().iter().any(|line| line.contains("[error]") && line.contains("damaged")), "{:?}", broker.log());
    // It goes on behind what is lost.
    let mut client = connect(&broker);
    assert_eq!(client.message_count(1, "q"), 0);
    publish(&mut client, "", "q", &numbers(3..6));
    broker.restart();
    assert_eq!(bodies(&mut connect(&broker), "q"), numbers(3..6));
}
