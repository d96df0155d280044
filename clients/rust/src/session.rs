//! One connection with one channel, and what checks expect of it.

use anyhow::{Context, Result, ensure};
use lapin::message::Delivery;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, PublisherConfirm};
use std::fmt::Debug;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;
use tokio::time::timeout;
use tokio_stream::StreamExt;

/// A message that is due arrives within this time.
pub const DUE: Duration = Duration::from_secs(5);
/// A message that must not arrive has not come after this time.
const QUIET: Duration = Duration::from_millis(200);

pub struct Session {
    pub connection: Connection,
    pub channel: Channel,
}

impl Session {
    pub async fn open() -> Result<Session> {
        Session::open_at(&broker_uri()).await
    }

    pub async fn open_at(uri: &str) -> Result<Session> {
        let connection = timeout(DUE, Connection::connect(uri, ConnectionProperties::default())).await??;
        let channel = connection.create_channel().await?;
        Ok(Session { connection, channel })
    }

    pub async fn close(&self) {
        // A check that failed may have lost its connection already.
        let _ = timeout(DUE, self.connection.close(200, "done".into())).await;
    }

    /// Declares a queue that everybody may use.
    pub async fn declare(&self, queue: &str, durable: bool) -> Result<()> {
        let options = QueueDeclareOptions { durable, ..Default::default() };
        self.channel.queue_declare(queue.into(), options, FieldTable::default()).await?;
        Ok(())
    }

    /// Declares a server-named exclusive queue.
    pub async fn temporary_queue(&self) -> Result<String> {
        let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
        let queue = self.channel.queue_declare("".into(), options, FieldTable::default()).await?;
        Ok(queue.name().to_string())
    }

    pub async fn delete(&self, queue: &str) {
        // Tidying up; the check is over, well or not.
        let _ = self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await;
    }

    /// Publishes a text; an empty exchange is the default one.
    pub async fn publish(&self, exchange: &str, key: &str, body: &str) -> Result<PublisherConfirm> {
        self.send(exchange, key, BasicProperties::default(), body).await
    }

    pub async fn send(
        &self,
        exchange: &str,
        key: &str,
        properties: BasicProperties,
        body: &str,
    ) -> Result<PublisherConfirm> {
        let options = BasicPublishOptions::default();
        Ok(self.channel.basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties).await?)
    }

    pub async fn consume_automatic_ack(&self, queue: &str) -> Result<Consumer> {
        let options = BasicConsumeOptions { no_ack: true, ..Default::default() };
        Ok(self.channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?)
    }

    pub async fn consume_manual_ack(&self, queue: &str, prefetch: u16) -> Result<Consumer> {
        self.channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        Ok(self.channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await?)
    }
}

/// How many messages are ready in a queue; an error when it does not exist, which closes the channel.
pub async fn message_count(channel: &Channel, queue: &str) -> lapin::Result<u32> {
    let options = QueueDeclareOptions { passive: true, ..Default::default() };
    Ok(channel.queue_declare(queue.into(), options, FieldTable::default()).await?.message_count())
}

pub fn broker_uri() -> String {
    std::env::var("LEVERET_URI").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".to_owned())
}

/// A name that no other run uses.
pub fn unique_name(purpose: &str) -> String {
    format!("checks.rust.{purpose}.{:016x}", RandomState::new().build_hasher().finish())
}

/// The next message, which is due.
pub async fn receive(consumer: &mut Consumer, what: &str) -> Result<Delivery> {
    let next = timeout(DUE, consumer.next()).await.with_context(|| format!("no {what} within {DUE:?}"))?;
    Ok(next.with_context(|| format!("the consumer ended while waiting for {what}"))??)
}

pub fn body(delivery: &Delivery) -> String {
    String::from_utf8_lossy(&delivery.data).into_owned()
}

/// Receives exactly these bodies in this order, then nothing more.
pub async fn expect_bodies(consumer: &mut Consumer, bodies: &[&str]) -> Result<()> {
    for expected in bodies {
        let delivery = receive(consumer, &format!("message {expected:?}")).await?;
        expect("body", body(&delivery).as_str(), expected)?;
    }
    expect_quiet(consumer).await
}

pub async fn expect_quiet(consumer: &mut Consumer) -> Result<()> {
    match timeout(QUIET, consumer.next()).await {
        Err(_) => Ok(()),
        Ok(Some(delivery)) => anyhow::bail!("received {:?}, expected nothing", body(&delivery?)),
        Ok(None) => anyhow::bail!("the consumer ended"),
    }
}

pub fn expect<T: PartialEq + Debug>(what: &str, actual: T, expected: T) -> Result<()> {
    ensure!(actual == expected, "{what} is {actual:?}, expected {expected:?}");
    Ok(())
}
