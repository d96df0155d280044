//! The memory alarm: how much the process uses against how much it may.

use broker::{Alarm, Broker};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// How often memory is looked at (RabbitMQ: 2.5 s; here more often, since looking is cheap).
const INTERVAL: Duration = Duration::from_millis(500);
/// The same when more than half of the limit is used: a second of publishing can fill the rest.
const INTERVAL_NEAR_LIMIT: Duration = Duration::from_millis(50);

/// How often messages may be moved together.
const COMPACT_INTERVAL: Duration = Duration::from_secs(1);

/// When publishers have to wait.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Watermark {
    /// Share of the available memory, 0 to 1 and above.
    Relative(f64),
    /// Bytes.
    Absolute(u64),
}

impl Watermark {
    /// The limit in bytes.
    pub fn bytes(self, total: u64) -> u64 {
        match self {
            Watermark::Relative(share) => (total as f64 * share) as u64,
            Watermark::Absolute(bytes) => bytes,
        }
    }
}

struct State {
    limit: AtomicU64,
    used: AtomicU64,
    stopped: AtomicBool,
    wake: (Mutex<()>, Condvar),
}

/// Raises and clears the broker's memory alarm.
#[derive(Clone)]
pub struct MemoryMonitor {
    state: Arc<State>,
    total: u64,
}

impl MemoryMonitor {
    /// Starts the thread that looks; `total` is the available memory in bytes.
    pub fn start(
        broker: Arc<Broker>,
        watermark: Watermark,
        total: u64,
    ) -> std::io::Result<(MemoryMonitor, JoinHandle<()>)> {
        let state = Arc::new(State {
            limit: AtomicU64::new(watermark.bytes(total)),
            used: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            wake: (Mutex::new(()), Condvar::new()),
        });
        let monitor = MemoryMonitor { state: state.clone(), total };
        let thread = std::thread::Builder::new().name("memory".to_owned()).spawn(move || watch(&state, &broker))?;
        Ok((monitor, thread))
    }

    /// Changes the limit; it holds at once.
    pub fn set_watermark(&self, watermark: Watermark) {
        self.state.limit.store(watermark.bytes(self.total), Ordering::Relaxed);
        self.state.wake.1.notify_all();
    }

    /// The limit in bytes.
    pub fn limit(&self) -> u64 {
        self.state.limit.load(Ordering::Relaxed)
    }

    /// Memory in use when last looked at, in bytes.
    pub fn used(&self) -> u64 {
        self.state.used.load(Ordering::Relaxed)
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.state.stopped.store(true, Ordering::Relaxed);
        self.state.wake.1.notify_all();
    }
}

fn watch(state: &State, broker: &Broker) {
    let mut guard = state.wake.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut raised = false;
    let mut compacted = Instant::now();
    while !state.stopped.load(Ordering::Relaxed) {
        if let Some(used) = resident_memory() {
            state.used.store(used, Ordering::Relaxed);
            let limit = state.limit.load(Ordering::Relaxed);
            let high = used > limit;
            if high {
                broker.trim();
            }
            if high != raised {
                raised = high;
                if high {
                    warn!(
                        "memory resource limit alarm set: {used} bytes in use, the limit is {limit}; publishers are blocked"
                    );
                } else {
                    info!("memory resource limit alarm cleared: {used} bytes in use, the limit is {limit}");
                }
                broker.set_alarm(Alarm::Memory, high);
            }
        }
        if compacted.elapsed() >= COMPACT_INTERVAL {
            broker.compact();
            compacted = Instant::now();
        }
        let near = state.used.load(Ordering::Relaxed) > state.limit.load(Ordering::Relaxed) / 2;
        let interval = if near { INTERVAL_NEAR_LIMIT } else { INTERVAL };
        guard = state.wake.1.wait_timeout(guard, interval).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Resident memory of this process in bytes; `None` where the system does not tell.
fn resident_memory() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// Memory that this process may use: the container's limit where there is one, else the machine's, in bytes.
pub fn total_memory() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemTotal:"))?.to_owned();
        line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()
    });
    let machine = machine.map_or(u64::MAX, |kilobytes| kilobytes << 10);
    let limits = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let container = limits.iter().find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok());
    machine.min(container.unwrap_or(u64::MAX))
}
