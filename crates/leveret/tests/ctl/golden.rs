//! Transcripts: each `$` line is a command, what follows is what RabbitMQ's tool answers. A command that does not begin
//! with a tool's name is one of rabbitmqctl. The node is called rabbit@localhost, and its port for AMQP is 5672.
//!
//! Lines of standard error begin with `2> `, and an exit code that is not 0 ends the answer as `exit N`. The files were
//! written beside RabbitMQ 3.10.8; where the words differ here, the difference is in the file's head.

use crate::Fixture;

/// Splits at spaces; single quotes keep words together.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut current, mut quoted) = (Vec::new(), None::<String>, false);
    for character in line.chars() {
        match character {
            '\'' => {
                quoted = !quoted;
                current.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(current.take()),
            other => current.get_or_insert_default().push(other),
        }
    }
    words.extend(current);
    words
}

fn transcript(fixture: &Fixture, expected: &str) -> String {
    let mut actual = String::new();
    for line in expected.lines().take_while(|line| line.starts_with('#')) {
        actual.push_str(&format!(
            "{line}
"
        ));
    }
    for line in expected.lines() {
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let words = words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = match words.split_first() {
            Some((tool, rest)) if crate::TOOLS.contains(tool) => fixture.tool(tool, rest),
            _ => fixture.ctl(&words),
        };
        actual.push_str(&format!(
            "{line}
"
        ));
        actual.push_str(&String::from_utf8_lossy(&output.stdout));
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            actual.push_str(&format!("2> {line}\n"));
        }
        if let Some(code) = output.status.code().filter(|code| *code != 0) {
            actual.push_str(&format!("exit {code}\n"));
        }
    }
    let actual = actual
        .replace('\x1b', "ESC")
        .replace(&fixture.node(), "rabbit@localhost")
        .replace(&format!("port: {}", fixture.broker.address().port()), "port: 5672")
        .replace(&format!("ports {}", fixture.broker.address().port()), "ports 5672")
        .replace(&format!("ports: {}", fixture.broker.address().port()), "ports: 5672")
        .replace(&format!("\"port\":{}", fixture.broker.address().port()), "\"port\":5672")
        .replace(&format!("\"ports\":[{}]", fixture.broker.address().port()), "\"ports\":[5672]");
    crate::http::without_cluster_id(&actual)
}

#[track_caller]
fn check(name: &str) {
    let path = format!("{}/tests/ctl/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let actual = transcript(&Fixture::start(), &expected);
    if std::env::var_os("LEVERET_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, &actual).expect("the file can be written");
    }
    assert_eq!(expected, actual, "{path}; LEVERET_GOLDEN=write takes what came");
}

#[test]
fn users() {
    check("users");
}

#[test]
fn permissions() {
    check("permissions");
}

#[test]
fn vhosts_and_topology() {
    check("topology");
}

#[test]
fn mistakes() {
    check("mistakes");
}

#[test]
fn policies() {
    check("policies");
}

#[test]
fn parameters() {
    check("parameters");
}

#[test]
fn limits() {
    check("limits");
}

#[test]
fn vhosts() {
    check("vhosts");
}

#[test]
fn diagnostics() {
    check("diagnostics");
}

#[test]
fn formatters() {
    check("formatters");
}

#[test]
fn operations() {
    check("operations");
}

#[test]
fn administration() {
    check("administration");
}

#[test]
fn other_tools() {
    check("tools");
}
