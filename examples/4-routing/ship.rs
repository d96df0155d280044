//! Sends a parcel to the depots of one city: `ship CITY CONTENT`.

use anyhow::Context;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties, ExchangeKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let city = args.next().context("usage: ship CITY CONTENT")?;
    let content = args.next().context("usage: ship CITY CONTENT")?;

    let uri = std::env::var("AMQP_URI").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".into());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;

    let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
    channel.exchange_declare("parcels".into(), ExchangeKind::Direct, durable, FieldTable::default()).await?;

    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let mandatory = BasicPublishOptions { mandatory: true, ..Default::default() };
    let routing_key = city.as_str().into();
    let confirm = channel
        .basic_publish("parcels".into(), routing_key, mandatory, content.as_bytes(), BasicProperties::default())
        .await?;

    match confirm.await? {
        Confirmation::Ack(None) => println!("Shipped to {city}: {content}"),
        Confirmation::Ack(Some(_returned)) => println!("No depot in {city}: {content} came back"),
        Confirmation::Nack(_) | Confirmation::NotRequested => anyhow::bail!("the broker refused the parcel"),
    }

    connection.close(200, "done".into()).await?;
    Ok(())
}
