//! Descriptors: however many connect, what messages are kept in can be opened.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use testkit::{BrokerProcess, Properties, Publish, eventually};

use crate::support::{BINARY, connect, declare};

const LIMIT: u64 = 200;
/// Above it a body is a file of its own.
const BODY_BYTES: usize = 2 << 20;

/// Messages of that size.
const LARGE: u64 = 5;

/// As many open files as the process may have from now on.
fn limit_descriptors(broker: &BrokerProcess, current: u64) {
    let pid = Pid::from_raw(i32::try_from(broker.pid().unwrap()).unwrap());
    let limit = Rlimit { current: Some(current), maximum: Some(1024) };
    prlimit(pid, Resource::Nofile, limit).unwrap();
}

/// A client that goes no further than the protocol header; whether it is answered.
fn knock(broker: &BrokerProcess) -> (TcpStream, bool) {
    let mut stream = TcpStream::connect(broker.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let said = stream.write_all(b"AMQP\x00\x00\x09\x01");
    let answered = said.and_then(|()| stream.read(&mut [0])).is_ok_and(|count| count == 1);
    (stream, answered)
}

#[test]
fn a_flood_of_connections_leaves_descriptors_to_messages() {
    let mut broker = BrokerProcess::start(BINARY, &[("handshake_timeout", "60000")]);
    limit_descriptors(&broker, LIMIT);
    let mut client = connect(&broker);
    declare(&mut client, &["q"]);
    client.confirm_select(1);

    let mut flood = Vec::new();
    loop {
        let (stream, is_answered) = knock(&broker);
        if !is_answered {
            break;
        }
        flood.push(stream);
        assert!(flood.len() < usize::try_from(LIMIT).unwrap(), "all of the descriptors are given away");
    }
    assert!(flood.len() > 80, "{} got in", flood.len());
    assert!(broker.has_logged("hanging up on new connections"));
    for _ in 0..LARGE {
        client.publish_with(1, Publish::new("", "q"), &Properties::default().persistent(), vec![7; BODY_BYTES]);
    }
    client.expect_all_confirmed(1, LARGE);
    assert!(broker.is_running());

    drop(flood);
    eventually("others get in again", || knock(&broker).1);
}
