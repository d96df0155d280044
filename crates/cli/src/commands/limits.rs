//! Limits of virtual hosts and of users.

use super::parameters::{json_text, no_parameter, parse_json};
use super::vhosts::no_vhost;
use super::{Command, command};
use crate::context::{Context, RequestError, print};
use crate::exit::{self, Failure};
use crate::formatter::Formatter;
use crate::http::segment;
use crate::table::Table;
use serde_json::{Value, json};

pub(super) const COMMANDS: &[Command] = &[
    command(
        "set_vhost_limits",
        (1, 1),
        "[--vhost <vhost>] <definition>",
        "Sets how many connections and queues a virtual host may have",
        set_vhost,
    ),
    command("clear_vhost_limits", (0, 0), "[--vhost <vhost>]", "Lifts the limits of a virtual host", clear_vhost),
    command(
        "list_vhost_limits",
        (0, 0),
        "[--vhost <vhost>] [--global] [--no-table-headers]",
        "Lists the limits of a virtual host, or of all",
        list_vhosts,
    ),
    command(
        "set_user_limits",
        (2, 2),
        "<username> <definition>",
        "Sets how many connections and channels a user may have",
        set_user,
    ),
    command(
        "clear_user_limits",
        (2, 2),
        "<username> <limit_type> | all",
        "Lifts a limit of a user, or all",
        clear_user,
    ),
    command(
        "list_user_limits",
        (0, 0),
        "[--user <username>] [--global]",
        "Lists the limits of a user, or of all",
        list_users,
    ),
];

pub(super) fn set_vhost(context: &Context<'_>) -> Result<(), Failure> {
    let (definition, vhost) = (context.argument(0), context.vhost());
    context.banner(&format!("Setting vhost limits to \"{definition}\" for vhost \"{vhost}\" ..."))?;
    let body = json!({ "value": parse_json(definition)? });
    context.put(&vhost_path(context), &body).map(drop).map_err(|error| no_vhost(error, vhost))
}

pub(super) fn clear_vhost(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Clearing vhost \"{}\" limits ...", context.vhost()))?;
    context.delete(&vhost_path(context)).map(drop).map_err(no_parameter)
}

pub(super) fn list_vhosts(context: &Context<'_>) -> Result<(), Failure> {
    let vhost = context.vhost();
    if context.flag("global") {
        context.banner("Listing limits for all vhosts ...")?;
        return print_all(context, "vhost", &context.list("/api/vhost-limits")?);
    }
    context.banner(&format!("Listing limits for vhost \"{vhost}\" ..."))?;
    let path = format!("/api/vhost-limits/{}", context.vhost_segment());
    print_one(context, &context.list(&path).map_err(|error| no_vhost(error, vhost))?, "")
}

pub(super) fn set_user(context: &Context<'_>) -> Result<(), Failure> {
    let [user, definition] = [0, 1].map(|at| context.argument(at));
    context.banner(&format!("Setting user limits to \"{definition}\" for user \"{user}\" ..."))?;
    let body = json!({ "value": parse_json(definition)? });
    let path = format!("/api/leveret/user-limits/{}", segment(user));
    context.put(&path, &body).map(drop).map_err(|error| no_user(error, user))
}

pub(super) fn clear_user(context: &Context<'_>) -> Result<(), Failure> {
    let [user, limit] = [0, 1].map(|at| context.argument(at));
    let path = if limit == "all" {
        context.banner(&format!("Clearing all limits for user \"{user}\" ..."))?;
        format!("/api/leveret/user-limits/{}", segment(user))
    } else {
        context.banner(&format!("Clearing \"{limit}\" limit for user \"{user}\" ..."))?;
        format!("/api/user-limits/{}/{}", segment(user), segment(limit))
    };
    context.delete(&path).map(drop).map_err(|error| no_user(error, user))
}

pub(super) fn list_users(context: &Context<'_>) -> Result<(), Failure> {
    if context.flag("global") {
        context.banner("Listing limits for all users ...")?;
        return print_all(context, "user", &context.list("/api/user-limits")?);
    }
    let user = context.option("user").unwrap_or("guest");
    context.banner(&format!("Listing limits for user \"{user}\" ..."))?;
    let path = format!("/api/user-limits/{}", segment(user));
    print_one(context, &context.list(&path).map_err(|error| no_user(error, user))?, "{}")
}

fn vhost_path(context: &Context<'_>) -> String {
    format!("/api/parameters/vhost-limits/{}/limits", context.vhost_segment())
}

fn print_all(context: &Context<'_>, owner: &str, limits: &[Value]) -> Result<(), Failure> {
    let rows = limits.iter().map(|of| vec![of[owner].clone(), json_text(&of["value"])]).collect();
    context.print_table_or_blank(&Table { columns: vec![owner.to_owned(), "limits".to_owned()], rows })
}

/// The limits of one owner as JSON and nothing else, or what stands for none.
fn print_one(context: &Context<'_>, limits: &[Value], none: &str) -> Result<(), Failure> {
    let text = limits.first().map_or_else(|| none.to_owned(), |of| of["value"].to_string());
    match context.arguments.formatter {
        Formatter::Json => print(&format!("{}\n", if text.is_empty() { "[]" } else { &text })),
        _ => print(&format!("{text}\n")),
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
