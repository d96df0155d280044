//! How much is in memory, and that entries come at their time.

use super::*;
use crate::disk::SystemDisk;

/// An upper bound of what the calendar has allocated.
fn bytes(calendar: &Calendar) -> usize {
    let memory = calendar.memory();
    let entry = size_of::<Due>();
    // A node of the tree has room for 11 entries and is at least half full.
    let trees = (memory.near.len() + memory.taken.len()) * entry * 5 / 2;
    trees + (memory.far.capacity() + memory.unwritten.capacity()) * entry
}

/// Times over an hour, and each tenth over ten years.
fn some_time(seq: u64) -> u64 {
    let far = if seq.is_multiple_of(10) { 10 * 365 * 24 } else { 1 };
    1_700_000_000_000 + seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (3_600_000 * far)
}

#[test]
fn an_empty_calendar_takes_a_few_hundred_bytes() {
    let calendar = open(&SimulatedDisk::new(), Limits::default());
    assert!(size_of::<Calendar>() < 500, "{}", size_of::<Calendar>());
    assert_eq!(bytes(&calendar), 0);
}

#[test]
fn two_million_entries_take_a_bounded_part_of_memory() {
    let directory = tempfile::tempdir().unwrap();
    let disk = Arc::new(SystemDisk::open(directory.path()).unwrap());
    let calendar = Calendar::open(disk.clone(), LOG_ID, Limits::default()).unwrap();
    let now_ms = 1_700_000_000_000;
    let (count, mut most) = (2_000_000, 0);
    for seq in 0..count {
        calendar.add(due(some_time(seq), seq));
        if seq % 8192 == 0 {
            most = most.max(bytes(&calendar));
            while calendar.maintain(now_ms, &durable).unwrap() {}
        }
    }
    calendar.sync().unwrap();
    assert!(most < 48 << 20, "{} MiB", most >> 20);
    // And again after a restart, which finds them all.
    let calendar = Calendar::open(disk, LOG_ID, Limits::default()).unwrap();
    assert!(calendar.files().bytes() < 30 * count, "{} bytes", calendar.files().bytes());
    assert_eq!(bytes(&calendar), 0);
    let (mut found, mut taken, mut last_ms) = (0, Vec::new(), 0);
    loop {
        while calendar.maintain(now_ms, &durable).unwrap() {}
        most = most.max(bytes(&calendar));
        taken.clear();
        calendar.take_due(u64::MAX - 1, 4096, &mut taken);
        calendar.finish(&taken);
        found += taken.len() as u64;
        assert!(taken.first().is_none_or(|first| first.due_ms >= last_ms), "in order");
        last_ms = taken.last().map_or(last_ms, |last| last.due_ms);
        if taken.is_empty() {
            break;
        }
    }
    // What was in memory and in a file at the end is found twice by nobody.
    assert_eq!(found, count);
    assert!(most < 48 << 20, "{} MiB", most >> 20);
}

#[test]
fn entries_of_one_time_are_loaded_bit_by_bit() {
    let disk = SimulatedDisk::new();
    let calendar = open(&disk, SMALL);
    for seq in 0..1000 {
        calendar.add(due(5000, seq));
        calendar.maintain(0, &durable).unwrap();
    }
    settle(&calendar, 4990);
    assert!(calendar.memory().near.len() <= SMALL.near);
    let mut all = drain(&calendar, 5000);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 1000);
}

#[test]
fn an_entry_comes_in_its_millisecond_whatever_is_far() {
    let disk = SimulatedDisk::new();
    let calendar = open(&disk, SMALL);
    for seq in 0..500 {
        calendar.add(due(100_000 + seq * 100, seq));
        settle(&calendar, 0);
    }
    assert!(calendar.next_due_ms().unwrap() >= 100_000 - SMALL.lead_ms);
    for now_ms in 0..160_000 {
        if now_ms % 37 == 0 && now_ms < 90_000 {
            assert!(calendar.add(due(now_ms + 3, 1000 + now_ms)));
        }
        if now_ms % 20 == 0 {
            settle(&calendar, now_ms);
        }
        let mut taken = Vec::new();
        calendar.take_due(now_ms, 512, &mut taken);
        let expected = match now_ms {
            3.. if (now_ms - 3) % 37 == 0 && now_ms < 90_003 => Some(due(now_ms, 1000 + now_ms - 3)),
            100_000..150_000 if now_ms % 100 == 0 => Some(due(now_ms, (now_ms - 100_000) / 100)),
            _ => None,
        };
        assert_eq!(taken, Vec::from_iter(expected), "at {now_ms}");
        calendar.finish(&taken);
    }
    settle(&calendar, 160_000);
    assert!(calendar.is_empty());
}
