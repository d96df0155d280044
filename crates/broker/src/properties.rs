//! What the broker says of itself in connection.start.

use crate::settings::Settings;
use amqp::{FieldTable, FieldValue};

/// Extensions that clients ask for by name (RabbitMQ announces the same).
const CAPABILITIES: [&str; 9] = [
    "publisher_confirms",
    "exchange_exchange_bindings",
    "basic.nack",
    "consumer_cancel_notify",
    "connection.blocked",
    "consumer_priorities",
    "authentication_failure_close",
    "per_consumer_qos",
    "direct_reply_to",
];

/// The server-properties table: clients look at `product` and `version` to know what they may use.
pub(crate) fn server_properties(settings: &Settings, cluster_name: &str) -> FieldTable {
    let text = |text: &str| FieldValue::LongString(text.as_bytes().to_vec());
    let capabilities = CAPABILITIES.map(|name| (name.to_owned(), FieldValue::Bool(true))).into_iter().collect();
    let information = concat!("Leveret ", env!("CARGO_PKG_VERSION"), ". Licensed under Apache-2.0 or MIT");
    [
        ("capabilities", FieldValue::Table(capabilities)),
        ("cluster_name", text(cluster_name)),
        ("copyright", text("Copyright the Leveret contributors")),
        ("information", text(information)),
        ("platform", text("Rust")),
        ("product", text("RabbitMQ")),
        ("product_name", text("Leveret")),
        ("version", text(&settings.version)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
