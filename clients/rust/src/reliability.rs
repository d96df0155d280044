//! Confirms, returns, fairness, and what happens when somebody dies.

use crate::Skipped;
use crate::relay::Relay;
use crate::session::{
    DUE, Session, body, broker_uri, expect, expect_bodies, expect_quiet, message_count, receive, unique_name,
};
use anyhow::{Context, Result, bail, ensure};
use lapin::options::{BasicAckOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Consumer, ErrorKind, PublisherConfirm};
use std::process::Command;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

async fn confirmed(confirm: PublisherConfirm, what: &str) -> Result<Confirmation> {
    Ok(timeout(DUE, confirm).await.with_context(|| format!("{what} is not confirmed within {DUE:?}"))??)
}

pub async fn publisher_confirms(session: &Session) -> Result<()> {
    const ROUTABLE: u32 = 100;
    let queue = session.temporary_queue().await?;
    session.channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mut confirms = Vec::new();
    for _ in 0..ROUTABLE {
        confirms.push(session.publish("", &queue, "x").await?);
    }
    confirms.push(session.publish("", &unique_name("nowhere"), "x").await?);
    for (number, confirm) in confirms.into_iter().enumerate() {
        let what = format!("publish {}", number + 1);
        let confirmation = confirmed(confirm, &what).await?;
        ensure!(confirmation == Confirmation::Ack(None), "{what}: {confirmation:?}");
    }
    expect("messages in the queue", message_count(&session.channel, &queue).await?, ROUTABLE)
}

pub async fn mandatory_returns(session: &Session) -> Result<()> {
    let queue = session.temporary_queue().await?;
    session.channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let nowhere = unique_name("nowhere");
    // The client hands a returned message over with the ack, if it came before the ack.
    let Confirmation::Ack(Some(returned)) = publish_mandatory(session, &nowhere, "lost").await? else {
        bail!("the ack came without the return before it");
    };
    expect("reply code", returned.reply_code, 312)?;
    expect("reply text", returned.reply_text.as_str(), "NO_ROUTE")?;
    expect("exchange", returned.exchange.as_str(), "")?;
    expect("routing key", returned.routing_key.as_str(), &nowhere)?;
    expect("body", body(&returned).as_str(), "lost")?;
    let confirmation = publish_mandatory(session, &queue, "found").await?;
    ensure!(confirmation == Confirmation::Ack(None), "the routable message: {confirmation:?}");
    Ok(())
}

async fn publish_mandatory(session: &Session, key: &str, body: &str) -> Result<Confirmation> {
    let options = BasicPublishOptions { mandatory: true, ..Default::default() };
    let properties = BasicProperties::default();
    let confirm = session.channel.basic_publish("".into(), key.into(), options, body.as_bytes(), properties).await?;
    confirmed(confirm, body).await
}

pub async fn prefetch_fairness(session: &Session) -> Result<()> {
    const TASKS: usize = 60;
    let queue = unique_name("fair");
    session.declare(&queue, false).await?;
    let workers = [Session::open().await?, Session::open().await?];
    let (done, mut results) = mpsc::unbounded_channel::<usize>();
    let mut working = Vec::new();
    for (number, pause_ms) in [30, 3].into_iter().enumerate() {
        let tasks = workers[number].consume_manual_ack(&queue, 1).await?;
        let done = done.clone();
        working.push(tokio::spawn(work(tasks, Duration::from_millis(pause_ms), move || done.send(number).is_ok())));
    }
    for _ in 0..TASKS {
        session.publish("", &queue, "task").await?;
    }
    let mut counts = [0; 2];
    for number in 0..TASKS {
        let worker = timeout(DUE, results.recv()).await.with_context(|| format!("task {number} was not done"))?;
        counts[worker.context("the workers ended")?] += 1;
    }
    working.iter().for_each(|worker| worker.abort());
    for worker in &workers {
        worker.close().await;
    }
    session.delete(&queue).await;
    let [slow, quick] = counts;
    ensure!(0 < slow && slow < quick, "the slow worker did {slow} tasks, the quick one {quick}");
    Ok(())
}

async fn work(mut tasks: Consumer, pause: Duration, done: impl Fn() -> bool) {
    while let Ok(task) = receive(&mut tasks, "task").await {
        sleep(pause).await;
        if task.ack(BasicAckOptions::default()).await.is_err() || !done() {
            return;
        }
    }
}

pub async fn redelivery(session: &Session) -> Result<()> {
    let queue = unique_name("redelivery");
    session.declare(&queue, false).await?;
    let outcome = survive_a_worker(session, &queue).await;
    session.delete(&queue).await;
    outcome
}

async fn survive_a_worker(session: &Session, queue: &str) -> Result<()> {
    let relay = Relay::to(&broker_uri()).await?;
    let killed = Session::open_at(&relay.uri).await?;
    let mut killed_tasks = killed.consume_manual_ack(queue, 1).await?;
    session.publish("", queue, "task").await?;
    let task = receive(&mut killed_tasks, "the first worker's task").await?;
    expect("redelivered at first", task.redelivered, false)?;
    let mut tasks = session.consume_manual_ack(queue, 1).await?;
    expect_quiet(&mut tasks).await?;
    drop(relay);
    let task = receive(&mut tasks, "the second worker's task").await?;
    expect("body", body(&task).as_str(), "task")?;
    expect("redelivered", task.redelivered, true)?;
    task.ack(BasicAckOptions::default()).await?;
    Ok(())
}

pub async fn reconnect(session: &Session) -> Result<()> {
    let Ok(restart) = std::env::var("LEVERET_RESTART") else {
        bail!(Skipped("LEVERET_RESTART is not set"));
    };
    let (durable, transient) = (unique_name("durable"), unique_name("transient"));
    session.declare(&durable, true).await?;
    session.declare(&transient, false).await?;
    let restarted = tokio::task::spawn_blocking(move || Command::new("sh").arg("-c").arg(restart).output()).await??;
    ensure!(restarted.status.success(), "restart: {}", String::from_utf8_lossy(&restarted.stderr));
    ensure!(message_count(&session.channel, &durable).await.is_err(), "the lost connection still answers");
    let again = reopen().await?;
    let outcome = check_queues(&again, &durable, &transient).await;
    again.delete(&durable).await;
    again.close().await;
    outcome
}

async fn check_queues(again: &Session, durable: &str, transient: &str) -> Result<()> {
    message_count(&again.channel, durable).await.context("the durable queue is gone")?;
    let mut deliveries = again.consume_automatic_ack(durable).await?;
    again.publish("", durable, "after").await?;
    expect_bodies(&mut deliveries, &["after"]).await?;
    let probe = again.connection.create_channel().await?;
    match message_count(&probe, transient).await {
        Err(error) if matches!(error.kind(), ErrorKind::ProtocolError(error) if error.get_id() == 404) => Ok(()),
        other => bail!("passive declare of {transient}: {other:?}, expected 404"),
    }
}

/// Tries until the broker is back.
async fn reopen() -> Result<Session> {
    let started = Instant::now();
    loop {
        match Session::open().await {
            Err(_) if started.elapsed() < DUE => sleep(Duration::from_millis(50)).await,
            outcome => return outcome,
        }
    }
}
