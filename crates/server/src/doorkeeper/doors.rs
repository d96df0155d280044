//! How others tell the doorkeeper to close and to open.

use crate::listener::ListenError;
use broker::ClientListeners;
use mio::Waker;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use tracing::error;

/// What the thread is told.
pub(super) enum Command {
    Suspend(Sender<()>),
    Resume(Sender<Result<(), ListenError>>),
    Stop,
}

/// The listeners of a running broker, for operators.
#[derive(Clone)]
pub struct Doors {
    commands: Arc<Mutex<Sender<Command>>>,
    waker: Arc<Waker>,
    is_suspended: Arc<AtomicBool>,
}

impl Doors {
    /// Those of the thread that receives `commands` and that `waker` wakes.
    pub(super) fn new(commands: Sender<Command>, waker: Arc<Waker>, is_suspended: Arc<AtomicBool>) -> Doors {
        Doors { commands: Arc::new(Mutex::new(commands)), waker, is_suspended }
    }

    /// Closes the listeners; connections stay. Returns when that is done.
    pub fn suspend(&self) {
        let (done, told) = channel();
        self.send(Command::Suspend(done));
        let _ = told.recv();
    }

    /// Opens them again, all or none. Returns when clients can connect, or why they cannot.
    pub fn resume(&self) -> Result<(), ListenError> {
        let (done, told) = channel();
        self.send(Command::Resume(done));
        // Without an answer the broker stops, and there is nothing to resume.
        told.recv().unwrap_or(Ok(()))
    }

    /// True between the two.
    pub fn is_suspended(&self) -> bool {
        self.is_suspended.load(Ordering::Acquire)
    }

    pub(super) fn send(&self, command: Command) {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        if commands.send(command).is_ok()
            && let Err(error) = self.waker.wake()
        {
            error!("cannot wake the doorkeeper: {error}");
        }
    }
}

impl ClientListeners for Doors {
    fn suspend(&self) {
        Doors::suspend(self);
    }

    fn resume(&self) -> Result<(), String> {
        Doors::resume(self).map_err(|error| error.to_string())
    }
}
