//! The client that takes messages.

use super::{World, name};
use crate::history::check_delivery;
use crate::oracle::{Back, Oracle, QUEUES, Queue};
use amqp::Method;
use amqp::method::basic;
use testkit::engine::consume;

impl World {
    pub(super) fn get(&mut self) {
        let at = self.random.below(QUEUES);
        let entry = self.oracle.get(at);
        self.trace(|| format!("get from {at}: {entry:?}"));
        self.taker.method(1 + at as u16, &Method::BasicGet(basic::Get { queue: &name(at), no_ack: false }));
        self.rest();
        self.observe();
        let arrival = self.taker.expect(1 + at as u16);
        match (arrival.method(), entry) {
            (Method::BasicGetOk(got), Some(entry)) => {
                check_delivery(&arrival, got.redelivered, &entry);
                self.held.insert((at, entry.seq), got.delivery_tag);
            }
            (Method::BasicGetEmpty(_), None) => {}
            (found, expected) => panic!("queue {at}: {found:?} instead of {expected:?}"),
        }
    }

    pub(super) fn consume(&mut self) {
        let at = self.random.below(QUEUES);
        if self.oracle.queues[at].consumer.is_some() {
            return;
        }
        let prefetch_count = 1 + self.random.below(3) as u16;
        let channel = 1 + at as u16;
        self.taker.method(channel, &Method::BasicQos(basic::Qos { prefetch_size: 0, prefetch_count, global: false }));
        self.taker.method(channel, &Method::BasicConsume(consume(&name(at), &name(at), false)));
        self.trace(|| format!("consume from {at} with {prefetch_count}"));
        self.oracle.consume(at, usize::from(prefetch_count));
        self.rest();
        assert!(matches!(self.taker.expect(channel).method(), Method::BasicQosOk(_)));
        assert!(matches!(self.taker.expect(channel).method(), Method::BasicConsumeOk(_)));
    }

    pub(super) fn settle(&mut self) {
        self.rest();
        self.observe();
        let Some((&(at, seq), &delivery_tag)) = self.held.iter().nth(self.random.below(self.held.len().max(1))) else {
            return;
        };
        let how = self.random.below(4);
        let done = self.try_in_oracle(|oracle| match how {
            0 => oracle.ack(at, seq),
            1 => oracle.reject(at, seq),
            2 => oracle.requeue(at, seq, Back::Reject),
            _ => oracle.requeue(at, seq, Back::Nack),
        });
        if done.is_none() {
            return;
        }
        let method = match how {
            0 => Method::BasicAck(basic::Ack { delivery_tag, multiple: false }),
            1 | 2 => Method::BasicReject(basic::Reject { delivery_tag, requeue: how == 2 }),
            _ => Method::BasicNack(basic::Nack { delivery_tag, multiple: false, requeue: true }),
        };
        self.trace(|| format!("settle {seq} of {at}: {method:?}"));
        self.held.remove(&(at, seq));
        self.taker.method(1 + at as u16, &method);
        self.rest();
        self.observe();
    }

    pub(super) fn break_off(&mut self) {
        if self.try_in_oracle(Oracle::break_off).is_none() {
            return;
        }
        self.trace(|| "break off".to_owned());
        self.taker.wire.break_off();
        self.rest();
        self.held.clear();
        self.taker = self.engine.connect_with_channel(self.shards - 1);
        self.open_channels();
        self.pass_to(self.engine.now().time_ms());
    }

    /// Everything is taken out; then nothing is left.
    pub fn finish(mut self) {
        self.rest();
        self.observe();
        for ((at, seq), delivery_tag) in std::mem::take(&mut self.held) {
            self.oracle.queues[at].consumer = None;
            self.taker
                .method(1 + at as u16, &Method::BasicCancel(basic::Cancel { consumer_tag: &name(at), nowait: true }));
            self.rest();
            self.taker.method(1 + at as u16, &Method::BasicAck(basic::Ack { delivery_tag, multiple: false }));
            self.oracle.ack(at, seq);
            self.rest();
            self.observe();
        }
        for at in 0..QUEUES {
            while let Some(entry) = self.oracle.get(at) {
                self.taker.method(1 + at as u16, &Method::BasicGet(basic::Get { queue: &name(at), no_ack: true }));
                self.rest();
                self.oracle.ack(at, entry.seq);
                let arrival = self.taker.expect(1 + at as u16);
                let Method::BasicGetOk(got) = arrival.method() else { panic!("queue {at} has {entry:?}") };
                check_delivery(&arrival, got.redelivered, &entry);
            }
        }
        self.rest();
        self.check();
        if self.oracle.queues.iter().all(Queue::is_at_rest) {
            self.publisher.wire.break_off();
            self.taker.wire.break_off();
            self.engine.settle();
            for shard in 0..self.shards {
                self.engine.reactor(shard).rest();
            }
            assert_eq!(self.engine.broker.message_memory(), 0, "bytes of message memory");
            if let Some(storage) = &self.engine.storage {
                assert_eq!(storage.store.disk_bytes().cold_live_bytes, 0, "bytes of messages in cold segments");
            }
        }
    }
}
