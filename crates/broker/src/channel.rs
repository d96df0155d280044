//! A channel as its reactor holds it, and what its methods do.

mod basic;
pub(crate) mod binding;
mod confirm;
mod consume;
pub(crate) mod content;
pub(crate) mod exchange;
pub(crate) mod properties;
pub(crate) mod queue;
pub(crate) mod queue_arguments;
mod settle;
mod tx;

pub(crate) use content::Assembly;
pub(crate) use tx::Transaction;

use crate::confirms::Confirms;
use crate::counters::{ChannelCounters, Counter};
use crate::delivery::{ChannelLimit, Consumer};
use crate::limits::Place;
use crate::topology::{Exchange, QueueCell, Route};
use ::queue::ConsumerKey;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::Arc;

/// Exchanges whose publishes a channel counts apart.
const MOST_PAIRS: usize = 1024;

/// What becomes of a channel's publishes.
#[derive(Default)]
pub(crate) enum Mode {
    #[default]
    Plain,
    Confirm(Confirms),
    Tx(Box<Transaction>),
}

/// A consumer of the channel.
pub(crate) struct Subscription {
    pub(crate) consumer: Arc<Consumer>,
    pub(crate) source: Source,
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

/// The exchange and route of the last publish, which the next one most likely shares.
#[derive(Default)]
pub(crate) struct LastPublish {
    /// The exchange, with the generation that it had.
    pub(crate) exchange: Option<(Arc<Exchange>, u64)>,
    /// What the channel published to it.
    pub(crate) pair: Arc<Counter>,
    /// State of the permissions when the exchange was checked.
    pub(crate) permissions: u64,
    /// True when topic permissions have to be asked for each key.
    pub(crate) restricted: bool,
    pub(crate) routing_key: Vec<u8>,
    pub(crate) route: Option<Arc<Route>>,
}

pub(crate) struct Channel {
    pub(crate) number: u16,
    /// Tells it from other channels that had or will have its number.
    pub(crate) incarnation: u64,
    /// Its place in the link's output.
    pub(crate) slot: usize,
    /// True after we sent channel.close: everything but the answer is discarded.
    pub(crate) closing: bool,
    pub(crate) mode: Mode,
    /// Prefetch limit for consumers to come; 0 = none.
    pub(crate) prefetch: u16,
    pub(crate) limit: Arc<ChannelLimit>,
    pub(crate) subscriptions: Vec<Subscription>,
    /// The queue declared last, which an empty name means.
    pub(crate) last_queue: Option<Arc<str>>,
    pub(crate) assembly: Option<Box<Assembly>>,
    pub(crate) last_publish: LastPublish,
    pub(crate) counters: ChannelCounters,
    /// Where it is counted.
    pub(crate) places: [Option<Place>; 2],
    /// Publishes by exchange: the pair of a channel and an exchange. A channel and a queue are a [`Consumer`]'s pair.
    pub(crate) published: HashMap<Arc<str>, Arc<Counter>, RandomState>,
}

impl Channel {
    pub(crate) fn new(number: u16, slot: usize, prefetch: u16, limit: Arc<ChannelLimit>) -> Channel {
        Channel {
            number,
            incarnation: 0,
            slot,
            closing: false,
            mode: Mode::Plain,
            prefetch,
            limit,
            subscriptions: Vec::new(),
            last_queue: None,
            assembly: None,
            last_publish: LastPublish::default(),
            counters: ChannelCounters::default(),
            places: [None, None],
            published: HashMap::default(),
        }
    }

    /// The counter of publishes to an exchange.
    pub(crate) fn published_to(&mut self, exchange: &Arc<str>) -> Arc<Counter> {
        if self.published.len() >= MOST_PAIRS && !self.published.contains_key(exchange) {
            // A client that goes through exchanges without end: what was counted for others is let go.
            self.published.clear();
        }
        self.published.entry(exchange.clone()).or_default().clone()
    }

    pub(crate) fn is_transactional(&self) -> bool {
        matches!(self.mode, Mode::Tx(_))
    }

    pub(crate) fn subscription(&self, tag: &str) -> Option<usize> {
        self.subscriptions.iter().position(|subscription| &*subscription.consumer.tag == tag)
    }

    /// The address at which the channel gets direct replies.
    pub(crate) fn reply_address(&self) -> Option<&str> {
        self.subscriptions.iter().find_map(|subscription| match &subscription.source {
            Source::Replies { address } => Some(address.as_str()),
            Source::Queue { .. } => None,
        })
    }
}

/// The channels of a connection, by number.
#[derive(Default)]
pub(crate) struct Channels {
    /// Sorted by number.
    #[expect(clippy::vec_box, reason = "opening a channel must not move the others, which are large")]
    open: Vec<Box<Channel>>,
    /// Where the last one was found.
    last: usize,
}

impl Channels {
    #[inline]
    pub(crate) fn find(&mut self, number: u16) -> Option<&mut Channel> {
        if self.open.get(self.last).is_none_or(|channel| channel.number != number) {
            self.last = self.open.binary_search_by_key(&number, |channel| channel.number).ok()?;
        }
        self.open.get_mut(self.last).map(|channel| &mut **channel)
    }

    pub(crate) fn insert(&mut self, channel: Channel) {
        if let Err(at) = self.open.binary_search_by_key(&channel.number, |open| open.number) {
            self.open.insert(at, Box::new(channel));
        }
    }

    pub(crate) fn remove(&mut self, number: u16) -> Option<Box<Channel>> {
        let at = self.open.binary_search_by_key(&number, |channel| channel.number).ok()?;
        Some(self.open.remove(at))
    }

    pub(crate) fn numbers(&self) -> Vec<u16> {
        self.open.iter().map(|channel| channel.number).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.open.iter().map(|channel| &**channel)
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}
