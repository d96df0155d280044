//! Too much and nonsense: slow readers, memory alarms, many objects, random frames.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::method::{channel_open, queue_bind, queue_purge};
use testkit::{
    BrokerProcess, ConnectOptions, Consume, ExchangeDeclare, FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT,
    FRAME_METHOD, Method, Properties, Publish, QueueDeclare, RawClient, Table, encode_frame, id, publish_frames,
};

use crate::random::Random;
use crate::support::{address, bind, connect, connect_to, delete_exchange, exchange, own_broker, queue, unique};

const MIB: u64 = 1024 * 1024;

#[test]
fn a_consumer_that_never_reads_holds_nobody_up() {
    let Some(broker) = own_broker(&[]) else { return };
    let before = broker.resident_bytes();
    let mut publisher = connect_to(broker.address());
    let name = unique("unread");
    publisher.declare(1, QueueDeclare::new(&name));
    let mut stuck = connect_to(broker.address());
    stuck.consume(1, Consume::new(&name, "").no_ack());
    publisher.confirm_select(1);
    let body = vec![b'x'; 100 * 1024];
    for _ in 0..1024 {
        publisher.publish(1, "", &name, &body);
    }
    publisher.expect_all_confirmed(1, 1024);
    // The messages themselves are 100 MiB; sending them to a full socket must not copy them again.
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 180 * MIB, "100 MiB unread grew the broker by {} MiB", grown / MIB);

    let mut neighbour = connect_to(broker.address());
    let start = Instant::now();
    let queue = queue(&mut neighbour, "neighbour");
    neighbour.fill(&queue, &["x"]);
    neighbour.get(1, &queue, true).expect("a message");
    assert!(start.elapsed() < Duration::from_secs(2), "a neighbour waited {:?}", start.elapsed());
    assert!(publisher.message_count(1, &name) > 512, "most of it still waits in the queue");
}

#[test]
fn a_reader_that_pauses_gets_everything_in_order() {
    let mut publisher = connect();
    let mut consumer = connect();
    let name = unique("pause");
    publisher.declare(1, QueueDeclare::new(&name).auto_delete());
    consumer.consume(1, Consume::new(&name, "").no_ack());
    publisher.confirm_select(1);
    for number in 0..4000_u32 {
        let mut body = number.to_string().into_bytes();
        body.resize(4000, b'.');
        publisher.publish(1, "", &name, &body);
    }
    publisher.expect_all_confirmed(1, 4000);
    for number in 0..4000_u32 {
        let delivery = consumer.expect_delivery(1);
        assert!(delivery.body.starts_with(format!("{number}.").as_bytes()), "message {number}");
    }
}

#[test]
fn a_publisher_that_reads_no_confirms_does_not_grow_the_broker() {
    let Some(broker) = own_broker(&[]) else { return };
    let before = broker.resident_bytes();
    let mut client = connect_to(broker.address());
    client.confirm_select(1);
    client.in_one_write(|client| {
        for _ in 0..50_000 {
            client.publish(1, "", "nowhere", "x");
        }
    });
    client.expect_all_confirmed(1, 50_000);
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 64 * MIB, "{} MiB", grown / MIB);
}

#[test]
fn the_memory_alarm_blocks_publishers_and_clears() {
    // Messages stay in memory, or the disk would take them before the alarm is raised.
    let settings = [("vm_memory_high_watermark.absolute", "150MiB"), ("leveret.message_memory", "100GiB")];
    let Some(broker) = own_broker(&settings) else { return };
    let mut publisher = connect_to(broker.address());
    let name = unique("alarm");
    publisher.declare(1, QueueDeclare::new(&name));
    let body = vec![b'x'; 64 * 1024];
    let frames = publish_frames(1, Publish::new("", &name), &Properties::default(), &body, 131_072);
    let mut socket = publisher.stream().socket().try_clone().expect("a socket");
    socket.set_write_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            // The socket stays full while the publisher is blocked, so every write may end early.
            while !done.load(Ordering::Relaxed) {
                write_all_in_time(&mut socket, &frames, &done);
            }
        });
        let reason = publisher.expect_method(0, id::CONNECTION_BLOCKED).reader().short_string();
        assert_eq!(reason, "low on memory");

        // A connection that only consumes is not blocked, and what it takes away ends the alarm.
        let mut consumer = connect_to(broker.address());
        let taken = consumer.get(1, &name, true).expect("a message");
        assert_eq!(taken.body.len(), body.len());
        done.store(true, Ordering::Relaxed);
        consumer.call(1, queue_purge(&name));
        publisher.wait_for("connection.unblocked", |event| event.method.id == id::CONNECTION_UNBLOCKED);
        writer.join().expect("the writer");
        consumer.call(1, queue_purge(&name));
    });
    publisher.assert_alive(1);
}

/// Writes all of `bytes` however often the socket is full, until some seconds after `done`.
fn write_all_in_time(socket: &mut TcpStream, mut bytes: &[u8], done: &AtomicBool) {
    let mut patience = 10;
    while !bytes.is_empty() && patience > 0 {
        match socket.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if testkit::is_timeout(&error) => patience -= i32::from(done.load(Ordering::Relaxed)),
            Err(error) => panic!("the publisher's socket: {error}"),
        }
    }
}

#[test]
fn ten_thousand_bindings_route() {
    let mut client = connect();
    let (queue, exchange) = (queue(&mut client, "many"), exchange(&mut client, "topic"));
    let count = if crate::support::is_external() { 200 } else { 10_000 };
    client.in_one_write(|client| {
        for number in 0..count {
            client.send(1, queue_bind(&queue, &exchange, &format!("a.{number}.*.#"), &Table::new()));
        }
    });
    for _ in 0..count {
        client.expect_method(1, (50, 21));
    }
    let start = Instant::now();
    for number in (0..count).step_by(count / 100) {
        client.publish(1, &exchange, &format!("a.{number}.x.y"), "x");
        client.publish(1, &exchange, &format!("b.{number}.x"), "unrouted");
    }
    client.assert_alive(1);
    assert!(start.elapsed() < Duration::from_secs(2), "200 publishes took {:?}", start.elapsed());
    assert_eq!(client.message_count(1, &queue), 100);
    delete_exchange(&mut client, &exchange);
}

#[test]
fn a_thousand_queues_on_one_fanout() {
    let mut client = connect();
    let count = if crate::support::is_external() { 20 } else { 1000 };
    let exchange = exchange(&mut client, "fanout");
    let names: Vec<String> = (0..count).map(|_| unique("fan")).collect();
    client.in_one_write(|client| {
        for name in &names {
            client.send(1, QueueDeclare { no_wait: true, ..QueueDeclare::exclusive(name) });
            client.send(1, queue_bind(name, &exchange, "", &Table::new()));
        }
    });
    for _ in &names {
        client.expect_method(1, (50, 21));
    }
    client.confirm_select(1);
    client.publish(1, &exchange, "", "x");
    assert!(client.expect_confirm(1).ack);
    for name in &names {
        assert_eq!(client.message_count(1, name), 1);
    }
    delete_exchange(&mut client, &exchange);
}

#[test]
fn connections_come_and_go() {
    for _ in 0..200 {
        let mut client = connect();
        let queue = queue(&mut client, "churn");
        client.publish(1, "", &queue, "x");
        drop(client);
    }
    connect().assert_alive(1);
}

/// A frame that is anything between nonsense and nearly right.
fn random_frame(random: &mut Random, queue: &str) -> Vec<u8> {
    let channel = random.below(3) as u16;
    let methods =
        [(20, 10), (20, 40), (40, 10), (50, 10), (50, 20), (60, 20), (60, 40), (60, 70), (60, 80), (85, 10), (90, 20)];
    let (class, method) = methods[random.below(methods.len())];
    let mut payload = Vec::new();
    let frame_type = match random.below(10) {
        0 => return random.bytes(40),
        1 => random.next() as u8,
        2 => FRAME_HEARTBEAT,
        3 => FRAME_BODY,
        4 => FRAME_HEADER,
        _ => FRAME_METHOD,
    };
    match frame_type {
        FRAME_METHOD if random.below(2) == 0 => {
            let Method { arguments, .. } = QueueDeclare::exclusive(queue).into();
            payload.extend([0, 50, 0, 10]);
            payload.extend(arguments);
            // One byte of a valid method is changed.
            let at = random.below(payload.len());
            payload[at] = random.next() as u8;
        }
        FRAME_METHOD => {
            payload.extend([0, class, 0, method]);
            payload.extend(random.bytes(60));
        }
        FRAME_HEADER => {
            payload.extend([0, 60, 0, 0]);
            payload.extend(random.next().to_be_bytes());
            payload.extend(random.bytes(30));
        }
        FRAME_HEARTBEAT if random.below(2) == 0 => {}
        _ => payload = random.bytes(100),
    }
    let end = if random.below(20) == 0 { random.next() as u8 } else { FRAME_END };
    encode_frame(frame_type, channel, &payload, end)
}

#[test]
fn random_frames_harm_nobody_else() {
    const SESSIONS: u64 = 400;
    let Some(broker) = own_broker(&[]) else { return };
    let mut bystander = connect_to(broker.address());
    let kept = queue(&mut bystander, "bystander");
    bystander.fill(&kept, &["kept"]);
    for seed in 1..=SESSIONS {
        let mut random = Random::new(seed);
        random_session(&broker, &mut random);
        assert!(broker.pid().is_some_and(is_running), "the broker died of seed {seed}");
    }
    assert_eq!(bystander.drain(1, &kept), ["kept"]);
    let log = broker.log().join("\n");
    assert!(!log.contains("panicked"), "{log}");
    assert!(broker.resident_bytes() < 200 * MIB, "{} MiB after {SESSIONS} sessions", broker.resident_bytes() / MIB);
}

fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn random_session(broker: &BrokerProcess, random: &mut Random) {
    let options = ConnectOptions { frame_max: Some(4096), ..ConnectOptions::default() };
    let mut client = RawClient::connect(broker.address(), &options);
    let queue = unique("random");
    let mut bytes = Vec::new();
    for channel in [1, 2] {
        client.send(channel, channel_open());
    }
    for _ in 0..30 {
        bytes.extend(random_frame(random, &queue));
    }
    // The broker may have closed the connection already.
    let _ = client.stream().write(&bytes);
    if random.below(4) == 0 {
        let _ = client.stream().readable_within(Duration::from_millis(20));
    }
}

/// Bytes that no AMQP client sends, from the first one on.
#[test]
fn random_bytes_before_a_handshake_harm_nobody() {
    let mut random = Random::new(1);
    for _ in 0..100 {
        let mut client = RawClient::open(address(), Duration::from_secs(5));
        let bytes = random.bytes(200);
        let _ = client.stream().write(&bytes);
    }
    connect().assert_alive(1);
}

#[test]
fn names_and_keys_of_any_utf8_work_everywhere() {
    let mut client = connect();
    for text in ["\0", "%s%n", "'; --", "\u{feff}", "a\tb", "𝕬𝖇", "🐇🐇", " ", "..", "#.*"] {
        let name = format!("{}{text}", unique("utf8"));
        client.declare(1, QueueDeclare::exclusive(&name));
        client.call(1, ExchangeDeclare::new(&name, "direct"));
        bind(&mut client, &name, &name, text);
        client.publish(1, &name, text, text);
        let taken = client.get(1, &name, true).expect("a message");
        assert_eq!((taken.exchange.as_str(), taken.routing_key.as_str()), (name.as_str(), text));
        delete_exchange(&mut client, &name);
    }
}

/// A field table nested as deep as a frame allows.
fn nested(depth: usize) -> Vec<u8> {
    let mut table: Vec<u8> = Vec::new();
    for _ in 0..depth {
        let mut outer = vec![1, b'a', b'F'];
        outer.extend((table.len() as u32).to_be_bytes());
        outer.extend(table);
        table = outer;
    }
    let mut whole = (table.len() as u32).to_be_bytes().to_vec();
    whole.extend(table);
    whole
}

/// Such tables may be taken or refused, but must not exhaust a stack.
#[test]
fn deeply_nested_tables_harm_nobody() {
    let Some(broker) = own_broker(&[]) else { return };
    let mut bystander = connect_to(broker.address());
    for depth in [10, 100, 1000, 15_000] {
        let table = nested(depth);
        let name = unique("deep");

        let mut publisher = connect_to(broker.address());
        let mut header = vec![0, 60, 0, 0];
        header.extend(1_u64.to_be_bytes());
        header.extend(0x2000_u16.to_be_bytes());
        header.extend(&table);
        publisher.send(1, Publish::new("amq.headers", &name));
        publisher.send_frame(FRAME_HEADER, 1, &header);
        publisher.send_frame(FRAME_BODY, 1, b"x");
        let _ = publisher.stream().readable_within(Duration::from_millis(50));

        let mut declarer = connect_to(broker.address());
        let mut method = vec![0, 50, 0, 10, 0, 0, name.len() as u8];
        method.extend(name.as_bytes());
        method.push(0b100);
        method.extend(&table);
        declarer.send_frame(FRAME_METHOD, 1, &method);
        let _ = declarer.stream().readable_within(Duration::from_millis(50));

        bystander.assert_alive(1);
    }
    let mut client = RawClient::open(broker.address(), Duration::from_secs(5));
    client.send_raw(&testkit::PROTOCOL_HEADER);
    client.expect_start();
    let mut method = vec![0, 10, 0, 11];
    method.extend(nested(1000));
    client.send_frame(FRAME_METHOD, 0, &method);
    let _ = client.stream().readable_within(Duration::from_millis(200));
    bystander.assert_alive(1);
}

/// Lengths inside a frame that reach beyond it.
#[test]
fn lengths_that_lie_are_refused() {
    for arguments in [
        &[0, 0, 255, b'q'][..],
        &[0, 0, 1, b'q', 0, 0xff, 0xff, 0xff, 0xff],
        &[0, 0, 1, b'q', 0, 0x7f, 0xff, 0xff, 0xff, 1, b'a', b'S'],
        &[0, 0, 1, b'q', 0, 0, 0, 0, 7, 1, b'a', b'S', 0xff, 0xff, 0xff, 0xff],
        &[0, 0, 1, b'q', 0, 0, 0, 0, 7, 1, b'a', b'A', 0xff, 0xff, 0xff, 0xff],
        &[0, 0, 1, b'q', 0, 0, 0, 0, 3, 1, b'a', b'?'],
    ] {
        let mut client = connect();
        client.send(1, Method { id: id::QUEUE_DECLARE, arguments: arguments.to_vec() });
        let event = client.poll(Duration::from_secs(5), |event| event.method.id == id::CONNECTION_CLOSE);
        assert!(event || crate::support::is_external(), "{arguments:?} was not refused");
    }
    connect().assert_alive(1);
}
