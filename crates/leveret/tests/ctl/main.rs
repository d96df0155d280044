//! The command line against a running broker: what it prints, its exit codes, and what it does to clients.

mod admin;
mod application;
mod connections;
mod delayed;
mod doctor;
mod golden;
mod http;
mod limits;
mod maintenance;
mod messages;
mod operations;
mod policies;
mod secure;
mod shell;
mod socket;
mod strangers;
mod transport;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use testkit::BrokerProcess;

const BINARY: &str = env!("CARGO_BIN_EXE_leveret");

/// RabbitMQ's tools, which the binary is under their names.
const TOOLS: [&str; 7] = [
    "rabbitmqctl",
    "rabbitmq-diagnostics",
    "rabbitmq-queues",
    "rabbitmq-streams",
    "rabbitmq-plugins",
    "rabbitmq-upgrade",
    "rabbitmqadmin",
];

/// A broker, and the binary under the names of RabbitMQ's tools.
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
        Fixture::of(BrokerProcess::start(BINARY, settings))
    }

    /// A broker whose HTTP API is on the network, too.
    fn start_with_http() -> Fixture {
        Fixture::of(BrokerProcess::start_with_http(BINARY, &[]))
    }

    fn of(broker: BrokerProcess) -> Fixture {
        for tool in TOOLS {
            std::os::unix::fs::symlink(BINARY, broker.data_dir().join(tool)).expect("a link in the data directory");
        }
        let rabbitmqctl = broker.data_dir().join("rabbitmqctl");
        Fixture { broker, rabbitmqctl }
    }

    /// Runs a tool with these arguments.
    fn tool(&self, name: &str, arguments: &[&str]) -> Output {
        run(&self.broker.data_dir().join(name), self.broker.data_dir(), arguments)
    }

    /// The name of the node.
    fn node(&self) -> String {
        let answer = self.broker.http("GET", "/api/leveret/process", &[], "").expect("an answer");
        let process: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        process["node"].as_str().expect("a name").to_owned()
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
