//! What handlers share.

use crate::application::{Application, BackupSummary, Node};
use crate::audit::Audit;
use crate::authenticate::{Attempts, Remembered};
use crate::caller::Caller;
use crate::error::ApiError;
use crate::pid::Pids;
use crate::settings::HttpSettings;
use crate::statistics::{self, Statistics};
use broker::{AdminCommand, AdminError, AdminReply, Broker};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tls::Endpoint;

/// What handlers share, and in whose name it is used; the latter is nobody's outside of a request.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>, Option<Arc<Caller>>);

struct Inner {
    application: Arc<dyn Application>,
    node: Node,
    http: HttpSettings,
    pids: Pids,
    statistics: Statistics,
    audit: Audit,
    attempts: Attempts,
    remembered: Remembered,
    started: Instant,
}

impl Shared {
    pub(crate) fn new(application: Arc<dyn Application>, node: Node, http: HttpSettings, audit: Audit) -> Shared {
        let creation = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let pids = Pids::new(node.name.clone(), creation);
        let statistics = Statistics::new(http.statistics.clone());
        let inner = Inner {
            application,
            node,
            http,
            pids,
            statistics,
            audit,
            attempts: Attempts::default(),
            remembered: Remembered::default(),
            started: Instant::now(),
        };
        Shared(Arc::new(inner), None)
    }

    /// The same in the name of `caller`.
    pub(crate) fn in_name_of(&self, caller: Arc<Caller>) -> Shared {
        Shared(self.0.clone(), Some(caller))
    }

    /// Carries out a command, off the thread that serves, since it may wait. What it changes is in the audit log.
    pub(crate) async fn execute(&self, command: AdminCommand) -> Result<AdminReply, ApiError> {
        let broker = self.broker()?;
        let described = command.logged();
        let reply = tokio::task::spawn_blocking(move || broker.execute(command)).await;
        let reply = match reply {
            // Whoever sits at the command line is told what RabbitMQ's tools tell.
            Ok(Err(AdminError::Credentials(text))) if self.1.as_ref().is_some_and(|caller| caller.is_operator()) => {
                Err(ApiError::bad_request(text))
            }
            Ok(reply) => reply.map_err(ApiError::from),
            Err(_) => Err(ApiError::unexpected_reply()),
        };
        if let Some(described) = described {
            let failure = reply.as_ref().err().map(ApiError::reason);
            self.0.audit.command(self.1.as_deref(), &described, failure.as_deref());
        }
        reply
    }

    /// Logs a change that was made without a command; secrets in `arguments` are hidden by the names of their fields.
    pub(crate) fn log_change(&self, name: &str, arguments: serde_json::Value, failure: Option<&str>) {
        self.0.audit.change(self.1.as_deref(), name, arguments, failure);
    }

    /// The broker, unless it is stopped.
    pub(crate) fn broker(&self) -> Result<Arc<Broker>, ApiError> {
        self.0.application.broker().ok_or_else(ApiError::stopped)
    }

    pub(crate) fn http(&self) -> &HttpSettings {
        &self.0.http
    }

    /// The log of changes.
    pub(crate) fn audit(&self) -> &Audit {
        &self.0.audit
    }

    /// Logins over HTTP.
    pub(crate) fn attempts(&self) -> &Attempts {
        &self.0.attempts
    }

    pub(crate) fn remembered(&self) -> &Remembered {
        &self.0.remembered
    }

    pub(crate) fn statistics(&self) -> &Statistics {
        &self.0.statistics
    }

    /// Makes a backup, which may take as long as it takes.
    pub(crate) async fn back_up(&self, directory: PathBuf) -> Result<BackupSummary, ApiError> {
        let inner = self.0.clone();
        let made = tokio::task::spawn_blocking(move || inner.application.back_up(&directory)).await;
        made.map_err(|_| ApiError::unexpected_reply())?.map_err(ApiError::unavailable)
    }

    /// Starts or stops the broker and waits until that is done.
    pub(crate) async fn run_application(&self, running: bool) -> Result<(), ApiError> {
        let inner = self.0.clone();
        let done = tokio::task::spawn_blocking(move || {
            if running {
                // Connections are numbered anew, so process ids of before must mean nobody.
                inner.pids.renew();
                return inner.application.start();
            }
            inner.application.stop();
            Ok(())
        });
        done.await.map_err(|_| ApiError::unexpected_reply())?.map_err(ApiError::unavailable)
    }

    /// The broker as the process that it runs in.
    pub(crate) fn application(&self) -> Arc<dyn Application> {
        self.0.application.clone()
    }

    /// The same off the thread that serves, for what may wait.
    pub(crate) async fn in_process<T: Send + 'static>(
        &self,
        act: impl FnOnce(&dyn Application) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let inner = self.0.clone();
        let done = tokio::task::spawn_blocking(move || act(&*inner.application));
        done.await.map_err(|_| ApiError::unexpected_reply())
    }

    /// Where AMQP clients can connect.
    pub(crate) fn listeners(&self) -> Vec<SocketAddr> {
        self.0.application.listeners()
    }

    /// Where they can with TLS.
    pub(crate) fn tls_listeners(&self) -> Vec<SocketAddr> {
        self.0.application.tls_listeners()
    }

    /// The TLS of the listeners for AMQP.
    pub(crate) fn amqp_endpoint(&self) -> Option<Arc<Endpoint>> {
        self.0.application.amqp_endpoint()
    }

    /// Suspends or resumes the listeners of clients and waits until that is done.
    pub(crate) async fn set_listening(&self, listening: bool) -> Result<(), ApiError> {
        let inner = self.0.clone();
        let done = tokio::task::spawn_blocking(move || {
            if listening {
                return inner.application.resume_listeners();
            }
            inner.application.suspend_listeners();
            Ok(())
        });
        let done = done.await.map_err(|_| ApiError::unexpected_reply())?;
        let name = if listening { "resume_listeners" } else { "suspend_listeners" };
        self.log_change(name, serde_json::json!({}), done.as_ref().err().map(String::as_str));
        done.map_err(ApiError::unavailable)
    }

    /// Open connections and listening sockets: monitors take none at all for a failure of the node.
    pub(crate) fn sockets_used(&self, broker: &Broker) -> u64 {
        let http = self.http();
        let https = [&http.https, &http.prometheus_https].into_iter().flatten().map(|https| https.listeners.len());
        let plain = self.listeners().len() + http.listeners.len() + http.prometheus_listeners.len();
        let listening = plain + self.tls_listeners().len() + https.sum::<usize>();
        broker.object_totals().connections + listening as u64
    }

    /// Free disk space in bytes, and the limit below which publishers wait.
    pub(crate) fn disk(&self) -> (u64, u64) {
        self.0.application.disk().unwrap_or_default()
    }

    pub(crate) fn node(&self) -> &Node {
        &self.0.node
    }

    /// Name of the node, as `rabbit@host`.
    pub(crate) fn node_name(&self) -> &str {
        &self.0.node.name
    }

    pub(crate) fn pids(&self) -> &Pids {
        &self.0.pids
    }

    /// When the process began, in s since 1970.
    pub(crate) fn started_s(&self) -> u64 {
        statistics::now_ms().saturating_sub(self.uptime_ms()) / 1000
    }

    /// The id that the cluster keeps whatever it is called (RabbitMQ's global parameter `internal_cluster_id`).
    pub(crate) fn cluster_permanent_id(&self) -> String {
        self.broker().ok().and_then(|broker| broker.cluster_id()).unwrap_or_default()
    }

    pub(crate) fn uptime_ms(&self) -> u64 {
        u64::try_from(self.0.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
