//! Listening sockets.

use mio::net::{TcpListener, TcpStream};
use rustix::net::sockopt;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

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
    /// A connection that is closed is reset at once, and what is not sent yet is dropped (`SO_LINGER` with 0 s). With a time
    /// the system would have whoever closes wait, which reactors never do.
    pub resets: bool,
    /// How long what was sent may stay unacknowledged or, because the client reads nothing, unsent, in ms (`TCP_USER_TIMEOUT`).
    pub send_timeout_ms: Option<u32>,
    /// `IP_TOS` of packets.
    pub tos: Option<u8>,
    /// `SO_PRIORITY` of packets.
    pub priority: Option<u32>,
}

impl Default for SocketOptions {
    fn default() -> SocketOptions {
        SocketOptions {
            backlog: 128,
            nodelay: true,
            keepalive: false,
            sndbuf_bytes: None,
            recbuf_bytes: None,
            resets: false,
            send_timeout_ms: None,
            tos: None,
            priority: None,
        }
    }
}

impl SocketOptions {
    /// Sets those of an accepted connection; one that the system refuses is left out, as RabbitMQ leaves it out.
    pub(crate) fn apply(&self, stream: &TcpStream) {
        let _ = stream.set_nodelay(self.nodelay);
        let socket = SockRef::from(stream);
        if self.keepalive {
            let _ = socket.set_keepalive(true);
        }
        if self.resets {
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
        #[cfg(target_os = "linux")]
        if let Some(ms) = self.send_timeout_ms {
            let _ = sockopt::set_tcp_user_timeout(stream, ms);
        }
        #[cfg(target_os = "linux")]
        if let Some(priority) = self.priority {
            let _ = socket.set_priority(priority);
        }
        if let Some(tos) = self.tos {
            let is_v6 = stream.local_addr().is_ok_and(|address| address.is_ipv6());
            let _ = if is_v6 { sockopt::set_ipv6_tclass(stream, tos.into()) } else { sockopt::set_ip_tos(stream, tos) };
        }
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

/// A listening socket, and what it is for.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) has_tls: bool,
    /// `None` while listeners are suspended.
    pub(crate) socket: Option<TcpListener>,
}

impl Door {
    /// Takes the address again after it was given up, and listens.
    pub(crate) fn reopen(&mut self, options: &SocketOptions) -> Result<(), ListenError> {
        let failed = |source| ListenError { address: self.address, source };
        let socket = bind(self.address, options).map_err(failed)?;
        rustix::net::listen(&socket, options.backlog).map_err(|error| failed(error.into()))?;
        self.socket = Some(socket);
        Ok(())
    }
}

/// Addresses that are taken, and not yet listened on: whoever connects is refused.
pub struct Listeners {
    pub(crate) doors: Vec<Door>,
    pub(crate) options: SocketOptions,
}

impl Listeners {
    /// Takes the addresses, those of `plain` and those of `tls`. Of a pair of wildcard addresses, the one for IPv6 may
    /// fail on hosts without it.
    pub fn open(plain: &[SocketAddr], tls: &[SocketAddr], options: SocketOptions) -> Result<Listeners, ListenError> {
        let mut doors = Vec::new();
        for (addresses, has_tls) in [(plain, false), (tls, true)] {
            for address in addresses {
                match bind(*address, &options) {
                    Ok(socket) => {
                        let address = socket.local_addr().unwrap_or(*address);
                        doors.push(Door { address, has_tls, socket: Some(socket) });
                    }
                    Err(error) if is_optional(address, addresses) && is_unsupported(&error) => {}
                    Err(source) => return Err(ListenError { address: *address, source }),
                }
            }
        }
        Ok(Listeners { doors, options })
    }

    /// Lets clients connect.
    pub(crate) fn listen(&self) -> Result<(), ListenError> {
        for door in &self.doors {
            let Some(socket) = &door.socket else { continue };
            rustix::net::listen(socket, self.options.backlog)
                .map_err(|error| ListenError { address: door.address, source: error.into() })?;
        }
        Ok(())
    }

    /// Where clients can connect.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.of(false)
    }

    /// Where they can with TLS.
    pub fn tls_addresses(&self) -> Vec<SocketAddr> {
        self.of(true)
    }

    fn of(&self, has_tls: bool) -> Vec<SocketAddr> {
        self.doors.iter().filter(|door| door.has_tls == has_tls).map(|door| door.address).collect()
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
