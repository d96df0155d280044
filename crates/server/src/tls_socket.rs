//! A socket with TLS on it, after the handshake.
//!
//! One reactor reads, any may write. Both need the session, which is behind a lock that is held while bytes are
//! encrypted or decrypted and handed to the socket, so that records leave in the order of their numbers; the socket does
//! not block. Reading from the socket is done outside of it.

use crate::socket::Received;
use mio::net::TcpStream;
use std::io::{self, IoSlice, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tls::rustls::ServerConnection;
use tracing::{debug, warn};

/// Bytes read from the socket at once.
const SEALED_BYTES: usize = 128 << 10;
/// More than a record: as much may become plain beside what is read now.
const RECORD_BYTES: usize = 20 << 10;
/// Most bytes that are encrypted at once, before the socket has taken them.
const ENCRYPT_BYTES: usize = 128 << 10;

pub(crate) struct TlsSocket {
    stream: TcpStream,
    peer: String,
    session: Mutex<Session>,
}

struct Session {
    connection: Box<ServerConnection>,
    /// Bytes of the caller's that are encrypted, and not told to it as written: the socket has not taken all of them.
    held: usize,
    /// The peer has finished, or what it sends makes no sense.
    is_closed: bool,
}

impl TlsSocket {
    /// A socket after the handshake of `connection`.
    pub(crate) fn new(stream: TcpStream, mut connection: Box<ServerConnection>, peer: String) -> TlsSocket {
        connection.set_buffer_limit(Some(ENCRYPT_BYTES));
        TlsSocket { stream, peer, session: Mutex::new(Session { connection, held: 0, is_closed: false }) }
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is there, as far as `out` has room.
    pub(crate) fn read(&self, out: &mut [u8], sealed: &mut Vec<u8>) -> Received {
        sealed.resize(SEALED_BYTES, 0);
        // What came with the last bytes of the handshake is in the session already.
        let mut count = 0;
        {
            let mut session = self.session();
            if session.is_closed {
                return Received { count: Ok(0), has_more: false };
            }
            session.take_plain(out, &mut count);
        }
        loop {
            let room = out.len() - count;
            if room <= 2 * RECORD_BYTES {
                return Received { count: Ok(count), has_more: true };
            }
            let most = sealed.len().min(room - RECORD_BYTES);
            let read = (&self.stream).read(&mut sealed[..most]);
            let (is_over, is_drained) = match read {
                Ok(0) => {
                    self.session().is_closed = true;
                    (true, false)
                }
                Ok(fresh) => (self.decrypt(&sealed[..fresh], out, &mut count), fresh < most && count > 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (false, false),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && count > 0 => (false, true),
                // The next read says it again.
                Err(_) if count > 0 => (true, false),
                Err(error) => return Received { count: Err(error), has_more: false },
            };
            if is_over {
                // The end is told by a read that brings nothing else.
                return Received { count: Ok(count), has_more: count > 0 };
            }
            if is_drained {
                return Received { count: Ok(count), has_more: false };
            }
        }
    }

    /// Takes received bytes; true when there will be no more.
    fn decrypt(&self, mut sealed: &[u8], out: &mut [u8], count: &mut usize) -> bool {
        let mut session = self.session();
        while !sealed.is_empty() && !session.is_closed {
            let taken = session
                .connection
                .read_tls(&mut sealed)
                .and_then(|_| session.connection.process_new_packets().map_err(io::Error::other));
            if let Err(error) = taken {
                warn!(target: "connection", "TLS of {} failed: {error}", self.peer);
                session.is_closed = true;
            }
            session.take_plain(out, count);
        }
        if session.connection.wants_write()
            && let Err(error) = session.send(&self.stream)
            && error.kind() != io::ErrorKind::WouldBlock
        {
            debug!(target: "connection", "cannot write to {}: {error}", self.peer);
        }
        session.is_closed
    }

    /// Encrypts some of `parts` and writes it. Bytes count as written when the socket has taken the last of what they
    /// became; until then the caller comes again with the same bytes, and they are not encrypted twice.
    pub(crate) fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut session = self.session();
        if session.held == 0 {
            session.send(&self.stream)?;
            session.held = session.connection.writer().write_vectored(parts)?;
        }
        session.send(&self.stream)?;
        Ok(std::mem::take(&mut session.held))
    }

    /// Writes what the session itself had to say, such as the answer to a change of keys.
    pub(crate) fn writable(&self) {
        let mut session = self.session();
        if session.held == 0 && session.connection.wants_write() {
            let _ = session.send(&self.stream);
        }
    }

    /// Tells the peer that nothing follows, if that can be written now.
    pub(crate) fn say_goodbye(&self) {
        let mut session = self.session();
        session.connection.send_close_notify();
        let _ = session.send(&self.stream);
    }
}

impl Session {
    fn take_plain(&mut self, out: &mut [u8], count: &mut usize) {
        while *count < out.len() {
            match self.connection.reader().read(&mut out[*count..]) {
                Ok(0) => {
                    self.is_closed = true;
                    return;
                }
                Ok(plain) => *count += plain,
                // Nothing more for now; an end without a word is what the socket tells.
                Err(_) => return,
            }
        }
    }

    fn send(&mut self, mut stream: &TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut stream) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
