//! Prints every message that arrives in the queue `hello`.

use lapin::options::{BasicAckOptions, BasicConsumeOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use tokio_stream::StreamExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let uri = std::env::var("AMQP_URI").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".into());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;

    channel.queue_declare("hello".into(), QueueDeclareOptions::durable(), FieldTable::default()).await?;

    let consumer_tag = "".into();
    let mut deliveries = channel
        .basic_consume("hello".into(), consumer_tag, BasicConsumeOptions::default(), FieldTable::default())
        .await?;
    println!("Waiting for messages. Press Ctrl+C to stop.");

    while let Some(delivery) = deliveries.try_next().await? {
        delivery.ack(BasicAckOptions::default()).await?;
        println!("Received: {}", String::from_utf8_lossy(&delivery.data));
    }
    Ok(())
}
