//! What the system says of this process.

use std::fs;
use std::path::Path;

/// Figures of this process; zeros where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Process {
    /// Resident memory in bytes.
    pub(crate) resident_bytes: u64,
    /// Open file descriptors.
    pub(crate) open_fds: u64,
    /// How many there may be.
    pub(crate) max_fds: u64,
    /// Threads.
    pub(crate) threads: u64,
    /// Times that a thread gave up its processor, willingly or not.
    pub(crate) context_switches: u64,
    /// Reads and writes of files and sockets, and bytes read from and written to disk.
    pub(crate) io: Io,
}

/// What `/proc/self/io` counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Io {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) read_bytes: u64,
    pub(crate) written_bytes: u64,
}

impl Process {
    /// Reads them: some files under `/proc/self`, and one for each thread.
    pub(crate) fn read() -> Process {
        let status = text("/proc/self/status");
        let mut process = Process {
            resident_bytes: number(&status, "VmRSS:") << 10,
            threads: number(&status, "Threads:"),
            open_fds: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
            max_fds: rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX),
            ..Process::default()
        };
        for task in fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let status = text(task.path().join("status"));
            process.context_switches +=
                number(&status, "voluntary_ctxt_switches:") + number(&status, "nonvoluntary_ctxt_switches:");
        }
        let io = text("/proc/self/io");
        process.io = Io {
            reads: number(&io, "syscr:"),
            writes: number(&io, "syscw:"),
            read_bytes: number(&io, "read_bytes:"),
            written_bytes: number(&io, "write_bytes:"),
        };
        process
    }
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The number behind `name` at the beginning of a line.
fn number(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok()).unwrap_or_default()
}

/// Bytes free for those who are not root where `directory` lies.
pub(crate) fn disk_free(directory: &Path) -> u64 {
    rustix::fs::statvfs(directory).map_or(0, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_has_memory_threads_and_files() {
        let process = Process::read();
        assert!(process.resident_bytes > 100_000, "{process:?}");
        assert!(process.threads >= 1 && process.open_fds >= 3 && process.max_fds >= process.open_fds, "{process:?}");
        assert!(process.context_switches > 0, "{process:?}");
        assert!(disk_free(Path::new("/")) > 0);
    }

    #[test]
    fn numbers_are_found_by_the_beginning_of_their_line() {
        let status = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t5\nVmRSS:\t  12 kB\n";
        let find = |name| number(status, name);
        assert_eq!((find("voluntary_ctxt_switches:"), find("VmRSS:"), find("VmHWM:")), (5, 12, 0));
    }
}
