//! Looking at messages without consuming them.

use super::scan::Scan;
use super::{Cursor, MessageFilter, MessageReply, MessageView};
use crate::admin::{AdminError, Missing};
use crate::broker::Broker;
use crate::core::Core;
use crate::shard::{Held, HeldCursor, HeldOf};
use crate::topology::QueueCell;
use queue::Entry;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Messages that one command looks at, and for how long, whatever it finds.
const MOST_LOOKED_AT: u64 = 100_000;
const PATIENCE: Duration = Duration::from_secs(2);
/// Messages, and bytes of bodies and headers, that one command answers with.
const MOST_FOUND: usize = 10_000;
const MOST_BYTES: usize = 32 << 20;
/// Unacknowledged messages that one command looks at.
const MOST_HELD: usize = 20_000;

/// Which messages of a queue to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Those that wait for a consumer.
    Ready,
    /// Those that are with a consumer, or wait before they are ready again.
    Unacked,
}

/// What to look for.
#[derive(Clone, Debug)]
pub struct Peek {
    /// Where.
    pub standing: Standing,
    /// From which position on.
    pub from: Cursor,
    /// Messages to pass over first, whatever they are.
    pub skip: u64,
    /// Messages that are wanted.
    pub count: usize,
    /// Which of them.
    pub filter: MessageFilter,
    /// Bytes of a body that are wanted; `None` = all.
    pub truncate: Option<usize>,
}

/// Where a message is that is not ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// The connection's name; empty for a message that waits before it is ready again.
    pub connection: String,
    /// The channel.
    pub channel: u16,
    /// The delivery tag there.
    pub delivery_tag: u64,
    /// How long it has been there, in ms.
    pub age_ms: u64,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Peeked {
    /// Id of the queue, which is part of the ids of its messages.
    pub quid: u64,
    /// Messages in the order of delivery, and who has them.
    pub messages: Vec<(MessageView, Option<Holder>)>,
    /// Where to go on when there may be more.
    pub next: Option<Cursor>,
    /// How many were looked at.
    pub scanned: u64,
}

impl Broker {
    pub(super) fn peek(&self, vhost: &str, queue: &str, peek: &Peek) -> Result<MessageReply, AdminError> {
        let (_, cell) = self.find_queue(vhost, queue)?;
        let peeked = match peek.standing {
            Standing::Ready => self.peek_ready(&cell, peek)?,
            Standing::Unacked => self.peek_held(&cell, peek)?,
        };
        Ok(MessageReply::Peeked(Box::new(peeked)))
    }

    fn peek_ready(&self, cell: &Arc<QueueCell>, peek: &Peek) -> Result<Peeked, AdminError> {
        let mut scan = Scan::new(self, cell, peek.from);
        scan.skip(peek.skip)?;
        let began = Instant::now();
        let mut peeked = Peeked { quid: cell.quid, ..Peeked::default() };
        let (count, mut bytes) = (peek.count.min(MOST_FOUND), 0);
        let has_time = |scanned| scanned < MOST_LOOKED_AT && began.elapsed() < PATIENCE;
        loop {
            // What comes after this is for the next command.
            if peeked.messages.len() >= count || bytes >= MOST_BYTES || !has_time(peeked.scanned) {
                peeked.next = Some(scan.at);
                return Ok(peeked);
            }
            let seen = scan.next()?;
            if seen.is_empty() {
                return Ok(peeked);
            }
            for seen in seen {
                if peeked.messages.len() >= count || bytes >= MOST_BYTES {
                    scan.at = Cursor { level: seen.level, seq: seen.seq, ..scan.at };
                    break;
                }
                peeked.scanned += 1;
                if peek.filter.admits(&seen.message) {
                    let view = seen.view(peek.truncate);
                    bytes += view.body.len() + view.header.len();
                    peeked.messages.push((view, None));
                }
            }
        }
    }

    fn peek_held(&self, cell: &Arc<QueueCell>, peek: &Peek) -> Result<Peeked, AdminError> {
        let mut peeked = Peeked { quid: cell.quid, ..Peeked::default() };
        let mut scan = Scan::new(self, cell, peek.from);
        let held: BTreeMap<u64, Held> =
            self.held_of(cell, None, MOST_HELD)?.into_iter().map(|held| (held.entry.seq, held)).collect();
        let mut bytes = 0;
        for (seq, held) in held.range(peek.from.seq..) {
            if peeked.messages.len() >= peek.count.min(MOST_FOUND) || bytes >= MOST_BYTES {
                peeked.next = Some(Cursor::from_seq(*seq));
                break;
            }
            peeked.scanned += 1;
            let Held { connection, channel, delivery_tag, entry, age_ms, .. } = held;
            let message = match &entry.message {
                Some(message) => Some(message.clone()),
                None => scan.read_one(entry.level, *seq)?,
            };
            let Some(message) = message.filter(|message| peek.filter.admits(message)) else { continue };
            let (redelivered, delivery_count) = (entry.redelivered, entry.delivery_count);
            let view = MessageView::of(&message, peek.truncate);
            bytes += view.body.len() + view.header.len();
            let view = MessageView { seq: *seq, level: entry.level, redelivered, delivery_count, ..view };
            let (connection, channel) = (connection.clone(), *channel);
            let holder = Holder { connection, channel, delivery_tag: *delivery_tag, age_ms: *age_ms };
            peeked.messages.push((view, Some(holder)));
        }
        Ok(peeked)
    }

    /// Messages of a queue that are with clients, or wait before they are ready again: at most about `most`, or that at
    /// one position.
    pub(crate) fn held_of(
        &self,
        cell: &Arc<QueueCell>,
        seq: Option<u64>,
        most: usize,
    ) -> Result<Vec<Held>, AdminError> {
        let mut all = self.waiting_of(cell, seq, most)?;
        for shard in 0..self.shards() {
            let (of, mut at) = (HeldOf { quid: cell.quid, seq }, Some(HeldCursor::default()));
            while let Some(from) = at.filter(|_| all.len() < most) {
                let (next, mut found) = self.on_reactor(shard, move |shard| {
                    let mut found = Vec::new();
                    (shard.held_of(of, from, &mut found), found)
                })?;
                all.append(&mut found);
                at = next;
            }
        }
        Ok(all)
    }

    fn waiting_of(&self, cell: &Arc<QueueCell>, seq: Option<u64>, most: usize) -> Result<Vec<Held>, AdminError> {
        let of = cell.clone();
        self.on_reactor_of(cell, move |_: &mut Core| {
            let state = of.lock();
            let is_meant = |entry: &&Entry| seq.is_none_or(|seq| seq == entry.seq);
            let waiting = state.waits.values().filter(is_meant).take(most.min(512)).map(|entry| Held {
                connection: String::new(),
                channel: 0,
                delivery_tag: 0,
                entry: entry.clone(),
                age_ms: 0,
            });
            waiting.collect()
        })
    }

    /// Takes one message out of a queue, for good; the answer comes when that is durable.
    pub(super) fn remove_message(
        &self,
        vhost: &str,
        queue: &str,
        quid: Option<u64>,
        seq: u64,
    ) -> Result<MessageReply, AdminError> {
        let (_, cell) = self.find_queue(vhost, queue)?;
        let missing = || Missing::Message.called(&seq.to_string());
        // A message of a queue that had this name before is gone.
        if quid.is_some_and(|quid| quid != cell.quid) {
            return Err(missing());
        }
        let of = cell.clone();
        if let Some(token) = self.on_reactor_of(&cell, move |core| core.remove_message(&of, seq))? {
            self.wait_for(token)?;
            return Ok(MessageReply::Done);
        }
        if !self.held_of(&cell, Some(seq), 1)?.is_empty() { Ok(MessageReply::Unacknowledged) } else { Err(missing()) }
    }
}
