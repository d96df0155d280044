//! HTTP requests over TCP, and what their answers are compared with.

use crate::LEVERET;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use testkit::BrokerProcess;

/// An HTTP answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// The body as it came.
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("no JSON: {error}: {self:?}"))
    }
}

/// A broker with its HTTP API on the network.
pub fn start(settings: &[(&str, &str)]) -> BrokerProcess {
    BrokerProcess::start_with_http(LEVERET, settings)
}

/// A user who makes requests.
#[derive(Clone, Copy)]
pub struct Client<'a> {
    address: SocketAddr,
    user: &'a str,
    password: &'a str,
}

impl<'a> Client<'a> {
    pub fn new(broker: &BrokerProcess, user: &'a str, password: &'a str) -> Client<'a> {
        Client { address: broker.management(), user, password }
    }

    /// The default user, an administrator.
    pub fn guest(broker: &BrokerProcess) -> Client<'static> {
        Client { address: broker.management(), user: "guest", password: "guest" }
    }

    /// Sends a request whose path begins with `/api`.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let credentials = STANDARD.encode(format!("{}:{}", self.user, self.password));
        let authorization = format!("Basic {credentials}");
        let mut all = vec![("Authorization", authorization.as_str())];
        all.extend_from_slice(headers);
        request(self.address, method, path, &all, body)
    }

    /// Status and the beginning of the answer to a request, which need not end.
    #[track_caller]
    pub fn head(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)));
        head_of(self.address, method, path, &[("Authorization", &authorization)], body)
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, &[], "");
        assert_eq!(answer.status, 200, "GET {path}: {answer:?}");
        answer.json()
    }

    #[track_caller]
    pub fn put(&self, path: &str, body: &str) -> u16 {
        let answer = self.send("PUT", path, &[("Content-Type", "application/json")], body);
        assert!((200..300).contains(&answer.status), "PUT {path} {body}: {answer:?}");
        answer.status
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[("Content-Type", "application/json")], body)
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> u16 {
        self.send("DELETE", path, &[], "").status
    }
}

/// Sends a request with these headers and no others but `Host`, `Connection` and `Content-Length`.
#[track_caller]
pub fn request(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut stream = send(address, method, path, headers, body);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap_or_else(|error| panic!("{method} {path}: no answer: {error}"));
    parse(&answer)
}

#[track_caller]
fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("no connection: {error}"));
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

/// Status and the beginning of the answer to a request, which need not end.
#[track_caller]
pub fn head_of(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut stream = send(address, method, path, headers, body);
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
        let length = stream.read(&mut piece).unwrap_or_else(|error| panic!("{method} {path}: no answer: {error}"));
        assert_ne!(length, 0, "{method} {path}: no answer");
        answer.extend_from_slice(&piece[..length]);
    }
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status: {text}")), text)
}

#[track_caller]
fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {bytes:?}"));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let body = &bytes[end + 4..];
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if is_chunked { unchunked(body) } else { body.to_vec() };
    Answer {
        status: status.unwrap_or_else(|| panic!("no status: {head}")),
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
        bytes: body,
    }
}

#[track_caller]
fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a chunk's length");
        let length = std::str::from_utf8(&rest[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let length = length.expect("a chunk's length in hexadecimal digits");
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
}

/// A request and what has to come of it: method, path below `/api`, body; status, body.
pub type Exchange = (&'static str, &'static str, &'static str, u16, &'static str);

/// RabbitMQ's answer where there is nothing.
pub const NOT_FOUND: &str = r#"{"error":"Object Not Found","reason":"Not Found"}"#;

impl Client<'_> {
    /// Makes requests one after the other; bodies have to be the same to the byte.
    #[track_caller]
    pub fn check(&self, exchanges: &[Exchange]) {
        for (method, path, body, status, expected) in exchanges {
            let answer = self.send(method, &format!("/api{path}"), &[], body);
            assert_eq!((answer.status, answer.body.as_str()), (*status, *expected), "{method} {path} {body}");
        }
    }

    /// Status and body of a request.
    #[track_caller]
    pub fn answer(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let answer = self.send(method, path, &[], body);
        (answer.status, answer.body)
    }
}

/// Asserts that none of these fields is missing.
#[track_caller]
pub fn assert_has(value: &Value, names: &[&str]) {
    let missing: Vec<&&str> = names.iter().filter(|name| value.get(**name).is_none()).collect();
    assert!(missing.is_empty(), "{missing:?} missing in {value:#}");
}
