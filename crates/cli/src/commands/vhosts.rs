//! Virtual hosts.

use super::lists;
use super::{ANY, Command, command};
use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::http::segment;
use serde_json::{Map, Value};

pub(super) const COMMANDS: &[Command] = &[
    command(
        "add_vhost",
        (1, 1),
        "<vhost> [--description <description> --tags \"<tag1>,<tag2>,<...>\" --default-queue-type <quorum|classic|stream>]",
        "Creates a virtual host",
        add,
    ),
    command("delete_vhost", (1, 1), "<vhost>", "Deletes a virtual host and everything in it", delete),
    command("list_vhosts", (0, ANY), "[--no-table-headers] [<column> ...]", "Lists virtual hosts", list),
];

pub(super) fn add(context: &Context<'_>) -> Result<(), Failure> {
    const TYPES: [&str; 3] = ["classic", "quorum", "stream"];
    let name = context.argument(0);
    let mut body = Map::new();
    match context.arguments.default_queue_type.as_deref() {
        None => {}
        Some("") => {
            return Err(context.invalid("Default queue type must not be an empty string", exit::DATA_ERROR));
        }
        Some(kind) if TYPES.contains(&kind) => drop(body.insert("default_queue_type".to_owned(), kind.into())),
        Some(kind) => {
            let problem = format!("Default queue type must be one of: {}. Provided: {kind}", TYPES.join(", "));
            return Err(context.invalid(&problem, exit::DATA_ERROR));
        }
    }
    for (key, value) in [("description", &context.arguments.description), ("tags", &context.arguments.tags)] {
        if let Some(value) = value {
            body.insert(key.to_owned(), value.as_str().into());
        }
    }
    context.banner(&format!("Adding vhost \"{name}\" ..."))?;
    context.put(&format!("/api/vhosts/{}", segment(name)), &Value::Object(body))?;
    Ok(())
}

pub(super) fn delete(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    context.banner(&format!("Deleting vhost \"{name}\" ..."))?;
    context.delete(&format!("/api/vhosts/{}", segment(name))).map(drop).map_err(|error| no_vhost(error, name))
}

pub(super) fn list(context: &Context<'_>) -> Result<(), Failure> {
    lists::print(context, &lists::VHOSTS, "Listing vhosts ...", "/api/vhosts")
}

/// The failure of a command whose virtual host does not exist, in the words that most commands have.
pub(super) fn no_vhost(error: RequestError, name: &str) -> Failure {
    match error {
        RequestError::Refused(refusal) if refusal.status == 404 => {
            Failure::new(exit::DATA_ERROR, format!("Virtual host '{name}' does not exist"))
        }
        other => other.into(),
    }
}
