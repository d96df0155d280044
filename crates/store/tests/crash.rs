//! After a crash at any write, sync, creation, rename or removal, and reopening: what was durable is there, in order and
//! byte for byte; what was removed is gone; nothing is there twice or was never published; a transaction is there whole or
//! not at all. The store then works on, and survives the next crash.
//!
//! Every test says the seed and the change at which the disk stopped. `LEVERET_CRASHES=n` tries n times as many.

#![allow(clippy::unwrap_used, reason = "tests, in functions where clippy does not see it")]

mod broker;

use broker::*;
use std::sync::Arc;
use store::Lsn;
use store::simulation::{Random, Sabotage, SimulatedDisk};

/// Enough for a few segments, retirements and a compaction.
const STEPS: usize = 600;

/// Opens the store, which may be cut off itself: after so many changes of the disk, in turn; at last not at all.
fn open(
    mut disk: Arc<SimulatedDisk>,
    checkpoint: &Checkpoint,
    stops: &[u64],
    random: &mut Random,
    sabotage: Option<Sabotage>,
) -> Result<Broker, String> {
    for stop in stops.iter().map(Some).chain([None]) {
        if let Some(after) = stop {
            disk.stop_at(disk.operations() + after);
        }
        match Broker::open(&disk, checkpoint.clone(), sabotage) {
            Ok(broker) => return Ok(broker),
            Err(_) if disk.has_stopped() => disk = disk.crash(random),
            Err(error) => return Err(format!("the store cannot be opened: {error}")),
        }
    }
    Err("an unhurt disk has stopped".to_owned())
}

/// Runs a workload until the disk stops, cuts the power and opens what is left; three times, each on what the one before
/// left.
fn crash_thrice(seed: u64, stop_at: u64, sabotage: Option<Sabotage>) -> Result<(), String> {
    let mut random = Random::new(seed ^ (stop_at << 20));
    let mut disk = SimulatedDisk::new();
    let mut checkpoint = Checkpoint::default();
    let mut oracle = Oracle::default();
    let mut durable = Lsn(0);
    for run in 0..4 {
        let stops = if run == 0 { vec![stop_at] } else { vec![1 + random.below(80), 1 + random.below(30)] };
        let mut broker = open(disk, &checkpoint, &stops, &mut random, sabotage)?;
        if run > 0 {
            broker.disk.stop_at(broker.disk.operations() + 100_000);
        }
        let found = broker.read_all()?;
        oracle.check(&found, durable)?;
        broker.check_marks(&oracle, durable)?;
        broker.begin(found);
        if run == 3 {
            return close_and_compare(broker, sabotage);
        }
        if run > 0 {
            broker.disk.stop_at(broker.disk.operations() + 1 + random.below(400));
        }
        let went_on = Workload::new(seed + run, run).run(&mut broker, STEPS);
        if !went_on && !broker.disk.has_stopped() {
            return Err("the store failed on an unhurt disk".to_owned());
        }
        match broker.read_all() {
            Ok(found) if went_on && found != broker.expected() => {
                return Err("the store differs from what was done".to_owned());
            }
            Err(what) if !broker.disk.has_stopped() => return Err(what),
            _ => {}
        }
        durable = broker.store.log().durable();
        checkpoint = broker.shared.checkpoint.lock().unwrap().clone();
        disk = broker.disk.crash(&mut random);
        oracle = broker.oracle;
    }
    Ok(())
}

/// Closes the store in good order; it must then open clean and with the same contents.
fn close_and_compare(broker: Broker, sabotage: Option<Sabotage>) -> Result<(), String> {
    let (disk, before) = (broker.disk.clone(), broker.oracle.now());
    let checkpoint = broker.shared.checkpoint.lock().unwrap().clone();
    broker.close().map_err(|error| format!("the store cannot be closed: {error}"))?;
    let mut broker = Broker::open(&disk.kill(), checkpoint, sabotage).map_err(|error| error.to_string())?;
    if !broker.report.clean {
        return Err("the store was closed and is not clean".to_owned());
    }
    if broker.read_all()? != before {
        return Err("the store differs after it was closed".to_owned());
    }
    Ok(())
}

/// How many changes the first run makes when nothing stops it.
fn changes(seed: u64) -> u64 {
    let disk = SimulatedDisk::new();
    let mut broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
    assert!(Workload::new(seed, 0).run(&mut broker, STEPS));
    disk.operations()
}

#[test]
fn a_crash_at_any_change_loses_nothing() {
    let seed = 1;
    let changes = changes(seed);
    let stride = (changes / (30 * thoroughness())).max(1);
    for stop_at in (1..=changes).step_by(stride as usize) {
        if let Err(what) = crash_thrice(seed, stop_at, None) {
            panic!("seed {seed}, stopped at {stop_at}: {what}");
        }
    }
}

#[test]
fn random_workloads_and_crashes_lose_nothing() {
    for seed in 100..100 + 20 * thoroughness() {
        let stop_at = 1 + Random::new(seed).below(500);
        if let Err(what) = crash_thrice(seed, stop_at, None) {
            panic!("seed {seed}, stopped at {stop_at}: {what}");
        }
    }
}

/// The first seed with which the suite sees that a protection is missing, and sees nothing when it is not.
fn found_by(sabotage: Sabotage) -> Option<u64> {
    (0..60).find(|seed| {
        let run = |sabotage| crash_thrice(*seed, 50 + Random::new(*seed).below(400), sabotage);
        // A panic is a way of noticing too.
        let is_found = !matches!(std::panic::catch_unwind(|| run(Some(sabotage))), Ok(Ok(())));
        if is_found {
            run(None).unwrap_or_else(|what| panic!("seed {seed}, without sabotage: {what}"));
        }
        is_found
    })
}

#[test]
fn a_store_that_does_not_sync_is_found_out() {
    assert!(found_by(Sabotage::NoSync).is_some());
}

#[test]
fn a_store_that_confirms_before_it_syncs_is_found_out() {
    assert!(found_by(Sabotage::ConfirmBeforeSync).is_some());
}

#[test]
#[ignore = "a look at what the workloads reach: cargo test -p store --test crash -- --ignored --nocapture"]
fn what_the_workloads_reach() {
    for seed in [1, 100, 101, 102, 103, 104] {
        let disk = SimulatedDisk::new();
        let mut broker = Broker::open(&disk, Checkpoint::default(), None).unwrap();
        assert!(Workload::new(seed, 0).run(&mut broker, STEPS));
        let used = broker.store.disk_bytes();
        println!("seed {seed}: {} changes, {used:?}, {:?}", disk.operations(), store::Disk::names(&*disk).unwrap());
    }
}
