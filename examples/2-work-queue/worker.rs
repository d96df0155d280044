//! Takes photos from the queue `photos` and "resizes" them: `worker [SECONDS]`, the time that each one takes.

use std::time::Duration;

use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use tokio_stream::StreamExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(1), |seconds| seconds.parse())?;

    let uri = std::env::var("AMQP_URI").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".into());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;

    channel.queue_declare("photos".into(), QueueDeclareOptions::durable(), FieldTable::default()).await?;

    let prefetch = 1;
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    let mut deliveries = channel
        .basic_consume("photos".into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await?;
    println!("Waiting for photos. Press Ctrl+C to stop.");

    while let Some(delivery) = deliveries.try_next().await? {
        let photo = String::from_utf8_lossy(&delivery.data);
        let again = if delivery.redelivered { " again" } else { "" };
        println!("Resizing {photo}{again}");
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        delivery.ack(BasicAckOptions::default()).await?;
        println!("Finished {photo}");
    }
    Ok(())
}
