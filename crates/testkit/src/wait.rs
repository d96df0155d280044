//! Waiting for what comes in its own time.

use std::time::{Duration, Instant};

/// How long something may take that has to happen; machines that run tests can be very busy.
const LIMIT: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(20);

/// For tests that are about time; whoever waits for something to happen has [`eventually`].
#[expect(clippy::disallowed_methods, reason = "the ban is for the message path")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Waits until something holds; panics with `what` after a minute.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        pause(INTERVAL);
    }
}
