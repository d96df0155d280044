//! The driver: reactors, listeners and timers around the engine.
//!
//! One thread per reactor, each with its own poll and its own shard of the engine. A connection stays with the reactor
//! that was given it. Nothing here knows AMQP.

mod disk;
mod listener;
mod memory;
mod reactor;
mod socket;
mod storage;
mod workers;

pub use disk::{DiskMonitor, FreeLimit};
pub use listener::{ListenError, Listeners, SocketOptions};
pub use memory::{MemoryMonitor, Watermark, total_memory};
pub use reactor::{Reactors, StartError};
pub use storage::StorageThreads;
pub use workers::WorkerThreads;
