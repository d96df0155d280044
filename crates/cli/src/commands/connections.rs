//! Closing connections.

use super::{Command, command};
use crate::context::{Context, RequestError, print};
use crate::exit::{self, Failure};
use crate::http::{Request, Response, segment};
use crate::term;

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
    if !is_pid(pid) {
        let text = format!("Error:\n{{:invalid_pid_syntax, {}}}", term::quoted(pid));
        return Err(Failure::error(exit::UNAVAILABLE, text));
    }
    match send(context, &format!("/api/connections/{}", segment(pid)), reason) {
        Err(RequestError::Refused(refusal)) if refusal.status == 404 => Ok(()),
        other => other.map(drop).map_err(Failure::from),
    }
}

/// True for `<node.1.2.3>`, which process ids look like; the node's name may have dots.
fn is_pid(text: &str) -> bool {
    let inside = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or_default();
    let mut parts = inside.rsplitn(4, '.');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.by_ref().take(3).filter(|part| is_number(part)).count() == 3 && parts.next().is_some()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_ids_are_known_by_their_form() {
        for pid in ["<rabbit@host.1.2.3>", "<rabbit@host.example.org.1795350204.17.0>"] {
            assert!(is_pid(pid), "{pid}");
        }
        for other in ["", "nonsense", "<>", "<1.2.3>", "<rabbit@host.1.2>", "<h.1.2.x>", "<h.1..3>", "h.1.2.3"] {
            assert!(!is_pid(other), "{other}");
        }
    }
}
