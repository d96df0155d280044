//! Permissions and topic permissions.

use super::vhosts::no_vhost;
use super::{Command, command};
use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::http::segment;
use crate::table::Table;
use serde_json::{Value, json};

pub(super) const COMMANDS: &[Command] = &[
    command(
        "set_permissions",
        (4, 4),
        "[--vhost <vhost>] <username> <conf> <write> <read>",
        "Sets a user's permissions in a virtual host",
        set,
    ),
    command(
        "clear_permissions",
        (1, 1),
        "[--vhost <vhost>] <username>",
        "Clears a user's permissions in a virtual host",
        clear,
    ),
    command(
        "list_permissions",
        (0, 0),
        "[--vhost <vhost>] [--no-table-headers]",
        "Lists permissions in a virtual host",
        list,
    ),
    command(
        "list_user_permissions",
        (1, 1),
        "[--no-table-headers] <username>",
        "Lists a user's permissions in all virtual hosts",
        list_of_user,
    ),
    command(
        "set_topic_permissions",
        (4, 4),
        "[--vhost <vhost>] <username> <exchange> <write> <read>",
        "Sets a user's permissions on a topic exchange",
        set_topic,
    ),
    command(
        "clear_topic_permissions",
        (1, 2),
        "[--vhost <vhost>] <username> [<exchange>]",
        "Clears a user's topic permissions in a virtual host, or those on one exchange",
        clear_topic,
    ),
    command(
        "list_topic_permissions",
        (0, 0),
        "[--vhost <vhost>] [--no-table-headers]",
        "Lists topic permissions in a virtual host",
        list_topic,
    ),
    command(
        "list_user_topic_permissions",
        (1, 1),
        "[--no-table-headers] <username>",
        "Lists a user's topic permissions in all virtual hosts",
        list_topic_of_user,
    ),
];

pub(super) fn set(context: &Context<'_>) -> Result<(), Failure> {
    let (user, vhost) = (context.argument(0), context.vhost());
    context.banner(&format!("Setting permissions for user \"{user}\" in vhost \"{vhost}\" ..."))?;
    let body = json!({ "configure": context.argument(1), "write": context.argument(2), "read": context.argument(3) });
    context.put(&path("permissions", context, user), &body).map(drop).map_err(|error| not_set(error, user, vhost))
}

pub(super) fn clear(context: &Context<'_>) -> Result<(), Failure> {
    let (user, vhost) = (context.argument(0), context.vhost());
    context.banner(&format!("Clearing permissions for user \"{user}\" in vhost \"{vhost}\" ..."))?;
    context.delete(&path("permissions", context, user)).map(drop).map_err(|error| not_set(error, user, vhost))
}

pub(super) fn list(context: &Context<'_>) -> Result<(), Failure> {
    let vhost = context.vhost();
    context.banner(&format!("Listing permissions for vhost \"{vhost}\" ..."))?;
    let path = format!("/api/vhosts/{}/permissions", context.vhost_segment());
    let permissions = context.list(&path).map_err(|error| no_vhost(error, vhost))?;
    context.print_table(&table(&permissions, &["user", "configure", "write", "read"]))
}

pub(super) fn list_of_user(context: &Context<'_>) -> Result<(), Failure> {
    let user = context.argument(0);
    context.banner(&format!("Listing permissions for user \"{user}\" ..."))?;
    let path = format!("/api/users/{}/permissions", segment(user));
    let permissions = context.list(&path).map_err(|error| no_user(error, user))?;
    context.print_table(&table(&permissions, &["vhost", "configure", "write", "read"]))
}

pub(super) fn set_topic(context: &Context<'_>) -> Result<(), Failure> {
    let (user, exchange, vhost) = (context.argument(0), context.argument(1), context.vhost());
    context
        .banner(&format!("Setting topic permissions on \"{exchange}\" for user \"{user}\" in vhost \"{vhost}\" ..."))?;
    let body = json!({ "exchange": exchange, "write": context.argument(2), "read": context.argument(3) });
    let path = path("topic-permissions", context, user);
    context.put(&path, &body).map(drop).map_err(|error| not_set(error, user, vhost))
}

pub(super) fn clear_topic(context: &Context<'_>) -> Result<(), Failure> {
    let (user, vhost) = (context.argument(0), context.vhost());
    let mut path = path("topic-permissions", context, user);
    match context.arguments.positional.get(1) {
        None => context.banner(&format!("Clearing topic permissions for user \"{user}\" in vhost \"{vhost}\" ..."))?,
        Some(exchange) => {
            context.banner(&format!(
                "Clearing topic permissions on \"{exchange}\" for user \"{user}\" in vhost \"{vhost}\" ..."
            ))?;
            path.push('/');
            path.push_str(&segment(exchange));
        }
    }
    context.delete(&path).map(drop).map_err(|error| not_set(error, user, vhost))
}

pub(super) fn list_topic(context: &Context<'_>) -> Result<(), Failure> {
    let vhost = context.vhost();
    context.banner(&format!("Listing topic permissions for vhost \"{vhost}\" ..."))?;
    let path = format!("/api/vhosts/{}/topic-permissions", context.vhost_segment());
    let permissions = context.list(&path).map_err(|error| no_vhost(error, vhost))?;
    context.print_table(&table(&permissions, &["user", "exchange", "write", "read"]))
}

pub(super) fn list_topic_of_user(context: &Context<'_>) -> Result<(), Failure> {
    let user = context.argument(0);
    context.banner(&format!("Listing topic permissions for user \"{user}\" ..."))?;
    let path = format!("/api/users/{}/topic-permissions", segment(user));
    let permissions = context.list(&path).map_err(|error| no_user(error, user))?;
    // RabbitMQ's has no names of columns here, in any version.
    context.print_bare_table(&table(&permissions, &["vhost", "exchange", "write", "read"]))
}

fn path(of: &str, context: &Context<'_>, user: &str) -> String {
    format!("/api/{of}/{}/{}", context.vhost_segment(), segment(user))
}

fn table(permissions: &[Value], columns: &[&str]) -> Table {
    let row = |permission: &Value| columns.iter().map(|column| permission[*column].clone()).collect();
    let rows = permissions.iter().map(row).collect();
    Table { columns: columns.iter().map(|column| (*column).to_owned()).collect(), rows }
}

/// RabbitMQ has words of its own here, without quotes.
fn not_set(error: RequestError, user: &str, vhost: &str) -> Failure {
    match error {
        RequestError::Refused(refusal) => match refusal.missing.as_deref() {
            Some("user") => Failure::error(exit::NO_USER, format!("User {user} does not exist")),
            Some("vhost") => Failure::error(exit::UNAVAILABLE, format!("Virtual host {vhost} does not exist")),
            _ => RequestError::Refused(refusal).into(),
        },
        other => other.into(),
    }
}

fn no_user(error: RequestError, user: &str) -> Failure {
    match error {
        RequestError::Refused(refusal) if refusal.status == 404 => {
            Failure::error(exit::UNAVAILABLE, format!("{{:no_such_user, \"{user}\"}}"))
        }
        other => other.into(),
    }
}
