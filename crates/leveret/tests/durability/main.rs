//! What survives: the running binary, ended in every way, started again and looked into.
//!
//! The tests that run by default take seconds. The long ones are run with
//! `cargo test -p leveret --test durability -- --ignored`, and the environment changes them:
//!
//! - `LEVERET_ROUNDS=N`: how often the broker is ended;
//! - `LEVERET_SEED=N`: when it is ended; a failure prints the seed, though threads and disks do not repeat themselves;
//! - `LEVERET_KEEP_DATA=1`: a failed test keeps the data directory and says where it is;
//! - `LEVERET_BIN`: another binary than the one just built.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod backup;
mod confirms;
mod content;
mod delayed;
mod descriptors;
mod features;
mod full_disk;
mod kill;
mod load;
mod missing;
mod oracle;
mod power_cut;
mod removal;
mod rounds;
mod settlement;
mod support;
mod survival;
mod transactions;
