//! Random clients of queues with every combination of features, one step at a time, and an oracle that knows what each
//! queue has after each step: which messages, in which order, with which history of deaths.
//!
//! TTL of queues and messages, length limits with each overflow, priorities, dead letters in chains and cycles, delivery
//! limits, delayed retry, at-least-once, confirms and transactions, several queues per publish, prefetch, rejects,
//! requeues, ends of connections, restarts; in memory, over a store, and over a store without memory.
//!
//! A failure names its seed; `SEED=n cargo test -p broker --test features` repeats that run, `RUNS=n` makes more.

mod crash;
mod history;
mod options;
mod oracle;
mod world;

use world::{Kept, World};

const STEPS: usize = 300;
const RUNS: u64 = 40;
/// Memory for messages with which everything that waits is left to the disk, and with which nothing is, in bytes.
const SCARCE: usize = 4096;
const PLENTY: usize = 1 << 30;

/// Steps before a crash, at most, and runs with one.
const STEPS_BEFORE_CRASH: usize = 60;
const CRASHES: u64 = 200;

/// How many steps it took until the oracle did not know any more which of two things happens first.
fn run(seed: u64, kept: Kept) -> usize {
    let result = std::panic::catch_unwind(|| {
        let mut world = World::new(seed, kept);
        for step in 0..STEPS {
            if !world.step() {
                return step;
            }
        }
        world.finish();
        STEPS
    });
    result.unwrap_or_else(|_| panic!("the simulation failed; repeat it with SEED={seed}, messages {kept:?}"))
}

fn run_all(kept: Kept) {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse().expect("a number"));
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("RUNS").unwrap_or(RUNS),
    };
    let count = seeds.end - seeds.start;
    let steps: usize = seeds.map(|seed| run(seed, kept)).sum();
    assert!(count == 1 || steps as u64 > count * STEPS as u64 / 4, "most runs get somewhere: {steps} steps");
}

#[test]
fn queues_in_memory_do_what_the_oracle_says() {
    run_all(Kept::InMemory);
}

#[test]
fn queues_over_a_store_do_what_the_oracle_says() {
    run_all(Kept::OnDisk { memory_bytes: PLENTY });
}

#[test]
fn queues_over_a_store_without_memory_do_what_the_oracle_says() {
    run_all(Kept::OnDisk { memory_bytes: SCARCE });
}

#[test]
fn a_crash_in_the_middle_loses_nothing_and_leads_nothing_astray() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse().expect("a number"));
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("RUNS").map_or(CRASHES, |runs: u64| runs * 5),
    };
    for seed in seeds {
        let result = std::panic::catch_unwind(|| {
            let memory_bytes = if seed % 2 == 0 { SCARCE } else { PLENTY };
            let mut world = World::new(seed, Kept::OnDisk { memory_bytes });
            let steps = seed as usize * 7 % STEPS_BEFORE_CRASH;
            if (0..steps).all(|_| world.step()) {
                world.crash();
            }
        });
        assert!(result.is_ok(), "the simulation failed; repeat it with SEED={seed}");
    }
}
