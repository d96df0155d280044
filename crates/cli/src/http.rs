//! A client of HTTP/1.1 over a unix socket or TCP: one request, one answer, and the connection closes.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use streamed::{Body, Progress};

mod stranger;
mod streamed;
mod tls;

pub use stranger::Stranger;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long it may take until somebody accepts.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it is looked whether a stream has to end.
const TICK: Duration = Duration::from_millis(200);
/// What of a stream may wait for its end of chunk.
const MOST_BUFFERED: usize = 16 << 20;

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Whoever listens on a unix socket.
    Socket(PathBuf),
    /// A host on the network.
    Network {
        /// `HOST:PORT`, an IPv6 address in brackets.
        authority: String,
        /// Before every path; empty for nothing.
        prefix: String,
    },
    /// The same over TLS.
    Secure {
        /// `HOST:PORT`, an IPv6 address in brackets.
        authority: String,
        /// Before every path; empty for nothing.
        prefix: String,
        /// A file of authorities in PEM; without one the system's.
        ca_certificate: Option<PathBuf>,
    },
}

/// The answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, put together.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header called `name`, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A request to be sent.
#[derive(Debug, Default)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query, percent-encoded.
    pub path: &'a str,
    /// Further headers.
    pub headers: &'a [(&'a str, &'a str)],
    /// JSON; empty for none.
    pub body: &'a str,
    /// How long the answer may take; `None` for a minute.
    pub timeout: Option<Duration>,
}

/// Both ways of a connection.
trait Stream: Read + Write {
    /// How long a read may wait.
    fn set_patience(&self, patience: Duration) -> io::Result<()>;
}

impl Stream for UnixStream {
    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(patience))
    }
}

impl Stream for TcpStream {
    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(patience))
    }
}

impl Stream for tls::Secured {
    fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.get_ref().set_read_timeout(Some(patience))
    }
}

/// Sends a request and waits for the answer.
pub fn send(endpoint: &Endpoint, request: &Request<'_>) -> io::Result<Response> {
    let deadline = Instant::now() + request.timeout.unwrap_or(TIMEOUT);
    let (stream, bytes) = open(endpoint, request)?;
    exchange(stream, &bytes, deadline)
}

/// Sends a request and hands on what comes of its answer's body, until it ends, `duration` is over or `take` wants no
/// more; an answer of another status than 200 comes back whole.
pub fn stream(
    endpoint: &Endpoint,
    request: &Request<'_>,
    duration: Option<Duration>,
    take: &mut dyn FnMut(&[u8]) -> bool,
) -> io::Result<Option<Response>> {
    let deadline = duration.map(|duration| Instant::now() + duration);
    let (mut stream, bytes) = open(endpoint, request)?;
    // Reads end now and then, so that the deadline is seen.
    stream.set_patience(TICK)?;
    stream.write_all(&bytes)?;
    let (mut received, mut buffer) = (Vec::new(), [0; 16 << 10]);
    let mut body = Body::default();
    loop {
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Ok(None);
        }
        let count = match stream.read(&mut buffer) {
            Ok(0) if body.is_in_head() => {
                return decode(&received).map(Some).ok_or_else(|| Stranger::of_answer(&received));
            }
            Ok(0) => return Ok(None),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => continue,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        received.extend_from_slice(buffer.get(..count).unwrap_or_default());
        if received.len() > MOST_BUFFERED {
            return Err(Stranger::of_answer(&received));
        }
        match body.advance(&mut received, take) {
            Progress::More => {}
            Progress::Ended => return Ok(None),
            Progress::NotOk => {
                stream.set_patience(TIMEOUT)?;
                stream.read_to_end(&mut received)?;
                return decode(&received).map(Some).ok_or_else(|| Stranger::of_answer(&received));
            }
            Progress::Broken => return Err(Stranger::of_answer(&received)),
        }
    }
}

/// Connects, and puts the request into bytes.
fn open(endpoint: &Endpoint, request: &Request<'_>) -> io::Result<(Box<dyn Stream>, Vec<u8>)> {
    let timeout = Some(request.timeout.unwrap_or(TIMEOUT));
    match endpoint {
        Endpoint::Socket(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(timeout)?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            Ok((Box::new(stream), encode(request, "localhost", "")?))
        }
        Endpoint::Network { authority, prefix } => {
            Ok((Box::new(connect(authority, timeout)?), encode(request, authority, prefix)?))
        }
        Endpoint::Secure { authority, prefix, ca_certificate } => {
            let stream = tls::secure(connect(authority, timeout)?, authority, ca_certificate.as_deref())?;
            Ok((Box::new(stream), encode(request, authority, prefix)?))
        }
    }
}

fn connect(authority: &str, timeout: Option<Duration>) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{authority} has no address"));
    for address in authority.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout.unwrap_or(TIMEOUT).min(CONNECT_TIMEOUT)) {
            Ok(stream) => {
                stream.set_read_timeout(timeout)?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The answer as a whole has until `deadline`: a server that dribbles is given up as one that is silent.
fn exchange(mut stream: Box<dyn Stream>, request: &[u8], deadline: Instant) -> io::Result<Response> {
    stream.write_all(request)?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 64 << 10]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_patience(left)?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Some close a connection over TLS without a word, and some reset one that they have answered on; that the
            // answer is whole is seen by its length.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && !answer.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    decode(&answer).ok_or_else(|| Stranger::of_answer(&answer))
}

fn encode(request: &Request<'_>, host: &str, prefix: &str) -> io::Result<Vec<u8>> {
    let (method, path) = (request.method, request.path);
    let mut head = format!("{method} {prefix}{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
    for (name, value) in request.headers {
        if value.contains(char::is_control) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{name} must not have control characters"),
            ));
        }
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !request.body.is_empty() {
        head.push_str(&format!("content-type: application/json\r\ncontent-length: {}\r\n", request.body.len()));
    }
    Ok(format!("{head}\r\n{}", request.body).into_bytes())
}

fn decode(answer: &[u8]) -> Option<Response> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(answer.get(..end)?);
    let body = answer.get(end + 4..)?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let is =
        |name: &str, wanted: &str| headers.iter().any(|(key, value)| key == name && value.eq_ignore_ascii_case(wanted));
    let body = if is("transfer-encoding", "chunked") { unchunk(body)? } else { body.to_vec() };
    // Less than was announced means that the broker went away in between.
    let length = headers.iter().find(|(key, _)| key == "content-length").and_then(|(_, value)| value.parse().ok());
    if length.is_some_and(|length: usize| length != body.len()) {
        return None;
    }
    Some(Response { status, headers, body })
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(rest.get(..end)?).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        let chunk = rest.get(end + 2..)?;
        body.extend_from_slice(chunk.get(..size)?);
        rest = chunk.get(size..)?.strip_prefix(b"\r\n")?;
    }
}

/// A text as one segment of a path, percent-encoded.
pub fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart() {
        let plain = decode(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a: b\r\n\r\n{}").unwrap();
        assert_eq!((plain.status, plain.body.as_slice()), (200, &b"{}"[..]));
        assert_eq!(plain.header("x"), Some("a: b"));
        let chunked =
            decode(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x\r\n0123456789\r\n0\r\n\r\n");
        assert_eq!(chunked.unwrap().body, b"abc0123456789");
        assert_eq!(decode(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().status, 204);
    }

    #[test]
    fn half_answers_are_refused() {
        for answer in [
            &b""[..],
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc\r\n",
        ] {
            assert_eq!(decode(answer), None, "{answer:?}");
        }
    }

    #[test]
    fn segments_are_encoded() {
        assert_eq!(segment("/"), "%2F");
        assert_eq!(segment("a b-c_d.e~é"), "a%20b-c_d.e~%C3%A9");
    }

    #[test]
    fn a_header_cannot_smuggle_another() {
        let request = Request { method: "GET", path: "/", headers: &[("x-reason", "a\r\nb: c")], ..Request::default() };
        assert!(encode(&request, "localhost", "").is_err());
    }
}
