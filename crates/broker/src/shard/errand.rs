//! Work that administrative commands have done on a reactor.
//!
//! Commands run on threads of low priority, which must not hold a lock of the message path: whoever waits for it would
//! wait for them to be scheduled again. So they send what has to be done under such a lock to a reactor, in pieces that
//! take no longer than one hold of a queue's lock may, and wait for the answer.

use super::Shard;
use crate::admin::AdminError;
use crate::broker::Broker;
use crate::core::Core;
use crate::message::ShardMessage;
use crate::topology::QueueCell;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

/// How often somebody who waits looks whether the broker stops.
const LOOK: Duration = Duration::from_millis(100);

/// A piece of work for a reactor.
pub struct Errand(Box<dyn FnOnce(&mut Shard) + Send>);

impl Errand {
    pub(super) fn run(self, shard: &mut Shard) {
        (self.0)(shard);
    }
}

impl Shard {
    pub(crate) fn core(&mut self) -> &mut Core {
        &mut self.core
    }
}

impl Broker {
    /// Has a reactor do a piece of work and waits for what it answers, however long that takes, unless the broker stops.
    pub(crate) fn on_reactor<T: Send + 'static>(
        &self,
        shard: usize,
        work: impl FnOnce(&mut Shard) -> T + Send + 'static,
    ) -> Result<T, AdminError> {
        let stopping = || AdminError::Unavailable("the broker is stopping".to_owned());
        if self.is_shutting_down() {
            return Err(stopping());
        }
        let (sender, answer) = sync_channel(1);
        let errand = move |shard: &mut Shard| {
            // Who asked goes away only when the broker stops.
            let _ = sender.send(work(shard));
        };
        self.post(shard, ShardMessage::Errand(Errand(Box::new(errand))));
        loop {
            match answer.recv_timeout(LOOK) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Timeout) if !self.is_shutting_down() => {}
                Err(_) => return Err(stopping()),
            }
        }
    }

    /// The reactor that does such work on a queue: always the same, so that pieces of it follow one another.
    pub(crate) fn reactor_of(&self, cell: &QueueCell) -> usize {
        usize::try_from(cell.quid).unwrap_or_default() % self.shards()
    }

    /// Has that reactor do a piece of work on a queue.
    pub(crate) fn on_reactor_of<T: Send + 'static>(
        &self,
        cell: &QueueCell,
        work: impl FnOnce(&mut Core) -> T + Send + 'static,
    ) -> Result<T, AdminError> {
        self.on_reactor(self.reactor_of(cell), |shard| work(shard.core()))
    }
}
