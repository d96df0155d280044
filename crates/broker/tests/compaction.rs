//! Messages that stay do not keep the memory of those that went.

use amqp::method::queue;
use amqp::{Method, Properties};
use broker::Settings;
use testkit::engine::{Engine, publish};

/// Every so many messages go to the queue that keeps them.
const ONE_IN: usize = 100;
const MESSAGES: usize = 100_000;

#[test]
fn a_few_messages_that_stay_give_the_memory_of_the_others_back() {
    let mut engine = Engine::new(Settings::default(), 1, 1);
    let mut client = engine.connect_with_channel(0);
    for name in ["kept", "gone"] {
        engine.declare(&mut client, 1, name);
    }
    for number in 0..MESSAGES {
        let name = if number % ONE_IN == 0 { "kept" } else { "gone" };
        let mut body = [0; 1024];
        body[..8].copy_from_slice(&(number as u64).to_be_bytes());
        client.publish(1, publish("", name), &Properties::default(), &body);
        if number % 500 == 0 {
            engine.settle();
        }
    }
    engine.settle();
    let full = engine.broker.message_memory();
    assert!(full > MESSAGES * 1024, "{full} bytes hold all messages");
    let purge = queue::Purge { queue: "gone", nowait: false };
    engine.call(&mut client, 1, &Method::QueuePurge(purge));
    assert!(engine.broker.message_memory() > full / 2, "the messages that stay keep most of it");

    for _ in 0..10 {
        engine.broker.compact();
        engine.settle();
    }
    let compacted = engine.broker.message_memory();
    assert!(compacted < full / 2, "{compacted} bytes for {} messages of 1 KiB", MESSAGES / ONE_IN);

    engine.consume(&mut client, 1, "kept", "reader", true);
    let mut expected = (0..MESSAGES).step_by(ONE_IN);
    loop {
        engine.settle();
        let arrivals: Vec<_> = client.arrivals().collect();
        if arrivals.is_empty() {
            break;
        }
        for arrival in arrivals.iter().filter(|arrival| matches!(arrival.method(), Method::BasicDeliver(_))) {
            let number = u64::from_be_bytes(arrival.body[..8].try_into().unwrap());
            assert_eq!(Some(number as usize), expected.next());
        }
    }
    assert_eq!(expected.next(), None, "every message that stayed is whole and in order");
}
