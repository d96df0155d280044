//! A client of the simulation: what it did, and what it may expect.

use crate::oracle::{MessageId, Oracle, Seen};
use crate::{QUEUES, queue_name};
use amqp::method::{basic, channel, confirm, connection};
use amqp::{Method, Properties};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use testkit::engine::{Arrival, Client, Random, consume, publish};

/// A delivery that the client has not settled.
struct Held {
    queue: usize,
    id: MessageId,
    consumer: Option<String>,
}

/// A consumer of the channel, cancelled ones among them: their deliveries may still be on the way.
struct Consumer {
    queue: usize,
    no_ack: bool,
    prefetch: usize,
    active: bool,
    /// The last message of each publisher that came for the first time.
    last: BTreeMap<u32, u32>,
}

/// An open channel.
struct Channel {
    publisher: u32,
    published: u32,
    /// Publishes by confirm tag; `None` without confirms.
    unconfirmed: Option<BTreeMap<u64, MessageId>>,
    last_tag: u64,
    /// Unroutable mandatory publishes that have not come back.
    unreturned: BTreeSet<MessageId>,
    prefetch: u16,
    consumers: BTreeMap<String, Consumer>,
    gets: VecDeque<(usize, bool)>,
    held: BTreeMap<u64, Held>,
    /// Answers to basic.recover that are still to come.
    recovering: usize,
    closing: bool,
}

/// A client with one connection.
pub struct Actor {
    pub client: Client,
    /// It may break off: then it must not consume with automatic acknowledgement, which would lose messages.
    fragile: bool,
    is_over_store: bool,
    channels: BTreeMap<u16, Channel>,
    /// What it settled on this connection.
    settled: Vec<(usize, MessageId)>,
    pub closing: bool,
    pub closed: bool,
}

/// Numbers that no two channels or consumers share, and what all clients have in common.
pub struct Names {
    /// Nobody consumes with automatic acknowledgement, and what is confirmed is on disk.
    are_all_careful: bool,
    publishers: u32,
    consumers: u32,
}

impl Names {
    pub fn new(are_all_careful: bool) -> Names {
        Names { are_all_careful, publishers: 0, consumers: 0 }
    }
}

impl Actor {
    pub fn new(client: Client, fragile: bool, is_over_store: bool) -> Actor {
        let channels = BTreeMap::new();
        Actor { client, fragile, is_over_store, channels, settled: Vec::new(), closing: false, closed: false }
    }

    /// Does one thing or another.
    pub fn act(&mut self, random: &mut Random, oracle: &mut Oracle, names: &mut Names) {
        if self.closing || self.closed {
            return;
        }
        let number = 1 + random.below(3) as u16;
        match self.channels.get(&number) {
            None => return self.open_channel(number, random, names),
            Some(channel) if channel.closing => return,
            Some(_) => {}
        }
        match random.below(100) {
            0..=39 => self.publish(number, random, oracle, names),
            40..=49 => self.consume(number, random, names),
            50..=54 => self.get(number, random),
            55..=79 => self.settle(number, random, oracle),
            80..=83 => self.cancel(number, random),
            84..=85 => self.recover(number, oracle),
            86..=87 => self.qos(number, random),
            88..=90 => self.close_channel(number, oracle),
            91 => self.close(oracle),
            92 if self.fragile => self.break_off(oracle),
            _ => self.choose_window(random),
        }
    }

    fn channel(&mut self, number: u16) -> &mut Channel {
        self.channels.get_mut(&number).expect("an open channel")
    }

    fn open_channel(&mut self, number: u16, random: &mut Random, names: &mut Names) {
        self.client.method(number, &Method::ChannelOpen(channel::Open {}));
        let confirms = random.chance(50);
        if confirms {
            self.client.method(number, &Method::ConfirmSelect(confirm::Select { nowait: true }));
        }
        names.publishers += 1;
        self.channels.insert(
            number,
            Channel {
                publisher: names.publishers,
                published: 0,
                unconfirmed: confirms.then(BTreeMap::new),
                last_tag: 0,
                unreturned: BTreeSet::new(),
                prefetch: 0,
                consumers: BTreeMap::new(),
                gets: VecDeque::new(),
                held: BTreeMap::new(),
                recovering: 0,
                closing: false,
            },
        );
    }

    fn publish(&mut self, number: u16, random: &mut Random, oracle: &mut Oracle, names: &Names) {
        for _ in 0..1 + random.below(20) {
            let channel = self.channel(number);
            channel.published += 1;
            let id = (channel.publisher, channel.published);
            if let Some(unconfirmed) = &mut channel.unconfirmed {
                channel.last_tag += 1;
                unconfirmed.insert(channel.last_tag, id);
            }
            let queue = random.below(QUEUES);
            let (exchange, routing_key, mandatory) = match random.below(20) {
                0 => ("", "nowhere".to_owned(), true),
                1..=4 => ("amq.fanout", String::new(), random.chance(50)),
                _ => ("", queue_name(queue), random.chance(20)),
            };
            match exchange {
                _ if routing_key == "nowhere" => drop(channel.unreturned.insert(id)),
                "amq.fanout" => (0..QUEUES).for_each(|queue| oracle.published(queue, id)),
                _ => oracle.published(queue, id),
            }
            let is_to_durable = routing_key != "nowhere" && (exchange == "amq.fanout" || queue > 0);
            let size = if random.chance(2) { 70_000 } else { random.pick(&[0, 0, 0, 10, 100, 300, 1000, 5000]) };
            let mut body = format!("{} {} ", id.0, id.1).into_bytes();
            body.resize(body.len() + size, b'x');
            let publish = basic::Publish { mandatory, ..publish(exchange, &routing_key) };
            let delivery_mode = random.pick(&[None, Some(1), Some(2), Some(2)]);
            // To a consumer without acknowledgements it may go straight, past the log.
            if delivery_mode == Some(2) && names.are_all_careful && is_to_durable {
                oracle.must_be_logged(id);
            }
            self.client.publish(number, publish, &Properties { delivery_mode, ..Properties::default() }, &body);
        }
    }

    fn consume(&mut self, number: u16, random: &mut Random, names: &mut Names) {
        names.consumers += 1;
        let tag = format!("c{}", names.consumers);
        let no_ack = !self.fragile && !names.are_all_careful && random.chance(40);
        let queue = random.below(QUEUES);
        self.client.method(number, &Method::BasicConsume(consume(&queue_name(queue), &tag, no_ack)));
        let channel = self.channel(number);
        let prefetch = usize::from(channel.prefetch);
        channel.consumers.insert(tag, Consumer { queue, no_ack, prefetch, active: true, last: BTreeMap::new() });
    }

    fn get(&mut self, number: u16, random: &mut Random) {
        let no_ack = !self.fragile && random.chance(40);
        let queue = random.below(QUEUES);
        self.client.method(number, &Method::BasicGet(basic::Get { queue: &queue_name(queue), no_ack }));
        self.channel(number).gets.push_back((queue, no_ack));
    }

    /// Acknowledges, rejects or returns one delivery or all up to one.
    fn settle(&mut self, number: u16, random: &mut Random, oracle: &mut Oracle) {
        let channel = self.channels.get_mut(&number).expect("an open channel");
        let tags: Vec<u64> = channel.held.keys().copied().collect();
        if tags.is_empty() {
            return;
        }
        let delivery_tag = random.pick(&tags);
        let multiple = random.chance(50);
        let (method, requeue) = match random.below(4) {
            0 => {
                let requeue = random.chance(50);
                (Method::BasicNack(basic::Nack { delivery_tag, multiple, requeue }), requeue)
            }
            1 if !multiple => {
                let requeue = random.chance(50);
                (Method::BasicReject(basic::Reject { delivery_tag, requeue }), requeue)
            }
            _ => (Method::BasicAck(basic::Ack { delivery_tag, multiple }), false),
        };
        let from = if multiple { 0 } else { delivery_tag };
        for tag in tags.into_iter().filter(|tag| (from..=delivery_tag).contains(tag)) {
            let Some(Held { queue, id, .. }) = channel.held.remove(&tag) else { continue };
            if requeue {
                oracle.returned(queue, id);
            } else {
                oracle.settled(queue, id);
                self.settled.push((queue, id));
            }
        }
        self.client.method(number, &method);
    }

    fn cancel(&mut self, number: u16, random: &mut Random) {
        let channel = self.channel(number);
        let mut active: Vec<_> = channel.consumers.iter_mut().filter(|(_, consumer)| consumer.active).collect();
        if active.is_empty() {
            return;
        }
        let at = random.below(active.len());
        let (tag, consumer) = &mut active[at];
        consumer.active = false;
        let cancel = basic::Cancel { consumer_tag: tag, nowait: false };
        let mut frame = Vec::new();
        amqp::frame::write_method(&mut frame, number, &Method::BasicCancel(cancel));
        self.client.wire.send(&frame);
    }

    fn recover(&mut self, number: u16, oracle: &mut Oracle) {
        self.client.method(number, &Method::BasicRecover(basic::Recover { requeue: true }));
        let channel = self.channel(number);
        channel.recovering += 1;
        channel.let_go(oracle);
    }

    fn qos(&mut self, number: u16, random: &mut Random) {
        let global = random.chance(30);
        let prefetch_count = random.pick(&[0, 1, 3, 10]);
        self.client.method(number, &Method::BasicQos(basic::Qos { prefetch_size: 0, prefetch_count, global }));
        if !global {
            self.channel(number).prefetch = prefetch_count;
        }
    }

    fn close_channel(&mut self, number: u16, oracle: &mut Oracle) {
        let close = channel::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
        self.client.method(number, &Method::ChannelClose(close));
        let channel = self.channel(number);
        channel.closing = true;
        channel.let_go(oracle);
    }

    /// Closes the connection in order; what is on the way is read until the answer comes.
    pub fn close(&mut self, oracle: &mut Oracle) {
        if self.closing || self.closed {
            return;
        }
        let close = connection::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 };
        self.client.method(0, &Method::ConnectionClose(close));
        self.closing = true;
        self.channels.values_mut().for_each(|channel| channel.let_go(oracle));
    }

    /// The client is gone without a word.
    fn break_off(&mut self, oracle: &mut Oracle) {
        self.client.wire.break_off();
        self.closed = true;
        for channel in self.channels.values_mut() {
            channel.let_go(oracle);
            oracle.publisher_broke(channel.publisher);
        }
        self.settled.drain(..).for_each(|(queue, id)| oracle.settlement_unsure(queue, id));
    }

    fn choose_window(&self, random: &mut Random) {
        self.client.wire.set_window(random.pick(&[0, 10, 3000, 1 << 20, usize::MAX]));
        self.client.wire.set_most_per_write(random.pick(&[50, 1000, usize::MAX]));
    }

    /// Reads what has arrived.
    pub fn observe(&mut self, oracle: &mut Oracle) {
        let arrivals: Vec<Arrival> = self.client.arrivals().collect();
        if !self.closed {
            arrivals.into_iter().for_each(|arrival| self.arrived(arrival, oracle));
        }
    }

    fn arrived(&mut self, arrival: Arrival, oracle: &mut Oracle) {
        let number = arrival.channel;
        let connection_closing = self.closing;
        if number == 0 {
            match arrival.method() {
                Method::ConnectionCloseOk(_) if self.closing => return self.ended(),
                other => panic!("{other:?} on channel 0"),
            }
        }
        let channel = self.channel(number);
        let stale = connection_closing || channel.closing || channel.recovering > 0;
        match arrival.method() {
            Method::BasicDeliver(deliver) => {
                let (queue, no_ack) = channel.check_consumer(&deliver, message_id(&arrival.body));
                let (id, tag, redelivered) = (message_id(&arrival.body), deliver.delivery_tag, deliver.redelivered);
                oracle.delivered(Seen { queue, id, redelivered, no_ack, stale: stale && !no_ack });
                if !no_ack && !stale {
                    channel.held.insert(tag, Held { queue, id, consumer: Some(deliver.consumer_tag.to_owned()) });
                    channel.check_prefetch(deliver.consumer_tag);
                }
            }
            Method::BasicGetOk(got) => {
                let (queue, no_ack) = channel.gets.pop_front().expect("basic.get was sent");
                let (id, redelivered) = (message_id(&arrival.body), got.redelivered);
                oracle.delivered(Seen { queue, id, redelivered, no_ack, stale: stale && !no_ack });
                if !no_ack && !stale {
                    channel.held.insert(got.delivery_tag, Held { queue, id, consumer: None });
                }
            }
            Method::BasicGetEmpty(_) => drop(channel.gets.pop_front().expect("basic.get was sent")),
            Method::BasicReturn(returned) => {
                assert_eq!((returned.reply_code, returned.reply_text), (312, "NO_ROUTE"));
                let id = message_id(&arrival.body);
                assert!(channel.unreturned.remove(&id), "{id:?} is returned once, and could not be routed");
            }
            Method::BasicAck(ack) => channel.check_confirm(ack, oracle),
            Method::BasicRecoverOk(_) => channel.recovering -= 1,
            Method::ChannelCloseOk(_) if channel.closing => drop(self.channels.remove(&number)),
            Method::ChannelOpenOk(_) | Method::BasicConsumeOk(_) | Method::BasicCancelOk(_) | Method::BasicQosOk(_) => {
            }
            other => panic!("{other:?} on channel {number}"),
        }
    }

    /// The connection came to its end in order: everything that was sent before is done, and the client hangs up.
    fn ended(&mut self) {
        self.client.wire.break_off();
        for channel in self.channels.values() {
            channel.check_returned();
            // A close does not wait for what still has to be written.
            if !self.is_over_store {
                channel.check_confirmed();
            }
        }
        (self.closing, self.closed) = (false, true);
        self.channels.clear();
        self.settled.clear();
    }

    /// Everything was sent, read and answered: nothing is left to expect.
    pub fn check_quiet(&self) {
        self.channels.values().for_each(Channel::check_returned);
        self.channels.values().for_each(Channel::check_confirmed);
    }
}

impl Channel {
    /// What it holds returns to the queues.
    fn let_go(&mut self, oracle: &mut Oracle) {
        for (_, Held { queue, id, .. }) in std::mem::take(&mut self.held) {
            oracle.returned(queue, id);
        }
    }

    /// The queue of a delivery, and whether it is acknowledged automatically.
    fn check_consumer(&mut self, deliver: &basic::Deliver<'_>, (publisher, number): MessageId) -> (usize, bool) {
        let consumer = self.consumers.get_mut(deliver.consumer_tag).expect("a consumer that was started");
        if !deliver.redelivered {
            let before = consumer.last.insert(publisher, number);
            assert!(before < Some(number), "{number} of publisher {publisher} was delivered after {before:?}");
        }
        (consumer.queue, consumer.no_ack)
    }

    fn check_prefetch(&self, tag: &str) {
        let limit = self.consumers[tag].prefetch;
        let held = self.held.values().filter(|held| held.consumer.as_deref() == Some(tag)).count();
        assert!(limit == 0 || held <= limit, "{tag} holds {held} messages with a prefetch of {limit}");
    }

    fn check_confirm(&mut self, ack: basic::Ack, oracle: &mut Oracle) {
        let unconfirmed = self.unconfirmed.as_mut().expect("confirms were asked for");
        assert!(unconfirmed.contains_key(&ack.delivery_tag), "{ack:?} is for a publish that waits for it");
        let first = if ack.multiple { 0 } else { ack.delivery_tag };
        let tags: Vec<u64> = unconfirmed.range(first..=ack.delivery_tag).map(|(tag, _)| *tag).collect();
        for id in tags.iter().filter_map(|tag| unconfirmed.remove(tag)) {
            assert!(!self.unreturned.contains(&id), "{id:?} is returned before it is confirmed");
            oracle.confirmed(id);
        }
    }

    fn check_confirmed(&self) {
        let unconfirmed = self.unconfirmed.as_ref().map_or(0, BTreeMap::len);
        assert_eq!(unconfirmed, 0, "every publish is confirmed");
    }

    fn check_returned(&self) {
        assert!(self.unreturned.is_empty(), "every unroutable mandatory publish is returned: {:?}", self.unreturned);
    }
}

/// Reads what [`Actor::publish`] wrote.
pub fn message_id(body: &[u8]) -> MessageId {
    let text = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
    let mut words = text.split(' ');
    let mut number = || words.next().and_then(|word| word.parse().ok()).expect("a body of the simulation");
    (number(), number())
}
