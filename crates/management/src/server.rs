//! Accepting connections and serving requests on them, with a limit on everything that a client can make us wait for.

mod body;
mod stream;

use crate::caller::Origin;
use crate::compress;
use crate::process::descriptor_limit;
use crate::settings::ServerLimits;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Uri, header};
use axum::middleware::from_fn;
use axum::response::Response;
use body::{Budget, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use stream::Impatient;
use tls::{Endpoint, Session};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

/// Largest head of a request: as much again is kept of each body that is being read.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// Longest time for a TLS handshake (RabbitMQ: 5 s).
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Until it is tried again where there were no descriptors left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Descriptors that are not for HTTP; clients of AMQP leave more, so that operators get in when there are too many.
const RESERVED_DESCRIPTORS: u64 = 32;

/// What is served to whoever connects, within its limits.
#[derive(Clone)]
pub(crate) struct Server {
    router: Router,
    limits: Arc<ServerLimits>,
    connections: Arc<Semaphore>,
    bodies: Budget,
}

impl Server {
    pub(crate) fn new(router: Router, limits: ServerLimits, max_body_bytes: usize) -> Server {
        let router = if limits.compress { router.layer(from_fn(compress::gzip)) } else { router };
        let most = limits.max_connections.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        Server {
            router,
            limits: Arc::new(limits),
            connections: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
            bodies: Budget::new(max_body_bytes),
        }
    }

    /// Serves whoever connects over the network. Connections beyond the limit wait where the system keeps them.
    pub(crate) async fn serve_network(self, listener: TcpListener, tls: Option<Arc<Endpoint>>) {
        while let Ok(permit) = self.connections.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) if !leaves_enough(stream.as_raw_fd()) => {
                    warn!("hanging up on an HTTP connection: the process may not have more open files");
                    drop(stream);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
                Ok((stream, peer)) => {
                    // An answer is one write, and the client waits for it; without this it comes late, no worse.
                    let _ = stream.set_nodelay(true);
                    match &tls {
                        None => self.clone().start(stream, Origin::Network(peer), permit),
                        Some(endpoint) => self.clone().start_tls(stream, peer, endpoint, permit),
                    }
                }
                Err(error) => not_accepted(&error).await,
            }
        }
    }

    /// Serves whoever can open the socket in the data directory.
    pub(crate) async fn serve_socket(self, listener: UnixListener) {
        while let Ok(permit) = self.connections.clone().acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => self.clone().start(stream, Origin::Socket, permit),
                Err(error) => not_accepted(&error).await,
            }
        }
    }

    fn start<S>(self, stream: S, origin: Origin, permit: OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        tokio::spawn(async move {
            self.serve_connection(stream, origin).await;
            drop(permit);
        });
    }

    /// With certificates as they are now. The handshake has as long as the head of a request, or RabbitMQ's 5 s.
    fn start_tls(self, stream: TcpStream, peer: SocketAddr, endpoint: &Endpoint, permit: OwnedSemaphorePermit) {
        let acceptor = TlsAcceptor::from(endpoint.config());
        let patience = self.limits.request_timeout().unwrap_or(HANDSHAKE_TIMEOUT).min(HANDSHAKE_TIMEOUT);
        tokio::spawn(async move {
            match tokio::time::timeout(patience, acceptor.accept(stream)).await {
                // One that has expired since the session began, which is taken up.
                Ok(Ok(stream)) if Session::of(stream.get_ref().1).expired_peer().is_some() => {
                    debug!("the certificate of {peer} for HTTP has expired");
                }
                Ok(Ok(stream)) => self.serve_connection(stream, Origin::Network(peer)).await,
                Ok(Err(error)) => debug!("TLS handshake of {peer} for HTTP failed: {error}"),
                Err(_) => debug!("TLS handshake of {peer} for HTTP timed out"),
            }
            drop(permit);
        });
    }

    async fn serve_connection<S>(&self, stream: S, origin: Origin)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let requests = AtomicU64::new(0);
        let router = TowerToHyperService::new(self.router.clone());
        let service = service_fn(|request: Request<Incoming>| {
            let (request, held) = self.prepare(request, origin);
            let answer = router.call(request);
            let count = requests.fetch_add(1, Ordering::Relaxed) + 1;
            let is_last = self.limits.max_keepalive.is_some_and(|most| count >= most);
            let patience = self.limits.patience();
            async move {
                let mut response: Response = answer.await?;
                // RabbitMQ takes the next request after one whose body nobody read, too.
                let is_read = held.skip_rest(patience).await;
                if is_last || !is_read {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response)
            }
        });
        let io = TokioIo::new(Impatient::new(stream, self.limits.patience()));
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).max_buf_size(MAX_HEAD_BYTES);
        builder.header_read_timeout(self.limits.request_timeout());
        if let Err(error) = builder.serve_connection(io, service).await {
            debug!("HTTP connection ended: {error}");
        }
    }

    fn prepare(&self, request: Request<Incoming>, origin: Origin) -> (Request<Body>, body::Held) {
        let (mut parts, incoming) = request.into_parts();
        if let Some(uri) = without_last_slash(&parts.uri) {
            parts.uri = uri;
        }
        parts.extensions.insert(origin);
        let (body, held) = Limited::new(incoming, &self.bodies, self.limits.patience());
        (Request::from_parts(parts, Body::new(body)), held)
    }
}

/// Whether a connection leaves enough descriptors to the files that messages are in. A new one has the lowest number that
/// is free, so its number tells how many there are.
fn leaves_enough(descriptor: RawFd) -> bool {
    let bound = descriptor_limit().saturating_sub(RESERVED_DESCRIPTORS);
    u64::try_from(descriptor).is_ok_and(|number| number < bound)
}

async fn not_accepted(error: &io::Error) {
    warn!("cannot accept an HTTP connection: {error}");
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

/// Paths mean the same with a slash behind them, as on RabbitMQ: some of its own end in one. That of a directory, of
/// which `/` is one, is told from a file's by the routes.
fn without_last_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/').filter(|_| uri.path().contains("/api/"))?;
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    text.parse().ok()
}
