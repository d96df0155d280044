//! A connection as the other reactors see it: where deliveries to it are appended and how they are sent.
//!
//! Lock order: a queue's lock may be held while an output's is taken, never the other way round. The writer's lock
//! comes before the output's and is only tried, with nothing else held.

#[cfg(test)]
mod tests;

use crate::delivery::Deliveries;
use crate::output::{Batch, BufferPool, Writer};
use crate::topology::QueueCell;
use queue::ConsumerKey;
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

/// Bytes that may wait in an output before its consumers are held back.
pub(crate) const OUTPUT_HIGH: usize = 512 << 10;
/// Bytes at which held-back consumers go on.
const OUTPUT_LOW: usize = 128 << 10;

/// Names a connection for the life of the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Where a connection's bytes go: a non-blocking socket, or a test's buffer.
pub trait Transport: Send + Sync {
    /// Writes some of `parts`; `WouldBlock` when the peer's window is full, after which the owner's driver will call
    /// [`Link::flush`] when there is room.
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// What a flush left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Everything is written, or somebody else is at it.
    Done,
    /// The peer takes no more for now.
    Blocked,
    /// The connection is broken.
    Broken,
}

pub(crate) struct Output {
    pub(crate) batch: Batch,
    /// Delivery state of the channels, by the slot that a channel got when it was opened.
    pub(crate) channels: Vec<Option<Box<Deliveries>>>,
    /// Consumers that were refused a message because the output or their channel was full.
    starved: Vec<(Arc<QueueCell>, ConsumerKey)>,
}

/// The shared half of a connection.
pub struct Link {
    /// The connection.
    pub id: ConnectionId,
    /// The reactor that owns it, and its place there.
    pub(crate) shard: usize,
    pub(crate) key: usize,
    /// Bytes appended and not yet written.
    pending: AtomicUsize,
    /// True while somebody has it on a list of outputs to flush.
    touched: AtomicBool,
    /// True when somebody found the writer taken.
    missed: AtomicBool,
    /// True when `starved` has entries, so that flushing need not lock to know.
    has_starved: AtomicBool,
    /// True when the connection is over but for what is pending.
    is_over: AtomicBool,
    pub(crate) frame_max: AtomicU32,
    sent_bytes: AtomicU64,
    sent_writes: AtomicU64,
    output: Mutex<Output>,
    writer: Mutex<Writer>,
    transport: Box<dyn Transport>,
}

impl Link {
    pub(crate) fn new(
        id: ConnectionId,
        shard: usize,
        key: usize,
        pool: &Arc<BufferPool>,
        transport: Box<dyn Transport>,
    ) -> Arc<Link> {
        Arc::new(Link {
            id,
            shard,
            key,
            pending: AtomicUsize::new(0),
            touched: AtomicBool::new(false),
            missed: AtomicBool::new(false),
            has_starved: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            frame_max: AtomicU32::new(amqp::frame::FRAME_MIN_SIZE as u32),
            sent_bytes: AtomicU64::new(0),
            sent_writes: AtomicU64::new(0),
            output: Mutex::new(Output { batch: Batch::new(pool.clone()), channels: Vec::new(), starved: Vec::new() }),
            writer: Mutex::new(Writer::new(pool.clone())),
            transport,
        })
    }

    /// Locks the output for appending; [`OutputGuard::finish`] or dropping the guard publishes what was appended.
    #[inline]
    pub(crate) fn output(&self) -> OutputGuard<'_> {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let before = output.batch.len();
        OutputGuard { link: self, output, before }
    }

    /// Its key in the shard number `shard`, if that is where it belongs.
    pub fn key_in(&self, shard: usize) -> Option<usize> {
        (self.shard == shard).then_some(self.key)
    }

    /// Bytes appended and not yet written.
    #[inline]
    pub(crate) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// The connection is over; its owner looks at `pending` afterwards.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Pairs with the fence of `flush`: either the owner sees that nothing is pending, or whoever wrote the last of
        // it sees that the owner waits for that.
        fence(Ordering::SeqCst);
    }

    /// True when a shard other than the owner has flushed and the owner has to look at the connection.
    pub(crate) fn owner_waits(&self, shard: usize) -> bool {
        self.shard != shard && self.is_over.load(Ordering::Relaxed)
    }

    /// True when little is left to write.
    pub(crate) fn is_low(&self) -> bool {
        self.pending() <= OUTPUT_LOW
    }

    /// Bytes and writes sent so far.
    pub(crate) fn sent(&self) -> (u64, u64) {
        (self.sent_bytes.load(Ordering::Relaxed), self.sent_writes.load(Ordering::Relaxed))
    }

    /// Puts the link on `list` unless it is on somebody's list already.
    #[inline]
    pub(crate) fn touch(self: &Arc<Link>, list: &mut Vec<Arc<Link>>) {
        if !self.touched.swap(true, Ordering::AcqRel) {
            list.push(self.clone());
        }
    }

    /// Remembers a consumer that a full output, or a channel at its limit, keeps from taking messages.
    ///
    /// `still` is asked again under the output's lock, which those who make room take before they look; false means
    /// that the consumer can go on.
    pub(crate) fn starve(&self, cell: &Arc<QueueCell>, key: ConsumerKey, still: impl Fn() -> bool) -> bool {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        if !still() {
            return false;
        }
        output.starved.push((cell.clone(), key));
        self.has_starved.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        // A channel's limit changes without this lock: either we see it here, or who changed it sees `has_starved`.
        if still() {
            return true;
        }
        output.starved.pop();
        false
    }

    /// Takes the consumers that [`Link::starve`] remembered.
    pub(crate) fn take_starved(&self) -> Vec<(Arc<QueueCell>, ConsumerKey)> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_starved.store(false, Ordering::Relaxed);
        std::mem::take(&mut output.starved)
    }

    /// Remembers consumers that still have to wait, before those that began to wait since.
    pub(crate) fn wait_on(&self, mut waiting: Vec<(Arc<QueueCell>, ConsumerKey)>) {
        if waiting.is_empty() {
            return;
        }
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.append(&mut output.starved);
        output.starved = waiting;
        self.has_starved.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
    }

    /// True when there is room again for consumers that were held back.
    pub(crate) fn can_resume(&self) -> bool {
        fence(Ordering::SeqCst);
        self.has_starved.load(Ordering::SeqCst) && self.is_low()
    }

    /// Writes what is pending, as far as the peer takes it. Any reactor may call this.
    pub fn flush(&self) -> Flushed {
        self.touched.store(false, Ordering::Release);
        loop {
            let mut writer = match self.writer.try_lock() {
                Ok(writer) => writer,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                // Whoever holds it looks at `pending` once more after letting go, and tries again if it was told that the
                // peer takes no more: this may be the one word that it does.
                Err(TryLockError::WouldBlock) => {
                    self.missed.store(true, Ordering::SeqCst);
                    fence(Ordering::SeqCst);
                    match self.writer.try_lock() {
                        Ok(writer) => writer,
                        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                        Err(TryLockError::WouldBlock) => return Flushed::Done,
                    }
                }
            };
            let flushed = self.write_all(&mut writer);
            #[cfg(test)]
            tests::interleave();
            drop(writer);
            // Pairs with the fence of `OutputGuard`: either we see its bytes here, or its try_lock above succeeds.
            fence(Ordering::SeqCst);
            let missed = self.missed.swap(false, Ordering::SeqCst);
            let is_over = match flushed {
                Flushed::Done => self.pending() == 0,
                Flushed::Blocked => !missed,
                Flushed::Broken => true,
            };
            if is_over {
                return flushed;
            }
        }
    }

    fn write_all(&self, writer: &mut Writer) -> Flushed {
        loop {
            if writer.is_done() {
                let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
                if output.batch.is_empty() {
                    writer.finish();
                    return Flushed::Done;
                }
                writer.start(&mut output.batch);
            }
            match writer.write(|parts| self.transport.write(parts)) {
                Ok(0) => return Flushed::Broken,
                Ok(written) => {
                    self.pending.fetch_sub(written, Ordering::AcqRel);
                    self.sent_bytes.fetch_add(written as u64, Ordering::Relaxed);
                    self.sent_writes.fetch_add(1, Ordering::Relaxed);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Flushed::Blocked,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Flushed::Broken,
            }
        }
    }
}

/// A locked output. What was appended counts as pending when the guard goes.
pub(crate) struct OutputGuard<'a> {
    link: &'a Link,
    output: MutexGuard<'a, Output>,
    before: usize,
}

impl std::ops::Deref for OutputGuard<'_> {
    type Target = Output;

    fn deref(&self) -> &Output {
        &self.output
    }
}

impl std::ops::DerefMut for OutputGuard<'_> {
    fn deref_mut(&mut self) -> &mut Output {
        &mut self.output
    }
}

impl Drop for OutputGuard<'_> {
    fn drop(&mut self) {
        let appended = self.output.batch.len() - self.before;
        if appended > 0 {
            self.link.pending.fetch_add(appended, Ordering::AcqRel);
            fence(Ordering::SeqCst);
        }
    }
}
