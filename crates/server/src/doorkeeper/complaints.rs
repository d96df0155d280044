//! What the log says of connections that came to nothing: each of a few, and how many of a flood.

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Connections that are named each, within a span.
const MOST_NAMED: u32 = 20;
const SPAN: Duration = Duration::from_secs(1);

/// Counts what is not said.
#[derive(Default)]
pub(super) struct Complaints {
    since: Option<Instant>,
    named: u32,
    unnamed: u64,
}

impl Complaints {
    /// A connection ended before it spoke AMQP. Those that look whether somebody is there hang up without a word, and are
    /// no matter for an operator.
    pub(super) fn ended(&mut self, now: Instant, peer: SocketAddr, what: &str, has_spoken: bool) {
        if !has_spoken {
            debug!(target: "connection", "closing {peer}: {what}");
            return;
        }
        if self.is_named(now) {
            warn!(target: "connection", "closing {peer}: {what}");
        }
    }

    /// True when another one may be named.
    fn is_named(&mut self, now: Instant) -> bool {
        self.tell(now);
        self.since.get_or_insert(now);
        let is_named = self.named < MOST_NAMED;
        if is_named {
            self.named += 1;
        } else {
            self.unnamed += 1;
        }
        is_named
    }

    /// Says how many were not named, once the span is over.
    pub(super) fn tell(&mut self, now: Instant) {
        if self.since.is_none_or(|since| now.duration_since(since) < SPAN) {
            return;
        }
        if self.unnamed > 0 {
            warn!(target: "connection", "closing {} more connections that ended before they spoke AMQP", self.unnamed);
        }
        *self = Complaints::default();
    }

    /// True while there is something that is to be told later.
    pub(super) fn has_more(&self) -> bool {
        self.unnamed > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted() {
        let (mut complaints, start) = (Complaints::default(), Instant::now());
        let named = (0..5_000).filter(|_| complaints.is_named(start)).count();
        assert_eq!((named, complaints.unnamed, complaints.has_more()), (20, 4_980, true));
        complaints.tell(start + SPAN / 2);
        assert!(complaints.has_more(), "the span is not over");
        complaints.tell(start + SPAN);
        assert!(!complaints.has_more() && complaints.is_named(start + SPAN), "it begins anew");
    }
}
