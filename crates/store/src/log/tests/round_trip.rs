use super::*;
use crate::simulation::SimulatedDisk;

#[test]
fn what_is_appended_is_found_again_over_many_segments() {
    for seed in 0..8 {
        let disk = SimulatedDisk::new();
        let mut author = Author::new(seed);
        author.largest_body = if seed % 2 == 0 { 400_000 } else { 130_000 };
        for run in 0..3 {
            let mut opened = open(&disk, 1);
            assert_eq!(opened.found.records, author.appended, "seed {seed}, run {run}");
            for _ in 0..30 {
                let count = 1 + author.random.below(60);
                author.run(&opened.log, count);
                if author.random.chance(1, 2) {
                    assert!(opened.writer.write().unwrap());
                }
                if author.random.chance(1, 4) {
                    opened.writer.sync().unwrap();
                }
            }
            opened.writer.write().unwrap();
            opened.writer.sync().unwrap();
            assert_eq!(opened.log.durable(), author.appended.last().unwrap().end());
            assert_eq!(opened.log.staged_bytes(), 0);
            assert!(run < 2 || opened.log.active_segment() > 1);
        }
    }
}

#[test]
fn a_clean_end_is_seen_and_what_comes_after_it_too() {
    let disk = SimulatedDisk::new();
    let mut author = Author::new(1);
    for run in 0..4 {
        let mut opened = open(&disk, 1);
        assert!(opened.clean, "run {run}");
        let records: Vec<_> = opened.found.records.iter().filter(|seen| seen.kind != Kind::CleanEnd as u8).collect();
        assert_eq!(records.len(), author.appended.len());
        author.run(&opened.log, 10);
        opened.writer.finish().unwrap();
    }
    let mut opened = open(&disk, 1);
    author.run(&opened.log, 1);
    opened.writer.write().unwrap();
    let opened = open(&disk, 1);
    assert!(!opened.clean);
}

#[test]
fn a_log_without_records_stays_one() {
    let disk = SimulatedDisk::new();
    for _ in 0..3 {
        let mut opened = open(&disk, 1);
        assert_eq!((opened.found.records.len(), opened.end), (0, Lsn(SEGMENT + 4096)));
        assert!(!opened.log.is_full());
        assert!(!opened.writer.write().unwrap());
        opened.writer.sync().unwrap();
        assert_eq!((opened.log.first_segment(), opened.log.active_segment()), (1, 1));
    }
}

#[test]
fn a_record_can_be_read_while_its_segment_is_pinned() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let mut author = Author::new(3);
    let message = author.message(1000);
    let place = opened.log.append().message(Owner { quid: 1, seq: 1 }, Append::default(), &message);
    assert!(opened.log.pin(place.lsn).is_none(), "nothing is written yet");
    opened.writer.write().unwrap();
    let pinned = opened.log.pin(place.lsn).unwrap();
    while opened.log.active_segment() == 1 {
        author.run(&opened.log, 100);
        opened.writer.write().unwrap();
    }
    opened.log.recycle(1);
    assert!(opened.log.pin(place.lsn).is_none(), "the segment is not of the log any more");
    for _ in 0..3 {
        let now = opened.log.active_segment();
        while opened.log.active_segment() == now {
            author.run(&opened.log, 100);
            opened.writer.write().unwrap();
        }
        opened.log.recycle(now);
    }
    let mut bytes = vec![0; place.len as usize];
    pinned.read_exact_at(&mut bytes, place.lsn).unwrap();
    let (header, payload, _) = record::split_first(&bytes).unwrap();
    assert!(header.holds(payload));
    assert_eq!(payload.len(), message.stored_len());
    let name = pinned.file_name();
    drop(pinned);
    opened.log.prepare_spare().unwrap();
    let before = disk.contents(&name).unwrap();
    for _ in 0..200 {
        author.run(&opened.log, 100);
        opened.writer.write().unwrap();
    }
    assert!(disk.contents(&name) != Some(before), "the file is used again, or gone");
}

#[test]
fn long_settlements_are_split() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let gone: Vec<_> = (0..10_000u64).map(|seq| (seq * 3, 5)).collect();
    let except: Vec<_> = (0..9_000u64).map(|seq| 10 + seq * 2).collect();
    {
        let mut append = opened.log.append();
        append.settle(1, None, &gone);
        append.settle(1, None, &[]);
        append.settle_range(2, 5, 40_000, &except);
    }
    opened.writer.write().unwrap();
    let found = open(&disk, 1).found.records;
    let mut settled = Vec::new();
    let (mut kept, mut covered) = (Vec::new(), 5);
    for seen in found {
        if seen.group == 1 {
            read_settle(seen.index, &seen.payload, |seq, len| settled.push((seq, len))).unwrap();
        } else {
            let (last, except) = read_settle_range(seen.index, &seen.payload).unwrap();
            assert_eq!(seen.index, covered);
            covered = last + 1;
            kept.extend(except);
        }
    }
    assert_eq!(settled, gone);
    assert_eq!((kept, covered), (except, 40_001));
}

#[test]
fn queues_are_noted_in_the_segments_that_have_something_of_theirs() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let mut author = Author::new(5);
    let body = author.message(100);
    let place = opened.log.append().message(Owner { quid: 900, seq: 1 }, Append::default(), &body);
    author.run(&opened.log, 500);
    for quid in (1..2000).rev() {
        opened.log.append().delivered(quid * 7, 1);
        opened.log.append().delivered(quid * 7, 2);
    }
    while opened.log.segment_of(opened.log.append().end()) == 1 {
        author.run(&opened.log, 50);
    }
    opened.log.append().route(Owner { quid: 77_777, seq: 1 }, Append::default(), place, 100);
    opened.writer.write().unwrap();
    for segment in 1..=opened.log.active_segment() {
        let mut expected: Vec<u64> = author
            .appended
            .iter()
            .filter(|seen| opened.log.segment_of(seen.lsn) == segment && seen.group != 0)
            .map(|seen| seen.group)
            .collect();
        if segment == 1 {
            expected.extend((1..2000).map(|quid| quid * 7));
            expected.push(900);
        }
        let routes_here = segment == 1 || segment == opened.log.active_segment();
        expected.extend(routes_here.then_some(77_777));
        // The author's routes name bodies in segments that never were.
        expected.sort_unstable();
        expected.dedup();
        let found = opened.log.dirty(segment);
        assert!(expected.iter().all(|quid| found.contains(quid)), "segment {segment}");
        assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(opened.log.take_dirty(segment), found);
        assert!(opened.log.dirty(segment).is_empty());
    }
    let active = opened.log.active_segment();
    opened.log.mark_dirty(active, 5);
    opened.log.append().delivered(5, 3);
    assert_eq!(opened.log.dirty(active), [5]);
    opened.log.mark_dirty(active - 1, 6);
    opened.log.recycle(active - 1);
    assert!(opened.log.dirty(active - 1).is_empty());
    assert_eq!(opened.log.dirty(active), [5]);
}

#[test]
fn a_transaction_id_never_returns() {
    let disk = SimulatedDisk::new();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..3 {
        let mut opened = open(&disk, 1);
        for _ in 0..100 {
            assert!(seen.insert(opened.log.begin_transaction()));
        }
        opened.writer.finish().unwrap();
    }
}

#[test]
fn a_large_body_lives_as_long_as_its_last_owner() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let message = Author::new(9).message(300_000);
    let place = {
        let mut append = opened.log.append();
        let place = append.message(Owner { quid: 1, seq: 1 }, Append::default(), &message);
        append.route(Owner { quid: 2, seq: 1 }, Append::default(), place, 300_000);
        place
    };
    assert!(opened.log.staged_bytes() > 300_000);
    opened.writer.write().unwrap();
    assert_eq!(opened.log.staged_bytes(), 0);
    opened.writer.sync().unwrap();
    let id = place.lsn.0;
    assert_eq!(opened.log.blobs(), (1, 300_000));
    let mut body = Vec::new();
    let crc = crc32fast::hash(&message.body_slices().flat_map(|slice| slice.to_vec()).collect::<Vec<_>>());
    read_blob(&*disk, id, crc, &mut |piece| body.extend_from_slice(piece)).unwrap();
    assert_eq!((body.len(), crc32fast::hash(&body)), (300_000, crc));
    assert!(matches!(read_blob(&*disk, id, crc ^ 1, &mut |_| {}), Err(StoreError::Damaged { .. })));
    // After a restart recovery says who owns it.
    opened = open(&disk, 1);
    opened.log.register_blob(id);
    opened.log.register_blob(id);
    assert_eq!(opened.log.remove_orphans().unwrap(), 0);
    assert_eq!(opened.log.blobs(), (1, 300_000));
    opened.log.append().release_blob(id);
    opened.log.append().delivered(1, 1);
    opened.writer.write().unwrap();
    opened.writer.sync().unwrap();
    assert!(disk.contents(&blob_name(id)).is_some());
    opened.log.append().delivered(1, 2);
    opened.writer.write().unwrap();
    {
        let mut append = opened.log.append();
        append.settle(2, None, &[(1, 300_000)]);
        append.release_blob(id);
    }
    opened.writer.sync().unwrap();
    assert!(disk.contents(&blob_name(id)).is_some(), "the sync was of what came before");
    opened.writer.write().unwrap();
    assert!(disk.contents(&blob_name(id)).is_some(), "until the settlement is durable the owner may come back");
    opened.writer.sync().unwrap();
    assert_eq!(disk.contents(&blob_name(id)), None);
    assert_eq!(opened.log.blobs(), (0, 0));
}

#[test]
fn large_bodies_that_nobody_owns_are_removed() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let message = Author::new(9).message(300_000);
    opened.log.append().message(Owner { quid: 1, seq: 1 }, Append::default(), &message);
    opened.writer.write().unwrap();
    let opened = open(&disk, 1);
    assert_eq!(opened.log.remove_orphans().unwrap(), 1);
    assert!(!disk.names().unwrap().iter().any(|name| name.starts_with("blob")));
}

/// A burst of short messages takes three times its bytes while it waits, and must not be kept for what comes later; what
/// is written is let go batch by batch, for what is behind it may have to wait long.
#[test]
fn a_burst_is_not_kept_in_memory() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let message = Author::new(1).message(10);
    for _ in 0..3 {
        for seq in 0..40_000 {
            opened.log.append().message(Owner { quid: 1, seq }, Append::default(), &message);
        }
        let busy = opened.log.staging().memory_bytes();
        assert!(busy > 2 << 20, "{busy} bytes");
        opened.writer.write().unwrap();
        let kept = opened.log.staging().memory_bytes() + opened.writer.taken.memory_bytes();
        assert!(kept < 3 << 20, "{kept} bytes");
    }
    for seq in 0..40_000 {
        opened.log.append().message(Owner { quid: 1, seq }, Append::default(), &message);
    }
    disk.set_capacity(Some(disk.used_bytes()));
    opened.writer.write().unwrap();
    assert!(opened.log.staged_bytes() > 0, "the disk is full");
    let waiting = opened.log.staged_bytes() / (HEADER + message.stored_len());
    assert!(opened.writer.taken.slices.len() < waiting + 1000, "{} slices", opened.writer.taken.slices.len());
}
