//! The driver: reactors, listeners and timers around the engine.
//!
//! One thread per reactor, each with its own poll and its own shard of the engine. A connection stays with the reactor
//! that was given it. What comes before the bytes of AMQP, the PROXY protocol and the handshake of TLS, is the business of
//! one more thread, the doorkeeper. Nothing here knows AMQP.

mod descriptors;
mod disk;
mod distributor;
mod doorkeeper;
mod listener;
mod memory;
mod proxy;
mod reactor;
mod socket;
mod storage;
mod tls_socket;
mod workers;

pub use descriptors::raise_descriptor_limit;
pub use disk::{DiskMonitor, FreeLimit};
pub use doorkeeper::{Doors, EntranceSettings, TlsEntrance};
pub use listener::{ListenError, Listeners, SocketOptions};
pub use memory::{MemoryMonitor, Watermark, total_memory};
pub use reactor::{Reactors, StartError};
pub use storage::StorageThreads;
pub use workers::WorkerThreads;
