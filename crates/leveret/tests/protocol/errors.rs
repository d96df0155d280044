//! Every row of the error table against the wire: reply code, scope, the whole text, class and method id.

mod channel;
mod connection;
mod frames;
mod handshake;
mod limits;
mod permissions;

use std::any::Any;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use broker::errors::{ERROR_TABLE, ErrorRow, ReplyCode, Scope};
use testkit::{BrokerProcess, CloseScope, ConnectOptions, MethodId, QueueDeclare, RawClient, method};

use crate::support;

/// One way to make the broker send a row.
struct Case {
    row: ErrorRow,
    /// Class and method id in the close.
    method: MethodId,
    /// The text after `NAME - `; `{q}` stands for the case's own name.
    text: &'static str,
    broker: Broker,
    script: fn(&mut Scene),
}

/// Which broker a case runs on.
#[derive(Clone, Copy)]
enum Broker {
    /// The shared one, or the external one.
    Shared,
    /// The shared one, not RabbitMQ 3.10: what this broker or a later RabbitMQ does; the string says the difference.
    NotOld(&'static str),
    /// The shared one as a user with few permissions, where users can be added.
    Administered,
    /// One started with these settings.
    Own(&'static [(&'static str, &'static str)]),
}

/// What a script works on.
struct Scene {
    /// The connection that is to be closed, or on whose channel 1 the channel is.
    client: RawClient,
    /// A name of the case's own.
    name: String,
    address: SocketAddr,
    process: Option<BrokerProcess>,
    /// Other connections that have to stay open.
    others: Vec<RawClient>,
}

impl Scene {
    /// Another connection with channel 1 open, which stays open until the end of the case.
    fn other(&mut self) -> &mut RawClient {
        self.others.push(support::connect_to(self.address));
        self.others.last_mut().expect("just pushed")
    }
}

/// A case on the shared broker.
const fn case(row: ErrorRow, method: MethodId, text: &'static str, script: fn(&mut Scene)) -> Case {
    Case { row, method, text, broker: Broker::Shared, script }
}

/// A case that RabbitMQ 3.10 answers otherwise.
const fn newer(
    row: ErrorRow,
    method: MethodId,
    text: &'static str,
    difference: &'static str,
    script: fn(&mut Scene),
) -> Case {
    Case { row, method, text, broker: Broker::NotOld(difference), script }
}

/// A case of a user with few permissions.
const fn administered(row: ErrorRow, method: MethodId, text: &'static str, script: fn(&mut Scene)) -> Case {
    Case { row, method, text, broker: Broker::Administered, script }
}

/// A case on a broker with settings of its own.
const fn configured(
    row: ErrorRow,
    method: MethodId,
    text: &'static str,
    settings: &'static [(&'static str, &'static str)],
    script: fn(&mut Scene),
) -> Case {
    Case { row, method, text, broker: Broker::Own(settings), script }
}

fn all() -> impl Iterator<Item = &'static Case> {
    [channel::CASES, connection::CASES, frames::CASES, handshake::CASES, limits::CASES, permissions::CASES]
        .into_iter()
        .flatten()
}

/// What backends raise, which need a service of the test's own: `tests/access` has these.
const ELSEWHERE: [&str; 8] = [
    "PERMISSION_DENIED_BY_BACKEND",
    "PERMISSION_BACKEND_FAILED",
    "TOPIC_PERMISSION_DENIED_BY_BACKEND",
    "TOPIC_PERMISSION_BACKEND_FAILED",
    "VHOST_REFUSED_BY_BACKEND",
    "VHOST_BACKEND_FAILED",
    "SECRET_REFUSED",
    "CREDENTIAL_EXPIRED",
];

#[test]
fn every_row_in_effect_has_a_case() {
    let covered: BTreeSet<&str> = all().map(|case| case.row.name).chain(ELSEWHERE).collect();
    let missing: Vec<&str> = ERROR_TABLE
        .iter()
        .filter(|row| row.issue.is_none() && !covered.contains(row.name))
        .map(|row| row.name)
        .collect();
    assert!(missing.is_empty(), "rows of ERROR_TABLE without a case and without an issue: {missing:?}");
}

/// A case proves a row only when its text is an instance of the row's template.
#[test]
fn every_case_shows_its_row() {
    for case in all() {
        let mut rest = case.text;
        for (index, part) in case.row.template.split("{}").enumerate() {
            let found = if index == 0 { rest.starts_with(part).then_some(0) } else { rest.find(part) };
            let at = found.unwrap_or_else(|| panic!("{}: {:?} lacks {part:?}", case.row.name, case.text));
            rest = &rest[at + part.len()..];
        }
    }
}

#[test]
fn channel_errors() {
    run(channel::CASES);
}

#[test]
fn connection_errors() {
    run(connection::CASES);
}

#[test]
fn frame_errors() {
    run(frames::CASES);
}

#[test]
fn handshake_errors() {
    run(handshake::CASES);
}

#[test]
fn limit_errors() {
    run(limits::CASES);
}

#[test]
fn permission_errors() {
    run(permissions::CASES);
}

/// How many cases run at once; each of them mostly waits.
const WORKERS: usize = 8;

/// Runs all cases and reports every one that fails, not just the first.
fn run(cases: &'static [Case]) {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // A row of a later issue is checked against RabbitMQ already, and here once its issue is done.
                    if case.row.issue.is_some() && !support::is_external() {
                        continue;
                    }
                    if let Err(panic) = std::panic::catch_unwind(|| run_case(case)) {
                        failed.lock().expect("lock").push(format!("{}: {}", case.row.name, message(panic.as_ref())));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("lock");
    assert!(failed.is_empty(), "{} of {} cases failed:\n\n{}", failed.len(), cases.len(), failed.join("\n\n"));
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

fn run_case(case: &Case) {
    let (address, process) = match case.broker {
        Broker::Shared | Broker::Administered => (support::address(), None),
        Broker::NotOld(difference) => {
            if support::is_external() {
                eprintln!("skipped {}: {difference}", case.row.name);
                return;
            }
            (support::address(), None)
        }
        Broker::Own(settings) => {
            let Some(process) = support::own_broker(settings) else { return };
            (process.address(), Some(process))
        }
    };
    let name = support::unique("e");
    let client = support::connect_to(address);
    let mut scene = Scene { client, name, address, process, others: Vec::new() };
    let administered = matches!(case.broker, Broker::Administered);
    if administered && !permissions::prepare(&mut scene) {
        return;
    }
    (case.script)(&mut scene);

    let close = scene.client.expect_close(1);
    let mut explanation = case.text.replace("{q}", &scene.name);
    if administered && support::is_external() {
        // RabbitMQ names the kind of access from 4.x on.
        for kind in ["configure ", "write ", "read "] {
            explanation = explanation.strip_prefix(kind).unwrap_or(&explanation).to_owned();
        }
    }
    let expected_text = format!("{} - {explanation}", case.row.code.name());
    assert_eq!(close.text, expected_text, "text of {}", case.row.name);
    assert_eq!(ReplyCode(close.code), case.row.code, "code of {}", case.row.name);
    assert_eq!(close.method, case.method, "class and method id of {}", case.row.name);
    let scope = match close.scope {
        CloseScope::Channel => Scope::Channel,
        CloseScope::Connection => Scope::Connection,
    };
    assert_eq!(scope, case.row.scope, "scope of {}", case.row.name);
    match scope {
        Scope::Channel => scene.client.open_channel(1),
        Scope::Connection => scene.client.expect_eof(),
    }
    let name = scene.name.clone();
    clean_up(scene, scope);
    if administered {
        permissions::clean_up(case, &name);
    }
}

/// Deletes what a case may have left under its name; both deletes succeed where there is nothing.
fn clean_up(scene: Scene, scope: Scope) {
    let Scene { client, name, address, process, others } = scene;
    if scope == Scope::Channel {
        client.close();
    }
    others.into_iter().for_each(RawClient::close);
    if process.is_none() {
        let mut client = support::connect_to(address);
        client.call(1, method::queue_delete(&name, false, false));
        client.call(1, method::exchange_delete(&name, false));
        client.close();
    }
}

/// Options whose login the broker should refuse or not understand.
fn login(mechanism: &str, response: &[u8]) -> ConnectOptions {
    ConnectOptions { mechanism: mechanism.to_owned(), response: response.to_vec(), ..ConnectOptions::default() }
}

/// Declares the case's exclusive queue on channel 1.
fn declare(scene: &mut Scene) {
    let name = scene.name.clone();
    scene.client.declare(1, QueueDeclare::exclusive(&name));
}
