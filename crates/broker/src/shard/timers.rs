//! Time: heartbeats, handshakes, pauses and overdue acknowledgements.
//!
//! Nothing is armed for an idle connection but its heartbeat, if it has one.

use super::Shard;
use crate::connection::{Connection, Park, Phase};
use crate::core::Core;
use crate::link::ConnectionId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use tracing::warn;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The handshake takes too long.
    Handshake(usize, ConnectionId),
    /// Half a heartbeat interval is over.
    Heartbeat(usize, ConnectionId),
    /// A pause is over.
    Unpark(usize, ConnectionId),
    /// The token that the user logged in with may have expired.
    Expiry(usize, ConnectionId),
    /// connection.close was not answered.
    CloseTimeout(usize, ConnectionId),
    /// Acknowledgements may be overdue.
    Timeouts,
}

/// Armed timers by due time, in ms of the engine's clock.
#[derive(Default)]
pub(super) struct Timers {
    armed: BinaryHeap<Reverse<(u64, Timer)>>,
    /// How often acknowledgements are looked at; 0 = never.
    timeouts_interval_ms: u64,
    /// When they are looked at next; a timer that fires earlier has been overtaken.
    timeouts_due_ms: u64,
}

impl Timers {
    pub(super) fn arm(&mut self, due_ms: u64, timer: Timer) {
        self.armed.push(Reverse((due_ms, timer)));
    }

    /// Looks for overdue acknowledgements at least every `interval_ms` from now on.
    pub(super) fn watch_timeouts(&mut self, now_ms: u64, interval_ms: u64) {
        if self.timeouts_interval_ms == 0 || interval_ms < self.timeouts_interval_ms {
            self.timeouts_interval_ms = interval_ms;
            self.arm_timeouts(now_ms);
        }
    }

    fn arm_timeouts(&mut self, now_ms: u64) {
        self.timeouts_due_ms = now_ms + self.timeouts_interval_ms;
        self.arm(self.timeouts_due_ms, Timer::Timeouts);
    }

    fn due(&mut self, now_ms: u64) -> Option<Timer> {
        if self.armed.peek().is_none_or(|Reverse((due_ms, _))| *due_ms > now_ms) {
            return None;
        }
        self.armed.pop().map(|Reverse((_, timer))| timer)
    }
}

impl Shard {
    /// When the next timer is due, in ms of the engine's clock.
    pub fn next_timer_ms(&self) -> Option<u64> {
        let armed = self.timers.armed.peek().map(|Reverse((due_ms, _))| *due_ms);
        let queues = self.core.timers.next_ms().map(|due_ms| due_ms.saturating_sub(self.core.now.epoch_ms));
        let due = self.core.next_release_ms().map(|due_ms| due_ms.saturating_sub(self.core.now.epoch_ms));
        let letters = self.core.next_letters_ms().map(|due_ms| due_ms.saturating_sub(self.core.now.epoch_ms));
        armed.into_iter().chain(queues).chain(due).chain(letters).min()
    }

    /// Does what is due.
    pub fn run_timers(&mut self) {
        let now_ms = self.core.now.mono_ms();
        self.core.run_queue_timers();
        self.core.release_due();
        while let Some(timer) = self.timers.due(now_ms) {
            match timer {
                Timer::Handshake(key, id) if self.is_same(key, id) => self.serve(key, |_, conn| {
                    if matches!(conn.phase, Phase::Header | Phase::Starting | Phase::Tuning | Phase::Opening) {
                        warn!(target: "connection", "closing {}: handshake timeout", conn.name());
                        conn.phase = Phase::Closed;
                    }
                }),
                Timer::Heartbeat(key, id) if self.is_same(key, id) => self.heartbeat(key, id, now_ms),
                Timer::Unpark(key, id) if self.is_same(key, id) => self.serve(key, unpark),
                Timer::Expiry(key, id) if self.is_same(key, id) => self.serve(key, |core, conn| {
                    conn.expiry_is_armed_for = None;
                    core.expire(conn);
                }),
                Timer::CloseTimeout(key, id) if self.is_same(key, id) => self.serve(key, |_, conn| {
                    conn.phase = Phase::Closed;
                    conn.peer_is_gone = true;
                }),
                Timer::Timeouts if now_ms >= self.timers.timeouts_due_ms => {
                    self.each(Core::close_overdue);
                    self.timers.arm_timeouts(now_ms);
                }
                _ => {}
            }
        }
    }

    /// Has a connection looked at when its user's token expires, at most once a day: clocks are set.
    pub(super) fn arm_expiry(&mut self, key: usize, conn: &mut Connection) {
        const LONGEST_MS: u64 = 86_400_000;
        if conn.expiry_is_armed_for.is_some() || conn.user.as_ref().is_none_or(|user| user.asks_internally()) {
            return;
        }
        let Some(expires_at_s) = conn.user.as_ref().and_then(|user| user.expires_at_s()) else { return };
        let left_ms = expires_at_s.saturating_mul(1000).saturating_sub(self.core.time_ms).clamp(1, LONGEST_MS);
        conn.expiry_is_armed_for = Some(expires_at_s);
        self.timers.arm(self.core.now.mono_ms() + left_ms, Timer::Expiry(key, conn.link.id));
    }

    /// RabbitMQ: a heartbeat goes out when nothing else did for half the interval; two intervals without a byte from
    /// the client end the connection without a word.
    fn heartbeat(&mut self, key: usize, id: ConnectionId, now_ms: u64) {
        let next = self.serve(key, |core, conn| {
            let interval_ms = u64::from(conn.heartbeat_s) * 1000;
            if !matches!(conn.phase, Phase::Running | Phase::Closing) || interval_ms == 0 {
                return None;
            }
            let (sent, _) = conn.link.sent();
            let takes_nothing = matches!(conn.park, Some(Park::Output)) && sent == conn.last_sent;
            if conn.park.is_some() && !takes_nothing {
                // We do not read, so we cannot blame the client for silence.
                conn.last_read_ms = now_ms;
            } else if now_ms.saturating_sub(conn.last_read_ms) > 2 * interval_ms {
                warn!(target: "connection", "closing {}: missed heartbeats from client, timeout: {}s", conn.name(), conn.heartbeat_s);
                core.release(conn);
                conn.phase = Phase::Closed;
                conn.peer_is_gone = true;
                return None;
            }
            let silent = sent == conn.last_sent && conn.link.pending() == 0;
            conn.last_sent = sent;
            if silent {
                core.send_frames(conn, &amqp::frame::HEARTBEAT_FRAME);
                // It is not itself a reason to leave out the next one.
                conn.last_sent += amqp::frame::HEARTBEAT_FRAME.len() as u64;
            }
            Some(now_ms + interval_ms / 2)
        });
        if let Some(due_ms) = next {
            self.timers.arm(due_ms, Timer::Heartbeat(key, id));
        }
    }
}

fn unpark(core: &mut Core, conn: &mut Connection) {
    let now_ms = core.now.mono_ms();
    conn.unpark_is_armed = false;
    match conn.park.take() {
        Some(Park::Flow { queue, until_ms }) if until_ms <= now_ms || !queue.is_long() => {}
        Some(Park::Output) if conn.link.is_low() => {}
        Some(Park::Log { body_len }) if core.log_has_room_for(body_len) => {}
        Some(Park::Refused { until_ms, close }) if until_ms <= now_ms => core.answer_refused(conn, &close),
        park => conn.park = park,
    }
}
