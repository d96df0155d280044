//! What each of the endpoints consists of.

use super::families::{
    channel_labels, connection_labels, delivered_labels, exchange_labels, published_labels, queue_labels, routed_labels,
};
use super::family::{Section, Sums, Table, per_object, sums, whole};
use super::filter::Filter;
use super::tables::{self, ChannelStats, Delivered, Published, QueueFigures, Routed};
use super::text::{Kind, Text, label};
use super::{Registry, global, node};
use crate::shared::Shared;
use broker::{Broker, ChannelEntry, ConnectionEntry, Exchange, QueueCell};
use regex::Regex;
use std::collections::HashMap;
use std::sync::Arc;

/// Before the names of most metrics.
const PREFIX: &str = "rabbitmq_";
/// Before those of `/metrics/detailed`.
const DETAILED: &str = "rabbitmq_detailed_";
/// Before those that are the same on every node.
const CLUSTER: &str = "rabbitmq_cluster_";

/// The parts of an endpoint's text, in order. Looks at lists of objects, and so belongs on a thread that may be busy.
pub(super) fn sections(shared: &Shared, registry: Registry, filter: &Filter) -> Vec<Box<dyn Section>> {
    let mut sections: Vec<Box<dyn Section>> = Vec::new();
    // A broker that is stopped has no counters, but the node still has a name.
    if let Ok(broker) = shared.broker() {
        match registry {
            Registry::Aggregated => aggregated(shared, &broker, &mut sections),
            Registry::PerObject => all_objects(shared, &broker, &mut sections),
            Registry::Detailed => detailed(shared, &broker, filter, &mut sections),
            Registry::MemoryBreakdown => {
                let shared = shared.clone();
                sections.push(whole(move |text| node::memory_breakdown(&shared, &broker, text)));
            }
        }
    }
    let shared = shared.clone();
    sections.push(whole(move |text| node::identity(&shared, registry.endpoint(), text)));
    sections
}

/// What is neither of objects nor a sum over them.
fn node_wide(shared: &Shared, broker: &Arc<Broker>, sections: &mut Vec<Box<dyn Section>>) {
    let (shared, broker) = (shared.clone(), broker.clone());
    sections.push(whole(move |text| {
        node::write(&shared, &broker, text);
        global::write(&shared, &broker, text);
    }));
}

fn aggregated(shared: &Shared, broker: &Arc<Broker>, sections: &mut Vec<Box<dyn Section>>) {
    node_wide(shared, broker, sections);
    let broker = broker.clone();
    let pattern = shared.http().prometheus.filter_aggregated_queue_metrics_pattern.as_deref();
    let left_out = pattern.and_then(|pattern| Regex::new(pattern).ok());
    sections.push(whole(move |text| sum_everything(&broker, left_out.as_ref(), text)));
}

/// Queues that are added up before the next ones are looked at.
const PIECE: usize = 512;

fn sum_everything(broker: &Broker, left_out: Option<&Regex>, text: &mut Text) {
    let mut queues = broker.queue_cells(None);
    if let Some(pattern) = left_out {
        queues.retain(|queue| !pattern.is_match(&queue.name));
    }
    let mut tables = [&tables::QUEUE_COARSE, &tables::QUEUE_DELIVERY, &tables::QUEUE_PUBLISHED].map(Sums::new);
    let mut figures = Sums::new(&tables::QUEUE);
    let mut routed = 0;
    // Many queues do not fit into the processor's caches, so that each is looked at for everything at once.
    for piece in queues.chunks(PIECE) {
        tables.iter_mut().for_each(|sums| sums.add(piece));
        figures.add(QueueFigures::of(broker, piece));
        routed += piece.iter().map(|queue| queue.counters.publish.value()).sum::<u64>();
    }
    tables.into_iter().for_each(|sums| sums.write(PREFIX, text));
    figures.write(PREFIX, text);
    drop(queues);
    // Each message enters a queue by an exchange, so that the pairs need not be known to add them up.
    for family in tables::QUEUE_EXCHANGE.families {
        text.family(PREFIX, family.name, family.kind, family.help);
        text.sample("", routed);
    }
    sums(broker.exchanges(None).iter(), PREFIX, &tables::EXCHANGE, text);
    let channels = broker.channels();
    let stats: Vec<_> = channels.iter().map(|channel| ChannelStats { stats: channel.message_stats() }).collect();
    for table in [&tables::CHANNEL, &tables::CHANNEL_PROCESS] {
        sums(channels.iter(), PREFIX, table, text);
    }
    for table in [&tables::CHANNEL_PUBLISHED, &tables::CHANNEL_DELIVERED] {
        sums(stats.iter(), PREFIX, table, text);
    }
    let connections = broker.connections();
    for table in [&tables::CONNECTION_COARSE, &tables::CONNECTION] {
        sums(connections.iter(), PREFIX, table, text);
    }
}

/// The objects that there are; each list is made once, whatever is asked of it.
struct Rows {
    queues: Arc<Vec<Arc<QueueCell>>>,
    exchanges: Arc<Vec<Arc<Exchange>>>,
    channels: Arc<Vec<Arc<ChannelEntry>>>,
    connections: Arc<Vec<Arc<ConnectionEntry>>>,
}

impl Rows {
    fn new(broker: &Broker, filter: &Filter) -> Rows {
        let mut queues = broker.queue_cells(None);
        queues.retain(|queue| filter.has_vhost(&queue.vhost) && filter.has_queue(&queue.name));
        let mut exchanges = broker.exchanges(None);
        exchanges.retain(|exchange| filter.has_vhost(&exchange.vhost));
        Rows {
            queues: Arc::new(queues),
            exchanges: Arc::new(exchanges),
            channels: Arc::new(broker.channels()),
            connections: Arc::new(broker.connections()),
        }
    }
}

fn all_objects(shared: &Shared, broker: &Arc<Broker>, sections: &mut Vec<Box<dyn Section>>) {
    node_wide(shared, broker, sections);
    let of_sources = broker.clone();
    sections.push(whole(move |text| global::auth_attempts_by_source(&of_sources, PREFIX, text)));
    objects(shared, broker, &Filter::default(), PREFIX, |_| true, sections);
}

fn detailed(shared: &Shared, broker: &Arc<Broker>, filter: &Filter, sections: &mut Vec<Box<dyn Section>>) {
    let (of_node, of_broker) = (shared.clone(), broker.clone());
    let groups = filter.clone();
    sections.push(whole(move |text| {
        node::write_groups(&of_node, &of_broker, DETAILED, &|name| groups.has_family(name), text);
        if groups.has_family("auth_attempt_metrics") {
            global::auth_attempts(&of_broker, DETAILED, text);
        }
        if groups.has_family("auth_attempt_detailed_metrics") {
            global::auth_attempts_by_source(&of_broker, DETAILED, text);
        }
        if groups.has_family("node_memory") {
            node::memory_breakdown(&of_node, &of_broker, text);
        }
    }));
    objects(shared, broker, filter, DETAILED, |name| filter.has_family(name), sections);
    cluster(broker, filter, sections);
}

/// A sample for each object of the groups that are `wanted`.
fn objects(
    shared: &Shared,
    broker: &Broker,
    filter: &Filter,
    prefix: &'static str,
    wanted: impl Fn(&str) -> bool,
    sections: &mut Vec<Box<dyn Section>>,
) {
    let rows = Rows::new(broker, filter);
    let is_detailed = prefix == DETAILED;
    let queue_tables: [(&'static Table<_>, bool); 4] = [
        (&tables::QUEUE_COARSE, true),
        // All of it is in the figures.
        (&tables::QUEUE_CONSUMERS, is_detailed && !wanted(tables::QUEUE.name)),
        (&tables::QUEUE_DELIVERY, true),
        (&tables::QUEUE_PUBLISHED, true),
    ];
    for (table, _) in queue_tables.iter().filter(|(table, is_wanted)| *is_wanted && wanted(table.name)) {
        sections.push(per_object(&rows.queues, prefix, table, queue_labels));
    }
    if wanted(tables::QUEUE.name) {
        let figures = Arc::new(QueueFigures::of(broker, &rows.queues));
        let labels = |row: &QueueFigures, labels: &mut String| queue_labels(&row.queue, labels);
        sections.push(per_object(&figures, prefix, &tables::QUEUE, labels));
    }
    if wanted(tables::QUEUE_EXCHANGE.name) {
        let routed = Arc::new(routed(&rows.queues));
        sections.push(per_object(&routed, prefix, &tables::QUEUE_EXCHANGE, routed_labels));
    }
    if [tables::QUEUE_COARSE.name, tables::QUEUE_CONSUMERS.name, tables::QUEUE.name].iter().any(|name| wanted(name)) {
        sections.push(per_object(&rows.queues, prefix, &tables::QUEUE_INFO, |queue, labels| {
            queue_labels(queue, labels);
            label(labels, "queue_type", "rabbit_classic_queue");
            label(labels, "membership", "leader");
        }));
    }
    if wanted(tables::EXCHANGE.name) {
        sections.push(per_object(&rows.exchanges, prefix, &tables::EXCHANGE, exchange_labels));
    }
    for table in [&tables::CHANNEL, &tables::CHANNEL_PROCESS] {
        if wanted(table.name) {
            sections.push(per_object(&rows.channels, prefix, table, channel_labels(shared)));
        }
    }
    if wanted(tables::CHANNEL_EXCHANGE.name) {
        let published = Arc::new(published(&rows.channels, filter));
        sections.push(per_object(&published, prefix, &tables::CHANNEL_EXCHANGE, published_labels(shared)));
    }
    if wanted(tables::CHANNEL_QUEUE.name) {
        let mut delivered = delivered(&rows.channels);
        delivered.retain(|row| filter.has_vhost(&row.queue.vhost) && filter.has_queue(&row.queue.name));
        sections.push(per_object(&Arc::new(delivered), prefix, &tables::CHANNEL_QUEUE, delivered_labels(shared)));
    }
    for table in [&tables::CONNECTION_COARSE, &tables::CONNECTION] {
        if wanted(table.name) {
            sections.push(per_object(&rows.connections, prefix, table, connection_labels(shared)));
        }
    }
}

fn published(channels: &[Arc<ChannelEntry>], filter: &Filter) -> Vec<Published> {
    let mut rows = Vec::new();
    for channel in channels {
        if channel.connection.vhost().is_some_and(|vhost| filter.has_vhost(vhost)) {
            let pairs = channel.published();
            rows.extend(pairs.into_iter().map(|(exchange, pair)| Published {
                channel: channel.clone(),
                exchange,
                pair,
            }));
        }
    }
    rows
}

/// Pairs of channels and queues.
fn delivered(channels: &[Arc<ChannelEntry>]) -> Vec<Delivered> {
    let pairs = channels.iter().flat_map(|channel| {
        let pairs = channel.deliveries().into_iter();
        pairs.map(|(queue, stats)| Delivered { channel: channel.clone(), queue, stats })
    });
    pairs.collect()
}

/// Pairs of exchanges and queues; none unless rates are detailed.
fn routed(queues: &[Arc<QueueCell>]) -> Vec<Routed> {
    let pairs = queues.iter().flat_map(|queue| {
        let pairs = queue.incoming().into_iter();
        pairs.map(|(exchange, messages)| Routed { queue: queue.clone(), exchange, messages })
    });
    pairs.collect()
}

/// What is the same on every node of a cluster.
fn cluster(broker: &Arc<Broker>, filter: &Filter, sections: &mut Vec<Box<dyn Section>>) {
    let vhosts: Vec<_> = broker.vhosts().into_iter().filter(|vhost| filter.has_vhost(&vhost.name)).collect();
    let (status, bindings, names) =
        ["vhost_status", "exchange_bindings", "exchange_names"].map(|name| filter.has_family(name)).into();
    sections.push(whole(move |text| {
        let mut labels = String::new();
        if status {
            text.family(CLUSTER, "vhost_status", Kind::Gauge, "Whether a virtual host is running");
            for vhost in &vhosts {
                labels.clear();
                label(&mut labels, "vhost", &vhost.name);
                text.sample(&labels, 1);
            }
        }
        for (is_wanted, family, help) in [
            (bindings, "exchange_bindings", "Bindings from an exchange, the same on every node"),
            (names, "exchange_name", "The exchanges that there are, the same on every node"),
        ] {
            if !is_wanted {
                continue;
            }
            text.family(CLUSTER, family, Kind::Gauge, help);
            for vhost in &vhosts {
                let mut counts: HashMap<Arc<str>, u64> = HashMap::new();
                if bindings {
                    vhost.bindings().into_iter().for_each(|binding| *counts.entry(binding.source).or_default() += 1);
                }
                for exchange in vhost.exchanges().iter().filter(|exchange| !exchange.internal && !exchange.is_default())
                {
                    labels.clear();
                    exchange_labels(exchange, &mut labels);
                    label(&mut labels, "type", exchange.type_name());
                    let count = counts.get(&exchange.name).copied().unwrap_or_default();
                    text.sample(&labels, if family == "exchange_name" { 1 } else { count });
                }
            }
        }
    }));
}
