//! The real disk: a directory of the file system.

use super::{Disk, DiskFile, DiskIo, Space};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A directory on disk.
pub struct SystemDisk {
    directory: PathBuf,
    /// Kept open: making names durable must not need a descriptor when there are none left.
    names: File,
    counts: Arc<Counts>,
}

impl SystemDisk {
    /// Opens `directory`, creating it if need be.
    pub fn open(directory: &Path) -> io::Result<SystemDisk> {
        DirBuilder::new().recursive(true).mode(0o750).create(directory)?;
        // A directory that was just created must still be there after a power cut, with what is synced in it.
        if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(SystemDisk { directory: directory.to_owned(), names: File::open(directory)?, counts: Arc::default() })
    }

    fn path(&self, name: &str) -> PathBuf {
        debug_assert!(!name.contains('/'), "the directory is flat");
        self.directory.join(name)
    }
}

impl Disk for SystemDisk {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o640).open(self.path(name))?;
        Ok(Arc::new(SystemFile { file, counts: self.counts.clone() }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.path(name))?;
        Ok(Arc::new(SystemFile { file, counts: self.counts.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            // A name that is not UTF-8 is none of ours, and folders neither.
            if let Ok(name) = entry.file_name().into_string()
                && entry.file_type()?.is_file()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.names.sync_all()
    }

    fn space(&self) -> io::Result<Space> {
        let found = rustix::fs::statvfs(&self.directory)?;
        Ok(Space { total_bytes: found.f_blocks * found.f_frsize, free_bytes: found.f_bavail * found.f_frsize })
    }

    fn io(&self) -> DiskIo {
        let Counts { reads, writes, syncs } = &*self.counts;
        let ((reads, read_bytes, read_us), (writes, written_bytes, write_us)) = (reads.values(), writes.values());
        let (syncs, _, sync_us) = syncs.values();
        DiskIo { reads, read_bytes, read_us, writes, written_bytes, write_us, syncs, sync_us }
    }
}

/// What all files of a disk count together: next to a system call it costs nothing.
#[derive(Default)]
struct Counts {
    reads: Calls,
    writes: Calls,
    syncs: Calls,
}

#[derive(Default)]
struct Calls {
    count: AtomicU64,
    bytes: AtomicU64,
    us: AtomicU64,
}

impl Calls {
    fn note(&self, bytes: usize, begun: Instant) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.us.fetch_add(us, Ordering::Relaxed);
    }

    fn values(&self) -> (u64, u64, u64) {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (value(&self.count), value(&self.bytes), value(&self.us))
    }
}

struct SystemFile {
    file: File,
    counts: Arc<Counts>,
}

impl DiskFile for SystemFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let begun = Instant::now();
        let count = self.file.read_at(buffer, offset)?;
        self.counts.reads.note(count, begun);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let begun = Instant::now();
        self.file.write_all_at(bytes, offset)?;
        self.counts.writes.note(bytes.len(), begun);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        // The standard library uses F_FULLFSYNC on macOS.
        let begun = Instant::now();
        self.file.sync_data()?;
        self.counts.syncs.note(0, begun);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}
