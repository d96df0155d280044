use super::*;

fn fill_segment(opened: &mut Opened, author: &mut Author) {
    let now = opened.log.segment_of(opened.log.append().end());
    while opened.log.segment_of(opened.log.append().end()) == now {
        author.run(&opened.log, 20);
        opened.writer.write().unwrap();
    }
}

#[test]
fn a_full_disk_stops_the_log_until_there_is_room() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let mut author = Author::new(1);
    // One segment and most of another.
    disk.set_capacity(Some(SEGMENT * 7 / 4));
    assert!(matches!(opened.log.prepare_spare(), Ok(false)), "the first file is the spare until it is written to");
    fill_segment(&mut opened, &mut author);
    assert!(opened.log.is_full());
    let written = opened.log.written();
    assert!(!opened.log.is_fenced());
    assert!(matches!(opened.log.prepare_spare(), Err(StoreError::NoSpace { .. })));
    for _ in 0..5 {
        author.run(&opened.log, 20);
        assert!(!opened.writer.write().unwrap());
        opened.writer.sync().unwrap();
    }
    assert_eq!(opened.log.written(), written);
    assert!(opened.log.durable() <= written && opened.log.staged_bytes() > 0);
    disk.set_capacity(None);
    assert!(opened.writer.write().unwrap());
    opened.writer.sync().unwrap();
    assert_eq!(opened.log.durable(), author.appended.last().unwrap().end());
    assert_eq!(opened.log.staged_bytes(), 0);
    assert!(!opened.log.is_full());
    assert_eq!(open(&disk, 1).found.records, author.appended);
}

#[test]
fn a_recycled_segment_is_room() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let mut author = Author::new(2);
    fill_segment(&mut opened, &mut author);
    disk.set_capacity(Some(disk.used_bytes()));
    fill_segment(&mut opened, &mut author);
    assert!(opened.log.is_full());
    opened.log.recycle(1);
    assert!(opened.writer.write().unwrap());
    assert_eq!(opened.log.staged_bytes(), 0);
    author.appended.retain(|seen| seen.lsn.0 >= 2 * SEGMENT);
    assert_eq!(open(&disk, 2).found.records, author.appended, "old records never come back");
}

#[test]
fn a_large_body_without_room_waits_too() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let mut author = Author::new(3);
    author.run(&opened.log, 3);
    opened.writer.write().unwrap();
    disk.set_capacity(Some(disk.used_bytes() + 100_000));
    let message = author.message(500_000);
    opened.log.append().message(Owner { quid: 1, seq: 1 }, Append::default(), &message);
    assert!(!opened.writer.write().unwrap());
    assert!(opened.log.is_full() && !opened.log.is_fenced());
    assert!(!disk.names().unwrap().iter().any(|name| name.starts_with("blob")));
    disk.set_capacity(None);
    assert!(opened.writer.write().unwrap());
    assert!(!opened.log.is_full());
    assert_eq!(open(&disk, 1).found.records.len(), 4);
}

#[test]
fn the_last_eighth_is_kept_until_there_is_a_spare() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    disk.set_capacity(Some(SEGMENT * 3 / 2));
    let mut author = Author::new(4);
    author.largest_body = 1000;
    while !opened.log.is_full() {
        author.run(&opened.log, 1);
        opened.writer.write().unwrap();
    }
    let written = opened.log.written().0 % SEGMENT;
    assert!((SEGMENT * 7 / 8..SEGMENT * 7 / 8 + 8192).contains(&written), "{written}");
    // What is appended nevertheless is written.
    opened.log.append().delivered(1, 1);
    assert!(opened.writer.write().unwrap());
    disk.set_capacity(None);
    assert!(opened.log.prepare_spare().unwrap());
    assert!(!opened.log.is_full());
}

#[test]
fn without_maintenance_the_thread_makes_segments_itself() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let mut author = Author::new(4);
    while opened.log.active_segment() < 4 {
        assert!(!opened.log.is_full());
        author.run(&opened.log, 5);
        opened.writer.write().unwrap();
    }
}

#[test]
fn files_are_used_again_and_surplus_ones_deleted() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let mut author = Author::new(5);
    let logs = || disk.names().unwrap().iter().filter(|name| name.starts_with("log-")).count();
    for _ in 0..8 {
        fill_segment(&mut opened, &mut author);
    }
    let many = logs();
    assert!(many >= 8);
    opened.log.recycle(opened.log.active_segment() - 1);
    assert_eq!(opened.log.first_segment(), opened.log.active_segment());
    while opened.log.prepare_spare().unwrap() {}
    assert_eq!(logs(), 3, "the active one and two");
    let bytes = opened.log.disk_bytes();
    assert_eq!(bytes, 3 * SEGMENT);
    for _ in 0..10 {
        fill_segment(&mut opened, &mut author);
        opened.log.recycle(opened.log.active_segment() - 1);
        assert!(!opened.log.prepare_spare().unwrap(), "nothing is created or deleted in the steady state");
        assert_eq!((logs(), opened.log.disk_bytes()), (3, bytes));
    }
    let head = opened.log.first_segment();
    author.appended.retain(|seen| seen.lsn.0 >= u64::from(head) * SEGMENT);
    let found = open(&disk, head).found.records;
    assert_eq!(found, below(&author.appended, opened.log.written()));
}

/// A body that does not fit is in the way of all acknowledgements behind it, so whoever publishes one asks before.
#[test]
fn a_large_body_is_asked_for_before_it_is_appended() {
    let disk = SimulatedDisk::new();
    let opened = &mut open(&disk, 1);
    let log = opened.log.clone();
    let mut author = Author::new(6);
    author.run(&log, 3);
    opened.writer.write().unwrap();
    while log.prepare_spare().unwrap() {}
    assert!(log.has_room_for(1 << 30));
    disk.set_capacity(Some(disk.used_bytes() + SEGMENT + 700_000));
    log.prepare_spare().unwrap();
    assert!(log.has_room_for(500_000) && !log.has_room_for(800_000) && log.has_room_for(10));
    let message = author.message(500_000);
    let id = log.append().message(Owner { quid: 1, seq: 1 }, Append::default(), &message).lsn.0;
    assert!(!log.has_room_for(500_000), "what is only staged counts");
    assert!(log.has_room_for(190_000) && !log.is_full());
    opened.writer.write().unwrap();
    assert!(log.has_room_for(190_000) && !log.has_room_for(500_000), "and counts once");
    log.append().release_blob(id);
    opened.writer.sync().unwrap();
    assert!(log.has_room_for(500_000), "it is gone");
    opened.writer.write().unwrap();
    disk.set_capacity(Some(disk.used_bytes()));
    log.space_came_back();
    assert!(!log.has_room_for(200_000) && log.has_room_for(10), "small messages have the log");
    disk.set_capacity(None);
    assert!(!log.has_room_for(200_000));
    log.prepare_spare().unwrap();
    assert!(log.has_room_for(200_000), "maintenance looks");
}
