//! Purging and deleting queues.

use super::{Command, command};
use crate::context::{Context, RequestError, print};
use crate::exit::{self, Failure};
use crate::http::{Request, segment};
use std::time::Duration;

pub(super) const COMMANDS: &[Command] = &[
    command("purge_queue", (1, 1), "[--vhost <vhost>] <queue>", "Removes the ready messages of a queue", purge),
    command(
        "delete_queue",
        (1, 1),
        "[--vhost <vhost>] <queue_name> [--if-empty|-e] [--if-unused|-u]",
        "Deletes a queue",
        delete,
    ),
];

/// How long a queue with very many messages may take.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// The header that says how many messages a request took away.
const COUNT_HEADER: &str = "leveret-count";

pub(super) fn purge(context: &Context<'_>) -> Result<(), Failure> {
    let queue = context.argument(0);
    context.banner(&format!("Purging queue '{queue}' in vhost '{}' ...", context.vhost()))?;
    let path = format!("/api/queues/{}/{}/contents", context.vhost_segment(), segment(queue));
    let request = Request { method: "DELETE", path: &path, timeout: Some(TIMEOUT), ..Request::default() };
    let waiting = context.waiting(&format!("purging {queue}"));
    let answer = context.request(&request);
    drop(waiting);
    match answer {
        Ok(_) => Ok(()),
        Err(RequestError::Refused(refusal)) if refusal.status == 404 => {
            Err(Failure::error(exit::UNAVAILABLE, "not_found"))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn delete(context: &Context<'_>) -> Result<(), Failure> {
    let (queue, vhost) = (context.argument(0), context.vhost());
    let (if_empty, if_unused) = (context.flag("if-empty"), context.flag("if-unused"));
    let condition = match (if_empty, if_unused) {
        (false, false) => "",
        (true, false) => " if queue is empty",
        (false, true) => " if queue is unused",
        (true, true) => " if queue is empty and if queue is unused",
    };
    context.banner(&format!("Deleting queue '{queue}' on vhost '{vhost}'{condition} ..."))?;
    let path =
        format!("/api/queues/{}/{}?if-empty={if_empty}&if-unused={if_unused}", context.vhost_segment(), segment(queue));
    match context.delete(&path) {
        Ok(response) => {
            let count = response.header(COUNT_HEADER).unwrap_or("0").to_owned();
            if context.arguments.quiet || context.arguments.silent {
                return Ok(());
            }
            print(&format!("Queue was successfully deleted with {count} ready messages\n"))
        }
        Err(RequestError::Refused(refusal)) if refusal.status == 404 => {
            Err(Failure::error(exit::USAGE, "Queue not found"))
        }
        Err(RequestError::Refused(refusal)) if refusal.reason.ends_with(" not empty") => {
            Err(Failure::error(exit::USAGE, "Queue is not empty"))
        }
        Err(RequestError::Refused(refusal)) if refusal.reason.ends_with(" in use") => {
            Err(Failure::error(exit::USAGE, "Queue is in use"))
        }
        Err(error) => Err(error.into()),
    }
}
