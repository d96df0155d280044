//! The broker is killed again and again while clients work.

use testkit::pause;

use crate::load;
use crate::oracle::Oracle;
use crate::rounds::{Moments, check, rounds};
use crate::support::start;

/// Every so many rounds the broker may stop in order.
const CLEAN_EVERY: u32 = 5;

#[test]
#[ignore = "long; cargo test -p leveret --test durability -- --ignored"]
fn nothing_is_lost_by_kills_under_load() {
    let mut broker = start();
    let mut oracle = Oracle::new(load::QUEUES.len());
    let mut moments = Moments::new();
    for round in 1..=rounds(15) {
        load::during(&mut broker, &mut oracle, round, |broker, stopping| {
            pause(moments.between(50, 1500));
            if round % CLEAN_EVERY == 0 {
                stopping();
                broker.terminate();
            } else {
                broker.kill_9();
            }
        });
        broker.launch();
        check(&broker, &mut oracle, round);
    }
}

/// Killed while it recovers, it recovers all the same.
#[test]
#[ignore = "long; cargo test -p leveret --test durability -- --ignored"]
fn nothing_is_lost_by_kills_during_recovery() {
    let mut broker = start();
    let mut oracle = Oracle::new(load::QUEUES.len());
    let mut moments = Moments::new();
    for round in 1..=rounds(15).div_ceil(3) {
        load::during(&mut broker, &mut oracle, round, |broker, _| {
            pause(moments.between(300, 1000));
            broker.kill_9();
        });
        for _ in 0..5 {
            broker.spawn();
            pause(moments.between(1, 150));
            broker.kill_9();
        }
        broker.launch();
        check(&broker, &mut oracle, round);
    }
}
