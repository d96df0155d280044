//! Messages that are on disk only, and those who wait for them.

use amqp::method::basic;
use amqp::{Method, Properties};
use broker::Settings;
use store::simulation::SimulatedDisk;
use testkit::engine::{Checkpoint, Client, Engine, StorageStep, publish};

const QUEUE: &str = "q";

/// A broker with so little memory that everything that waits is left to the disk.
fn broker(shards: usize) -> Engine {
    Engine::durable(Settings::default(), shards, 1, SimulatedDisk::new(), Checkpoint::default(), 4096)
}

fn publish_some(engine: &mut Engine, client: &mut Client, count: u32) {
    engine.declare_as(client, 1, QUEUE, true);
    let properties = Properties { delivery_mode: Some(2), ..Properties::default() };
    for number in 0..count {
        client.publish(1, publish("", QUEUE), &properties, &number.to_be_bytes());
    }
    engine.settle();
    engine.broker.compact();
    engine.settle();
}

fn get(client: &Client) {
    client.method(1, &Method::BasicGet(basic::Get { queue: QUEUE, no_ack: false }));
}

#[test]
fn a_get_waits_no_longer_than_a_read_or_mark_that_another_reactor_asked_for() {
    let mut engine = broker(2);
    let mut clients = [engine.connect_with_channel(0), engine.connect_with_channel(1)];
    publish_some(&mut engine, &mut clients[0], 10);
    clients.iter().for_each(get);
    engine.turn(0);
    engine.turn(1);
    engine.settle();
    let mut bodies: Vec<Vec<u8>> = clients.iter_mut().map(|client| client.expect(1).body).collect();
    bodies.sort();
    assert_eq!(bodies, [[0, 0, 0, 0], [0, 0, 0, 1]]);
}

#[test]
fn a_read_whose_messages_have_moved_is_asked_for_again() {
    let mut engine = broker(1);
    let mut client = engine.connect_with_channel(0);
    publish_some(&mut engine, &mut client, 10);
    get(&client);
    engine.turn(0);
    // While the read waits, the segment of the log that it is about becomes a cold one.
    let segments = |engine: &Engine| engine.storage.as_ref().map(|storage| storage.store.log().first_segment());
    let before = segments(&engine);
    let log = engine.storage.as_ref().expect("a store").store.log().clone();
    for _ in 0..300 {
        for _ in 0..8 {
            log.append().metadata(&[0; 1024]);
        }
        for step in [StorageStep::Write, StorageStep::Sync, StorageStep::Maintain, StorageStep::Maintain] {
            engine.storage_step(step).expect("the disk does not fail");
        }
    }
    assert!(segments(&engine) > before, "the segment is gone");
    engine.settle();
    assert_eq!(client.expect(1).body, [0, 0, 0, 0]);
}
