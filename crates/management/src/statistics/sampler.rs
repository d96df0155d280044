//! Taking samples: everything that has counters is gone over once per tick, without a lock of the message path and
//! without waking a reactor.

use super::fields::{CHANNEL, DELIVERED, NODE, PUBLISHED, QUEUE, TOTALS};
use super::{RatesMode, Subject, Tick, now_ms};
use crate::process::Process;
use crate::shared::Shared;
use broker::{Broker, ChannelEntry, QueueCell, Vhost};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Samples for as long as the runtime is there.
pub(crate) async fn run(shared: Shared) {
    if !shared.statistics().settings().enabled {
        return;
    }
    let mut sampler = Sampler::default();
    loop {
        let tick_ms = shared.statistics().tick_ms();
        // Samples are at whole multiples of the interval, which is where requests ask for them.
        tokio::time::sleep(Duration::from_millis(tick_ms - now_ms() % tick_ms)).await;
        let shared = shared.clone();
        let taken = tokio::task::spawn_blocking(move || {
            sampler.take(&shared);
            sampler
        });
        match taken.await {
            Ok(same) => sampler = same,
            Err(_) => return,
        }
    }
}

type Totals = [u64; TOTALS.len()];

/// What is known from one tick to the next beside the samples.
#[derive(Default)]
struct Sampler {
    /// The broker that was looked at last; another one has counters that begin anew.
    broker: Weak<Broker>,
    /// Bytes that the connections of each virtual host received and sent, those of closed ones among them.
    bytes: HashMap<u64, [u64; 2]>,
}

impl Sampler {
    fn take(&mut self, shared: &Shared) {
        let statistics = shared.statistics();
        let Ok(broker) = shared.broker() else { return };
        if !std::ptr::eq(self.broker.as_ptr(), Arc::as_ptr(&broker)) {
            *self = Sampler { broker: Arc::downgrade(&broker), ..Sampler::default() };
            statistics.clear();
        }
        let Some(tick) = statistics.tick(now_ms()) else { return };
        self.sample_broker(&tick, statistics.settings().rates_mode, &broker);
        sample_node(&tick, &Process::read(), shared, &broker);
        tick.complete();
    }

    fn sample_broker(&mut self, tick: &Tick<'_>, mode: RatesMode, broker: &Broker) {
        let vhosts = broker.vhosts();
        self.bytes.retain(|id, _| vhosts.iter().any(|vhost| vhost.id == *id));
        self.sample_connections(tick, mode, broker, &vhosts);
        let stats = if mode == RatesMode::None { BTreeMap::new() } else { broker.vhost_message_stats() };
        let mut all = by_name(TOTALS, |visit| node_counters(mode, broker, visit));
        for vhost in &vhosts {
            let [mut ready, mut unacknowledged] = [0; 2];
            for cell in vhost.queues() {
                ready += cell.counters.messages_ready.value();
                unacknowledged += cell.counters.messages_unacknowledged.value();
                sample_queue(tick, mode, vhost, &cell);
            }
            if mode != RatesMode::None {
                sample_exchanges(tick, vhost);
            }
            let [received, sent] = self.bytes.get(&vhost.id).copied().unwrap_or_default();
            let values: Totals = by_name(TOTALS, |visit| {
                if let Some(stats) = stats.get(&vhost.name) {
                    stats.each(&mut *visit);
                }
                visit("messages_ready", ready);
                visit("messages_unacknowledged", unacknowledged);
                visit("recv_oct", received);
                visit("send_oct", sent);
            });
            for (name, value) in [
                ("messages_ready", ready),
                ("messages_unacknowledged", unacknowledged),
                ("recv_oct", received),
                ("send_oct", sent),
            ] {
                add(&mut all, name, value);
            }
            tick.sample(Subject::Vhost(vhost.id), &values, |_| {});
        }
        tick.sample(Subject::Broker, &all, |_| {});
    }

    fn sample_connections(&mut self, tick: &Tick<'_>, mode: RatesMode, broker: &Broker, vhosts: &[Arc<Vhost>]) {
        for connection in broker.connections() {
            let vhost = connection.vhost().and_then(|name| vhosts.iter().find(|vhost| vhost.name == *name));
            let values = [connection.received_bytes.value(), connection.sent().0];
            tick.sample(Subject::Connection(connection.id.0), &values, |changes| {
                if let Some(vhost) = vhost {
                    let sums = self.bytes.entry(vhost.id).or_default();
                    // A socket that is gone has sent nothing, as far as anybody knows.
                    sums.iter_mut().zip(changes).for_each(|(sum, change)| *sum += u64::try_from(*change).unwrap_or(0));
                }
            });
            if mode == RatesMode::None {
                continue;
            }
            for channel in connection.channels() {
                let subject = Subject::Channel(connection.id.0, channel.number);
                let values: [u64; CHANNEL.len()] = by_name(CHANNEL, |visit| channel.message_stats().each(visit));
                tick.sample(subject, &values, |_| {});
                if let (RatesMode::Detailed, Some(vhost)) = (mode, vhost) {
                    sample_pairs(tick, vhost, &channel);
                }
            }
        }
    }
}

/// Counters of the node under the names that RabbitMQ's overview has.
fn node_counters(mode: RatesMode, broker: &Broker, visit: &mut dyn FnMut(&'static str, u64)) {
    let totals = broker.node_totals();
    totals.churn.each(&mut *visit);
    let io = broker.disk_io();
    visit("disk_reads", io.reads);
    visit("disk_writes", io.writes);
    if mode == RatesMode::None {
        return;
    }
    let messages = totals.messages;
    for (name, value) in [
        ("publish", messages.received),
        ("confirm", messages.confirmed),
        ("deliver", messages.delivered_consume_manual_ack),
        ("deliver_no_ack", messages.delivered_consume_auto_ack),
        ("get", messages.delivered_get_manual_ack),
        ("get_no_ack", messages.delivered_get_auto_ack),
        ("get_empty", messages.get_empty),
        ("redeliver", messages.redelivered),
        ("ack", messages.acknowledged),
        ("return_unroutable", messages.unroutable_returned),
        ("drop_unroutable", messages.unroutable_dropped),
    ] {
        visit(name, value);
    }
}

fn add(totals: &mut Totals, name: &str, value: u64) {
    if let Some(at) = TOTALS.iter().position(|field| *field == name) {
        totals[at] += value;
    }
}

/// Fills the places of `fields` from counters that are given by name.
fn by_name<const N: usize>(fields: &[&str], visit: impl FnOnce(&mut dyn FnMut(&'static str, u64))) -> [u64; N] {
    let mut values = [0; N];
    visit(&mut |name, value| {
        if let Some(at) = fields.iter().position(|field| *field == name) {
            values[at] += value;
        }
    });
    values
}

fn sample_queue(tick: &Tick<'_>, mode: RatesMode, vhost: &Vhost, cell: &QueueCell) {
    let counters = &cell.counters;
    let rate = |value: u64| if mode == RatesMode::None { 0 } else { value };
    // In the order of the fields: looking for the places by name takes longer than all the rest, for each of 100,000.
    let values: [u64; QUEUE.len()] = [
        rate(counters.publish.value()),
        rate(counters.deliver.value()),
        rate(counters.ack.value()),
        counters.messages_ready.value(),
        counters.messages_unacknowledged.value(),
        rate(counters.deliver_no_ack.value()),
        rate(counters.redeliver.value()),
        rate(counters.get.value()),
        rate(counters.get_no_ack.value()),
        rate(counters.get_empty.value()),
    ];
    tick.sample(Subject::Queue(cell.quid), &values, |_| {});
    if mode == RatesMode::Detailed {
        for (exchange, messages) in cell.incoming() {
            let subject = Subject::Routed { vhost: vhost.id, exchange: exchange.id, queue: cell.quid };
            tick.sample(subject, &[messages], |_| {});
        }
    }
}

fn sample_exchanges(tick: &Tick<'_>, vhost: &Vhost) {
    for exchange in vhost.exchanges() {
        let values = [exchange.counters.publish_in.value(), exchange.counters.publish_out.value()];
        tick.sample(Subject::Exchange(vhost.id, exchange.id), &values, |_| {});
    }
}

fn sample_pairs(tick: &Tick<'_>, vhost: &Vhost, channel: &ChannelEntry) {
    let (connection, number) = (channel.connection.id.0, channel.number);
    for (name, pair) in channel.published() {
        let Some(exchange) = vhost.exchange(&name) else { continue };
        let values: [u64; PUBLISHED.len()] = by_name(PUBLISHED, |visit| pair.each(visit));
        let subject = Subject::Published { connection, channel: number, vhost: vhost.id, exchange: exchange.id };
        tick.sample(subject, &values, |_| {});
    }
    for (queue, stats) in channel.deliveries() {
        let values: [u64; DELIVERED.len()] = by_name(DELIVERED, |visit| stats.each(visit));
        let subject = Subject::Delivered { connection, channel: number, queue: queue.quid };
        tick.sample(subject, &values, |_| {});
    }
}

fn sample_node(tick: &Tick<'_>, process: &Process, shared: &Shared, broker: &Broker) {
    let io = broker.disk_io();
    let values: [u64; NODE.len()] = by_name(NODE, |visit| {
        visit("mem_used", process.resident_bytes);
        visit("fd_used", process.descriptors);
        visit("sockets_used", shared.sockets_used(broker));
        visit("disk_free", shared.disk().0);
        visit("proc_used", process.threads);
        visit("context_switches", process.context_switches);
        visit("io_read_count", io.reads);
        visit("io_read_bytes", io.read_bytes);
        visit("io_write_count", io.writes);
        visit("io_write_bytes", io.written_bytes);
        visit("io_sync_count", io.syncs);
    });
    tick.sample(Subject::Node, &values, |_| {});
}
