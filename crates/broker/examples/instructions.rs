//! Carries messages from a publisher to a consumer, for `.ci/instructions` to count what each costs.
//!
//! `instructions BODY_BYTES WAY[-OPTIONS] ROUNDS` prints how many messages that were. The ways are `automatic` and
//! `manual` (acknowledgement, straight to the consumer) and `queued` (manual; the consumer comes when all messages are in
//! the queue); the options `limits` and `priorities`.

use std::process::ExitCode;
use testkit::engine::{Acknowledge, Arrive, Load, LoadOptions};

/// Deliveries that one acknowledgement covers.
const BATCH: u64 = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((body_len, way, rounds)) = parse(&arguments) else {
        eprintln!("usage: instructions BODY_BYTES automatic|manual|queued[-limits|-priorities] ROUNDS");
        return ExitCode::from(2);
    };
    let mut load = Load::with_options(body_len, way.acknowledge, Arrive::Pipelined, way.options);
    for _ in 0..rounds {
        let turn = |engine: &mut testkit::engine::Engine| {
            engine.turn(0);
        };
        if way.queued { load.paged_round(turn) } else { load.round(turn) }
    }
    println!("{}", load.messages() * rounds);
    ExitCode::SUCCESS
}

/// What messages go through.
struct Way {
    acknowledge: Acknowledge,
    queued: bool,
    options: LoadOptions,
}

fn parse(arguments: &[String]) -> Option<(usize, Way, u64)> {
    let [body_len, way, rounds] = arguments else { return None };
    let (way, options) = way.split_once('-').unwrap_or((way, ""));
    let options = match options {
        "" => LoadOptions::None,
        "limits" => LoadOptions::Limits,
        "priorities" => LoadOptions::Priorities,
        _ => return None,
    };
    let (acknowledge, queued) = match way {
        "automatic" => (Acknowledge::Automatic, false),
        "manual" => (Acknowledge::Multiple(BATCH), false),
        "queued" => (Acknowledge::Multiple(BATCH), true),
        _ => return None,
    };
    Some((body_len.parse().ok()?, Way { acknowledge, queued, options }, rounds.parse().ok()?))
}
