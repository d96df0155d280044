//! Counters of the message path.
//!
//! Every counter has one writer at a time, the owner of the object or the holder of its lock, so that counting is a
//! plain load and store; readers walk them without locks and see each value whole.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, with a single writer at a time.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes `count` off; for gauges.
    #[inline]
    pub fn sub(&self, count: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(count), Ordering::Relaxed);
    }

    /// Replaces the value; for gauges.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }
}

/// A number that only grows, with several writers.
#[derive(Default)]
pub struct SharedCounter(AtomicU64);

impl SharedCounter {
    /// Adds `count`.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counter_set {
    ($(#[$doc:meta])* $name:ident: $kind:ident { $($(#[$field_doc:meta])* $field:ident,)* }) => {
        $(#[$doc])*
        #[derive(Default)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }

        impl $name {
            /// Every counter by name, for statistics.
            pub fn each(&self, mut visit: impl FnMut(&'static str, u64)) {
                $(visit(stringify!($field), self.$field.value());)*
            }
        }
    };
}

counter_set! {
    /// What a channel published and settled; written by its reactor.
    ChannelCounters: Counter {
        /// Messages published.
        publish,
        /// Publishes confirmed.
        confirm,
        /// Publishes returned as unroutable.
        return_unroutable,
        /// Publishes dropped as unroutable.
        drop_unroutable,
        /// Messages acknowledged.
        ack,
        /// Messages fetched with an acknowledgement to come.
        get,
        /// Messages fetched without acknowledgement.
        get_no_ack,
        /// Fetches that found the queue empty.
        get_empty,
        /// Fetched messages that had been delivered before.
        redeliver,
    }
}

counter_set! {
    /// What a channel published to one exchange; written by its reactor.
    PairCounters: Counter {
        /// Messages published.
        publish,
        /// Publishes confirmed.
        confirm,
        /// Publishes returned as unroutable.
        return_unroutable,
        /// Publishes dropped as unroutable.
        drop_unroutable,
    }
}

counter_set! {
    /// What was delivered to a consumer; written under the lock of its queue.
    ConsumerCounters: Counter {
        /// Deliveries with an acknowledgement to come.
        deliver,
        /// Deliveries without acknowledgement.
        deliver_no_ack,
        /// Deliveries of messages that had been delivered before.
        redeliver,
        /// Deliveries acknowledged or rejected.
        ack,
    }
}

counter_set! {
    /// What happened in a queue; written under its lock.
    QueueCounters: Counter {
        /// Messages that entered.
        publish,
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
        /// Ready messages (gauge).
        messages_ready,
        /// Delivered and not settled messages (gauge).
        messages_unacknowledged,
        /// Bytes of ready bodies (gauge).
        message_bytes_ready,
        /// Bytes of delivered and not settled bodies (gauge).
        message_bytes_unacknowledged,
        /// Consumers (gauge).
        consumers,
    }
}

counter_set! {
    /// What went through an exchange; written by every reactor.
    ExchangeCounters: SharedCounter {
        /// Messages published to it.
        publish_in,
        /// Messages that it routed to queues, counted once per queue.
        publish_out,
    }
}
