//! The transport of a connection: a non-blocking TCP socket that any reactor may write to.

use broker::Transport;
use mio::net::TcpStream;
use std::io::{self, IoSlice, Write};
use std::sync::Arc;

/// A socket, shared between the reactor that reads it and whoever writes to it.
#[derive(Clone)]
pub(crate) struct Socket(pub(crate) Arc<TcpStream>);

impl Transport for Socket {
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self.0).write_vectored(parts)
    }
}
