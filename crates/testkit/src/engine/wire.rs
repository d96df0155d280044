//! A connection's bytes in both directions, in place of a socket.

use broker::Transport;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a client and the broker hold the two ends of.
#[derive(Default)]
pub struct Wire {
    to_broker: Mutex<ToBroker>,
    to_client: Mutex<ToClient>,
}

#[derive(Default)]
struct ToBroker {
    bytes: Vec<u8>,
    read: usize,
    closed: bool,
}

struct ToClient {
    bytes: Vec<u8>,
    total: u64,
    /// Bytes that the client's window takes before writes block.
    window: usize,
    /// Bytes that one write takes at most.
    most: usize,
    /// A write was refused, and there is room again.
    refused: bool,
    keep: bool,
    closed: bool,
}

impl Default for ToClient {
    fn default() -> ToClient {
        ToClient {
            bytes: Vec::new(),
            total: 0,
            window: usize::MAX,
            most: usize::MAX,
            refused: false,
            keep: true,
            closed: false,
        }
    }
}

/// The client's end.
impl Wire {
    /// Sends bytes; they wait in front of the broker.
    pub fn send(&self, bytes: &[u8]) {
        lock(&self.to_broker).bytes.extend_from_slice(bytes);
    }

    /// Moves what the broker wrote behind `bytes`.
    pub fn take(&self, bytes: &mut Vec<u8>) {
        let mut to_client = lock(&self.to_client);
        bytes.extend_from_slice(&to_client.bytes);
        to_client.bytes.clear();
    }

    /// Bytes that the broker has written so far.
    pub fn received(&self) -> u64 {
        lock(&self.to_client).total
    }

    /// Bytes that are sent and not read.
    pub fn unread(&self) -> usize {
        let to_broker = lock(&self.to_broker);
        to_broker.bytes.len() - to_broker.read
    }

    /// From now on writes block when `window` bytes wait for the client.
    pub fn set_window(&self, window: usize) {
        lock(&self.to_client).window = window;
    }

    /// From now on a write takes at most `most` bytes.
    pub fn set_most_per_write(&self, most: usize) {
        lock(&self.to_client).most = most;
    }

    /// From now on what the broker writes is counted and dropped.
    pub fn discard(&self) {
        lock(&self.to_client).keep = false;
    }

    /// The client is gone: nothing more can be written, and nothing more comes once what was sent is read.
    pub fn break_off(&self) {
        lock(&self.to_broker).closed = true;
        lock(&self.to_client).closed = true;
    }

    /// True when the broker has closed the connection.
    pub fn is_closed(&self) -> bool {
        lock(&self.to_client).closed
    }
}

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    Bytes(usize),
    Nothing,
    End,
}

/// The broker's end.
impl Wire {
    /// Appends at most `most` received bytes to `buffer`.
    pub(super) fn read(&self, buffer: &mut Vec<u8>, most: usize) -> Read {
        let mut to_broker = lock(&self.to_broker);
        let count = most.min(to_broker.bytes.len() - to_broker.read);
        if count == 0 {
            return if to_broker.closed { Read::End } else { Read::Nothing };
        }
        let start = to_broker.read;
        buffer.extend_from_slice(&to_broker.bytes[start..start + count]);
        to_broker.read += count;
        if to_broker.read == to_broker.bytes.len() {
            to_broker.bytes.clear();
            to_broker.read = 0;
        }
        Read::Bytes(count)
    }

    /// True when a read finds something, be it the end.
    pub(super) fn is_readable(&self) -> bool {
        let to_broker = lock(&self.to_broker);
        to_broker.closed || to_broker.read < to_broker.bytes.len()
    }

    /// True once after a write was refused and there is room again.
    pub(super) fn becomes_writable(&self) -> bool {
        let mut to_client = lock(&self.to_client);
        let writable = to_client.refused && (to_client.closed || to_client.room() > 0);
        to_client.refused &= !writable;
        writable
    }

    /// The broker drops its end.
    pub(super) fn close(&self) {
        lock(&self.to_client).closed = true;
    }
}

impl ToClient {
    fn room(&self) -> usize {
        self.window.saturating_sub(self.bytes.len())
    }
}

/// The broker's end as the engine writes to it.
pub(super) struct Writing(pub(super) Arc<Wire>);

impl Transport for Writing {
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut to_client = lock(&self.0.to_client);
        if to_client.closed {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let room = to_client.room().min(to_client.most);
        let mut left = room;
        for part in parts {
            let taken = left.min(part.len());
            if to_client.keep {
                to_client.bytes.extend_from_slice(&part[..taken]);
            }
            left -= taken;
        }
        if room == left {
            to_client.refused = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        to_client.total += (room - left) as u64;
        Ok(room - left)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
