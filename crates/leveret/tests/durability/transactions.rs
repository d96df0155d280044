//! Transactions: all of one or nothing.

use testkit::method::{ack, bare};
use testkit::{Publish, RawClient, id};

use crate::support::{Ending, bodies, connect, declare, fanout, numbers, persistent, publish, start};

fn select(client: &mut RawClient) {
    client.call(1, bare(id::TX_SELECT));
}

fn publish_all(client: &mut RawClient, exchange: &str, key: &str, bodies: &[String]) {
    for body in bodies {
        client.publish_with(1, Publish::new(exchange, key), &persistent(), body);
    }
}

#[test]
fn committed_messages_survive_and_others_do_not() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        declare(&mut client, &["one", "two"]);
        fanout(&mut client, &["one", "two"]);
        select(&mut client);
        publish_all(&mut client, "all", "", &numbers(0..50));
        client.call(1, bare(id::TX_COMMIT));
        publish_all(&mut client, "all", "", &numbers(50..60));
        client.call(1, bare(id::TX_ROLLBACK));
        publish_all(&mut client, "", "one", &numbers(60..70));
        client.call(1, bare(id::TX_COMMIT));
        publish_all(&mut client, "all", "", &numbers(70..80));
        // Something else is synced meanwhile.
        publish(&mut client, "", "two", &["confirmed".to_owned()]);
        let mut client = ending.restart(&mut broker);
        assert_eq!(bodies(&mut client, "one"), [numbers(0..50), numbers(60..70)].concat(), "{ending:?}");
        assert_eq!(bodies(&mut client, "two"), [numbers(0..50), vec!["confirmed".to_owned()]].concat(), "{ending:?}");
    }
}

#[test]
fn acknowledgements_count_when_they_are_committed() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        declare(&mut client, &["queue"]);
        publish(&mut client, "", "queue", &numbers(0..10));
        select(&mut client);
        let tags: Vec<u64> = (0..6).map(|_| client.get(1, "queue", false).expect("a message").delivery_tag).collect();
        client.send(1, ack(tags[2], true));
        client.call(1, bare(id::TX_COMMIT));
        client.send(1, ack(tags[5], true));
        client.assert_alive(1);
        // tx.commit-ok says that the acknowledgements are on disk: nothing else has to be synced behind them.
        let mut client = ending.restart(&mut broker);
        assert_eq!(bodies(&mut client, "queue"), numbers(3..10), "{ending:?}");
    }
}

#[test]
fn a_kill_within_a_commit_leaves_all_or_nothing() {
    let mut broker = start();
    declare(&mut connect(&broker), &["one", "two"]);
    fanout(&mut connect(&broker), &["one", "two"]);
    for round in 0..6 {
        let mut client = connect(&broker);
        select(&mut client);
        // Large enough not to be over in one read, and some rounds wait a little for the commit to be under way.
        let sent: Vec<String> = (0..300).map(|number| format!("{round}.{number:01000}")).collect();
        client.in_one_write(|client| {
            publish_all(client, "all", "", &sent);
            client.send(1, bare(id::TX_COMMIT));
        });
        testkit::pause(std::time::Duration::from_millis(round * 2));
        let mut client = Ending::Kill.restart(&mut broker);
        let (one, two) = (bodies(&mut client, "one"), bodies(&mut client, "two"));
        assert!(one.is_empty() || one == sent, "{} of {} messages in round {round}", one.len(), sent.len());
        assert_eq!(one, two, "both queues or none, round {round}");
        crate::support::settle(&mut client);
    }
}
