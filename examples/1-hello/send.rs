//! Sends one message to the queue `hello`: `send [TEXT]`.

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let text = std::env::args().nth(1).unwrap_or_else(|| "Hello, Leveret!".into());

    let uri = std::env::var("AMQP_URI").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".into());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;

    channel.queue_declare("hello".into(), QueueDeclareOptions::durable(), FieldTable::default()).await?;

    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let default_exchange = "".into();
    let routing_key = "hello".into();
    let confirm = channel
        .basic_publish(
            default_exchange,
            routing_key,
            BasicPublishOptions::default(),
            text.as_bytes(),
            BasicProperties::default(),
        )
        .await?;
    anyhow::ensure!(confirm.await?.is_ack(), "the broker refused the message");
    println!("Sent: {text}");

    connection.close(200, "done".into()).await?;
    Ok(())
}
