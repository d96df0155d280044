//! What a group of Celery workers declares and does, under load: tasks with late acknowledgement and changing prefetch,
//! control messages (pidbox) and events with short lives, results in queues that expire.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use testkit::method::{ack, cancel, exchange_delete, qos, queue_bind, queue_delete, reject};
use testkit::{Consume, ExchangeDeclare, Properties, Publish, QueueDeclare, RawClient, Value};

use super::waiting::{await_count, is_gone, until};
use crate::support::{connect, unique};

/// The exchanges of one application, as kombu declares them.
struct Application {
    name: String,
    pidbox: String,
    reply: String,
    events: String,
}

impl Application {
    fn declare(client: &mut RawClient) -> Application {
        let name = unique("celery");
        let application = Application {
            pidbox: format!("{name}.pidbox"),
            reply: format!("reply.{name}.pidbox"),
            events: format!("{name}ev"),
            name,
        };
        let durable_tasks = ExchangeDeclare::new(&application.name, "direct").durable();
        client.call(1, durable_tasks);
        client.call(1, ExchangeDeclare::new(&application.pidbox, "fanout"));
        client.call(1, ExchangeDeclare::new(&application.reply, "direct"));
        client.call(1, ExchangeDeclare::new(&application.events, "topic").durable());
        client.declare(1, QueueDeclare::new(&application.name).durable());
        client.call(1, queue_bind(&application.name, &application.name, &application.name, &Vec::new()));
        application
    }

    fn delete(&self, client: &mut RawClient) {
        client.call(1, queue_delete(&self.name, false, false));
        for exchange in [&self.name, &self.pidbox, &self.reply, &self.events] {
            client.call(1, exchange_delete(exchange, false));
        }
    }
}

/// A worker: tasks on channel 1, control messages on channel 2.
struct Worker {
    client: RawClient,
    control: String,
}

impl Worker {
    fn start(application: &Application, number: usize, prefetch: u16) -> Worker {
        let mut client = connect();
        client.open_channel(2);
        let control = format!("worker{number}@{}.pidbox", application.name);
        let declare = QueueDeclare::exclusive(&control)
            .auto_delete()
            .argument("x-expires", 10_000)
            .argument("x-message-ttl", 300_000);
        client.declare(2, declare);
        client.call(2, queue_bind(&control, &application.pidbox, "", &Vec::new()));
        client.consume(2, Consume::new(&control, "control").no_ack());
        client.call(1, qos(prefetch, true));
        client.consume(1, Consume::new(&application.name, "tasks"));
        Worker { client, control }
    }
}

fn result_queue(client: &mut RawClient, channel: u16) -> String {
    let name = unique("result");
    let declare = QueueDeclare::exclusive(&name).auto_delete().argument("x-expires", 86_400_000);
    client.declare(channel, declare);
    client.consume(channel, Consume::new(&name, "results").no_ack());
    name
}

/// Three workers, one of which dies; every task is answered, those of the dead one by the others.
#[test]
fn tasks_are_answered_though_a_worker_dies() {
    const TASKS: usize = 1500;
    let mut client = connect();
    let application = Application::declare(&mut client);
    client.open_channel(2);
    let results = result_queue(&mut client, 2);
    client.confirm_select(1);
    client.in_one_write(|client| {
        for number in 0..TASKS {
            let properties = Properties {
                correlation_id: Some(number.to_string()),
                ..Properties::default().persistent().reply_to(&results)
            };
            client.publish_with(1, Publish::new(&application.name, &application.name), &properties, "task");
        }
    });
    client.expect_all_confirmed(1, TASKS as u64);
    let workers: Vec<_> = (0..3)
        .map(|number| {
            let mut worker = Worker::start(&application, number, 4);
            std::thread::spawn(move || {
                let mut done = 0;
                while worker.client.poll(Duration::from_millis(700), |event| event.channel == 1) {
                    let delivery = worker.client.expect_delivery(1);
                    if number == 0 && done == 50 {
                        return done;
                    }
                    let properties = delivery.properties.clone();
                    let reply_to = properties.reply_to.clone().expect("an address");
                    let reply = Properties { correlation_id: properties.correlation_id, ..Properties::default() };
                    worker.client.publish_with(1, Publish::new("", &reply_to), &reply, "result");
                    worker.client.send(1, ack(delivery.delivery_tag, false));
                    done += 1;
                    // A worker changes its prefetch while it has tasks with an ETA.
                    if done % 100 == 0 {
                        worker.client.call(1, qos(4 + (done / 100 % 3) as u16, true));
                    }
                }
                done
            })
        })
        .collect();
    let mut answered = BTreeSet::new();
    while answered.len() < TASKS {
        let result = client.expect_delivery(2);
        answered.insert(result.properties.correlation_id.expect("an id"));
    }
    let done: usize = workers.into_iter().map(|worker| worker.join().expect("a worker")).sum();
    assert_eq!(done, TASKS);
    await_count(&mut client, &application.name, 0);
    application.delete(&mut client);
}

#[test]
fn control_messages_reach_every_worker_and_their_replies_come_back() {
    let mut client = connect();
    let application = Application::declare(&mut client);
    let mut workers: Vec<Worker> = (0..3).map(|number| Worker::start(&application, number, 1)).collect();
    let reply = unique("reply");
    let declare = QueueDeclare::exclusive(&reply).auto_delete().argument("x-expires", 10_000);
    client.declare(1, declare);
    client.call(1, queue_bind(&reply, &application.reply, &reply, &Vec::new()));
    client.consume(1, Consume::new(&reply, "replies").no_ack());
    client.publish(1, &application.pidbox, "", "ping");
    for worker in &mut workers {
        worker.client.expect_bodies(2, &["ping"]);
        worker.client.publish(2, &application.reply, &reply, &worker.control);
    }
    let replies: BTreeSet<String> = (0..3).map(|_| client.expect_delivery(1).text()).collect();
    assert_eq!(replies, workers.iter().map(|worker| worker.control.clone()).collect());
    application.delete(&mut client);
}

/// A monitor that stopped reading loses events after their time, not the broker its memory.
#[test]
fn events_that_nobody_reads_expire() {
    let mut client = connect();
    let application = Application::declare(&mut client);
    let monitor = unique("events");
    let declare =
        QueueDeclare::exclusive(&monitor).auto_delete().argument("x-message-ttl", 200).argument("x-expires", 60_000);
    client.declare(1, declare);
    client.call(1, queue_bind(&monitor, &application.events, "#", &Vec::new()));
    client.confirm_select(1);
    client.in_one_write(|client| {
        for number in 0..3000 {
            client.publish(1, &application.events, "worker.heartbeat", number.to_string());
        }
    });
    client.expect_all_confirmed(1, 3000);
    await_count(&mut client, &monitor, 0);
    client.open_channel(2);
    client.consume(2, Consume::new(&monitor, "monitor").no_ack());
    client.publish(1, &application.events, "worker.online", "fresh");
    client.expect_bodies(2, &["fresh"]);
    application.delete(&mut client);
}

/// The queues of a client that went away expire with the results in them.
#[test]
fn results_that_nobody_fetches_go_with_their_queue() {
    let mut client = connect();
    let result = unique("result");
    client.declare(
        1,
        QueueDeclare::new(&result).argument("x-expires", 150).argument("x-message-ttl", Value::Long(86_400_000)),
    );
    client.fill(&result, &["result"]);
    until("end of the queue", || is_gone(&mut client, &result).then_some(()));
}

/// A worker gives tasks with an ETA back by basic.reject; others get them in the meantime.
#[test]
fn rejected_tasks_go_round_until_somebody_takes_them() {
    let mut client = connect();
    let application = Application::declare(&mut client);
    let mut unwilling = Worker::start(&application, 0, 1);
    client.publish(1, &application.name, &application.name, "task");
    for _ in 0..20 {
        let delivery = unwilling.client.expect_delivery(1);
        unwilling.client.send(1, reject(delivery.delivery_tag, true));
    }
    let mut willing = Worker::start(&application, 1, 1);
    let start = Instant::now();
    let taken = until("the willing worker's turn", || {
        if unwilling.client.has_delivery(1) {
            let delivery = unwilling.client.expect_delivery(1);
            unwilling.client.send(1, reject(delivery.delivery_tag, true));
        }
        willing.client.has_delivery(1).then(|| willing.client.expect_delivery(1))
    });
    assert!(taken.redelivered, "after {:?}", start.elapsed());
    willing.client.send(1, ack(taken.delivery_tag, false));
    willing.client.call(1, cancel("tasks"));
    unwilling.client.call(1, cancel("tasks"));
    await_count(&mut client, &application.name, 0);
    application.delete(&mut client);
}
