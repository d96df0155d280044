//! Descriptors: connections must leave some to the files that messages are kept in.

use rustix::process::{Resource, getrlimit, setrlimit};
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// Descriptors that clients never get: the message store opens files when it needs them and cannot go on without, and
/// operators have to get in when clients do not.
const RESERVED: u64 = 64;

/// Has the process open as many files as it may without being asked for more rights.
///
/// # Errors
///
/// What the system says.
pub fn raise_descriptor_limit() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, ..limit };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

/// The number that descriptors of the process stay below.
pub(crate) fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Below which number descriptors of clients are; looked up now, since operators change it while a process runs.
pub(crate) struct Room(u64);

impl Room {
    pub(crate) fn now() -> Room {
        Room(below(limit()))
    }

    /// Whether a connection that has just been accepted may stay. A new descriptor has the lowest number that is free, so
    /// its number tells how many there are.
    pub(crate) fn is_enough_for(&self, connection: &impl AsRawFd) -> bool {
        is_below(connection.as_raw_fd(), self.0)
    }
}

fn is_below(descriptor: RawFd, bound: u64) -> bool {
    u64::try_from(descriptor).is_ok_and(|number| number < bound)
}

/// Where the limit is tiny, clients still get half of it.
fn below(limit: u64) -> u64 {
    limit.saturating_sub(RESERVED).max(limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_left() {
        assert_eq!((below(65_536), below(1024), below(100), below(u64::MAX)), (65_472, 960, 50, u64::MAX - 64));
        assert!(is_below(959, below(1024)) && !is_below(960, below(1024)) && !is_below(-1, 5));
    }
}
