//! Certificates that are replaced under live connections.

use crate::authority::Authority;
use crate::tunnel::{Versions, client_config, handshake};
use crate::{Fixture, eventually, server_files};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;
use testkit::pause;
use tls::Certificate;

impl Fixture {
    /// The subject of the certificate that the listener shows.
    fn shown(&self) -> Option<String> {
        let session = handshake(self.tls, client_config(&self.authority, None, Versions::All)).ok()?;
        Some(Certificate::parse(session.peer_certificates()?.first()?)?.subject)
    }

    fn hang_up(&self) {
        let pid = self.broker.pid().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    }
}

#[test]
fn new_files_are_in_force_without_dropping_anybody() {
    let fixture = Fixture::start(&[("leveret.tls.reload", "1")]);
    let mut connection = fixture.connect(None);
    connection.open_channel(1);
    assert_eq!(fixture.shown().as_deref(), Some("CN=server"));
    fixture.authority.write(fixture.directory.path(), &fixture.authority.server("renewed"));
    eventually("the new certificate is shown", || fixture.shown().as_deref() == Some("CN=renewed"));
    connection.assert_alive(1);
}

#[test]
fn broken_files_leave_the_old_ones_in_force() {
    let fixture = Fixture::start(&[("leveret.tls.reload", "1")]);
    let (_, key, _) = server_files(fixture.directory.path());
    let good = std::fs::read(&key).unwrap();
    std::fs::write(&key, Authority::new("Other").server("other").key).unwrap();
    eventually("the log says so", || {
        fixture.broker.has_logged("the certificates of before stay in force: ssl_options.keyfile")
    });
    assert_eq!(fixture.shown().as_deref(), Some("CN=server"));
    std::fs::write(&key, good).unwrap();
    fixture.authority.write(fixture.directory.path(), &fixture.authority.server("repaired"));
    eventually("the new certificate is shown", || fixture.shown().as_deref() == Some("CN=repaired"));
}

/// What is wrong with files that serve is said when they are read, not at every look.
#[test]
fn files_that_have_not_changed_make_no_lines() {
    let fixture = Fixture::start(&[("leveret.tls.reload", "1")]);
    let lines = || fixture.broker.log().iter().filter(|line| line.contains("can be read by everybody")).count();
    let key = server_files(fixture.directory.path()).1;
    std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o644)).unwrap();
    pause(Duration::from_millis(2500));
    assert_eq!(lines(), 0);
    let server = fixture.authority.server("renewed");
    std::fs::write(server_files(fixture.directory.path()).1, &server.key).unwrap();
    std::fs::write(server_files(fixture.directory.path()).0, &server.chain).unwrap();
    eventually("the new certificate is shown", || fixture.shown().as_deref() == Some("CN=renewed"));
    let said = lines();
    assert!(said > 0);
    pause(Duration::from_millis(2500));
    assert_eq!(lines(), said);
}

#[test]
fn a_signal_reads_them_at_once() {
    let fixture = Fixture::start(&[("leveret.tls.reload", "0")]);
    fixture.authority.write(fixture.directory.path(), &fixture.authority.server("renewed"));
    assert_eq!(fixture.shown().as_deref(), Some("CN=server"));
    fixture.hang_up();
    eventually("the new certificate is shown", || fixture.shown().as_deref() == Some("CN=renewed"));
}
