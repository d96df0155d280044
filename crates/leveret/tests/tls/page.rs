//! docs/tls.md: its commands are run, and a broker starts with each of its configurations.

use crate::BINARY;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use testkit::{BrokerProcess, free_address};

/// Where the page has the files.
const FILES: &str = "/etc/rabbitmq/tls";

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Commands,
    Configuration,
}

/// The blocks of code of a page.
fn blocks(page: &str) -> Vec<(Kind, String)> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((_, begun)) = rest.split_once("\n```") {
        let (language, begun) = begun.split_once('\n').unwrap();
        let (text, after) = begun.split_once("\n```").unwrap();
        let kind = match language {
            "sh" => Kind::Commands,
            "ini" => Kind::Configuration,
            other => panic!("no test for a block of {other:?}"),
        };
        found.push((kind, text.to_owned()));
        rest = after;
    }
    found
}

/// A folder with the page's files and commands, and a broker of its last configuration.
struct Walk {
    directory: tempfile::TempDir,
    broker: Option<BrokerProcess>,
    /// The page's port for TLS, and the one that is free.
    port: (&'static str, String),
}

impl Walk {
    fn configure(&mut self, text: &str) {
        self.broker = None;
        let address = free_address().unwrap();
        self.port = (if text.contains("15671") { "15671" } else { "5671" }, address.port().to_string());
        let path = self.directory.path().display().to_string();
        let mut settings: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            let (key, value) = line.split_once(" = ").unwrap_or_else(|| panic!("no key and value: {line}"));
            let value = match key {
                "listeners.tcp.default" => continue,
                "listeners.ssl.default" => address.to_string(),
                "management.ssl.port" => self.port.1.clone(),
                _ => value.replace(FILES, &path),
            };
            settings.push((key.to_owned(), value));
        }
        if text.contains("management") {
            settings.push(("management.ssl.ip".to_owned(), address.ip().to_string()));
            settings.push(("leveret.management".to_owned(), "true".to_owned()));
        }
        let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (&**key, &**value)).collect();
        self.broker = Some(BrokerProcess::start(BINARY, &settings));
    }

    fn run(&self, text: &str) {
        let text = text.replace(&format!("localhost:{}", self.port.0), &format!("localhost:{}", self.port.1));
        let tools = self.directory.path().join("tools");
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        // A command behind `!` has to fail, which -e does not look at.

        let script = text.replace("\n! ", "\nmust_fail ");
        shell.args(["-ec", &format!("must_fail() {{ if \"$@\"; then exit 99; fi; }}\n{script}")]);
        shell.current_dir(self.directory.path()).env("PATH", path).stdin(Stdio::null());
        if let Some(broker) = &self.broker {
            shell.env("LEVERET_DATA_DIR", broker.data_dir());
        }
        let output = shell.output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success(), "{}\n{text}\n{said}", output.status);
        if text.contains("s_client") {
            assert!(said.contains("Verify return code: 0 (ok)"), "{text}\n{said}");
        }
    }
}

#[test]
fn the_commands_and_configurations_of_the_page_work() {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: there is no openssl");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("docs/tls.md")).unwrap();
    let blocks = blocks(&page);
    let mut walk = Walk { directory: tempfile::tempdir().unwrap(), broker: None, port: ("5671", String::new()) };
    let tools = walk.directory.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    std::fs::create_dir(walk.directory.path().join("crl")).unwrap();
    let binary = std::env::var_os("LEVERET_BIN").map_or_else(|| PathBuf::from(BINARY), PathBuf::from);
    std::os::unix::fs::symlink(binary, tools.join("rabbitmqctl")).unwrap();
    for (kind, text) in &blocks {
        match kind {
            Kind::Commands => walk.run(text),
            Kind::Configuration => walk.configure(text),
        }
    }
    assert!(blocks.len() >= 10, "{}", blocks.len());
}
