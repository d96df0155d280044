//! Work that takes long, away from the reactors.

/// A piece of work.
pub type Job = Box<dyn FnOnce() + Send>;

/// What a job spends its time with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Hashing passwords.
    Hashing,
    /// Waiting for somebody outside, who may never answer.
    Asking,
}

/// Threads for what must not be done on a reactor: some that hash passwords, and others that ask about users.
pub trait Workers: Send + Sync {
    /// Has a job done soon; false where so many of its kind wait that it is refused.
    fn submit(&self, work: Work, job: Job) -> bool;
}

/// Does everything at once, for a broker without threads.
pub(crate) struct Inline;

impl Workers for Inline {
    fn submit(&self, _: Work, job: Job) -> bool {
        job();
        true
    }
}
