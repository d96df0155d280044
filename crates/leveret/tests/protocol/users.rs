//! Users, virtual hosts and permissions while they are used.

use testkit::method::{exchange_delete, queue_bind, queue_delete};
use testkit::{ConnectOptions, ExchangeDeclare, Properties, Publish, QueueDeclare, RawClient, Table};

use crate::administration::{add_user, add_vhost, delete_user, delete_vhost, set_permissions};
use crate::support::{address, connect, connect_with, unique};

/// A user of the test's own with these permissions on `/`, connected; `None` where nothing can be administered.
fn connected(tags: &str, permissions: [&str; 3]) -> Option<(String, RawClient)> {
    let user = unique("user");
    if !add_user(&user, tags) {
        return None;
    }
    set_permissions("/", &user, permissions);
    let client = connect_with(address(), &ConnectOptions::default().user(&user, &user));
    Some((user, client))
}

#[test]
fn patterns_match_anywhere_in_a_name() {
    let Some((user, mut client)) = connected("", ["ok", "ok", "ok"]) else { return };
    let name = format!("before-ok-after.{user}");
    client.declare(1, QueueDeclare::exclusive(&name));
    client.send(1, testkit::method::get(&name, true));
    client.expect_method(1, testkit::id::BASIC_GET_EMPTY);
    delete_user(&user);
}

#[test]
fn an_empty_pattern_matches_nothing() {
    let Some((user, mut client)) = connected("", ["", "", ""]) else { return };
    client.send(1, QueueDeclare::exclusive("anything"));
    assert_eq!(client.expect_close(1).code, 403);
    client.open_channel(1);
    client.publish(1, "amq.direct", "k", "x");
    assert_eq!(client.expect_close(1).code, 403);
    delete_user(&user);
}

/// No permission at all up to 4.2; `leveret.compat.passive_declare_permission` changes it.
#[test]
fn a_passive_declare_needs_no_permission() {
    let Some((user, mut client)) = connected("", ["^$", "^$", "^$"]) else { return };
    client.call(1, ExchangeDeclare::passive("amq.topic"));
    client.send(1, QueueDeclare::passive("no such queue"));
    assert_eq!(client.expect_close(1).code, 404);
    delete_user(&user);
}

#[test]
fn each_operation_needs_only_its_own() {
    let Some((user, mut client)) = connected("", ["^conf", "^write", "^read"]) else { return };
    let mut admin = connect();
    let name = |what: &str| format!("{what}.{user}");
    for what in ["conf", "write", "read"] {
        admin.declare(1, QueueDeclare::new(&name(what)));
        admin.call(1, ExchangeDeclare::new(&name(what), "fanout"));
    }
    client.declare(1, QueueDeclare::new(&name("conf")));
    client.call(1, ExchangeDeclare::new(&name("conf"), "fanout"));
    client.call(1, queue_bind(&name("write"), &name("read"), "", &Table::new()));
    client.publish(1, &name("write"), "", "x");
    client.get(1, &name("read"), true);
    client.call(1, testkit::method::queue_purge(&name("read")));
    client.call(1, queue_delete(&name("conf"), false, false));
    client.call(1, exchange_delete(&name("conf"), false));
    for what in ["write", "read"] {
        admin.call(1, queue_delete(&name(what), false, false));
        admin.call(1, exchange_delete(&name(what), false));
    }
    delete_user(&user);
}

#[test]
fn an_impersonator_may_set_any_user_id() {
    let Some((user, mut client)) = connected("impersonator", [".*", ".*", ".*"]) else { return };
    let queue = crate::support::queue(&mut client, "impersonated");
    client.publish_with(1, Publish::new("", &queue), &Properties::default().user_id("somebody"), "x");
    let taken = client.get(1, &queue, true).expect("a message");
    assert_eq!(taken.properties.user_id.as_deref(), Some("somebody"));
    delete_user(&user);
}

#[test]
fn virtual_hosts_do_not_see_each_other() {
    let vhost = unique("vhost");
    if !add_vhost(&vhost) {
        return;
    }
    set_permissions(&vhost, "guest", [".*", ".*", ".*"]);
    let options = ConnectOptions { vhost: vhost.clone(), ..ConnectOptions::default() };
    let (mut here, mut there) = (connect(), connect_with(address(), &options));
    let name = unique("same");
    here.declare(1, QueueDeclare::new(&name));
    there.declare(1, QueueDeclare::new(&name).durable());
    here.publish(1, "", &name, "here");
    there.publish(1, "", &name, "there");
    there.call(1, ExchangeDeclare::passive("amq.topic"));
    assert_eq!(here.drain(1, &name), ["here"]);
    assert_eq!(there.drain(1, &name), ["there"]);
    here.call(1, queue_delete(&name, false, false));
    delete_vhost(&vhost);
    let closed = there.expect_close(1);
    assert_eq!((closed.code, closed.text.contains(&vhost)), (320, true), "{}", closed.text);
}

#[test]
fn a_deleted_user_cannot_log_in() {
    let Some((user, client)) = connected("", [".*", ".*", ".*"]) else { return };
    drop(client);
    delete_user(&user);
    let mut client = RawClient::logged_in(address(), &ConnectOptions::default().user(&user, &user));
    assert_eq!(client.expect_close(0).code, 403);
}
