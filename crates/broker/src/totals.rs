//! Totals of the whole node since it started: what RabbitMQ calls global counters, and what came and went.
//!
//! What the message path counts is kept per reactor, which writes without atomic operations and once per run of
//! messages; readers add up. Nothing of it goes away with a queue, channel or connection.

mod logins;
mod message_stats;

pub(crate) use logins::Logins;
pub use logins::{LoginCounts, LoginProtocol, LoginSource};
pub(crate) use message_stats::FetchCounters;
pub use message_stats::MessageStats;

use crate::broker::Broker;
use crate::counters::{Counter, SharedCounter};
use crate::dead_letter::Reason;
use crate::topology::Vhost;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Upper bounds of the buckets of message sizes, in bytes (RabbitMQ's); beyond the last there is one more.
pub const SIZE_BOUNDS: [u64; 8] = [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 50_000_000, 100_000_000];

macro_rules! totals {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// Counts of messages, with the names that RabbitMQ's metrics have without `messages_` and `_total`.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct MessageTotals { $($(#[$doc])* pub $field: u64,)* }

        impl MessageTotals {
            /// Every count by name.
            pub fn each(&self, mut visit: impl FnMut(&'static str, u64)) {
                $(visit(stringify!($field), self.$field);)*
            }
        }

        /// What one reactor counts; only that writes it. Apart from others in memory, which are written as often.
        #[derive(Default)]
        #[repr(align(128))]
        pub(crate) struct ReactorTotals {
            $(pub(crate) $field: Counter,)*
            sizes: [Counter; SIZE_BOUNDS.len() + 1],
            dead_lettered: [[Counter; STRATEGIES.len()]; REASONS.len()],
        }

        impl ReactorTotals {
            fn add_to(&self, totals: &mut NodeTotals) {
                $(totals.messages.$field += self.$field.value();)*
                totals.sizes.iter_mut().zip(&self.sizes).for_each(|(sum, own)| *sum += own.value());
                for (sums, own) in totals.dead_lettered.iter_mut().zip(&self.dead_lettered) {
                    sums.iter_mut().zip(own).for_each(|(sum, own)| *sum += own.value());
                }
            }
        }
    };
}

totals! {
    /// Messages published.
    received,
    /// Messages published on channels that confirm.
    received_confirm,
    /// Messages routed to queues, counted once per queue.
    routed,
    /// Publishes confirmed.
    confirmed,
    /// Publishes that reached no queue and were dropped.
    unroutable_dropped,
    /// Publishes that reached no queue and were returned.
    unroutable_returned,
    /// Deliveries to consumers that do not acknowledge.
    delivered_consume_auto_ack,
    /// Deliveries to consumers that acknowledge.
    delivered_consume_manual_ack,
    /// Messages fetched without acknowledgement.
    delivered_get_auto_ack,
    /// Messages fetched with an acknowledgement to come.
    delivered_get_manual_ack,
    /// Fetches that found the queue empty.
    get_empty,
    /// Messages delivered again.
    redelivered,
    /// Messages acknowledged.
    acknowledged,
    /// Bytes of the bodies of published messages.
    received_bytes,
    /// Messages published to be kept on disk (delivery mode 2).
    received_persistent,
}

impl MessageTotals {
    /// Messages delivered in whatever way.
    pub fn delivered(&self) -> u64 {
        self.delivered_consume_auto_ack
            + self.delivered_consume_manual_ack
            + self.delivered_get_auto_ack
            + self.delivered_get_manual_ack
    }
}

/// Reasons for which messages leave queues, in RabbitMQ's words for its metrics. The last is no reason: a dead letter that had to
/// reach its queues and did (`at_least_once` only).
pub const REASONS: [&str; 5] = ["maxlen", "expired", "rejected", "delivery_limit", "confirmed"];
const CONFIRMED: usize = 4;

/// What becomes of messages that a queue gives up, in RabbitMQ's words.
pub const STRATEGIES: [&str; 3] = ["disabled", "at_most_once", "at_least_once"];

/// What a queue does with messages that it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// They are dropped.
    Disabled,
    /// They are sent once.
    AtMostOnce,
    /// They stay until they have reached a queue.
    AtLeastOnce,
}

impl ReactorTotals {
    /// Counts the sizes of bodies.
    #[inline]
    pub(crate) fn count_sizes(&self, sizes: impl Iterator<Item = u64>) {
        // Neighbours mostly fall into the same bucket.
        let (mut bucket, mut count, mut bytes) = (0, 0, 0);
        for size in sizes {
            bytes += size;
            let fits = SIZE_BOUNDS.get(bucket).is_none_or(|most| size <= *most);
            if !fits || (bucket > 0 && size <= SIZE_BOUNDS[bucket - 1]) {
                self.sizes[bucket].add(count);
                (bucket, count) = (SIZE_BOUNDS.partition_point(|most| *most < size), 0);
            }
            count += 1;
        }
        self.sizes[bucket].add(count);
        self.received_bytes.add(bytes);
    }

    /// Counts messages that a queue gave up.
    pub(crate) fn count_dead_letters(&self, reason: Reason, strategy: Strategy, count: u64) {
        let reason = match reason {
            Reason::MaxLength => 0,
            Reason::Expired => 1,
            Reason::Rejected => 2,
            Reason::DeliveryLimit => 3,
        };
        self.dead_lettered[reason][strategy as usize].add(count);
    }

    /// Counts dead letters that had to reach their queues and did.
    pub(crate) fn count_confirmed_letters(&self, count: u64) {
        self.dead_lettered[CONFIRMED][Strategy::AtLeastOnce as usize].add(count);
    }
}

macro_rules! churn {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// What came and went since the node started.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Churn { $($(#[$doc])* pub $field: u64,)* }

        impl Churn {
            /// Every count by name.
            pub fn each(&self, mut visit: impl FnMut(&'static str, u64)) {
                $(visit(stringify!($field), self.$field);)*
            }
        }

        #[derive(Default)]
        pub(crate) struct ChurnCounters { $(pub(crate) $field: SharedCounter,)* }

        impl ChurnCounters {
            fn values(&self) -> Churn {
                Churn { $($field: self.$field.value(),)* }
            }
        }
    };
}

churn! {
    /// Connections that got their virtual host.
    connection_created,
    /// Of these, those that ended.
    connection_closed,
    /// Channels opened.
    channel_created,
    /// Channels closed.
    channel_closed,
    /// Declarations of queues, those that found one among them.
    queue_declared,
    /// Queues created.
    queue_created,
    /// Queues deleted.
    queue_deleted,
}

/// All totals.
#[derive(Default)]
pub(crate) struct Totals {
    reactors: Vec<Arc<ReactorTotals>>,
    pub(crate) churn: ChurnCounters,
    pub(crate) logins: Logins,
}

impl Totals {
    pub(crate) fn new(reactors: usize) -> Totals {
        Totals { reactors: (0..reactors).map(|_| Arc::default()).collect(), ..Totals::default() }
    }

    /// What the reactor with this number counts.
    pub(crate) fn of_reactor(&self, number: usize) -> Arc<ReactorTotals> {
        self.reactors.get(number).cloned().unwrap_or_default()
    }
}

/// The totals of the node at one moment. All messages are AMQP 0-9-1's, and all queues classic ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeTotals {
    /// Counts of messages.
    pub messages: MessageTotals,
    /// Messages published by size: at most [`SIZE_BOUNDS`] and above the bound before, and the larger ones at the end.
    /// Their sum is `messages.received_bytes`.
    pub sizes: [u64; SIZE_BOUNDS.len() + 1],
    /// Messages that queues gave up, by [`REASONS`] and [`STRATEGIES`].
    pub dead_lettered: [[u64; STRATEGIES.len()]; REASONS.len()],
    /// What came and went.
    pub churn: Churn,
    /// Channels that have published (gauge).
    pub publishers: u64,
    /// Consumers (gauge).
    pub consumers: u64,
}

impl Broker {
    /// What was counted for the channels of each virtual host, those that are gone among them, by the host's name.
    pub fn vhost_message_stats(&self) -> BTreeMap<Arc<str>, MessageStats> {
        let ended = |vhost: Arc<Vhost>| (vhost.name.clone(), vhost.ended());
        let mut all: BTreeMap<_, _> = self.vhosts().into_iter().map(ended).collect();
        for channel in self.channels() {
            if let Some(sum) = channel.connection.vhost().and_then(|vhost| all.get_mut(vhost)) {
                *sum += channel.message_stats();
            }
        }
        all
    }

    /// The totals of the node now.
    pub fn node_totals(&self) -> NodeTotals {
        let mut totals = NodeTotals {
            churn: self.totals.churn.values(),
            publishers: self.publishers.count(),
            consumers: self.consumers.count(),
            ..NodeTotals::default()
        };
        self.totals.reactors.iter().for_each(|reactor| reactor.add_to(&mut totals));
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fall_into_the_bucket_of_their_bound() {
        let totals = ReactorTotals::default();
        totals.count_sizes([0, 100, 101, 1_000, 1_001, 100_000_000, 100_000_001, 5].into_iter());
        totals.count_sizes(std::iter::empty());
        let mut sum = NodeTotals::default();
        totals.add_to(&mut sum);
        assert_eq!(sum.sizes, [3, 2, 1, 0, 0, 0, 0, 1, 1]);
        assert_eq!(sum.messages.received_bytes, 100 + 101 + 1_000 + 1_001 + 200_000_001 + 5);
    }
}
