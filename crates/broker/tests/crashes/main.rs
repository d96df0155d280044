//! Random clients of a broker that crashes again and again, over a simulated disk that keeps what was synced and of the
//! rest whatever it likes; and an oracle that knows what must come back.
//!
//! After a restart durable queues hold every confirmed and not acknowledged message in its order, those that may have
//! been delivered marked as redelivered; perhaps also what was not confirmed yet, or acknowledged and not synced. They
//! hold nothing that was never published, nothing twice, and of a transaction all or nothing.
//!
//! A failure names its seed; `SEED=n cargo test -p broker --test crashes` repeats that run, `RUNS=n` makes more.

mod client;
mod oracle;
mod world;

use world::World;

const QUEUES: usize = 3;
/// Crashes of one run.
const CRASHES: usize = 4;
const RUNS: u64 = 12;

fn queue_name(queue: usize) -> String {
    format!("q{queue}")
}

fn run(seed: u64) {
    let result = std::panic::catch_unwind(|| {
        let mut world = World::new(seed);
        for life in 0..CRASHES {
            world.live();
            if life % 2 == 1 && seed.is_multiple_of(3) { world.restart() } else { world.crash() }
        }
        world.live();
        world.finish();
    });
    assert!(result.is_ok(), "the simulation failed; repeat it with SEED={seed}");
}

#[test]
fn crashes_lose_nothing_that_was_confirmed_and_bring_back_nothing_twice() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse().expect("a number"));
    match number("SEED") {
        Some(seed) => run(seed),
        None => (0..number("RUNS").unwrap_or(RUNS)).for_each(run),
    }
}
