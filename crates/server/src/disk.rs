//! The disk alarm: how much is free on the file system of the data directory against how much has to be.

use broker::{Alarm, Broker};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::{info, warn};

/// How often free space is looked at when it is near the limit (RabbitMQ: the same).
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// The same when it is far away (RabbitMQ: the same).
const MAX_INTERVAL: Duration = Duration::from_secs(10);
/// The same while the alarm is set (RabbitMQ: 10 s, for which publishers then wait in vain). Not shorter, because an alarm
/// that flaps is worse than one that stays a moment longer.
const ALARMED_INTERVAL: Duration = Duration::from_secs(1);
/// How fast a disk may fill. RabbitMQ takes 250 MB/s and looks again after twice the time that the rest lasts at that rate;
/// a log alone is written faster than that, so here it is half of the time that the rest lasts at 1 GB/s.
const FAST_BYTES_PER_MS: u64 = 1_000_000;

/// How much space has to be free for publishers to go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FreeLimit {
    /// Multiple of the available memory.
    Relative(f64),
    /// Bytes.
    Absolute(u64),
}

impl FreeLimit {
    /// The limit in bytes, where `total_memory` is the available memory in bytes.
    pub fn bytes(self, total_memory: u64) -> u64 {
        match self {
            FreeLimit::Relative(multiple) => (total_memory as f64 * multiple) as u64,
            FreeLimit::Absolute(bytes) => bytes,
        }
    }
}

struct State {
    limit: AtomicU64,
    free: AtomicU64,
    /// Whether the thread is to end, and whether it is to look at once.
    told: Mutex<Told>,
    wake: Condvar,
}

#[derive(Default)]
struct Told {
    stop: bool,
    look: bool,
}

impl State {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Raises and clears the broker's disk alarm.
#[derive(Clone)]
pub struct DiskMonitor {
    state: Arc<State>,
    minimum: u64,
}

impl DiskMonitor {
    /// Looks once, so that a full disk blocks publishers from the start, then starts the thread that goes on looking.
    ///
    /// The limit is `limit_bytes` but never less than `minimum_bytes`, which the store needs to go on acknowledging and
    /// tidying up.
    pub fn start(
        broker: Arc<Broker>,
        directory: &Path,
        limit_bytes: u64,
        minimum_bytes: u64,
    ) -> std::io::Result<(DiskMonitor, JoinHandle<()>)> {
        let directory = directory.to_owned();
        let probe = move || free_bytes(&directory);
        let tell = move |raised| broker.set_alarm(Alarm::Disk, raised);
        DiskMonitor::start_with(probe, tell, limit_bytes, minimum_bytes)
    }

    fn start_with(
        probe: impl FnMut() -> std::io::Result<u64> + Send + 'static,
        tell: impl FnMut(bool) + Send + 'static,
        limit_bytes: u64,
        minimum_bytes: u64,
    ) -> std::io::Result<(DiskMonitor, JoinHandle<()>)> {
        let state = Arc::new(State {
            limit: AtomicU64::new(limit_bytes.max(minimum_bytes)),
            free: AtomicU64::new(u64::MAX),
            told: Mutex::default(),
            wake: Condvar::new(),
        });
        let monitor = DiskMonitor { state: state.clone(), minimum: minimum_bytes };
        let mut watch = Watch { state, probe, tell, raised: false, unreadable: false };
        watch.look();
        let thread = std::thread::Builder::new().name("disk".to_owned()).spawn(move || watch.run())?;
        Ok((monitor, thread))
    }

    /// Changes the limit, not below the minimum; it holds at once.
    pub fn set_limit(&self, limit_bytes: u64) {
        self.state.limit.store(limit_bytes.max(self.minimum), Ordering::Relaxed);
        self.state.told().look = true;
        self.state.wake.notify_all();
    }

    /// The limit in bytes.
    pub fn limit(&self) -> u64 {
        self.state.limit.load(Ordering::Relaxed)
    }

    /// Free space when last looked at, in bytes; `u64::MAX` before the system told any.
    pub fn free(&self) -> u64 {
        self.state.free.load(Ordering::Relaxed)
    }

    /// Ends the thread; an alarm that is set stays set.
    pub fn stop(&self) {
        self.state.told().stop = true;
        self.state.wake.notify_all();
    }
}

/// What the thread knows.
struct Watch<P, T> {
    state: Arc<State>,
    probe: P,
    tell: T,
    raised: bool,
    /// The last look failed, which is logged once.
    unreadable: bool,
}

impl<P: FnMut() -> std::io::Result<u64>, T: FnMut(bool)> Watch<P, T> {
    fn run(mut self) {
        let state = self.state.clone();
        let mut told = state.told();
        while !told.stop {
            let waiting = |told: &mut Told| !told.stop && !told.look;
            let waited = state.wake.wait_timeout_while(told, self.interval(), waiting);
            told = waited.unwrap_or_else(PoisonError::into_inner).0;
            if told.stop {
                return;
            }
            told.look = false;
            // A file system may take its time, and nobody who changes the limit should wait for it.
            drop(told);
            self.look();
            told = state.told();
        }
    }

    fn look(&mut self) {
        let free = match (self.probe)() {
            Ok(free) => free,
            Err(error) => {
                if !self.unreadable {
                    warn!("free disk space cannot be determined, the disk alarm stays as it is: {error}");
                }
                self.unreadable = true;
                return;
            }
        };
        self.unreadable = false;
        self.state.free.store(free, Ordering::Relaxed);
        let limit = self.state.limit.load(Ordering::Relaxed);
        let low = free < limit;
        if low == self.raised {
            return;
        }
        self.raised = low;
        if low {
            warn!("disk resource limit alarm set: {free} bytes free, the limit is {limit}; publishers are blocked");
        } else {
            info!("disk resource limit alarm cleared: {free} bytes free, the limit is {limit}");
        }
        (self.tell)(low);
    }

    fn interval(&self) -> Duration {
        let (free, limit) = (self.state.free.load(Ordering::Relaxed), self.state.limit.load(Ordering::Relaxed));
        if self.raised { ALARMED_INTERVAL } else { interval(free, limit) }
    }
}

/// When to look again while there is no alarm.
fn interval(free: u64, limit: u64) -> Duration {
    let lasts = Duration::from_millis(free.saturating_sub(limit) / FAST_BYTES_PER_MS / 2);
    lasts.clamp(MIN_INTERVAL, MAX_INTERVAL)
}

/// What a process without privileges can still write to the file system of `directory`, in bytes.
fn free_bytes(directory: &Path) -> std::io::Result<u64> {
    let space = rustix::fs::statvfs(directory)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

#[cfg(test)]
mod tests;
