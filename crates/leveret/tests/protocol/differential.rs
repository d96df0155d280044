//! The same random methods to our broker and to RabbitMQ, which have to answer the same: with
//! `LEVERET_TEST_REFERENCE=host:port` naming a RabbitMQ; otherwise there is nothing to compare with.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use testkit::method::*;
use testkit::{
    Consume, Event, ExchangeDeclare, Method, Properties, Publish, QueueDeclare, RawClient, Table, Value, id, table,
};

use crate::random::Random;
use crate::support::{connect_to, is_external, shared, unique};

fn reference() -> Option<SocketAddr> {
    let address = std::env::var("LEVERET_TEST_REFERENCE").ok()?;
    address.to_socket_addrs().ok()?.next()
}

/// One thing to send on channel 1, with its content where it is a publish.
#[derive(Clone, Debug)]
enum Step {
    Send(Method),
    Publish(Publish, Box<Properties>, Vec<u8>),
}

/// Makes steps on a few names.
struct Steps {
    random: Random,
    prefix: String,
    /// Consumers that were started, as far as the steps know.
    live: Vec<String>,
    /// How many consumers and gets may hold messages.
    holders: usize,
}

impl Steps {
    fn flag(&mut self) -> bool {
        self.random.below(4) == 0
    }

    fn name(&mut self) -> String {
        match self.random.below(12) {
            0 => String::new(),
            1 => "amq.direct".to_owned(),
            2 => "amq.fanout".to_owned(),
            3 => "amq.topic".to_owned(),
            n => format!("{}{}", self.prefix, n % 4),
        }
    }

    fn key(&mut self) -> String {
        ["", "a", "a.b", "*.b", "#", "a.#", "*"][self.random.below(7)].to_owned()
    }

    fn arguments(&mut self) -> Table {
        match self.random.below(8) {
            0 => table([("x-max-length", Value::from(100))]),
            1 => table([("x-max-length", Value::Long(200))]),
            2 => table([("x-match", Value::from("any")), ("h", Value::from(1))]),
            3 => table([("alternate-exchange", Value::from("amq.fanout"))]),
            4 => table([("x-own", Value::from("x"))]),
            _ => Table::new(),
        }
    }

    fn properties(&mut self) -> Properties {
        let properties = Properties::default().header("h", self.random.below(2) as i32);
        match self.random.below(10) {
            0 => properties.expiration(["60000", "x", "+70000", "-5", "80000x", "0x10", " 1"][self.random.below(7)]),
            1 => properties.user_id(["guest", "bob"][self.random.below(2)]),
            2 => {
                let key = self.key();
                properties.header("CC", Value::strings(&[&key, "a.b"]))
            }
            3 => properties.header("BCC", 5),
            4 => properties.reply_to("amq.rabbitmq.reply-to"),
            _ => properties.persistent(),
        }
    }

    /// Steps of consumers on two queues. RabbitMQ requeues per consumer, delivering in between, so that messages of
    /// several consumers come back in another order than they were in; nothing is requeued while that may show.
    fn next_of_consumers(&mut self) -> Step {
        let number = self.random.below(2);
        let queue = format!("{}{number}", self.prefix);
        Step::Send(match self.random.below(20) {
            0 | 1 => cancel(&self.live.pop().unwrap_or_default()),
            2 => {
                let tag = format!("tag{}", self.random.next());
                self.live.push(tag.clone());
                self.holders += 1;
                let priority = self.random.below(3) as i32;
                // With no-ack there, RabbitMQ suspends by the limit of others.
                Consume::new(&queue, &tag).argument("x-priority", priority).into()
            }
            // A channel-wide one is left out: which of its queues RabbitMQ resumes first, and when, is chance.
            3 => qos(self.random.below(4) as u16, false),
            4 => {
                self.holders = self.live.len();
                ack(0, true)
            }
            5 | 6 => ack(self.random.below(12) as u64, self.flag()),
            7 if self.holders <= 1 => nack(0, true, true),
            8 if self.holders <= 1 => recover(id::BASIC_RECOVER, true),
            9 => {
                self.holders += 1;
                get(&queue, self.flag())
            }
            10 if self.flag() => queue_purge(&queue),
            _ => {
                let body = self.random.next().to_string().into_bytes();
                return Step::Publish(Publish::new("", &queue), Box::default(), body);
            }
        })
    }

    fn next(&mut self) -> Step {
        let (one, two, key) = (self.name(), self.name(), self.key());
        Step::Send(match self.random.below(24) {
            0..=2 => QueueDeclare {
                passive: self.flag(),
                durable: self.flag(),
                exclusive: self.random.below(3) > 0,
                auto_delete: self.flag(),
                // Only named ones, since the others get names that cannot be compared.
                queue: [one, two].into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| self.prefix.clone()),
                arguments: self.arguments(),
                no_wait: false,
            }
            .into(),
            3 | 4 => ExchangeDeclare {
                exchange: one,
                exchange_type: ["direct", "fanout", "topic", "headers"][self.random.below(4)].to_owned(),
                passive: self.flag(),
                durable: self.flag(),
                auto_delete: self.flag(),
                internal: self.flag(),
                no_wait: false,
                arguments: self.arguments(),
            }
            .into(),
            5..=7 => queue_bind(&one, &two, &key, &self.arguments()),
            8 => queue_unbind(&one, &two, &key, &self.arguments()),
            // What is bound to a predeclared exchange would outlive the run.
            9 => exchange_bind(&format!("{}{}", self.prefix, two.len() % 4), &two, &key, &Table::new()),
            10 => exchange_unbind(&format!("{}{}", self.prefix, two.len() % 4), &two, &key, &Table::new()),
            11 => exchange_delete(&one, self.flag()),
            12 => queue_delete(&one, self.flag(), self.flag()),
            13 => get(&one, self.flag()),
            14 => get(&two, self.flag()),
            15 => ack(self.random.below(4) as u64, self.flag()),
            16 => nack(self.random.below(4) as u64, self.flag(), self.flag()),
            17 => reject(self.random.below(3) as u64, true),
            18 => recover(id::BASIC_RECOVER, true),
            19 => match self.random.below(10) {
                0 => confirm_select(),
                1 => bare(id::TX_SELECT),
                2 => bare(id::TX_COMMIT),
                3 => bare(id::TX_ROLLBACK),
                4 => Consume::new("amq.rabbitmq.reply-to", "replies").no_ack().into(),
                5 => Consume::new(&unused(&one), "missing").into(),
                6 => queue_declare_reserved(),
                7 => cancel("replies"),
                _ => qos(self.random.below(5) as u16, self.flag()),
            },
            _ => {
                let publish = Publish { mandatory: self.flag(), ..Publish::new(&one, &key) };
                let publish = if self.flag() {
                    Publish { exchange: String::new(), routing_key: two, ..publish }
                } else {
                    publish
                };
                return Step::Publish(publish, Box::new(self.properties()), self.random.bytes(20));
            }
        })
    }
}

/// A queue name that is never declared.
fn unused(name: &str) -> String {
    format!("never.{name}")
}

fn queue_declare_reserved() -> Method {
    QueueDeclare::exclusive("amq.reserved").into()
}

/// Sends a step and a channel.flow, and returns all that comes before the flow-ok; an error ends in a channel that is
/// open again, or in `None` for the connection.
fn answers(client: &mut RawClient, step: &Step) -> Option<Vec<Event>> {
    match step.clone() {
        Step::Send(method) => client.send(1, method),
        Step::Publish(publish, properties, body) => client.publish_with(1, publish, &properties, body),
    }
    client.send(1, channel_flow(true));
    // RabbitMQ confirms and returns from other processes than the one that answers.
    let mut events = Vec::new();
    loop {
        let event = client.next_event(1);
        match event.method.id {
            id::CHANNEL_FLOW_OK => break,
            id::CHANNEL_CLOSE => {
                client.send(1, Method { id: id::CHANNEL_CLOSE_OK, arguments: Vec::new() });
                client.open_channel(1);
                events.push(event);
                return Some(events);
            }
            id::CONNECTION_CLOSE => {
                events.push(event);
                eprintln!(
                    "connection closed: {:?}",
                    String::from_utf8_lossy(&events[events.len() - 1].method.arguments)
                );
                return None;
            }
            _ => events.push(event),
        }
    }
    while client.poll(Duration::from_millis(6), |event| event.channel == 1) {
        events.push(client.next_event(1));
    }
    Some(events)
}

/// What can be compared: without counts, which RabbitMQ takes in another process, and with `multiple` confirms apart.
fn comparable(events: Option<Vec<Event>>) -> Option<Vec<String>> {
    let shown = events?.into_iter().map(|event| {
        let mut input = event.method.reader();
        match event.method.id {
            (50, 11) => format!("declare-ok {}", input.short_string()),
            (50, 31 | 41) => "purge-ok or delete-ok".to_owned(),
            (60, 71) => {
                let (tag, redelivered) = (input.longlong(), input.octet());
                let from = (input.short_string(), input.short_string());
                let content = event.content.unwrap_or_default();
                format!("get-ok {tag} {redelivered} {from:?} {:?} {:?}", normal(content.properties), content.body)
            }
            (60, 60) => {
                let (tag, delivery) = (input.short_string(), input.longlong());
                let body = event.content.map(|content| String::from_utf8_lossy(&content.body).into_owned());
                format!("deliver {tag} {delivery} {} {body:?}", input.octet())
            }
            (20 | 10, 40 | 50) => format!("close {} {}", input.short(), input.short_string()),
            id => format!("{id:?} {:?} {:?}", event.method.arguments, event.content.map(|content| content.body)),
        }
    });
    Some(shown.collect())
}

/// Reply addresses differ.
fn normal(properties: Properties) -> Properties {
    let reply_to = properties.reply_to.map(|address| address.chars().take(21).collect());
    Properties { reply_to, ..properties }
}

/// How many runs; a failing one is repeated by its seed.
fn seeds() -> u64 {
    std::env::var("LEVERET_TEST_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(20)
}

/// Runs steps against both until they differ, and says where.
fn compare(
    seed: u64,
    reference: SocketAddr,
    prepare: fn(&mut RawClient, &str),
    next: fn(&mut Steps) -> Step,
) -> Option<String> {
    let prefix = unique("d");
    let mut ours = connect_to(shared().address());
    let mut theirs = connect_to(reference);
    prepare(&mut ours, &prefix);
    prepare(&mut theirs, &prefix);
    let mut steps = Steps { random: Random::new(seed), prefix: prefix.clone(), live: Vec::new(), holders: 0 };
    let mut difference = None;
    let mut history = Vec::new();
    for _ in 0..200 {
        let step = next(&mut steps);
        history.push(format!("{step:?}"));
        let (our, their) = (comparable(answers(&mut ours, &step)), comparable(answers(&mut theirs, &step)));
        if our != their {
            let before = history[history.len().saturating_sub(8)..].join("\n    ");
            difference = Some(format!(
                "seed {seed}, step {}:\n    {before}\n  ours   {our:?}\n  theirs {their:?}",
                history.len()
            ));
            break;
        }
        if our.is_none() {
            break;
        }
    }
    for address in [shared().address(), reference] {
        let mut client = connect_to(address);
        for number in 0..4 {
            client.send(1, queue_delete(&format!("{prefix}{number}"), false, false));
            client.send(1, exchange_delete(&format!("{prefix}{number}"), false));
        }
        client.poll(Duration::from_millis(100), |event| event.method.id == id::CHANNEL_CLOSE);
    }
    difference
}

#[track_caller]
fn check(prepare: fn(&mut RawClient, &str), next: fn(&mut Steps) -> Step) {
    let Some(reference) = reference().filter(|_| !is_external()) else {
        eprintln!("skipped: LEVERET_TEST_REFERENCE names no RabbitMQ");
        return;
    };
    let differences: Vec<String> = (1..=seeds()).filter_map(|seed| compare(seed, reference, prepare, next)).collect();
    assert!(differences.is_empty(), "{} differences\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn random_methods_are_answered_as_rabbitmq_answers_them() {
    check(|_, _| {}, Steps::next);
}

#[test]
fn random_consumers_are_served_as_rabbitmq_serves_them() {
    let prepare = |client: &mut RawClient, prefix: &str| {
        for number in 0..2 {
            client.declare(1, QueueDeclare::exclusive(&format!("{prefix}{number}")));
        }
    };
    check(prepare, Steps::next_of_consumers);
}
