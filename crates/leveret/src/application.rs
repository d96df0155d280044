//! The broker within the process: started from the data directory, stopped, and started again.

mod administration;

use crate::cluster;
use crate::definitions::Definitions;
use crate::in_force::InForce;
use crate::log_exchange;
use crate::logging;
use crate::memory::Monitored;
use crate::settings::{self, Endpoints};
use crate::storage::{MESSAGES, Storage};
use anyhow::{Context, Result, bail};
use auth::{AccessControl, Pattern};
use broker::{Broker, MessageStore, Settings};
use config::{Config, Loaded, Sources};
use metadata::{Journal, LogJournal, Snapshot};
use server::{DiskMonitor, Doors, Listeners, MemoryMonitor, Reactors, StorageThreads, WorkerThreads, total_memory};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use store::Store;
use telemetry::Exporter;
use tracing::{error, info};

/// Threads that check logins with passwords that are hashed here.
const HASHING_THREADS: usize = 2;
/// The same where others are asked over the network.
const ASKING_THREADS: usize = 16;

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

/// Everything that a running broker consists of.
struct Running {
    broker: Arc<Broker>,
    storage: Storage,
    storage_threads: StorageThreads,
    reactors: Reactors,
    monitor: MemoryMonitor,
    memory: JoinHandle<()>,
    disk_monitor: DiskMonitor,
    disk: JoinHandle<()>,
    exporter: Option<Arc<Exporter>>,
    total_memory_bytes: u64,
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
            change(&running.monitor, &running.disk_monitor, running.total_memory_bytes);
        }
    }

    /// Has as many threads for logins as it takes from now on, if the broker runs.
    pub(crate) fn grow_workers(&self, asks_others: bool) -> Result<()> {
        let workers = lock(&self.visible).as_ref().map(|visible| visible.workers.clone());
        let grown = workers.map_or(Ok(()), |workers| workers.grow(login_threads(asks_others)));
        grown.context("cannot start the login threads")
    }

    /// Looks at the virtual hosts: does not return where whoever starts, stops or changes the broker hangs.
    pub(crate) fn look(&self) {
        let broker = lock(&self.visible).as_ref().map(|visible| visible.broker.clone());
        drop(broker.map(|broker| broker.vhosts()));
    }

    /// Starts the broker unless it runs.
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
        let listeners = Listeners::open(&config.listeners, &config.tls.listeners, settings::socket_options(config))?;
        let (addresses, tls_addresses) = (listeners.addresses(), listeners.tls_addresses());
        let Opened { broker, storage, has_first_vhost } = open(config, &self.data_dir)?;
        info!("messages are synced {}", settings::sync_words(config));
        let total_bytes = config.total_memory_available_bytes.unwrap_or_else(total_memory);
        let (monitor, memory) = MemoryMonitor::start(broker.clone(), settings::watermark(config), total_bytes)
            .context("cannot start the memory monitor")?;
        info!("memory high watermark set to {} MiB of {} MiB", monitor.limit() >> 20, total_bytes >> 20);
        broker.set_memory_control(Box::new(Monitored { monitor: monitor.clone(), total_bytes }));
        let (disk_monitor, disk) = start_disk_monitor(config, &broker, &storage, &self.data_dir, total_bytes)?;
        let exporter = start_exporter(config, &broker)?;
        let storage_threads = StorageThreads::start(&broker, &storage.store, |failure| {
            error!("the message store cannot go on: {failure}");
            fail_stop();
        })?;
        broker.ensure_cluster_id()?;
        if has_first_vhost {
            broker.set_up_first_vhost(&config.default_vhost)?;
        }
        cluster::name_and_tag(config, &broker)?;
        self.set_imported(Definitions::read(&config.definitions)?.import(&broker)?);
        broker
            .set_event_exchange(config.events.exchange_vhost.as_deref())
            .context("cannot set up the event exchange")?;
        let log_vhost = config.log.exchange.is_some().then_some(&*config.default_vhost);
        broker.set_log_exchange(log_vhost).context("cannot set up the log exchange")?;
        log_exchange::publish_through(&broker, &config.log).context("cannot set up the log exchange")?;
        let workers = WorkerThreads::start(login_threads(broker.access.asks_others()));
        let workers = workers.context("cannot start the login threads")?;
        broker.set_workers(workers.clone());
        let reactors = Reactors::start(&broker, listeners, settings::entrance(config, &self.endpoints))?;
        broker.set_client_listeners(Box::new(reactors.doors()));
        for address in &addresses {
            info!("started TCP listener on {address}");
        }
        for address in &tls_addresses {
            info!("started TLS (SSL) listener on {address}");
        }
        *lock(&self.visible) = Some(Visible {
            broker: broker.clone(),
            listeners: addresses,
            tls_listeners: tls_addresses,
            doors: reactors.doors(),
            workers,
            disk: disk_monitor.clone(),
            store: storage.store.clone(),
            journal: storage.journal.clone(),
        });
        *running = Some(Running {
            broker,
            storage,
            storage_threads,
            reactors,
            monitor,
            memory,
            disk_monitor,
            disk,
            exporter,
            total_memory_bytes: total_bytes,
        });
        Ok(())
    }

    /// Stops the broker if it runs: clients are told, and everything durable is on disk.
    pub(crate) fn stop(&self) {
        let mut running = lock(&self.running);
        let Some(ended) = running.take() else { return };
        *lock(&self.visible) = None;
        ended.broker.shut_down();
        ended.reactors.join();
        ended.monitor.stop();
        ended.disk_monitor.stop();
        if ended.memory.join().is_err() || ended.disk.join().is_err() {
            error!("a monitor ended with a panic");
        }
        if let Some(exporter) = ended.exporter {
            exporter.stop();
        }
        ended.storage_threads.stop();
        ended.broker.mark_delivered_exactly();
        ended.storage.close();
    }
}

/// Where others are asked a login mostly waits; where it hashes, more threads than that would only take processors from
/// the reactors.
fn login_threads(asks_others: bool) -> usize {
    if asks_others { ASKING_THREADS } else { HASHING_THREADS }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A broker and where it keeps everything.
struct Opened {
    broker: Arc<Broker>,
    storage: Storage,
    /// The virtual host of the configuration was created just now.
    has_first_vhost: bool,
}

/// Opens the data directory and builds the broker from what it holds.
fn open(config: &Config, data_dir: &Path) -> Result<Opened> {
    let mut storage = Storage::open(config, data_dir)?;
    let has_first_vhost = storage.snapshot.is_fresh() && !config.definitions.is_any();
    if storage.snapshot.is_fresh() && config.definitions.is_any() {
        // RabbitMQ does the same, whatever the definitions hold.
        info!("there are definitions to import: the default vhost and user are not created");
    } else if storage.snapshot.is_fresh() {
        storage.snapshot = first_boot(config, &*storage.journal)?;
    }
    let snapshot = &storage.snapshot;
    let access = Arc::new(AccessControl::new(settings::login_settings(config), snapshot));
    let (chain, http_chain) = settings::chains(config)?;
    access.set_chain(chain);
    access.set_http_chain(http_chain);
    let reactors = match config.reactors {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => usize::from(count),
    };
    let journal = storage.journal.clone();
    let messages = MessageStore {
        store: storage.store.clone(),
        backlogs: std::mem::take(&mut storage.backlogs),
        memory_bytes: usize::try_from(config.message_memory_bytes).unwrap_or(usize::MAX),
    };
    let settings = Settings { accounts: settings::accounts(config)?, ..settings::settings(config) };
    let broker = Broker::with_messages(settings, access, journal, snapshot, reactors, random, Some(messages));
    // What the broker is made of is not needed twice.
    storage.snapshot = Snapshot::default();
    let _ = storage.told.set(broker.clone());
    Ok(Opened { broker, storage, has_first_vhost })
}

/// Starts sending spans of traced messages, where the configuration says where to.
fn start_exporter(config: &Config, broker: &Arc<Broker>) -> Result<Option<Arc<Exporter>>> {
    let otlp = &config.otlp;
    let Some(endpoint) = otlp.endpoint.clone() else { return Ok(None) };
    let settings = telemetry::Settings {
        endpoint,
        sample: otlp.sample,
        service_name: otlp.service_name.clone(),
        node: settings::node_name(config),
    };
    let exporter = Exporter::start(settings, broker.shards()).context("bad value for `leveret.otlp.endpoint`")?;
    let exporter = Arc::new(exporter);
    broker.set_tracer(exporter.clone());
    Ok(Some(exporter))
}

/// Starts the disk alarm. Below three log segments the store could not go on acknowledging and tidying up.
fn start_disk_monitor(
    config: &Config,
    broker: &Arc<Broker>,
    storage: &Storage,
    data_dir: &Path,
    total_memory_bytes: u64,
) -> Result<(DiskMonitor, JoinHandle<()>)> {
    let limit_bytes = settings::disk_free_limit(config).bytes(total_memory_bytes);
    let minimum_bytes = 3 * storage.store.log().segment_bytes();
    let directory = data_dir.join(MESSAGES);
    let (monitor, thread) = DiskMonitor::start(broker.clone(), &directory, limit_bytes, minimum_bytes)
        .context("cannot start the disk monitor")?;
    info!("disk free limit set to {} MB", monitor.limit() / 1_000_000);
    Ok((monitor, thread))
}

/// Creates the default virtual host and user of an empty data directory.
///
/// They are on disk when this returns, so that a crash right after the start does not leave a node without users.
fn first_boot(config: &Config, journal: &dyn Journal) -> Result<Snapshot> {
    let user = settings::default_user(config);
    // RabbitMQ does not start either with a default password that it would not take from anybody.
    if let Err(reason) = settings::credential_rule(config)?.check(Some(&user.password)) {
        bail!("bad value for `default_pass`: {reason}");
    }
    for (key, pattern) in [("configure", &user.configure), ("write", &user.write), ("read", &user.read)] {
        Pattern::compile(pattern).with_context(|| format!("bad value `{pattern}` for `default_permissions.{key}`"))?;
    }
    let changes = user.changes().context("cannot create the default user")?;
    let memory = metadata::MemoryJournal::new();
    memory.propose(changes.clone());
    let token = journal.propose(changes);
    while journal.durable() < token {
        // A log that fails ends the process, so this ends.
        std::thread::park_timeout(Duration::from_micros(100));
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
pub(crate) fn fail_stop() -> ! {
    logging::flush();
    std::process::abort()
}
