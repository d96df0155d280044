//! `check` and `dump`: they see what is there and change nothing. And how long recovery takes.

#![allow(clippy::unwrap_used, reason = "tests, in functions where clippy does not see it")]

mod broker;

use broker::*;
use std::sync::Arc;
use std::time::Instant;
use store::simulation::{Random, SimulatedDisk};
use store::{Append, Arena, ChunkPool, Disk, Lsn, Message, MessageParts, Owner, Store, SystemDisk};

/// A store with log, cold segments and blobs, whose process has been killed.
fn used(seed: u64) -> (Arc<SimulatedDisk>, Contents) {
    let disk = SimulatedDisk::new();
    let mut broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
    assert!(Workload::new(seed, 0).run(&mut broker, 350));
    broker.settle_down().unwrap();
    (disk.kill(), broker.oracle.now())
}

fn bytes_of(disk: &SimulatedDisk) -> Vec<(String, Option<Vec<u8>>)> {
    disk.names().unwrap().into_iter().map(|name| (name.clone(), disk.contents(&name))).collect()
}

#[test]
fn a_sound_store_is_found_sound_and_not_touched() {
    let mut all = String::new();
    for seed in 1..5 {
        let (disk, contents) = used(seed);
        let before = bytes_of(&disk);
        let report = store::check(&(disk.clone() as Arc<dyn Disk>)).unwrap();
        assert!(report.is_sound(), "seed {seed}: {report:?}");
        assert!(report.messages >= contents.messages.len() as u64 && report.records > 0);
        let mut lines = Vec::new();
        store::dump(&(disk.clone() as Arc<dyn Disk>), &mut lines).unwrap();
        all += &String::from_utf8(lines).unwrap();
        assert!(bytes_of(&disk) == before, "seed {seed}: something was written");
    }
    // Not every workload leaves all of them.
    for word in ["store.redb", "extent queue", "message queue", "settle queue", "cold-", "log ends at"] {
        assert!(all.contains(word), "{word}");
    }
}

#[test]
fn a_rotten_bit_is_found() {
    let mut found = 0;
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let (disk, _) = used(seed % 4);
        let mut names = disk.names().unwrap();
        names.retain(|name| name.starts_with("cold-") || name.starts_with("blob-"));
        let Some(name) = names.get(random.below(names.len() as u64) as usize) else { continue };
        let contents = disk.contents(name).unwrap();
        let first = if name.starts_with("cold-") { 4096 } else { 64 };
        let used: Vec<usize> = (first..contents.len()).filter(|at| contents[*at] != 0).collect();
        let at = used[random.below(used.len() as u64) as usize];
        disk.flip_bit(name, at as u64, random.below(8) as u8);
        let report = store::check(&(disk.clone() as Arc<dyn Disk>)).unwrap();
        // Records that nobody wants any more are in an index as well, and bodies of the dead are not.
        found += usize::from(!report.is_sound());
    }
    assert!(found > 20, "{found}");
}

#[test]
fn without_a_store_there_is_nothing_to_see() {
    let disk: Arc<dyn Disk> = SimulatedDisk::new();
    assert!(!store::check(&disk).unwrap().is_sound());
    let mut lines = Vec::new();
    store::dump(&disk, &mut lines).unwrap();
    assert_eq!(lines, b"there is no message store\n");
}

#[test]
fn a_log_without_its_manifest_is_refused() {
    let (disk, _) = used(1);
    disk.remove("store.redb").unwrap();
    let before = disk.operations();
    assert!(Store::open(disk.clone(), options(None), Lsn(0)).is_err());
    assert_eq!(disk.operations(), before, "nothing is touched");
}

#[test]
#[ignore = "measures recovery: cargo test --release -p store --test inspect -- --ignored --nocapture"]
fn recovery_of_a_full_segment_is_fast() {
    const MESSAGES: u64 = 300_000;
    let directory = tempfile::tempdir().unwrap();
    let disk: Arc<dyn Disk> = Arc::new(SystemDisk::open(directory.path()).unwrap());
    let mut opened = Store::open(disk.clone(), store::Options::default(), Lsn(0)).unwrap();
    let mut arena = Arena::new(ChunkPool::new(4));
    let names = store::names(b"", b"a queue");
    for seq in 0..MESSAGES {
        let parts = MessageParts { names: &names, header: b"a content header", persistent: true, entered_ms: 0 };
        let message = Message::store(&mut arena, parts, &[7; 100]);
        opened.store.log().append().message(Owner { quid: 1 + seq % 10, seq }, Append::default(), &message);
        if seq % 1000 == 0 {
            opened.writer.write().unwrap();
        }
    }
    opened.writer.write().unwrap();
    opened.writer.sync().unwrap();
    drop(opened);
    let started = Instant::now();
    let opened = Store::open(disk, store::Options::default(), Lsn(0)).unwrap();
    println!("{:?} for {:?}", started.elapsed(), opened.report);
    assert_eq!(opened.report.messages, MESSAGES);
}
