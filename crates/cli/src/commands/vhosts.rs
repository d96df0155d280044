//! Virtual hosts.

use super::lists;
use super::{ANY, Command, command};
use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::http::segment;
use crate::sections::Section;
use serde_json::{Map, Value, json};

pub(super) const COMMANDS: &[Command] = &[
    command(
        "add_vhost",
        (1, 1),
        "<vhost> [--description <description> --tags \"<tag1>,<tag2>,<...>\" --default-queue-type <quorum|classic|stream>]",
        "Creates a virtual host",
        add,
    ),
    command("delete_vhost", (1, 1), "<vhost>", "Deletes a virtual host and everything in it", delete),
    command("list_vhosts", (0, ANY), "[--no-table-headers] [<column> ...]", "Lists virtual hosts", list)
        .under(Section::Access),
    command(
        "update_vhost_metadata",
        (1, 1),
        "<vhost> [--description <description>] [--tags \"<tag1>,<tag2>,<...>\"] [--default-queue-type <quorum|classic|stream>] \
         [--protected-from-deletion <true|false>]",
        "Changes what a virtual host says of itself",
        update,
    ),
    command("set_vhost_tags", (1, ANY), "<vhost> <tag> [...]", "Replaces the tags of a virtual host", set_tags),
    command(
        "enable_vhost_deletion_protection",
        (1, 1),
        "<vhost>",
        "Protects a virtual host from being deleted",
        protect,
    ),
    command("disable_vhost_deletion_protection", (1, 1), "<vhost>", "Lets a virtual host be deleted again", unprotect),
    command(
        "restart_vhost",
        (0, 0),
        "[--vhost <vhost>] [--timeout <timeout>]",
        "Restarts a failed virtual host",
        restart,
    ),
    command("reconcile_vhosts", (0, 0), "[--timeout <timeout>]", "Starts virtual hosts that do not run", reconcile),
    command(
        "trace_on",
        (0, 0),
        "[--vhost <vhost>] [--timeout <timeout>]",
        "Publishes every message to amq.rabbitmq.trace, too",
        trace_on,
    ),
    command("trace_off", (0, 0), "[--vhost <vhost>] [--timeout <timeout>]", "Ends what trace_on began", trace_off),
];

pub(super) fn add(context: &Context<'_>) -> Result<(), Failure> {
    const TYPES: [&str; 3] = ["classic", "quorum", "stream"];
    let name = context.argument(0);
    let mut body = Map::new();
    match context.option("default-queue-type") {
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
    for (key, value) in [("description", context.option("description")), ("tags", context.option("tags"))] {
        if let Some(value) = value {
            body.insert(key.to_owned(), value.into());
        }
    }
    context.banner(&format!("Adding vhost \"{name}\" ..."))?;
    context.put(&format!("/api/vhosts/{}", segment(name)), &Value::Object(body))?;
    context.done(json!({}))
}

pub(super) fn delete(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    context.banner(&format!("Deleting vhost \"{name}\" ..."))?;
    context.delete(&format!("/api/vhosts/{}", segment(name))).map(drop).map_err(|error| no_vhost(error, name))?;
    context.done(json!({}))
}

/// Changes some fields and keeps the others: a PUT replaces all of them.
fn change(context: &Context<'_>, name: &str, changes: Map<String, Value>) -> Result<(), Failure> {
    const KEPT: [&str; 4] = ["description", "tags", "default_queue_type", "tracing"];
    let path = format!("/api/vhosts/{}", segment(name));
    let known = context.get(&path).map_err(|error| no_vhost(error, name))?;
    let mut body: Map<String, Value> = KEPT
        .into_iter()
        .filter_map(|field| Some((field.to_owned(), known.get(field)?.clone())))
        .filter(|(field, value)| !(field == "default_queue_type" && value == "undefined"))
        .collect();
    body.extend(changes);
    context.put(&path, &Value::Object(body))?;
    Ok(())
}

fn update(context: &Context<'_>) -> Result<(), Failure> {
    let name = context.argument(0);
    let mut changes = Map::new();
    for (option, field) in [("description", "description"), ("default-queue-type", "default_queue_type")] {
        changes.extend(context.option(option).map(|value| (field.to_owned(), value.into())));
    }
    if let Some(tags) = context.option("tags") {
        let tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(Value::from).collect();
        changes.insert("tags".to_owned(), tags);
    }
    let protection = context.option("protected-from-deletion");
    if changes.is_empty() && protection.is_none() {
        return Err(context.invalid("not enough arguments.", exit::USAGE));
    }
    context.banner(&format!("Updating metadata of vhost \"{name}\" ..."))?;
    if !changes.is_empty() {
        change(context, name, changes)?;
    }
    match protection {
        Some("true") => set_protection(context, true),
        Some("false") => set_protection(context, false),
        Some(_) => Err(context.invalid("Bad argument: protected-from-deletion is true or false", exit::DATA_ERROR)),
        None => context.done(json!({})),
    }
}

fn set_tags(context: &Context<'_>) -> Result<(), Failure> {
    let (name, tags) = (context.argument(0), context.arguments.positional.get(1..).unwrap_or_default());
    context.banner(&format!("Setting tags for virtual host \"{name}\" to [{}] ...", tags.join(", ")))?;
    change(context, name, Map::from_iter([("tags".to_owned(), json!(tags))]))?;
    context.done(json!({}))
}

fn set_protection(context: &Context<'_>, wanted: bool) -> Result<(), Failure> {
    let name = context.argument(0);
    let path = format!("/api/vhosts/{}/deletion/protection", segment(name));
    let answer = if wanted { context.post(&path, &json!({})) } else { context.delete(&path) };
    answer.map_err(|error| no_vhost(error, name))?;
    context.done(json!({}))
}

fn protect(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Protecting virtual host '{}' from removal ...", context.argument(0)))?;
    set_protection(context, true)
}

fn unprotect(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Removing deletion protection from virtual host '{}' ...", context.argument(0)))?;
    set_protection(context, false)
}

fn restart(context: &Context<'_>) -> Result<(), Failure> {
    let (name, node) = (context.vhost(), context.node_name()?);
    context.banner(&format!("Trying to restart vhost '{name}' on node '{node}' ..."))?;
    match context.post(&format!("/api/vhosts/{}/start/{}", segment(name), segment(node)), &json!({})) {
        Ok(_) => context.message(&format!("Vhost '{name}' is already running on node '{node}'")),
        Err(RequestError::Refused(refusal)) if refusal.status == 404 => {
            let text = format!("Failed to start vhost '{name}' on node '{node}'Reason: {{:no_such_vhost, \"{name}\"}}");
            Err(Failure::error(exit::SOFTWARE, text))
        }
        Err(error) => Err(error.into()),
    }
}

fn reconcile(context: &Context<'_>) -> Result<(), Failure> {
    context.process()?;
    context.banner("Will try to initiate virtual host reconciliation on all reachable cluster nodes...")?;
    context.list("/api/vhosts")?;
    context.done(json!({}))
}

fn trace(context: &Context<'_>, wanted: bool) -> Result<(), Failure> {
    let name = context.vhost();
    let (doing, done) = if wanted { ("Starting", "enabled") } else { ("Stopping", "disabled") };
    context.banner(&format!("{doing} tracing for vhost \"{name}\" ..."))?;
    change(context, name, Map::from_iter([("tracing".to_owned(), wanted.into())]))?;
    context.message(&format!("Trace {done} for vhost {name}"))
}

fn trace_on(context: &Context<'_>) -> Result<(), Failure> {
    trace(context, true)
}

fn trace_off(context: &Context<'_>) -> Result<(), Failure> {
    trace(context, false)
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
