//! What the calendar costs: `cargo run --release -p store --example calendar_speed [ENTRIES [DIRECTORY]]`.

use std::time::Instant;
use store::{Backlog, Due, Lsn, Options, Owners, Store, StoreError, SystemDisk};

const NOW_MS: u64 = 1_700_000_000_000;

/// Nobody has any queue.
struct Nobody;

impl Owners for Nobody {
    fn with(&self, _: u64, _: &mut dyn FnMut(&mut Backlog)) -> bool {
        false
    }

    fn page_out(&self, _: u64, _: u64) {}

    fn quiesce(&self) {}

    fn checkpoint_metadata(&self, _: Lsn) -> Result<(), StoreError> {
        Ok(())
    }

    fn now_ms(&self) -> u64 {
        NOW_MS
    }
}

/// Resident memory in KiB; 0 where the system does not say.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn open(directory: &std::path::Path) -> std::sync::Arc<Store> {
    let disk = std::sync::Arc::new(SystemDisk::open(directory).expect("a directory"));
    Store::open(disk, Options::default(), Lsn(0)).expect("a store").store
}

fn main() {
    let temporary = tempfile::tempdir().expect("a directory");
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(10_000_000u64);
    let directory = std::env::args().nth(2).map_or_else(|| temporary.path().to_owned(), Into::into);
    let store = open(&directory);
    let calendar = store.calendar();
    let before = resident_kib();
    let (began, mut most, mut adding) = (Instant::now(), 0, std::time::Duration::ZERO);
    for first in (0..count).step_by(8192) {
        let adds = Instant::now();
        for seq in first..(first + 8192).min(count) {
            // Over a year.
            let due_ms = NOW_MS + 60_000 + seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (365 * 86_400_000);
            calendar.add(Due { due_ms, group: 1, seq });
        }
        adding += adds.elapsed();
        while store.maintain(&Nobody).expect("maintained") {}
        most = most.max(resident_kib());
    }
    println!(
        "{count} added: {:.0} ns each, with writing {:.0} ns; {} MiB more in memory at most, {} MiB on disk",
        adding.as_nanos() as f64 / count as f64,
        began.elapsed().as_nanos() as f64 / count as f64,
        most.saturating_sub(before) >> 10,
        store.disk_bytes().calendar_bytes >> 20,
    );
    let began = Instant::now();
    drop(store);
    let store = open(&directory);
    println!("opened in {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    let calendar = store.calendar();
    let (began, mut taken, mut longest) = (Instant::now(), Vec::new(), std::time::Duration::ZERO);
    let mut found = 0u64;
    loop {
        loop {
            let piece = Instant::now();
            let more = store.maintain(&Nobody).expect("maintained");
            longest = longest.max(piece.elapsed());
            if !more {
                break;
            }
        }
        most = most.max(resident_kib());
        taken.clear();
        calendar.take_due(u64::MAX - 1, 32_768, &mut taken);
        calendar.finish(&taken);
        found += taken.len() as u64;
        if taken.is_empty() {
            break;
        }
    }
    println!(
        "{found} taken in order, {:.0} ns each with reading; longest piece of work {:.0} ms, {} MiB more in memory at most",
        began.elapsed().as_nanos() as f64 / found.max(1) as f64,
        longest.as_secs_f64() * 1e3,
        most.saturating_sub(before) >> 10,
    );
}
