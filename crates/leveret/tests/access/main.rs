//! Who gets in, and what they may do, by a service over HTTP, by tokens, and by the internal database beside them.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod cache;
mod chain;
mod flood;
mod http;
mod keys;
#[cfg(feature = "ldap")]
mod ldap;
#[cfg(feature = "ldap")]
mod ldap_keys;
mod oauth2;
mod passwords;
mod reload;
mod secrets;
mod secure;
mod service;
#[cfg(feature = "ldap")]
mod slapd;
mod slow;
mod streams;
mod topics;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use testkit::{BrokerProcess, ConnectOptions, RawClient};

const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");

fn start(settings: &[(&str, &str)]) -> BrokerProcess {
    BrokerProcess::start_with_http(LEVERET, settings)
}

fn user(name: &str, password: &str) -> ConnectOptions {
    ConnectOptions::default().user(name, password)
}

/// A client that has said who it is and waits to be let in.
fn begun(broker: &BrokerProcess, name: &str, password: &str) -> RawClient {
    let options = user(name, password);
    let mut client = RawClient::open(broker.address(), options.timeout);
    client.send_raw(&options.protocol_header);
    client.expect_start();
    client.send(0, options.start_ok());
    client
}

fn connect(broker: &BrokerProcess, name: &str, password: &str) -> RawClient {
    let mut client = RawClient::connect(broker.address(), &user(name, password));
    client.open_channel(1);
    client
}

/// Sends start-ok and waits for the refusal.
#[track_caller]
fn assert_refused(broker: &BrokerProcess, name: &str, password: &str) {
    let options = user(name, password);
    let mut client = RawClient::open(broker.address(), options.timeout);
    client.send_raw(&options.protocol_header);
    client.expect_start();
    client.send(0, options.start_ok());
    assert_eq!(client.expect_close(0).code, 403);
}

/// Status and body of a request to the management API.
fn get(broker: &BrokerProcess, path: &str, authorization: &str) -> (u16, String) {
    get_from(broker.management(), path, authorization)
}

fn get_from(address: SocketAddr, path: &str, authorization: &str) -> (u16, String) {
    request(address, &format!("GET {path}"), authorization, "")
}

/// The same with a body of JSON.
fn post(broker: &BrokerProcess, path: &str, authorization: &str, body: &str) -> (u16, String) {
    request(broker.management(), &format!("POST {path}"), authorization, body)
}

fn request(address: SocketAddr, what: &str, authorization: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!("{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    let head = format!("{head}Content-Type: application/json\r\nAuthorization: {authorization}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}
