//! Closing connections.

use super::{Command, command};
use crate::context::{Context, RequestError, print};
use crate::exit::Failure;
use crate::http::{Request, Response, segment};

pub(super) const COMMANDS: &[Command] = &[
    command(
        "close_connection",
        (2, 2),
        "<connection pid> <explanation>",
        "Closes the connection with this process id",
        close,
    ),
    command(
        "close_all_connections",
        (1, 1),
        "[--vhost <vhost>] [--global] <explanation>",
        "Closes all connections of a virtual host, or all",
        close_all,
    ),
    command(
        "close_all_user_connections",
        (2, 2),
        "<username> <explanation>",
        "Closes all connections of a user",
        close_all_of_user,
    ),
];

/// The header that says how many connections a request closed.
const COUNT_HEADER: &str = "leveret-count";

/// A connection that is gone already is as good as closed, as in RabbitMQ.
pub(super) fn close(context: &Context<'_>) -> Result<(), Failure> {
    let (pid, reason) = (context.argument(0), context.argument(1));
    context.banner(&format!("Closing connection {pid}, reason: {reason}..."))?;
    match send(context, &format!("/api/connections/{}", segment(pid)), reason) {
        Err(RequestError::Refused(refusal)) if refusal.status == 404 => Ok(()),
        other => other.map(drop).map_err(Failure::from),
    }
}

pub(super) fn close_all(context: &Context<'_>) -> Result<(), Failure> {
    let (vhost, reason) = (context.vhost(), context.argument(0));
    let path = if context.flag("global") {
        context.banner(&format!("Closing all connections to node (global), reason: {reason}..."))?;
        "/api/connections".to_owned()
    } else {
        context.banner(&format!("Closing all connections in vhost {vhost}, reason: {reason}..."))?;
        format!("/api/vhosts/{}/connections", context.vhost_segment())
    };
    report(send(context, &path, reason)?.header(COUNT_HEADER))
}

pub(super) fn close_all_of_user(context: &Context<'_>) -> Result<(), Failure> {
    let (user, reason) = (context.argument(0), context.argument(1));
    context.banner(&format!("Closing connections of user {user}, reason: {reason}..."))?;
    send(context, &format!("/api/connections/username/{}", segment(user)), reason)?;
    Ok(())
}

fn send(context: &Context<'_>, path: &str, reason: &str) -> Result<Response, RequestError> {
    context.request(&Request { method: "DELETE", path, headers: &[("x-reason", reason)], ..Request::default() })
}

fn report(count: Option<&str>) -> Result<(), Failure> {
    print(&format!("Closed {} connections\n", count.unwrap_or("0")))
}
