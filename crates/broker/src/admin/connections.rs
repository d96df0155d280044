//! What only the reactors know: connections and channels.

use super::{AdminError, AdminReply, ChannelSnapshot, ConnectionSnapshot, Missing, Overview};
use crate::broker::{Alarm, Broker};
use crate::message::{ShardMessage, Which};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use tracing::info;

/// How long reactors may take to describe their connections.
const PATIENCE: Duration = Duration::from_secs(5);

impl Broker {
    /// Asks every reactor for its connections and channels.
    pub(super) fn inspect(&self) -> Result<(Vec<ConnectionSnapshot>, Vec<ChannelSnapshot>), AdminError> {
        if self.is_shutting_down() {
            return Err(AdminError::Unavailable("the broker is stopping".to_owned()));
        }
        let (sender, answers) = channel();
        self.post_to_all(|| ShardMessage::Inspect(sender.clone()));
        drop(sender);
        let deadline = Instant::now() + PATIENCE;
        let (mut connections, mut channels) = (Vec::new(), Vec::new());
        for _ in 0..self.shards() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(mut answer) = answers.recv_timeout(left) else {
                return Err(AdminError::Unavailable("a reactor does not answer".to_owned()));
            };
            connections.append(&mut answer.0);
            channels.append(&mut answer.1);
        }
        connections.sort_by_key(|connection| connection.id.0);
        channels.sort_by_key(|channel| (channel.connection.0, channel.number));
        Ok((connections, channels))
    }

    pub(super) fn close_connections(&self, which: Which, reason: &str) -> Result<AdminReply, AdminError> {
        let meant = |connection: &ConnectionSnapshot| match &which {
            Which::Id(id) => connection.id == *id,
            Which::Vhost(None) => true,
            Which::Vhost(Some(name)) => connection.vhost == *name,
            Which::User(name) => connection.user == *name,
        };
        let count = self.inspect()?.0.iter().filter(|connection| meant(connection)).count();
        if let (0, Which::Id(id)) = (count, &which) {
            return Err(Missing::Connection.called(&id.0.to_string()));
        }
        self.post_to_all(|| ShardMessage::Close { which: which.clone(), reason: reason.to_owned() });
        // Answered only after the close, so that the command's effect is there when it returns.
        self.inspect()?;
        info!(target: "connection", "closed {count} connections, reason: {reason}");
        Ok(AdminReply::Count(count as u64))
    }

    pub(super) fn overview(&self) -> Result<Overview, AdminError> {
        let (connections, channels) = self.inspect()?;
        let vhosts = self.vhosts();
        let queues: Vec<_> = vhosts.iter().flat_map(|vhost| vhost.queues()).collect();
        let sum = |of: fn(&crate::counters::QueueCounters) -> &crate::counters::Counter| {
            queues.iter().map(|cell| of(&cell.counters).value()).sum()
        };
        Ok(Overview {
            node_name: self.settings.node_name.clone(),
            cluster_name: self.cluster_name(),
            version: self.settings.version.clone(),
            memory_alarm: self.has_alarm(Alarm::Memory),
            disk_alarm: self.has_alarm(Alarm::Disk),
            memory: self.memory_control.get().map(|control| control.figures()),
            message_memory_bytes: self.message_memory() as u64,
            vhosts: vhosts.len(),
            connections: connections.len(),
            channels: channels.len(),
            exchanges: vhosts.iter().map(|vhost| vhost.exchanges().len()).sum(),
            queues: queues.len(),
            consumers: channels.iter().map(|channel| channel.consumers.len()).sum(),
            messages_ready: sum(|counters| &counters.messages_ready),
            messages_unacknowledged: sum(|counters| &counters.messages_unacknowledged),
        })
    }
}
