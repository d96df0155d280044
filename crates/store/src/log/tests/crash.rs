use super::*;

/// How many times as much as usual is to be tried.
fn thoroughness() -> u64 {
    std::env::var("LEVERET_CRASHES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// Runs until the disk stops; what was durable then, and what was appended.
fn until_it_stops(author: &mut Author, opened: &mut Opened, head: &mut u32) -> Lsn {
    loop {
        let count = 1 + author.random.below(40);
        author.run(&opened.log, count);
        let mut alive = author.random.chance(1, 3) || opened.writer.write().is_ok();
        alive &= author.random.chance(1, 2) || opened.writer.sync().is_ok();
        if author.random.chance(1, 10) {
            alive &= opened.log.prepare_spare().is_ok();
        }
        // A manifest that is always durable says where the log begins.
        let durable = opened.log.segment_of(opened.log.durable());
        if author.random.chance(1, 8) && *head < durable.min(opened.log.active_segment()) {
            *head += 1;
            opened.log.recycle(*head - 1);
        }
        if !alive {
            // A spare that could not be made does not fence.
            let fenced = opened.log.is_fenced();
            assert!(!fenced || (opened.writer.write().is_err() && opened.writer.sync().is_err()));
            return opened.log.durable();
        }
    }
}

/// Everything durable is there after any crash, nothing is there that was not appended, and nothing out of order; also
/// when the recovery itself is cut off.
#[test]
fn what_was_durable_survives_every_crash() {
    for seed in 0..20 * thoroughness() {
        let mut disk = SimulatedDisk::new();
        let mut author = Author::new(seed);
        author.largest_body = if seed % 3 == 0 { 200_000 } else { 20_000 };
        let (mut head, mut durable) = (1, Lsn(0));
        for run in 0..6 {
            let context = format!("seed {seed}, run {run}");
            while author.random.chance(1, 3) {
                disk.stop_at(1 + author.random.below(6));
                let _ = try_open(&disk, head);
                disk = disk.crash(&mut author.random);
            }
            let mut opened = open(&disk, head);
            assert_eq!(opened.found.damage, [], "{context}");
            author.appended.retain(|seen| seen.lsn.0 >= u64::from(head) * SEGMENT);
            let found = &opened.found.records;
            assert!(author.appended.starts_with(found), "{context}: something else was found");
            let must = below(&author.appended, durable).len();
            assert!(found.len() >= must, "{context}: {} of {must} durable records", found.len());
            check_blobs(&*disk, found, &context);
            // What was found is durable now, whatever comes.
            author.appended.truncate(found.len());
            assert!(opened.log.durable() >= author.appended.last().map_or(Lsn(0), Seen::end));
            disk.stop_at(disk.operations() + 1 + author.random.below(60));
            durable = until_it_stops(&mut author, &mut opened, &mut head);
            disk = disk.crash(&mut author.random);
        }
    }
}

fn check_blobs(disk: &dyn Disk, found: &[Seen], context: &str) {
    for seen in found.iter().filter(|seen| seen.flags & BLOB != 0) {
        let (_, tail) = seen.payload.split_at(seen.payload.len() - 12);
        let id = u64::from_le_bytes(tail[..8].try_into().unwrap());
        let crc = u32::from_le_bytes(tail[8..].try_into().unwrap());
        assert_eq!(id, seen.lsn.0);
        assert!(read_blob(disk, id, crc, &mut |_| {}).is_ok(), "{context}: blob {id:x}");
    }
}

/// When only the process dies, everything written is there.
#[test]
fn what_was_written_survives_the_process() {
    for seed in 0..10 {
        let mut disk = SimulatedDisk::new();
        let mut author = Author::new(seed);
        let mut written = Lsn(0);
        for _ in 0..4 {
            let mut opened = open(&disk, 1);
            assert_eq!(opened.found.records, below(&author.appended, written));
            author.appended.truncate(opened.found.records.len());
            for _ in 0..20 {
                author.run(&opened.log, 20);
                if author.random.chance(2, 3) {
                    opened.writer.write().unwrap();
                }
            }
            written = opened.log.written();
            disk = disk.kill();
        }
    }
}

/// What recovery has read is durable before it is accepted, even if the page cache was all that had it.
#[test]
fn the_tail_is_made_durable_by_opening() {
    for seed in 0..20 {
        let disk = SimulatedDisk::new();
        let mut opened = open(&disk, 1);
        let mut author = Author::new(seed);
        author.run(&opened.log, 30);
        opened.writer.write().unwrap();
        if seed % 2 == 0 {
            // The pages count as clean after this, and are lost nevertheless.
            disk.fail_sync(1);
            assert!(opened.writer.sync().is_err());
        }
        let killed = disk.kill();
        let found = open(&killed, 1).found.records;
        assert_eq!(found, author.appended);
        let cut = killed.crash(&mut author.random);
        assert_eq!(open(&cut, 1).found.records, author.appended);
    }
}

#[test]
fn a_failed_sync_fences() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let mut author = Author::new(1);
    let told = Arc::new(AtomicUsize::new(0));
    let failures = told.clone();
    opened.writer.on_failure(Box::new(move |error| {
        assert!(matches!(error, StoreError::Io { .. }));
        failures.fetch_add(1, Ordering::Relaxed);
    }));
    author.run(&opened.log, 3);
    opened.writer.write().unwrap();
    opened.writer.sync().unwrap();
    let durable = opened.log.durable();
    author.run(&opened.log, 3);
    opened.writer.write().unwrap();
    disk.fail_sync(1);
    assert!(matches!(opened.writer.sync(), Err(StoreError::Io { .. })));
    assert!(opened.log.is_fenced() && opened.log.is_full());
    author.run(&opened.log, 3);
    assert!(matches!(opened.writer.sync(), Err(StoreError::Fenced)), "a second sync would succeed");
    assert!(matches!(opened.writer.write(), Err(StoreError::Fenced)));
    assert_eq!(opened.log.durable(), durable);
    assert_eq!(told.load(Ordering::Relaxed), 1);
}

#[test]
fn a_failed_write_fences() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let mut author = Author::new(1);
    let durable = opened.log.durable();
    author.run(&opened.log, 3);
    disk.fail_write(1);
    assert!(opened.writer.write().is_err());
    assert!(opened.log.is_fenced());
    assert!(opened.writer.sync().is_err());
    assert_eq!(opened.log.durable(), durable);
}

/// Batches that were cut off are never found again, not even when those written in their place are of the same length,
/// or are damaged later.
#[test]
fn a_tail_that_was_cut_off_stays_so() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let batch = |opened: &mut Opened, quid: u64, sync: bool| {
        opened.log.append().delivered(quid, 1);
        opened.writer.write().unwrap();
        if sync {
            opened.writer.sync().unwrap();
        }
    };
    batch(&mut opened, 1, true);
    for quid in 2..8 {
        batch(&mut opened, quid, false);
    }
    // The second batch is torn: all behind it go.
    assert!(disk.flip_bit("log-0000", 8192 + 70, 0));
    let mut opened = open(&disk, 1);
    let quids = |opened: &Opened| opened.found.records.iter().map(|seen| seen.group).collect::<Vec<_>>();
    assert_eq!(quids(&opened), [1]);
    batch(&mut opened, 102, true);
    batch(&mut opened, 103, true);
    assert!(disk.flip_bit("log-0000", 8192 + 70, 0));
    assert!(disk.flip_bit("log-0000", 8192 + 4096 + 70, 0));
    let opened = open(&disk, 1);
    assert_eq!(quids(&opened), [1], "what was cut off is not found behind damage");
}

/// The same where a later segment vouches for what is in this one.
#[test]
fn a_tail_that_was_cut_off_is_not_found_behind_damage() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    opened.log.append().metadata(&[1; 524_000]);
    opened.writer.write().unwrap();
    opened.writer.sync().unwrap();
    let torn = opened.log.written().0.next_multiple_of(4096) - SEGMENT;
    for quid in 1..5 {
        opened.log.append().delivered(quid, 1);
        opened.writer.write().unwrap();
    }
    assert!(disk.flip_bit("log-0000", torn + 70, 0));
    let mut opened = open(&disk, 1);
    assert_eq!(opened.found.records.len(), 1);
    // In the place of the torn batch, and then in the next segment: the others of the tail are not written over.
    opened.log.append().delivered(9, 1);
    opened.writer.write().unwrap();
    opened.log.append().metadata(&[2; 524_000]);
    opened.writer.write().unwrap();
    opened.writer.sync().unwrap();
    assert_eq!(opened.log.active_segment(), 2);
    assert!(disk.flip_bit("log-0000", torn + 70, 0));
    let opened = open(&disk, 1);
    let kinds: Vec<_> = opened.found.records.iter().map(|seen| seen.kind).collect();
    assert_eq!(kinds, [Kind::Metadata as u8; 2]);
    assert_eq!(opened.found.damage.len(), 1);
}
