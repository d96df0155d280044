//! What a service manager is told by the process, and the pid file.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use testkit::{ConnectOptions, RawClient, free_address};

const LEVERET: &str = env!("CARGO_BIN_EXE_leveret");
const PATIENCE: Duration = Duration::from_secs(30);

/// A broker that is told of a service manager, which is this test.
struct Service {
    directory: tempfile::TempDir,
    manager: UnixDatagram,
    address: std::net::SocketAddr,
    broker: Option<Child>,
}

impl Service {
    fn new() -> Service {
        let directory = tempfile::tempdir().unwrap();
        let manager = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        Service { directory, manager, address: free_address().unwrap(), broker: None }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn start(&mut self, change: impl FnOnce(&mut Command) -> &mut Command) {
        let mut command = Command::new(std::env::var_os("LEVERET_BIN").unwrap_or_else(|| LEVERET.into()));
        command.arg("--data-dir").arg(self.path().join("data"));
        command.args(["--set", &format!("listeners.tcp.default={}", self.address)]);
        command.args(["--set", "leveret.management=false", "--set", "leveret.prometheus=false"]);
        command.env("NOTIFY_SOCKET", self.path().join("notify")).stdin(Stdio::null()).stderr(Stdio::null());
        self.broker = Some(change(&mut command).spawn().unwrap());
    }

    /// The next datagram that has `name`.
    fn told(&self, name: &str) -> String {
        loop {
            let mut bytes = [0; 1024];
            let length = self.manager.recv(&mut bytes).unwrap_or_else(|error| panic!("no {name}: {error}"));
            let state = String::from_utf8(bytes[..length].to_vec()).unwrap();
            if state.lines().any(|line| line.split('=').next() == Some(name)) {
                return state;
            }
        }
    }

    fn signal(&self, signal: &str) {
        let pid = self.broker.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    fn end(&mut self) -> bool {
        self.broker.take().unwrap().wait().unwrap().success()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(mut broker) = self.broker.take() {
            let _ = broker.kill();
            let _ = broker.wait();
        }
    }
}

#[test]
fn a_manager_hears_of_the_start_and_the_stop() {
    let mut service = Service::new();
    service.start(|command| command);
    assert_eq!(service.told("STATUS"), "STATUS=reading the data directory");
    let ready = service.told("READY");
    assert!(ready.starts_with("READY=1\nSTATUS=accepting connections"), "{ready}");
    // Ready means ready: the first attempt is answered.
    RawClient::connect(service.address, &ConnectOptions::default()).close();
    service.signal("TERM");
    assert_eq!(service.told("STOPPING"), "STOPPING=1\nSTATUS=closing connections");
    assert!(service.end());
}

#[test]
fn a_manager_hears_what_comes_of_a_reload() {
    let mut service = Service::new();
    let file = service.path().join("broker.conf");
    std::fs::write(&file, "heartbeat = 30\n").unwrap();
    service.start(|command| command.arg("--config").arg(&file));
    let started = service.told("READY");
    service.signal("HUP");
    assert!(service.told("RELOADING").starts_with("RELOADING=1\n"));
    assert_eq!(service.told("READY"), started);
    std::fs::write(&file, "heartbaet = 30\n").unwrap();
    service.signal("HUP");
    let refused = service.told("READY");
    assert!(refused.contains("not reloaded: ") && refused.contains("heartbaet"), "{refused}");
}

#[test]
fn a_manager_hears_why_it_does_not_start() {
    let mut service = Service::new();
    let _taken = std::net::TcpListener::bind(service.address).unwrap();
    service.start(|command| command);
    service.told("STATUS");
    let status = service.told("STATUS");
    assert!(status.contains("cannot listen") && status.contains("in use"), "{status}");
    assert!(!service.end());
}

#[test]
fn a_watchdog_hears_that_it_lives() {
    let mut service = Service::new();
    service.start(|command| command.env("WATCHDOG_USEC", "20000").env_remove("WATCHDOG_PID"));
    service.told("READY");
    for _ in 0..3 {
        assert_eq!(service.told("WATCHDOG"), "WATCHDOG=1");
    }
}

#[test]
fn a_watchdog_of_another_process_hears_nothing() {
    let mut service = Service::new();
    service.start(|command| command.env("WATCHDOG_USEC", "1000").env("WATCHDOG_PID", "1"));
    service.told("READY");
    service.signal("TERM");
    let mut bytes = [0; 64];
    let length = service.manager.recv(&mut bytes).unwrap();
    assert!(bytes[..length].starts_with(b"STOPPING=1"), "a sign of life came first");
}

#[test]
fn a_manager_that_is_gone_does_no_harm() {
    let mut service = Service::new();
    std::fs::remove_file(service.path().join("notify")).unwrap();
    let pid_file = service.path().join("run/leveret.pid");
    service.start(|command| command.env("RABBITMQ_PID_FILE", &pid_file));
    while std::net::TcpStream::connect(service.address).is_err() {
        testkit::pause(Duration::from_millis(10));
    }
    let pid = service.broker.as_ref().unwrap().id();
    assert_eq!(std::fs::read_to_string(&pid_file).unwrap(), format!("{pid}\n"));
    service.signal("TERM");
    assert!(service.end());
    assert!(!pid_file.exists());
}

#[test]
fn the_flag_goes_before_the_variable_and_an_old_pid_is_replaced() {
    let mut service = Service::new();
    let (flag, variable) = (service.path().join("flag.pid"), service.path().join("variable.pid"));
    std::fs::write(&flag, "1\n").unwrap();
    service.start(|command| command.env("RABBITMQ_PID_FILE", &variable).arg("--pid-file").arg(&flag));
    service.told("READY");
    let pid = service.broker.as_ref().unwrap().id();
    assert_eq!(std::fs::read_to_string(&flag).unwrap(), format!("{pid}\n"));
    assert!(!variable.exists());
    // Another process's number stays.
    std::fs::write(&flag, "1\n").unwrap();
    service.signal("TERM");
    assert!(service.end());
    assert_eq!(std::fs::read_to_string(&flag).unwrap(), "1\n");
}

#[test]
fn a_pid_file_that_cannot_be_written_is_named() {
    let mut service = Service::new();
    let path = service.path().to_owned();
    service.start(|command| command.arg("--pid-file").arg(&path));
    let status = service.told("STATUS");
    assert!(status.contains("cannot write the pid file") && status.contains(&path.display().to_string()), "{status}");
    assert!(!service.end());
}
