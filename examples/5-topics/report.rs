//! Reports the weather somewhere: `report COUNTRY.CITY.KIND VALUE`.

use anyhow::Context;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties, ExchangeKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let topic = args.next().context("usage: report COUNTRY.CITY.KIND VALUE")?;
    let value = args.next().context("usage: report COUNTRY.CITY.KIND VALUE")?;

    let uri = std::env::var("AMQP_URI").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".into());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;

    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare("weather".into(), ExchangeKind::Topic, durable, FieldTable::default()).await?;

    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let routing_key = topic.as_str().into();
    let confirm = channel
        .basic_publish(
            "weather".into(),
            routing_key,
            BasicPublishOptions::default(),
            value.as_bytes(),
            BasicProperties::default(),
        )
        .await?;
    anyhow::ensure!(confirm.await?.is_ack(), "the broker refused the report");
    println!("Reported {topic}: {value}");

    connection.close(200, "done".into()).await?;
    Ok(())
}
