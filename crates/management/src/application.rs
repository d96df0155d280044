//! The process around the broker, as the administrative surface sees it.

use broker::Broker;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tls::Endpoint;

/// What the binary knows of the node and the engine does not.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Its name, as `rabbit@host`.
    pub name: String,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The configuration files that were read.
    pub config_files: Vec<PathBuf>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What a backup has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackupSummary {
    /// Number of files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Up to where the log is in it.
    pub position: u64,
}

/// The broker as the process that it runs in, where it can be stopped and started while the process stays.
pub trait Application: Send + Sync {
    /// The broker, unless it is stopped.
    fn broker(&self) -> Option<Arc<Broker>>;
    /// Where AMQP clients can connect.
    fn listeners(&self) -> Vec<SocketAddr>;
    /// Where they can with TLS.
    fn tls_listeners(&self) -> Vec<SocketAddr>;
    /// Where they could if listeners were not suspended, without TLS and with it.
    fn suspended_listeners(&self) -> (Vec<SocketAddr>, Vec<SocketAddr>);
    /// The TLS of the listeners for AMQP.
    fn amqp_endpoint(&self) -> Option<Arc<Endpoint>>;
    /// Closes the listeners of clients, whose connections stay. May wait.
    fn suspend_listeners(&self);
    /// Opens them again. May wait. The error is a line for the operator.
    fn resume_listeners(&self) -> Result<(), String>;
    /// Free space for messages in bytes and the least that there may be, unless it is stopped.
    fn disk(&self) -> Option<(u64, u64)>;
    /// Stops the broker; nothing happens when it is stopped.
    fn stop(&self);
    /// Makes a backup in this directory, which must be empty or not be there; answers how many files it has, their bytes
    /// and where the log was. The error is a line for the operator.
    fn back_up(&self, directory: &Path) -> Result<BackupSummary, String>;
    /// Starts it from what is durable; nothing happens when it runs. The error is a line for the operator.
    fn start(&self) -> Result<(), String>;
    /// Deletes definitions and messages of a broker that is stopped. The error is a line for the operator.
    fn clear(&self) -> Result<(), String>;
    /// Changes the least free space that there may be, until the next start; `false` when the broker is stopped.
    fn set_disk_free_limit(&self, limit: DiskFreeLimit) -> bool;
    /// Asks the process to end, as SIGTERM does.
    fn terminate(&self);
    /// The configuration in force, with where each setting came from and secrets masked; with `all` what holds by default, too.
    fn configuration(&self, all: bool) -> serde_json::Value;
    /// Reads the configuration again. What has come of it, or all that is wrong, a line each; then nothing has changed.
    fn reload(&self) -> Result<serde_json::Value, Vec<String>>;
    /// Changes what is logged, of one category or of all.
    fn set_log_level(&self, level: &str, category: Option<&str>) -> Result<(), String>;
    /// Begins new log files.
    fn rotate_log(&self) -> Result<(), String>;
    /// Where the log goes: files, and `<stdout>` or `<stderr>`.
    fn log_files(&self) -> Vec<String>;
    /// Which plugins are enabled.
    fn plugins(&self) -> EnabledPlugins;
    /// The newest lines of the log that came after line number `after`, at most `most`, with the number of the last.
    fn log_lines(&self, after: u64, most: usize) -> (Vec<String>, u64);
}

/// Plugins of RabbitMQ whose work is done here and that are enabled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnabledPlugins {
    /// The file that says so, whether it is there or not.
    pub file: Option<PathBuf>,
    /// Their names, sorted, with those that are enabled along with others.
    pub enabled: Vec<String>,
}

/// How much space has to be free for publishers to go on.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskFreeLimit {
    /// Multiple of the available memory.
    Relative(f64),
    /// Bytes.
    Absolute(u64),
}
