//! Definitions at the start and as files, and moving in from another broker with its messages.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod boot;
mod files;
mod import;
mod rabbitmq;

use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use testkit::BrokerProcess;

const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");

fn leveret() -> Command {
    let mut command = Command::new(std::env::var_os("LEVERET_BIN").unwrap_or_else(|| LEVERET.into()));
    command.stdin(Stdio::null());
    command
}

/// `leveret import` into `to`.
fn import(to: &BrokerProcess, state: &Path, arguments: &[&str]) -> Command {
    let mut command = leveret();
    command.arg("--data-dir").arg(to.data_dir()).arg("import").args(arguments).arg("--state").arg(state);
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn succeeds(mut command: Command) -> String {
    let output = command.output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{:?}: {text}", output.status);
    text
}

#[track_caller]
fn fails(mut command: Command, code: i32, words: &[&str]) -> String {
    let output = command.output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(words.iter().all(|word| text.contains(word)), "{words:?} in: {text}");
    text
}

/// What a broker answers on its socket.
#[track_caller]
fn get(broker: &BrokerProcess, path: &str) -> Value {
    let answer = broker.http("GET", path, &[], "").unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_str(&answer.body).or_else(|_| serde_json::from_str(&unchunked(&answer.body))).unwrap()
}

/// A body in chunks, as a streamed one comes.
fn unchunked(body: &str) -> String {
    let (mut rest, mut whole) = (body, String::new());
    while let Some((length, tail)) = rest.split_once("\r\n") {
        let Ok(length @ 1..) = usize::from_str_radix(length, 16) else { break };
        whole.push_str(&tail[..length]);
        rest = tail[length..].strip_prefix("\r\n").unwrap_or_default();
    }
    whole
}

/// A process that is ended with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
