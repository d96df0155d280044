//! Work that takes long, away from the reactors.

/// A piece of work.
pub type Job = Box<dyn FnOnce() + Send>;

/// Threads for what must not be done on a reactor: hashing passwords, and asking others about users.
pub trait Workers: Send + Sync {
    /// Has a job done soon; false where so many wait that it is refused.
    fn submit(&self, job: Job) -> bool;
}

/// Does everything at once, for a broker without threads.
pub(crate) struct Inline;

impl Workers for Inline {
    fn submit(&self, job: Job) -> bool {
        job();
        true
    }
}
