//! Limits of the node, of virtual hosts and of users, and queue types that do not exist yet.

use broker::errors::*;
use testkit::method::channel_open;
use testkit::{ConnectOptions, ExchangeDeclare, QueueDeclare, RawClient, connection_open, id};

use super::{Case, Scene, administered, configured, newer};
use crate::administration;

pub const CASES: &[Case] = &[
    configured(
        NODE_CONNECTION_LIMIT,
        id::CONNECTION_OPEN,
        "connection refused: node connection limit (2) is reached",
        &[("max_connections", "2")],
        |s| {
            s.other();
            open_another(s, &ConnectOptions::default(), "/");
        },
    ),
    configured(
        NODE_CHANNEL_LIMIT,
        (0, 0),
        "number of channels opened on node 'limited@host' has reached the maximum allowed limit of 3",
        &[("channel_max_per_node", "3"), ("leveret.node_name", "limited@host")],
        |s| {
            s.other();
            s.client.open_channel(2);
            s.client.close_channel(2);
            s.client.open_channel(2);
            s.client.send(3, channel_open());
        },
    ),
    administered(
        VHOST_CONNECTION_LIMIT,
        id::CONNECTION_OPEN,
        "access to vhost '{q}' refused for user 'guest': connection limit (1) is reached",
        |s| {
            add_vhost(s, r#"{"max-connections":1}"#);
            let first = open_in(s, &s.name.clone());
            // A place is free again as soon as its connection is closed.
            first.close();
            let first = open_in(s, &s.name.clone());
            s.others.push(first);
            open_another(s, &ConnectOptions::default(), &s.name.clone());
        },
    ),
    administered(
        USER_CONNECTION_LIMIT,
        id::CONNECTION_OPEN,
        "connection refused for user '{q}': user connection limit (1) is reached",
        |s| {
            administration::set_user_limits(&s.name, r#"{"max-connections":1}"#);
            let options = ConnectOptions::default().user(&s.name, &s.name);
            let refused = RawClient::tuned(s.address, &options);
            s.others.push(std::mem::replace(&mut s.client, refused));
            s.client.send(0, connection_open("/"));
        },
    ),
    newer(
        USER_CHANNEL_LIMIT,
        (0, 0),
        "number of channels opened for user '{q}' has reached the maximum allowed user limit of 2",
        "the number is in parentheses, and a closed channel counts for a while",
        |s| {
            administration::add_user(&s.name, "");
            administration::set_permissions("/", &s.name, [".*"; 3]);
            administration::set_user_limits(&s.name, r#"{"max-channels":2}"#);
            s.client = RawClient::connect(s.address, &ConnectOptions::default().user(&s.name, &s.name));
            s.client.open_channel(1);
            s.client.open_channel(2);
            s.client.close_channel(2);
            s.client.open_channel(2);
            s.client.send(3, channel_open());
        },
    ),
    administered(
        VHOST_QUEUE_LIMIT,
        id::QUEUE_DECLARE,
        "cannot declare queue 'one more': queue limit in vhost '{q}' (2) is reached",
        |s| {
            add_vhost(s, r#"{"max-queues":2}"#);
            s.client = open_in(s, &s.name.clone());
            s.client.open_channel(1);
            s.client.declare(1, QueueDeclare::exclusive("first"));
            s.client.declare(1, QueueDeclare::new("second"));
            // What is there can be declared again, and what was deleted makes room.
            s.client.declare(1, QueueDeclare::new("second"));
            s.client.call(1, testkit::method::queue_delete("second", false, false));
            s.client.declare(1, QueueDeclare::new("third"));
            s.client.send(1, QueueDeclare::new("one more"));
        },
    ),
    configured(
        QUEUE_LIMIT,
        id::QUEUE_DECLARE,
        "cannot declare queue '{q}': queue limit in cluster (1) is reached",
        &[("cluster_queue_limit", "1")],
        |s| {
            s.client.declare(1, QueueDeclare::exclusive("first"));
            s.client.declare(1, QueueDeclare::exclusive("first"));
            let name = s.name.clone();
            s.client.send(1, QueueDeclare::exclusive(&name));
        },
    ),
    configured(
        EXCHANGE_LIMIT,
        id::EXCHANGE_DECLARE,
        "cannot declare exchange '{q}' in vhost '/': exchange limit of 8 is reached",
        &[("cluster_exchange_limit", "8")],
        |s| {
            s.client.call(1, ExchangeDeclare::new("the eighth", "fanout"));
            s.client.call(1, ExchangeDeclare::new("the eighth", "fanout"));
            let name = s.name.clone();
            s.client.send(1, ExchangeDeclare::new(&name, "fanout"));
        },
    ),
    newer(
        NO_QUORUM_QUEUES,
        id::QUEUE_DECLARE,
        "this version has no quorum queues: declare x-queue-type classic, or set leveret.quorum_as_classic = true to get durable classic queues instead; cannot declare queue '{q}' in vhost '/'",
        "there it is one",
        |s| send(s, |q| QueueDeclare::new(q).durable().argument("x-queue-type", "quorum")),
    ),
    newer(
        NO_STREAMS,
        id::QUEUE_DECLARE,
        "this version has no streams: declare x-queue-type classic, or keep this one on RabbitMQ; cannot declare queue '{q}' in vhost '/'",
        "there it is one",
        |s| send(s, |q| QueueDeclare::new(q).durable().argument("x-queue-type", "stream")),
    ),
    configured(
        INVALID_PROPERTY,
        id::QUEUE_DECLARE,
        "invalid property 'non-durable' for queue '{q}' in vhost '/'",
        STAND_IN,
        |s| send(s, |q| QueueDeclare::new(q).argument("x-queue-type", "quorum")),
    ),
    configured(
        INVALID_PROPERTY,
        id::QUEUE_DECLARE,
        "invalid property 'exclusive-owner' for queue '{q}' in vhost '/'",
        STAND_IN,
        |s| send(s, |q| QueueDeclare::exclusive(q).durable().argument("x-queue-type", "quorum")),
    ),
    configured(
        INVALID_PROPERTY,
        id::QUEUE_DECLARE,
        "invalid property 'auto-delete' for queue '{q}' in vhost '/'",
        STAND_IN,
        |s| send(s, |q| QueueDeclare::new(q).durable().auto_delete().argument("x-queue-type", "quorum")),
    ),
    configured(
        SERVER_NAMED_QUEUE_TYPE,
        id::QUEUE_DECLARE,
        "Cannot declare a server-named queue for type rabbit_quorum_queue",
        STAND_IN,
        |s| send(s, |_| QueueDeclare::new("").durable().argument("x-queue-type", "quorum")),
    ),
    configured(
        FOREIGN_ARGUMENT,
        id::QUEUE_DECLARE,
        "invalid arg 'x-max-age' for queue '{q}' in vhost '/' of queue type rabbit_quorum_queue",
        STAND_IN,
        |s| {
            send(s, |q| QueueDeclare::new(q).durable().argument("x-queue-type", "quorum").argument("x-max-age", "1D"));
        },
    ),
];

const STAND_IN: &[(&str, &str)] = &[("leveret.quorum_as_classic", "true")];

fn send(scene: &mut Scene, declare: fn(&str) -> QueueDeclare) {
    let declare = declare(&scene.name);
    scene.client.send(1, declare);
}

/// A virtual host under the case's name in which guest may do everything, with limits.
fn add_vhost(scene: &Scene, limits: &str) {
    administration::add_vhost(&scene.name);
    administration::set_permissions(&scene.name, "guest", [".*"; 3]);
    administration::set_vhost_limits(&scene.name, limits);
}

fn open_in(scene: &Scene, vhost: &str) -> RawClient {
    RawClient::connect(scene.address, &ConnectOptions { vhost: vhost.to_owned(), ..ConnectOptions::default() })
}

/// The connection that is to be refused, in place of the first, which stays.
fn open_another(scene: &mut Scene, options: &ConnectOptions, vhost: &str) {
    let refused = RawClient::tuned(scene.address, options);
    scene.others.push(std::mem::replace(&mut scene.client, refused));
    scene.client.send(0, connection_open(vhost));
}
