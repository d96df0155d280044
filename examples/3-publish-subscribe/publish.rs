//! Publishes a line of news to everybody who listens: `publish TEXT`.

use anyhow::Context;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties, ExchangeKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let text = std::env::args().nth(1).context("usage: publish TEXT")?;

    let uri = std::env::var("AMQP_URI").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".into());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;

    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare("news".into(), ExchangeKind::Fanout, durable, FieldTable::default()).await?;

    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let confirm = channel
        .basic_publish(
            "news".into(),
            "".into(),
            BasicPublishOptions::default(),
            text.as_bytes(),
            BasicProperties::default(),
        )
        .await?;
    anyhow::ensure!(confirm.await?.is_ack(), "the broker refused the message");
    println!("Published: {text}");

    connection.close(200, "done".into()).await?;
    Ok(())
}
