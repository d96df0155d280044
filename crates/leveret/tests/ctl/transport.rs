//! Ways to the broker, and what is said where there is none.

use crate::{BINARY, Fixture};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::thread;

/// Runs `rabbitmqctl` without a data directory.
fn by_address(fixture: &Fixture, arguments: &[&str]) -> Output {
    let mut command = Command::new(&fixture.rabbitmqctl);
    command.args(arguments).env_remove("LEVERET_DATA_DIR").stdin(Stdio::null()).output().expect("the command runs")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_broker_is_reached_by_its_address() {
    let fixture = Fixture::start_with_http();
    let address = fixture.broker.management();
    let own = format!("http://guest:guest@{address}");
    let listed = by_address(&fixture, &["-s", "--uri", &own, "list_users"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "guest\t[administrator]\n", "{}", errors(&listed));
    let apart = by_address(
        &fixture,
        &["-q", "--uri", &format!("http://{address}"), "--username", "guest", "--password", "guest", "ping"],
    );
    assert!(apart.status.success(), "{}", errors(&apart));

    let wrong = by_address(&fixture, &["--uri", &format!("http://guest:secret@{address}"), "list_users"]);
    assert_eq!(wrong.status.code(), Some(65));
    assert!(errors(&wrong).contains("refuses this user and password") && !errors(&wrong).contains("secret"));
    let nobody = by_address(&fixture, &["--uri", &format!("http://{address}"), "list_users"]);
    assert_eq!(nobody.status.code(), Some(65));
    assert!(errors(&nobody).contains("wants a user and a password"), "{}", errors(&nobody));
    let asking = |uri: &str| by_address(&fixture, &["--uri", uri, "authenticate_user", "guest", "wrong"]);
    assert!(errors(&asking(&own)).contains("failed to authenticate user \"guest\""), "{}", errors(&asking(&own)));
    let nobody = asking(&format!("http://guest:secret@{address}"));
    assert!(errors(&nobody).contains("refuses this user and password"), "{}", errors(&nobody));
    let plain = by_address(&fixture, &["--uri", &format!("https://guest:guest@{address}"), "list_users"]);
    assert_eq!(plain.status.code(), Some(69), "{}", errors(&plain));
    assert_eq!(by_address(&fixture, &["--uri", "ftp://x", "list_users"]).status.code(), Some(64));
}

/// `LEVERET_URI` is a name that programs and the client checks have for an address of AMQP.
#[test]
fn an_address_in_the_environment_is_that_of_the_api() {
    let fixture = Fixture::start_with_http();
    let own = format!("http://guest:guest@{}", fixture.broker.management());
    let with = |variables: &[(&str, &str)]| {
        let mut command = Command::new(&fixture.rabbitmqctl);
        command.args(["-s", "list_users"]).env_remove("LEVERET_DATA_DIR").envs(variables.iter().copied());
        command.stdin(Stdio::null()).output().expect("the command runs")
    };
    let output = with(&[("LEVERET_API_URI", &own), ("LEVERET_URI", "amqp://guest:guest@127.0.0.1:1/%2f")]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "guest\t[administrator]\n", "{}", errors(&output));
    assert_eq!(with(&[("LEVERET_API_URI", "ftp://x")]).status.code(), Some(64));
}

/// What a command says to a server that answers with `answer`, or with nothing.
fn to_stranger(answer: &'static [u8], seconds: &str) -> Output {
    let fixture = Fixture::start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = [0; 4096];
        let _ = stream.read(&mut request);
        if !answer.is_empty() {
            let _ = stream.write_all(answer);
            return;
        }
        // Whoever does not answer keeps the connection until the other side has had enough.
        while stream.read(&mut request).is_ok_and(|count| count > 0) {}
    });
    let output = by_address(&fixture, &["-t", seconds, "--uri", &format!("http://a:b@{address}"), "list_users"]);
    server.join().expect("the server ends");
    output
}

#[test]
fn a_server_that_is_no_broker_is_named() {
    let output = to_stranger(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "10");
    assert_eq!(output.status.code(), Some(69));
    assert!(errors(&output).contains("is no broker"), "{}", errors(&output));
    let output = to_stranger(b"220 smtp.example.com\r\n", "10");
    assert_eq!(output.status.code(), Some(69));
    assert!(errors(&output).contains("is not the broker's HTTP API"), "{}", errors(&output));
}

#[test]
fn a_broker_that_does_not_answer_is_given_up() {
    let output = to_stranger(b"", "1");
    assert_eq!(output.status.code(), Some(75));
    assert!(errors(&output).contains("timed out. Timeout value used: 1000"), "{}", errors(&output));
}

#[test]
fn a_data_directory_says_why_nobody_answers() {
    let fixture = Fixture::start();
    let empty = tempfile::tempdir().expect("a directory");
    let path = empty.path().display().to_string();
    let said = |directory: &str| {
        let output = by_address(&fixture, &["--data-dir", directory, "list_users"]);
        assert_eq!(output.status.code(), Some(69));
        errors(&output)
    };
    assert!(said("/nonexistent").starts_with("Error: there is no data directory /nonexistent"));
    assert!(said(&path).starts_with("Error: no broker runs with its data in "));
    // A socket that is left over from a crash.
    drop(std::os::unix::net::UnixListener::bind(empty.path().join("leveret.sock")).expect("a socket"));
    assert!(said(&path).starts_with("Error: no broker runs with its data in "));
    // Whoever starts holds the lock and has no socket yet.
    let lock = std::fs::File::create(empty.path().join("leveret.lock")).expect("a file");
    lock.lock().expect("a lock");
    assert!(said(&path).contains("is starting or stopping"));
}

#[test]
fn a_server_does_not_leave_its_terminal() {
    let directory = tempfile::tempdir().expect("a directory");
    let server = directory.path().join("rabbitmq-server");
    std::os::unix::fs::symlink(BINARY, &server).expect("a link");
    let output = Command::new(server).arg("-detached").output().expect("it runs");
    assert!(!output.status.success());
    assert!(errors(&output).contains("start it as a service"), "{}", errors(&output));
}
