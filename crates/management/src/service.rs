//! The thread that serves, and what handlers share.

use crate::access_log::{self, AccessLog};
use crate::audit::Audit;
use crate::authenticate::{Attempts, Remembered};
use crate::caller::Caller;
use crate::error::{ApiError, in_detail};
use crate::pid::Pids;
use crate::server::Server;
use crate::settings::{HttpSettings, HttpsSettings, ServerLimits};
use crate::statistics::Statistics;
use crate::{background, prometheus, routes, socket, statistics};
use axum::middleware::{from_fn_with_state, map_response};
use broker::{AdminCommand, AdminError, AdminReply, Broker};
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tls::Endpoint;
use tokio::sync::oneshot;
use tracing::{error, info};

/// Commands that may wait for the journal or the reactors at the same time; further ones queue up.
const BLOCKING_THREADS: usize = 4;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

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

/// The administrative surface could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The socket in the data directory.
    #[error("cannot open the administrative socket {}: {source}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The log of requests.
    #[error("cannot write the log of requests in {}: {source}", directory.display())]
    AccessLog {
        /// Its directory.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An address on the network.
    #[error("cannot listen on {address} for HTTP: {source}")]
    Listener {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// The running administrative surface.
pub struct Management {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    path: PathBuf,
}

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

impl Management {
    /// Opens the socket in the node's data directory and the listeners of `http`, and serves them on a thread of its own.
    pub fn start(application: Arc<dyn Application>, node: Node, http: HttpSettings) -> Result<Management, StartError> {
        let data_dir = node.data_dir.clone();
        let failed = |source| StartError::Socket { path: data_dir.join(socket::SOCKET_NAME), source };
        let (unix, path) = socket::listen(&data_dir).map_err(failed)?;
        let network = Network::open(&http)?;
        let access_log = http.access_log_dir.as_ref().map(|directory| {
            AccessLog::start(directory).map_err(|source| StartError::AccessLog { directory: directory.clone(), source })
        });
        let access_log = access_log.transpose()?;
        let audit = Audit::start(data_dir.clone(), http.audit.clone()).map_err(failed)?;
        let shared = Shared::new(application, node, http, audit);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("management".to_owned());
        let thread = thread
            .spawn(move || {
                if let Err(error) = serve(unix, network, shared.clone(), access_log, stopped) {
                    error!("the administrative surface ended: {error}");
                }
                shared.audit().stop();
            })
            .map_err(failed)?;
        Ok(Management { stop, thread, path })
    }

    /// Ends the thread and removes the socket.
    pub fn stop(self) {
        // The thread may have ended by itself.
        let _ = self.stop.send(());
        let _ = self.thread.join();
        let _ = std::fs::remove_file(self.path);
    }
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, StartError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        Ok(std::net::TcpListener::from(socket))
    };
    let listener = open().map_err(|source| StartError::Listener { address, source })?;
    info!("started HTTP listener on {address}");
    Ok(listener)
}

/// Opens what can be opened of `addresses`: a host without IPv6 does without.
fn listen_on(addresses: &[SocketAddr]) -> Result<Vec<std::net::TcpListener>, StartError> {
    let mut listeners = Vec::new();
    for address in addresses {
        match listen(*address) {
            Ok(listener) => listeners.push(listener),
            Err(StartError::Listener { source, .. })
                if !listeners.is_empty() && address.is_ipv6() && source.kind() != io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Ok(listeners)
}

/// What listens on the network.
struct Network {
    api: Vec<Listener>,
    metrics: Vec<Listener>,
}

/// A listening socket, the TLS that is spoken there, and the limits on its connections.
struct Listener {
    socket: std::net::TcpListener,
    tls: Option<Arc<Endpoint>>,
    limits: ServerLimits,
}

impl Network {
    fn open(http: &HttpSettings) -> Result<Network, StartError> {
        let open = |addresses: &[SocketAddr], tls: Option<&Arc<Endpoint>>, limits: &ServerLimits| {
            let listener = |socket| Listener { socket, tls: tls.cloned(), limits: limits.clone() };
            listen_on(addresses).map(|sockets| sockets.into_iter().map(listener).collect::<Vec<_>>())
        };
        let with_tls = |https: &Option<HttpsSettings>| match https {
            Some(https) => open(&https.listeners, Some(&https.endpoint), &https.limits),
            None => Ok(Vec::new()),
        };
        let mut api = open(&http.listeners, None, &http.limits)?;
        api.extend(with_tls(&http.https)?);
        let mut metrics = open(&http.prometheus_listeners, None, &http.prometheus_limits)?;
        metrics.extend(with_tls(&http.prometheus_https)?);
        Ok(Network { api, metrics })
    }
}

fn serve(
    unix: std::os::unix::net::UnixListener,
    network: Network,
    shared: Shared,
    access_log: Option<AccessLog>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    background::lower_priority();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name("management-command")
        .on_thread_start(background::lower_priority)
        .build()?;
    runtime.block_on(async move {
        tokio::spawn(statistics::run(shared.clone()));
        let unix = tokio::net::UnixListener::from_std(unix)?;
        let http = shared.http();
        let told = |router: axum::Router| match &access_log {
            Some(log) => router.layer(from_fn_with_state(log.clone(), access_log::tell)),
            None => router,
        };
        let api = told(routes::router(shared.clone()));
        let serve = |router: &axum::Router, limits: &ServerLimits| {
            Server::new(router.clone(), limits.clone(), http.max_body_bytes)
        };
        for listener in network.api {
            let socket = tokio::net::TcpListener::from_std(listener.socket)?;
            tokio::spawn(serve(&api, &listener.limits).serve_network(socket, listener.tls));
        }
        let for_socket = api.clone().layer(map_response(async |response| in_detail(response)));
        let metrics = told(prometheus::router(shared.clone()));
        for listener in network.metrics {
            let server = serve(&metrics, &listener.limits);
            tokio::spawn(server.serve_network(tokio::net::TcpListener::from_std(listener.socket)?, listener.tls));
        }
        tokio::select! {
            () = serve(&for_socket, &http.limits).serve_socket(unix) => {}
            _ = stopped => {}
        }
        io::Result::Ok(())
    })?;
    // A command that still waits must not keep the process from ending.
    runtime.shutdown_background();
    Ok(())
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
