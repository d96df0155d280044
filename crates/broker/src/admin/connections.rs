//! Closing connections, and the broker in numbers.

use super::{AdminError, AdminReply, Missing, Overview};
use crate::broker::{Alarm, Broker};
use crate::message::{ShardMessage, Which};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use tracing::info;

/// How long reactors may take to close connections.
const PATIENCE: Duration = Duration::from_secs(5);

impl Broker {
    /// Has connections closed, waits until that is done, and answers how many there were.
    pub(super) fn close_all(&self, which: &Which, reason: &str) -> Result<u64, AdminError> {
        if self.is_shutting_down() {
            return Err(AdminError::Unavailable("the broker is stopping".to_owned()));
        }
        let (sender, answers) = channel();
        self.post_to_all(|| ShardMessage::Close {
            which: which.clone(),
            reason: reason.to_owned(),
            closed: Some(sender.clone()),
        });
        drop(sender);
        let deadline = Instant::now() + PATIENCE;
        let mut count = 0;
        for _ in 0..self.shards() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(closed) = answers.recv_timeout(left) else {
                return Err(AdminError::Unavailable("a reactor does not answer".to_owned()));
            };
            count += closed;
        }
        Ok(count)
    }

    pub(super) fn close_connections(&self, which: &Which, reason: &str) -> Result<AdminReply, AdminError> {
        let count = self.close_all(which, reason)?;
        if let (0, Which::Id(id)) = (count, which) {
            return Err(Missing::Connection.called(&id.0.to_string()));
        }
        info!(target: "connection", "closed {count} connections, reason: {reason}");
        Ok(AdminReply::Count(count))
    }

    pub(super) fn overview(&self) -> Overview {
        let vhosts = self.vhosts();
        let totals = self.object_totals();
        let queues = self.queue_cells(None);
        let sum = |of: fn(&crate::counters::QueueCounters) -> &crate::counters::Counter| {
            queues.iter().map(|cell| of(&cell.counters).value()).sum()
        };
        Overview {
            node_name: self.settings.node_name.clone(),
            cluster_name: self.cluster_name(),
            version: self.settings.version.clone(),
            memory_alarm: self.has_alarm(Alarm::Memory),
            disk_alarm: self.has_alarm(Alarm::Disk),
            memory: self.memory_control.get().map(|control| control.figures()),
            message_memory_bytes: self.message_memory() as u64,
            vhosts: vhosts.len(),
            connections: totals.connections as usize,
            channels: totals.channels as usize,
            exchanges: totals.exchanges as usize,
            queues: totals.queues as usize,
            consumers: totals.consumers as usize,
            messages_ready: sum(|counters| &counters.messages_ready),
            messages_unacknowledged: sum(|counters| &counters.messages_unacknowledged),
        }
    }
}
