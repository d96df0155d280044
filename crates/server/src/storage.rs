//! The threads around the message store: one retires and compacts, one reads for queues.
//!
//! The log's own thread is started by whoever opens the store, because definitions need it before there is a broker.

use broker::Broker;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::{Arena, Store, StoreError};
use tracing::error;

/// How long a thread waits before it looks whether it should end.
const LOOK: Duration = Duration::from_millis(500);

/// How often definitions that are only in the log are put into their own file, and how many do not wait for that.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(30);
const MANY_DEFINITIONS: usize = 4096;

/// Running threads.
pub struct StorageThreads {
    stopped: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl StorageThreads {
    /// Starts them. `on_failure` is called once when the store cannot keep its promises any more.
    pub fn start(
        broker: &Arc<Broker>,
        store: &Arc<Store>,
        on_failure: impl FnOnce(StoreError) + Send + 'static,
    ) -> io::Result<StorageThreads> {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        let (its_broker, its_store, its_stopped) = (broker.clone(), store.clone(), stopped.clone());
        threads.push(std::thread::Builder::new().name("store".to_owned()).spawn(move || {
            if let Err(failure) = maintain(&its_broker, &its_store, &its_stopped) {
                on_failure(failure);
            }
        })?);
        let (its_broker, its_stopped) = (broker.clone(), stopped.clone());
        threads.push(std::thread::Builder::new().name("reader".to_owned()).spawn(move || {
            let mut arena = Arena::new(its_broker.message_chunks());
            while !its_stopped.load(Ordering::Relaxed) {
                if !its_broker.perform_read(&mut arena, LOOK) {
                    arena.seal();
                }
            }
        })?);
        Ok(StorageThreads { stopped, threads })
    }

    /// Ends them; what they are at is finished.
    pub fn stop(self) {
        self.stopped.store(true, Ordering::Relaxed);
        for thread in self.threads {
            if thread.join().is_err() {
                error!("a thread of the store ended with a panic");
            }
        }
    }
}

fn maintain(broker: &Broker, store: &Store, stopped: &AtomicBool) -> Result<(), StoreError> {
    let mut checkpointed = Instant::now();
    while !stopped.load(Ordering::Relaxed) {
        if store.maintain(broker)? {
            continue;
        }
        let quiet = checkpointed.elapsed() >= CHECKPOINT_INTERVAL;
        match broker.checkpoint_definitions(if quiet { 1 } else { MANY_DEFINITIONS }) {
            Ok(()) => checkpointed = if quiet { Instant::now() } else { checkpointed },
            // They stay in the log.
            Err(failure) if failure.is_no_space() => checkpointed = Instant::now(),
            Err(failure) => return Err(failure),
        }
        store.wait_for_work(LOOK);
    }
    Ok(())
}
