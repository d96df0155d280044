//! Threads that must not be noticed by those that carry messages.

use tracing::debug;

/// How much the scheduler prefers other threads: about a tenth of a processor is left where they want all of it.
const NICENESS: i32 = 10;

/// Lowers the priority of the thread that calls it.
///
/// On Linux each thread has a niceness of its own, and `setpriority` with the process 0 means the caller alone, whatever
/// POSIX says. Elsewhere it would mean the whole process, so nothing is done there.
pub(crate) fn lower_priority() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        debug!("the administrative surface has the priority of everything else: {error}");
    }
    #[cfg(not(target_os = "linux"))]
    debug!("the administrative surface has the priority of everything else, not niceness {NICENESS}");
}
