//! The listeners of clients: suspended and resumed.

use super::{Command, command};
use crate::context::Context;
use crate::exit::Failure;
use serde_json::json;

pub(super) const COMMANDS: &[Command] = &[
    command(
        "suspend_listeners",
        (0, 0),
        "",
        "Suspends client connection listeners so that no new client connections are accepted",
        suspend,
    ),
    command(
        "resume_listeners",
        (0, 0),
        "",
        "Resumes client connection listeners making them accept client connections again",
        resume,
    ),
];

const PATH: &str = "/api/leveret/listeners/suspension";

fn node(context: &Context<'_>) -> Result<String, Failure> {
    let overview = context.get("/api/overview")?;
    Ok(overview["node"].as_str().unwrap_or_default().to_owned())
}

fn suspend(context: &Context<'_>) -> Result<(), Failure> {
    let node = node(context)?;
    context.banner(&format!(
        "Will suspend client connection listeners on node {node}. The node will no longer accept client connections!"
    ))?;
    context.put(PATH, &json!({}))?;
    Ok(())
}

fn resume(context: &Context<'_>) -> Result<(), Failure> {
    let node = node(context)?;
    context.banner(&format!(
        "Will resume client connection listeners on node {node}. The node will now accept client connections"
    ))?;
    context.delete(PATH)?;
    Ok(())
}
