//! What consumers of this reactor have of a queue and did not acknowledge.

use super::Shard;
use crate::connection::{Connection, Phase};
use crate::delivery::Unacked;
use queue::Entry;

/// Deliveries that are looked at under one hold of an output's lock, and in one piece of work.
const PLACES_AT_ONCE: usize = 512;
const PLACES_PER_PIECE: usize = 4096;

/// A message of a queue that is with a client.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) connection: String,
    pub(crate) channel: u16,
    pub(crate) delivery_tag: u64,
    pub(crate) entry: Entry,
    /// How long it has been there, in ms.
    pub(crate) age_ms: u64,
}

/// Which deliveries are meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeldOf {
    /// Id of their queue.
    pub(crate) quid: u64,
    /// Only that of the message at this position.
    pub(crate) seq: Option<u64>,
}

impl HeldOf {
    fn means(self, unacked: &Unacked) -> bool {
        unacked.queue.quid == self.quid && self.seq.is_none_or(|seq| seq == unacked.entry.seq)
    }
}

/// Where to go on looking: a connection, one of its channels and a delivery tag.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HeldCursor {
    key: usize,
    slot: usize,
    tag: u64,
}

impl Shard {
    /// Adds some of the deliveries of the queue that is meant, and says where to go on.
    pub(crate) fn held_of(&self, of: HeldOf, from: HeldCursor, found: &mut Vec<Held>) -> Option<HeldCursor> {
        let mut at = from;
        let mut looked_at = 0;
        while let Some(place) = self.connections.get(at.key) {
            if let Some(conn) = place.as_ref().filter(|conn| conn.phase == Phase::Running) {
                loop {
                    if looked_at >= PLACES_PER_PIECE {
                        return Some(at);
                    }
                    let Some(next) = self.held_by(conn, of, at, &mut looked_at, found) else { break };
                    at = next;
                }
            }
            at = HeldCursor { key: at.key + 1, ..HeldCursor::default() };
        }
        None
    }

    /// Looks at some deliveries of one connection.
    fn held_by(
        &self,
        conn: &Connection,
        of: HeldOf,
        at: HeldCursor,
        looked_at: &mut usize,
        found: &mut Vec<Held>,
    ) -> Option<HeldCursor> {
        let output = conn.link.output();
        let channel = output.channels.get(at.slot)?;
        // An empty one takes time, too.
        *looked_at += 1;
        let Some(deliveries) = channel else { return Some(HeldCursor { slot: at.slot + 1, tag: 0, ..at }) };
        let number = conn.channels.iter().find(|channel| channel.slot == at.slot).map_or(0, |channel| channel.number);
        let mut last = None;
        for (tag, unacked) in deliveries.from(at.tag).take(PLACES_AT_ONCE) {
            last = Some(tag);
            *looked_at += 1;
            if let Some(unacked) = unacked.filter(|unacked| of.means(unacked)) {
                found.push(held(self.core.now.mono_ms(), conn, number, unacked));
            }
        }
        Some(match last {
            Some(last) => HeldCursor { tag: last + 1, ..at },
            None => HeldCursor { slot: at.slot + 1, tag: 0, ..at },
        })
    }
}

fn held(now_ms: u64, conn: &Connection, channel: u16, unacked: &Unacked) -> Held {
    Held {
        connection: conn.name().to_string(),
        channel,
        delivery_tag: unacked.tag,
        entry: unacked.entry.clone(),
        age_ms: unacked.since.age_ms(now_ms),
    }
}
