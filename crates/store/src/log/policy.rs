//! When the log thread writes, syncs and sleeps. Pure, so that it can be tested without threads.

use super::Sync;
use std::time::{Duration, Instant};

/// What nobody waits for is written after this: it then survives the process.
const WRITE_WITHIN: Duration = Duration::from_millis(5);
/// And synced after this, or when there is [`SYNC_BYTES`] of it.
const SYNC_WITHIN: Duration = Duration::from_millis(50);
const SYNC_BYTES: u64 = 1 << 20;
/// How often a log without room looks again, if nobody says that there is some.
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// Memory is given back after so long without anything to do.
const TRIM_AFTER: Duration = Duration::from_secs(2);

/// How to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// For this long; only what is urgent wakes.
    Nap(Duration),
    /// Until something happens, or for this long.
    Idle(Option<Duration>),
    /// Until something happens; it has been quiet for a while.
    TrimAndIdle,
}

/// Deadlines.
pub(super) struct Policy {
    sync: Sync,
    staged_since: Option<Instant>,
    unsynced_since: Option<Instant>,
    quiet_since: Option<Instant>,
    trimmed: bool,
}

impl Policy {
    pub(super) fn new(sync: Sync) -> Policy {
        Policy { sync, staged_since: None, unsynced_since: None, quiet_since: None, trimmed: false }
    }

    /// Whether to write what is staged; whoever asks does it.
    pub(super) fn write_is_due(&mut self, now: Instant, asked: bool, staged: bool) -> bool {
        let due = staged && (asked || now >= *self.staged_since.get_or_insert(now) + WRITE_WITHIN);
        if due || !staged {
            self.staged_since = None;
        }
        if due {
            self.unsynced_since.get_or_insert(now);
            self.quiet_since = None;
        }
        due
    }

    /// Whether to sync what is written; whoever asks does it.
    pub(super) fn sync_is_due(&mut self, now: Instant, asked: bool, unsynced_bytes: u64) -> bool {
        let due = match self.sync {
            Sync::Always => asked || unsynced_bytes >= SYNC_BYTES || self.is_old(now, SYNC_WITHIN),
            Sync::Interval(interval) => self.is_old(now, interval),
            Sync::Never => false,
        };
        if due {
            self.unsynced_since = None;
            self.quiet_since = None;
        }
        due
    }

    /// How to wait after that was done.
    pub(super) fn rest(&mut self, now: Instant, staged: bool, unsynced: bool, stalled: bool) -> Rest {
        let sync_at = self.sync_at().filter(|_| unsynced);
        if staged || sync_at.is_some() || self.quiet_since.is_none() {
            (self.quiet_since, self.trimmed) = (Some(now), false);
        }
        if stalled {
            return Rest::Nap(RETRY_AFTER);
        }
        if staged {
            // Something was appended meanwhile, or the nap is not over.
            let until = *self.staged_since.get_or_insert(now) + WRITE_WITHIN;
            let until = sync_at.map_or(until, |sync_at| until.min(sync_at));
            return Rest::Nap(until.saturating_duration_since(now));
        }
        match sync_at {
            Some(sync_at) => Rest::Idle(Some(sync_at.saturating_duration_since(now))),
            None if self.trimmed => Rest::Idle(None),
            None if self.quiet_since.is_some_and(|since| now >= since + TRIM_AFTER) => {
                self.trimmed = true;
                Rest::TrimAndIdle
            }
            None => Rest::Idle(Some(TRIM_AFTER)),
        }
    }

    fn is_old(&self, now: Instant, age: Duration) -> bool {
        self.unsynced_since.is_some_and(|since| now >= since + age)
    }

    fn sync_at(&self) -> Option<Instant> {
        let age = match self.sync {
            Sync::Always => SYNC_WITHIN,
            Sync::Interval(interval) => interval,
            Sync::Never => return None,
        };
        self.unsynced_since.map(|since| since + age)
    }
}
