//! The queue as a pure state machine: ready messages, consumers and their credit.
//!
//! A [`Queue`] decides which message goes to which consumer and keeps what nobody can take yet. It does no I/O, reads
//! no clock, takes no locks and allocates nothing per message in the steady state. What has been delivered and not yet
//! acknowledged is held by whoever delivered it (the channel); the queue counts it and takes it back.
//!
//! The order of a queue is that of its priorities, highest first, and within one that of its sequence numbers. A message
//! that comes back is put at its original position. [`Rules`] say what expires and how long the queue may become.

mod consumers;
mod entry;
mod expiry;
mod levels;
mod on_disk;
mod peek;
mod queue;
mod rules;
mod storage;
#[cfg(test)]
mod tests;
mod zone;

pub use consumers::{Activity, ActivityWatch, ConsumerKey, Consumers, Gate};
pub use entry::{Counts, Entry, Figures};
pub use peek::Peek;
pub use queue::{Queue, UNLIMITED};
pub use rules::{NEVER, Rules};
pub use storage::{Forgotten, Storage, Wants};
