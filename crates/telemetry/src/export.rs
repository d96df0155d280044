//! The thread that sends spans.

use crate::context::TraceParent;
use crate::otlp;
use crate::ring::{Ring, Span};
use broker::{Traced, Tracer};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tracing::{info, warn};

/// Spans that wait on one reactor; further ones are dropped.
const RING: usize = 8192;
/// Spans of one request.
const BATCH: usize = 512;
/// Spans that wait to be sent again; further ones are dropped.
const BACKLOG: usize = 16_384;
/// Between two looks at the rings.
const INTERVAL: Duration = Duration::from_millis(500);
/// Until a request that failed is tried again, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// For one request, connecting and waiting for the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where spans go, and of which messages there are any.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// URL of the collector, as `http://localhost:4318/v1/traces`.
    pub endpoint: String,
    /// Share of the traces that publishers record, from 0 to 1.
    pub sample: f64,
    /// `service.name` of the broker.
    pub service_name: String,
    /// `service.instance.id`: the node.
    pub node: String,
}

/// Spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Of the URL.
    #[error("`{0}` is no URL that begins with http://")]
    Endpoint(String),
    /// There is no thread.
    #[error("cannot start the thread that exports spans: {0}")]
    Thread(#[from] io::Error),
}

/// What became of spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Taken by the collector.
    pub exported: u64,
    /// Dropped, since the collector was too slow or not there.
    pub dropped: u64,
}

struct Shared {
    settings: Settings,
    rings: Vec<Ring>,
    exported: AtomicU64,
    dropped: AtomicU64,
    stopping: AtomicBool,
    wake: (Mutex<()>, Condvar),
}

/// Makes spans of messages, and sends them from a thread of its own.
pub struct Exporter {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Exporter {
    /// Starts the thread; there may be that many reactors.
    pub fn start(settings: Settings, reactors: usize) -> Result<Exporter, StartError> {
        if !settings.endpoint.starts_with("http://") {
            return Err(StartError::Endpoint(settings.endpoint));
        }
        info!("spans of traced messages go to {}", settings.endpoint);
        let shared = Arc::new(Shared {
            settings,
            rings: (0..reactors.max(1)).map(|_| Ring::new(RING)).collect(),
            exported: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            stopping: AtomicBool::new(false),
            wake: (Mutex::new(()), Condvar::new()),
        });
        let running = shared.clone();
        let thread = std::thread::Builder::new().name("telemetry".to_owned()).spawn(move || running.run())?;
        Ok(Exporter { shared, thread: Mutex::new(Some(thread)) })
    }

    /// What became of spans so far.
    pub fn tally(&self) -> Tally {
        let shared = &self.shared;
        let dropped = shared.rings.iter().map(Ring::dropped).sum::<u64>() + shared.dropped.load(Ordering::Relaxed);
        Tally { exported: shared.exported.load(Ordering::Relaxed), dropped }
    }

    /// Sends what there is, once, and ends the thread.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.wake.1.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            warn!("the thread that exports spans ended with a panic");
        }
    }
}

impl Tracer for Exporter {
    fn wants(&self, parent: &str) -> bool {
        let parent = TraceParent::parse(parent);
        parent.is_some_and(|parent| parent.sampled && parent.is_within(self.shared.settings.sample))
    }

    fn note(&self, reactor: usize, traced: &Traced<'_>) {
        let Some(parent) = TraceParent::parse(traced.parent) else { return };
        let rings = &self.shared.rings;
        rings[reactor % rings.len()].push(Span {
            operation: traced.operation,
            parent,
            state: traced.state.map(str::to_owned),
            began_ns: traced.began_ns,
            ended_ns: now_ns(),
            exchange: traced.exchange.to_owned(),
            routing_key: traced.routing_key.to_owned(),
            queue: traced.queue.to_owned(),
            consumer_tag: traced.consumer_tag.to_owned(),
            routed: traced.routed,
            body_bytes: traced.body_bytes,
        });
    }
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl Shared {
    fn run(&self) {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
        let mut backlog: Vec<Span> = Vec::new();
        let mut pause = Duration::ZERO;
        // Ids need not be secret, only different: a seed of the process, counted on.
        let mut id = RandomState::new().build_hasher().finish() | 1;
        let mut next_id = move || {
            id = id.wrapping_add(0x9e37_79b9_7f4a_7c15);
            if id == 0 { 1 } else { id }
        };
        loop {
            let stopping = self.stopping.load(Ordering::Acquire);
            if !stopping {
                let guard = self.wake.0.lock().unwrap_or_else(PoisonError::into_inner);
                // Stopping wakes it; waking early does no harm.
                let _ = self.wake.1.wait_timeout(guard, INTERVAL.max(pause));
            }
            self.rings.iter().for_each(|ring| ring.take(&mut backlog));
            if backlog.len() > BACKLOG {
                let excess = backlog.len() - BACKLOG;
                self.dropped.fetch_add(excess as u64, Ordering::Relaxed);
                backlog.drain(..excess);
            }
            while !backlog.is_empty() {
                let batch = backlog.len().min(BATCH);
                let settings = &self.settings;
                let body = otlp::request(&settings.service_name, &settings.node, &backlog[..batch], &mut next_id);
                match send(&agent, &settings.endpoint, &body.to_string()) {
                    Sent::Taken => {
                        self.exported.fetch_add(batch as u64, Ordering::Relaxed);
                        backlog.drain(..batch);
                        pause = Duration::ZERO;
                    }
                    Sent::Refused(reason) => {
                        warn!("the collector refused {batch} spans: {reason}");
                        self.dropped.fetch_add(batch as u64, Ordering::Relaxed);
                        backlog.drain(..batch);
                    }
                    Sent::Failed(reason) => {
                        if pause.is_zero() {
                            warn!("cannot send spans to {}: {reason}; trying again", settings.endpoint);
                        }
                        pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                        break;
                    }
                }
            }
            if stopping {
                self.dropped.fetch_add(backlog.len() as u64, Ordering::Relaxed);
                return;
            }
        }
    }
}

enum Sent {
    Taken,
    /// It will not take them another time either.
    Refused(String),
    /// It may take them later.
    Failed(String),
}

fn send(agent: &ureq::Agent, endpoint: &str, body: &str) -> Sent {
    match agent.post(endpoint).header("content-type", "application/json").send(body) {
        Ok(_) => Sent::Taken,
        // Which of them to try again is said in OTLP's specification.
        Err(ureq::Error::StatusCode(status @ (429 | 502..=504))) => Sent::Failed(format!("status {status}")),
        Err(ureq::Error::StatusCode(status)) => Sent::Refused(format!("status {status}")),
        Err(error) => Sent::Failed(error.to_string()),
    }
}
