//! The disk is full: publishers wait, everything else goes on, and nothing that was confirmed is lost.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use testkit::method::ack;
use testkit::{BrokerProcess, Event, Publish, RawClient, Volume, confirm, id};

use crate::content;
use crate::oracle::{Oracle, Seen};
use crate::rounds::look;
use crate::support::{BINARY, connect, declare, persistent};

const VOLUME_BYTES: u64 = 96 << 20;
const QUEUE: &str = "queue";
/// Far more than the volume can hold.
const TOO_MANY: u32 = 200_000;
const WINDOW: usize = 16;
const OTHER_FILE: &str = "other";

/// A volume and a broker with its data on it; `None`, with a line that says why, where there can be no volume.
fn start() -> Option<(Volume, BrokerProcess)> {
    let volume = Volume::new(VOLUME_BYTES).inspect_err(|why| eprintln!("skipped: {why}")).ok()?;
    // The store raises this to what it needs itself.
    let settings = [("disk_free_limit.absolute", "1MB")];
    let broker = BrokerProcess::start_in(&volume.path().join("data"), BINARY, &settings);
    declare(&mut connect(&broker), &[QUEUE]);
    Some((volume, broker))
}

struct Publisher {
    client: RawClient,
    id: u32,
    published: u32,
    unconfirmed: BTreeSet<u64>,
    is_blocked: bool,
}

impl Publisher {
    fn new(broker: &BrokerProcess, id: u32) -> Publisher {
        let mut client = connect(broker);
        client.confirm_select(1);
        Publisher { client, id, published: 0, unconfirmed: BTreeSet::new(), is_blocked: false }
    }

    /// Publishes until it is blocked, the window stays full for `patience`, or `count` more are published.
    fn publish(&mut self, oracle: &mut Oracle, count: u32, patience: Duration) {
        let last = self.published + count;
        while self.published < last && !self.is_blocked {
            let deadline = Instant::now() + patience;
            while self.unconfirmed.len() >= WINDOW && !self.is_blocked {
                self.read(oracle, Duration::from_millis(50));
                if Instant::now() > deadline {
                    return;
                }
            }
            self.published += 1;
            let message = (self.id, self.published);
            oracle.published(message, &[0], true);
            self.unconfirmed.insert(u64::from(self.published));
            let sent = self.client.try_publish(1, Publish::new("", QUEUE), &persistent(), &content::body(message));
            sent.expect("a window of messages fits into the socket");
        }
    }

    /// Reads an event if one comes in time.
    fn read(&mut self, oracle: &mut Oracle, wait: Duration) {
        let Some(event) = self.client.try_next(wait).expect("the broker is alive") else { return };
        match event.method.id {
            id::CONNECTION_BLOCKED => {
                assert_eq!(event.method.reader().short_string(), "low on disk");
                self.is_blocked = true;
            }
            id::CONNECTION_UNBLOCKED => self.is_blocked = false,
            _ => self.confirm(oracle, &event),
        }
    }

    fn confirm(&mut self, oracle: &mut Oracle, event: &Event) {
        let confirm = confirm(event).unwrap_or_else(|| panic!("a confirm was due, got {event:?}"));
        assert!(confirm.ack, "rejected: {confirm:?}");
        let is_covered = |tag: u64| tag == confirm.delivery_tag || confirm.multiple && tag < confirm.delivery_tag;
        for tag in self.unconfirmed.iter().filter(|tag| is_covered(**tag)) {
            oracle.confirmed((self.id, *tag as u32));
        }
        self.unconfirmed.retain(|tag| !is_covered(*tag));
    }

    /// Reads until it is not blocked any more and everything is confirmed.
    #[track_caller]
    fn wait(&mut self, oracle: &mut Oracle) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.is_blocked || !self.unconfirmed.is_empty() {
            self.read(oracle, Duration::from_millis(50));
            let Publisher { published, unconfirmed, is_blocked, .. } = self;
            let waiting = unconfirmed.len();
            assert!(Instant::now() < deadline, "{waiting} of {published} unconfirmed, blocked: {is_blocked}");
        }
    }
}

/// Takes and acknowledges up to `count` messages.
fn take(client: &mut RawClient, oracle: &mut Oracle, count: u32) {
    let mut acked = Vec::new();
    for _ in 0..count {
        let Some(delivery) = client.get(1, QUEUE, false) else { break };
        let message = content::id_of(&delivery.body);
        let redelivered = delivery.redelivered;
        oracle.delivered(Seen { queue: 0, id: message, redelivered, ordered_consumer: Some(0) });
        oracle.acked(0, message);
        client.send(1, ack(delivery.delivery_tag, false));
        acked.push((0, message));
    }
    client.assert_alive(1);
    oracle.acks_read(acked);
}

#[track_caller]
fn check_after_restart(broker: &mut BrokerProcess, oracle: &mut Oracle) {
    broker.kill_9();
    broker.launch();
    oracle.restarted(&[look(broker, QUEUE)]);
    let violations = oracle.violations();
    assert!(violations.is_empty(), "{} violations: {:#?}", violations.len(), &violations[..violations.len().min(20)]);
}

#[test]
#[ignore = "long, needs root; cargo test -p leveret --test durability -- --ignored"]
fn publishers_wait_until_there_is_space_again() {
    let Some((_volume, mut broker)) = start() else { return };
    let mut oracle = Oracle::new(1);
    let mut publisher = Publisher::new(&broker, 1);
    publisher.publish(&mut oracle, TOO_MANY, Duration::from_secs(30));
    assert!(publisher.is_blocked, "{} published and not blocked", publisher.published);
    assert!(broker.is_running() && broker.has_logged("disk resource limit alarm set"));
    let held = connect(&broker).message_count(1, QUEUE);
    assert!(held > 1000, "{held} messages are a small part of {VOLUME_BYTES} bytes");

    // Consumers make space, and nothing else does.
    take(&mut connect(&broker), &mut oracle, u32::MAX);
    publisher.wait(&mut oracle);
    assert!(broker.has_logged("disk resource limit alarm cleared"));
    publisher.publish(&mut oracle, 500, Duration::from_secs(30));
    publisher.wait(&mut oracle);
    check_after_restart(&mut broker, &mut oracle);

    // Once more, so that what was used before has really become free; and a restart while it is full.
    let mut publisher = Publisher::new(&broker, 2);
    publisher.publish(&mut oracle, TOO_MANY, Duration::from_secs(30));
    assert!(publisher.is_blocked, "{} published and not blocked", publisher.published);
    check_after_restart(&mut broker, &mut oracle);
    take(&mut connect(&broker), &mut oracle, u32::MAX);
    let mut publisher = Publisher::new(&broker, 3);
    publisher.publish(&mut oracle, 500, Duration::from_secs(60));
    publisher.wait(&mut oracle);
    check_after_restart(&mut broker, &mut oracle);
}

/// Somebody else takes all the space at once, so that no alarm can come before.
#[test]
#[ignore = "long, needs root; cargo test -p leveret --test durability -- --ignored"]
fn a_disk_without_any_space_loses_nothing() {
    let Some((volume, mut broker)) = start() else { return };
    let mut oracle = Oracle::new(1);
    let mut publisher = Publisher::new(&broker, 1);
    publisher.publish(&mut oracle, 2000, Duration::from_secs(30));
    volume.fill(OTHER_FILE);
    publisher.publish(&mut oracle, TOO_MANY, Duration::from_secs(5));
    assert!(publisher.published < TOO_MANY, "more published than there is space for");
    assert!(broker.is_running());
    take(&mut connect(&broker), &mut oracle, 300);
    // Whether it was told or just waits depends on what the broker noticed first.
    assert!(publisher.is_blocked || !publisher.unconfirmed.is_empty(), "the publisher goes on");

    volume.remove(OTHER_FILE);
    publisher.wait(&mut oracle);
    publisher.publish(&mut oracle, 100, Duration::from_secs(30));
    publisher.wait(&mut oracle);
    check_after_restart(&mut broker, &mut oracle);

    // The same, ended while there is no space.
    let mut publisher = Publisher::new(&broker, 2);
    publisher.publish(&mut oracle, 500, Duration::from_secs(30));
    volume.fill(OTHER_FILE);
    publisher.publish(&mut oracle, TOO_MANY, Duration::from_secs(5));
    take(&mut connect(&broker), &mut oracle, 300);
    broker.kill_9();
    volume.remove(OTHER_FILE);
    broker.launch();
    check_after_restart(&mut broker, &mut oracle);
}
