//! The broker within the process: started from the data directory, stopped, and started again.

use crate::memory::Monitored;
use crate::settings;
use anyhow::{Context, Result};
use auth::{AccessControl, Pattern};
use broker::Broker;
use config::Config;
use metadata::{Journal, RedbJournal, Snapshot, Store, Token};
use server::{Listeners, MemoryMonitor, Reactors, total_memory};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use tracing::{error, info};

/// The broker of this process, running or stopped.
pub(crate) struct Application {
    config: Config,
    data_dir: PathBuf,
    /// Held while it is started or stopped.
    running: Mutex<Option<Running>>,
    /// What others see of it, which they can look at meanwhile.
    visible: Mutex<Option<Visible>>,
}

#[derive(Clone)]
struct Visible {
    broker: Arc<Broker>,
    listeners: Vec<SocketAddr>,
}

/// Everything that a running broker consists of.
struct Running {
    broker: Arc<Broker>,
    journal: Arc<RedbJournal>,
    reactors: Reactors,
    monitor: MemoryMonitor,
    memory: JoinHandle<()>,
}

impl Application {
    pub(crate) fn new(config: Config, data_dir: PathBuf) -> Application {
        Application { config, data_dir, running: Mutex::default(), visible: Mutex::default() }
    }

    /// Starts the broker unless it runs.
    pub(crate) fn start(&self) -> Result<()> {
        let mut running = lock(&self.running);
        if running.is_some() {
            return Ok(());
        }
        let config = &self.config;
        let listeners = Listeners::open(&config.listeners, settings::socket_options(config))?;
        let addresses = listeners.addresses();
        let (broker, journal) = open(config, &self.data_dir)?;
        let total_bytes = config.total_memory_available_bytes.unwrap_or_else(total_memory);
        let (monitor, memory) = MemoryMonitor::start(broker.clone(), settings::watermark(config), total_bytes)
            .context("cannot start the memory monitor")?;
        info!("memory high watermark set to {} MiB of {} MiB", monitor.limit() >> 20, total_bytes >> 20);
        broker.set_memory_control(Box::new(Monitored { monitor: monitor.clone(), total_bytes }));
        let reactors = Reactors::start(&broker, listeners)?;
        for address in &addresses {
            info!("started TCP listener on {address}");
        }
        *lock(&self.visible) = Some(Visible { broker: broker.clone(), listeners: addresses });
        *running = Some(Running { broker, journal, reactors, monitor, memory });
        Ok(())
    }

    /// Stops the broker if it runs: clients are told, and everything durable is on disk.
    pub(crate) fn stop(&self) {
        let mut running = lock(&self.running);
        let Some(Running { broker, journal, reactors, monitor, memory }) = running.take() else { return };
        *lock(&self.visible) = None;
        broker.shut_down();
        reactors.join();
        monitor.stop();
        if memory.join().is_err() {
            error!("the memory monitor ended with a panic");
        }
        journal.shutdown();
    }
}

impl management::Application for Application {
    fn broker(&self) -> Option<Arc<Broker>> {
        lock(&self.visible).as_ref().map(|visible| visible.broker.clone())
    }

    fn listeners(&self) -> Vec<SocketAddr> {
        lock(&self.visible).as_ref().map(|visible| visible.listeners.clone()).unwrap_or_default()
    }

    fn stop(&self) {
        Application::stop(self);
        info!("broker stopped by an operator");
    }

    fn start(&self) -> Result<(), String> {
        Application::start(self).map_err(|error| format!("{error:#}"))?;
        info!("broker started by an operator");
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Opens the data directory and builds the broker from what it holds.
fn open(config: &Config, data_dir: &Path) -> Result<(Arc<Broker>, Arc<RedbJournal>)> {
    let (store, mut snapshot, _) = Store::open(data_dir)?;
    // The journal is needed to make the broker, and tells the broker of its progress.
    let told: Arc<OnceLock<Arc<Broker>>> = Arc::default();
    let tell = told.clone();
    let (progress, durable) = channel();
    let journal = store.start(
        move |token| {
            // Listened to during the first boot only.
            let _ = progress.send(token);
            if let Some(broker) = tell.get() {
                broker.journal_advanced(token);
            }
        },
        |failure| {
            error!("definitions cannot be made durable any more: {failure}");
            fail_stop();
        },
    )?;
    let journal = Arc::new(journal);
    if snapshot.is_fresh() {
        snapshot = first_boot(config, &*journal, &durable)?;
    }
    drop(durable);
    let access = Arc::new(AccessControl::new(settings::login_settings(config), &snapshot));
    let reactors = match config.reactors {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => usize::from(count),
    };
    let broker = Broker::new(settings::settings(config), access, journal.clone(), &snapshot, reactors, random);
    let _ = told.set(broker.clone());
    Ok((broker, journal))
}

/// Creates the default virtual host and user of an empty data directory.
///
/// They are on disk when this returns, so that a crash right after the start does not leave a node without users.
fn first_boot(config: &Config, journal: &dyn Journal, durable: &Receiver<Token>) -> Result<Snapshot> {
    let user = settings::default_user(config);
    for (key, pattern) in [("configure", &user.configure), ("write", &user.write), ("read", &user.read)] {
        Pattern::compile(pattern).with_context(|| format!("bad value `{pattern}` for `default_permissions.{key}`"))?;
    }
    let changes = user.changes().context("cannot create the default user")?;
    let memory = metadata::MemoryJournal::new();
    memory.propose(changes.clone());
    let token = journal.propose(changes);
    while journal.durable() < token {
        durable.recv().context("cannot make the default user durable")?;
    }
    Ok(memory.snapshot())
}

fn random(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        error!("the system gives no random numbers: {error}");
        fail_stop();
    }
}

/// Ends the process where going on would break a promise.
fn fail_stop() -> ! {
    std::process::abort()
}
