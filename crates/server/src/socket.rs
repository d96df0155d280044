//! The transports of connections: non-blocking sockets that any reactor may write to.

use crate::tls_socket::TlsSocket;
use broker::Transport;
use mio::net::TcpStream;
use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

/// A socket, shared between the reactor that reads it and whoever writes to it.
#[derive(Clone)]
pub(crate) enum Socket {
    Plain(Arc<TcpStream>),
    Tls(Arc<TlsSocket>),
}

/// What a read came to.
pub(crate) struct Received {
    /// Bytes; 0 when the peer has finished.
    pub(crate) count: io::Result<usize>,
    /// There may be more already, of which no event tells.
    pub(crate) has_more: bool,
}

impl Socket {
    /// What the engine writes to.
    pub(crate) fn transport(&self) -> Box<dyn Transport> {
        match self {
            Socket::Plain(stream) => Box::new(Plain(stream.clone())),
            Socket::Tls(socket) => Box::new(Tls(socket.clone())),
        }
    }

    /// Reads into `out`; `sealed` is room for what has to be decrypted first.
    #[inline]
    pub(crate) fn read(&self, out: &mut [u8], sealed: &mut Vec<u8>) -> Received {
        match self {
            Socket::Plain(stream) => {
                let count = (&**stream).read(out);
                let has_more = matches!(count, Ok(count) if count == out.len());
                Received { count, has_more }
            }
            Socket::Tls(socket) => socket.read(out, sealed),
        }
    }

    /// There is room to write.
    #[inline]
    pub(crate) fn writable(&self) {
        if let Socket::Tls(socket) = self {
            socket.writable();
        }
    }

    /// Nothing more is written. It may be shared with a reactor that writes to it right now; this ends it for all.
    pub(crate) fn close(&self) {
        let stream = match self {
            Socket::Plain(stream) => stream,
            Socket::Tls(socket) => {
                socket.say_goodbye();
                socket.stream()
            }
        };
        let _ = stream.shutdown(Shutdown::Write);
    }
}

struct Plain(Arc<TcpStream>);

impl Transport for Plain {
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self.0).write_vectored(parts)
    }
}

struct Tls(Arc<TlsSocket>);

impl Transport for Tls {
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write(parts)
    }
}
