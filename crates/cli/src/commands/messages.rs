//! Messages: looking at them, deleting and moving them, and why a queue does not move.

use super::{Command, command};
use crate::context::{Context, RequestError, print};
use crate::exit::{self, Failure};
use crate::http::segment;
use crate::table::Table;
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(super) const COMMANDS: &[Command] = &[
    command(
        "peek_messages",
        (1, 1),
        "[--vhost <vhost>] [--count <count>] [--filter <name>=<value>&...] [--no-table-headers] <queue>",
        "Shows messages of a queue without consuming them",
        peek,
    ),
    command("delete_message", (2, 2), "[--vhost <vhost>] <queue> <id>", "Deletes one message of a queue", delete),
    command(
        "move_messages",
        (1, 1),
        "[--vhost <vhost>] [--to-queue <queue> | --to-exchange <exchange> [--routing-key <key>]] [--count <count>] \
         [--rate <per second>] [--filter <name>=<value>&...] <queue>",
        "Moves messages of a queue, by default to where they died as dead letters",
        transfer,
    ),
    command(
        "diagnose_queue",
        (1, 1),
        "[--vhost <vhost>] [--no-table-headers] <queue>",
        "Says why a queue does not move",
        diagnose,
    ),
    command(
        "set_queue_arguments",
        (2, 2),
        "[--vhost <vhost>] <queue> <arguments>",
        "Changes arguments of a queue while it is in use; null takes one away",
        set_arguments,
    ),
];

/// Messages that are shown unless asked otherwise.
const COUNT: &str = "20";
/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(200);
const PEEKED: [&str; 8] =
    ["id", "state", "redelivered", "exchange", "routing_key", "payload_bytes", "payload", "properties"];

/// The path of something of the queue that the first argument names.
fn path(context: &Context<'_>, of: &str) -> String {
    format!("/api/queues/{}/{}/{of}", context.vhost_segment(), segment(context.argument(0)))
}

fn missing(error: RequestError) -> Failure {
    match error {
        RequestError::Refused(refusal) if refusal.status == 404 => Failure::error(exit::UNAVAILABLE, refusal.reason),
        error => error.into(),
    }
}

pub(super) fn peek(context: &Context<'_>) -> Result<(), Failure> {
    let queue = context.argument(0);
    context.banner(&format!("Looking at messages of queue '{queue}' in vhost '{}' ...", context.vhost()))?;
    let count = context.option("count").unwrap_or(COUNT);
    let mut query = format!("count={}", segment(count));
    for (name, value) in filter(context)? {
        query += &format!("&{}={}", segment(&name), segment(&value));
    }
    let found = context.get(&path(context, &format!("messages?{query}"))).map_err(missing)?;
    let messages = found.get("messages").and_then(Value::as_array).into_iter().flatten();
    let rows = messages.map(|message| PEEKED.map(|column| message.get(column).cloned().unwrap_or_default()).to_vec());
    context.print_table(&Table { columns: PEEKED.map(str::to_owned).to_vec(), rows: rows.collect() })
}

pub(super) fn delete(context: &Context<'_>) -> Result<(), Failure> {
    let (queue, id) = (context.argument(0), context.argument(1));
    context.banner(&format!("Deleting message {id} of queue '{queue}' in vhost '{}' ...", context.vhost()))?;
    context.delete(&path(context, &format!("messages/{}", segment(id)))).map(drop).map_err(missing)
}

/// Waits until the move is over.
pub(super) fn transfer(context: &Context<'_>) -> Result<(), Failure> {
    let queue = context.argument(0);
    let (to_queue, to_exchange) = (context.option("to-queue"), context.option("to-exchange"));
    let destination = match (to_queue, to_exchange) {
        (Some(queue), None) => json!({ "queue": queue }),
        (None, Some(exchange)) => match context.option("routing-key") {
            Some(key) => json!({ "exchange": exchange, "routing_key": key }),
            None => json!({ "exchange": exchange }),
        },
        (None, None) => json!("origin"),
        (Some(_), Some(_)) => return Err(context.invalid("messages go to a queue or to an exchange", exit::USAGE)),
    };
    let mut request = Map::from_iter([("destination".to_owned(), destination)]);
    for (name, value) in [("count", context.option("count")), ("rate", context.option("rate"))] {
        let Some(value) = value else { continue };
        let number: u64 = value.parse().map_err(|_| context.invalid(&format!("--{name} is a number"), exit::USAGE))?;
        request.insert(name.to_owned(), number.into());
    }
    request.insert("filter".to_owned(), filter_object(&filter(context)?));
    context.banner(&format!("Moving messages of queue '{queue}' in vhost '{}' ...", context.vhost()))?;
    let begun = context.post(&path(context, "move"), &Value::Object(request)).map_err(missing)?;
    let begun: Value = serde_json::from_slice(&begun.body).unwrap_or_default();
    let operation = format!("/api/leveret/operations/{}", begun["id"]);
    let waiting = context.waiting("moving messages");
    let ended = loop {
        let now = context.get(&operation).map_err(missing)?;
        if !now["ended"].is_null() {
            break now;
        }
        waiting.say(format!("moving messages: {} so far", now["moved"]));
        std::thread::park_timeout(LOOK);
    };
    drop(waiting);
    let count = |name: &str| ended[name].as_u64().unwrap_or_default();
    let mut line = format!("{} messages were moved", count("moved"));
    for (name, words) in [
        ("rejected", "had no room"),
        ("unroutable", "would have gone to no queue"),
        ("without_origin", "do not say where they came from"),
        ("gone", "left the queue before"),
    ] {
        if count(name) > 0 {
            line += &format!(", {} {words}", count(name));
        }
    }
    match ended["state"].as_str() {
        Some("done") => print(&format!("{line}\n")),
        state => {
            let reason = ended["reason"].as_str().unwrap_or_default();
            Err(Failure::error(exit::UNAVAILABLE, format!("{}: {reason} ({line})", state.unwrap_or("failed"))))
        }
    }
}

pub(super) fn diagnose(context: &Context<'_>) -> Result<(), Failure> {
    let queue = context.argument(0);
    context.banner(&format!("Looking why queue '{queue}' in vhost '{}' does not move ...", context.vhost()))?;
    let found = context.get(&path(context, "diagnosis")).map_err(missing)?;
    let columns = ["severity", "code", "text"];
    let findings = found.get("findings").and_then(Value::as_array).into_iter().flatten();
    let rows = findings.map(|finding| columns.map(|column| finding.get(column).cloned().unwrap_or_default()).to_vec());
    context.print_table(&Table { columns: columns.map(str::to_owned).to_vec(), rows: rows.collect() })
}

pub(super) fn set_arguments(context: &Context<'_>) -> Result<(), Failure> {
    let (queue, arguments) = (context.argument(0), context.argument(1));
    let given: Value = serde_json::from_str(arguments)
        .map_err(|error| context.invalid(&format!("arguments are a JSON object: {error}"), exit::DATA_ERROR))?;
    let Value::Object(given) = given else {
        return Err(context.invalid("arguments are a JSON object", exit::DATA_ERROR));
    };
    context.banner(&format!("Changing arguments of queue '{queue}' in vhost '{}' ...", context.vhost()))?;
    // What is null is taken away.
    let unset: Vec<&String> = given.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| name).collect();
    let set: Map<String, Value> =
        given.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect();
    let change = json!({ "set": set, "unset": unset });
    context.patch(&path(context, "arguments"), &change).map(drop).map_err(missing)
}

/// The parameters of `--filter`, which is written as a query without escapes: `header=n=5&body=text`.
fn filter(context: &Context<'_>) -> Result<Vec<(String, String)>, Failure> {
    let text = context.option("filter").unwrap_or_default();
    let pair = |part: &str| match part.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(context.invalid(&format!("'{part}' of the filter is not NAME=VALUE"), exit::USAGE)),
    };
    text.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

/// The same as the object that a move takes.
fn filter_object(filter: &[(String, String)]) -> Value {
    let mut object = Map::new();
    for (name, value) in filter {
        let (place, key) = match &**name {
            "header" => ("headers", value),
            "property" => ("properties", value),
            "entered_from" | "entered_before" | "min_size" | "max_size" => {
                let number = value.parse::<u64>().map_or_else(|_| value.clone().into(), Value::from);
                object.insert(name.clone(), number);
                continue;
            }
            _ => {
                object.insert(name.clone(), value.clone().into());
                continue;
            }
        };
        let (key, value) = match key.split_once('=') {
            Some((key, value)) => (key, Value::from(value)),
            None => (key.as_str(), Value::Null),
        };
        object.entry(place).or_insert_with(|| json!({}))[key] = value;
    }
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_objects_for_moves() {
        let filter = [("header", "n=5"), ("header", "m"), ("property", "type=order"), ("body", "x"), ("min_size", "3")];
        let filter = filter.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let expected = json!({
            "headers": { "n": "5", "m": null }, "properties": { "type": "order" }, "body": "x", "min_size": 3
        });
        assert_eq!(filter_object(&filter), expected);
    }
}
