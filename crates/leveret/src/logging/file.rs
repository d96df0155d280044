//! A log file, and beginning a new one.

use super::date::{last_rotation, seconds};
use anyhow::{Context, Result};
use config::{LogPlace, LogRotation};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Nobody else reads names of users and queues.
const MODE: u32 = 0o640;

/// How often it is looked whether the file is still where it was.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// An open log file.
pub(super) struct LogFile {
    path: PathBuf,
    rotation: LogRotation,
    file: BufWriter<File>,
    bytes: u64,
    /// Seconds since 1970: the rotation by date that the file is of.
    period: i64,
    looked: Instant,
}

impl LogFile {
    /// Opens the file, and makes its directory where there is none.
    pub(super) fn open(place: &LogPlace, node: &str, rotation: &LogRotation) -> Result<LogFile> {
        let path = path(place, node);
        let failed = || format!("cannot open the log file {}", path.display());
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).with_context(failed)?;
        }
        // Before it is opened: a file that is from before the last rotation by date is due.
        let modified =
            fs::metadata(&path).and_then(|metadata| metadata.modified()).unwrap_or_else(|_| SystemTime::now());
        let file = append_to(&path).with_context(failed)?;
        let bytes = file.metadata().with_context(failed)?.len();
        let period = rotation.date.map_or(0, |date| last_rotation(date, seconds(modified)));
        let rotation = rotation.clone();
        Ok(LogFile { path, rotation, file: BufWriter::new(file), bytes, period, looked: Instant::now() })
    }

    /// Writes lines of a record.
    pub(super) fn write(&mut self, lines: &str, time: SystemTime) -> io::Result<()> {
        self.look()?;
        if self.is_due(time, lines.len()) {
            self.rotate(time)?;
        }
        self.bytes += lines.len() as u64;
        self.file.write_all(lines.as_bytes())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }

    /// Begins a new file, and keeps as many older ones as are wanted; with none the file is opened anew, as after a tool has
    /// moved it.
    pub(super) fn rotate(&mut self, time: SystemTime) -> io::Result<()> {
        self.file.flush()?;
        if self.is_in_place() {
            self.move_older()?;
        }
        self.reopen()?;
        self.period = self.rotation.date.map_or(0, |date| last_rotation(date, seconds(time)));
        Ok(())
    }

    fn is_due(&self, time: SystemTime, more: usize) -> bool {
        let is_full = self.rotation.size_bytes.is_some_and(|most| self.bytes > 0 && self.bytes + more as u64 > most);
        let is_old = self.rotation.date.is_some_and(|date| last_rotation(date, seconds(time)) > self.period);
        is_full || is_old
    }

    fn older(&self, number: u32) -> PathBuf {
        let suffix = if self.rotation.compress { ".gz" } else { "" };
        PathBuf::from(format!("{}.{number}{suffix}", self.path.display()))
    }

    /// `.0` is the newest of the older ones; without any the file is emptied, as RabbitMQ does.
    fn move_older(&mut self) -> io::Result<()> {
        if self.rotation.count == 0 {
            let due = self.rotation.size_bytes.is_some() || self.rotation.date.is_some();
            return if due { fs::remove_file(&self.path) } else { Ok(()) };
        }
        for number in (1..self.rotation.count).rev() {
            let (from, to) = (self.older(number - 1), self.older(number));
            if from.exists() {
                fs::rename(from, to)?;
            }
        }
        if !self.rotation.compress {
            return fs::rename(&self.path, self.older(0));
        }
        let mut from = File::open(&self.path)?;
        // What is kept as the only older one is replaced.
        let _ = fs::remove_file(self.older(0));
        let mut to = GzEncoder::new(append_to(&self.older(0))?, Compression::default());
        io::copy(&mut from, &mut to)?;
        to.finish()?;
        fs::remove_file(&self.path)
    }

    /// Once in a while: a tool such as logrotate may have moved the file.
    fn look(&mut self) -> io::Result<()> {
        if self.looked.elapsed() < LOOK_INTERVAL {
            return Ok(());
        }
        self.looked = Instant::now();
        if self.is_in_place() { Ok(()) } else { self.reopen() }
    }

    fn is_in_place(&self) -> bool {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let open = self.file.get_ref().metadata().map(identity);
        let there = fs::metadata(&self.path).map(identity);
        matches!((open, there), (Ok(open), Ok(there)) if open == there)
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.file.flush()?;
        let file = append_to(&self.path)?;
        self.bytes = file.metadata()?.len();
        self.file = BufWriter::new(file);
        Ok(())
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(MODE).open(path)
}

/// Where the file is; in a directory it is named after the node.
pub(super) fn path(place: &LogPlace, node: &str) -> PathBuf {
    match place {
        LogPlace::File(path) => path.clone(),
        LogPlace::Directory(directory) => directory.join(format!("{node}.log")),
    }
}
