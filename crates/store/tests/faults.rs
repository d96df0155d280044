//! Disks that refuse: a failed sync ends all promises, a full disk ends nothing.

#![allow(clippy::unwrap_used, reason = "tests, in functions where clippy does not see it")]

mod broker;

use broker::*;
use store::Lsn;
use store::simulation::{Random, SimulatedDisk};

#[test]
fn after_a_failed_sync_nothing_becomes_durable() {
    for seed in 0..20 * thoroughness() {
        let mut random = Random::new(seed);
        let disk = SimulatedDisk::new();
        let mut broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
        let mut workload = Workload::new(seed, 0);
        disk.fail_sync(1 + random.below(60));
        if workload.run(&mut broker, 400) {
            continue;
        }
        let durable = broker.store.log().durable();
        workload.run(&mut broker, 20);
        assert!(broker.writer.write().is_err() || broker.writer.sync().is_err(), "seed {seed}: not fenced");
        assert_eq!(broker.store.log().durable(), durable, "seed {seed}");
        let checkpoint = broker.shared.checkpoint.lock().unwrap().clone();
        let after = disk.crash(&mut random);
        let mut reopened = Broker::open(&after, checkpoint, None).unwrap();
        let found = reopened.read_all().unwrap_or_else(|what| panic!("seed {seed}: {what}"));
        broker.oracle.check(&found, durable).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}

#[test]
fn a_full_disk_loses_nothing_and_the_store_goes_on_when_there_is_room() {
    for seed in 0..12 * thoroughness() {
        let mut random = Random::new(seed);
        let disk = SimulatedDisk::new();
        let mut broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
        let mut workload = Workload::new(seed, 0);
        assert!(workload.run(&mut broker, random.below(200) as usize));
        for _ in 0..4 {
            disk.set_capacity(Some(disk.used_bytes() + random.below(3 << 20)));
            assert!(workload.run(&mut broker, 150), "seed {seed}: a full disk is no failure");
            assert!(broker.read_all().is_ok_and(|found| found == broker.expected()) || broker.store.log().is_full());
            disk.set_capacity(None);
            broker.store.space_came_back();
            assert!(workload.run(&mut broker, 50), "seed {seed}");
            broker.settle_down().unwrap();
            assert!(broker.read_all().unwrap() == broker.expected(), "seed {seed}");
        }
        let durable = broker.store.log().durable();
        let checkpoint = broker.shared.checkpoint.lock().unwrap().clone();
        let mut reopened = Broker::open(&disk.crash(&mut random), checkpoint, None).unwrap();
        let found = reopened.read_all().unwrap();
        broker.oracle.check(&found, durable).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}

#[test]
fn a_crash_of_a_full_disk_loses_nothing() {
    for seed in 0..20 * thoroughness() {
        let mut random = Random::new(seed);
        let disk = SimulatedDisk::new();
        let mut broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
        disk.set_capacity(Some((2 << 20) + random.below(8 << 20)));
        disk.stop_at(disk.operations() + 50 + random.below(300));
        Workload::new(seed, 0).run(&mut broker, 400);
        let (durable, after): (Lsn, _) = (broker.store.log().durable(), disk.crash(&mut random));
        let checkpoint = broker.shared.checkpoint.lock().unwrap().clone();
        let mut reopened = Broker::open(&after, checkpoint, None).unwrap();
        let found = reopened.read_all().unwrap();
        broker.oracle.check(&found, durable).unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    }
}
