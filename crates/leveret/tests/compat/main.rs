//! COMPAT.md, ARCHITECTURE.md and docs/configuration.md say what the code and its tables say.
//!
//! The parts between `<!-- generated: NAME -->` and `<!-- end -->` are written by
//! `LEVERET_BLESS=1 cargo test -p leveret --test compat`, and compared without that variable.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod keys;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use broker::errors::{CLUSTER_AND_STREAMS, ERROR_TABLE, ErrorRow, NEVER_SENT};

/// Why tests of the clients' own suites fail, by class, and the milestone that brings what they need.
const SUITE_FAILURES: &[(&[&str], &str, &str)] = &[
    (
        &["functional.Nack", "functional.Reject"],
        "declare a quorum queue, which is refused; they pass with `leveret.quorum_as_classic = true`",
        "cluster and streams",
    ),
    (
        &[
            "async_queue_proptests",
            "async_queue_tests",
            "async_stream_tests",
            "blocking_queue_proptests",
            "blocking_queue_tests",
            "blocking_stream_tests",
            "RabbitMQ HTTP API client PUT /queues/{vhost}/{queue} declares a queue",
        ],
        "declare quorum queues and streams, which are refused",
        "cluster and streams",
    ),
    (
        &["async_health_checks_tests", "blocking_health_checks_tests"],
        "ask for a listener of streams",
        "cluster and streams",
    ),
    (
        &["async_dynamic_shovel_tests", "blocking_dynamic_shovel_tests"],
        "wait for the queue that a running shovel declares; no shovel runs",
        "-",
    ),
    (
        &["RabbitMQ HTTP API client GET /api/federation-links/{vhost} when there are links returns the list of links"],
        "waits for a link, and no federation runs",
        "-",
    ),
    (
        &["RabbitMQ HTTP API client PUT /api/parameters/{component}/{vhost}/{name} when the parameter does not exist \
             creates the parameter"],
        "finds the upstream that the test of federation links leaves behind when it fails",
        "-",
    ),
    (
        &["server.LoopbackUsers"],
        "connects to an address that is not a loopback one, where the broker under test does not listen",
        "-",
    ),
];

#[test]
fn errors_not_sent_yet_are_listed() {
    let rows: Vec<_> = ERROR_TABLE.iter().filter_map(|row| Some((row, comes_with(row.issue?)?))).collect();
    let mut table = String::from("| code | text | when RabbitMQ sends it | comes with |\n|---|---|---|---|\n");
    for (row, milestone) in rows {
        table += &format!("| {} | {} | {} | {milestone} |\n", row.code.0, text(row), cell(row.condition));
    }
    check_generated("COMPAT.md", "errors not sent yet", &table);
}

#[test]
fn errors_never_sent_are_listed() {
    let mut table = String::from("| code | text | why not here |\n|---|---|---|\n");
    for row in ERROR_TABLE.iter().filter(|row| row.issue == Some(NEVER_SENT)) {
        table += &format!("| {} | {} | {} |\n", row.code.0, text(row), cell(row.condition));
    }
    check_generated("COMPAT.md", "errors never sent", &table);
}

#[test]
fn configuration_keys_are_listed() {
    check_generated("docs/configuration.md", "keys", &config::markdown_table());
}

#[test]
fn failing_tests_of_suites_are_explained() {
    let mut table = String::from("| suite | tests | fail | why | comes with |\n|---|---|---|---|---|\n");
    let mut unused: BTreeSet<&str> = SUITE_FAILURES.iter().flat_map(|(classes, ..)| *classes).copied().collect();
    for suite in ["amqp091-go", "amqplib", "java-client", "pika", "rabbit-hole", "rabbitmq-http-client"] {
        let mut classes: BTreeMap<String, usize> = BTreeMap::new();
        for line in read(&format!("clients/suites/{suite}/expected")).lines() {
            if let Some(test) = line.strip_prefix("fail ") {
                let class = test.rsplit_once(['.', '>', ':']).map_or(test, |(class, _)| class.trim_matches([' ', ':']));
                *classes.entry(class.to_owned()).or_default() += 1;
            }
        }
        for (class, count) in classes {
            let row = SUITE_FAILURES.iter().find(|(classes, ..)| classes.contains(&class.as_str()));
            let Some((_, why, milestone)) = row else { panic!("nothing here says why {class} of {suite} fails") };
            unused.remove(class.as_str());
            table += &format!("| {suite} | `{class}` | {count} | {why} | {milestone} |\n");
        }
    }
    assert!(unused.is_empty(), "they do not fail any more: {unused:?}");
    check_generated("COMPAT.md", "failing tests of suites", &table);
}

/// Every crate that one of ours names has its argument in ARCHITECTURE.md, and no other has.
#[test]
fn dependencies_are_argued() {
    let page = read("ARCHITECTURE.md");
    let argued: BTreeSet<String> = section(&page, "Dependencies")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| line.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2).map(str::to_owned))
        .collect();
    let ours: BTreeSet<String> =
        members().iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    let mut used = BTreeSet::new();
    for member in members() {
        let manifest = std::fs::read_to_string(member.join("Cargo.toml")).unwrap();
        used.extend(manifest.lines().filter_map(|line| line.strip_suffix(".workspace = true")).map(str::to_owned));
    }
    let package = ["version", "edition", "rust-version", "license", "publish"].map(str::to_owned);
    used.retain(|name| !ours.contains(name) && !package.contains(name));
    assert_eq!(argued, used);
}

fn members() -> Vec<PathBuf> {
    let crates = std::fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap().path());
    crates.filter(|path| path.join("Cargo.toml").exists()).chain([root().join("examples")]).collect()
}

/// The milestone that brings what an issue of the error table is about; `None` for what is never to come.
fn comes_with(issue: u32) -> Option<&'static str> {
    Some(match issue {
        NEVER_SENT => return None,
        4 => "queue features",
        6 => "operations",
        CLUSTER_AND_STREAMS => "cluster and streams",
        other => panic!("issue {other} has no name in COMPAT.md"),
    })
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[track_caller]
fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What stands below the heading `## TITLE`, up to the next of its level.
#[track_caller]
fn section<'a>(page: &'a str, title: &str) -> &'a str {
    let Some((_, rest)) = page.split_once(&format!("\n## {title}\n")) else { panic!("no section {title}") };
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

fn text(row: &ErrorRow) -> String {
    // Two backticks, because one of the texts has some of its own.
    let quotes = if row.template.contains('`') { "``" } else { "`" };
    format!("{quotes}{}{quotes}", cell(row.template))
}

fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// Compares the generated part `name` of `file` with `content`, or writes it where `LEVERET_BLESS` is set.
#[track_caller]
fn check_generated(file: &str, name: &str, content: &str) {
    // Several tests write parts of one page.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let page = read(file);
    let begin = format!("<!-- generated: {name} -->\n");
    let parts = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once("<!-- end -->")?)));
    let Some((before, (written, after))) = parts else { panic!("{file} has no part {begin}") };
    if std::env::var_os("LEVERET_BLESS").is_some() {
        let page = format!("{before}{begin}{content}<!-- end -->{after}");
        std::fs::write(root().join(file), page).unwrap();
    } else {
        let hint = "LEVERET_BLESS=1 cargo test -p leveret --test compat writes it";
        assert!(written == content, "`{name}` of {file} is not what the code says; {hint}");
    }
}
