//! A broker that runs: everything it consists of, in the order in which it starts and ends.

use super::{Visible, fail_stop};
use crate::cluster;
use crate::definitions::Definitions;
use crate::log_exchange;
use crate::memory::Monitored;
use crate::settings::{self, Endpoints};
use crate::storage::{MESSAGES, Storage};
use anyhow::{Context, Result, bail};
use auth::{AccessControl, Pattern};
use broker::{Broker, MessageStore, Settings};
use config::Config;
use metadata::{Journal, Snapshot};
use server::{DiskMonitor, Listeners, MemoryMonitor, Reactors, StorageThreads, WorkerThreads, total_memory};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use telemetry::Exporter;
use tracing::{error, info};

/// Threads that check passwords that are hashed here: more would only take processors from the reactors.
const HASHING_THREADS: usize = 2;
/// Threads that ask others over the network.
const ASKING_THREADS: usize = 16;

/// Everything that a running broker consists of; what is started last may not be there yet.
pub(super) struct Running {
    broker: Arc<Broker>,
    storage: Storage,
    total_memory_bytes: u64,
    storage_threads: Option<StorageThreads>,
    memory: Option<(MemoryMonitor, JoinHandle<()>)>,
    disk: Option<(DiskMonitor, JoinHandle<()>)>,
    exporter: Option<Arc<Exporter>>,
    reactors: Option<Reactors>,
}

/// What came of a start.
pub(super) struct Started {
    pub(super) running: Running,
    pub(super) visible: Visible,
    /// The digest of the definitions that were imported.
    pub(super) imported: Option<String>,
}

impl Running {
    /// Starts a broker. Where that fails, what was started has ended, and the data directory is closed in order.
    pub(super) fn start(config: &Config, data_dir: &Path, endpoints: &Endpoints) -> Result<Started> {
        let listeners = Listeners::open(&config.listeners, &config.tls.listeners, settings::socket_options(config))?;
        let definitions = Definitions::read(&config.definitions)?;
        let mut storage = Storage::open(config, data_dir)?;
        let has_first_vhost = storage.snapshot.is_fresh() && !config.definitions.is_any();
        let broker = match build(config, &mut storage) {
            Ok(broker) => broker,
            Err(error) => {
                storage.close();
                return Err(error);
            }
        };
        let mut running = Running {
            broker,
            storage,
            total_memory_bytes: config.total_memory_available_bytes.unwrap_or_else(total_memory),
            storage_threads: None,
            memory: None,
            disk: None,
            exporter: None,
            reactors: None,
        };
        let visible = running.prepare(config, data_dir, has_first_vhost).and_then(|disk| {
            let imported = definitions.import(&running.broker)?;
            let visible = running.let_clients_in(config, listeners, endpoints, disk)?;
            Ok((visible, imported))
        });
        match visible {
            Ok((visible, imported)) => Ok(Started { running, visible, imported }),
            Err(error) => {
                running.stop();
                Err(error)
            }
        }
    }

    /// Starts what looks after a broker without clients.
    fn prepare(&mut self, config: &Config, data_dir: &Path, has_first_vhost: bool) -> Result<DiskMonitor> {
        let (broker, total_bytes) = (&self.broker, self.total_memory_bytes);
        info!("messages are synced {}", settings::sync_words(config));
        let (monitor, thread) = MemoryMonitor::start(broker.clone(), settings::watermark(config), total_bytes)
            .context("cannot start the memory monitor")?;
        info!("memory high watermark set to {} MiB of {} MiB", monitor.limit() >> 20, total_bytes >> 20);
        broker.set_memory_control(Box::new(Monitored { monitor: monitor.clone(), total_bytes }));
        self.memory = Some((monitor, thread));
        let (disk, thread) = start_disk_monitor(config, broker, &self.storage, data_dir, total_bytes)?;
        self.disk = Some((disk.clone(), thread));
        self.exporter = start_exporter(config, broker)?;
        self.storage_threads = Some(StorageThreads::start(broker, &self.storage.store, |failure| {
            error!("the message store cannot go on: {failure}");
            fail_stop();
        })?);
        broker.ensure_cluster_id()?;
        if has_first_vhost {
            broker.set_up_first_vhost(&config.default_vhost)?;
        }
        cluster::name_and_tag(config, broker)?;
        Ok(disk)
    }

    /// Starts what clients connect to.
    fn let_clients_in(
        &mut self,
        config: &Config,
        listeners: Listeners,
        endpoints: &Endpoints,
        disk: DiskMonitor,
    ) -> Result<Visible> {
        let broker = &self.broker;
        broker
            .set_event_exchange(config.events.exchange_vhost.as_deref())
            .context("cannot set up the event exchange")?;
        let log_vhost = config.log.exchange.is_some().then_some(&*config.default_vhost);
        broker.set_log_exchange(log_vhost).context("cannot set up the log exchange")?;
        log_exchange::publish_through(broker, &config.log).context("cannot set up the log exchange")?;
        let workers = WorkerThreads::start(HASHING_THREADS, asking_threads(broker.access.asks_others()));
        let workers = workers.context("cannot start the login threads")?;
        broker.set_workers(workers.clone());
        let (addresses, tls_addresses) = (listeners.addresses(), listeners.tls_addresses());
        let reactors = Reactors::start(broker, listeners, settings::entrance(config, endpoints))?;
        broker.set_client_listeners(Box::new(reactors.doors()));
        for address in &addresses {
            info!("started TCP listener on {address}");
        }
        for address in &tls_addresses {
            info!("started TLS (SSL) listener on {address}");
        }
        let doors = reactors.doors();
        self.reactors = Some(reactors);
        Ok(Visible {
            broker: broker.clone(),
            listeners: addresses,
            tls_listeners: tls_addresses,
            doors,
            workers,
            disk,
            store: self.storage.store.clone(),
            journal: self.storage.journal.clone(),
        })
    }

    /// Has the monitors changed; the last number is the available memory in bytes.
    pub(super) fn with_monitors(&self, change: impl FnOnce(&MemoryMonitor, &DiskMonitor, u64)) {
        if let (Some((memory, _)), Some((disk, _))) = (&self.memory, &self.disk) {
            change(memory, disk, self.total_memory_bytes);
        }
    }

    /// Ends it: clients are told, and everything durable is on disk.
    pub(super) fn stop(self) {
        self.broker.shut_down();
        if let Some(reactors) = self.reactors {
            reactors.join();
        }
        // Both are told before either is waited for.
        let memory = self.memory.map(|(monitor, thread)| {
            monitor.stop();
            thread
        });
        let disk = self.disk.map(|(monitor, thread)| {
            monitor.stop();
            thread
        });
        if memory.into_iter().chain(disk).any(|thread| thread.join().is_err()) {
            error!("a monitor ended with a panic");
        }
        if let Some(exporter) = self.exporter {
            exporter.stop();
        }
        if let Some(threads) = self.storage_threads {
            threads.stop();
        }
        self.broker.mark_delivered_exactly();
        self.storage.close();
    }
}

/// Who asks mostly waits; where nobody is asked, one thread is idle.
pub(super) fn asking_threads(asks_others: bool) -> usize {
    if asks_others { ASKING_THREADS } else { 1 }
}

/// Builds the broker from what the data directory holds, which gets its first definitions where it has none.
fn build(config: &Config, storage: &mut Storage) -> Result<Arc<Broker>> {
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
    Ok(broker)
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
