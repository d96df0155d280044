//! Settings of the running broker that are not kept.

use super::{Command, command, unless_there};
use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::http::Request;
use crate::sections::Section;
use crate::units::parse_bytes;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) const COMMANDS: &[Command] = &[
    command(
        "set_disk_free_limit",
        (1, 2),
        "<disk_limit> | mem_relative <fraction>",
        "Sets the disk_free_limit setting",
        disk_free_limit,
    ),
    command("suspend_listeners", (0, 0), "[--timeout <timeout>]", "Stops accepting connections of clients", suspend)
        .under(Section::Operations),
    command("resume_listeners", (0, 0), "[--timeout <timeout>]", "Accepts connections of clients again", resume)
        .under(Section::Operations),
    command("reload", (0, 0), "[--timeout <timeout>]", "Reads the configuration again, as SIGHUP does", reload),
    command(
        "backup",
        (1, 1),
        "<directory> [--timeout <timeout>]",
        "Copies the data directory while the broker runs",
        backup,
    )
    .under(Section::Operations),
];

fn disk_free_limit(context: &Context<'_>) -> Result<(), Failure> {
    let bad = || context.invalid("Bad argument.", exit::DATA_ERROR);
    let (shown, body) = match (context.argument(0), context.arguments.positional.get(1)) {
        ("mem_relative", Some(share)) => {
            let number =
                share.parse::<f64>().ok().filter(|share| share.is_finite() && *share >= 0.0).ok_or_else(bad)?;
            (format!("{share} times the total RAM"), json!({ "relative": number }))
        }
        ("mem_relative", None) => return Err(context.invalid("not enough arguments.", exit::USAGE)),
        (amount, None) => {
            let bytes = parse_bytes(amount).ok_or_else(bad)?;
            (format!("{amount} bytes"), json!({ "absolute": bytes }))
        }
        (_, Some(_)) => return Err(context.invalid("too many arguments.", exit::USAGE)),
    };
    context.banner(&format!("Setting disk free limit on {} to {shown} ...", context.node_name()?))?;
    context.put("/api/leveret/disk-free-limit", &body).map_err(unless_there)?;
    context.done(json!({}))
}

/// How long a backup may take: the broker answers when it is made.
const BACKUP: Duration = Duration::from_secs(7 * 86_400);
const SUSPENSION: &str = "/api/leveret/listeners/suspension";

fn suspend(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!(
        "Will suspend client connection listeners on node {}. The node will no longer accept client connections!",
        context.node_name()?
    ))?;
    context.put(SUSPENSION, &json!({})).map_err(unless_there)?;
    context.done(json!({}))
}

fn resume(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!(
        "Will resume client connection listeners on node {}. The node will now accept client connections",
        context.node_name()?
    ))?;
    context.delete(SUSPENSION).map_err(unless_there)?;
    context.done(json!({}))
}

fn reload(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Reloading the configuration of node {} ...", context.node_name()?))?;
    let answer = context.post("/api/leveret/reload", &json!({})).map_err(|error| match error {
        RequestError::Refused(refusal) if refusal.body.get("problems").is_some() => {
            let problems = refusal.body["problems"].as_array().into_iter().flatten();
            let lines: Vec<&str> = problems.filter_map(Value::as_str).collect();
            Failure::error(exit::CONFIGURATION, lines.join("\n"))
        }
        error => unless_there(error),
    })?;
    let reloaded: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    context.result(&reloaded, &in_words(&reloaded))
}

/// What became of the keys that have changed, a line for each kind.
fn in_words(reloaded: &Value) -> String {
    let kinds = [
        ("applied", "In force now"),
        ("needs_restart", "After a restart"),
        ("for_first_start", "Only for the first start of a broker"),
        ("without_effect", "Without effect here"),
    ];
    let mut lines: Vec<String> = Vec::new();
    for (field, words) in kinds {
        let keys: Vec<&str> = reloaded[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if !keys.is_empty() {
            lines.push(format!("{words}: {}", keys.join(", ")));
        }
    }
    if reloaded["definitions_imported"] == true {
        lines.push("Definitions were imported".to_owned());
    }
    if lines.is_empty() { "Nothing has changed".to_owned() } else { lines.join("\n") }
}

fn backup(context: &Context<'_>) -> Result<(), Failure> {
    let path = std::path::absolute(context.argument(0))
        .map_err(|error| Failure::error(exit::DATA_ERROR, format!("cannot use this directory: {error}")))?;
    context.banner(&format!("Copying the data of node {} to {} ...", context.node_name()?, path.display()))?;
    let body = json!({ "path": path.display().to_string() }).to_string();
    let request = Request {
        method: "POST",
        path: "/api/leveret/backup",
        body: &body,
        timeout: Some(BACKUP),
        ..Request::default()
    };
    let waiting = context.waiting("copying");
    let answer = context.request(&request).map_err(unless_there)?;
    drop(waiting);
    let made: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    context.result(
        &json!({ "node": context.node_name()?, "result": "ok", "files": made["files"], "bytes": made["bytes"] }),
        &format!("{} files with {} bytes are in {}", made["files"], made["bytes"], path.display()),
    )
}
