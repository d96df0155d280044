//! Spans on their way from a reactor to the exporter.

use crate::context::TraceParent;
use broker::Operation;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A span of what happened to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) operation: Operation,
    pub(crate) parent: TraceParent,
    pub(crate) state: Option<String>,
    pub(crate) began_ns: u64,
    pub(crate) ended_ns: u64,
    pub(crate) exchange: String,
    pub(crate) routing_key: String,
    pub(crate) queue: String,
    pub(crate) consumer_tag: String,
    pub(crate) routed: usize,
    pub(crate) body_bytes: usize,
}

/// The spans of one reactor that are not sent yet. Its lock is held to append one, or to take all.
#[derive(Debug)]
pub(crate) struct Ring {
    spans: Mutex<Vec<Span>>,
    most: usize,
    dropped: AtomicU64,
}

impl Ring {
    pub(crate) fn new(most: usize) -> Ring {
        Ring { spans: Mutex::default(), most, dropped: AtomicU64::new(0) }
    }

    /// Keeps a span, or drops it where there is no room.
    pub(crate) fn push(&self, span: Span) {
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        if spans.len() < self.most {
            spans.push(span);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what there is.
    pub(crate) fn take(&self, into: &mut Vec<Span>) {
        into.append(&mut self.spans.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}
