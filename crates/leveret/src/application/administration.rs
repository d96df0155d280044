//! What operators see and change of the process, through the routes.

use super::{Application, Visible, lock};
use crate::{backup, logging, reload, settings};
use broker::Broker;
use management::{BackupSummary, EnabledPlugins};
use server::{FreeLimit, total_memory};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tracing::{error, info};

impl Application {
    /// What others see while clients can connect.
    fn open_doors(&self) -> Option<Visible> {
        lock(&self.visible).clone().filter(|visible| !visible.doors.is_suspended())
    }
}

impl management::Application for Application {
    fn broker(&self) -> Option<Arc<Broker>> {
        lock(&self.visible).as_ref().map(|visible| visible.broker.clone())
    }

    fn listeners(&self) -> Vec<SocketAddr> {
        self.open_doors().map(|visible| visible.listeners).unwrap_or_default()
    }

    fn tls_listeners(&self) -> Vec<SocketAddr> {
        self.open_doors().map(|visible| visible.tls_listeners).unwrap_or_default()
    }

    fn suspended_listeners(&self) -> (Vec<SocketAddr>, Vec<SocketAddr>) {
        let visible = lock(&self.visible).clone().filter(|visible| visible.doors.is_suspended());
        visible.map(|visible| (visible.listeners, visible.tls_listeners)).unwrap_or_default()
    }

    fn amqp_endpoint(&self) -> Option<Arc<tls::Endpoint>> {
        self.endpoints.amqp.clone()
    }

    fn suspend_listeners(&self) {
        if let Some(visible) = lock(&self.visible).clone() {
            visible.doors.suspend();
        }
    }

    fn resume_listeners(&self) -> Result<(), String> {
        let visible = lock(&self.visible).clone();
        visible.map_or(Ok(()), |visible| visible.doors.resume()).map_err(|error| error.to_string())
    }

    fn disk(&self) -> Option<(u64, u64)> {
        lock(&self.visible).as_ref().map(|visible| (visible.disk.free(), visible.disk.limit()))
    }

    fn back_up(&self, directory: &Path) -> Result<BackupSummary, String> {
        let Ok(_backing_up) = self.backing_up.try_lock() else {
            return Err("another backup is being made".to_owned());
        };
        let visible = lock(&self.visible).clone().ok_or("the broker is stopped")?;
        info!("backing up to {}", directory.display());
        let made = backup::back_up(&visible.store, &visible.journal, &self.data_dir, directory);
        match made {
            Ok(inventory) => {
                let (files, bytes) = (inventory.files.len() as u64, inventory.bytes());
                info!("backed up {files} files with {bytes} bytes to {}", directory.display());
                Ok(BackupSummary { files, bytes, position: inventory.position })
            }
            Err(error) => {
                let error = format!("{error:#}");
                error!("{error}");
                Err(error)
            }
        }
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

    fn clear(&self) -> Result<(), String> {
        // Nobody starts the broker meanwhile.
        let running = lock(&self.running);
        if running.is_some() {
            return Err("the broker runs".to_owned());
        }
        crate::storage::clear(&self.data_dir).map_err(|error| format!("{error:#}"))?;
        info!("definitions and messages deleted by an operator");
        Ok(())
    }

    fn set_disk_free_limit(&self, limit: management::DiskFreeLimit) -> bool {
        let visible = lock(&self.visible).clone();
        let Some(visible) = visible else { return false };
        let total_bytes = self.config().total_memory_available_bytes.unwrap_or_else(total_memory);
        let limit = match limit {
            management::DiskFreeLimit::Relative(share) => FreeLimit::Relative(share),
            management::DiskFreeLimit::Absolute(bytes) => FreeLimit::Absolute(bytes),
        };
        visible.disk.set_limit(limit.bytes(total_bytes));
        info!("disk free limit set to {} MB by an operator", visible.disk.limit() / 1_000_000);
        true
    }

    fn terminate(&self) {
        if let Err(error) = signal_hook::low_level::raise(signal_hook::consts::SIGTERM) {
            error!("cannot end the process: {error}");
        }
    }

    fn configuration(&self, all: bool) -> serde_json::Value {
        reload::describe(self, all)
    }

    fn reload(&self) -> Result<serde_json::Value, Vec<String>> {
        reload::reload(self).map(|reloaded| reloaded.describe())
    }

    fn set_log_level(&self, level: &str, category: Option<&str>) -> Result<(), String> {
        let parsed = level.parse().map_err(|()| format!("there is no level `{level}`"))?;
        running_log()?.set_level(parsed, category).map_err(|error| format!("{error:#}"))?;
        info!("log level of {} set to {level}", category.unwrap_or("everything"));
        Ok(())
    }

    fn rotate_log(&self) -> Result<(), String> {
        running_log()?.rotate().map_err(|error| format!("{error:#}"))
    }

    fn log_files(&self) -> Vec<String> {
        logging::files(&self.config().log, &settings::node_name(&self.config()))
    }

    fn plugins(&self) -> EnabledPlugins {
        let plugins = &self.config().plugins;
        let enabled = config::Plugins::available().filter(|name| plugins.is_enabled(name));
        EnabledPlugins { file: plugins.file.clone(), enabled: enabled.map(str::to_owned).collect() }
    }

    fn log_lines(&self, after: u64, most: usize) -> (Vec<String>, u64) {
        logging::running().map(|log| log.lines(after, most)).unwrap_or_default()
    }
}

fn running_log() -> Result<&'static logging::Logging, String> {
    logging::running().map(|log| &**log).ok_or_else(|| "there is no log".to_owned())
}
