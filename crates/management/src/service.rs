//! The thread that serves.

use crate::access_log::{self, AccessLog};
use crate::application::{Application, Node};
use crate::audit::Audit;
use crate::authenticate::MOST_ASKING;
use crate::error::in_detail;
use crate::server::Server;
use crate::settings::{HttpSettings, HttpsSettings, ServerLimits};
use crate::shared::Shared;
use crate::{background, prometheus, routes, socket, statistics};
use axum::middleware::{from_fn_with_state, map_response};
use socket2::{Domain, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use tls::Endpoint;
use tokio::sync::oneshot;
use tracing::{error, info};

/// Commands that may wait for the journal or the reactors at the same time; further ones queue up.
const BLOCKING_THREADS: usize = 4;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

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
        // Those who wait for a service have threads of their own.
        .max_blocking_threads(BLOCKING_THREADS + MOST_ASKING)
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
