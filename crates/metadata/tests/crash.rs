//! kill -9 while writing the log and its checkpoint: whatever was called durable is there, and nothing by halves.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

#[path = "support/file_log.rs"]
mod file_log;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use amqp::FieldValue;
use file_log::FileLog;
use metadata::{
    BindingDefinition, Change, Definitions, GlobalParameterDefinition, Journal, LogJournal, QueueDefinition, Snapshot,
    Store,
};

const DIRECTORY: &str = "LEVERET_TEST_CRASH_DIRECTORY";
const ROUNDS: u64 = 12;
/// The most proposals between two syncs of the log, so that a kill finds several of them not yet durable.
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

/// What a start finds: the store, the log, the definitions, and the last position that the file contains.
fn open(directory: &Path) -> (LogJournal, Arc<FileLog>, Snapshot, u64) {
    let (store, snapshot, applied) = Store::open(directory).unwrap();
    let (log, records) = FileLog::open(&directory.join("log")).unwrap();
    let (snapshot, pending) = LogJournal::replay(snapshot, records, applied).unwrap();
    let log = Arc::new(log);
    (LogJournal::start(store, log.clone(), pending).unwrap(), log, snapshot, applied)
}

/// Writes until it is killed; run by the test below as a process of its own.
#[test]
#[ignore = "the child of survives_kill_9, which runs it; cargo test -p metadata --test crash"]
fn child() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let (journal, log, snapshot, _) = open(Path::new(&directory));
    let journal = Arc::new(journal);
    let checkpointed = journal.clone();
    thread::spawn(move || {
        loop {
            checkpointed.checkpoint(checkpointed.durable()).unwrap();
            thread::park_timeout(Duration::from_millis(1));
        }
    });
    let (mut n, mut out) = (last(&snapshot), std::io::stdout());
    for line in 0.. {
        for _ in 0..=line % IN_FLIGHT {
            n += 1;
            journal.propose(group(n));
        }
        log.sync().unwrap();
        writeln!(out, "durable {n}").unwrap();
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
    let (mut written, mut contained) = (0, 0);
    for round in 0..ROUNDS {
        // A different moment each round, from the first syncs to some thousand proposals.
        let durable = write_and_kill(directory.path(), 1 + round * round);
        let (_journal, _log, snapshot, applied) = open(directory.path());
        let last = last(&snapshot);
        assert!(last >= durable, "round {round}: {durable} was called durable, a start finds {last}");
        // The line that says so may have been cut short, and the sync after it under way.
        assert!(last <= durable + 2 * IN_FLIGHT, "round {round}: a start finds more than was proposed");
        for n in written + 1..=last {
            group(n).into_iter().for_each(|change| model.apply(change));
        }
        written = last;
        assert_eq!(snapshot, Snapshot::from(model.clone()), "round {round}");
        assert!(applied >= contained, "round {round}: the checkpoint was at {contained}, and is at {applied}");
        contained = applied;
    }
    assert!(written > 0 && contained > 0);
}
