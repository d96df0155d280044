use super::policy::{Policy, Rest};
use super::*;
use std::sync::mpsc;
use std::time::Instant;

const MS: Duration = Duration::from_millis(1);

#[test]
fn what_is_asked_for_is_written_and_synced_at_once() {
    let mut policy = Policy::new(Sync::Always);
    let start = Instant::now();
    assert!(policy.write_is_due(start, true, true));
    assert!(policy.sync_is_due(start, true, 100));
    assert_eq!(policy.rest(start, false, false, false), Rest::Idle(Some(2000 * MS)));
}

#[test]
fn the_rest_is_written_within_5_ms_and_synced_within_50() {
    let mut policy = Policy::new(Sync::Always);
    let start = Instant::now();
    assert!(!policy.write_is_due(start, false, true));
    assert!(!policy.sync_is_due(start, false, 0));
    assert_eq!(policy.rest(start, true, false, false), Rest::Nap(5 * MS));
    assert!(policy.write_is_due(start + 5 * MS, false, true));
    assert!(!policy.sync_is_due(start + 5 * MS, false, 1000));
    assert_eq!(policy.rest(start + 5 * MS, false, true, false), Rest::Idle(Some(50 * MS)));
    assert!(!policy.write_is_due(start + 55 * MS, false, false));
    assert!(policy.sync_is_due(start + 55 * MS, false, 1000));
    let mut policy = Policy::new(Sync::Always);
    policy.write_is_due(start, true, true);
    assert!(policy.sync_is_due(start, false, 1 << 20), "1 MiB is enough");
}

#[test]
fn an_idle_log_gives_memory_back_once_and_sleeps() {
    let mut policy = Policy::new(Sync::Always);
    let start = Instant::now();
    assert_eq!(policy.rest(start, false, false, false), Rest::Idle(Some(2000 * MS)));
    assert_eq!(policy.rest(start + 2000 * MS, false, false, false), Rest::TrimAndIdle);
    assert_eq!(policy.rest(start + 4000 * MS, false, false, false), Rest::Idle(None));
    assert!(policy.write_is_due(start + 5000 * MS, true, true));
    assert!(policy.sync_is_due(start + 5000 * MS, true, 10));
    assert_eq!(policy.rest(start + 5000 * MS, false, false, false), Rest::Idle(Some(2000 * MS)));
}

#[test]
fn the_other_modes_sync_seldom() {
    let start = Instant::now();
    let mut policy = Policy::new(Sync::Interval(200 * MS));
    assert!(policy.write_is_due(start, true, true));
    assert!(!policy.sync_is_due(start, true, 5 << 20));
    assert_eq!(policy.rest(start, false, true, false), Rest::Idle(Some(200 * MS)));
    assert!(policy.sync_is_due(start + 200 * MS, false, 1));
    let mut policy = Policy::new(Sync::Never);
    assert!(policy.write_is_due(start, true, true));
    assert!(!policy.sync_is_due(start + 9999 * MS, true, 5 << 20));
}

#[test]
fn a_log_without_room_looks_now_and_then() {
    let mut policy = Policy::new(Sync::Always);
    assert_eq!(policy.rest(Instant::now(), true, true, true), Rest::Nap(500 * MS));
}

#[test]
fn in_the_other_modes_what_is_written_counts() {
    let disk = SimulatedDisk::new();
    let scanned = scan(&*disk, from(1), &mut Collect::default()).unwrap();
    let (log, mut writer) = Log::open(disk.clone(), options(1, Sync::Never), scanned).unwrap();
    let end = {
        let mut append = log.append();
        append.delivered(1, 1);
        append.end()
    };
    writer.write().unwrap();
    assert_eq!(log.durable(), end);
    // But the next batch does not claim that it was synced.
    log.append().delivered(1, 2);
    writer.write().unwrap();
    let scanned = scan(&*disk, from(1), &mut Collect::default()).unwrap();
    assert!(scanned.durable < end);
}

#[test]
fn the_thread_confirms_what_many_append() {
    let disk = SimulatedDisk::new();
    let Opened { log, mut writer, .. } = open(&disk, 1);
    let (tell, told) = mpsc::channel();
    writer.on_durable(Box::new(move |lsn| tell.send(lsn).unwrap_or_default()));
    let thread = std::thread::spawn(move || writer.run());
    let publishers: Vec<_> = (1..=3u64)
        .map(|quid| {
            let log = log.clone();
            std::thread::spawn(move || {
                for seq in 0..300 {
                    let end = {
                        let mut append = log.append();
                        append.delivered(quid, seq);
                        append.end()
                    };
                    if seq % 10 == 9 {
                        log.commit();
                        while log.durable() < end {
                            std::thread::yield_now();
                        }
                    }
                }
            })
        })
        .collect();
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    // Nobody asks for this one.
    log.append().delivered(9, 9);
    let end = log.append().end();
    let durable = std::iter::from_fn(|| told.recv_timeout(Duration::from_secs(10)).ok()).find(|lsn| *lsn >= end);
    assert!(durable.is_some());
    // However often something is appended that nobody waits for, it wakes the thread at most once in 5 ms.
    let (rung, began, mut appended) = (log.bell.rung(), Instant::now(), 0);
    while began.elapsed() < 60 * MS {
        log.append().delivered(9, 9);
        appended += 1;
        std::thread::yield_now();
    }
    let most = began.elapsed().as_millis() as u64 / 5 + 1;
    assert!(log.bell.rung() - rung <= most, "{} times for {appended}", log.bell.rung() - rung);
    log.close();
    thread.join().unwrap();
    let opened = open(&disk, 1);
    assert!(opened.clean);
    assert_eq!(opened.found.records.len(), 902 + appended);
}

/// Bodies that are acknowledged as they come must not fill the disk, whatever the mode: with `Never` nothing is synced
/// before the segment is full.
#[test]
fn large_bodies_go_when_their_owners_do_in_every_mode() {
    for sync in [Sync::Always, Sync::Interval(Duration::from_secs(3600)), Sync::Never] {
        let disk = SimulatedDisk::new();
        let scanned = scan(&*disk, from(1), &mut Collect::default()).unwrap();
        let (log, mut writer) = Log::open(disk.clone(), options(1, sync), scanned).unwrap();
        let mut author = Author::new(1);
        for seq in 0..5 {
            let message = author.message(200_000);
            let id = log.append().message(Owner { quid: 1, seq }, Append::default(), &message).lsn.0;
            writer.write().unwrap();
            assert!(disk.contents(&blob_name(id)).is_some());
            let mut append = log.append();
            append.settle(1, None, &[(seq, 200_000)]);
            append.release_blob(id);
            drop(append);
            writer.write().unwrap();
            if sync == Sync::Always {
                writer.sync().unwrap();
            }
            assert_eq!(disk.contents(&blob_name(id)), None, "{sync:?}");
        }
    }
}

/// The last owner may go without a record of its own, long after everything is durable.
#[test]
fn a_large_body_goes_although_nothing_is_appended_any_more() {
    for sync in [Sync::Always, Sync::Never] {
        let disk = SimulatedDisk::new();
        let scanned = scan(&*disk, from(1), &mut Collect::default()).unwrap();
        let (log, writer) = Log::open(disk.clone(), options(1, sync), scanned).unwrap();
        let thread = std::thread::spawn(move || writer.run());
        let message = Author::new(1).message(200_000);
        let (id, end) = {
            let mut append = log.append();
            (append.message(Owner { quid: 1, seq: 1 }, Append::default(), &message).lsn.0, append.end())
        };
        let soon = |is_so: &dyn Fn() -> bool| {
            let began = Instant::now();
            while !is_so() && began.elapsed() < Duration::from_secs(5) {
                std::thread::park_timeout(MS);
            }
            is_so()
        };
        log.commit();
        assert!(soon(&|| log.durable() >= end));
        std::thread::park_timeout(80 * MS);
        log.append().release_blob(id);
        assert!(soon(&|| disk.contents(&blob_name(id)).is_none()), "{sync:?}");
        log.close();
        thread.join().unwrap();
    }
}
