//! Running the broker: from the configuration to accepted connections, and back down.

use crate::arguments::ServerOptions;
use crate::memory::Monitored;
use crate::{logging, settings};
use anyhow::{Context, Result};
use auth::AccessControl;
use broker::Broker;
use config::{Config, Loader};
use management::{Management, Node};
use metadata::{Journal, RedbJournal, Snapshot, Store};
use server::{Listeners, MemoryMonitor, Reactors, total_memory};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use tracing::{error, info};

/// Runs the broker until SIGTERM or SIGINT.
pub(crate) fn run(options: ServerOptions) -> Result<()> {
    let config = load(&options)?;
    logging::start(&config.log)?;
    if !config.ignored.is_empty() {
        info!("configuration keys without effect here: {}", config.ignored.join(", "));
    }
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("cannot watch for signals")?;
    let data_dir = options.data_dir.unwrap_or_else(|| config.data_dir.clone());
    std::fs::create_dir_all(&data_dir)
        .with_context(|| format!("cannot create the data directory {}", data_dir.display()))?;
    let listeners = Listeners::open(&config.listeners, settings::socket_options(&config))?;
    let addresses = listeners.addresses();
    let (broker, journal) = open(&config, &data_dir)?;
    let total = config.total_memory_available_bytes.unwrap_or_else(total_memory);
    let (monitor, memory) = MemoryMonitor::start(broker.clone(), settings::watermark(&config), total)
        .context("cannot start the memory monitor")?;
    broker.set_memory_control(Box::new(Monitored { monitor: monitor.clone(), total_bytes: total }));
    let reactors = Reactors::start(&broker, listeners)?;
    let node = Node {
        data_dir: data_dir.canonicalize().unwrap_or_else(|_| data_dir.clone()),
        config_files: options.config.into_iter().collect(),
        listeners: addresses.clone(),
    };
    let management = Management::start(broker.clone(), node)?;
    for address in addresses {
        info!("started TCP listener on {address}");
    }
    info!("memory high watermark set to {} MiB of {} MiB", monitor.limit() >> 20, total >> 20);
    info!("Server startup complete; data in {}", data_dir.display());
    if let Some(signal) = signals.forever().next() {
        info!("stopping on {}", if signal == SIGTERM { "SIGTERM" } else { "SIGINT" });
    }
    management.stop();
    broker.shut_down();
    reactors.join();
    monitor.stop();
    let _ = memory.join();
    journal.shutdown();
    info!("stopped");
    Ok(())
}

fn load(options: &ServerOptions) -> Result<Config> {
    let mut loader = Loader::new();
    if let Some(file) = &options.config {
        loader.file(file)?;
    }
    for setting in &options.set {
        loader.set(setting)?;
    }
    Ok(loader.load()?)
}

/// Opens the data directory and builds the broker from what it holds.
fn open(config: &Config, data_dir: &Path) -> Result<(Arc<Broker>, Arc<RedbJournal>)> {
    let (store, mut snapshot) = Store::open(data_dir)?;
    // The journal is needed to make the broker, and tells the broker of its progress.
    let told: Arc<OnceLock<Arc<Broker>>> = Arc::default();
    let tell = told.clone();
    let journal = store.start(
        move |token| {
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
        snapshot = first_boot(config, &*journal)?;
    }
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
fn first_boot(config: &Config, journal: &dyn Journal) -> Result<Snapshot> {
    let changes = settings::default_user(config).changes().context("cannot create the default user")?;
    let memory = metadata::MemoryJournal::new();
    memory.propose(changes.clone());
    journal.propose(changes);
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
