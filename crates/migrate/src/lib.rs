//! Moving in from a RabbitMQ or LavinMQ: definitions over the HTTP API, messages over AMQP.
//!
//! Both brokers run meanwhile and neither knows of it: everything here could be done by hand with their public
//! interfaces. What cannot be taken as it is, is listed before anything is changed. Messages are acknowledged to the old
//! broker once the new one has confirmed them, so that each is at any time at one of the two, and after a crash perhaps
//! at both. This crate must never know the engine.

mod address;
mod api;
mod definitions;
mod drain;
mod messages;
mod plan;
mod progress;
mod queues;
mod report;
mod state;

pub use address::AddressError;

use address::{AmqpAddress, HttpAddress};
use anyhow::{Context, Result, bail};
use api::Api;
use cli::http::Endpoint;
use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

/// What to move, from where, and where to.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A file of definitions instead of a broker.
    pub file: Option<PathBuf>,
    /// The old broker's HTTP API, `http://USER:PASSWORD@HOST:PORT`.
    pub from: Option<String>,
    /// Only this virtual host.
    pub vhost: Option<String>,
    /// Move messages too.
    pub messages: bool,
    /// The old broker's port for AMQP on the host of its HTTP API.
    pub amqp_port: Option<u16>,
    /// The old broker for AMQP, `amqp://USER:PASSWORD@HOST:PORT`.
    pub from_amqp: Option<String>,
    /// Take quorum queues and streams as durable classic queues.
    pub quorum_as_classic: bool,
    /// Leave out what the new broker refuses.
    pub leave_out_refused: bool,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Do not ask.
    pub yes: bool,
    /// The new broker's HTTP API; without it the socket in `data_dir`.
    pub to: Option<String>,
    /// The new broker for AMQP; without it where its HTTP API says that it listens.
    pub to_amqp: Option<String>,
    /// Where the data of the new broker are.
    pub data_dir: PathBuf,
    /// Where progress is kept, so that it can go on after a crash.
    pub state: Option<PathBuf>,
    /// Messages that may be on their way at a time.
    pub prefetch: Option<u16>,
    /// Do not note in headers where a message was published to.
    pub no_origin_headers: bool,
    /// Do not show how far it is.
    pub is_quiet: bool,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is there.
    Complete,
    /// Something is not as it was; the report says what.
    Different,
}

/// Moves what `options` say. Prints what it does; the error is for the operator.
pub fn run(options: &Options) -> Result<Outcome> {
    let target = target(options)?;
    let source = match (&options.from, &options.file) {
        (Some(url), _) => Some(Api::new(HttpAddress::parse(url)?)),
        (None, Some(_)) => None,
        (None, None) => bail!("say where from: --from http://USER:PASSWORD@HOST:15672, or a file of definitions"),
    };
    if options.messages && source.is_none() {
        bail!("messages are moved from a broker: name it with --from");
    }
    // Addresses are looked at before anything is changed.
    let addresses = match &source {
        Some(source) if options.messages => Some(amqp_addresses(options, source, &target)?),
        _ => None,
    };
    let moved = definitions::import(options, source.as_ref(), &target)?;
    let (Some((from, to)), Some(source)) = (addresses, &source) else { return Ok(moved) };
    let route = messages::Route { source, target: &target, from, to };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(messages::run(options, route))?;
    Ok(if outcome == Outcome::Complete { moved } else { outcome })
}

/// The new broker, once it has answered.
fn target(options: &Options) -> Result<Api> {
    let Some(url) = &options.to else {
        let socket = options.data_dir.join("leveret.sock");
        let api = Api::of_endpoint(Endpoint::Socket(socket));
        let directory = options.data_dir.display();
        api.get("/api/overview").with_context(|| {
            format!(
                "no broker runs with its data in {directory}; start one with 'leveret --data-dir {directory}', or name \
                 another with --data-dir or --to http://USER:PASSWORD@HOST:15672"
            )
        })?;
        return Ok(api);
    };
    let api = Api::new(HttpAddress::parse(url)?);
    api.get("/api/overview").context("the new broker does not answer")?;
    Ok(api)
}

/// Where both brokers listen; `None` for the new one where a user has to be made first.
fn amqp_addresses(options: &Options, source: &Api, target: &Api) -> Result<(AmqpAddress, messages::Target)> {
    let from = match (&options.from_amqp, source.address()) {
        (Some(url), _) => AmqpAddress::parse(url)?,
        (None, Some(address)) => AmqpAddress::beside(address, options.amqp_port)?,
        (None, None) => bail!("name the old broker with --from-amqp amqp://USER:PASSWORD@HOST:5672"),
    };
    let to = match &options.to_amqp {
        Some(url) => messages::Target::Given(AmqpAddress::parse(url)?),
        None => messages::Target::Listed(target.amqp_listener()?),
    };
    Ok((from, to))
}

/// Asks whether to go on; nobody at a terminal is a no.
fn agreed(options: &Options, question: &str) -> Result<bool> {
    if options.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        bail!("{question} Nobody can answer here: say --yes, or --dry-run to look first");
    }
    print!("{question} [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
