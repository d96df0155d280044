//! The administrative surface of a broker process: RabbitMQ's HTTP API on a unix socket in the data directory.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::broker::BrokerProcess;

const SOCKET: &str = "leveret.sock";

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl BrokerProcess {
    /// Sends an HTTP request, its path beginning with `/api`, with extra headers and a JSON body (empty for none).
    pub fn http(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> io::Result<Answer> {
        let mut stream = UnixStream::connect(self.data_dir().join(SOCKET))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += "Content-Type: application/json\r\n";
        }
        request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let invalid = || io::Error::new(io::ErrorKind::InvalidData, format!("no HTTP answer: {answer:?}"));
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(invalid)?;
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        Ok(Answer { status, body })
    }

    /// Sends an HTTP request that has to succeed; panics with the answer otherwise.
    #[track_caller]
    pub fn administer(&self, method: &str, path: &str, body: &str) {
        match self.http(method, path, &[], body) {
            Ok(answer) if (200..300).contains(&answer.status) => {}
            other => panic!("{method} {path} {body}: {other:?}"),
        }
    }
}

/// Percent-encodes one segment of a path.
pub fn path_segment(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded += &format!("%{byte:02X}");
        }
    }
    encoded
}
