//! Deliveries: what a consumer is, how a message is encoded for it, and what a channel has not yet acknowledged.

use crate::counters::{ConsumerCounters, Counter};
use crate::directory::ChannelEntry;
use crate::link::{Link, OUTPUT_HIGH};
use crate::output::Batch;
use crate::topology::QueueCell;
use amqp::FieldTable;
use amqp::frame::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD, FRAME_OVERHEAD};
use queue::{ConsumerKey, Entry, Gate};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use store::{Message, MessageParts};

/// Bodies up to this length are copied into the output; longer ones are referred to.
pub(crate) const INLINE_BODY: usize = 16 << 10;

const BASIC_DELIVER: [u8; 4] = [0, 60, 0, 60];
const BASIC_RETURN: [u8; 4] = [0, 60, 0, 50];
const BASIC_GET_OK: [u8; 4] = [0, 60, 0, 71];

/// What the consumers of a channel share with it.
#[derive(Default)]
pub(crate) struct ChannelLimit {
    /// Channel-wide prefetch limit (basic.qos with global set); 0 = none.
    pub(crate) limit: AtomicU32,
    /// Unacknowledged deliveries to consumers of the channel; kept only while there is a limit.
    pub(crate) used: AtomicU32,
    /// Deliveries of the channel that are not settled, those of basic.get among them (gauge); written under its
    /// connection's output.
    pub(crate) unacked: Counter,
}

impl ChannelLimit {
    /// True when there is a limit.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        self.limit.load(Ordering::Relaxed) != 0
    }

    /// True when there is a limit and it is reached.
    pub(crate) fn is_full(&self) -> bool {
        let limit = self.limit.load(Ordering::Acquire);
        limit != 0 && self.used.load(Ordering::Acquire) >= limit
    }

    /// Takes one place; false when there is none.
    fn acquire(&self) -> bool {
        let limit = self.limit.load(Ordering::Acquire);
        let take = |used: u32| (limit == 0 || used < limit).then_some(used + 1);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok()
    }

    /// Gives places back.
    pub(crate) fn release(&self, count: usize) {
        if self.limit.load(Ordering::Relaxed) == 0 {
            return;
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let give = |used: u32| Some(used.saturating_sub(count));
        // The closure never refuses.
        let _ = self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, give);
    }
}

/// A consumer, shared by its queue and its channel.
pub struct Consumer {
    pub(crate) link: Arc<Link>,
    /// The channel's place in the link's output.
    pub(crate) slot: usize,
    /// Channel number.
    pub channel: u16,
    /// Its channel.
    pub entry: Arc<ChannelEntry>,
    /// Consumer tag.
    pub tag: Arc<str>,
    /// The tag as it stands in methods: a byte of length and its bytes.
    pub(crate) tag_field: Box<[u8]>,
    /// True for automatic acknowledgement.
    pub no_ack: bool,
    /// True when it consumes exclusively.
    pub exclusive: bool,
    /// Prefetch limit that it was started with; 0 = none.
    pub prefetch: u16,
    /// Arguments of basic.consume.
    pub arguments: FieldTable,
    /// Its delivery acknowledgement timeout in ms.
    pub timeout_ms: Option<u64>,
    /// Name of its queue.
    pub queue: Arc<str>,
    pub(crate) channel_limit: Arc<ChannelLimit>,
    /// What was delivered to it.
    pub counters: ConsumerCounters,
}

/// A consumer tag as it stands in methods.
pub(crate) fn tag_field(tag: &str) -> Box<[u8]> {
    let tag = &tag.as_bytes()[..tag.len().min(255)];
    [&[tag.len() as u8], tag].concat().into()
}

/// Keeps messages from consumers whose connection or channel has enough to do.
pub(crate) struct OutputGate<'a> {
    pub(crate) cell: &'a Arc<QueueCell>,
}

impl Gate<Arc<Consumer>> for OutputGate<'_> {
    #[inline]
    fn admits(&mut self, consumer: &Arc<Consumer>, key: ConsumerKey) -> bool {
        let link = &consumer.link;
        if link.pending() >= OUTPUT_HIGH && link.starve(self.cell, key, || link.pending() >= OUTPUT_HIGH) {
            return false;
        }
        let limit = &consumer.channel_limit;
        if limit.limit.load(Ordering::Relaxed) == 0 {
            return true;
        }
        // RabbitMQ: a consumer without acknowledgements takes no place, but waits for one to be free.
        while !(if consumer.no_ack { !limit.is_full() } else { limit.acquire() }) {
            if link.starve(self.cell, key, || limit.is_full()) {
                return false;
            }
        }
        true
    }
}

/// A message to encode, borrowed from wherever it lies.
#[derive(Clone, Copy)]
pub(crate) struct Content<'a> {
    /// Exchange and routing key as they stand in methods.
    pub(crate) names: &'a [u8],
    pub(crate) header: &'a [u8],
    pub(crate) body: ContentBody<'a>,
}

#[derive(Clone, Copy)]
pub(crate) enum ContentBody<'a> {
    /// At most [`INLINE_BODY`] bytes.
    Bytes(&'a [u8]),
    Stored(&'a Message),
}

impl<'a> Content<'a> {
    #[inline]
    pub(crate) fn of(message: &'a Message) -> Content<'a> {
        let MessageParts { names, header, .. } = message.parts();
        let body = match message.body() {
            store::Body::Whole(bytes) if bytes.len() <= INLINE_BODY => ContentBody::Bytes(bytes),
            _ => ContentBody::Stored(message),
        };
        Content { names, header, body }
    }
}

/// Fills a slice from the front.
struct Fill<'a>(&'a mut [u8], usize);

impl Fill<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.0[self.1..self.1 + bytes.len()].copy_from_slice(bytes);
        self.1 += bytes.len();
    }

    #[inline]
    fn frame(&mut self, kind: u8, channel: u16, size: usize) {
        let [high, low] = channel.to_be_bytes();
        let [a, b, c, d] = (size as u32).to_be_bytes();
        self.put(&[kind, high, low, a, b, c, d]);
    }
}

/// The method arguments around exchange and routing key.
struct Envelope<'a> {
    method: [u8; 4],
    /// Before the exchange.
    before: [&'a [u8]; 2],
    /// After the routing key.
    after: &'a [u8],
}

/// Appends a delivery's frames.
#[inline]
pub(crate) fn encode_deliver(
    out: &mut Batch,
    consumer: &Consumer,
    tag: u64,
    redelivered: bool,
    frame_max: usize,
    content: &Content<'_>,
) {
    let mut fixed = [0; 9];
    fixed[..8].copy_from_slice(&tag.to_be_bytes());
    fixed[8] = u8::from(redelivered);
    let envelope = Envelope { method: BASIC_DELIVER, before: [&consumer.tag_field, &fixed], after: &[] };
    encode(out, consumer.channel, frame_max, &envelope, content);
}

/// Appends the frames of basic.get-ok.
pub(crate) fn encode_get_ok(
    out: &mut Batch,
    channel: u16,
    frame_max: usize,
    (tag, redelivered, remaining): (u64, bool, u32),
    content: &Content<'_>,
) {
    let mut fixed = [0; 9];
    fixed[..8].copy_from_slice(&tag.to_be_bytes());
    fixed[8] = u8::from(redelivered);
    let remaining = remaining.to_be_bytes();
    let envelope = Envelope { method: BASIC_GET_OK, before: [&fixed, &[]], after: &remaining };
    encode(out, channel, frame_max, &envelope, content);
}

/// Appends the frames of basic.return.
pub(crate) fn encode_return(
    out: &mut Batch,
    channel: u16,
    frame_max: usize,
    (code, text): (u16, &str),
    content: &Content<'_>,
) {
    let mut reason = Vec::with_capacity(3 + text.len());
    reason.extend_from_slice(&code.to_be_bytes());
    reason.push(text.len() as u8);
    reason.extend_from_slice(text.as_bytes());
    let envelope = Envelope { method: BASIC_RETURN, before: [&reason, &[]], after: &[] };
    encode(out, channel, frame_max, &envelope, content);
}

#[inline]
fn encode(out: &mut Batch, channel: u16, frame_max: usize, envelope: &Envelope<'_>, content: &Content<'_>) {
    let [before, between] = envelope.before;
    let arguments = 4 + before.len() + between.len() + content.names.len() + envelope.after.len();
    let most = frame_max - FRAME_OVERHEAD;
    let inline = match content.body {
        ContentBody::Bytes(bytes) => bytes,
        ContentBody::Stored(_) => &[],
    };
    let frames = if inline.len() <= most { usize::from(!inline.is_empty()) } else { inline.len().div_ceil(most) };
    let total = arguments + content.header.len() + inline.len() + FRAME_OVERHEAD * (2 + frames);
    let mut fill = Fill(out.space(total), 0);
    fill.frame(FRAME_METHOD, channel, arguments);
    fill.put(&envelope.method);
    fill.put(before);
    fill.put(between);
    fill.put(content.names);
    fill.put(envelope.after);
    fill.put(&[FRAME_END]);
    fill.frame(FRAME_HEADER, channel, content.header.len());
    fill.put(content.header);
    fill.put(&[FRAME_END]);
    for part in inline.chunks(most) {
        fill.frame(FRAME_BODY, channel, part.len());
        fill.put(part);
        fill.put(&[FRAME_END]);
    }
    debug_assert_eq!(fill.1, total, "the length was computed from the same parts");
    if let ContentBody::Stored(message) = content.body {
        encode_stored_body(out, channel, most, message);
    }
}

/// Appends body frames that refer to the stored body instead of copying it.
fn encode_stored_body(out: &mut Batch, channel: u16, most: usize, message: &Message) {
    let mut left = message.body_len();
    let mut room = 0;
    for slice in message.body_slices() {
        let mut at = 0;
        while at < slice.len() {
            if room == 0 {
                room = left.min(most);
                Fill(out.space(7), 0).frame(FRAME_BODY, channel, room);
            }
            let taken = room.min(slice.len() - at);
            out.refer(slice.part(at..at + taken));
            at += taken;
            room -= taken;
            left -= taken;
            if room == 0 {
                out.put(&[FRAME_END]);
            }
        }
    }
}

/// A delivery that waits for its acknowledgement.
pub(crate) struct Unacked {
    pub(crate) tag: u64,
    pub(crate) queue: Arc<QueueCell>,
    /// The consumer it went to; `None` for basic.get.
    pub(crate) consumer: Option<ConsumerKey>,
    pub(crate) entry: Entry,
    /// When its acknowledgement is overdue, in ms of the engine's clock.
    pub(crate) due_ms: u64,
    /// When it was delivered.
    pub(crate) since: Since,
}

/// A moment of the engine's clock in units of 16 ms, which wraps after two years: what fits where there was padding.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Since(u32);

impl Since {
    #[inline]
    pub(crate) fn at(now_ms: u64) -> Since {
        Since((now_ms >> 4) as u32)
    }

    /// How long ago that was, in ms.
    pub(crate) fn age_ms(self, now_ms: u64) -> u64 {
        u64::from(((now_ms >> 4) as u32).wrapping_sub(self.0)) << 4
    }
}

struct Place {
    tag: u64,
    unacked: Option<Unacked>,
}

/// What a channel delivered: the delivery tags and what is not acknowledged. Part of the connection's output, because
/// whoever delivers assigns the tag.
pub(crate) struct Deliveries {
    last_tag: u64,
    places: VecDeque<Place>,
    vacant: usize,
    pub(crate) limit: Arc<ChannelLimit>,
}

impl Deliveries {
    pub(crate) fn new(limit: Arc<ChannelLimit>) -> Deliveries {
        Deliveries { last_tag: 0, places: VecDeque::new(), vacant: 0, limit }
    }

    /// The tag for the next delivery.
    #[inline]
    pub(crate) fn take_tag(&mut self) -> u64 {
        self.last_tag += 1;
        self.last_tag
    }

    /// Keeps a delivery until it is settled; tags come in ascending order.
    #[inline]
    pub(crate) fn keep(&mut self, unacked: Unacked) {
        debug_assert!(self.places.back().is_none_or(|last| last.tag < unacked.tag), "tags ascend");
        self.places.push_back(Place { tag: unacked.tag, unacked: Some(unacked) });
        self.limit.unacked.add(1);
    }

    /// Delivery tags from `tag` on, oldest first, with what of them is not settled.
    pub(crate) fn from(&self, tag: u64) -> impl Iterator<Item = (u64, Option<&Unacked>)> {
        let first = self.places.partition_point(|place| place.tag < tag);
        self.places.range(first..).map(|place| (place.tag, place.unacked.as_ref()))
    }

    /// Deliveries that are not settled.
    pub(crate) fn unacked(&self) -> usize {
        self.places.len() - self.vacant
    }

    /// The settled deliveries of basic.ack, nack and reject, in order, appended to `taken`; false for an unknown tag.
    ///
    /// RabbitMQ: `multiple` with tag 0 means all and is right even when there are none.
    pub(crate) fn settle(&mut self, tag: u64, multiple: bool, taken: &mut Vec<Unacked>) -> bool {
        let is_known = self.take(tag, multiple, taken);
        self.note_unacked();
        is_known
    }

    fn take(&mut self, tag: u64, multiple: bool, taken: &mut Vec<Unacked>) -> bool {
        if !multiple {
            let Ok(at) = self.places.binary_search_by_key(&tag, |place| place.tag) else { return false };
            let Some(unacked) = self.places[at].unacked.take() else { return false };
            taken.push(unacked);
            self.vacant += 1;
            self.drop_vacant();
        } else if tag == 0 {
            self.take_all(taken);
        } else {
            // As in RabbitMQ, a tag that is not outstanding is an error even where lower ones are.
            let Ok(at) = self.places.binary_search_by_key(&tag, |place| place.tag) else { return false };
            if self.places[at].unacked.is_none() {
                return false;
            }
            for place in self.places.drain(..=at) {
                match place.unacked {
                    Some(unacked) => taken.push(unacked),
                    None => self.vacant -= 1,
                }
            }
            self.drop_vacant();
        }
        true
    }

    /// Takes everything, in order.
    pub(crate) fn take_all(&mut self, taken: &mut Vec<Unacked>) {
        taken.extend(self.places.drain(..).filter_map(|place| place.unacked));
        self.vacant = 0;
        self.note_unacked();
    }

    /// Takes what went to one consumer, in order.
    pub(crate) fn take_of(&mut self, queue: &Arc<QueueCell>, consumer: Option<ConsumerKey>, taken: &mut Vec<Unacked>) {
        for place in &mut self.places {
            if let Some(unacked) =
                place.unacked.take_if(|unacked| Arc::ptr_eq(&unacked.queue, queue) && unacked.consumer == consumer)
            {
                taken.push(unacked);
                self.vacant += 1;
            }
        }
        self.drop_vacant();
        self.recount();
    }

    /// Puts settled deliveries back that a transaction rolled back; they keep their tags.
    pub(crate) fn restore(&mut self, unacked: Vec<Unacked>) {
        for unacked in unacked {
            let tag = unacked.tag;
            let at = self.places.partition_point(|place| place.tag < tag);
            match self.places.get_mut(at).filter(|place| place.tag == tag) {
                Some(place) => {
                    place.unacked = Some(unacked);
                    self.vacant -= 1;
                }
                None => self.places.insert(at, Place { tag, unacked: Some(unacked) }),
            }
        }
        self.recount();
    }

    /// The outstanding deliveries, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Unacked> {
        self.places.iter().filter_map(|place| place.unacked.as_ref())
    }

    /// Sets the channel-wide limit, counting what is outstanding.
    pub(crate) fn set_limit(&self, limit: u32) {
        self.limit.limit.store(limit, Ordering::Release);
        self.recount();
    }

    fn note_unacked(&self) {
        self.limit.unacked.set(self.unacked() as u64);
    }

    fn recount(&self) {
        self.note_unacked();
        if self.limit.limit.load(Ordering::Relaxed) != 0 {
            let count = self.iter().filter(|unacked| unacked.consumer.is_some()).count();
            self.limit.used.store(count as u32, Ordering::Release);
        }
    }

    /// Forgets places whose delivery is settled: at the front always, elsewhere when they are the majority, so that one
    /// delivery that is never settled does not keep the places of all that followed.
    fn drop_vacant(&mut self) {
        while self.places.front().is_some_and(|place| place.unacked.is_none()) {
            self.places.pop_front();
            self.vacant -= 1;
        }
        if self.vacant > 64 && self.vacant > self.places.len() / 2 {
            self.places.retain(|place| place.unacked.is_some());
            self.vacant = 0;
        }
        if self.places.is_empty() && self.places.capacity() > 256 {
            self.places = VecDeque::new();
        }
    }
}
