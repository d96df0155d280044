//! What a delivery tells of its message: which it is, and where it died.

use crate::oracle::{Death, Entry, QUEUES, Redelivered};
use crate::world::name;
use amqp::FieldValue;
use testkit::engine::Arrival;

const REASONS: [&str; 4] = ["rejected", "expired", "maxlen", "delivery_limit"];

/// It is this message, with this history.
pub fn check_delivery(arrival: &Arrival, redelivered: bool, expected: &Entry) {
    let properties = arrival.properties();
    let (id, deaths) = message_of(arrival);
    let message = &expected.message;
    assert_eq!(id, message.id, "the message delivered, instead of {expected:?}");
    assert!(arrival.body == vec![id as u8; message.body_len], "the body of {id}");
    let expiration = message.expiration_ms.map(|ms| ms.to_string());
    assert_eq!(properties.expiration, expiration.as_deref(), "the expiration of {expected:?}");
    assert_eq!(deaths, message.deaths, "x-death of {expected:?}");
    match expected.redelivered {
        Redelivered::Maybe => {}
        known => assert_eq!(redelivered, known == Redelivered::Yes, "redelivered, of {expected:?}"),
    }
}

/// Which message it is, and its deaths, the latest first.
pub fn message_of(arrival: &Arrival) -> (u32, Vec<Death>) {
    let properties = arrival.properties();
    let id: u32 = properties.message_id.and_then(|id| id.parse().ok()).expect("a message of the test");
    let headers = properties.headers.map(|headers| headers.to_owned().expect("headers are a table"));
    let deaths = headers.as_ref().and_then(|headers| headers.get("x-death")).and_then(FieldValue::as_array);
    (id, deaths.unwrap_or_default().iter().map(death).collect())
}

fn death(value: &FieldValue) -> Death {
    let table = value.as_table().expect("a death is a table");
    let word = |name| table.get(name).and_then(FieldValue::as_str).expect("a death has it");
    let queue = (0..QUEUES).find(|at| name(*at) == word("queue")).expect("a queue of the test");
    let reason = REASONS.into_iter().find(|reason| *reason == word("reason")).expect("a reason");
    Death { queue, reason, count: table.get("count").and_then(FieldValue::as_i64).expect("a count") }
}
