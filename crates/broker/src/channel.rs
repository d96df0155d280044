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
use crate::counters::PairCounters;
use crate::delivery::ChannelLimit;
use crate::directory::{ChannelEntry, ConnectionEntry, Source, Subscription};
use crate::limits::Place;
use crate::topology::{Exchange, Route};
use std::sync::Arc;

/// What becomes of a channel's publishes.
#[derive(Default)]
pub(crate) enum Mode {
    #[default]
    Plain,
    Confirm(Confirms),
    Tx(Box<Transaction>),
}

/// The exchange and route of the last publish, which the next one most likely shares.
#[derive(Default)]
pub(crate) struct LastPublish {
    /// The exchange, with the generation that it had.
    pub(crate) exchange: Option<(Arc<Exchange>, u64)>,
    /// What the channel published to it.
    pub(crate) pair: Option<Arc<PairCounters>>,
    /// State of the permissions when the exchange was checked.
    pub(crate) permissions: u64,
    /// True when topic permissions have to be asked for each key.
    pub(crate) restricted: bool,
    pub(crate) routing_key: Vec<u8>,
    pub(crate) route: Option<Arc<Route>>,
}

pub(crate) struct Channel {
    pub(crate) number: u16,
    /// What others see of it.
    pub(crate) entry: Arc<ChannelEntry>,
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
    pub(crate) subscriptions: Vec<Arc<Subscription>>,
    /// Where they are counted; whoever looks at a subscription may have it for longer than it lasts.
    pub(crate) consumer_places: Vec<Place>,
    /// The queue declared last, which an empty name means.
    pub(crate) last_queue: Option<Arc<str>>,
    pub(crate) assembly: Option<Box<Assembly>>,
    pub(crate) last_publish: LastPublish,
    /// Where it is counted.
    pub(crate) places: [Option<Place>; 2],
    /// Where it is counted once it has published.
    pub(crate) publisher: Option<Place>,
    /// True once it has fetched messages.
    pub(crate) fetches: bool,
}

impl Channel {
    pub(crate) fn new(
        conn: &Arc<ConnectionEntry>,
        number: u16,
        slot: usize,
        prefetch: u16,
        limit: Arc<ChannelLimit>,
    ) -> Channel {
        Channel {
            number,
            entry: ChannelEntry::new(number, conn.clone(), prefetch, limit.clone()),
            incarnation: 0,
            slot,
            closing: false,
            mode: Mode::Plain,
            prefetch,
            limit,
            subscriptions: Vec::new(),
            consumer_places: Vec::new(),
            last_queue: None,
            assembly: None,
            last_publish: LastPublish::default(),
            places: [None, None],
            publisher: None,
            fetches: false,
        }
    }

    /// A consumer begins.
    pub(crate) fn subscribe(&mut self, subscription: Subscription, place: Place) {
        self.consumer_places.push(place);
        let subscription = Arc::new(subscription);
        self.entry.add_consumer(&subscription);
        self.subscriptions.push(subscription);
    }

    /// The consumer at this place ends.
    pub(crate) fn unsubscribe(&mut self, at: usize) -> Arc<Subscription> {
        let subscription = self.subscriptions.remove(at);
        self.consumer_places.pop();
        self.entry.remove_consumer(&subscription);
        subscription
    }

    /// All consumers end.
    pub(crate) fn unsubscribe_all(&mut self) -> Vec<Arc<Subscription>> {
        self.entry.remove_consumers();
        self.consumer_places.clear();
        std::mem::take(&mut self.subscriptions)
    }

    /// The counters of publishes to an exchange, which is most likely that of the last one.
    pub(crate) fn pair_with(&self, exchange: &Arc<Exchange>) -> Arc<PairCounters> {
        let last = &self.last_publish;
        match (&last.pair, &last.exchange) {
            (Some(pair), Some((last, _))) if Arc::ptr_eq(last, exchange) => pair.clone(),
            _ => self.entry.published_to(&exchange.name),
        }
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

    /// What the user may do has to be found out again.
    pub(crate) fn forget_permissions(&mut self) {
        self.open.iter_mut().for_each(|channel| channel.last_publish.exchange = None);
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}
