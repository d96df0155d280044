//! The store against a model, without crashes: what was published and not removed is there, whatever has been retired,
//! compacted and read between; and after the process was killed or the store was closed.

#![allow(clippy::unwrap_used, reason = "tests, in functions where clippy does not see it")]

mod broker;

use broker::*;
use store::Disk;
use store::simulation::{Random, Sabotage, SimulatedDisk};

#[test]
fn the_store_contains_what_the_model_contains() {
    let mut cold_segments = 0;
    for seed in 0..6 {
        let disk = SimulatedDisk::new();
        let mut broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
        assert!(broker.report.is_new);
        let mut workload = Workload::new(seed, 0);
        for _ in 0..10 {
            assert!(workload.run(&mut broker, 100), "seed {seed}");
            broker.settle_down().unwrap();
            assert!(broker.read_all().unwrap() == broker.expected(), "seed {seed}");
        }
        cold_segments += disk.names().unwrap().iter().filter(|name| name.starts_with("cold-")).count();
    }
    assert!(cold_segments > 6, "{cold_segments} cold segments");
}

#[test]
fn a_killed_process_loses_nothing_that_was_written() {
    for seed in 0..10 {
        let mut disk = SimulatedDisk::new();
        let mut checkpoint = Checkpoint::default();
        for run in 0..3 {
            let mut broker = Broker::open(&disk, checkpoint, None).unwrap();
            let found = broker.read_all().unwrap();
            broker.begin(found);
            Workload::new(seed * 10 + run, run).run(&mut broker, 200);
            broker.writer.write().unwrap();
            broker.writer.sync().unwrap();
            let now = broker.oracle.now();
            checkpoint = broker.shared.checkpoint.lock().unwrap().clone();
            disk = disk.kill();
            let mut broker = Broker::open(&disk, checkpoint.clone(), None).unwrap();
            assert!(!broker.report.clean && broker.report.damage.is_empty());
            assert!(broker.read_all().unwrap() == now, "seed {seed}, run {run}");
            disk = disk.kill();
        }
    }
}

#[test]
fn a_drained_store_gives_its_files_back() {
    let disk = SimulatedDisk::new();
    let mut broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
    let mut workload = Workload::new(7, 0);
    assert!(workload.run(&mut broker, 1000));
    broker.settle_down().unwrap();
    assert!(broker.store.disk_bytes().cold_bytes > 0);
    broker.remove_everything();
    broker.settle_down().unwrap();
    let used = broker.store.disk_bytes();
    assert_eq!((used.cold_bytes, used.blob_bytes), (0, 0), "{:?}", disk.names());
    assert!(!disk.names().unwrap().iter().any(|name| name.starts_with("cold-") || name.starts_with("blob-")));
}

/// Damages one bit of a store and opens it: what can still be read must be right, and what cannot must be reported.
fn rot(seed: u64, sabotage: Option<Sabotage>) -> Result<(), String> {
    let mut random = Random::new(seed);
    let disk = SimulatedDisk::new();
    let mut broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
    assert!(Workload::new(seed, 0).run(&mut broker, 350));
    broker.settle_down().unwrap();
    // A later batch that says that all before was durable: the last one cannot be told from one that was torn.
    broker.shared.log.append().delivered(u64::MAX, 1);
    broker.settle_down().unwrap();
    let (before, checkpoint) = (broker.oracle.now(), broker.shared.checkpoint.lock().unwrap().clone());
    let disk = disk.kill();
    drop(broker);
    let mut names = disk.names().unwrap();
    names.retain(|name| !name.starts_with("store.redb"));
    let name = &names[random.below(names.len() as u64) as usize];
    let contents = disk.contents(name).unwrap();
    // Headers of files are not messages: a file whose header is wrong is refused by name. And most bytes are zeros.
    let used: Vec<usize> = (4096..contents.len()).filter(|at| contents[*at] != 0).collect();
    let Some(at) = used.get(random.below(used.len() as u64) as usize) else { return Ok(()) };
    disk.flip_bit(name, *at as u64, random.below(8) as u8);
    let place = format!("seed {seed}, byte {at} of {name}");
    let mut broker = Broker::open(&disk, checkpoint, sabotage).map_err(|error| format!("{place}: {error}"))?;
    let (found, lost) = broker.read_what_is_left().map_err(|what| format!("{place}: {what}"))?;
    let reported = lost > 0 || !broker.report.damage.is_empty();
    if found.messages != before.messages && !reported {
        return Err(format!("{place}: unnoticed"));
    }
    let missing = before.messages.keys().filter(|key| !found.messages.contains_key(key)).count();
    let is_wrong =
        |(key, known): (&(u64, u64), &Known)| before.messages.get(key).is_some_and(|other| other.0 != known.0);
    match (missing, found.messages.iter().any(is_wrong)) {
        (_, true) => Err(format!("{place}: a message is another")),
        // A bit in the headers of a batch takes the batch along.
        (missing, _) if broker.report.damage.is_empty() && missing > 8 => {
            Err(format!("{place}: {missing} are missing"))
        }
        _ => Ok(()),
    }
}

#[test]
fn a_rotten_bit_loses_only_what_it_is_in() {
    for seed in 0..80 {
        rot(seed, None).unwrap();
    }
}

#[test]
fn a_store_that_ignores_checksums_is_found_out() {
    assert!((0..80).any(|seed| rot(seed, Some(Sabotage::NoChecksum)).is_err()));
}
