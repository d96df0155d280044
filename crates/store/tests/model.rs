//! The store against a model, without crashes: what was published and not removed is there, whatever has been retired,
//! compacted and read between; and after the process was killed or the store was closed.

mod broker;

use broker::*;
use store::Disk;
use store::simulation::{Random, SimulatedDisk};

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

/// Damage to one bit loses the messages in it at most, and is reported.
#[test]
fn a_rotten_bit_loses_only_what_it_is_in() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let disk = SimulatedDisk::new();
        let mut broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
        assert!(Workload::new(seed, 0).run(&mut broker, 250));
        broker.settle_down().unwrap();
        let (before, checkpoint) = (broker.oracle.now(), broker.shared.checkpoint.lock().unwrap().clone());
        let disk = disk.kill();
        drop(broker);
        let names: Vec<String> =
            disk.names().unwrap().into_iter().filter(|name| !name.starts_with("store.redb")).collect();
        let name = &names[random.below(names.len() as u64) as usize];
        let len = disk.contents(name).unwrap().len() as u64;
        // Headers of files are not messages: what is wrong with them is refused by name.
        disk.flip_bit(name, 4096 + random.below(len - 4096), random.below(8) as u8);
        let mut broker =
            Broker::open(&disk, checkpoint, None).unwrap_or_else(|error| panic!("seed {seed}, {name}: {error}"));
        let (found, lost) = broker.read_what_is_left();
        let reported = lost > 0 || !broker.report.damage.is_empty() || broker.report.torn_bytes > 0;
        assert!(found.messages == before.messages || reported, "seed {seed}, {name}: unnoticed");
        let wrong =
            found.messages.iter().filter(|(key, known)| before.messages.get(key).is_some_and(|k| k.0 != known.0));
        assert_eq!(wrong.count(), 0, "seed {seed}, {name}");
    }
}
