//! How fast declares become durable: `cargo run --release -p metadata --example commit_rate -- DIRECTORY`.
//!
//! DIRECTORY must not exist yet and decides which disk is measured; it is removed in the end. The log is a plain file,
//! synced when all declares in flight have been proposed. Every figure is a mean over the seconds or the number of changes
//! below.

#[path = "../tests/support/file_log.rs"]
mod file_log;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use amqp::FieldValue;
use file_log::FileLog;
use metadata::{BindingDefinition, Change, ChangeLog, Journal, LogJournal, QueueDefinition, Store};

const RUN: Duration = Duration::from_secs(3);
const BACKLOG: u64 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = PathBuf::from(env::args_os().nth(1).ok_or("which directory?")?);
    fs::create_dir(&directory)?;
    let result = measure(&directory);
    fs::remove_dir_all(&directory)?;
    result
}

fn measure(directory: &Path) -> Result<(), Box<dyn Error>> {
    for in_flight in [1, 10, 100, 1000] {
        declare_for_a_while(&directory.join(in_flight.to_string()), in_flight)?;
    }
    let directory = &directory.join("backlog");
    let (journal, log) = start(directory)?;
    let began = Instant::now();
    for quid in 0..BACKLOG {
        journal.propose(vec![declare(quid), bind(quid)]);
    }
    let proposed = began.elapsed();
    log.sync()?;
    println!(
        "{BACKLOG} declares with a binding each at once: {:.0} /s, {:.0} ns to propose one",
        BACKLOG as f64 / began.elapsed().as_secs_f64(),
        proposed.as_nanos() as f64 / BACKLOG as f64
    );
    drop((journal, log));
    checkpoint(directory)?;
    reopen(directory)
}

fn declare_for_a_while(directory: &Path, in_flight: u64) -> Result<(), Box<dyn Error>> {
    let (journal, log) = start(directory)?;
    let (began, mut declares) = (Instant::now(), 0);
    while began.elapsed() < RUN {
        for _ in 0..in_flight {
            journal.propose(vec![declare(declares)]);
            declares += 1;
        }
        log.sync()?;
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{in_flight:5} declares in flight: {:7.0} syncs/s {:8.0} declares/s",
        (declares / in_flight) as f64 / seconds,
        declares as f64 / seconds
    );
    Ok(journal.shutdown()?)
}

/// A start with the backlog in the log alone, and its checkpoint.
fn checkpoint(directory: &Path) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let (journal, log) = start(directory)?;
    let (started, changes) = (began.elapsed(), journal.pending());
    let began = Instant::now();
    journal.checkpoint(log.durable())?;
    println!(
        "started in {:.0} ms with {changes} changes of the log, checkpointed in {:.0} ms",
        started.as_secs_f64() * 1e3,
        began.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

fn reopen(directory: &Path) -> Result<(), Box<dyn Error>> {
    let bytes = fs::metadata(directory.join("metadata.redb"))?.len();
    let began = Instant::now();
    let (_store, snapshot, _) = Store::open(directory)?;
    println!(
        "checkpoint opened in {:.0} ms: {} queues, {} bindings, file of {:.1} MB",
        began.elapsed().as_secs_f64() * 1e3,
        snapshot.queues.len(),
        snapshot.bindings.len(),
        bytes as f64 / 1e6
    );
    Ok(())
}

fn start(directory: &Path) -> Result<(LogJournal, Arc<FileLog>), Box<dyn Error>> {
    let (store, snapshot, applied) = Store::open(directory)?;
    let (log, records) = FileLog::open(&directory.join("log"))?;
    let (_, pending) = LogJournal::replay(snapshot, records, applied)?;
    let log = Arc::new(log);
    Ok((LogJournal::start(store, log.clone(), pending)?, log))
}

fn declare(quid: u64) -> Change {
    Change::PutQueue(QueueDefinition {
        quid,
        vhost: "/".to_owned(),
        name: format!("a queue of the measurement {quid}"),
        durable: true,
        auto_delete: false,
        arguments: [("x-message-ttl".to_owned(), FieldValue::I32(60_000))].into_iter().collect(),
    })
}

fn bind(quid: u64) -> Change {
    Change::PutBinding(BindingDefinition {
        vhost: "/".to_owned(),
        source: "amq.topic".to_owned(),
        destination: format!("a queue of the measurement {quid}"),
        routing_key: format!("key.{quid}.#"),
        ..BindingDefinition::default()
    })
}
