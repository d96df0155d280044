//! What was delivered, acknowledged, rejected and put back before the broker ended.

use testkit::method::{ack, nack, qos, reject};
use testkit::{BrokerProcess, Consume, Delivery, RawClient};

use crate::support::{Ending, bodies, connect, declare, fanout, numbers, publish, settle, start, take, wait_for_count};

/// A broker with so many messages in `queue`, and a client of it.
#[track_caller]
fn filled(count: u32) -> (BrokerProcess, RawClient) {
    let broker = start();
    let mut client = connect(&broker);
    declare(&mut client, &["queue"]);
    publish(&mut client, "", "queue", &numbers(0..count));
    (broker, client)
}

/// The bodies of those that are marked as redelivered.
fn marked(found: &[Delivery]) -> Vec<String> {
    found.iter().filter(|delivery| delivery.redelivered).map(Delivery::text).collect()
}

fn texts(found: &[Delivery]) -> Vec<String> {
    found.iter().map(Delivery::text).collect()
}

#[test]
fn what_nobody_acknowledged_comes_back_marked() {
    for ending in Ending::BOTH {
        let (mut broker, mut client) = filled(30);
        client.call(1, qos(10, false));
        client.consume(1, Consume::new("queue", ""));
        for _ in 0..10 {
            client.expect_delivery(1);
        }
        let mut client = ending.restart(&mut broker);
        let found = take(&mut client, "queue");
        assert_eq!(texts(&found), numbers(0..30), "{ending:?}");
        assert!(marked(&found).starts_with(&numbers(0..10)), "{ending:?}: {:?}", marked(&found));
    }
}

#[test]
fn what_was_fetched_comes_back_marked() {
    for ending in Ending::BOTH {
        let (mut broker, mut client) = filled(10);
        for _ in 0..3 {
            client.get(1, "queue", false).expect("a message");
        }
        let mut client = ending.restart(&mut broker);
        let found = take(&mut client, "queue");
        assert_eq!(texts(&found), numbers(0..10), "{ending:?}");
        assert!(marked(&found).starts_with(&numbers(0..3)), "{ending:?}: {:?}", marked(&found));
    }
}

#[test]
fn the_mark_survives_another_restart() {
    let (mut broker, mut client) = filled(5);
    client.get(1, "queue", false).expect("a message");
    drop(Ending::Kill.restart(&mut broker));
    let mut client = Ending::Clean.restart(&mut broker);
    assert!(marked(&take(&mut client, "queue")).starts_with(&numbers(0..1)));
}

#[test]
fn acknowledged_messages_do_not_come_back() {
    for ending in Ending::BOTH {
        let (mut broker, mut client) = filled(40);
        for number in 0..20 {
            let delivery = client.get(1, "queue", false).expect("a message");
            if number % 2 == 0 {
                client.send(1, ack(delivery.delivery_tag, false));
            }
        }
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        let odd: Vec<String> = (1..20).step_by(2).map(|number| number.to_string()).collect();
        let found = take(&mut client, "queue");
        assert_eq!(texts(&found), [odd.clone(), numbers(20..40)].concat(), "{ending:?}");
        assert!(marked(&found).starts_with(&odd), "{ending:?}");
    }
}

#[test]
fn many_acknowledged_at_once_do_not_come_back() {
    for ending in Ending::BOTH {
        let (mut broker, mut client) = filled(1000);
        client.call(1, qos(600, false));
        client.consume(1, Consume::new("queue", ""));
        for _ in 0..600 {
            client.expect_delivery(1);
        }
        client.send(1, ack(500, true));
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        assert_eq!(bodies(&mut client, "queue"), numbers(500..1000), "{ending:?}");
    }
}

#[test]
fn automatically_acknowledged_messages_do_not_come_back() {
    for ending in Ending::BOTH {
        let (mut broker, mut client) = filled(100);
        client.consume(1, Consume::new("queue", "").no_ack());
        for _ in 0..100 {
            client.expect_delivery(1);
        }
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        assert_eq!(client.message_count(1, "queue"), 0, "{ending:?}");
    }
}

/// Straight to a consumer that waits, without ever being queued.
#[test]
fn what_a_waiting_consumer_took_and_acknowledged_does_not_come_back() {
    for ending in Ending::BOTH {
        let (mut broker, mut client) = filled(0);
        client.consume(1, Consume::new("queue", ""));
        publish(&mut client, "", "queue", &numbers(0..20));
        for number in 0..20 {
            let delivery = client.expect_delivery(1);
            if number < 15 {
                client.send(1, ack(delivery.delivery_tag, false));
            }
        }
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        let found = take(&mut client, "queue");
        assert_eq!(texts(&found), numbers(15..20), "{ending:?}");
        assert_eq!(marked(&found), numbers(15..20), "{ending:?}");
    }
}

#[test]
fn what_was_put_back_stays_where_it_was() {
    for ending in Ending::BOTH {
        let (mut broker, mut client) = filled(20);
        let tags: Vec<u64> = (0..10).map(|_| client.get(1, "queue", false).expect("a message").delivery_tag).collect();
        client.send(1, nack(tags[4], false, true));
        client.send(1, reject(tags[5], true));
        client.send(1, reject(tags[6], false));
        client.send(1, nack(tags[7], false, false));
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        let found = take(&mut client, "queue");
        assert_eq!(texts(&found), [numbers(0..6), numbers(8..20)].concat(), "{ending:?}");
        assert!(marked(&found).starts_with(&[numbers(0..6), numbers(8..10)].concat()), "{ending:?}");
    }
}

/// The end of a channel, and that of a connection, put back what was delivered there.
#[test]
fn what_a_closed_channel_had_is_marked() {
    for ending in Ending::BOTH {
        let (mut broker, mut client) = filled(20);
        client.open_channel(2);
        for channel in [1, 2] {
            for _ in 0..3 {
                client.get(channel, "queue", false).expect("a message");
            }
        }
        client.close_channel(2);
        client.close();
        let mut client = connect(&broker);
        wait_for_count(&mut client, "queue", 20);
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        let found = take(&mut client, "queue");
        assert_eq!(texts(&found), numbers(0..20), "{ending:?}");
        assert!(marked(&found).starts_with(&numbers(0..6)), "{ending:?}: {:?}", marked(&found));
    }
}

#[test]
fn queues_of_a_fanout_are_acknowledged_apart() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        declare(&mut client, &["one", "two"]);
        fanout(&mut client, &["one", "two"]);
        publish(&mut client, "all", "", &numbers(0..50));
        assert_eq!(bodies(&mut client, "one"), numbers(0..50));
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        assert_eq!(client.message_count(1, "one"), 0, "{ending:?}");
        assert_eq!(bodies(&mut client, "two"), numbers(0..50), "{ending:?}");
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        wait_for_count(&mut client, "two", 0);
    }
}
