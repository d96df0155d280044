//! `rabbitmqadmin` beside the original, where that is installed: the same commands, the same answers.

use crate::Fixture;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const ORIGINAL: &str = "/usr/bin/rabbitmqadmin";

/// Commands in their order; each is run by both, the second time after what the first has changed is undone.
const CHANGES: [(&str, &str); 9] = [
    ("declare vhost name=v", "delete vhost name=v"),
    ("declare user name=u password=p tags=management", "delete user name=u"),
    ("declare permission vhost=/ user=guest configure=.* write=.* read=.*", "list permissions"),
    ("declare queue name=a/b durable=true arguments={\"x-max-length\":5}", "delete queue name=a/b"),
    ("declare exchange name=e type=topic", "delete exchange name=e"),
    ("declare binding source=amq.topic destination=kept routing_key=a.#", "list bindings"),
    ("declare policy name=p pattern=^q definition={\"max-length\":3} priority=2", "delete policy name=p"),
    ("declare vhost_limit vhost=/ name=max-queues value=100", "delete vhost_limit vhost=/ name=max-queues"),
    (
        "declare parameter component=vhost-limits name=limits value={\"max-queues\":50}",
        "delete parameter component=vhost-limits name=limits",
    ),
];

/// Commands that change nothing, or the same each time.
const LOOKS: [&str; 27] = [
    "list queues",
    "list queues name messages durable arguments",
    "-f tsv list queues name vhost",
    "-q -f tsv list queues name vhost",
    "-f long list exchanges name type",
    "-f kvp list exchanges name type",
    "-f bash list exchanges",
    "-f pretty_json list vhosts name",
    "-f raw_json list users name",
    "-S name -R list exchanges name",
    "-V / list bindings",
    "list policies",
    "list parameters",
    "list nodes name type",
    "list connections",
    "show overview rabbitmq_version cluster_name",
    "publish routing_key=kept payload=hello",
    "publish routing_key=nowhere payload=hello",
    "purge queue name=kept",
    "get queue=kept ackmode=ack_requeue_false",
    "purge queue name=kept",
    "delete queue name=nothing",
    "declare queue",
    "declare nonsense name=x",
    "declare queue name",
    "nonsense",
    "list nonsense",
];

fn ours(fixture: &Fixture, command: &str) -> Output {
    run(&fixture.broker.data_dir().join("rabbitmqadmin"), fixture, command)
}

fn run(program: &Path, fixture: &Fixture, command: &str) -> Output {
    let address = fixture.broker.management();
    let mut process = Command::new(program);
    process.args(["-H", "127.0.0.1", "-P", &address.port().to_string()]).args(command.split(' '));
    // Nobody's own configuration file.
    process.env("HOME", fixture.broker.data_dir()).stdin(Stdio::null()).output().expect("the command runs")
}

fn text(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&all).replace(ORIGINAL, "rabbitmqadmin")
}

#[test]
fn objects_are_declared_listed_and_deleted() {
    let fixture = Fixture::start_with_http();
    let said = |command: &str| text(&ours(&fixture, command));
    assert_eq!(said("declare queue name=kept durable=true"), "queue declared\n");
    assert_eq!(said("-q declare queue name=other"), "");
    assert_eq!(said("publish routing_key=kept payload=hello"), "Message published\n");
    let table = "+-------+----------+\n| name  | messages |\n+-------+----------+\n| kept  | 1        |\n| other | 0        |\n+-------+----------+\n";
    assert_eq!(said("list queues"), table);
    assert!(said("get queue=kept ackmode=ack_requeue_false").contains("hello"));
    assert_eq!(said("delete queue name=other"), "queue deleted\n");
    assert_eq!(said("delete queue name=other"), "*** Not found: /api/queues/%2F/other\n\n");
    assert_eq!(ours(&fixture, "delete queue name=other").status.code(), Some(1));
    assert_eq!(said("-p wrong list queues"), "*** Access refused: /api/queues?columns=name,messages\n\n");
    let file = fixture.broker.data_dir().join("definitions.json").display().to_string();
    assert!(said(&format!("export {file}")).starts_with("Exported definitions for 127.0.0.1 to "));
    assert!(said(&format!("import {file}")).starts_with("Uploaded definitions from "));
    assert!(said("help subcommands").contains("declare queue name=... [auto_delete=... durable=... arguments=..."));
}

#[test]
fn the_original_says_the_same() {
    if !Path::new(ORIGINAL).exists() {
        return;
    }
    let fixture = Fixture::start_with_http();
    assert_eq!(text(&ours(&fixture, "declare queue name=kept durable=true")), "queue declared\n");
    let mut different = Vec::new();
    let mut compare = |command: &str, own: &Output, original: &Output| {
        // Where the original falls over in Python, there is nothing to compare but the failure.
        let fell_over = String::from_utf8_lossy(&original.stderr).contains("Traceback");
        let same = if fell_over { !own.status.success() } else { text(own) == text(original) };
        if !same || own.status.code() != original.status.code() {
            different.push(format!("{command}\n--- ours\n{}--- original\n{}", text(own), text(original)));
        }
    };
    for (change, undo) in CHANGES {
        let own = (ours(&fixture, change), ours(&fixture, undo));
        let original = (run(Path::new(ORIGINAL), &fixture, change), run(Path::new(ORIGINAL), &fixture, undo));
        compare(change, &own.0, &original.0);
        compare(undo, &own.1, &original.1);
    }
    for command in LOOKS {
        compare(command, &ours(&fixture, command), &run(Path::new(ORIGINAL), &fixture, command));
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}
