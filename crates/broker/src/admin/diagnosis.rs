//! Why a queue does not move: what is looked at, and what follows from it.

mod findings;
#[cfg(test)]
mod tests;

pub use findings::Finding;

use super::{AdminError, AdminReply};
use crate::broker::{Alarm, Broker};
use crate::core::facts::QueueFacts;
use crate::shard::{Held, Survey};
use crate::topology::QueueCell;
use findings::Traffic;
use std::sync::Arc;
use std::time::Instant;

/// Unacknowledged messages that are looked at for the oldest.
const MOST_HELD: usize = 20_000;

/// Everything that findings are made from.
#[derive(Clone, Debug, Default)]
struct Facts {
    queue: QueueFacts,
    survey: Survey,
    /// The message that has been with a client for the longest time.
    oldest: Option<Oldest>,
    traffic: Traffic,
    memory_alarm: bool,
    disk_alarm: bool,
    /// Bindings beside that of the default exchange.
    bindings: usize,
}

/// A message that is with a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Oldest {
    connection: String,
    channel: u16,
    delivery_tag: u64,
    age_ms: u64,
}

/// What a queue had counted at some time.
#[derive(Clone, Copy, Debug)]
pub struct QueueMark {
    counters: [u64; 4],
    at: Instant,
}

impl Broker {
    /// The first look at a queue that is to be diagnosed; the caller waits, and holds no thread while it does.
    pub fn mark_queue(&self, vhost: &str, name: &str) -> Result<QueueMark, AdminError> {
        let (_, cell) = self.find_queue(vhost, name)?;
        Ok(QueueMark { counters: counters(&cell), at: Instant::now() })
    }

    /// Looks at a queue and at what happened since the first look.
    pub(super) fn diagnose(&self, vhost: &str, name: &str, since: QueueMark) -> Result<AdminReply, AdminError> {
        let (vhost, cell) = self.find_queue(vhost, name)?;
        let of = cell.clone();
        let queue = self.on_reactor_of(&cell, move |core| core.facts(&of))?;
        let traffic = Traffic::between(&since.counters, &counters(&cell), since.at.elapsed());
        let wanted: Vec<_> = queue.described.iter().map(|consumer| consumer.connection).collect();
        let mut survey = Survey::default();
        for shard in 0..self.shards() {
            let (quid, wanted) = (cell.quid, wanted.clone());
            survey.add(self.on_reactor(shard, move |shard| shard.survey(quid, &wanted))?);
        }
        let oldest = if queue.unacked > 0 { oldest(self.held_of(&cell, None, MOST_HELD)?) } else { None };
        let bindings = vhost.bindings();
        let facts = Facts {
            queue,
            survey,
            oldest,
            traffic,
            memory_alarm: self.has_alarm(Alarm::Memory),
            disk_alarm: self.has_alarm(Alarm::Disk),
            bindings: bindings.iter().filter(|binding| binding.to_queue && binding.destination == cell.name).count(),
        };
        Ok(AdminReply::Findings(findings::all(&facts)))
    }
}

/// What entered a queue, what was delivered from it for the first time, and what is ready.
fn counters(cell: &Arc<QueueCell>) -> [u64; 4] {
    let counters = &cell.counters;
    let delivered = [&counters.deliver, &counters.deliver_no_ack, &counters.get, &counters.get_no_ack];
    let delivered: u64 = delivered.iter().map(|counter| counter.value()).sum();
    let first = delivered.saturating_sub(counters.redeliver.value());
    [counters.publish.value(), first, counters.messages_ready.value(), counters.ack.value()]
}

fn oldest(held: Vec<Held>) -> Option<Oldest> {
    let with_clients = held.into_iter().filter(|held| !held.connection.is_empty());
    let oldest = with_clients.max_by_key(|held| held.age_ms)?;
    let Held { connection, channel, delivery_tag, age_ms, .. } = oldest;
    Some(Oldest { connection, channel, delivery_tag, age_ms })
}
