//! What is in the files, and what becomes of damage.

use super::*;
use crate::disk::Disk;
use crate::error::OpenError;

fn names(disk: &SimulatedDisk) -> Vec<String> {
    let mut names = disk.names().unwrap();
    names.sort();
    names
}

/// A calendar with files of far and near entries.
fn filled(disk: &Arc<SimulatedDisk>) -> Calendar {
    let calendar = open(disk, SMALL);
    for seq in 0..400 {
        calendar.add(due(1_000_000 + seq * 977, seq));
        settle(&calendar, 0);
    }
    calendar.sync().unwrap();
    calendar
}

#[test]
fn what_is_taken_comes_in_order_and_once() {
    let disk = SimulatedDisk::new();
    let calendar = filled(&disk);
    let taken = drain(&calendar, u64::MAX - 1);
    let expected: Vec<Due> = (0..400).map(|seq| due(1_000_000 + seq * 977, seq)).collect();
    assert_eq!(taken, expected);
    assert!(names(&disk).is_empty(), "{:?}", names(&disk));
}

#[test]
fn an_unused_calendar_has_no_files() {
    let disk = SimulatedDisk::new();
    let calendar = open(&disk, SMALL);
    settle(&calendar, 5);
    calendar.sync().unwrap();
    assert_eq!((disk.operations(), calendar.next_due_ms()), (0, None));
}

#[test]
fn a_taken_entry_comes_back_after_a_crash_until_it_is_finished_durably() {
    let disk = SimulatedDisk::new();
    let calendar = open(&disk, SMALL);
    calendar.add(due(10, 1));
    let mut taken = Vec::new();
    calendar.take_due(10, 9, &mut taken);
    calendar.sync().unwrap();
    settle(&calendar, 10);
    assert_eq!(drain(&open(&disk.kill(), SMALL), 10), taken);

    let disk = disk.kill();
    let calendar = open(&disk, SMALL);
    assert_eq!(drain(&calendar, 10), taken);
    let behind = || LogPosition { end: Lsn(5), durable: Lsn(4) };
    // Another one keeps it from being gone already.
    calendar.add(due(11, 2));
    calendar.sync().unwrap();
    drain_without_log(&calendar, 11, &behind);
    assert!(!names(&disk).is_empty(), "the log is not durable yet");
    while calendar.maintain(11, &|| LogPosition { end: Lsn(5), durable: Lsn(5) }).unwrap() {}
    assert!(names(&disk).is_empty());
}

fn drain_without_log(calendar: &Calendar, now_ms: u64, log: &dyn Fn() -> LogPosition) {
    let mut taken = Vec::new();
    while calendar.maintain(now_ms, log).unwrap() {}
    calendar.take_due(now_ms, 512, &mut taken);
    calendar.finish(&taken);
    while calendar.maintain(now_ms, log).unwrap() {}
}

#[test]
fn a_damaged_block_loses_only_its_entries() {
    for at in (0..).step_by(61) {
        let disk = SimulatedDisk::new();
        drop(filled(&disk));
        let disk = disk.kill();
        let name = names(&disk).pop().unwrap();
        if !disk.flip_bit(&name, at, 3) {
            assert!(at > 500, "{at}");
            return;
        }
        let mut problems = Vec::new();
        crate::calendar::verify(&*disk, LOG_ID, &mut |problem| problems.push(problem)).unwrap();
        assert_eq!(problems.len(), 1, "byte {at} of {name}: {problems:?}");
        let taken = drain(&open(&disk, SMALL), u64::MAX - 1);
        assert!((330..=400).contains(&taken.len()), "byte {at} of {name}: {}", taken.len());
        assert!(taken.iter().all(|taken| taken.due_ms == 1_000_000 + taken.seq * 977));
    }
}

#[test]
fn files_of_others_and_of_later_versions_are_refused() {
    let disk = SimulatedDisk::new();
    drop(filled(&disk));
    let other = Calendar::open(disk.kill(), LOG_ID + 1, SMALL);
    assert!(matches!(other, Err(OpenError::Foreign { .. })));

    let disk = disk.kill();
    let name = names(&disk).pop().unwrap();
    let file = disk.open(&name).unwrap();
    let mut header = disk.contents(&name).unwrap()[..96].to_vec();
    header[8] = 2;
    let crc = crc32fast::hash(&header[..92]);
    header[92..].copy_from_slice(&crc.to_le_bytes());
    file.write_at(&header, 0).unwrap();
    let newer = Calendar::open(disk.kill(), LOG_ID, SMALL);
    assert!(matches!(newer, Err(OpenError::Newer { version: 2, .. })));
    let foreign = SimulatedDisk::new();
    foreign.create("calendar-00000001").unwrap().write_at(&[b'x'; 200], 0).unwrap();
    assert!(matches!(Calendar::open(foreign, LOG_ID, SMALL), Err(OpenError::Foreign { .. })));
}

#[test]
fn without_space_everything_stays_in_memory() {
    let disk = SimulatedDisk::new();
    disk.set_capacity(Some(0));
    let calendar = open(&disk, SMALL);
    for seq in 0..200 {
        calendar.add(due(1000 + seq, seq));
        // It may say that there is no space, and nothing else.
        let _ = calendar.maintain(0, &durable).inspect_err(|error| assert!(error.is_no_space(), "{error}"));
    }
    assert!(calendar.sync().unwrap_err().is_no_space());
    disk.set_capacity(None);
    assert_eq!(drain(&calendar, 5000).len(), 200);
}
