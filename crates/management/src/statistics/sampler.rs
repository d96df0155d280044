//! Taking samples: everything that has counters is gone over once per tick, without a lock of the message path and
//! without waking a reactor.

use super::fields::{CHANNEL, DELIVERED, NODE, PUBLISHED, TOTALS};
use super::{RatesMode, Subject, Tick, now_ms};
use crate::process::Process;
use crate::service::Shared;
use broker::{Broker, ChannelEntry, QueueCell, Vhost};
use std::collections::HashMap;
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
pub(super) struct Sampler {
    /// The broker that was looked at last; another one has counters that begin anew.
    broker: Weak<Broker>,
    /// What happened in each virtual host since it is known, deleted queues and closed channels among it.
    vhosts: HashMap<u64, Totals>,
    /// The same for the broker, deleted virtual hosts among it.
    all: Totals,
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
        let disk_free = shared.disk().0;
        sample_node(&tick, &Process::read(), disk_free, broker.object_totals().connections);
        tick.complete();
    }

    pub(super) fn sample_broker(&mut self, tick: &Tick<'_>, mode: RatesMode, broker: &Broker) {
        let vhosts = broker.vhosts();
        self.vhosts.retain(|id, _| vhosts.iter().any(|vhost| vhost.id == *id));
        let mut sums: HashMap<&str, Sum> = HashMap::with_capacity(vhosts.len());
        for vhost in &vhosts {
            let mut sum = Sum::default();
            vhost.queues().iter().for_each(|cell| sample_queue(tick, mode, cell, &mut sum));
            sample_exchanges(tick, mode, vhost);
            sums.insert(&vhost.name, sum);
        }
        let mut elsewhere = Sum::default();
        for connection in broker.connections() {
            let vhost = connection.vhost().and_then(|name| vhosts.iter().find(|vhost| vhost.name == *name));
            let sum = vhost.and_then(|vhost| sums.get_mut(&*vhost.name)).unwrap_or(&mut elsewhere);
            let values = [connection.received_bytes.value(), connection.sent().0];
            tick.sample(Subject::Connection(connection.id.0), &values, |changes| {
                sum.add("recv_oct", changes[0]);
                sum.add("send_oct", changes[1]);
            });
            if mode != RatesMode::None {
                for channel in connection.channels() {
                    sample_channel(tick, &channel, sum);
                    if let (RatesMode::Detailed, Some(vhost)) = (mode, vhost) {
                        sample_pairs(tick, vhost, &channel);
                    }
                }
            }
        }
        let mut gauges = Totals::default();
        for vhost in &vhosts {
            let Some(sum) = sums.get(&*vhost.name) else { continue };
            let totals = self.vhosts.entry(vhost.id).or_default();
            sum.add_to(totals);
            sum.add_to(&mut self.all);
            gauges.iter_mut().zip(&sum.gauges).for_each(|(all, gauge)| *all += gauge);
            tick.sample(Subject::Vhost(vhost.id), &with_gauges(totals, &sum.gauges), |_| {});
        }
        tick.sample(Subject::Broker, &with_gauges(&self.all, &gauges), |_| {});
    }
}

/// Totals with the gauges among them as they are now.
fn with_gauges(totals: &Totals, gauges: &Totals) -> Totals {
    let mut values = *totals;
    values.iter_mut().zip(gauges).filter(|(_, gauge)| **gauge > 0).for_each(|(value, gauge)| *value = *gauge);
    values
}

/// What happened in a virtual host since the last tick.
#[derive(Default)]
struct Sum {
    grown: Totals,
    gauges: Totals,
}

impl Sum {
    fn add(&mut self, name: &str, change: i64) {
        // A counter that falls belongs to something that was replaced.
        if let (Some(at), Ok(change)) = (place(name), u64::try_from(change)) {
            self.grown[at] += change;
        }
    }

    fn gauge(&mut self, name: &str, value: u64) {
        if let Some(at) = place(name) {
            self.gauges[at] += value;
        }
    }

    fn add_to(&self, totals: &mut Totals) {
        totals.iter_mut().zip(&self.grown).for_each(|(total, grown)| *total += grown);
    }
}

fn place(name: &str) -> Option<usize> {
    TOTALS.iter().position(|field| *field == name)
}

fn sample_queue(tick: &Tick<'_>, mode: RatesMode, cell: &QueueCell, sum: &mut Sum) {
    let counters = &cell.counters;
    let rate = |value: u64| if mode == RatesMode::None { 0 } else { value };
    let values = [
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
        0,
        0,
    ];
    if values[3] > 0 {
        sum.gauge("messages_ready", values[3]);
    }
    if values[4] > 0 {
        sum.gauge("messages_unacknowledged", values[4]);
    }
    tick.sample(Subject::Queue(cell.quid), &values, |changes| {
        // What was published is counted where it was published: once, however many queues it went to.
        for (name, at) in [
            ("deliver", 1),
            ("ack", 2),
            ("deliver_no_ack", 5),
            ("redeliver", 6),
            ("get", 7),
            ("get_no_ack", 8),
            ("get_empty", 9),
        ] {
            sum.add(name, changes[at]);
        }
    });
}

fn sample_exchanges(tick: &Tick<'_>, mode: RatesMode, vhost: &Vhost) {
    if mode == RatesMode::None {
        return;
    }
    for exchange in vhost.exchanges() {
        let values = [exchange.counters.publish_in.value(), exchange.counters.publish_out.value()];
        tick.sample(Subject::Exchange(vhost.id, exchange.id), &values, |_| {});
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

fn sample_channel(tick: &Tick<'_>, channel: &ChannelEntry, sum: &mut Sum) {
    let subject = Subject::Channel(channel.connection.id.0, channel.number);
    let values: [u64; CHANNEL.len()] = by_name(CHANNEL, |visit| channel.counters.each(visit));
    tick.sample(subject, &values, |changes| {
        // Deliveries and acknowledgements are counted by queue.
        let published = ["publish", "confirm", "return_unroutable", "drop_unroutable"];
        let changed = CHANNEL.iter().zip(changes).filter(|(name, _)| published.contains(name));
        changed.for_each(|(name, change)| sum.add(name, *change));
    });
}

fn sample_pairs(tick: &Tick<'_>, vhost: &Vhost, channel: &ChannelEntry) {
    let (connection, number) = (channel.connection.id.0, channel.number);
    for (name, pair) in channel.published() {
        let Some(exchange) = vhost.exchange(&name) else { continue };
        let values: [u64; PUBLISHED.len()] = by_name(PUBLISHED, |visit| pair.each(visit));
        let subject = Subject::Published { connection, channel: number, vhost: vhost.id, exchange: exchange.id };
        tick.sample(subject, &values, |_| {});
    }
    let mut by_queue: HashMap<u64, [u64; DELIVERED.len()]> = HashMap::new();
    for subscription in channel.consumers() {
        let Some(queue) = subscription.queue() else { continue };
        let values: [u64; DELIVERED.len()] = by_name(DELIVERED, |visit| subscription.consumer.counters.each(visit));
        let sum = by_queue.entry(queue.quid).or_default();
        sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    for (queue, values) in by_queue {
        tick.sample(Subject::Delivered { connection, channel: number, queue }, &values, |_| {});
    }
}

fn sample_node(tick: &Tick<'_>, process: &Process, disk_free: u64, sockets: u64) {
    let values: [u64; NODE.len()] = by_name(NODE, |visit| {
        visit("mem_used", process.resident_bytes);
        visit("fd_used", process.descriptors);
        visit("sockets_used", sockets);
        visit("disk_free", disk_free);
        visit("proc_used", process.threads);
        visit("context_switches", process.context_switches);
        visit("io_read_count", process.reads);
        visit("io_read_bytes", process.read_bytes);
        visit("io_write_count", process.writes);
        visit("io_write_bytes", process.written_bytes);
    });
    tick.sample(Subject::Node, &values, |_| {});
}
