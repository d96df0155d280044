//! The command line against a running broker: what it prints, its exit codes, and what it does to clients.

mod application;
mod connections;
mod delayed;
mod golden;
mod http;
mod limits;
mod messages;
mod policies;
mod socket;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use testkit::BrokerProcess;

const BINARY: &str = env!("CARGO_BIN_EXE_leveret");

/// A broker, and the binary under the name `rabbitmqctl`.
struct Fixture {
    broker: BrokerProcess,
    rabbitmqctl: PathBuf,
}

impl Fixture {
    fn start() -> Fixture {
        Fixture::start_with(&[])
    }

    /// A broker with these keys of rabbitmq.conf.
    fn start_with(settings: &[(&str, &str)]) -> Fixture {
        let broker = BrokerProcess::start(BINARY, settings);
        let rabbitmqctl = broker.data_dir().join("rabbitmqctl");
        std::os::unix::fs::symlink(BINARY, &rabbitmqctl).expect("a link in the data directory");
        Fixture { broker, rabbitmqctl }
    }

    /// Runs `rabbitmqctl` with these arguments.
    fn ctl(&self, arguments: &[&str]) -> Output {
        run(&self.rabbitmqctl, self.broker.data_dir(), arguments)
    }

    /// Its standard output, once it has succeeded without a word on standard error.
    #[track_caller]
    fn output_of(&self, arguments: &[&str]) -> String {
        let output = self.ctl(arguments);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && errors.is_empty(), "{arguments:?}: {} {errors}", output.status);
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }
}

fn run(program: &Path, data_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).env("LEVERET_DATA_DIR", data_dir).stdin(Stdio::null());
    command.output().expect("the command runs")
}
