//! Puts photos into the queue `photos`, one task each: `enqueue PHOTO...`.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};

const PERSISTENT: u8 = 2;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let photos: Vec<String> = std::env::args().skip(1).collect();

    let uri = std::env::var("AMQP_URI").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".into());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;

    channel.queue_declare("photos".into(), QueueDeclareOptions::durable(), FieldTable::default()).await?;

    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    for photo in &photos {
        let confirm = channel
            .basic_publish(
                "".into(),
                "photos".into(),
                BasicPublishOptions::default(),
                photo.as_bytes(),
                BasicProperties::default().with_delivery_mode(PERSISTENT),
            )
            .await?;
        anyhow::ensure!(confirm.await?.is_ack(), "the broker refused {photo}");
        println!("Queued: {photo}");
    }

    connection.close(200, "done".into()).await?;
    Ok(())
}
