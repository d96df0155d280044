//! What is counted: of a channel, a queue, an exchange, pairs of them, and the whole node.

use amqp::method::{basic, channel, confirm, queue, tx};
use amqp::{Method, Properties, TableRef};
use broker::LoginProtocol;
use broker::{ChannelMode, MessageStats, NodeTotals, Settings};
use std::net::IpAddr;
use testkit::engine::{Client, Engine, publish};

const QUEUE: &str = "q";

fn deliveries(client: &mut Client) -> Vec<u64> {
    let tag = |arrival: testkit::engine::Arrival| match arrival.method() {
        Method::BasicDeliver(deliver) => Some(deliver.delivery_tag),
        _ => None,
    };
    client.arrivals().filter_map(tag).collect()
}

fn ack(client: &Client, delivery_tag: u64, multiple: bool) {
    client.method(1, &Method::BasicAck(basic::Ack { delivery_tag, multiple }));
}

fn totals(engine: &Engine) -> NodeTotals {
    engine.broker.node_totals()
}

#[test]
fn totals_stay_when_what_they_were_counted_for_is_gone() {
    let mut engine = Engine::new(Settings::default(), 2, 1);
    let (mut publisher, mut consumer) = (engine.connect_with_channel(0), engine.connect_with_channel(1));
    engine.declare(&mut publisher, 1, QUEUE);
    engine.call(&mut publisher, 1, &Method::ConfirmSelect(confirm::Select { nowait: false }));
    engine.consume(&mut consumer, 1, QUEUE, "c", false);
    for body in [&[0_u8; 10][..], &[0; 100], &[0; 101], &[0; 5000]] {
        publisher.publish(1, publish("", QUEUE), &Properties { delivery_mode: Some(2), ..Properties::default() }, body);
    }
    publisher.publish(1, publish("", "nowhere"), &Properties::default(), b"dropped");
    let mandatory = basic::Publish { mandatory: true, ..publish("amq.topic", "nowhere") };
    publisher.publish(1, mandatory, &Properties::default(), b"returned");
    engine.settle();
    let tags = deliveries(&mut consumer);
    assert_eq!(tags.len(), 4);
    ack(&consumer, tags[2], true);
    consumer.method(1, &Method::BasicReject(basic::Reject { delivery_tag: tags[3], requeue: true }));
    engine.settle();
    let again = deliveries(&mut consumer);
    consumer.method(1, &Method::BasicReject(basic::Reject { delivery_tag: again[0], requeue: false }));
    engine.settle();

    let (channels, vhosts) = (engine.broker.channels(), engine.broker.vhost_message_stats());
    let [of_publisher, of_consumer] = &channels[..] else { panic!("two channels") };
    assert_eq!(of_publisher.mode(), ChannelMode::Confirm);
    let published =
        MessageStats { publish: 6, confirm: 6, drop_unroutable: 1, return_unroutable: 1, ..MessageStats::default() };
    assert_eq!(of_publisher.message_stats(), published);
    assert_eq!(of_publisher.unconfirmed.value(), 0);
    let mut pairs: Vec<_> = of_publisher
        .published()
        .into_iter()
        .map(|(exchange, pair)| (exchange.to_string(), MessageStats::from(&*pair)))
        .collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(pairs[0].0, "");
    assert_eq!((pairs[0].1.publish, pairs[0].1.drop_unroutable, pairs[0].1.return_unroutable), (5, 1, 0));
    assert_eq!((pairs[1].1.publish, pairs[1].1.drop_unroutable, pairs[1].1.return_unroutable), (1, 0, 1));
    let delivered = of_consumer.message_stats();
    assert_eq!((delivered.deliver, delivered.redeliver, delivered.deliver_get()), (5, 1, 5));
    let of_pair = of_consumer.deliveries();
    assert_eq!(of_pair.len(), 1);
    assert_eq!((of_pair[0].1.deliver, of_pair[0].1.ack), (5, 4), "a rejected one is settled, too");
    assert_eq!(vhosts["/"].publish, 6);
    assert_eq!(vhosts["/"].deliver, 5);

    let check = |totals: &NodeTotals| {
        let messages = totals.messages;
        assert_eq!((messages.received, messages.received_confirm, messages.confirmed), (6, 6, 6));
        assert_eq!((messages.routed, messages.received_persistent), (4, 4));
        assert_eq!((messages.unroutable_dropped, messages.unroutable_returned), (1, 1));
        assert_eq!((messages.delivered_consume_manual_ack, messages.delivered(), messages.redelivered), (5, 5, 1));
        assert_eq!(messages.acknowledged, 4);
        assert_eq!(totals.sizes[..4], [4, 1, 1, 0], "10, 100 and the two unroutable; 101; 5000");
        assert_eq!(messages.received_bytes, 10 + 100 + 101 + 5000 + 15);
        assert_eq!(totals.dead_lettered[2], [1, 0, 0], "rejected where there is no dead letter exchange");
    };
    let before = totals(&engine);
    assert_eq!((before.publishers, before.consumers), (1, 1));
    check(&before);

    let delete = queue::Delete { queue: QUEUE, if_unused: false, if_empty: false, nowait: false };
    engine.call(&mut publisher, 1, &Method::QueueDelete(delete));
    for client in [&mut publisher, &mut consumer] {
        client.wire.break_off();
    }
    engine.settle();
    assert_eq!((engine.broker.channels().len(), engine.broker.connections().len()), (0, 0));
    let after = totals(&engine);
    check(&after);
    assert_eq!((after.publishers, after.consumers), (0, 0));
    let churn = after.churn;
    assert_eq!((churn.connection_created, churn.connection_closed), (2, 2));
    assert_eq!((churn.channel_created, churn.channel_closed), (2, 2));
    assert_eq!((churn.queue_declared, churn.queue_created, churn.queue_deleted), (1, 1, 1));
    assert_eq!(engine.broker.vhost_message_stats()["/"], vhosts["/"], "channels that are gone count");
    assert_eq!(engine.broker.object_totals().channels, 0);
}

#[test]
fn fetching_is_counted_by_channel_and_queue() {
    let mut engine = Engine::new(Settings::default(), 1, 1);
    let mut client = engine.connect_with_channel(0);
    engine.declare(&mut client, 1, QUEUE);
    for _ in 0..3 {
        client.publish(1, publish("", QUEUE), &Properties::default(), b"x");
    }
    let get = |no_ack| Method::BasicGet(basic::Get { queue: QUEUE, no_ack });
    engine.call(&mut client, 1, &get(true));
    engine.call(&mut client, 1, &get(false));
    engine.call(&mut client, 1, &get(false));
    engine.call(&mut client, 1, &get(false));
    let entry = engine.broker.channels().remove(0);
    assert_eq!(entry.unacknowledged(), 2);
    ack(&client, 2, false);
    client.method(1, &Method::BasicReject(basic::Reject { delivery_tag: 3, requeue: true }));
    engine.settle();
    assert_eq!(entry.unacknowledged(), 0);
    engine.call(&mut client, 1, &get(true));
    let stats = entry.message_stats();
    assert_eq!((stats.get, stats.get_no_ack, stats.get_empty, stats.redeliver, stats.ack), (2, 2, 1, 1, 1));
    let (cell, pair) = entry.deliveries().remove(0);
    assert_eq!(&*cell.name, QUEUE);
    assert_eq!((pair.get, pair.get_no_ack, pair.get_empty, pair.redeliver, pair.ack), (2, 2, 1, 1, 1));
    let messages = totals(&engine).messages;
    assert_eq!((messages.delivered_get_manual_ack, messages.delivered_get_auto_ack), (2, 2));
    assert_eq!((messages.get_empty, messages.redelivered), (1, 1));
}

#[test]
fn transactions_count_when_they_are_committed() {
    let mut engine = Engine::new(Settings::default(), 1, 1);
    let mut client = engine.connect_with_channel(0);
    engine.declare(&mut client, 1, QUEUE);
    engine.call(&mut client, 1, &Method::TxSelect(tx::Select {}));
    client.publish(1, publish("", QUEUE), &Properties::default(), b"x");
    client.publish(1, publish("amq.direct", "k"), &Properties::default(), b"x");
    engine.settle();
    let entry = engine.broker.channels().remove(0);
    assert_eq!(entry.mode(), ChannelMode::Transactional);
    assert_eq!((entry.uncommitted_messages.value(), entry.message_stats().publish), (2, 0));
    engine.call(&mut client, 1, &Method::TxCommit(tx::Commit {}));
    assert_eq!((entry.uncommitted_messages.value(), entry.message_stats().publish), (0, 2));
    assert_eq!(entry.published().len(), 2);
    engine.call(&mut client, 1, &Method::BasicGet(basic::Get { queue: QUEUE, no_ack: false }));
    ack(&client, 1, false);
    engine.settle();
    assert_eq!((entry.uncommitted_acks.value(), entry.unacknowledged()), (1, 0));
    engine.call(&mut client, 1, &Method::TxRollback(tx::Rollback {}));
    assert_eq!((entry.uncommitted_acks.value(), entry.unacknowledged()), (0, 1));
}

#[test]
fn a_queue_counts_by_exchange_where_rates_are_detailed() {
    for detailed_rates in [false, true] {
        let mut engine = Engine::new(Settings { detailed_rates, ..Settings::default() }, 1, 1);
        let mut client = engine.connect_with_channel(0);
        engine.declare(&mut client, 1, QUEUE);
        let arguments = TableRef::new(&[]);
        let bind = queue::Bind { queue: QUEUE, exchange: "amq.fanout", routing_key: "", nowait: false, arguments };
        engine.call(&mut client, 1, &Method::QueueBind(bind));
        client.publish(1, publish("", QUEUE), &Properties::default(), b"x");
        client.publish(1, publish("amq.fanout", ""), &Properties::default(), b"x");
        client.publish(1, publish("amq.fanout", ""), &Properties::default(), b"x");
        engine.settle();
        let cell = engine.broker.queue_cells(Some("/")).remove(0);
        let mut incoming: Vec<_> =
            cell.incoming().into_iter().map(|(exchange, count)| (exchange.name.to_string(), count)).collect();
        incoming.sort();
        let expected = [(String::new(), 1), ("amq.fanout".to_owned(), 2)];
        assert_eq!(incoming, if detailed_rates { &expected[..] } else { &[] });
    }
}

#[test]
fn logins_are_counted_by_protocol_and_by_source_where_that_is_wanted() {
    for track_login_sources in [false, true] {
        let mut engine = Engine::new(Settings { track_login_sources, ..Settings::default() }, 1, 1);
        engine.connect_with_channel(0);
        let broker = engine.broker.clone();
        let peer: IpAddr = "192.0.2.1".parse().unwrap();
        for password in ["wrong", "guest"] {
            let (user, password) = (b"guest".to_vec(), password.as_bytes().to_vec());
            let refused = broker.login(&auth::Credentials::Password { user, password }, peer, LoginProtocol::Http);
            assert!(refused.is_err(), "guest comes from the node's own machine only");
        }
        let counts: Vec<_> =
            broker.logins().iter().map(|(of, counts)| (*of, counts.succeeded, counts.failed)).collect();
        assert_eq!(counts, [(LoginProtocol::Amqp091, 1, 0), (LoginProtocol::Http, 0, 2)]);
        let sources = broker.login_sources();
        assert_eq!(sources.len(), if track_login_sources { 2 } else { 0 });
        if let [_, (source, counts)] = &sources[..] {
            assert_eq!((source.peer, source.user.as_str(), counts.attempts()), (peer, "guest", 2));
        }
        broker.reset_login_sources();
        assert_eq!((broker.login_sources().len(), broker.logins().len()), (0, 2));
        broker.reset_logins();
        assert!(broker.logins().is_empty());
    }
}

#[test]
fn entries_come_and_go_with_what_they_describe() {
    let mut engine = Engine::new(Settings::default(), 1, 1);
    let mut client = engine.connect_with_channel(0);
    engine.call(&mut client, 7, &Method::ChannelOpen(channel::Open {}));
    engine.declare(&mut client, 1, QUEUE);
    engine.consume(&mut client, 7, QUEUE, "tag", true);
    let broker = engine.broker.clone();
    let connection = broker.connections().remove(0);
    assert_eq!((connection.user(), connection.vhost().map(|name| &**name)), ("guest", Some("/")));
    assert_eq!(connection.state().name(), "running");
    assert!(connection.received_bytes.value() > 0 && connection.sent().0 > 0);
    let numbers: Vec<u16> = broker.channels().iter().map(|channel| channel.number).collect();
    assert_eq!(numbers, [1, 7]);
    let name = format!("{} (7)", connection.name);
    let channel = broker.channel_called(&name).expect("found by its name");
    assert!(broker.channel_called(&format!("{} (2)", connection.name)).is_none());
    assert!(broker.channel_called("x (1)").is_none() && broker.channel_called("x").is_none());
    let consumers = broker.consumers();
    assert_eq!((consumers.len(), &*consumers[0].consumer.tag, channel.consumer_count()), (1, "tag", 1));
    assert_eq!(consumers[0].activity(), ::queue::Activity::Up);
    assert_eq!(broker.object_totals().consumers, 1);
    engine.call(
        &mut client,
        7,
        &Method::ChannelClose(channel::Close { reply_code: 200, reply_text: "", class_id: 0, method_id: 0 }),
    );
    assert!(broker.channel_called(&name).is_none() && broker.consumers().is_empty());
    assert_eq!((broker.object_totals().channels, broker.object_totals().consumers), (1, 0));
    client.wire.break_off();
    engine.settle();
    assert!(broker.connections().is_empty() && broker.connection_called(&connection.name).is_none());
    assert_eq!(connection.channel_count(), 0, "nothing keeps the entries of its channels");
}
