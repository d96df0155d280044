//! Prints all the news published while it runs.

use lapin::options::{BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties, ExchangeKind};
use tokio_stream::StreamExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let uri = std::env::var("AMQP_URI").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".into());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;

    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare("news".into(), ExchangeKind::Fanout, durable, FieldTable::default()).await?;

    let exclusive = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), exclusive, FieldTable::default()).await?;
    let name = queue.name().clone();
    channel
        .queue_bind(name.clone(), "news".into(), "".into(), QueueBindOptions::default(), FieldTable::default())
        .await?;

    let automatic_ack = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let mut deliveries = channel.basic_consume(name, "".into(), automatic_ack, FieldTable::default()).await?;
    println!("Listening to the news. Press Ctrl+C to stop.");

    while let Some(delivery) = deliveries.try_next().await? {
        println!("News: {}", String::from_utf8_lossy(&delivery.data));
    }
    Ok(())
}
