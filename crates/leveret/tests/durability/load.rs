//! Publishers and consumers that work until the broker is taken away, and tell the oracle.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use testkit::method::{ack, bare, nack, qos};
use testkit::{
    BrokerProcess, Consume, Event, Method, Properties, Publish, QueueDeclare, RawClient, confirm, delivery, id,
};

use crate::content;
use crate::oracle::{MessageId, Oracle, Seen};
use crate::support::{connect, declare, fanout, persistent};

/// The queues; `all` is bound to the first three.
pub const QUEUES: [&str; 4] = ["d0", "d1", "d2", "d3"];
const BOUND: [usize; 3] = [0, 1, 2];

/// Most that one publisher publishes in one round.
const MESSAGES: u32 = 10_000;
/// Unconfirmed messages of a publisher.
const WINDOW: usize = 64;
const PREFETCH: u16 = 500;
/// Deliveries that are settled together.
const BATCH: usize = 20;

/// What a publisher does.
#[derive(Clone, Copy, Debug)]
enum Publisher {
    /// To the exchange.
    Fanout,
    /// To the last queue.
    Direct,
    /// In turn to the exchange and the first queue, every fifth message transient.
    Mixed,
    /// In transactions of different length, to the exchange and the last queue.
    Transactional,
}

/// What a consumer does with its deliveries.
#[derive(Clone, Copy, Debug)]
enum Consumer {
    /// Acknowledges many at once.
    Multiple,
    /// Acknowledges each, and keeps some.
    Each,
    /// Puts some back first.
    Requeueing,
}

impl Publisher {
    const ALL: [Publisher; 4] = [Publisher::Fanout, Publisher::Direct, Publisher::Mixed, Publisher::Transactional];

    /// Where message `number` goes: exchange, routing key, queues.
    fn route(self, number: u32) -> (&'static str, &'static str, &'static [usize]) {
        let everywhere = ("all", "", &BOUND[..]);
        match self {
            Publisher::Direct => ("", QUEUES[3], &[3]),
            Publisher::Mixed if number.is_multiple_of(2) => ("", QUEUES[0], &[0]),
            Publisher::Transactional if number.is_multiple_of(3) => ("", QUEUES[3], &[3]),
            Publisher::Fanout | Publisher::Mixed | Publisher::Transactional => everywhere,
        }
    }

    fn is_persistent(self, number: u32) -> bool {
        !matches!(self, Publisher::Mixed) || !number.is_multiple_of(5)
    }

    fn send(self, client: &mut RawClient, message: MessageId) -> io::Result<()> {
        let (exchange, key, _) = self.route(message.1);
        let properties = if self.is_persistent(message.1) { persistent() } else { Properties::default() };
        client.try_publish(1, Publish::new(exchange, key), &properties, &content::body(message))
    }
}

/// Runs publishers and consumers while `end` is at work, which ends the broker. `round` varies who takes part and numbers
/// the publishers.
pub fn during(
    broker: &mut BrokerProcess,
    oracle: &mut Oracle,
    round: u32,
    end: impl FnOnce(&mut BrokerProcess, &dyn Fn()),
) {
    prepare(&mut connect(broker));
    let consumers = [
        (0, Consumer::Multiple),
        (1, Consumer::Each),
        (1, Consumer::Each),
        (2, Consumer::Requeueing),
        (3, Consumer::Multiple),
    ];
    // Each queue has rounds without consumers, and is long after them.
    let consumers = consumers.into_iter().filter(|(queue, _)| !(round as usize + queue).is_multiple_of(3));
    // Connected before anything can happen to the broker.
    let publishing = Publisher::ALL.map(|publisher| (publisher, publishing_client(broker, publisher)));
    let consuming: Vec<_> = consumers.map(|(queue, consumer)| (queue, consumer, consuming_client(broker))).collect();
    let load = &Load { oracle: Mutex::new(oracle), over: AtomicBool::new(false) };
    thread::scope(|scope| {
        for (number, (publisher, client)) in (0..).zip(publishing) {
            scope.spawn(move || load.publish(client, publisher, round * 100 + number));
        }
        for (number, (queue, consumer, client)) in (0..).zip(consuming) {
            scope.spawn(move || load.consume(client, consumer, queue, number));
        }
        let _over = Over(&load.over);
        end(broker, &|| load.oracle().stopping());
    });
}

/// Declares what the load needs, anew after each restart.
#[track_caller]
pub fn prepare(client: &mut RawClient) {
    declare(client, &QUEUES);
    fanout(client, &BOUND.map(|queue| QUEUES[queue]));
}

#[track_caller]
fn publishing_client(broker: &BrokerProcess, publisher: Publisher) -> RawClient {
    let mut client = connect(broker);
    match publisher {
        Publisher::Transactional => drop(client.call(1, bare(id::TX_SELECT))),
        _ => client.confirm_select(1),
    }
    client
}

#[track_caller]
fn consuming_client(broker: &BrokerProcess) -> RawClient {
    let mut client = connect(broker);
    client.call(1, qos(PREFETCH, false));
    client
}

/// Lets the clients end, however the test does.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Load<'a> {
    oracle: Mutex<&'a mut Oracle>,
    over: AtomicBool,
}

impl<'a> Load<'a> {
    fn oracle(&self) -> MutexGuard<'_, &'a mut Oracle> {
        self.oracle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next event, or an error when the connection or the test is over.
    fn next(&self, client: &mut RawClient) -> io::Result<Option<Event>> {
        let event = client.try_next(Duration::from_millis(20))?;
        if event.as_ref().is_some_and(|event| event.method.id == id::CONNECTION_CLOSE) {
            client.try_send(0, &bare(id::CONNECTION_CLOSE_OK))?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        // What came before the end is still told to the oracle.
        if event.is_none() && self.over.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(event)
    }

    fn publish(&self, mut client: RawClient, publisher: Publisher, publisher_id: u32) {
        // Both end when the broker does.
        let _ = match publisher {
            Publisher::Transactional => self.transact(&mut client, publisher, publisher_id),
            _ => self.publish_confirmed(&mut client, publisher, publisher_id),
        };
    }

    fn publish_confirmed(&self, client: &mut RawClient, publisher: Publisher, publisher_id: u32) -> io::Result<()> {
        let mut unconfirmed: BTreeSet<u64> = BTreeSet::new();
        for number in 1..=MESSAGES {
            while unconfirmed.len() >= WINDOW {
                self.read_confirm(client, publisher_id, &mut unconfirmed)?;
            }
            unconfirmed.insert(u64::from(number));
            let message = (publisher_id, number);
            self.oracle().published(message, publisher.route(number).2, publisher.is_persistent(number));
            publisher.send(client, message)?;
        }
        while !unconfirmed.is_empty() {
            self.read_confirm(client, publisher_id, &mut unconfirmed)?;
        }
        Ok(())
    }

    /// Delivery tags of a channel are the numbers of its publishes.
    fn read_confirm(
        &self,
        client: &mut RawClient,
        publisher_id: u32,
        unconfirmed: &mut BTreeSet<u64>,
    ) -> io::Result<()> {
        let Some(event) = self.next(client)? else { return Ok(()) };
        let Some(confirm) = confirm(&event) else { return Ok(()) };
        let later = unconfirmed.split_off(&(confirm.delivery_tag + 1));
        let mut covered = std::mem::replace(unconfirmed, later);
        if !confirm.multiple {
            covered.remove(&confirm.delivery_tag);
            unconfirmed.append(&mut covered);
            covered.insert(confirm.delivery_tag);
        }
        assert!(confirm.ack, "{covered:?} of publisher {publisher_id} rejected");
        for tag in covered {
            self.oracle().confirmed((publisher_id, tag as u32));
        }
        Ok(())
    }

    fn transact(&self, client: &mut RawClient, publisher: Publisher, publisher_id: u32) -> io::Result<()> {
        let mut number = 0;
        while number < MESSAGES {
            let ids: Vec<MessageId> = (0..1 + number % 20).map(|more| (publisher_id, number + 1 + more)).collect();
            number += ids.len() as u32;
            for message in &ids {
                publisher.send(client, *message)?;
            }
            // Not before: without a commit none of them may ever be seen.
            for message in &ids {
                self.oracle().published(*message, publisher.route(message.1).2, true);
            }
            self.oracle().committing(&ids);
            client.try_send(1, &bare(id::TX_COMMIT))?;
            while self.next(client)?.is_none_or(|event| event.method.id != (90, 21)) {}
            for message in ids {
                self.oracle().confirmed(message);
            }
        }
        Ok(())
    }

    fn consume(&self, mut client: RawClient, consumer: Consumer, queue: usize, consumer_id: u32) {
        let _ = self.consume_until_end(&mut client, consumer, queue, consumer_id);
    }

    fn consume_until_end(
        &self,
        client: &mut RawClient,
        consumer: Consumer,
        queue: usize,
        consumer_id: u32,
    ) -> io::Result<()> {
        let ordered_consumer = (!matches!(consumer, Consumer::Requeueing)).then_some(consumer_id);
        client.try_send(1, &Consume::new(QUEUES[queue], "").into())?;
        let mut unsettled: Vec<(u64, MessageId, bool)> = Vec::new();
        let mut asked: VecDeque<Vec<(usize, MessageId)>> = VecDeque::new();
        loop {
            let event = self.next(client)?;
            let is_idle = event.is_none();
            match event {
                Some(event) if event.method.id == id::BASIC_DELIVER => {
                    let delivery = delivery(event);
                    let (message, redelivered) = (content::id_of(&delivery.body), delivery.redelivered);
                    self.oracle().delivered(Seen { queue, id: message, redelivered, ordered_consumer });
                    unsettled.push((delivery.delivery_tag, message, redelivered));
                }
                // The answer to the question behind some acknowledgements.
                Some(event) if event.method.id == (50, 11) => {
                    self.oracle().acks_read(asked.pop_front().unwrap_or_default());
                }
                _ => {}
            }
            if unsettled.len() >= BATCH || is_idle && !unsettled.is_empty() {
                asked.push_back(self.settle(client, consumer, queue, std::mem::take(&mut unsettled))?);
                client.try_send(1, &Method::from(QueueDeclare::passive(QUEUES[queue])))?;
            }
        }
    }

    /// Settles deliveries and returns what it acknowledged.
    fn settle(
        &self,
        client: &mut RawClient,
        consumer: Consumer,
        queue: usize,
        deliveries: Vec<(u64, MessageId, bool)>,
    ) -> io::Result<Vec<(usize, MessageId)>> {
        let last = deliveries.last().map_or(0, |(tag, ..)| *tag);
        let mut acked = Vec::new();
        for (tag, message, redelivered) in deliveries {
            let is_kept = matches!(consumer, Consumer::Each) && message.1 % 97 == 13;
            let is_returned = matches!(consumer, Consumer::Requeueing) && message.1 % 20 == 7 && !redelivered;
            if is_returned {
                self.oracle().requeued(queue, message);
                client.try_send(1, &nack(tag, false, true))?;
            } else if !is_kept {
                self.oracle().acked(queue, message);
                acked.push((queue, message));
                if !matches!(consumer, Consumer::Multiple) {
                    client.try_send(1, &ack(tag, false))?;
                }
            }
        }
        if matches!(consumer, Consumer::Multiple) {
            client.try_send(1, &ack(last, true))?;
        }
        Ok(acked)
    }
}
