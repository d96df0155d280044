//! Threads that check logins and ask backends, so that no reactor waits for a hash or for the network.

use broker::{Job, Workers};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError};
use tracing::error;

/// Jobs that may wait; further ones are refused. Each is a connection that waits, and the handshake timeout would end
/// most of those that come behind so many.
const QUEUE: usize = 4096;

/// A few threads with one bounded queue.
pub struct WorkerThreads {
    queue: SyncSender<Job>,
    jobs: Arc<Mutex<Receiver<Job>>>,
    threads: Mutex<usize>,
}

impl WorkerThreads {
    /// Starts `threads` threads, which end when this is dropped and their work is done.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(threads: usize) -> io::Result<Arc<WorkerThreads>> {
        let (queue, jobs) = sync_channel(QUEUE);
        let workers = WorkerThreads { queue, jobs: Arc::new(Mutex::new(jobs)), threads: Mutex::new(0) };
        workers.grow(threads.max(1))?;
        Ok(Arc::new(workers))
    }

    /// Starts as many as are missing to `threads`; there are never fewer again.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn grow(&self, threads: usize) -> io::Result<()> {
        let mut running = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        while *running < threads {
            let jobs = self.jobs.clone();
            std::thread::Builder::new().name(format!("login-{running}")).spawn(move || work(&jobs))?;
            *running += 1;
        }
        Ok(())
    }
}

impl Workers for WorkerThreads {
    fn submit(&self, job: Job) -> bool {
        match self.queue.try_send(job) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // What goes wrong with one login must not take the thread of all others.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            error!("a job of the login threads ended with a panic");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn work_is_done_in_turn_and_refused_when_too_much_waits() {
        let workers = WorkerThreads::start(1).unwrap();
        let (go, wait) = channel::<()>();
        let (done, results) = channel();
        assert!(workers.submit(Box::new(move || while wait.recv().is_ok() {})));
        // One may already be with the thread.
        let mut taken = 0;
        while taken <= QUEUE + 1 {
            let done = done.clone();
            if !workers.submit(Box::new(move || done.send(()).unwrap())) {
                break;
            }
            taken += 1;
        }
        assert!((QUEUE - 1..=QUEUE).contains(&taken), "{taken}");
        drop(go);
        drop(done);
        assert_eq!(results.iter().count(), taken);
        drop(workers);
    }

    #[test]
    fn a_panic_ends_one_job() {
        let workers = WorkerThreads::start(1).unwrap();
        let (done, results) = channel();
        assert!(workers.submit(Box::new(|| panic!("of the test"))));
        assert!(workers.submit(Box::new(move || done.send(7).unwrap())));
        assert_eq!(results.recv(), Ok(7));
    }
}
