//! Disks that are full, for a while or in a sync, and what is found when the file is opened again.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use proptest::prelude::*;
use redb::StorageBackend;
use redb::backends::InMemoryBackend;

use super::super::file::failed_sync;
use super::super::tests::store_over;
use super::*;
use crate::{Store, VhostDefinition};

const NEVER: u64 = u64::MAX;

/// A disk in memory that outlives its openings and can be full.
#[derive(Clone, Debug)]
pub(crate) struct FullDisk {
    memory: Arc<InMemoryBackend>,
    /// How many more writes find space.
    room: Arc<AtomicU64>,
    /// True when all writes after those fail, not only one.
    stays: Arc<AtomicBool>,
    /// How many more syncs succeed; the one after them, and it alone, finds no space.
    syncs: Arc<AtomicU64>,
    /// Met by the next sync when it begins, and again before it ends.
    hold: Arc<Mutex<Option<Arc<Barrier>>>>,
}

impl FullDisk {
    pub(crate) fn new() -> FullDisk {
        let never = || Arc::new(AtomicU64::new(NEVER));
        FullDisk { memory: Arc::default(), room: never(), stays: Arc::default(), syncs: never(), hold: Arc::default() }
    }

    pub(crate) fn store(&self) -> Store {
        let disk = self.clone();
        store_over(move || disk.clone())
    }

    /// Fails one write with ENOSPC, after `writes` more of them.
    pub(crate) fn fail_once_after(&self, writes: u64) {
        self.room.store(writes, Ordering::Relaxed);
        self.stays.store(false, Ordering::Relaxed);
    }

    /// Fails every write with ENOSPC, after `writes` more of them, until there is [space](FullDisk::free) again.
    pub(crate) fn full_after(&self, writes: u64) {
        self.room.store(writes, Ordering::Relaxed);
        self.stays.store(true, Ordering::Relaxed);
    }

    pub(crate) fn free(&self) {
        self.room.store(NEVER, Ordering::Relaxed);
    }

    /// Fails the next sync, and it alone, for want of space.
    pub(crate) fn fail_sync(&self) {
        self.syncs.store(0, Ordering::Relaxed);
    }

    /// Whoever waits for the barrier waits until the next sync has begun, and then lets it go on by waiting again.
    pub(crate) fn hold_next_sync(&self) -> Arc<Barrier> {
        let barrier = Arc::new(Barrier::new(2));
        *self.hold.lock().unwrap() = Some(barrier.clone());
        barrier
    }

    fn take_room(&self) -> io::Result<()> {
        countdown(&self.room, self.stays.load(Ordering::Relaxed))
    }
}

fn countdown(left: &AtomicU64, stays: bool) -> io::Result<()> {
    match left.load(Ordering::Relaxed) {
        NEVER => return Ok(()),
        0 if stays => {}
        0 => left.store(NEVER, Ordering::Relaxed),
        _ => {
            left.fetch_sub(1, Ordering::Relaxed);
            return Ok(());
        }
    }
    Err(io::Error::from_raw_os_error(28)) // ENOSPC
}

impl StorageBackend for FullDisk {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.take_room()?;
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let hold = self.hold.lock().unwrap().take();
        if let Some(barrier) = hold {
            barrier.wait();
            barrier.wait();
        }
        countdown(&self.syncs, false).map_err(failed_sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.take_room()?;
        self.memory.write(offset, data)
    }
}

fn put(name: &str) -> Change {
    Change::PutVhost(VhostDefinition { name: name.to_owned(), ..VhostDefinition::default() })
}

/// What a restart finds: the virtual hosts and the position.
pub(crate) fn found(disk: &FullDisk) -> (Vec<String>, u64) {
    let open = {
        let disk = disk.clone();
        move || super::super::builder().create_with_backend(disk.clone())
    };
    let (checkpoint, snapshot) = Checkpoint::open("again".into(), Box::new(open)).unwrap();
    (snapshot.vhosts.into_iter().map(|vhost| vhost.name).collect(), checkpoint.applied())
}

#[test]
fn a_full_disk_loses_nothing_and_is_tried_again() {
    let disk = FullDisk::new();
    let store = disk.store();
    store.commit(&[put("a")], 10).unwrap();
    disk.fail_once_after(0);
    let error = store.commit(&[put("b")], 20).unwrap_err();
    assert!(matches!(error, CommitError::NoSpace(_)), "{error:?}");
    assert_eq!(error.to_string(), format!("metadata could not be committed: {}", io::Error::from_raw_os_error(28)));
    store.commit(&[put("b"), put("c")], 30).unwrap();
    drop(store);
    assert_eq!(found(&disk), (vec!["a".into(), "b".into(), "c".into()], 30));
}

#[test]
fn a_disk_that_stays_full_is_tried_again_each_time() {
    let disk = FullDisk::new();
    let store = disk.store();
    store.commit(&[put("a")], 10).unwrap();
    disk.full_after(0);
    for _ in 0..3 {
        assert!(matches!(store.commit(&[put("b")], 20), Err(CommitError::NoSpace(_))));
    }
    disk.free();
    store.commit(&[put("b")], 20).unwrap();
    drop(store);
    assert_eq!(found(&disk), (vec!["a".into(), "b".into()], 20));
}

#[test]
fn a_sync_that_finds_no_space_is_a_failure_for_good() {
    let disk = FullDisk::new();
    let store = disk.store();
    store.commit(&[put("a")], 10).unwrap();
    disk.fail_sync();
    let error = store.commit(&[put("b")], 20).unwrap_err();
    assert!(matches!(error, CommitError::Failed(_)), "{error:?}");
    let error = store.commit(&[put("b")], 20).unwrap_err();
    assert_eq!(error.to_string(), "metadata could not be committed: an earlier commit has failed");
}

#[test]
fn a_log_that_lost_its_tail_takes_the_position_back_once() {
    let disk = FullDisk::new();
    let store = disk.store();
    store.commit(&[put("a")], 100).unwrap();
    assert_eq!(store.rewind(200).unwrap(), 100, "the log goes on behind the file");
    assert_eq!(store.rewind(40).unwrap(), 40);
    store.commit(&[put("b")], 60).unwrap();
    drop(store);
    assert_eq!(found(&disk), (vec!["a".into(), "b".into()], 60));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Wherever in a commit the space ends, the file holds what was before it or what it brings, and a retry all of it.
    #[test]
    fn the_space_may_end_at_any_write(room in 0..40u64, stays: bool, count in 1..200usize) {
        let disk = FullDisk::new();
        let store = disk.store();
        store.commit(&[put("before")], 1).unwrap();
        let many: Vec<_> = (0..count).map(|at| put(&format!("{at:03}"))).collect();
        if stays { disk.full_after(room) } else { disk.fail_once_after(room) }
        let first = store.commit(&many, 2);
        disk.free();
        if let Err(error) = first {
            prop_assert!(matches!(error, CommitError::NoSpace(_)), "{error:?}");
            store.commit(&many, 2).unwrap();
        }
        drop(store);
        let (vhosts, applied) = found(&disk);
        prop_assert_eq!((vhosts.len(), applied), (count + 1, 2));
    }
}
