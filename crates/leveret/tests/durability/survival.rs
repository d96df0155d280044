//! Messages that survive, whole and in order, and those that do not.

use testkit::{BrokerProcess, ExchangeDeclare, Properties, Publish, QueueDeclare, RawClient, Value, method, table};

use crate::support::{
    BINARY, Ending, bodies, connect, declare, fanout, numbers, persistent, publish, settle, start, take, wait_for_count,
};

#[test]
fn confirmed_messages_survive_in_order() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        declare(&mut client, &["queue", "empty"]);
        publish(&mut client, "", "queue", &numbers(0..500));
        let mut client = ending.restart(&mut broker);
        assert_eq!(client.message_count(1, "queue"), 500, "{ending:?}");
        assert_eq!(client.message_count(1, "empty"), 0, "{ending:?}");
        assert_eq!(bodies(&mut client, "queue"), numbers(0..500), "{ending:?}");
    }
}

#[test]
fn restarts_can_follow_each_other() {
    let mut broker = start();
    declare(&mut connect(&broker), &["queue"]);
    for round in 0..4 {
        let mut client = Ending::BOTH[round as usize % 2].restart(&mut broker);
        wait_for_count(&mut client, "queue", round as usize * 50);
        publish(&mut client, "", "queue", &numbers(round * 50..(round + 1) * 50));
    }
    let mut client = Ending::Kill.restart(&mut broker);
    assert_eq!(bodies(&mut client, "queue"), numbers(0..200));
    let mut client = Ending::Clean.restart(&mut broker);
    assert_eq!(client.message_count(1, "queue"), 0);
}

#[test]
fn transient_messages_do_not_survive() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        declare(&mut client, &["queue"]);
        client.confirm_select(1);
        for number in 0..100 {
            let properties = if number % 2 == 0 { persistent() } else { Properties::default() };
            client.publish_with(1, Publish::new("", "queue"), &properties, number.to_string());
        }
        client.expect_all_confirmed(1, 100);
        let mut client = ending.restart(&mut broker);
        let even: Vec<String> = (0..100).step_by(2).map(|number| number.to_string()).collect();
        assert_eq!(bodies(&mut client, "queue"), even, "{ending:?}");
    }
}

#[test]
fn queues_that_are_not_durable_do_not_survive() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        client.declare(1, QueueDeclare::new("queue"));
        publish(&mut client, "", "queue", &numbers(0..10));
        let mut client = ending.restart(&mut broker);
        client.send(1, QueueDeclare::passive("queue"));
        assert_eq!(client.expect_close(1).code, 404, "{ending:?}");
        client.open_channel(1);
        declare(&mut client, &["queue"]);
        assert_eq!(client.message_count(1, "queue"), 0, "{ending:?}: another queue of that name");
    }
}

#[test]
fn a_fanout_survives_in_every_queue() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        let queues = ["one", "two", "three"];
        declare(&mut client, &queues);
        client.declare(1, QueueDeclare::new("transient"));
        fanout(&mut client, &queues);
        fanout(&mut client, &["transient"]);
        publish(&mut client, "all", "", &numbers(0..100));
        let mut client = ending.restart(&mut broker);
        for queue in queues {
            assert_eq!(bodies(&mut client, queue), numbers(0..100), "{queue} after {ending:?}");
        }
    }
}

#[test]
fn many_queues_survive_each_with_its_own() {
    const QUEUES: u32 = 300;
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        let names: Vec<String> = (0..QUEUES).map(|number| format!("queue-{number}")).collect();
        let queues: Vec<&str> = names.iter().map(String::as_str).collect();
        declare(&mut client, &queues);
        fanout(&mut client, &queues);
        publish(&mut client, "all", "", &numbers(0..5));
        for queue in &queues {
            publish(&mut client, "", queue, &[(*queue).to_owned()]);
        }
        let mut client = ending.restart(&mut broker);
        for queue in &queues {
            let expected = [numbers(0..5), vec![(*queue).to_owned()]].concat();
            assert_eq!(bodies(&mut client, queue), expected, "{queue} after {ending:?}");
        }
    }
}

/// Properties with every field and headers of many types.
fn full_properties(number: usize) -> Properties {
    let nested = table([("inner", Value::from("text")), ("list", Value::strings(&["a", "b"]))]);
    Properties {
        content_type: Some("text/plain".to_owned()),
        content_encoding: Some("identity".to_owned()),
        priority: Some(3),
        correlation_id: Some(format!("correlation-{number}")),
        message_id: Some("id".to_owned()),
        timestamp: Some(1_700_000_000),
        message_type: Some("type".to_owned()),
        app_id: Some("application".to_owned()),
        ..persistent()
    }
    .reply_to("reply")
    .user_id("guest")
    .header("number", 7)
    .header("flag", true)
    .header("nothing", Value::Void)
    .header("bytes", Value::Binary(vec![0, 255, 1]))
    .header("table", nested)
}

/// Around every limit of the store: none, inline, detached, a file of its own.
#[test]
fn messages_of_all_sizes_survive_exactly() {
    const SIZES: [usize; 7] = [0, 1, 1 << 10, 70 << 10, 300 << 10, 1 << 20, 3 << 20];
    let body = |size: usize| (0..size).map(|at| (at * 31 % 251) as u8).collect::<Vec<u8>>();
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        declare(&mut client, &["one", "two"]);
        fanout(&mut client, &["one", "two"]);
        client.confirm_select(1);
        for (number, size) in SIZES.into_iter().enumerate() {
            client.publish_with(1, Publish::new("all", "the.key"), &full_properties(number), body(size));
        }
        client.expect_all_confirmed(1, SIZES.len() as u64);
        drop(ending.restart(&mut broker));
        let mut client = ending.restart(&mut broker);
        for queue in ["one", "two"] {
            let found = take(&mut client, queue);
            assert_eq!(found.len(), SIZES.len(), "{queue} after {ending:?}");
            for (number, delivery) in found.into_iter().enumerate() {
                let size = SIZES[number];
                assert!(delivery.body == body(size), "the body of {size} bytes in {queue} after {ending:?}");
                assert_eq!(delivery.properties, full_properties(number), "of {size} bytes");
                assert_eq!((delivery.exchange.as_str(), delivery.routing_key.as_str()), ("all", "the.key"));
            }
        }
    }
}

/// Much more than may stay in memory, so that most of it is read back, before a restart and after.
#[test]
fn a_backlog_beyond_the_memory_for_messages_survives() {
    const COUNT: u32 = 2000;
    let long = |range: std::ops::Range<u32>| range.map(|number| format!("{number:010000}")).collect::<Vec<_>>();
    for ending in Ending::BOTH {
        let mut broker = BrokerProcess::start(BINARY, &[("leveret.message_memory", "1MiB")]);
        let mut client = connect(&broker);
        declare(&mut client, &["queue"]);
        publish(&mut client, "", "queue", &long(0..COUNT));
        for number in 0..100 {
            let delivery = client.get(1, "queue", true).expect("a message");
            assert_eq!(delivery.text().trim_start_matches('0'), number.to_string().trim_start_matches('0'));
        }
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        let found = bodies(&mut client, "queue");
        assert!(found == long(100..COUNT), "{} of {} messages, {ending:?}", found.len(), COUNT - 100);
    }
}

/// Whatever is synced and when: a process that is killed loses nothing that it wrote.
#[test]
fn every_setting_of_sync_survives_a_kill() {
    for sync in ["always", "interval:50", "never"] {
        let mut broker = BrokerProcess::start(BINARY, &[("leveret.sync", sync)]);
        let mut client = connect(&broker);
        declare(&mut client, &["queue"]);
        publish(&mut client, "", "queue", &numbers(0..200));
        let mut client = Ending::Kill.restart(&mut broker);
        assert_eq!(bodies(&mut client, "queue"), numbers(0..200), "{sync}");
    }
}

#[test]
fn the_store_is_sound_after_a_kill() {
    let mut broker = start();
    let mut client = connect(&broker);
    declare(&mut client, &["queue"]);
    publish(&mut client, "", "queue", &numbers(0..200));
    broker.kill_9();
    let binary = std::env::var_os("LEVERET_BIN").unwrap_or_else(|| BINARY.into());
    for command in ["check", "dump"] {
        let mut store = std::process::Command::new(&binary);
        let output = store.args(["store", command]).arg(broker.data_dir()).output().unwrap();
        assert!(output.status.success(), "store {command}: {}", String::from_utf8_lossy(&output.stderr));
    }
    broker.launch();
    assert_eq!(bodies(&mut connect(&broker), "queue"), numbers(0..200));
}

/// The queues where the keys `0` to `39` arrive, which are known by the first letter of their names.
fn spread(client: &mut RawClient, exchange: &str, queues: &[&str]) -> String {
    let mut places = vec!['-'; 40];
    for key in 0..places.len() {
        client.publish(1, exchange, &key.to_string(), key.to_string());
    }
    for queue in queues {
        for body in bodies(client, queue) {
            places[body.parse::<usize>().unwrap()] = queue.chars().next().unwrap();
        }
    }
    places.into_iter().collect()
}

/// Buckets go by the order of binding, which is not that of the names.
#[test]
fn consistent_hash_exchanges_keep_their_buckets() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        let queues = ["c", "a", "d", "b"];
        declare(&mut client, &queues);
        client.call(1, ExchangeDeclare::new("hash", "x-consistent-hash").durable());
        for (queue, weight) in queues.iter().zip(["2", "7", "1", "3"]) {
            client.call(1, method::queue_bind(queue, "hash", weight, &Vec::new()));
        }
        let before = spread(&mut client, "hash", &queues);
        assert!(queues.iter().all(|queue| before.contains(queue)), "{before}");
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        assert_eq!(spread(&mut client, "hash", &queues), before, "{ending:?}");
        // What is bound after the restart comes last.
        client.call(1, method::queue_unbind("a", "hash", "7", &Vec::new()));
        client.call(1, method::queue_bind("a", "hash", "7", &Vec::new()));
        let moved = spread(&mut client, "hash", &queues);
        assert_ne!(moved, before, "{ending:?}");
        let mut client = ending.restart(&mut broker);
        assert_eq!(spread(&mut client, "hash", &queues), moved, "{ending:?}");
    }
}

/// Persistent or not, as RabbitMQ 4.x keeps them.
#[test]
fn recent_history_survives() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        declare(&mut client, &["old"]);
        let declare_history = ExchangeDeclare::new("history", "x-recent-history").durable();
        client.call(1, declare_history.argument("x-recent-history-length", 10));
        client.call(1, method::queue_bind("old", "history", "", &Vec::new()));
        for number in 0..10 {
            client.publish(1, "history", "k", number.to_string());
        }
        publish(&mut client, "history", "k", &numbers(10..15));
        let mut client = ending.restart(&mut broker);
        assert_eq!(bodies(&mut client, "old"), numbers(10..15), "{ending:?}");
        declare(&mut client, &["new"]);
        client.call(1, method::queue_bind("new", "history", "", &Vec::new()));
        wait_for_count(&mut client, "new", 10);
        assert_eq!(bodies(&mut client, "new"), numbers(5..15), "{ending:?}");
        // What comes now pushes out what was before the restart, and deleting the exchange leaves nothing.
        publish(&mut client, "history", "k", &numbers(15..20));
        assert_eq!(bodies(&mut client, "new"), numbers(15..20), "{ending:?}");
        let mut client = ending.restart(&mut broker);
        declare(&mut client, &["newer"]);
        client.call(1, method::queue_bind("newer", "history", "", &Vec::new()));
        wait_for_count(&mut client, "newer", 10);
        assert_eq!(bodies(&mut client, "newer"), numbers(10..20), "{ending:?}");
        client.call(1, method::exchange_delete("history", false));
        client.call(1, ExchangeDeclare::new("history", "x-recent-history").durable());
        let mut client = ending.restart(&mut broker);
        declare(&mut client, &["newest"]);
        client.call(1, method::queue_bind("newest", "history", "", &Vec::new()));
        assert_eq!(client.message_count(1, "newest"), 0, "{ending:?}");
    }
}

fn keyed(key: &str) -> Properties {
    let headers = Some(table([("x-deduplication-header", Value::from(key))]));
    Properties { headers, ..persistent() }
}

fn publish_keyed(client: &mut RawClient, exchange: &str, routing_key: &str, keys: &[String]) {
    const CHANNEL: u16 = 2001;
    client.open_channel(CHANNEL);
    client.confirm_select(CHANNEL);
    for key in keys {
        client.publish_with(CHANNEL, Publish::new(exchange, routing_key), &keyed(key), key);
    }
    client.expect_all_confirmed(CHANNEL, keys.len() as u64);
    client.close_channel(CHANNEL);
}

#[test]
fn exchanges_remember_what_they_have_seen() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        declare(&mut client, &["queue"]);
        for (name, persistence) in [("remembers", "disk"), ("forgets", "memory")] {
            let window = ExchangeDeclare::new(name, "x-message-deduplication").durable();
            let window = window.argument("x-cache-size", 100).argument("x-cache-persistence", persistence);
            client.call(1, window);
            client.call(1, method::queue_bind("queue", name, "", &Vec::new()));
        }
        publish_keyed(&mut client, "remembers", "", &numbers(0..150));
        assert_eq!(bodies(&mut client, "queue"), numbers(0..150), "{ending:?}");
        publish_keyed(&mut client, "forgets", "", &numbers(0..1));
        assert_eq!(bodies(&mut client, "queue"), numbers(0..1), "{ending:?}");
        settle(&mut client);
        // Of 150 keys the last 100 are known; each restart meets the ones that made room for others in between.
        for (published, new) in [(50..150, 0..0), (0..10, 0..10), (60..150, 0..0), (0..60, 10..60)] {
            let mut client = ending.restart(&mut broker);
            publish_keyed(&mut client, "remembers", "", &numbers(published));
            assert_eq!(bodies(&mut client, "queue"), numbers(new), "{ending:?}");
            publish_keyed(&mut client, "forgets", "", &numbers(0..1));
            assert_eq!(bodies(&mut client, "queue"), numbers(0..1), "{ending:?}");
            settle(&mut client);
        }
    }
}

#[test]
fn queues_know_what_is_in_them() {
    for ending in Ending::BOTH {
        let mut broker = start();
        let mut client = connect(&broker);
        let unique = QueueDeclare::new("unique").durable().argument("x-message-deduplication", true);
        client.declare(1, unique);
        publish_keyed(&mut client, "", "unique", &numbers(0..300));
        for number in 0..100 {
            assert_eq!(client.get(1, "unique", true).unwrap().body, number.to_string().into_bytes());
        }
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        assert_eq!(client.message_count(1, "unique"), 200, "{ending:?}");
        publish_keyed(&mut client, "", "unique", &numbers(0..301));
        let expected = [numbers(100..300), numbers(0..100), numbers(300..301)].concat();
        assert_eq!(bodies(&mut client, "unique"), expected, "{ending:?}");
        settle(&mut client);
        let mut client = ending.restart(&mut broker);
        publish_keyed(&mut client, "", "unique", &numbers(0..301));
        assert_eq!(bodies(&mut client, "unique"), numbers(0..301), "{ending:?}");
    }
}
