//! How a broker is configured: where settings come from, what is said about them, reading them again, and the log.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod command;
mod keys;
mod log;
mod reload;
mod start;
mod wrong;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use testkit::BrokerProcess;

const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");

/// An empty directory for one test.
fn directory(test: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("configuration").join(test);
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path
}

/// Runs the command; its exit code, standard output and standard error.
fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = Command::new(std::env::var_os("LEVERET_BIN").unwrap_or_else(|| LEVERET.into()));
    command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// A request that has to succeed, and its answer.
#[track_caller]
fn json(broker: &BrokerProcess, method: &str, path: &str, body: &str) -> Value {
    let answer = broker.http(method, path, &[], body).unwrap();
    assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
    serde_json::from_str(&answer.body).unwrap_or(Value::Null)
}

/// A setting of the running broker as `/api/leveret/configuration` has it.
#[track_caller]
fn setting(broker: &BrokerProcess, key: &str) -> Value {
    let all = json(broker, "GET", "/api/leveret/configuration", "");
    let settings = all["settings"].as_array().unwrap();
    settings.iter().find(|setting| setting["key"] == key).unwrap_or_else(|| panic!("{key} in {all}")).clone()
}
