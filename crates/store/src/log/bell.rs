//! How the log thread sleeps and is woken: as seldom as possible, because waking it costs an appender 7 us.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

/// The thread works, and looks for more before it sleeps.
const AWAKE: u8 = 0;
/// It sleeps for some milliseconds, after which it writes anyway: only what is urgent wakes it.
const NAPPING: u8 = 1;
/// It sleeps with nothing to do: anything wakes it.
const IDLE: u8 = 2;

/// What the log thread waits for.
#[derive(Default)]
pub(super) struct Bell {
    mode: AtomicU8,
    asked: AtomicBool,
    closed: AtomicBool,
    thread: OnceLock<Thread>,
    rung: AtomicU64,
}

impl Bell {
    /// From now on this thread is the one to wake.
    pub(super) fn adopt(&self) {
        // Set once: there is one writer per log, and `run` consumes it.
        let _ = self.thread.set(thread::current());
    }

    /// Somebody appended.
    #[inline]
    pub(super) fn appended(&self) {
        // The staging lock orders this after the thread's own last look, if that did not see what was appended.
        if self.mode.load(Ordering::SeqCst) == IDLE
            && self.mode.compare_exchange(IDLE, AWAKE, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        {
            self.ring();
        }
    }

    /// Somebody waits for what was appended.
    #[inline]
    pub(super) fn ask(&self) {
        // Who finds it set has appended before the thread takes what is staged: it takes back the question first.
        if !self.asked.load(Ordering::SeqCst) && !self.asked.swap(true, Ordering::SeqCst) {
            self.wake();
        }
    }

    /// The log is to end.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Wakes the thread, if it sleeps.
    fn wake(&self) {
        if self.mode.swap(AWAKE, Ordering::SeqCst) != AWAKE {
            self.ring();
        }
    }

    #[cold]
    fn ring(&self) {
        self.rung.fetch_add(1, Ordering::Relaxed);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Takes back the question; what was appended before it was asked is staged by now.
    pub(super) fn take_asked(&self) -> bool {
        self.asked.swap(false, Ordering::SeqCst)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// How often the thread was woken.
    #[cfg(test)]
    pub(super) fn rung(&self) -> u64 {
        self.rung.load(Ordering::Relaxed)
    }

    /// Sleeps for some milliseconds unless something is urgent.
    pub(super) fn nap(&self, timeout: Duration) {
        self.sleep(NAPPING, Some(timeout), || false);
    }

    /// Sleeps until anything happens, or for this long. `is_busy` looks for what was appended meanwhile.
    pub(super) fn idle(&self, timeout: Option<Duration>, is_busy: impl FnOnce() -> bool) {
        self.sleep(IDLE, timeout, is_busy);
    }

    fn sleep(&self, mode: u8, timeout: Option<Duration>, is_busy: impl FnOnce() -> bool) {
        // Sequentially consistent against `ask`: either this sees the question, or `ask` sees the mode.
        self.mode.store(mode, Ordering::SeqCst);
        if !self.asked.load(Ordering::SeqCst) && !self.closed.load(Ordering::SeqCst) && !is_busy() {
            match timeout {
                Some(timeout) => thread::park_timeout(timeout),
                None => thread::park(),
            }
        }
        self.mode.store(AWAKE, Ordering::SeqCst);
    }
}
