//! Running the broker: from the configuration to accepted connections, and back down.

use crate::application::Application;
use crate::arguments::ServerOptions;
use crate::{logging, settings};
use anyhow::{Context, Result};
use config::{Config, Loader};
use management::{Management, Node};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use tracing::info;

/// Permissions of a new data directory: nobody else reads messages and password hashes.
const DATA_DIR_MODE: u32 = 0o750;

/// The given keys that do nothing here, sorted.
fn keys_without_effect(config: &Config) -> Vec<String> {
    let mut keys = config.ignored.clone();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Runs the broker until SIGTERM or SIGINT.
pub(crate) fn run(options: ServerOptions) -> Result<()> {
    let config = load(&options)?;
    logging::start(&config.log, &config.events)?;
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
    let name = settings::node_name(&config);
    let http = settings::http_settings(&config);
    let application = Arc::new(Application::new(config, data_dir.clone()));
    application.start()?;
    let node = Node {
        name,
        data_dir: data_dir.canonicalize().unwrap_or_else(|_| data_dir.clone()),
        config_files: options.config.into_iter().collect(),
    };
    let management = Management::start(application.clone(), node, http)?;
    info!("Server startup complete; data in {}", data_dir.display());
    if let Some(signal) = signals.forever().next() {
        info!("stopping on {}", if signal == SIGTERM { "SIGTERM" } else { "SIGINT" });
    }
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
