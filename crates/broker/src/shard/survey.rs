//! What the connections of a reactor have to do with a queue.

use super::Shard;
use crate::connection::{Park, Phase};
use crate::link::ConnectionId;
use std::collections::HashMap;

/// Connections that wait.
#[derive(Clone, Debug, Default)]
pub(crate) struct Survey {
    /// Publishers that an alarm holds up.
    pub(crate) alarmed: usize,
    /// Publishers that are held up because this queue is longer than its consumers are fast.
    pub(crate) in_flow: usize,
    /// Publishers that wait for room in the log.
    pub(crate) wait_for_log: usize,
    /// Names of those connections that were asked for.
    pub(crate) names: HashMap<ConnectionId, String>,
}

impl Shard {
    pub(crate) fn survey(&self, quid: u64, wanted: &[ConnectionId]) -> Survey {
        let mut survey = Survey::default();
        for conn in self.connections.iter().flatten().filter(|conn| conn.phase == Phase::Running) {
            match &conn.park {
                Some(Park::Alarm) => survey.alarmed += 1,
                Some(Park::Flow { queue, .. }) if queue.quid == quid => survey.in_flow += 1,
                Some(Park::Log { .. }) => survey.wait_for_log += 1,
                _ => {}
            }
            if wanted.contains(&conn.link.id) {
                survey.names.insert(conn.link.id, conn.name().to_string());
            }
        }
        survey
    }
}

impl Survey {
    /// Adds what another reactor found.
    pub(crate) fn add(&mut self, other: Survey) {
        self.alarmed += other.alarmed;
        self.in_flow += other.in_flow;
        self.wait_for_log += other.wait_for_log;
        self.names.extend(other.names);
    }
}
