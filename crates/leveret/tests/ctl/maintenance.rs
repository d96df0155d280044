//! Maintenance and listeners that are suspended, as an operator and probes see them.

use crate::Fixture;
use std::net::TcpStream;
use testkit::{ConnectOptions, RawClient};

impl Fixture {
    /// The exit code of a check, and what it says on either stream.
    fn check(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.tool("rabbitmq-diagnostics", arguments);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    fn answer(&self, path: &str) -> u16 {
        self.broker.http("GET", path, &[], "").expect("an answer").status
    }

    /// Nobody can connect; probes say so, and those that ask for the process are content.
    #[track_caller]
    fn takes_nobody(&self) {
        let address = self.broker.address();
        assert!(TcpStream::connect(address).is_err(), "nobody is taken");
        let (code, said) = self.check(&["check_port_connectivity"]);
        assert_eq!(code, 69, "{said}");
        let line = format!("Interface: 127.0.0.1, port: {}, protocol: amqp, purpose: AMQP 0-9-1", address.port());
        assert!(said.contains("Connection to ports of the following listeners") && said.contains(&line), "{said}");
        let (code, said) = self.check(&["check_port_listener", &address.port().to_string()]);
        assert!(code == 69 && said.contains("No listener for port"), "{said}");
        assert_eq!(self.check(&["check_protocol_listener", "amqp"]).0, 69);
        for check in ["check_running", "check_local_alarms", "check_virtual_hosts", "ping", "status"] {
            assert_eq!(self.check(&[check]).0, 0, "{check}");
        }
        assert_eq!(self.answer("/api/health/checks/ready-to-serve-clients"), 503);
        assert_eq!(self.answer(&format!("/api/health/checks/port-listener/{}", address.port())), 503);
    }

    #[track_caller]
    fn takes_clients(&self) {
        let port = self.broker.address().port().to_string();
        RawClient::connect(self.broker.address(), &ConnectOptions::default()).close();
        for arguments in [&["check_port_connectivity"][..], &["check_port_listener", &port], &["check_running"]] {
            let (code, said) = self.check(arguments);
            assert_eq!(code, 0, "{arguments:?}: {said}");
        }
        assert_eq!(self.answer("/api/health/checks/ready-to-serve-clients"), 200);
        assert_eq!(self.answer("/api/health/checks/is-in-service"), 200);
    }

    fn is_under_maintenance(&self) -> bool {
        let status = self.check(&["status", "--formatter", "json"]).1;
        let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
        status["is_under_maintenance"].as_bool().expect("true or false")
    }
}

#[test]
fn a_node_that_is_drained_has_no_listeners_and_no_clients() {
    let fixture = Fixture::start();
    let mut client = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    // Not a word was said here yet, and none of it may be heard later.
    let mut silent = RawClient::open(fixture.broker.address(), std::time::Duration::from_secs(10));
    assert!(!fixture.is_under_maintenance());
    for _ in 0..2 {
        let drained = fixture.tool("rabbitmq-upgrade", &["drain"]);
        assert!(drained.status.success(), "{drained:?}");
        fixture.takes_nobody();
        assert!(fixture.is_under_maintenance());
        assert_eq!(fixture.answer("/api/health/checks/is-in-service"), 503);
    }
    assert_eq!(client.expect_close(0).text, "CONNECTION_FORCED - Node was put into maintenance mode");
    silent.expect_eof();
    for _ in 0..2 {
        let revived = fixture.tool("rabbitmq-upgrade", &["revive"]);
        assert!(revived.status.success(), "{revived:?}");
        fixture.takes_clients();
        assert!(!fixture.is_under_maintenance());
    }
}

#[test]
fn suspended_listeners_are_no_maintenance() {
    let fixture = Fixture::start();
    let mut client = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    fixture.output_of(&["suspend_listeners"]);
    fixture.takes_nobody();
    assert!(!fixture.is_under_maintenance());
    client.assert_alive(1);
    fixture.output_of(&["resume_listeners"]);
    fixture.takes_clients();
    client.assert_alive(1);
}

/// A node that is revived where its port was taken meanwhile stays what it was, and says why.
#[test]
fn what_cannot_be_opened_again_leaves_the_node_in_maintenance() {
    let fixture = Fixture::start();
    assert!(fixture.tool("rabbitmq-upgrade", &["drain"]).status.success());
    let taken = std::net::TcpListener::bind(fixture.broker.address()).expect("the address is free");
    let revived = fixture.tool("rabbitmq-upgrade", &["revive"]);
    let said = String::from_utf8_lossy(&revived.stderr).into_owned();
    assert!(!revived.status.success() && said.contains("cannot listen on 127.0.0.1:"), "{said}");
    assert!(fixture.is_under_maintenance());
    drop(taken);
    assert!(fixture.tool("rabbitmq-upgrade", &["revive"]).status.success());
    fixture.takes_clients();
}
