//! Servers that are no broker, or one that cannot answer now: what a command says, and its exit code.

use crate::{BINARY, Fixture};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use testkit::pause;

/// Runs `leveret ctl` against a server that does this with its first connection.
fn against(serve: impl FnOnce(TcpStream) + Send + 'static, arguments: &[&str]) -> Output {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("http://a:b@{}", listener.local_addr().expect("an address"));
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let _ = stream.read(&mut [0; 4096]);
        serve(stream);
    });
    let output = Command::new(Path::new(BINARY))
        .args(["ctl", "-q", "list_users", "--uri", &uri])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the command runs");
    server.join().expect("the server ends");
    output
}

/// What is said to an answer: two lines, and the exit code.
#[track_caller]
fn said_to(answer: &'static str) -> (String, Option<i32>) {
    let output = against(move |mut stream| drop(stream.write_all(answer.as_bytes())), &[]);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(errors.lines().count(), 2, "{answer}: {errors}");
    assert!(errors.starts_with("Error: ") && errors.contains("\nhint: "), "{answer}: {errors}");
    (errors, output.status.code())
}

#[test]
fn other_web_servers_are_no_brokers() {
    let (errors, code) = said_to("HTTP/1.1 404 Not Found\r\ncontent-length: 9\r\n\r\nnot found");
    assert_eq!(code, Some(69));
    assert!(errors.contains("is no broker: it answers with status 404"), "{errors}");
    let (errors, code) = said_to("HTTP/1.1 302 Found\r\nlocation: http://other/\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(code, Some(69));
    assert!(errors.contains("sends on to http://other/"), "{errors}");
    let (errors, code) = said_to("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>");
    assert_eq!(code, Some(69));
    assert!(errors.contains("is no broker: /api/users is not JSON there"), "{errors}");
}

#[test]
fn who_is_overloaded_is_to_be_tried_again() {
    for status in ["503 Service Unavailable", "502 Bad Gateway", "429 Too Many Requests"] {
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 4\r\n\r\nbusy").leak();
        let (errors, code) = said_to(answer);
        assert_eq!(code, Some(75), "{errors}");
        assert!(errors.contains("cannot answer now") && errors.contains("try again"), "{errors}");
    }
}

#[test]
fn who_closes_without_an_answer_is_named() {
    let (errors, code) = said_to("");
    assert_eq!(code, Some(69));
    assert!(errors.contains("closed the connection without an answer"), "{errors}");
}

#[test]
fn who_dribbles_is_given_up_in_time() {
    let dribble = |mut stream: TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
        // Until the other side has had enough.
        while stream.write_all(b" ").is_ok() {
            pause(Duration::from_millis(50));
        }
    };
    let begun = Instant::now();
    let output = against(dribble, &["-t", "1"]);
    assert_eq!(output.status.code(), Some(75));
    assert!(begun.elapsed() < Duration::from_secs(20));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("timed out. Timeout value used: 1000"), "{errors}");
}

/// Runs a command with its standard error on a terminal, and says what came there.
fn on_a_terminal(command: &str) -> String {
    // script(1) is on every Linux and joins both outputs, so the other one goes elsewhere.
    let output = Command::new("script")
        .args(["-qec", &format!("{command} > /dev/null"), "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .expect("script(1)");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A server that takes its time for an answer; it ends with its connection.
fn slow(answers: usize) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let uri = format!("http://a:b@{}", listener.local_addr().expect("an address"));
    let server = thread::spawn(move || {
        for _ in 0..answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            let _ = stream.read(&mut [0; 4096]);
            pause(Duration::from_millis(1200));
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        }
    });
    (uri, server)
}

#[test]
fn what_takes_long_says_so_on_a_terminal_and_nowhere_else() {
    let (uri, server) = slow(3);
    let command = format!("{BINARY} ctl export_definitions - --uri {uri}");
    let shown = on_a_terminal(&command);
    assert!(shown.contains("exporting definitions (") && shown.contains("\x1b[2K"), "{shown:?}");
    assert!(shown.ends_with("\x1b[2K"), "the line goes: {shown:?}");
    assert_eq!(on_a_terminal(&format!("{command} -q")), "");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let piped = Command::new(BINARY).args(words).output().expect("the command runs");
    assert!(piped.status.success() && piped.stderr.is_empty(), "{piped:?}");
    server.join().expect("the server ends");
}

#[test]
fn a_restore_has_a_bar_on_a_terminal() {
    let fixture = Fixture::start();
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name).display().to_string();
    fixture.output_of(&["-q", "backup", &path("backup")]);
    let restore = |to: &str, more: &str| {
        on_a_terminal(&format!("{BINARY} restore{more} --from {} --to {}", path("backup"), path(to)))
    };
    let shown = restore("one", "");
    assert!(shown.contains('\x1b'), "{shown:?}");
    assert_eq!(restore("two", " --quiet"), "");
    assert!(directory.path().join("two").exists());
}
