//! kill -9 while writing: whatever was called durable is there, and nothing is there by halves.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

use amqp::FieldValue;
use metadata::{
    BindingDefinition, Change, Definitions, GlobalParameterDefinition, Journal, QueueDefinition, Snapshot, Store,
};

const DIRECTORY: &str = "LEVERET_TEST_CRASH_DIRECTORY";
const ROUNDS: u64 = 12;
/// Proposals that may wait for their commit, so that a kill finds several of them in one transaction.
const IN_FLIGHT: u64 = 50;

/// The group of changes number `n`; the last of them says that the whole group is there.
fn group(n: u64) -> Vec<Change> {
    let name = |n: u64| format!("queue {}", n % 37);
    let queue = QueueDefinition {
        quid: n,
        vhost: "/".into(),
        name: name(n),
        durable: true,
        arguments: [("n".to_owned(), FieldValue::I64(n as i64))].into_iter().collect(),
        ..QueueDefinition::default()
    };
    let binding = BindingDefinition {
        vhost: "/".into(),
        source: "amq.direct".into(),
        destination: name(n),
        routing_key: n.to_string(),
        ..BindingDefinition::default()
    };
    let value = FieldValue::I64(n as i64);
    vec![
        Change::PutQueue(queue),
        Change::PutBinding(binding),
        Change::DeleteQueue { vhost: "/".into(), name: name(n * 7 + 3) },
        Change::PutGlobalParameter(GlobalParameterDefinition { name: "last".into(), value }),
    ]
}

fn last(snapshot: &Snapshot) -> u64 {
    match snapshot.global_parameters.first().map(|parameter| &parameter.value) {
        None => 0,
        Some(FieldValue::I64(n)) => *n as u64,
        Some(other) => panic!("the last group is {other:?}"),
    }
}

/// Writes until it is killed; run by the test below as a process of its own.
#[test]
#[ignore = "the child of survives_kill_9"]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let (store, snapshot, _) = Store::open(Path::new(&directory)).unwrap();
    let (durable, committed) = mpsc::channel();
    let journal = store.start(move |token| durable.send(token).unwrap(), |error| panic!("{error}")).unwrap();
    let (start, mut out) = (last(&snapshot), std::io::stdout());
    for n in 1.. {
        let token = journal.propose(group(start + n));
        assert_eq!(token.0, n);
        let mut durable = journal.durable().0;
        while durable + IN_FLIGHT < n {
            durable = committed.recv().unwrap().0;
        }
        for token in committed.try_iter() {
            durable = token.0;
        }
        writeln!(out, "durable {}", start + durable).unwrap();
        out.flush().unwrap();
    }
}

fn spawn(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets a child write until it has announced `lines` times, kills it, and answers the last number it called durable.
fn write_and_kill(directory: &Path, lines: u64) -> u64 {
    let mut child = spawn(directory);
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    let announced = |line: std::io::Result<String>| line.ok()?.split_once("durable ")?.1.parse::<u64>().ok();
    let mut durable = output.by_ref().filter_map(announced).take(lines as usize).last().unwrap();
    child.kill().unwrap(); // SIGKILL
    // What it had said before it died counts too, but for a line cut short.
    let rest: Vec<_> = output.map_while(Result::ok).collect();
    for line in rest.iter().rev().skip(1).rev() {
        durable = durable.max(announced(Ok(line.clone())).unwrap_or(0));
    }
    child.wait().unwrap();
    durable
}

#[test]
fn survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let mut model = Definitions::default();
    let mut applied = 0;
    for round in 0..ROUNDS {
        // A different moment each round, from the first commits to some thousand changes.
        let durable = write_and_kill(directory.path(), 1 + round * round * 7);
        let (_store, snapshot, _) = Store::open(directory.path()).unwrap();
        let last = last(&snapshot);
        assert!(last >= durable, "round {round}: {durable} was called durable, the file ends at {last}");
        assert!(last <= durable + 2 * IN_FLIGHT, "round {round}: the file holds more than was proposed");
        for n in applied + 1..=last {
            group(n).into_iter().for_each(|change| model.apply(change));
        }
        applied = last;
        assert_eq!(snapshot, Snapshot::from(model.clone()), "round {round}");
    }
    assert!(applied > 0);
}
