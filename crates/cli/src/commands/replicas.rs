//! Leaders and members of queues and streams, of which one node has one each.

use super::{Command, command};
use crate::context::{Context, RequestError};
use crate::exit::{self, Failure};
use crate::http::segment;
use crate::sections::Section;
use crate::table::Table;
use crate::tool::Tools;
use serde_json::{Value, json};

pub(super) const COMMANDS: &[Command] = &[
    command(
        "rebalance",
        (1, 1),
        "< all | classic | quorum | stream > [--vhost-pattern <pattern>] [--queue-pattern <pattern>]",
        "Spreads leaders of queues over the nodes, of which there is one",
        rebalance,
    )
    .of(Tools::QUEUES)
    .under(Section::Cluster),
    command(
        "quorum_status",
        (1, 1),
        "[--vhost <vhost>] <queue>",
        "Displays the state of a quorum queue",
        quorum_status,
    )
    .of(Tools::QUEUES.and(Tools::DIAGNOSTICS)),
    command(
        "stream_status",
        (1, 1),
        "[--vhost <vhost>] [--tracking] <stream>",
        "Displays the state of a stream",
        stream_status,
    )
    .of(Tools::STREAMS.and(Tools::QUEUES).and(Tools::DIAGNOSTICS)),
    command("peek", (2, 2), "[--vhost <vhost>] <queue> <position>", "Shows the message at a position of a queue", peek)
        .of(Tools::QUEUES)
        .under(Section::Monitoring),
    command(
        "check_for_quorum_queues_without_an_elected_leader",
        (0, 1),
        "[--vhost <vhost>] [--across-all-vhosts] <pattern>",
        "Fails when a quorum queue has no leader",
        leaders,
    )
    .of(Tools::DIAGNOSTICS)
    .under(Section::Monitoring),
];

fn rebalance(context: &Context<'_>) -> Result<(), Failure> {
    let kind = context.argument(0);
    if !["all", "classic", "quorum", "stream"].contains(&kind) {
        let problem =
            format!("{kind} queue type cannot be rebalanced, only the following types: all, classic, quorum, stream");
        return Err(context.invalid(&format!("Bad argument: {problem}"), exit::DATA_ERROR));
    }
    context.banner(&format!("Re-balancing leaders of {kind} queues..."))?;
    context.post("/api/rebalance/queues", &json!({}))?;
    // Nothing has moved; RabbitMQ frames that.
    let nothing = crate::pretty::frame(&["Output".to_owned()], &[vec!["[]".to_owned()]]);
    context.result(&json!([]), nothing.trim_end())
}

fn queue(context: &Context<'_>) -> Result<Value, Failure> {
    let path = format!("/api/queues/{}/{}", context.vhost_segment(), segment(context.argument(0)));
    context.get(&path).map_err(|error| match error {
        RequestError::Refused(refusal) if refusal.status == 404 => Failure::error(exit::UNAVAILABLE, "not_found"),
        other => other.into(),
    })
}

/// The one member, if the queue is of this type.
fn member(context: &Context<'_>, wanted: &str) -> Result<(), Failure> {
    let node = context.node_name()?;
    let queue = queue(context)?;
    let kind = queue["type"].as_str().unwrap_or_default();
    if kind != wanted {
        let text = format!("Cannot get {wanted} status of a {kind} queue");
        return Err(Failure::error(exit::UNAVAILABLE, text));
    }
    let columns = ["Node Name", "Raft State", "Membership", "Messages"].map(str::to_owned).to_vec();
    let row = vec![json!(node), json!("leader"), json!("voter"), queue["messages"].clone()];
    context.print_table(&Table { columns, rows: vec![row] })
}

fn quorum_status(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Status of quorum queue {} on node {} ...", context.argument(0), context.node_name()?))?;
    member(context, "quorum")
}

fn stream_status(context: &Context<'_>) -> Result<(), Failure> {
    context.banner(&format!("Status of stream {} on node {} ...", context.argument(0), context.node_name()?))?;
    member(context, "stream")
}

fn peek(context: &Context<'_>) -> Result<(), Failure> {
    let (name, vhost) = (context.argument(0), context.vhost());
    let Some(position) = context.argument(1).parse::<usize>().ok().filter(|position| *position > 0) else {
        let problem = "Bad argument: position value must be greater than 0 and a number";
        return Err(context.invalid(problem, exit::DATA_ERROR));
    };
    context.banner(&format!("Peeking at queue '{name}' at position {position} in vhost '{vhost}' ..."))?;
    queue(context)?;
    let path = format!("/api/queues/{}/{}/messages?count={position}", context.vhost_segment(), segment(name));
    let page = context.get(&path)?;
    let message = page["messages"].as_array().and_then(|messages| messages.get(position - 1));
    let Some(message) = message.and_then(Value::as_object) else {
        return Err(Failure::error(exit::UNAVAILABLE, format!("there is no message at position {position}")));
    };
    let rows = message.iter().map(|(key, value)| vec![json!(key), value.clone()]).collect();
    context.print_table(&Table { columns: vec!["keys".to_owned(), "values".to_owned()], rows })
}

fn leaders(context: &Context<'_>) -> Result<(), Failure> {
    context.banner("Checking leader health of quorum queues ...")?;
    context.get("/api/health/checks/quorum-queues-without-elected-leaders/all-vhosts")?;
    context.result(&json!({ "result": "ok" }), "Node reported all quorum queue as having responsive leader replicas")
}
