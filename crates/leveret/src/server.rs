//! Running the broker: from the configuration to accepted connections, and back down.

use crate::application::Application;
use crate::arguments::ServerOptions;
use crate::pid_file::PidFile;
use crate::service::ServiceManager;
use crate::{logging, settings};
use anyhow::{Context, Result};
use config::{Config, Loader};
use management::{Management, Node};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use tracing::info;

/// Permissions of a new data directory: nobody else reads messages and password hashes.
const DATA_DIR_MODE: u32 = 0o750;

/// Names the pid file where `--pid-file` does not (RabbitMQ: the same).
const PID_FILE_VARIABLE: &str = "RABBITMQ_PID_FILE";

/// The given keys that do nothing here, sorted.
fn keys_without_effect(config: &Config) -> Vec<String> {
    let mut keys = config.ignored.clone();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Runs the broker until SIGTERM or SIGINT.
pub(crate) fn run(options: ServerOptions) -> Result<()> {
    let manager = ServiceManager::from_environment();
    let result = serve(options, &manager);
    if let Err(error) = &result {
        manager.status(&crate::one_line(error));
    }
    result
}

fn serve(options: ServerOptions, manager: &ServiceManager) -> Result<()> {
    let config = load(&options)?;
    logging::start(&config.log)?;
    let without_effect = keys_without_effect(&config);
    if !without_effect.is_empty() {
        info!("configuration keys without effect here: {}", without_effect.join(", "));
    }
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("cannot watch for signals")?;
    let data_dir = options.data_dir.unwrap_or_else(|| config.data_dir.clone());
    DirBuilder::new()
        .recursive(true)
        .mode(DATA_DIR_MODE)
        .create(&data_dir)
        .with_context(|| format!("cannot create the data directory {}", data_dir.display()))?;
    let pid_file = options.pid_file.or_else(|| std::env::var_os(PID_FILE_VARIABLE).map(PathBuf::from));
    let _pid_file = pid_file.map(|path| PidFile::write(&path)).transpose()?;
    let name = settings::node_name(&config);
    let http = settings::http_settings(&config);
    let application = Arc::new(Application::new(config, data_dir.clone()));
    manager.status("reading the data directory");
    let extended = manager.extend_start();
    application.start()?;
    drop(extended);
    let node = Node {
        name,
        data_dir: data_dir.canonicalize().unwrap_or_else(|_| data_dir.clone()),
        config_files: options.config.into_iter().collect(),
    };
    let management = Management::start(application.clone(), node, http)?;
    info!("Server startup complete; data in {}", data_dir.display());
    manager.ready(&format!("accepting connections; data in {}", data_dir.display()));
    let watched = application.clone();
    let watchdog = manager.keep_alive(move || watched.look());
    if let Some(signal) = signals.forever().next() {
        info!("stopping on {}", if signal == SIGTERM { "SIGTERM" } else { "SIGINT" });
    }
    manager.stopping("closing connections");
    drop(watchdog);
    management.stop();
    application.stop();
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
