//! Moving the messages of one queue.
//!
//! The old broker delivers up to a window of messages; each is published to the queue of the same name at the new one,
//! over its default exchange, and acknowledged to the old one when the new one has confirmed it. Confirms are awaited in
//! the order of deliveries, which is how both brokers send them for a durable queue, so one acknowledgement stands for many.

use anyhow::{Context, Result, bail};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, PublisherConfirm};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tokio_stream::StreamExt;

/// Without a delivery for so long, it is looked whether the queue is empty.
const IDLE: Duration = Duration::from_millis(200);
/// Without a delivery for so long from a queue that is not empty, somebody else must be getting its messages.
const STALLED: Duration = Duration::from_secs(15);
/// Headers that say where a message was published to, for who goes by that.
const ORIGIN_EXCHANGE: &str = "x-original-exchange";
const ORIGIN_ROUTING_KEY: &str = "x-original-routing-key";
/// More recipients, and the header that remembers them: published again, the message would go to them again.
const RECIPIENTS: &str = "CC";
const ORIGIN_RECIPIENTS: &str = "x-original-cc";

/// How a queue is moved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Messages on their way at a time.
    pub(crate) window: u16,
    /// Note in headers where each was published to.
    pub(crate) origin_headers: bool,
}

/// Ready messages and consumers of a queue; `None` when it is not there.
pub(crate) async fn depth(connection: &Connection, queue: &str) -> Result<Option<(u64, u64)>> {
    // A channel of its own: asking for what is not there closes it.
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(queue.into(), options, FieldTable::default()).await {
        Ok(queue) => {
            let found = (u64::from(queue.message_count()), u64::from(queue.consumer_count()));
            channel.close(200, "".into()).await?;
            Ok(Some(found))
        }
        Err(_) if connection.status().connected() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Moves everything that is ready in `queue`, and tells `moved` of what is at the new broker only.
pub(crate) async fn drain(
    from: &Connection,
    to: &Connection,
    queue: &str,
    manner: Manner,
    moved: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<()> {
    let source = from.create_channel().await?;
    source.basic_qos(manner.window, BasicQosOptions::default()).await?;
    let target = to.create_channel().await?;
    target.confirm_select(ConfirmSelectOptions::default()).await?;
    let consume = BasicConsumeOptions::default();
    let mut deliveries = source
        .basic_consume(queue.into(), "".into(), consume, FieldTable::default())
        .await
        .with_context(|| format!("the old broker lets nobody consume from '{queue}'"))?;
    let mut on_their_way: VecDeque<(u64, PublisherConfirm)> = VecDeque::new();
    let mut last_delivery = Instant::now();
    loop {
        let room = on_their_way.len() < usize::from(manner.window);
        tokio::select! {
            biased;
            confirmed = first(&mut on_their_way), if !on_their_way.is_empty() => {
                let tag = settle(confirmed?, queue)?;
                source.basic_ack(tag, BasicAckOptions::default()).await?;
                moved(1)?;
            }
            delivery = deliveries.next(), if room => {
                let Some(delivery) = delivery else { bail!("the old broker ended the delivery of '{queue}'") };
                last_delivery = Instant::now();
                let delivery = delivery?;
                let tag = delivery.delivery_tag;
                on_their_way.push_back((tag, publish(&target, queue, delivery, manner).await?));
            }
            () = tokio::time::sleep(IDLE), if on_their_way.is_empty() => {
                match depth(from, queue).await? {
                    None => bail!("'{queue}' was deleted at the old broker meanwhile"),
                    Some((0, _)) => break,
                    Some((left, consumers)) if last_delivery.elapsed() >= STALLED => bail!(
                        "'{queue}' has {left} messages and gives us none: another of its {consumers} consumers is the \
                         active one; stop it and run the same command again"
                    ),
                    Some(_) => {}
                }
            }
        }
    }
    // What came in between goes back with the channel.
    source.close(200, "".into()).await?;
    target.close(200, "".into()).await?;
    Ok(())
}

/// Waits until the first of those on their way is confirmed, and takes it out.
async fn first(on_their_way: &mut VecDeque<(u64, PublisherConfirm)>) -> Result<(u64, Confirmation)> {
    let Some((tag, confirm)) = on_their_way.front_mut() else { return std::future::pending().await };
    let (tag, confirmation) = (*tag, confirm.await?);
    on_their_way.pop_front();
    Ok((tag, confirmation))
}

fn settle((tag, confirmation): (u64, Confirmation), queue: &str) -> Result<u64> {
    match confirmation {
        Confirmation::Ack(None) => Ok(tag),
        Confirmation::Ack(Some(_)) => bail!("there is no queue '{queue}' at the new broker"),
        Confirmation::Nack(_) => bail!(
            "the new broker takes no more messages for '{queue}': its length limit with overflow reject-publish is \
             reached; what is left stays at the old broker"
        ),
        Confirmation::NotRequested => bail!("the new broker does not confirm"),
    }
}

async fn publish(channel: &Channel, queue: &str, delivery: Delivery, manner: Manner) -> Result<PublisherConfirm> {
    let properties = properties(&delivery, queue, manner.origin_headers);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    Ok(channel.basic_publish("".into(), queue.into(), options, &delivery.data, properties).await?)
}

/// The properties as they are, and where the message came from.
fn properties(delivery: &Delivery, queue: &str, origin_headers: bool) -> BasicProperties {
    let (exchange, routing_key) = (delivery.exchange.as_str(), delivery.routing_key.as_str());
    let properties = delivery.properties.clone();
    let mut headers = properties.headers().clone().unwrap_or_default();
    let recipients = headers.inner().get(RECIPIENTS).cloned();
    let is_direct = exchange.is_empty() && routing_key == queue;
    if recipients.is_none() && (is_direct || !origin_headers) {
        return properties;
    }
    if let Some(recipients) = recipients {
        let others = headers.inner().iter().filter(|(name, _)| name.as_str() != RECIPIENTS);
        headers = others
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<std::collections::BTreeMap<_, _>>()
            .into();
        headers.insert(ORIGIN_RECIPIENTS.into(), recipients);
    }
    if origin_headers && !is_direct {
        // Who moved it before us knows better.
        for (name, value) in [(ORIGIN_EXCHANGE, exchange), (ORIGIN_ROUTING_KEY, routing_key)] {
            if !headers.contains_key(name) {
                headers.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
            }
        }
    }
    properties.with_headers(headers)
}
