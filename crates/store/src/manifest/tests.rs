use super::*;
use crate::simulation::{Random, SimulatedDisk};

fn first() -> State {
    State { log_id: 77, segment_bytes: 1 << 20, log_head: 1, epoch: 0, next_cold: 1, closed: None }
}

fn open_on(disk: &Arc<SimulatedDisk>) -> Result<(Manifest, Snapshot), ManifestError> {
    let disk: Arc<dyn Disk> = disk.clone();
    Manifest::open(&disk, &first())
}

/// The n-th change of a store that does nothing but count.
fn change(n: u64) -> Change {
    let mut change = Change { state: State { log_head: n as u32, ..first() }, ..Change::default() };
    let state = QueueState { retired: n, next_seq: 10 * n, delivered_below: n / 2, blobs: vec![n, n + 5] };
    change.queues.insert(n % 3, Some(state));
    change.extents.insert((n % 3, n), Some(vec![n as u8; 3000]));
    change.cold.insert(n, Some(n * 100));
    change
}

#[test]
fn a_snapshot_is_what_was_committed() {
    let disk = SimulatedDisk::new();
    let (mut manifest, snapshot) = open_on(&disk).unwrap();
    assert_eq!(snapshot, Snapshot { state: first(), ..Snapshot::default() });
    for n in 1..=6 {
        manifest.commit(&change(n)).unwrap();
    }
    let mut last = Change { state: State { next_cold: 9, ..first() }, ..Change::default() };
    last.queues.insert(1, None);
    last.extents.insert((0, 3), None);
    last.cold.insert(2, None);
    manifest.commit(&last).unwrap();
    manifest.close();
    let (_, snapshot) = open_on(&disk).unwrap();
    assert_eq!(snapshot.state.next_cold, 9);
    assert_eq!(snapshot.queues.iter().map(|(quid, _)| *quid).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(snapshot.queues[0].1, change(6).queues[&0].clone().unwrap());
    let extents: Vec<_> = snapshot.extents.iter().map(|(quid, first, bytes)| (*quid, *first, bytes.len())).collect();
    assert_eq!(extents, [(0, 6, 3000), (2, 2, 3000), (2, 5, 3000)]);
    assert_eq!(snapshot.cold, [(1, 100), (3, 300), (4, 400), (5, 500), (6, 600)]);
}

/// Commits until the disk stops; how many commits were acknowledged.
fn commit_some(disk: &Arc<SimulatedDisk>) -> u64 {
    let Ok((mut manifest, _)) = open_on(disk) else { return 0 };
    (1..=5).take_while(|n| manifest.commit(&change(*n)).is_ok()).count() as u64
}

#[test]
fn a_crash_at_any_point_leaves_the_last_commit_or_the_next() {
    let whole = SimulatedDisk::new();
    commit_some(&whole);
    for at in 1..=whole.operations() {
        let disk = SimulatedDisk::new();
        disk.stop_at(at);
        let done = commit_some(&disk);
        let (mut manifest, snapshot) = open_on(&disk.crash(&mut Random::new(at))).unwrap();
        let found = if snapshot.cold.is_empty() { 0 } else { u64::from(snapshot.state.log_head) };
        assert!(found == done || found == done + 1, "stopped at {at}: {done} were done and {found} are there");
        assert_eq!(snapshot.cold.len() as u64, found);
        assert_eq!(snapshot.extents.len() as u64, found);
        manifest.commit(&change(6)).unwrap();
    }
}

#[test]
fn a_full_disk_loses_nothing_and_the_commit_is_tried_again() {
    let disk = SimulatedDisk::new();
    let (mut manifest, _) = open_on(&disk).unwrap();
    let mut refused = 0;
    for n in 1..=80 {
        let mut change = change(n);
        change.extents.insert((9, n), Some(vec![1; 20_000]));
        disk.set_capacity(Some(disk.used_bytes()));
        match manifest.commit(&change) {
            Ok(()) => continue,
            Err(ManifestError::NoSpace) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
        assert!(matches!(manifest.commit(&change), Err(ManifestError::NoSpace)));
        disk.set_capacity(None);
        manifest.commit(&change).unwrap();
    }
    assert!(refused > 5, "{refused}");
    manifest.close();
    let (_, snapshot) = open_on(&disk).unwrap();
    assert_eq!((snapshot.cold.len(), snapshot.extents.len()), (80, 160));
}

#[test]
fn after_a_failed_sync_nothing_is_committed_any_more() {
    let disk = SimulatedDisk::new();
    let (mut manifest, _) = open_on(&disk).unwrap();
    manifest.commit(&change(1)).unwrap();
    disk.fail_sync(1);
    for n in 2..4 {
        assert!(matches!(manifest.commit(&change(n)), Err(ManifestError::Io(_))));
    }
    drop(manifest);
    let (_, snapshot) = open_on(&disk.crash(&mut Random::new(3))).unwrap();
    assert_eq!(snapshot.state.log_head, 1);
}

#[test]
fn foreign_and_newer_files_are_refused_untouched() {
    for content in [&b""[..], b"redb", b"SQLite format 3\0 and then some"] {
        let disk = SimulatedDisk::new();
        disk.create(FILE).unwrap().write_at(content, 0).unwrap();
        let before = disk.operations();
        assert!(matches!(open_on(&disk), Err(ManifestError::Foreign)));
        assert_eq!(disk.operations(), before);
    }
    let disk = SimulatedDisk::new();
    let (mut manifest, _) = open_on(&disk).unwrap();
    let transaction = manifest.database.as_ref().unwrap().begin_write().unwrap();
    transaction.open_table(STORE).unwrap().insert("format", 2).unwrap();
    transaction.commit().unwrap();
    manifest.close();
    let before = disk.contents(FILE);
    assert!(matches!(open_on(&disk), Err(ManifestError::Newer(2))));
    assert_eq!(disk.contents(FILE), before);
}

#[test]
fn a_half_made_file_is_made_again() {
    let disk = SimulatedDisk::new();
    disk.create(NEW_FILE).unwrap().write_at(b"half", 0).unwrap();
    open_on(&disk).unwrap();
    assert_eq!(disk.names().unwrap(), [FILE]);
}

proptest::proptest! {
    #[test]
    fn queue_states_survive_and_no_bytes_panic(
        numbers in proptest::array::uniform3(proptest::num::u64::ANY),
        blobs in proptest::collection::vec(proptest::num::u64::ANY, 0..5),
        bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60)
    ) {
        let [retired, next_seq, delivered_below] = numbers;
        let state = QueueState { retired, next_seq, delivered_below, blobs };
        proptest::prop_assert_eq!(QueueState::from_bytes(&state.to_bytes()), Some(state));
        let _ = QueueState::from_bytes(&bytes);
    }
}
