//! Threads that check logins and ask backends, so that no reactor waits for a hash or for the network.

use broker::{Job, Work, Workers};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError};
use tracing::error;

/// Jobs that may wait; further ones are refused. Each is a connection that waits, and the handshake timeout would end
/// most of those that come behind so many.
const QUEUE: usize = 4096;

/// Threads that hash, and others that ask, so that those who wait for an answer keep nobody waiting who needs none.
pub struct WorkerThreads {
    hashing: Pool,
    asking: Pool,
}

/// A few threads with one bounded queue.
struct Pool {
    name: &'static str,
    queue: SyncSender<Job>,
    jobs: Arc<Mutex<Receiver<Job>>>,
    threads: Mutex<usize>,
}

impl WorkerThreads {
    /// Starts as many threads of each kind, which end when this is dropped and their work is done.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(hashing: usize, asking: usize) -> io::Result<Arc<WorkerThreads>> {
        let workers = WorkerThreads { hashing: Pool::new("login"), asking: Pool::new("login-ask") };
        workers.hashing.grow(hashing.max(1))?;
        workers.asking.grow(asking.max(1))?;
        Ok(Arc::new(workers))
    }

    /// Starts as many as are missing to `asking` threads that ask; there are never fewer again.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn grow(&self, asking: usize) -> io::Result<()> {
        self.asking.grow(asking)
    }
}

impl Pool {
    fn new(name: &'static str) -> Pool {
        let (queue, jobs) = sync_channel(QUEUE);
        Pool { name, queue, jobs: Arc::new(Mutex::new(jobs)), threads: Mutex::new(0) }
    }

    fn grow(&self, threads: usize) -> io::Result<()> {
        let mut running = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        while *running < threads {
            let (jobs, name) = (self.jobs.clone(), self.name);
            std::thread::Builder::new().name(format!("{name}-{running}")).spawn(move || work(&jobs))?;
            *running += 1;
        }
        Ok(())
    }
}

impl Workers for WorkerThreads {
    fn submit(&self, work: Work, job: Job) -> bool {
        let pool = match work {
            Work::Hashing => &self.hashing,
            Work::Asking => &self.asking,
        };
        match pool.queue.try_send(job) {
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
        let workers = WorkerThreads::start(1, 1).unwrap();
        let (go, wait) = channel::<()>();
        let (done, results) = channel();
        assert!(workers.submit(Work::Hashing, Box::new(move || while wait.recv().is_ok() {})));
        // One may already be with the thread.
        let mut taken = 0;
        while taken <= QUEUE + 1 {
            let done = done.clone();
            if !workers.submit(Work::Hashing, Box::new(move || done.send(()).unwrap())) {
                break;
            }
            taken += 1;
        }
        assert!((QUEUE - 1..=QUEUE).contains(&taken), "{taken}");
        let (asked, answer) = channel();
        assert!(workers.submit(Work::Asking, Box::new(move || asked.send(()).unwrap())));
        assert_eq!(answer.recv(), Ok(()), "the others do not wait for it");
        drop(go);
        drop(done);
        assert_eq!(results.iter().count(), taken);
        drop(workers);
    }

    #[test]
    fn a_panic_ends_one_job() {
        let workers = WorkerThreads::start(1, 1).unwrap();
        let (done, results) = channel();
        assert!(workers.submit(Work::Hashing, Box::new(|| panic!("of the test"))));
        assert!(workers.submit(Work::Hashing, Box::new(move || done.send(7).unwrap())));
        assert_eq!(results.recv(), Ok(7));
    }
}
