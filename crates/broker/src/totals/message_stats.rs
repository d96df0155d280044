//! `message_stats` of RabbitMQ's HTTP API, of anything that has them.

use crate::counters::{ChannelCounters, ConsumerCounters, Counter, ExchangeCounters, PairCounters, QueueCounters};
use std::ops::AddAssign;

macro_rules! message_stats {
    ($($(#[$doc:meta])* $field:ident,)*) => {
        /// Counts of messages by what was done with them, in RabbitMQ's terms; what does not apply is 0.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct MessageStats { $($(#[$doc])* pub $field: u64,)* }

        impl MessageStats {
            /// Every count by name, and `deliver_get`.
            pub fn each(&self, mut visit: impl FnMut(&'static str, u64)) {
                $(visit(stringify!($field), self.$field);)*
                visit("deliver_get", self.deliver_get());
            }
        }

        impl AddAssign for MessageStats {
            fn add_assign(&mut self, other: MessageStats) {
                $(self.$field += other.$field;)*
            }
        }
    };
}

message_stats! {
    /// Messages published; of a queue, those that entered it.
    publish,
    /// Messages published to an exchange.
    publish_in,
    /// Messages that an exchange routed to queues, counted once per queue.
    publish_out,
    /// Publishes confirmed.
    confirm,
    /// Publishes returned as unroutable.
    return_unroutable,
    /// Publishes dropped as unroutable.
    drop_unroutable,
    /// Deliveries with an acknowledgement to come.
    deliver,
    /// Deliveries without acknowledgement.
    deliver_no_ack,
    /// Messages fetched with an acknowledgement to come.
    get,
    /// Messages fetched without acknowledgement.
    get_no_ack,
    /// Fetches that found the queue empty.
    get_empty,
    /// Messages delivered again.
    redeliver,
    /// Messages acknowledged.
    ack,
}

impl MessageStats {
    /// Messages delivered in whatever way.
    pub fn deliver_get(&self) -> u64 {
        self.deliver + self.deliver_no_ack + self.get + self.get_no_ack
    }

    /// True when nothing was counted.
    pub fn is_zero(&self) -> bool {
        *self == MessageStats::default()
    }
}

macro_rules! from_counters {
    ($($counters:ty { $($field:ident)* })*) => {
        $(impl From<&$counters> for MessageStats {
            fn from(counters: &$counters) -> MessageStats {
                MessageStats { $($field: counters.$field.value(),)* ..MessageStats::default() }
            }
        })*
    };
}

from_counters! {
    ChannelCounters { publish confirm return_unroutable drop_unroutable ack get get_no_ack get_empty redeliver }
    PairCounters { publish confirm return_unroutable drop_unroutable }
    ConsumerCounters { deliver deliver_no_ack redeliver ack }
    QueueCounters { publish deliver deliver_no_ack get get_no_ack get_empty redeliver ack }
    ExchangeCounters { publish_in publish_out }
}

/// What was fetched from one queue on one channel.
#[derive(Default)]
pub struct FetchCounters {
    /// Messages fetched with an acknowledgement to come.
    pub get: Counter,
    /// Messages fetched without acknowledgement.
    pub get_no_ack: Counter,
    /// Fetches that found the queue empty.
    pub get_empty: Counter,
    /// Fetched messages that had been delivered before.
    pub redeliver: Counter,
    /// Fetched messages acknowledged.
    pub ack: Counter,
}

from_counters! {
    FetchCounters { get get_no_ack get_empty redeliver ack }
}
