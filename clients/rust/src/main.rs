//! The client checks with lapin: one line per check, see clients/README.md.

mod patterns;
mod relay;
mod reliability;
mod session;
mod tls;

use anyhow::{Context, Result, bail};
use session::Session;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::timeout;

const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

const CHECKS: [&str; 14] = [
    "hello-world",
    "work-queue",
    "publish-subscribe",
    "routing",
    "topics",
    "rpc",
    "rpc-direct-reply-to",
    "publisher-confirms",
    "mandatory-returns",
    "prefetch-fairness",
    "redelivery",
    "tls",
    "tls-client-certificate",
    "reconnect",
];

/// Why this run cannot do a check.
#[derive(Debug)]
struct Skipped(&'static str);

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Skipped {}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut failed = false;
    for name in CHECKS {
        match timeout(CHECK_TIMEOUT, run(name)).await.unwrap_or_else(|_| bail!("not done within {CHECK_TIMEOUT:?}")) {
            Ok(()) => println!("ok rust {name}"),
            Err(error) if error.is::<Skipped>() => println!("skip rust {name}: {error}"),
            Err(error) => {
                failed = true;
                let reason = format!("{error:#}");
                println!("FAIL rust {name}: {}", reason.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn run(name: &str) -> Result<()> {
    let session = Session::open().await.context("connect")?;
    let outcome = check(name, &session).await;
    session.close().await;
    outcome
}

async fn check(name: &str, session: &Session) -> Result<()> {
    match name {
        "hello-world" => patterns::hello_world(session).await,
        "work-queue" => patterns::work_queue(session).await,
        "publish-subscribe" => patterns::publish_subscribe(session).await,
        "routing" => patterns::routing(session).await,
        "topics" => patterns::topics(session).await,
        "rpc" => patterns::rpc(session).await,
        "rpc-direct-reply-to" => patterns::rpc_direct_reply_to(session).await,
        "publisher-confirms" => reliability::publisher_confirms(session).await,
        "mandatory-returns" => reliability::mandatory_returns(session).await,
        "prefetch-fairness" => reliability::prefetch_fairness(session).await,
        "redelivery" => reliability::redelivery(session).await,
        "tls" => tls::server().await,
        "tls-client-certificate" => tls::client_certificate().await,
        "reconnect" => reliability::reconnect(session).await,
        _ => bail!("no such check"),
    }
}
