//! What is sent to a manager that is a socket of the test.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use super::*;
use std::os::linux::net::SocketAddrExt;

/// A manager's socket, and the broker's end of it.
fn manager() -> (tempfile::TempDir, UnixDatagram, ServiceManager) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let manager = ServiceManager { destination: Some(Arc::new(destination(path.as_os_str()).unwrap())) };
    (directory, socket, manager)
}

fn receive(socket: &UnixDatagram) -> String {
    let mut bytes = [0; 512];
    let length = socket.recv(&mut bytes).unwrap();
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[test]
fn a_status_stays_one_line() {
    let (_directory, socket, manager) = manager();
    manager.status("one\nREADY=1");
    assert_eq!(receive(&socket), "STATUS=one READY=1");
}

#[test]
fn a_name_behind_an_at_sign_is_abstract() {
    let name = format!("leveret-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let destination = destination(OsStr::new(&format!("@{name}"))).unwrap();
    ServiceManager { destination: Some(Arc::new(destination)) }.ready("up");
    assert_eq!(receive(&socket), "READY=1\nSTATUS=up");
}

#[test]
fn what_is_repeated_ends_with_its_guard() {
    let (_directory, socket, manager) = manager();
    let guard = manager.repeat(Duration::from_millis(1), |manager| manager.send("WATCHDOG=1")).unwrap();
    for _ in 0..3 {
        assert_eq!(receive(&socket), "WATCHDOG=1");
    }
    drop(guard);
    socket.set_nonblocking(true).unwrap();
    let mut bytes = [0; 512];
    while socket.recv(&mut bytes).is_ok() {}
    testkit::pause(Duration::from_millis(20));
    assert_eq!(socket.recv(&mut bytes).unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn time_on_a_processor_grows_with_work() {
    let before = cpu_ticks().unwrap();
    let mut work = 0_u64;
    while cpu_ticks().unwrap() == before {
        work = std::hint::black_box(work + 1);
    }
    assert!(cpu_ticks().unwrap() > before);
}

#[test]
fn without_a_manager_nothing_is_started() {
    let nobody = ServiceManager { destination: None };
    nobody.ready("up");
    assert!(nobody.extend_start().is_none());
}

#[test]
fn a_path_that_is_too_long_is_an_error() {
    assert!(destination(OsStr::new(&"/".repeat(4096))).is_err());
}
