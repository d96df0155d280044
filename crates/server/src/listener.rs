//! Listening sockets.

use mio::net::TcpListener;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;

/// Options of the sockets that clients connect to.
#[derive(Clone, Debug)]
pub struct SocketOptions {
    /// Connections that may wait to be accepted.
    pub backlog: i32,
    /// `TCP_NODELAY`.
    pub nodelay: bool,
    /// `SO_KEEPALIVE`.
    pub keepalive: bool,
    /// `SO_SNDBUF` in bytes; `None` = the system's choice.
    pub sndbuf_bytes: Option<usize>,
    /// `SO_RCVBUF` in bytes; `None` = the system's choice.
    pub recbuf_bytes: Option<usize>,
}

impl Default for SocketOptions {
    fn default() -> SocketOptions {
        SocketOptions { backlog: 128, nodelay: true, keepalive: false, sndbuf_bytes: None, recbuf_bytes: None }
    }
}

/// A listener that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

/// Addresses that are taken, and not yet listened on: whoever connects is refused.
pub struct Listeners {
    pub(crate) sockets: Vec<TcpListener>,
    pub(crate) options: SocketOptions,
}

impl Listeners {
    /// Takes the addresses. Of a pair of wildcard addresses, the one for IPv6 may fail on hosts without it.
    pub fn open(addresses: &[SocketAddr], options: SocketOptions) -> Result<Listeners, ListenError> {
        let mut sockets = Vec::new();
        for address in addresses {
            match bind(*address, &options) {
                Ok(socket) => sockets.push(socket),
                Err(error) if is_optional(address, addresses) && is_unsupported(&error) => {}
                Err(source) => return Err(ListenError { address: *address, source }),
            }
        }
        Ok(Listeners { sockets, options })
    }

    /// Lets clients connect.
    pub(crate) fn listen(&self) -> Result<(), ListenError> {
        for socket in &self.sockets {
            if let Err(error) = rustix::net::listen(socket, self.options.backlog) {
                let address = socket.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
                return Err(ListenError { address, source: error.into() });
            }
        }
        Ok(())
    }

    /// Where clients can connect.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().filter_map(|socket| socket.local_addr().ok()).collect()
    }
}

fn is_optional(address: &SocketAddr, addresses: &[SocketAddr]) -> bool {
    let has_v4 = addresses.iter().any(|other| other.is_ipv4() && other.port() == address.port());
    address.is_ipv6() && address.ip().is_unspecified() && has_v4
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable)
        || error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn bind(address: SocketAddr, options: &SocketOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(bytes) = options.recbuf_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.sndbuf_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(TcpListener::from_std(socket.into()))
}
