//! Refusals that depend on the user: permissions, virtual hosts, and an operator who closes a connection.

use broker::errors::*;
use testkit::method::*;
use testkit::{ConnectOptions, Consume, ExchangeDeclare, Method, QueueDeclare, RawClient, Table, connection_open, id};

use super::{Case, Scene, administered};
use crate::{administration, support};

/// The user of each case is called like the case and has `ok` for configure, write and read.
const OWN: [&str; 3] = ["ok", "ok", "ok"];

pub const CASES: &[Case] = &[
    administered(
        PERMISSION_DENIED,
        id::QUEUE_DECLARE,
        "configure access to queue 'no' in vhost '/' refused for user '{q}'",
        |s| send(s, |_| QueueDeclare::exclusive("no").into()),
    ),
    administered(
        PERMISSION_DENIED,
        id::QUEUE_DELETE,
        "configure access to queue 'no' in vhost '/' refused for user '{q}'",
        |s| send(s, |_| queue_delete("no", false, false)),
    ),
    administered(
        PERMISSION_DENIED,
        id::EXCHANGE_DECLARE,
        "configure access to exchange 'no' in vhost '/' refused for user '{q}'",
        |s| send(s, |_| ExchangeDeclare::new("no", "direct").into()),
    ),
    administered(
        PERMISSION_DENIED,
        id::EXCHANGE_DELETE,
        "configure access to exchange 'no' in vhost '/' refused for user '{q}'",
        |s| send(s, |_| exchange_delete("no", false)),
    ),
    administered(
        PERMISSION_DENIED,
        id::BASIC_PUBLISH,
        "write access to exchange 'amq.direct' in vhost '/' refused for user '{q}'",
        |s| publish(s, "amq.direct"),
    ),
    administered(
        PERMISSION_DENIED,
        id::BASIC_PUBLISH,
        "write access to exchange 'amq.default' in vhost '/' refused for user '{q}'",
        |s| publish(s, ""),
    ),
    administered(
        PERMISSION_DENIED,
        id::BASIC_CONSUME,
        "read access to queue 'no' in vhost '/' refused for user '{q}'",
        |s| send(s, |_| Consume::new("no", "").into()),
    ),
    administered(
        PERMISSION_DENIED,
        id::BASIC_GET,
        "read access to queue 'no' in vhost '/' refused for user '{q}'",
        |s| send(s, |_| get("no", false)),
    ),
    administered(
        PERMISSION_DENIED,
        id::QUEUE_PURGE,
        "read access to queue 'no' in vhost '/' refused for user '{q}'",
        |s| send(s, |_| queue_purge("no")),
    ),
    administered(
        PERMISSION_DENIED,
        id::QUEUE_BIND,
        "write access to queue 'no' in vhost '/' refused for user '{q}'",
        |s| send(s, |_| queue_bind("no", "amq.direct", "k", &Table::new())),
    ),
    administered(
        PERMISSION_DENIED,
        id::QUEUE_BIND,
        "read access to exchange 'amq.direct' in vhost '/' refused for user '{q}'",
        |s| send(s, |_| queue_bind("ok", "amq.direct", "k", &Table::new())),
    ),
    administered(
        PERMISSION_DENIED,
        id::QUEUE_UNBIND,
        "write access to queue 'no' in vhost '/' refused for user '{q}'",
        |s| send(s, |_| queue_unbind("no", "amq.direct", "k", &Table::new())),
    ),
    administered(
        PERMISSION_DENIED,
        id::EXCHANGE_BIND,
        "write access to exchange 'amq.fanout' in vhost '/' refused for user '{q}'",
        |s| send(s, |_| exchange_bind("amq.fanout", "amq.direct", "k", &Table::new())),
    ),
    administered(
        PERMISSION_DENIED,
        id::EXCHANGE_BIND,
        "read access to exchange 'amq.direct' in vhost '/' refused for user '{q}'",
        |s| send(s, |_| exchange_bind("ok", "amq.direct", "k", &Table::new())),
    ),
    administered(
        PERMISSION_DENIED,
        id::EXCHANGE_DECLARE,
        "write access to exchange 'no' in vhost '/' refused for user '{q}'",
        |s| send(s, |q| ExchangeDeclare::new(&format!("ok{q}"), "direct").argument("alternate-exchange", "no").into()),
    ),
    administered(
        PERMISSION_DENIED,
        id::QUEUE_DECLARE,
        "write access to exchange 'no' in vhost '/' refused for user '{q}'",
        |s| send(s, |q| QueueDeclare::exclusive(&format!("ok{q}")).argument("x-dead-letter-exchange", "no").into()),
    ),
    administered(
        TOPIC_PERMISSION_DENIED,
        id::BASIC_PUBLISH,
        "write access to topic 'no.k' in exchange 'ok{q}' in vhost '/' refused for user '{q}'",
        |s| {
            let topic = topic(s);
            s.client.publish(1, &topic, "yes.k", "x");
            s.client.publish(1, &topic, "no.k", "x");
        },
    ),
    administered(
        TOPIC_PERMISSION_DENIED,
        id::QUEUE_BIND,
        "read access to topic 'no.k' in exchange 'ok{q}' in vhost '/' refused for user '{q}'",
        |s| {
            let (topic, queue) = (topic(s), format!("ok.queue{}", s.name));
            s.client.declare(1, QueueDeclare::exclusive(&queue));
            s.client.call(1, queue_bind(&queue, &topic, "yes.k", &Table::new()));
            s.client.send(1, queue_bind(&queue, &topic, "no.k", &Table::new()));
        },
    ),
    administered(VHOST_REFUSED, id::CONNECTION_OPEN, "access to vhost '{q}' refused for user '{q}'", |s| {
        administration::add_vhost(&s.name);
        s.client = RawClient::tuned(s.address, &ConnectOptions::default().user(&s.name, &s.name));
        s.client.send(0, connection_open(&s.name));
    }),
    administered(CLOSED_BY_OPERATOR, (0, 0), "because I said so", |s| {
        let user = s.name.clone();
        administration::close_connection(&mut s.client, &user, "because I said so");
    }),
];

fn send(scene: &mut Scene, method: fn(&str) -> Method) {
    scene.client.send(1, method(&scene.name));
}

/// A topic exchange on which the case's user may use keys that begin with `yes`; it goes with its last binding.
fn topic(scene: &mut Scene) -> String {
    let topic = format!("ok{}", scene.name);
    scene.client.call(1, ExchangeDeclare::new(&topic, "topic"));
    administration::set_topic_permissions("/", &scene.name, &topic, ["^yes", "^yes"]);
    topic
}

fn publish(scene: &mut Scene, exchange: &str) {
    scene.client.publish(1, exchange, "k", "x");
}

/// Adds the case's user and connects as that; false when the broker cannot be administered.
pub fn prepare(scene: &mut Scene) -> bool {
    let user = scene.name.clone();
    if !administration::add_user(&user, "") {
        return false;
    }
    administration::set_permissions("/", &user, OWN);
    scene.client = support::connect_with(scene.address, &ConnectOptions::default().user(&user, &user));
    true
}

/// Deletes the case's user and virtual host.
pub fn clean_up(case: &Case, name: &str) {
    administration::delete_user(name);
    if [VHOST_REFUSED, VHOST_CONNECTION_LIMIT, VHOST_QUEUE_LIMIT].iter().any(|row| row.name == case.row.name) {
        administration::delete_vhost(name);
    }
}
