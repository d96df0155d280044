//! Which queues have messages to move.

use crate::api::Api;
use crate::plan::{self, Special};
use anyhow::Result;
use cli::http::segment;
use serde_json::Value;

/// A queue of the old broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SourceQueue {
    pub(crate) vhost: String,
    pub(crate) name: String,
    pub(crate) consumers: u64,
    /// Delivered to others and not settled; they come back when those are gone.
    pub(crate) unacknowledged: u64,
    /// Why its messages stay where they are; `None` when they are moved.
    pub(crate) skipped: Option<&'static str>,
}

const COLUMNS: &str = "columns=name,vhost,type,arguments,durable,auto_delete,exclusive,owner_pid_details,consumers,messages_unacknowledged";

/// The queues of the old broker, by virtual host and name.
pub(crate) fn list(source: &Api, vhost: Option<&str>) -> Result<Vec<SourceQueue>> {
    let path = match vhost {
        Some(vhost) => format!("/api/queues/{}?{COLUMNS}", segment(vhost)),
        None => format!("/api/queues?{COLUMNS}"),
    };
    let mut queues: Vec<SourceQueue> = source.list(&path)?.iter().map(describe).collect();
    queues.sort_by(|a, b| (&a.vhost, &a.name).cmp(&(&b.vhost, &b.name)));
    Ok(queues)
}

fn describe(queue: &Value) -> SourceQueue {
    let text = |key: &str| queue.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |key: &str| queue.get(key).and_then(Value::as_u64).unwrap_or_default();
    let flag = |key: &str| queue.get(key).and_then(Value::as_bool).unwrap_or_default();
    let name = text("name");
    let skipped = if flag("exclusive") || queue.get("owner_pid_details").is_some_and(Value::is_object) {
        Some("it is exclusive and goes with its connection")
    } else if flag("auto_delete") {
        Some("it is an auto-delete queue and goes with its consumers")
    } else if name.starts_with("amq.") {
        Some("its name is the broker's own")
    } else if plan::special(queue) == Some(Special::Stream) {
        Some("it is a stream, whose messages stay where they are when they are read")
    } else {
        None
    };
    SourceQueue {
        vhost: text("vhost"),
        name,
        consumers: number("consumers"),
        unacknowledged: number("messages_unacknowledged"),
        skipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_goes_by_itself_is_skipped() {
        let queue = |more: Value| {
            let mut queue = json!({ "name": "q", "vhost": "/", "consumers": 2, "arguments": {} });
            for (key, value) in more.as_object().unwrap() {
                queue[key] = value.clone();
            }
            describe(&queue)
        };
        assert_eq!(queue(json!({})).skipped, None);
        assert_eq!(queue(json!({ "type": "quorum" })).skipped, None);
        assert_eq!(queue(json!({})).consumers, 2);
        for more in [
            json!({ "exclusive": true }),
            json!({ "owner_pid_details": { "name": "c" } }),
            json!({ "auto_delete": true }),
            json!({ "name": "amq.gen-x" }),
            json!({ "type": "stream" }),
            json!({ "arguments": { "x-queue-type": "stream" } }),
        ] {
            assert!(queue(more.clone()).skipped.is_some(), "{more}");
        }
    }
}
