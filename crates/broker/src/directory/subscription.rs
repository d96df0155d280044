//! A consumer and where its messages come from.

use crate::delivery::Consumer;
use crate::topology::QueueCell;
use queue::{Activity, ActivityWatch, ConsumerKey};
use std::sync::Arc;

/// A consumer of a channel.
pub struct Subscription {
    /// What it is.
    pub consumer: Arc<Consumer>,
    pub(crate) source: Source,
}

/// Where a consumer's messages come from.
pub(crate) enum Source {
    Queue {
        cell: Arc<QueueCell>,
        key: ConsumerKey,
        watch: ActivityWatch,
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

    /// What it does now.
    pub fn activity(&self) -> Activity {
        match &self.source {
            Source::Queue { watch, .. } => watch.activity(),
            Source::Replies { .. } => Activity::Up,
        }
    }
}
