//! Asks for the prime factors of numbers and prints the answers: `ask NUMBER...`.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use tokio::time::timeout;
use tokio_stream::StreamExt;

const REPLY_TO: &str = "amq.rabbitmq.reply-to";

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let numbers: Vec<String> = std::env::args().skip(1).collect();

    let uri = std::env::var("AMQP_URI").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".into());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;

    let automatic_ack = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let mut replies = channel.basic_consume(REPLY_TO.into(), "".into(), automatic_ack, FieldTable::default()).await?;

    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    for number in &numbers {
        let correlation_id = number.as_str().into();
        let properties = BasicProperties::default().with_reply_to(REPLY_TO.into()).with_correlation_id(correlation_id);
        let mandatory = BasicPublishOptions { mandatory: true, ..Default::default() };
        let confirm =
            channel.basic_publish("".into(), "factors".into(), mandatory, number.as_bytes(), properties).await?;
        anyhow::ensure!(confirm.await? == Confirmation::Ack(None), "nobody is there to answer");
    }

    let mut answers = HashMap::new();
    for _ in &numbers {
        let reply = timeout(Duration::from_secs(10), replies.try_next()).await.context("no answer in 10 seconds")??;
        let reply = reply.context("the broker cancelled the consumer")?;
        if let Some(correlation_id) = reply.properties.correlation_id() {
            answers.insert(correlation_id.to_string(), String::from_utf8_lossy(&reply.data).into_owned());
        }
    }
    for number in &numbers {
        println!("{number} = {}", answers.get(number).map_or("no answer", String::as_str));
    }

    connection.close(200, "done".into()).await?;
    Ok(())
}
