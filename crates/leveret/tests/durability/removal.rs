//! Queues that were purged or deleted stay so.

use testkit::method::{queue_delete, queue_purge};

use crate::support::{Ending, bodies, connect, declare, fanout, numbers, publish, settle, start};

#[test]
fn a_purged_queue_stays_empty() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        declare(&mut client, &["queue", "other"]);
        fanout(&mut client, &["queue", "other"]);
        publish(&mut client, "all", "", &numbers(0..200));
        client.call(1, queue_purge("queue"));
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        assert_eq!(client.message_count(1, "queue"), 0, "{ending:?}");
        assert_eq!(bodies(&mut client, "other"), numbers(0..200), "{ending:?}");
    }
}

#[test]
fn a_purge_spares_what_is_unacknowledged_and_what_comes_later() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        declare(&mut client, &["queue"]);
        publish(&mut client, "", "queue", &numbers(0..20));
        for _ in 0..2 {
            client.get(1, "queue", false).expect("a message");
        }
        client.call(1, queue_purge("queue"));
        publish(&mut client, "", "queue", &numbers(20..25));
        let mut client = ending.restart(&mut broker);
        assert_eq!(bodies(&mut client, "queue"), [numbers(0..2), numbers(20..25)].concat(), "{ending:?}");
    }
}

#[test]
fn a_queue_declared_again_has_nothing_of_the_deleted_one() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        declare(&mut client, &["queue", "other"]);
        fanout(&mut client, &["queue", "other"]);
        publish(&mut client, "all", "", &numbers(0..100));
        client.call(1, queue_delete("queue", false, false));
        declare(&mut client, &["queue"]);
        publish(&mut client, "", "queue", &numbers(100..110));
        let mut client = ending.restart(&mut broker);
        assert_eq!(bodies(&mut client, "queue"), numbers(100..110), "{ending:?}");
        assert_eq!(bodies(&mut client, "other"), numbers(0..100), "{ending:?}");
        client.call(1, queue_delete("other", false, false));
        let mut client = ending.restart(&mut broker);
        declare(&mut client, &["other"]);
        assert_eq!(client.message_count(1, "other"), 0, "{ending:?}");
    }
}
