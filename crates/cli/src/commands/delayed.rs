//! Delayed messages: listing and cancelling them.

use super::vhosts::no_vhost;
use super::{Command, command};
use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::http::segment;
use crate::table::Table;
use serde_json::Value;

pub(super) const COMMANDS: &[Command] = &[
    command(
        "list_delayed_messages",
        (0, 1),
        "[--vhost <vhost>] [--no-table-headers] [<exchange>]",
        "Lists messages that wait before they are routed",
        list,
    ),
    command(
        "cancel_delayed_message",
        (1, 1),
        "[--vhost <vhost>] <id>",
        "Drops a message that waits before it is routed",
        cancel,
    ),
];

/// Messages that are asked for at once.
const AT_ONCE: usize = 1000;
const COLUMNS: [&str; 6] = ["id", "due_ms", "exchange", "routing_key", "body_bytes", "persistent"];

pub(super) fn list(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Listing delayed messages for vhost {} ...", context.vhost()))?;
    let exchange = match context.argument(0) {
        "" => String::new(),
        name => format!("&exchange={}", segment(name)),
    };
    let (mut rows, mut from) = (Vec::new(), Some(0));
    while let Some(at) = from {
        let path = format!("/api/delayed/{}?limit={AT_ONCE}&from={at}{exchange}", context.vhost_segment());
        let page = context.get(&path).map_err(|error| no_vhost(error, context.vhost()))?;
        let messages = page.get("messages").and_then(Value::as_array).into_iter().flatten();
        rows.extend(messages.map(|message| {
            COLUMNS.iter().map(|column| message.get(column).cloned().unwrap_or_default()).collect::<Vec<_>>()
        }));
        from = page.get("next").and_then(Value::as_u64).filter(|next| *next > at);
    }
    context.print_table(&Table { columns: COLUMNS.map(str::to_owned).to_vec(), rows })
}

pub(super) fn cancel(context: &Context<'_>) -> Result<(), Failure> {
    let id = context.argument(0);
    if id.parse::<u64>().is_err() {
        return Err(context.invalid("the id of a delayed message is a number", exit::USAGE));
    }
    context.banner(&format!("Cancelling delayed message {id} in vhost '{}' ...", context.vhost()))?;
    match context.delete(&format!("/api/delayed/{}/{id}", context.vhost_segment())) {
        Ok(_) => Ok(()),
        Err(RequestError::Refused(refusal)) if refusal.status == 404 => {
            Err(Failure::error(exit::UNAVAILABLE, refusal.reason))
        }
        Err(error) => Err(error.into()),
    }
}
