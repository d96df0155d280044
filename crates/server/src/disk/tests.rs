//! The monitor over a file system that the test fills and empties.

use super::*;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

const MB: u64 = 1_000_000;
/// Longer than any interval near the limit or with the alarm set.
const SOON: Duration = Duration::from_secs(5);
const UNREADABLE: u64 = u64::MAX;

/// A monitor, how much is free, what was told, and its thread.
struct Disk {
    free: Arc<AtomicU64>,
    told: Receiver<bool>,
    monitor: DiskMonitor,
    thread: Option<JoinHandle<()>>,
}

impl Disk {
    fn new(free: u64, limit: u64, minimum: u64) -> Disk {
        let free = Arc::new(AtomicU64::new(free));
        let (tell, told) = channel();
        let probed = free.clone();
        let probe = move || match probed.load(Ordering::Relaxed) {
            UNREADABLE => Err(io::Error::other("no such file system")),
            free => Ok(free),
        };
        let tell = move |raised| tell.send(raised).unwrap();
        let (monitor, thread) = DiskMonitor::start_with(probe, tell, limit, minimum).unwrap();
        Disk { free, told, monitor, thread: Some(thread) }
    }

    fn set_free(&self, free: u64) {
        self.free.store(free, Ordering::Relaxed);
    }

    #[track_caller]
    fn expect(&self, raised: bool) {
        assert_eq!(self.told.recv_timeout(SOON), Ok(raised));
    }

    #[track_caller]
    fn expect_nothing(&self) {
        assert_eq!(self.told.recv_timeout(MIN_INTERVAL * 3), Err(RecvTimeoutError::Timeout));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.monitor.stop();
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn it_is_set_below_the_limit_and_cleared_at_it() {
    let disk = Disk::new(60 * MB, 50 * MB, 0);
    assert_eq!((disk.monitor.free(), disk.monitor.limit()), (60 * MB, 50 * MB));
    disk.expect_nothing();
    disk.set_free(50 * MB - 1);
    disk.expect(true);
    assert_eq!(disk.monitor.free(), 50 * MB - 1);
    disk.set_free(50 * MB);
    disk.expect(false);
    disk.expect_nothing();
}

#[test]
fn a_full_disk_is_known_before_start_returns() {
    let disk = Disk::new(1, 50 * MB, 0);
    assert_eq!(disk.told.try_recv(), Ok(true));
}

#[test]
fn the_minimum_holds_whatever_the_limit() {
    let disk = Disk::new(150 * MB, 50 * MB, 192 * MB);
    assert_eq!(disk.monitor.limit(), 192 * MB);
    disk.expect(true);
    disk.monitor.set_limit(0);
    assert_eq!(disk.monitor.limit(), 192 * MB);
    disk.monitor.set_limit(500 * MB);
    assert_eq!(disk.monitor.limit(), 500 * MB);
    disk.expect_nothing();
}

/// So much is free that the thread would look again after 10 s.
#[test]
fn a_new_limit_holds_at_once() {
    let disk = Disk::new(1_000_000 * MB, 50 * MB, 0);
    disk.monitor.set_limit(2_000_000 * MB);
    disk.expect(true);
    disk.monitor.set_limit(50 * MB);
    disk.expect(false);
}

#[test]
fn an_unreadable_file_system_changes_nothing() {
    let disk = Disk::new(40 * MB, 50 * MB, 0);
    disk.expect(true);
    disk.set_free(UNREADABLE);
    assert_eq!(disk.told.recv_timeout(ALARMED_INTERVAL * 2), Err(RecvTimeoutError::Timeout));
    assert_eq!(disk.monitor.free(), 40 * MB);
    disk.set_free(60 * MB);
    disk.expect(false);
}

#[test]
fn stopping_does_not_wait_for_the_interval() {
    let start = std::time::Instant::now();
    drop(Disk::new(1_000_000 * MB, 50 * MB, 0));
    assert!(start.elapsed() < MAX_INTERVAL / 2, "{:?}", start.elapsed());
}

#[test]
fn it_looks_more_often_near_the_limit() {
    for (free, limit, interval_ms) in [
        (50 * MB, 50 * MB, 100),
        (0, 50 * MB, 100),
        (250 * MB, 50 * MB, 100),
        (1_050 * MB, 50 * MB, 500),
        (10_050 * MB, 50 * MB, 5_000),
        (1_000_000 * MB, 50 * MB, 10_000),
    ] {
        assert_eq!(interval(free, limit), Duration::from_millis(interval_ms), "{free} free, limit {limit}");
    }
}

#[test]
fn a_relative_limit_is_a_multiple_of_the_memory() {
    assert_eq!(FreeLimit::Relative(1.5).bytes(1000), 1500);
    assert_eq!(FreeLimit::Absolute(7).bytes(1000), 7);
}

#[test]
fn the_file_system_of_a_directory_tells_what_is_free() {
    assert!(free_bytes(&std::env::temp_dir()).unwrap() > 0);
    assert!(free_bytes(Path::new("/no/such/directory")).is_err());
}
