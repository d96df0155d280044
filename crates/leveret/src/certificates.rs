//! Certificates that are replaced while the broker runs.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tls::{Endpoint, Prepared, TlsError};
use tracing::{error, info};

/// Endpoints whose files have changed, with what was read.
pub(crate) type Changed = Vec<(Arc<Endpoint>, Prepared)>;

/// Reads the files of all endpoints again, and changes nothing.
pub(crate) fn prepare(endpoints: &[Arc<Endpoint>]) -> Result<Changed, TlsError> {
    let mut changed = Vec::new();
    for endpoint in endpoints {
        if let Some(prepared) = endpoint.prepare()? {
            changed.push((endpoint.clone(), prepared));
        }
    }
    Ok(changed)
}

/// What was read is in force for connections from now on.
pub(crate) fn replace(changed: Changed) {
    for (endpoint, prepared) in changed {
        endpoint.replace(prepared);
        info!("{}: new certificates are in force for connections from now on", endpoint.options().prefix);
    }
}

/// The thread that looks whether files have changed.
pub(crate) struct Watcher {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Watcher {
    /// Starts it, unless there is nothing to watch; `interval_s` of 0 is never. An endpoint whose files are wrong goes on
    /// with what it has.
    pub(crate) fn start(endpoints: Vec<Arc<Endpoint>>, interval_s: u64) -> std::io::Result<Option<Watcher>> {
        if endpoints.is_empty() || interval_s == 0 {
            return Ok(None);
        }
        let (stop, stopped) = channel::<()>();
        let interval = Duration::from_secs(interval_s);
        let thread = std::thread::Builder::new().name("certificates".to_owned()).spawn(move || {
            // The same complaint is in the log once.
            let mut last: Vec<Option<TlsError>> = vec![None; endpoints.len()];
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                for (endpoint, last) in endpoints.iter().zip(&mut last) {
                    look(endpoint, last);
                }
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

fn look(endpoint: &Arc<Endpoint>, last: &mut Option<TlsError>) {
    match prepare(std::slice::from_ref(endpoint)) {
        Ok(changed) => {
            replace(changed);
            *last = None;
        }
        Err(failure) => {
            if last.as_ref() != Some(&failure) {
                error!("the certificates of before stay in force: {failure}");
            }
            *last = Some(failure);
        }
    }
}
