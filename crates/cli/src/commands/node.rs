//! The node: whether it answers, and how much memory it may use.

use super::{Command, command};
use crate::context::Context;
use crate::exit::{self, Failure};
use crate::sections::Section;
use crate::tool::Tools;
use crate::units::parse_bytes;
use serde_json::json;

pub(super) const COMMANDS: &[Command] = &[
    command("ping", (0, 0), "[--timeout <timeout>]", "Checks that the process of the broker answers", ping)
        .of(Tools::LOOKING),
    command(
        "set_vm_memory_high_watermark",
        (1, 2),
        "<fraction> | absolute <value>",
        "Sets how much memory may be used before publishers wait",
        set_memory_watermark,
    )
    .under(Section::Configuration),
];

fn ping(context: &Context<'_>) -> Result<(), Failure> {
    let node = context.node_name()?;
    let timeout_ms = context.arguments.number("timeout").unwrap_or(60).saturating_mul(1000);
    context.banner(&format!(
        "Will ping {node}. This only checks if the OS process is running and registered with epmd. Timeout: {timeout_ms} ms."
    ))?;
    context.message("Ping succeeded")
}

fn set_memory_watermark(context: &Context<'_>) -> Result<(), Failure> {
    let (first, second) = (context.argument(0), context.arguments.positional.get(1));
    let (shown, body) = match (first, second) {
        ("absolute", Some(amount)) => {
            let bytes = parse_bytes(amount).ok_or_else(|| context.invalid("Bad argument.", exit::DATA_ERROR))?;
            (format!("{amount} bytes"), json!({ "absolute": bytes }))
        }
        (fraction, None) => {
            let share = fraction.parse::<f64>().ok().filter(|share| !share.is_nan());
            let share = share.ok_or_else(|| context.invalid("Bad argument.", exit::DATA_ERROR))?;
            if !(0.0..=1.0).contains(&share) {
                let problem = "Bad argument: The threshold should be a fraction between 0.0 and 1.0";
                return Err(context.invalid(problem, exit::DATA_ERROR));
            }
            (fraction.to_owned(), json!({ "relative": share }))
        }
        _ => return Err(context.invalid("too many arguments.", exit::USAGE)),
    };
    context.banner(&format!("Setting memory threshold to {shown} ..."))?;
    context.put("/api/leveret/memory-watermark", &body)?;
    context.done(json!({}))
}
