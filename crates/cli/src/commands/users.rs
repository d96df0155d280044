//! Users and passwords.

use super::{ANY, Command, command};
use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::http::{Request, segment};
use crate::table::Table;
use serde_json::{Value, json};
use std::io::Read;

pub(super) const COMMANDS: &[Command] = &[
    command("add_user", (1, 2), "<username> <password>", "Creates a user without permissions", add),
    command("authenticate_user", (1, 2), "<username> <password>", "Checks a user's password", authenticate),
    command("change_password", (1, 2), "<username> <password>", "Changes a user's password", change_password),
    command("clear_password", (1, 1), "<username>", "Keeps a user from logging in with a password", clear_password),
    command("delete_user", (1, 1), "<username>", "Deletes a user and closes its connections", delete),
    command("list_users", (0, 0), "[--no-table-headers]", "Lists users and their tags", list),
    command("set_user_tags", (1, ANY), "<username> <tag> [...]", "Replaces a user's tags", set_tags),
];

/// Longest password read from standard input, in bytes.
const PASSWORD_LIMIT: u64 = 4096;

pub(super) fn add(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    context.banner(&format!("Adding user \"{name}\" ..."))?;
    let body = json!({ "password": password(context)?, "tags": [] }).to_string();
    let path = format!("/api/users/{}", segment(name));
    let headers = [("if-none-match", "*")];
    match context.request(&Request { method: "PUT", path: &path, headers: &headers, body: &body, ..Request::default() })
    {
        Ok(_) => context.remark(
            "Done. Don't forget to grant the user permissions to some virtual hosts! \
             See 'rabbitmqctl help set_permissions' to learn more.",
        ),
        Err(RequestError::Refused(refusal)) if refusal.status == 412 => {
            Err(Failure::error(exit::SOFTWARE, format!("User \"{name}\" already exists")))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn delete(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    context.banner(&format!("Deleting user \"{name}\" ..."))?;
    context.delete(&format!("/api/users/{}", segment(name))).map(drop).map_err(|error| no_user(error, name))
}

pub(super) fn change_password(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    context.banner(&format!("Changing password for user \"{name}\" ..."))?;
    change(context, name, &json!({ "password": password(context)? }))
}

pub(super) fn clear_password(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    context.banner(&format!("Clearing password for user \"{name}\" ..."))?;
    change(context, name, &json!({ "password_hash": "" }))
}

pub(super) fn set_tags(context: &Context<'_>) -> Result<(), Failure> {
    let (name, tags) = (context.argument(0), context.arguments.positional.get(1..).unwrap_or_default());
    context.banner(&format!("Setting tags for user \"{name}\" to [{}] ...", tags.join(", ")))?;
    change(context, name, &json!({ "tags": tags }))
}

pub(super) fn authenticate(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    context.banner(&format!("Authenticating user \"{name}\" ..."))?;
    let body = json!({ "username": name, "password": password(context)? }).to_string();
    let request = Request { method: "POST", path: "/api/leveret/authenticate", body: &body, ..Request::default() };
    match context.request(&request) {
        Ok(_) => context.message("Success"),
        Err(RequestError::Refused(refusal)) if refusal.status == 401 => {
            let text = format!("Error: failed to authenticate user \"{name}\"\n{}", refusal.reason);
            Err(Failure::error(exit::DATA_ERROR, text))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn list(context: &Context<'_>) -> Result<(), Failure> {
    context.banner("Listing users ...")?;
    let users = context.list("/api/users")?;
    let row = |user: &Value| vec![user["name"].clone(), user["tags"].clone()];
    let columns = vec!["user".to_owned(), "tags".to_owned()];
    context.print_table(&Table { columns, rows: users.iter().map(row).collect() })
}

fn change(context: &Context<'_>, name: &str, body: &Value) -> Result<(), Failure> {
    let path = format!("/api/users/{}", segment(name));
    let request = Request { method: "PATCH", path: &path, body: &body.to_string(), ..Request::default() };
    context.request(&request).map(drop).map_err(|error| no_user(error, name))
}

fn no_user(error: RequestError, name: &str) -> Failure {
    match error {
        RequestError::Refused(refusal) if refusal.missing.as_deref() == Some("user") => {
            Failure::error(exit::NO_USER, format!("User \"{name}\" does not exist"))
        }
        other => other.into(),
    }
}

/// The second argument, or the first line of standard input.
fn password(context: &Context<'_>) -> Result<String, Failure> {
    if let Some(password) = context.arguments.positional.get(1) {
        return Ok(password.clone());
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(PASSWORD_LIMIT).read_to_string(&mut text);
    let password = text.lines().next().unwrap_or_default();
    if read.is_err() || password.is_empty() {
        return Err(Failure::error(exit::DATA_ERROR, "Password is not provided via argument or stdin"));
    }
    Ok(password.to_owned())
}
