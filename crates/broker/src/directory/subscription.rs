//! A consumer and where its messages come from.

use crate::delivery::Consumer;
use crate::limits::Place;
use crate::topology::QueueCell;
use queue::{Activity, ConsumerKey};
use std::sync::Arc;

/// A consumer of a channel.
pub struct Subscription {
    /// What it is.
    pub consumer: Arc<Consumer>,
    pub(crate) source: Source,
    /// Where it is counted.
    pub(crate) _place: Option<Place>,
}

/// Where a consumer's messages come from.
pub(crate) enum Source {
    Queue {
        cell: Arc<QueueCell>,
        key: ConsumerKey,
    },
    /// Direct replies, at this address.
    Replies {
        address: String,
    },
}

impl Subscription {
    /// Its queue; `None` for direct replies.
    pub fn queue(&self) -> Option<&Arc<QueueCell>> {
        match &self.source {
            Source::Queue { cell, .. } => Some(cell),
            Source::Replies { .. } => None,
        }
    }

    /// What it does now. Takes its queue's lock.
    pub fn activity(&self) -> Activity {
        match &self.source {
            Source::Queue { cell, key } => cell.lock().queue.consumers.activity(*key).unwrap_or(Activity::Up),
            Source::Replies { .. } => Activity::Up,
        }
    }
}
