//! The calendar over the simulated disk.

mod files;
mod memory;
mod model;

use super::maintain::LogPosition;
use super::{Calendar, Due, Limits};
use crate::place::Lsn;
use crate::simulation::SimulatedDisk;
use std::sync::Arc;

const LOG_ID: u64 = 0x1ee7;

/// So small that a few dozen entries see every way there is.
const SMALL: Limits = Limits { near: 32, far: 8, lead_ms: 50, waste: 400 };

fn open(disk: &Arc<SimulatedDisk>, limits: Limits) -> Calendar {
    Calendar::open(disk.clone(), LOG_ID, limits).unwrap()
}

fn due(due_ms: u64, seq: u64) -> Due {
    Due { due_ms, group: 7, seq }
}

/// The log of a test that has everything durable.
fn durable() -> LogPosition {
    LogPosition { end: Lsn(0), durable: Lsn(0) }
}

/// Maintains until there is nothing to do.
fn settle(calendar: &Calendar, now_ms: u64) {
    let pieces = (0..100_000).find(|_| !calendar.maintain(now_ms, &durable).unwrap());
    assert!(pieces.is_some(), "the calendar comes to rest");
}

/// Takes and finishes everything that is due, maintaining between.
fn drain(calendar: &Calendar, now_ms: u64) -> Vec<Due> {
    let mut all = Vec::new();
    loop {
        settle(calendar, now_ms);
        let mut taken = Vec::new();
        calendar.take_due(now_ms, 512, &mut taken);
        if taken.is_empty() {
            return all;
        }
        calendar.finish(&taken);
        all.append(&mut taken);
    }
}
