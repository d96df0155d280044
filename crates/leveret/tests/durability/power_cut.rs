//! The power of the disk is cut again and again while clients work: what was not synced is gone.

use std::time::Duration;

use testkit::{BrokerProcess, Volume, pause};

use crate::load;
use crate::oracle::Oracle;
use crate::rounds::{Moments, check, rounds};
use crate::support::BINARY;

const VOLUME_BYTES: u64 = 1 << 30;
/// How long the broker goes on without a disk: it must not confirm anything more.
const WITHOUT_DISK: Duration = Duration::from_millis(100);

#[test]
#[ignore = "long, needs root; cargo test -p leveret --test durability -- --ignored"]
fn nothing_is_lost_by_power_cuts_under_load() {
    let volume = match Volume::new(VOLUME_BYTES) {
        Ok(volume) => volume,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    // Declared behind the volume, so that it is dropped before it.
    let mut broker = BrokerProcess::start_in(&volume.path().join("data"), BINARY, &[]);
    let mut oracle = Oracle::new(load::QUEUES.len());
    let mut moments = Moments::new();
    for round in 1..=rounds(8) {
        load::during(&mut broker, &mut oracle, round, |broker, _| {
            pause(moments.between(100, 1500));
            volume.cut_power();
            pause(WITHOUT_DISK);
            broker.kill_9();
        });
        volume.remount();
        broker.launch();
        check(&broker, &mut oracle, round);
    }
}
