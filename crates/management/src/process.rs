//! What the operating system knows of this process, for `/api/nodes`.

use std::fs;

/// Figures of the process; zeros where the system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Process {
    /// Open file descriptors, sockets among them, and how many there may be.
    pub(crate) descriptors: u64,
    pub(crate) descriptor_limit: u64,
    /// Threads.
    pub(crate) threads: u64,
    /// Resident memory in bytes.
    pub(crate) resident_bytes: u64,
    /// Times that a thread gave the processor up or lost it.
    pub(crate) context_switches: u64,
    /// Bytes read from disks and written to them, and the calls that asked for it.
    pub(crate) read_bytes: u64,
    pub(crate) written_bytes: u64,
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

impl Process {
    /// Reads them.
    pub(crate) fn read() -> Process {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
        Process {
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
            descriptor_limit: descriptor_limit(),
            threads: value(&status, "Threads"),
            resident_bytes: value(&status, "VmRSS") * 1024,
            context_switches: value(&status, "voluntary_ctxt_switches") + value(&status, "nonvoluntary_ctxt_switches"),
            read_bytes: value(&io, "read_bytes"),
            written_bytes: value(&io, "write_bytes"),
            reads: value(&io, "syscr"),
            writes: value(&io, "syscw"),
        }
    }
}

pub(crate) fn descriptor_limit() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(1 << 20)
}

/// The number behind `name:`.
fn value(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells() {
        let process = Process::read();
        assert!(process.descriptors >= 3 && process.descriptors <= process.descriptor_limit, "{process:?}");
        assert!(process.threads >= 1 && process.resident_bytes > 1 << 16, "{process:?}");
    }

    #[test]
    fn values_are_found_by_their_whole_name() {
        let text = "VmRSSx:\t1 kB\nVmRSS:\t  12 kB\n";
        assert_eq!(value(text, "VmRSS"), 12);
        assert_eq!(value(text, "Vm"), 0);
    }
}
