//! What is done beside the traffic, one piece at a time: retiring, compacting, committing, preparing files.
//!
//! Nothing here waits for the log thread. Where a step has to, it asks the log to hurry and is taken up again by the next
//! call; so a test can drive log and maintenance in turn from one thread.

use super::commit::Commit;
use super::retire::Retiring;
use super::{Owners, Store};
use crate::calendar::LogPosition;
use crate::error::StoreError;
use crate::manifest::{Manifest, State};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

/// What the maintenance knows.
pub(super) struct Maintenance {
    pub(super) manifest: Manifest,
    /// As it was last committed.
    pub(super) state: State,
    pub(super) phase: Phase,
    /// The last step found no space; told once.
    pub(super) has_no_space: bool,
    /// The calendar found none; told once.
    pub(super) calendar_has_no_space: bool,
    /// Every queue that the manifest may have rows of, and where the search for deleted ones goes on.
    pub(super) known: std::collections::BTreeSet<u64>,
    pub(super) swept: u64,
}

/// How far a piece of work is that takes several steps.
pub(super) enum Phase {
    Idle,
    /// A segment is to be retired; the log must be written up to a point before it can be copied.
    Retiring(Retiring),
    /// A change is ready for the manifest; the log must be durable up to a point before.
    Committing(Box<Commit>),
}

impl Store {
    pub(super) fn maintenance(&self) -> MutexGuard<'_, Maintenance> {
        self.maintenance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one piece of work; true when there was some. Does not wait for the log: where it would have to, it asks for a
    /// commit and answers false.
    ///
    /// Want of space is no failure: the work is kept, and done when it is called again and there is room. After any
    /// other error the log is fenced.
    ///
    /// # Errors
    /// When a file cannot be read or written. Nothing becomes durable any more then.
    pub fn maintain(&self, owners: &dyn Owners) -> Result<bool, StoreError> {
        if self.log.is_fenced() {
            return Err(StoreError::Fenced);
        }
        let mut maintenance = self.maintenance();
        match self.step(&mut maintenance, owners) {
            Ok(worked) => {
                if worked && std::mem::take(&mut maintenance.has_no_space) {
                    tracing::info!("there is space again for the message store");
                }
                Ok(worked)
            }
            Err(error) if error.is_no_space() => {
                if !std::mem::replace(&mut maintenance.has_no_space, true) {
                    tracing::warn!("{error}: the message store waits for some, publishers too when the log is full");
                }
                Ok(false)
            }
            Err(error) => {
                // What is on disk is not known any more; to go on would be to promise what may not be there.
                self.log.fence();
                Err(error)
            }
        }
    }

    fn step(&self, maintenance: &mut Maintenance, owners: &dyn Owners) -> Result<bool, StoreError> {
        // A spare first: it is what publishers would wait for. On a full disk the rest must go on without.
        let prepared = match self.log.prepare_spare() {
            Ok(prepared) => prepared,
            Err(error) if error.is_no_space() => false,
            Err(error) => return Err(error),
        };
        let worked = match std::mem::replace(&mut maintenance.phase, Phase::Idle) {
            Phase::Idle => self.begin_something(maintenance, owners)?,
            Phase::Retiring(retiring) => self.go_on_retiring(maintenance, retiring, owners)?,
            Phase::Committing(commit) => self.try_commit(maintenance, commit, owners)?,
        };
        let turned = self.turn_calendar(maintenance, owners)?;
        Ok(prepared || worked || turned)
    }

    /// A piece of the calendar's work. That there is no space for it must hold up nothing else.
    fn turn_calendar(&self, maintenance: &mut Maintenance, owners: &dyn Owners) -> Result<bool, StoreError> {
        let position = || LogPosition { end: self.log.append().end(), durable: self.log.durable() };
        match self.calendar.maintain(owners.now_ms(), &position) {
            Err(error) if error.is_no_space() => {
                if !std::mem::replace(&mut maintenance.calendar_has_no_space, true) {
                    tracing::warn!("{error}: the times of messages are kept in memory");
                }
                Ok(false)
            }
            Ok(worked) => {
                maintenance.calendar_has_no_space &= !worked;
                Ok(worked)
            }
            Err(error) => Err(error),
        }
    }

    fn begin_something(&self, maintenance: &mut Maintenance, owners: &dyn Owners) -> Result<bool, StoreError> {
        Ok(self.begin_retiring(maintenance, owners)? || self.compact(maintenance, owners)?)
    }

    /// Waits until there may be something to maintain, or for so long.
    pub fn wait_for_work(&self, timeout: Duration) {
        let is_waiting = !matches!(self.maintenance().phase, Phase::Idle);
        // A step that waits for the log is taken up again soon: a sync takes about this long.
        let timeout = if is_waiting { timeout.min(Duration::from_millis(2)) } else { timeout };
        self.log.wait_for_maintenance(timeout);
    }

    /// Somebody made room: what found none may be tried again.
    pub fn space_came_back(&self) {
        self.log.space_came_back();
    }
}
