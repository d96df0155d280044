//! Certificates that are replaced while the broker runs.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tls::Endpoint;
use tracing::{error, info};

/// Reads the files of all endpoints again; what is wrong with any is in the log, and answered. An endpoint whose files are
/// wrong goes on with what it has.
pub(crate) fn reload(endpoints: &[Arc<Endpoint>]) -> Result<(), String> {
    let mut failures = Vec::new();
    for endpoint in endpoints {
        let prefix = &endpoint.options().prefix;
        match endpoint.reload() {
            Ok(false) => {}
            Ok(true) => info!("{prefix}: new certificates are in force for connections from now on"),
            Err(failure) => failures.push(failure.to_string()),
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

/// The thread that looks whether files have changed.
pub(crate) struct Watcher {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Watcher {
    /// Starts it, unless there is nothing to watch; `interval_s` of 0 is never.
    pub(crate) fn start(endpoints: Vec<Arc<Endpoint>>, interval_s: u64) -> std::io::Result<Option<Watcher>> {
        if endpoints.is_empty() || interval_s == 0 {
            return Ok(None);
        }
        let (stop, stopped) = channel::<()>();
        let interval = Duration::from_secs(interval_s);
        let thread = std::thread::Builder::new().name("certificates".to_owned()).spawn(move || {
            // The same complaint is in the log once.
            let mut last = String::new();
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let failure = reload(&endpoints).err().unwrap_or_default();
                if !failure.is_empty() && failure != last {
                    error!("new certificates are left out, and those of before stay in force: {failure}");
                }
                last = failure;
            }
        })?;
        Ok(Some(Watcher { stop, thread }))
    }

    pub(crate) fn stop(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            error!("the watcher of certificates ended with a panic");
        }
    }
}
