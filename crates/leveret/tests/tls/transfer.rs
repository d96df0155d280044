//! Messages over TLS: large ones, many connections, slow readers, small writes.

use crate::{Fixture, Tunnel, Versions};
use std::time::Duration;
use testkit::{ConnectOptions, Consume, QueueDeclare, RawClient, pause};

const LARGE: usize = 10 << 20;

fn body(seed: u8) -> Vec<u8> {
    (0..LARGE).map(|at| (at as u8).wrapping_mul(31) ^ (at >> 8) as u8 ^ seed).collect()
}

#[test]
fn large_messages_arrive_whole_in_both_versions() {
    let fixture = Fixture::start(&[]);
    for (seed, versions) in [(1, Versions::All), (2, Versions::Only12)] {
        let tunnel = Tunnel::to(fixture.tls, &fixture.authority, None, versions);
        let options = ConnectOptions { timeout: Duration::from_secs(60), ..ConnectOptions::default() };
        let mut client = RawClient::connect(tunnel.address(), &options);
        client.open_channel(1);
        let queue = format!("large-{seed}");
        client.declare(1, QueueDeclare { queue: queue.clone(), ..QueueDeclare::default() });
        client.publish(1, "", &queue, body(seed));
        client.consume(1, Consume { queue, no_ack: true, ..Consume::default() });
        assert!(client.expect_delivery(1).body == body(seed), "the body came back as it was sent");
        client.close();
    }
}

#[test]
fn a_slow_reader_gets_everything_in_order() {
    let fixture = Fixture::start(&[]);
    let options = ConnectOptions { timeout: Duration::from_secs(60), ..ConnectOptions::default() };
    let mut reader = RawClient::connect(fixture.tunnel(None).address(), &options);
    reader.open_channel(1);
    reader.declare(1, QueueDeclare { queue: "slow".to_owned(), ..QueueDeclare::default() });
    reader.consume(1, Consume { queue: "slow".to_owned(), no_ack: true, ..Consume::default() });
    let mut writer = RawClient::connect(fixture.tunnel(None).address(), &options);
    writer.open_channel(1);
    for number in 0..400_u32 {
        let body = [number.to_be_bytes().as_slice(), &vec![number as u8; 60_000]].concat();
        writer.publish(1, "", "slow", body);
    }
    pause(Duration::from_millis(500));
    for number in 0..400_u32 {
        let body = reader.expect_delivery(1).body;
        assert_eq!((body.len(), &body[..4]), (60_004, number.to_be_bytes().as_slice()));
        assert!(body[4..].iter().all(|byte| *byte == number as u8));
    }
}

#[test]
fn frames_may_come_byte_by_byte() {
    let fixture = Fixture::start(&[]);
    let mut client = RawClient::open(fixture.tunnel(None).address(), Duration::from_secs(20));
    for byte in b"AMQP\0\0\x09\x01" {
        client.send_raw(&[*byte]);
        pause(Duration::from_millis(2));
    }
    client.expect_start();
}

#[test]
fn many_connections_exchange_messages() {
    let fixture = Fixture::start(&[]);
    let tunnel = fixture.tunnel(None);
    let mut clients: Vec<RawClient> =
        (0..100).map(|_| RawClient::connect(tunnel.address(), &ConnectOptions::default())).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.open_channel(1);
        let queue = format!("many-{number}");
        client.declare(1, QueueDeclare { queue: queue.clone(), ..QueueDeclare::default() });
        client.consume(1, Consume { queue, no_ack: true, ..Consume::default() });
    }
    // Each publishes for its neighbour, so that reactors write to each other's connections.
    for round in 0..20 {
        for number in 0..clients.len() {
            let queue = format!("many-{}", (number + 1) % clients.len());
            clients[number].publish(1, "", &queue, format!("{number} {round}"));
        }
    }
    for number in 0..clients.len() {
        let from = (number + clients.len() - 1) % clients.len();
        for round in 0..20 {
            assert_eq!(clients[number].expect_delivery(1).text(), format!("{from} {round}"));
        }
    }
}
