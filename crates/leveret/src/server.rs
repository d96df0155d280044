//! Running the broker: from the configuration to accepted connections, and back down.

use crate::application::Application;
use crate::arguments::ServerOptions;
use crate::certificates::Watcher;
use crate::configuration::sources;
use crate::pid_file::PidFile;
use crate::service::ServiceManager;
use crate::{logging, reload, settings};
use anyhow::{Context, Result};
use config::{Loaded, Plugins, Sources};
use management::{Management, Node};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use tracing::{error, info, warn};

/// Permissions of a new data directory: nobody else reads messages and password hashes.
const DATA_DIR_MODE: u32 = 0o750;

/// Runs the broker until SIGTERM or SIGINT.
pub(crate) fn run(options: ServerOptions) -> Result<()> {
    let manager = ServiceManager::from_environment();
    let result = serve(options, &manager);
    logging::flush();
    if let Err(error) = &result {
        manager.status(&crate::one_line(error));
    }
    result
}

fn serve(options: ServerOptions, manager: &ServiceManager) -> Result<()> {
    let sources = sources(&options);
    let loaded = sources.load()?;
    settings::check(&loaded.config)?;
    let has_console = loaded.config.log.console.is_some();
    logging::start(&loaded.config.log, &settings::node_name(&loaded.config))?;
    let result = operate(options, sources, loaded, manager);
    // Whoever started it is told anyway; where the log is in files alone, operators look for it there.
    if let Err(error) = result.as_ref()
        && !has_console
    {
        error!("{}", crate::one_line(error));
    }
    result
}

fn operate(options: ServerOptions, sources: Sources, loaded: Loaded, manager: &ServiceManager) -> Result<()> {
    say_what_is_without_effect(&loaded);
    if let Err(error) = server::raise_descriptor_limit() {
        warn!("cannot raise the number of open files to what is allowed: {error}");
    }
    let config = loaded.config.clone();
    let files = loaded.files.clone();
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("cannot watch for signals")?;
    let data_dir = config.data_dir.clone();
    DirBuilder::new()
        .recursive(true)
        .mode(DATA_DIR_MODE)
        .create(&data_dir)
        .with_context(|| format!("cannot create the data directory {}", data_dir.display()))?;
    let pid_file = options.pid_file.as_ref().or(config.pid_file.as_ref());
    let pid_file = pid_file.map(|path| PidFile::write(path)).transpose()?;
    let name = settings::node_name(&config);
    let endpoints = settings::Endpoints::open(&config)?;
    let http = settings::http_settings(&config, &endpoints);
    let watcher = Watcher::start(endpoints.all(), config.tls.reload_s).context("cannot watch certificates")?;
    let application = Arc::new(Application::new(sources, loaded, endpoints));
    manager.status("reading the data directory");
    let extended = manager.extend_start();
    application.start()?;
    drop(extended);
    let node = Node {
        name,
        data_dir: data_dir.canonicalize().unwrap_or_else(|_| data_dir.clone()),
        config_files: files,
        tags: config.node_tags.clone(),
    };
    let management = Management::start(application.clone(), node, http)?;
    info!("Server startup complete; data in {}", data_dir.display());
    let status = format!("accepting connections; data in {}", data_dir.display());
    manager.ready(&status);
    let watched = application.clone();
    let watchdog = manager.keep_alive(move || watched.look());
    for signal in signals.forever() {
        if signal == SIGHUP {
            manager.reloading();
            // What comes of it is in the log, too.
            match reload::reload(&application) {
                Ok(_) => manager.ready(&status),
                Err(problems) => manager.ready(&format!("{status}; not reloaded: {}", problems.join("; "))),
            }
            continue;
        }
        info!("stopping on {}", if signal == SIGTERM { "SIGTERM" } else { "SIGINT" });
        break;
    }
    manager.stopping("closing connections");
    drop(watchdog);
    management.stop();
    if let Some(watcher) = watcher {
        watcher.stop();
    }
    application.stop();
    drop(pid_file);
    info!("stopped");
    Ok(())
}

/// What was asked for and does nothing here, each kind in one line.
fn say_what_is_without_effect(loaded: &Loaded) {
    let Loaded { config, unknown_variables, variables_without_effect, .. } = loaded;
    logging::warn_of_console(&config.log);
    if !config.ignored.is_empty() {
        info!("configuration keys without effect here: {}", config.ignored.join(", "));
    }
    if !variables_without_effect.is_empty() {
        info!("environment variables without effect here: {}", variables_without_effect.join(", "));
    }
    if !unknown_variables.is_empty() {
        let names = unknown_variables.iter().map(|variable| match &variable.nearest {
            Some(nearest) => format!("{} (did you mean {nearest})", variable.name),
            None => variable.name.clone(),
        });
        warn!("unknown environment variables: {}", names.collect::<Vec<_>>().join(", "));
    }
    let absent: Vec<_> = config.plugins.absent().collect();
    if !absent.is_empty() {
        warn!(
            "plugins that do not exist here: {}; there are {}",
            absent.join(", "),
            Plugins::available().collect::<Vec<_>>().join(", ")
        );
    }
}
