//! Answers questions from the queue `factors`: which prime factors does a number have?

use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use tokio_stream::StreamExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let uri = std::env::var("AMQP_URI").unwrap_or_else(|_| "amqp://guest:guest@127.0.0.1:5672/%2f".into());
    let connection = Connection::connect(&uri, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;

    let auto_delete = QueueDeclareOptions { durable: true, auto_delete: true, ..Default::default() };
    channel.queue_declare("factors".into(), auto_delete, FieldTable::default()).await?;
    let mut questions = channel
        .basic_consume("factors".into(), "".into(), BasicConsumeOptions::default(), FieldTable::default())
        .await?;
    println!("Waiting for questions. Press Ctrl+C to stop.");

    while let Some(question) = questions.try_next().await? {
        let number = String::from_utf8_lossy(&question.data);
        println!("Asked: {number}");
        let answer = number.parse().map_or_else(|_| "not a number".into(), prime_factors);

        let (reply_to, correlation_id) = (question.properties.reply_to(), question.properties.correlation_id());
        if let (Some(reply_to), Some(correlation_id)) = (reply_to, correlation_id) {
            let properties = BasicProperties::default().with_correlation_id(correlation_id.clone());
            channel
                .basic_publish(
                    "".into(),
                    reply_to.clone(),
                    BasicPublishOptions::default(),
                    answer.as_bytes(),
                    properties,
                )
                .await?;
        }
        question.ack(BasicAckOptions::default()).await?;
    }
    Ok(())
}

/// The prime factors of `number`, as in `2 x 2 x 3`.
fn prime_factors(mut number: u32) -> String {
    let mut factors = Vec::new();
    let mut divisor = 2;
    while divisor <= number / divisor {
        if number.is_multiple_of(divisor) {
            factors.push(divisor.to_string());
            number /= divisor;
        } else {
            divisor += 1;
        }
    }
    factors.push(number.to_string());
    factors.join(" x ")
}
