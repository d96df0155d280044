//! The audit log: every administrative change as a line of JSON, who made it, from where, when and with what outcome.
//!
//! Lines are written by a thread of their own. Those that it cannot keep up with are dropped and counted, and the log
//! itself says so.

mod describe;
mod files;

use crate::caller::{Caller, Origin};
use files::Files;
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::error;

/// Of what is longer only the name is told.
const LONGEST: usize = 256 << 10;
/// Lines that wait to be written.
const WAITING: usize = 1024;

/// Where changes are logged, and how much of them is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    /// Whether they are logged at all.
    pub is_enabled: bool,
    /// Size above which a new file is begun, in bytes.
    pub file_size_bytes: u64,
    /// Files that are kept, the current one among them.
    pub files: usize,
}

impl Default for AuditSettings {
    /// No log.
    fn default() -> AuditSettings {
        AuditSettings { is_enabled: false, file_size_bytes: 10 << 20, files: 5 }
    }
}

/// The log, to which any thread adds lines.
pub(crate) struct Audit {
    directory: PathBuf,
    settings: AuditSettings,
    /// None when there is no log, or no longer.
    writer: Mutex<Option<Writer>>,
    dropped: Arc<AtomicU64>,
}

struct Writer {
    lines: SyncSender<Vec<u8>>,
    thread: JoinHandle<()>,
}

/// A page of the log.
pub(crate) struct Lines {
    /// The newest one first.
    pub(crate) entries: Vec<Value>,
    pub(crate) are_more: bool,
}

impl Audit {
    /// Opens the log in `directory`.
    pub(crate) fn start(directory: PathBuf, settings: AuditSettings) -> io::Result<Audit> {
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = if settings.is_enabled {
            let (lines, received) = sync_channel(WAITING);
            let files = Files::new(directory.clone(), settings.file_size_bytes, settings.files);
            let dropped = dropped.clone();
            let thread = std::thread::Builder::new().name("audit".to_owned());
            Some(Writer { lines, thread: thread.spawn(move || write(&received, files, &dropped))? })
        } else {
            None
        };
        Ok(Audit { directory, settings, writer: Mutex::new(writer), dropped })
    }

    /// Writes what waits and ends the log.
    pub(crate) fn stop(&self) {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Writer { lines, thread }) = writer {
            drop(lines);
            let _ = thread.join();
        }
    }

    /// Lines that were lost since the start, because they could not be written or not soon enough.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Logs a change by what `{:?}` says of it.
    pub(crate) fn command(&self, caller: Option<&Caller>, debug: &str, failure: Option<&str>) {
        if self.settings.is_enabled {
            let (name, arguments) = describe::describe(debug.get(..LONGEST).unwrap_or(debug));
            self.add(caller, &name, arguments, failure);
        }
    }

    /// Logs a change that is no command.
    pub(crate) fn change(&self, caller: Option<&Caller>, name: &str, mut arguments: Value, failure: Option<&str>) {
        if self.settings.is_enabled {
            describe::hide(&mut arguments);
            self.add(caller, name, arguments, failure);
        }
    }

    fn add(&self, caller: Option<&Caller>, name: &str, arguments: Value, failure: Option<&str>) {
        // Without a caller it is the broker itself, such as when it starts.
        let origin = caller.map(|caller| match caller.origin {
            Origin::Socket => "socket".to_owned(),
            Origin::Network(peer) => peer.to_string(),
        });
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = json!({
            "time": rfc3339(since.as_secs(), since.subsec_millis()),
            "user": caller.map(|caller| &*caller.name),
            "origin": origin,
            "command": name,
            "arguments": arguments,
            "outcome": if failure.is_some() { "refused" } else { "done" },
            "reason": failure,
        });
        let line = format!("{line}\n").into_bytes();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let is_taken = writer.as_ref().is_some_and(|writer| writer.lines.try_send(line).is_ok());
        if !is_taken {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The newest lines without `skip` of them, `most` at most. Reads files, so not on the thread that serves.
    pub(crate) fn newest(&self, skip: usize, most: usize) -> io::Result<Lines> {
        let (lines, are_more) = files::newest(&self.directory, self.settings.files, skip, most)?;
        // What a crash left of a line is no JSON, and shown as the text that it is.
        let entries =
            lines.into_iter().map(|line| serde_json::from_str(&line).unwrap_or(Value::String(line))).collect();
        Ok(Lines { entries, are_more })
    }
}

fn write(lines: &Receiver<Vec<u8>>, mut files: Files, dropped: &AtomicU64) {
    let mut told = 0;
    let mut is_failing = false;
    for line in lines {
        let lost = dropped.load(Ordering::Relaxed);
        let gap = if lost > told { format!("{}\n", json!({ "dropped": lost - told })) } else { String::new() };
        match files.append(&[gap.as_bytes(), &line].concat()) {
            Ok(()) => (told, is_failing) = (lost, false),
            Err(error) => {
                dropped.fetch_add(1, Ordering::Relaxed);
                if !is_failing {
                    error!("the audit log cannot be written: {error}");
                }
                is_failing = true;
            }
        }
    }
}

/// A time as `2026-01-31T23:59:59.999Z`, from seconds since 1970.
fn rfc3339(seconds: u64, milliseconds: u32) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Counted from the first of March of the year 0, so that a leap day is the last of its year.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = 400 * era + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.007Z"),
            (951_782_399, "2000-02-28T23:59:59.007Z"),
            (951_782_400, "2000-02-29T00:00:00.007Z"),
            (1_772_323_200, "2026-03-01T00:00:00.007Z"),
            (4_107_542_399, "2100-02-28T23:59:59.007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.007Z"),
        ] {
            assert_eq!(rfc3339(seconds, 7), text);
        }
    }

    fn audit(directory: &std::path::Path) -> Audit {
        Audit::start(directory.to_owned(), AuditSettings { is_enabled: true, ..AuditSettings::default() }).unwrap()
    }

    #[test]
    fn what_waits_is_written_before_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let log = audit(directory.path());
        for number in 0..100 {
            log.change(Some(&Caller::operator()), "try", json!({ "number": number, "password": "x" }), None);
        }
        log.stop();
        assert_eq!(log.dropped(), 0);
        let lines = log.newest(0, 200).unwrap();
        assert_eq!(lines.entries.len(), 100);
        let newest = &lines.entries[0];
        assert_eq!(newest["arguments"], json!({ "number": 99, "password": "[hidden]" }));
        assert_eq!(
            (&newest["origin"], &newest["user"], &newest["outcome"]),
            (&json!("socket"), &json!(""), &json!("done"))
        );
    }

    #[test]
    fn what_is_lost_is_counted() {
        let directory = tempfile::tempdir().unwrap();
        // Nothing can be written where a directory has the name of the file.
        let obstacle = directory.path().join("audit.log");
        std::fs::create_dir(&obstacle).unwrap();
        let log = audit(directory.path());
        log.change(Some(&Caller::operator()), "lost", json!({}), None);
        while log.dropped() == 0 {
            std::thread::yield_now();
        }
        std::fs::remove_dir(&obstacle).unwrap();
        log.change(Some(&Caller::operator()), "kept", json!({}), Some("why not"));
        log.stop();
        let lines = log.newest(0, 10).unwrap().entries;
        assert_eq!((&lines[0]["command"], &lines[0]["reason"]), (&json!("kept"), &json!("why not")));
        assert_eq!(lines[1], json!({ "dropped": 1 }));
        log.change(Some(&Caller::operator()), "late", json!({}), None);
        assert_eq!(log.dropped(), 2);
    }
}
