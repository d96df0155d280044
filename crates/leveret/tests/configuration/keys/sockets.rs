//! Options of sockets, looked at in the broker's own descriptors.

use super::start;
use rustix::fd::OwnedFd;
use rustix::net::sockopt;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal, kill_process, pidfd_getfd, pidfd_open};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use testkit::{BrokerProcess, ConnectOptions, RawClient};

/// The broker's end of a connection.
fn other_end(broker: &BrokerProcess, client: &TcpStream) -> OwnedFd {
    let pid = broker.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw).unwrap();
    let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    let ours = client.local_addr().unwrap();
    for entry in std::fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).unwrap() {
        let Some(number) = entry.unwrap().file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(descriptor) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) else { continue };
        let peer = rustix::net::getpeername(&descriptor).ok().and_then(|peer| SocketAddr::try_from(peer?).ok());
        if peer == Some(ours) {
            return descriptor;
        }
    }
    panic!("the broker has no socket of {ours}");
}

/// The socket of a connection to a broker with one key.
fn with(key: &str, value: &str, look: impl FnOnce(&OwnedFd)) {
    let broker = start(&[(key, value)]);
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    look(&other_end(&broker, client.stream().socket()));
}

#[test]
fn accepted_sockets_have_the_options_that_are_asked_for() {
    with("tcp_listen_options.nodelay", "false", |socket| assert!(!sockopt::tcp_nodelay(socket).unwrap()));
    with("tcp_listen_options.keepalive", "true", |socket| assert!(sockopt::socket_keepalive(socket).unwrap()));
    // Linux keeps as much again for its own use.
    with("tcp_listen_options.sndbuf", "64KB", |socket| {
        assert_eq!(sockopt::socket_send_buffer_size(socket).unwrap(), 2 << 16);
    });
    with("tcp_listen_options.recbuf", "64KB", |socket| {
        assert_eq!(sockopt::socket_recv_buffer_size(socket).unwrap(), 2 << 16);
    });
    with("tcp_listen_options.tos", "16", |socket| assert_eq!(sockopt::ip_tos(socket).unwrap(), 16));
    with("tcp_listen_options.priority", "3", |socket| {
        assert_eq!(socket2::SockRef::from(socket).priority().unwrap(), 3);
    });
    with("tcp_listen_options.send_timeout", "15000", |socket| {
        assert_eq!(sockopt::tcp_user_timeout(socket).unwrap(), 15_000);
    });
    let reset_at_once = |socket: &OwnedFd| assert_eq!(sockopt::socket_linger(socket).unwrap(), Some(Duration::ZERO));
    with("tcp_listen_options.linger.on", "true", reset_at_once);
}

#[test]
fn without_options_sockets_have_those_of_rabbitmq() {
    with("heartbeat", "60", |socket| {
        assert!(sockopt::tcp_nodelay(socket).unwrap() && !sockopt::socket_keepalive(socket).unwrap());
        assert_eq!(sockopt::socket_linger(socket).unwrap(), None);
        assert_eq!((sockopt::tcp_user_timeout(socket).unwrap(), sockopt::ip_tos(socket).unwrap()), (0, 0));
    });
}

/// With a time to linger the system would have whoever closes wait.
#[test]
fn a_time_to_linger_is_left_to_the_system() {
    let broker = start(&[("tcp_listen_options.linger.on", "true"), ("tcp_listen_options.linger.timeout", "5")]);
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    assert_eq!(sockopt::socket_linger(other_end(&broker, client.stream().socket())).unwrap(), None);
}

/// While the broker stands still the system takes as many connections as may wait, and one more.
#[test]
fn as_many_connections_wait_as_the_backlog_says() {
    let broker = start(&[("tcp_listen_options.backlog", "3")]);
    let pid = broker.pid().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    wait_until_stopped(pid);
    let connect = |_| TcpStream::connect_timeout(&broker.address(), Duration::from_millis(300)).ok();
    let connected: Vec<TcpStream> = (0..6).filter_map(connect).collect();
    kill_process(pid, Signal::CONT).unwrap();
    assert_eq!(connected.len(), 4);
}

/// Until no thread of it runs any more: the state of each is behind the name in brackets.
fn wait_until_stopped(pid: Pid) {
    let state = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        text.rsplit_once(") ").map(|(_, rest)| rest.starts_with('T'))
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    let tasks = || std::fs::read_dir(format!("/proc/{}/task", pid.as_raw_nonzero())).unwrap();
    while !tasks().filter_map(state).all(|is_stopped| is_stopped) {
        assert!(Instant::now() < deadline, "the process does not stop");
        testkit::pause(Duration::from_millis(5));
    }
}
