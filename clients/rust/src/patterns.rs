//! The six patterns.

use crate::session::{Session, body, expect, expect_bodies, expect_quiet, receive, unique_name};
use anyhow::{Context, Result};
use lapin::options::{BasicAckOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Consumer, ExchangeKind};
use std::collections::{BTreeMap, BTreeSet};

pub async fn hello_world(session: &Session) -> Result<()> {
    let queue = session.temporary_queue().await?;
    let mut nested = FieldTable::default();
    nested.insert("yes".into(), AMQPValue::Boolean(true));
    let mut headers = FieldTable::default();
    headers.insert("count".into(), AMQPValue::LongInt(7));
    headers.insert("nested".into(), AMQPValue::FieldTable(nested));
    let sent = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_correlation_id("c-1".into())
        .with_message_id("m-1".into())
        .with_type("greeting".into())
        .with_priority(3)
        .with_timestamp(1_700_000_000)
        .with_headers(headers);
    let mut deliveries = session.consume_automatic_ack(&queue).await?;
    session.send("", &queue, sent.clone(), "Hello World!").await?;
    let received = receive(&mut deliveries, "message").await?;
    expect("body", body(&received).as_str(), "Hello World!")?;
    expect("exchange", received.exchange.as_str(), "")?;
    expect("routing key", received.routing_key.as_str(), &queue)?;
    expect("redelivered", received.redelivered, false)?;
    expect("properties", &received.properties, &sent)
}

pub async fn work_queue(session: &Session) -> Result<()> {
    let queue = unique_name("tasks");
    session.declare(&queue, true).await?;
    let outcome = share_tasks(session, &queue).await;
    session.delete(&queue).await;
    outcome
}

/// One worker is busy with its first task while the other does all the rest.
async fn share_tasks(session: &Session, queue: &str) -> Result<()> {
    const TASKS: usize = 10;
    let workers = [Session::open().await?, Session::open().await?];
    let mut busy = workers[0].consume_manual_ack(queue, 1).await?;
    let mut free = workers[1].consume_manual_ack(queue, 1).await?;
    for task in 0..TASKS {
        session.send("", queue, BasicProperties::default().with_delivery_mode(2), &task.to_string()).await?;
    }
    let long = receive(&mut busy, "the first worker's task").await?;
    let mut done = BTreeSet::from([body(&long)]);
    for number in 1..TASKS {
        let task = receive(&mut free, "the second worker's task").await?;
        done.insert(body(&task));
        if number == 1 {
            expect_quiet(&mut busy).await.context("prefetch 1, nothing acked")?;
            expect_quiet(&mut free).await.context("prefetch 1, nothing acked")?;
        }
        task.ack(BasicAckOptions::default()).await?;
    }
    long.ack(BasicAckOptions::default()).await?;
    expect("number of different tasks", done.len(), TASKS)?;
    expect_quiet(&mut busy).await?;
    expect_quiet(&mut free).await?;
    for worker in &workers {
        worker.close().await;
    }
    Ok(())
}

/// An exchange for one check.
async fn with_exchange<T>(
    session: &Session,
    kind: ExchangeKind,
    check: impl AsyncFnOnce(&str) -> Result<T>,
) -> Result<T> {
    let exchange = unique_name("exchange");
    let options = ExchangeDeclareOptions::default();
    session.channel.exchange_declare(exchange.as_str().into(), kind, options, FieldTable::default()).await?;
    let outcome = check(&exchange).await;
    session.channel.exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default()).await?;
    outcome
}

/// Consumes a temporary queue that is bound with each of the keys.
async fn subscribe(session: &Session, exchange: &str, keys: &[&str]) -> Result<Consumer> {
    let queue = session.temporary_queue().await?;
    for key in keys {
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        session.channel.queue_bind(queue.as_str().into(), exchange.into(), (*key).into(), options, arguments).await?;
    }
    session.consume_automatic_ack(&queue).await
}

pub async fn publish_subscribe(session: &Session) -> Result<()> {
    with_exchange(session, ExchangeKind::Fanout, async |exchange| {
        let mut first = subscribe(session, exchange, &[""]).await?;
        let mut second = subscribe(session, exchange, &[""]).await?;
        session.publish(exchange, "ignored", "info: hello").await?;
        expect_bodies(&mut first, &["info: hello"]).await?;
        expect_bodies(&mut second, &["info: hello"]).await
    })
    .await
}

pub async fn routing(session: &Session) -> Result<()> {
    with_exchange(session, ExchangeKind::Direct, async |exchange| {
        let mut errors_only = subscribe(session, exchange, &["error"]).await?;
        let mut all = subscribe(session, exchange, &["info", "warning", "error"]).await?;
        for severity in ["info", "error", "debug", "warning"] {
            session.publish(exchange, severity, severity).await?;
        }
        expect_bodies(&mut errors_only, &["error"]).await?;
        expect_bodies(&mut all, &["info", "error", "warning"]).await
    })
    .await
}

pub async fn topics(session: &Session) -> Result<()> {
    with_exchange(session, ExchangeKind::Topic, async |exchange| {
        let mut orange = subscribe(session, exchange, &["*.orange.*"]).await?;
        let mut rabbit_or_lazy = subscribe(session, exchange, &["*.*.rabbit", "lazy.#"]).await?;
        let mut everything = subscribe(session, exchange, &["#"]).await?;
        let keys = [
            "quick.orange.rabbit",
            "lazy.orange.elephant",
            "quick.orange.fox",
            "lazy.brown.fox",
            "lazy.pink.rabbit",
            "quick.brown.fox",
            "orange",
            "quick.orange.new.rabbit",
            "lazy.orange.new.rabbit",
            "lazy",
        ];
        for key in keys {
            session.publish(exchange, key, key).await?;
        }
        expect_bodies(&mut orange, &["quick.orange.rabbit", "lazy.orange.elephant", "quick.orange.fox"]).await?;
        let lazy = [
            "quick.orange.rabbit",
            "lazy.orange.elephant",
            "lazy.brown.fox",
            "lazy.pink.rabbit",
            "lazy.orange.new.rabbit",
            "lazy",
        ];
        expect_bodies(&mut rabbit_or_lazy, &lazy).await?;
        expect_bodies(&mut everything, &keys).await
    })
    .await
}

pub async fn rpc(session: &Session) -> Result<()> {
    let reply_to = session.temporary_queue().await?;
    call_fibonacci(session, &reply_to).await
}

pub async fn rpc_direct_reply_to(session: &Session) -> Result<()> {
    call_fibonacci(session, "amq.rabbitmq.reply-to").await
}

/// Sends two requests at once and matches the replies by correlation id.
async fn call_fibonacci(session: &Session, reply_to: &str) -> Result<()> {
    let requests = unique_name("rpc");
    let server = Session::open().await?;
    server.declare(&requests, false).await?;
    let requested = serve_fibonacci(&server, &requests, 2);
    let called = async {
        let mut replies = session.consume_automatic_ack(reply_to).await?;
        for n in ["10", "20"] {
            let properties = BasicProperties::default()
                .with_correlation_id(format!("fib-{n}").into())
                .with_reply_to(reply_to.into());
            session.send("", &requests, properties, n).await?;
        }
        let mut results = BTreeMap::new();
        for _ in 0..2 {
            let reply = receive(&mut replies, "reply").await?;
            let id = reply.properties.correlation_id().as_ref().map(ToString::to_string);
            results.insert(id.context("a reply without correlation id")?, body(&reply));
        }
        expect_quiet(&mut replies).await?;
        Ok::<_, anyhow::Error>(results)
    };
    let (served, results) = tokio::join!(requested, called);
    server.delete(&requests).await;
    server.close().await;
    served?;
    let results = results?;
    expect("fib(10)", results.get("fib-10").map(String::as_str), Some("55"))?;
    expect("fib(20)", results.get("fib-20").map(String::as_str), Some("6765"))
}

async fn serve_fibonacci(server: &Session, queue: &str, requests: usize) -> Result<()> {
    let mut deliveries = server.consume_manual_ack(queue, 1).await?;
    for _ in 0..requests {
        let request = receive(&mut deliveries, "request").await?;
        let reply_to = request.properties.reply_to().clone().context("a request without reply-to")?;
        let id = request.properties.correlation_id().clone().context("a request without correlation id")?;
        let reply = fibonacci(body(&request).parse()?).to_string();
        server.send("", reply_to.as_str(), BasicProperties::default().with_correlation_id(id), &reply).await?;
        request.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

fn fibonacci(n: u32) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}
