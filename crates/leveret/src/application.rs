//! The broker within the process: started from the data directory, stopped, and started again.

mod administration;
mod running;

use crate::in_force::InForce;
use crate::logging;
use crate::settings::Endpoints;
use anyhow::{Context, Result};
use broker::Broker;
use config::{Config, Loaded, Sources};
use metadata::LogJournal;
use running::{Running, Started, asking_threads};
use server::{DiskMonitor, Doors, MemoryMonitor, WorkerThreads};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::Store;

/// The broker of this process, running or stopped.
pub(crate) struct Application {
    /// Where the configuration is read again from.
    sources: Sources,
    configured: Mutex<Configured>,
    /// Held while the configuration is read again.
    reloading: Mutex<()>,
    data_dir: PathBuf,
    endpoints: Endpoints,
    /// Held while it is started or stopped.
    running: Mutex<Option<Running>>,
    /// What others see of it, which they can look at meanwhile.
    visible: Mutex<Option<Visible>>,
    /// Held while a backup is made.
    backing_up: Mutex<()>,
}

/// The configuration.
struct Configured {
    /// As it was read last.
    config: Arc<Config>,
    /// What of it is in force; some of what was read later waits for a restart.
    in_force: InForce,
    /// The files that it was read from.
    files: Vec<PathBuf>,
    /// The digest of the definitions that were imported last.
    imported: Option<String>,
}

#[derive(Clone)]
struct Visible {
    broker: Arc<Broker>,
    listeners: Vec<SocketAddr>,
    tls_listeners: Vec<SocketAddr>,
    doors: Doors,
    workers: Arc<WorkerThreads>,
    disk: DiskMonitor,
    store: Arc<Store>,
    journal: Arc<LogJournal>,
}

impl Application {
    pub(crate) fn new(sources: Sources, loaded: Loaded, endpoints: Endpoints) -> Application {
        let data_dir = loaded.config.data_dir.clone();
        let in_force = InForce::at_start(&loaded.config);
        let configured = Configured { config: Arc::new(loaded.config), in_force, files: loaded.files, imported: None };
        Application {
            sources,
            configured: Mutex::new(configured),
            reloading: Mutex::default(),
            data_dir,
            endpoints,
            running: Mutex::default(),
            visible: Mutex::default(),
            backing_up: Mutex::default(),
        }
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The TLS of everything that has it.
    pub(crate) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// The configuration as it was read last; what a reload could not change yet holds from the next start on.
    pub(crate) fn config(&self) -> Arc<Config> {
        lock(&self.configured).config.clone()
    }

    /// The files that it was read from.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        lock(&self.configured).files.clone()
    }

    /// Which settings are in force.
    pub(crate) fn in_force(&self) -> InForce {
        lock(&self.configured).in_force.clone()
    }

    /// What was read again is in force from now on, but for what needs a restart.
    pub(crate) fn replace(&self, config: Arc<Config>, files: Vec<PathBuf>) {
        let mut configured = lock(&self.configured);
        configured.in_force = configured.in_force.after_reload(&config);
        (configured.config, configured.files) = (config, files);
    }

    /// Held while the configuration is read again.
    pub(crate) fn reloading(&self) -> MutexGuard<'_, ()> {
        lock(&self.reloading)
    }

    /// The digest of the definitions that were imported last.
    pub(crate) fn imported(&self) -> Option<String> {
        lock(&self.configured).imported.clone()
    }

    pub(crate) fn set_imported(&self, digest: Option<String>) {
        lock(&self.configured).imported = digest;
    }

    /// Has the monitors of memory and disk changed, if the broker runs; the last number is the available memory in bytes.
    pub(crate) fn with_monitors(&self, change: impl FnOnce(&MemoryMonitor, &DiskMonitor, u64)) {
        if let Some(running) = lock(&self.running).as_ref() {
            running.with_monitors(change);
        }
    }

    /// Has as many threads for logins as it takes from now on, if the broker runs.
    pub(crate) fn grow_workers(&self, asks_others: bool) -> Result<()> {
        let workers = lock(&self.visible).as_ref().map(|visible| visible.workers.clone());
        let grown = workers.map_or(Ok(()), |workers| workers.grow(asking_threads(asks_others)));
        grown.context("cannot start the login threads")
    }

    /// Looks at the virtual hosts: does not return where whoever starts, stops or changes the broker hangs.
    pub(crate) fn look(&self) {
        let broker = lock(&self.visible).as_ref().map(|visible| visible.broker.clone());
        drop(broker.map(|broker| broker.vhosts()));
    }

    /// Starts the broker unless it runs. Where that fails, everything is closed again, so that it can be tried once more.
    pub(crate) fn start(&self) -> Result<()> {
        let mut running = lock(&self.running);
        if running.is_some() {
            return Ok(());
        }
        let config = &*self.config();
        {
            let mut configured = lock(&self.configured);
            configured.in_force = configured.in_force.after_restart_of_the_broker(config);
        }
        let Started { running: started, visible, imported } = Running::start(config, &self.data_dir, &self.endpoints)?;
        self.set_imported(imported);
        *lock(&self.visible) = Some(visible);
        *running = Some(started);
        Ok(())
    }

    /// Stops the broker if it runs: clients are told, and everything durable is on disk.
    pub(crate) fn stop(&self) {
        let mut running = lock(&self.running);
        let Some(ended) = running.take() else { return };
        *lock(&self.visible) = None;
        ended.stop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the process where going on would break a promise.
pub(crate) fn fail_stop() -> ! {
    logging::flush();
    std::process::abort()
}
