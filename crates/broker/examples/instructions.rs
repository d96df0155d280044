//! Carries messages from a publisher to a consumer, for `.ci/instructions` to count what each costs.
//!
//! `instructions BODY_BYTES automatic|manual ROUNDS` prints how many messages that were.

use std::process::ExitCode;
use testkit::engine::{Acknowledge, Arrive, Load};

/// Deliveries that one acknowledgement covers.
const BATCH: u64 = 100;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((body_len, acknowledge, rounds)) = parse(&arguments) else {
        eprintln!("usage: instructions BODY_BYTES automatic|manual ROUNDS");
        return ExitCode::from(2);
    };
    let mut load = Load::new(body_len, acknowledge, Arrive::Pipelined);
    for _ in 0..rounds {
        load.round(|engine| {
            engine.turn(0);
        });
    }
    println!("{}", load.messages() * rounds);
    ExitCode::SUCCESS
}

fn parse(arguments: &[String]) -> Option<(usize, Acknowledge, u64)> {
    let [body_len, acknowledge, rounds] = arguments else { return None };
    let acknowledge = match acknowledge.as_str() {
        "automatic" => Acknowledge::Automatic,
        "manual" => Acknowledge::Multiple(BATCH),
        _ => return None,
    };
    Some((body_len.parse().ok()?, acknowledge, rounds.parse().ok()?))
}
