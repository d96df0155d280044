//! Sessions of a client that, once it is logged in, sends whatever bytes there are, beside one that means well.

use super::client::write_publish;
use super::{Client, Engine, Random, consume, publish};
use amqp::frame::{FRAME_BODY, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD, write_frame, write_method};
use amqp::method::{basic, channel, confirm, connection, exchange, queue, tx};
use amqp::{FieldTable, Method, Properties, TableRef};
use broker::Settings;

const NEIGHBOURS_QUEUE: &str = "the neighbour's own";
const NAMES: [&str; 6] = ["", "a", "b", "amq.fanout", "amq.topic", "amq.rabbitmq.reply-to"];

/// A broker with a well-behaved client that must never notice what the others do.
pub struct Hostile {
    engine: Engine,
    neighbour: Client,
    messages: u32,
}

impl Hostile {
    /// A broker with the neighbour on it.
    pub fn new(seed: u64) -> Hostile {
        let settings = Settings { max_message_size: 1 << 20, ..Settings::default() };
        let mut engine = Engine::new(settings, 1, seed);
        let mut neighbour = engine.connect_with_channel(0);
        let declare = queue::Declare { exclusive: true, ..plain_queue(NEIGHBOURS_QUEUE) };
        engine.call(&mut neighbour, 1, &Method::QueueDeclare(declare));
        engine.consume(&mut neighbour, 1, NEIGHBOURS_QUEUE, "neighbour", true);
        Hostile { engine, neighbour, messages: 0 }
    }

    /// A session: a handshake, then `stream` in reads of `read_size` bytes, then silence.
    ///
    /// # Panics
    /// When the broker answers with malformed frames, keeps the connection, or disturbs the neighbour.
    pub fn session(&mut self, stream: &[u8], read_size: usize) {
        let mut client = self.engine.connect(0);
        self.engine.reactor(0).set_read_size(read_size.max(1));
        client.wire.send(stream);
        self.engine.settle();
        // Decoding checks that what comes back is whole frames and methods.
        drop(client.arrivals().collect::<Vec<_>>());
        client.wire.break_off();
        self.engine.reactor(0).set_read_size(1 << 20);
        self.engine.settle();
        assert_eq!(self.engine.reactor(0).connections(), 1, "only the neighbour is left");
        self.check_neighbour();
    }

    /// Bytes of message memory that the broker uses.
    pub fn message_memory(&self) -> usize {
        self.engine.broker.message_memory()
    }

    fn check_neighbour(&mut self) {
        self.messages += 1;
        let body = self.messages.to_be_bytes();
        self.neighbour.publish(1, publish("", NEIGHBOURS_QUEUE), &Properties::default(), &body);
        self.engine.settle();
        let bodies: Vec<Vec<u8>> = self.neighbour.arrivals().map(|arrival| arrival.body).collect();
        assert_eq!(bodies, [body.to_vec()], "the neighbour gets its message and nothing else");
    }
}

/// A session's bytes: right frames, wrong frames, and right ones with something changed.
pub fn hostile_stream(random: &mut Random) -> Vec<u8> {
    let mut stream = Vec::new();
    for number in 1..=3 {
        write_method(&mut stream, number, &Method::ChannelOpen(channel::Open {}));
    }
    prepare(&mut stream);
    for _ in 0..1 + random.below(30) {
        let start = stream.len();
        if random.chance(97) {
            right_frames(&mut stream, random);
        } else {
            wrong_frame(&mut stream, random);
        }
        if random.chance(6) {
            mutate(&mut stream, start, random);
        }
    }
    stream
}

/// Declares what the names stand for, on a channel of its own, where an earlier session may have done it differently.
fn prepare(stream: &mut Vec<u8>) {
    for name in ["a", "b"] {
        write_method(stream, 3, &Method::QueueDeclare(plain_queue(name)));
    }
    let declare = exchange::Declare {
        exchange: "a",
        kind: "fanout",
        passive: false,
        durable: false,
        auto_delete: false,
        internal: false,
        nowait: false,
        arguments: TableRef::default(),
    };
    write_method(stream, 3, &Method::ExchangeDeclare(declare));
    for source in ["a", "amq.fanout"] {
        let bind = queue::Bind {
            queue: "a",
            exchange: source,
            routing_key: "",
            nowait: false,
            arguments: TableRef::default(),
        };
        write_method(stream, 3, &Method::QueueBind(bind));
    }
}

fn plain_queue(name: &str) -> queue::Declare<'_> {
    queue::Declare {
        queue: name,
        passive: false,
        durable: false,
        exclusive: false,
        auto_delete: false,
        nowait: false,
        arguments: TableRef::default(),
    }
}

/// Changes some of the bytes from `start` on.
fn mutate(stream: &mut Vec<u8>, start: usize, random: &mut Random) {
    for _ in 0..1 + random.below(3) {
        if stream.len() == start {
            return;
        }
        let at = start + random.below(stream.len() - start);
        match random.below(5) {
            0 => stream[at] = random.number() as u8,
            1 => stream[at] ^= 1 << random.below(8),
            2 => stream.insert(at, random.number() as u8),
            3 => drop(stream.remove(at)),
            _ => stream.truncate(at),
        }
    }
}

/// A frame of any type, channel, length and content.
fn wrong_frame(stream: &mut Vec<u8>, random: &mut Random) {
    let kinds = [FRAME_METHOD, FRAME_HEADER, FRAME_BODY, FRAME_HEARTBEAT, 0, 4, 255];
    let mut payload = vec![0; random.pick(&[0, 1, 4, 12, 14, 100, 5000])];
    random.fill(&mut payload);
    if random.chance(50) && payload.len() >= 4 {
        let class = random.pick(&[10u8, 20, 40, 50, 60, 85, 90]);
        payload[..4].copy_from_slice(&[0, class, 0, random.pick(&[10u8, 11, 20, 30, 40, 50, 60, 70, 80, 120])]);
    }
    write_frame(stream, random.pick(&kinds), random.below(4) as u16, &payload);
}

fn right_frames(stream: &mut Vec<u8>, random: &mut Random) {
    // Most frames make sense, or sessions would not get far.
    let channel = if random.chance(97) { 1 + random.below(2) } else { random.below(4) } as u16;
    let table = arguments(random);
    let table = TableRef::parse(&table[4..]).expect("a table that was just encoded");
    let name = |random: &mut Random| random.pick(&NAMES);
    let flag = |random: &mut Random| random.chance(30);
    let delivery_tag = if random.chance(20) { random.below(6) as u64 } else { 0 };
    match random.below(40) {
        6 if flag(random) => write_method(stream, channel, &Method::ChannelOpen(channel::Open {})),
        7 if flag(random) => {
            let close = channel::Close { reply_code: 200, reply_text: "bye", class_id: 0, method_id: 0 };
            write_method(stream, channel, &Method::ChannelClose(close));
        }
        8 if flag(random) => write_method(stream, channel, &Method::ChannelCloseOk(channel::CloseOk {})),
        9 | 10 => {
            let declare = queue::Declare {
                queue: name(random),
                passive: flag(random),
                durable: flag(random),
                exclusive: flag(random),
                auto_delete: flag(random),
                nowait: flag(random),
                arguments: table,
            };
            write_method(stream, channel, &Method::QueueDeclare(declare));
        }
        11 => {
            let declare = exchange::Declare {
                exchange: name(random),
                kind: random.pick(&["direct", "fanout", "topic", "headers", "x"]),
                passive: flag(random),
                durable: flag(random),
                auto_delete: flag(random),
                internal: flag(random),
                nowait: flag(random),
                arguments: table,
            };
            write_method(stream, channel, &Method::ExchangeDeclare(declare));
        }
        12 => {
            let (queue, exchange, routing_key) = (name(random), name(random), random.pick(&["a", "#", "*.a", ""]));
            let bind = queue::Bind { queue, exchange, routing_key, nowait: flag(random), arguments: table };
            write_method(stream, channel, &Method::QueueBind(bind));
        }
        13 => {
            let (destination, source) = (name(random), name(random));
            let bind = exchange::Bind { destination, source, routing_key: "#", nowait: flag(random), arguments: table };
            write_method(stream, channel, &Method::ExchangeBind(bind));
        }
        14 => {
            let delete = queue::Delete {
                queue: name(random),
                if_unused: flag(random),
                if_empty: flag(random),
                nowait: flag(random),
            };
            write_method(stream, channel, &Method::QueueDelete(delete));
        }
        15..=17 => {
            let consume = basic::Consume { arguments: table, ..consume(name(random), name(random), flag(random)) };
            write_method(stream, channel, &Method::BasicConsume(consume));
        }
        18 => {
            let get = basic::Get { queue: name(random), no_ack: flag(random) };
            write_method(stream, channel, &Method::BasicGet(get));
        }
        19 => {
            let ack = basic::Ack { delivery_tag, multiple: delivery_tag == 0 || flag(random) };
            write_method(stream, channel, &Method::BasicAck(ack));
        }
        20 => {
            let nack = basic::Nack { delivery_tag, multiple: delivery_tag == 0 || flag(random), requeue: flag(random) };
            write_method(stream, channel, &Method::BasicNack(nack));
        }
        21 => {
            let qos = basic::Qos { prefetch_size: 0, prefetch_count: random.below(4) as u16, global: flag(random) };
            write_method(stream, channel, &Method::BasicQos(qos));
        }
        22 => write_method(stream, channel, &Method::BasicRecover(basic::Recover { requeue: !flag(random) })),
        23 => write_method(stream, channel, &Method::ConfirmSelect(confirm::Select { nowait: flag(random) })),
        24 => {
            let transaction =
                [Method::TxSelect(tx::Select {}), Method::TxCommit(tx::Commit {}), Method::TxRollback(tx::Rollback {})];
            write_method(stream, channel, &random.pick(&transaction));
        }
        25 if flag(random) => {
            let close = connection::Close { reply_code: 200, reply_text: "bye", class_id: 0, method_id: 0 };
            write_method(stream, if flag(random) { 0 } else { channel }, &Method::ConnectionClose(close));
        }
        26..=28 => {
            let declare = queue::Declare { nowait: flag(random), ..plain_queue(random.pick(&["a", "b"])) };
            write_method(stream, channel, &Method::QueueDeclare(declare));
        }
        _ => publish_frames(stream, channel, random),
    }
}

fn publish_frames(stream: &mut Vec<u8>, channel: u16, random: &mut Random) {
    let body = vec![b'x'; random.pick(&[0, 1, 100, 5000, 20_000])];
    let headers = arguments(random);
    let properties = Properties {
        headers: TableRef::parse(&headers[4..]).ok(),
        delivery_mode: Some(random.below(3) as u8),
        reply_to: random.chance(5).then_some("amq.rabbitmq.reply-to"),
        expiration: random.chance(20).then_some("100"),
        user_id: random.chance(10).then_some("guest"),
        ..Properties::default()
    };
    let names = (random.pick(&["", "", "amq.fanout", "amq.topic", "a"]), random.pick(&NAMES));
    let publish = basic::Publish { mandatory: random.chance(30), ..publish(names.0, names.1) };
    write_publish(stream, channel, 131_072, publish, &properties, &body);
}

/// A table of arguments that mean something to one method or another, encoded with its length.
fn arguments(random: &mut Random) -> Vec<u8> {
    let mut table = FieldTable::new();
    let names =
        ["x-priority", "x-max-length", "x-expires", "x-match", "alternate-exchange", "CC", "BCC", "x-queue-type"];
    for _ in 0..random.below(3) {
        let name = random.pick(&names);
        match random.below(4) {
            0 => table.insert(name, random.number() as i64),
            1 => table.insert(name, random.pick(&NAMES)),
            2 => table.insert(name, random.chance(50)),
            _ => table.insert(name, FieldTable::new()),
        }
    }
    let mut bytes = Vec::new();
    table.encode(&mut bytes);
    bytes
}
