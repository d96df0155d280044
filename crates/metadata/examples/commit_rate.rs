//! How fast declares become durable: `cargo run --release -p metadata --example commit_rate -- DIRECTORY`.
//!
//! DIRECTORY must not exist yet and decides which disk is measured; it is removed in the end. Every figure is a mean over
//! the seconds or the number of changes below.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use std::{env, fs};

use amqp::FieldValue;
use metadata::{BindingDefinition, Change, Journal, QueueDefinition, RedbJournal, Store, Token};

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
    let mut quid = 0;
    for in_flight in [1, 10, 100, 1000] {
        let (journal, durable) = start(directory)?;
        let (began, first) = (Instant::now(), quid);
        let (mut commits, mut reached) = (0u64, 0);
        let mut last = Token::default();
        while began.elapsed() < RUN {
            while last.0 < reached + in_flight {
                last = journal.propose(vec![declare(quid)]);
                quid += 1;
            }
            reached = durable.recv()?.0;
            commits += 1;
        }
        journal.shutdown();
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{in_flight:5} declares in flight: {:7.0} commits/s {:8.0} declares/s",
            commits as f64 / seconds,
            (quid - first) as f64 / seconds
        );
    }
    let (journal, durable) = start(directory)?;
    let began = Instant::now();
    for n in 0..BACKLOG {
        journal.propose(vec![declare(quid + n), bind(quid + n)]);
    }
    let proposed = began.elapsed();
    while durable.recv()?.0 < BACKLOG {}
    let per_second = BACKLOG as f64 / began.elapsed().as_secs_f64();
    println!(
        "{BACKLOG} declares with a binding each at once: {per_second:.0} /s, {:.0} ns to propose one",
        proposed.as_nanos() as f64 / BACKLOG as f64
    );
    journal.shutdown();
    reopen(directory)
}

fn reopen(directory: &Path) -> Result<(), Box<dyn Error>> {
    let bytes = fs::metadata(directory.join("metadata.redb"))?.len();
    let began = Instant::now();
    let (_store, snapshot, _) = Store::open(directory)?;
    println!(
        "reopened in {:.0} ms: {} queues, {} bindings, file of {:.1} MB",
        began.elapsed().as_secs_f64() * 1e3,
        snapshot.queues.len(),
        snapshot.bindings.len(),
        bytes as f64 / 1e6
    );
    Ok(())
}

fn start(directory: &Path) -> Result<(RedbJournal, Receiver<Token>), Box<dyn Error>> {
    let (store, _, _) = Store::open(directory)?;
    let (sender, durable) = mpsc::channel();
    let on_durable = move |token| {
        sender.send(token).ok(); // nobody listens any more once the run is over
    };
    let journal = store.start(on_durable, |error| eprintln!("{error}"))?;
    Ok((journal, durable))
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
