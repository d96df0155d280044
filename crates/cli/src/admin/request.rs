//! Requests to the HTTP API.

use super::{Failed, Options};
use crate::http::{self, Endpoint, Request};
use crate::location::basic;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

pub(super) struct Api {
    endpoint: Endpoint,
    authorization: String,
    timeout: Duration,
    prefix: String,
}

impl Api {
    pub(super) fn new(options: &Options) -> Result<Api, Failed> {
        let host = if options.host.contains(':') && !options.host.starts_with('[') {
            format!("[{}]", options.host)
        } else {
            options.host.clone()
        };
        let port: u16 = options.port.parse().map_err(|_| Failed::usage(format!("{} is no port", options.port)))?;
        let (authority, prefix) = (format!("{host}:{port}"), String::new());
        let endpoint = if options.secure {
            let ca_certificate = options.ca_certificate.as_ref().map(PathBuf::from);
            Endpoint::Secure { authority, prefix, ca_certificate }
        } else {
            Endpoint::Network { authority, prefix }
        };
        Ok(Api {
            endpoint,
            authorization: basic(&options.username, &options.password),
            timeout: Duration::from_secs(options.timeout_s.max(1)),
            prefix: format!("{}/api", options.path_prefix),
        })
    }

    pub(super) fn get(&self, path: &str) -> Result<String, Failed> {
        self.send("GET", path, "")
    }

    pub(super) fn put(&self, path: &str, body: &str) -> Result<String, Failed> {
        self.send("PUT", path, body)
    }

    pub(super) fn post(&self, path: &str, body: &str) -> Result<String, Failed> {
        self.send("POST", path, body)
    }

    pub(super) fn delete(&self, path: &str) -> Result<String, Failed> {
        self.send("DELETE", path, "")
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Result<String, Failed> {
        let path = format!("{}{path}", self.prefix);
        let headers = [("authorization", self.authorization.as_str())];
        let request = Request { method, path: &path, headers: &headers, body, timeout: Some(self.timeout) };
        let response = http::send(&self.endpoint, &request).map_err(|error| self.unreachable(&error))?;
        let text = String::from_utf8_lossy(&response.body).into_owned();
        match response.status {
            200..=299 => Ok(text),
            400 => {
                let answer: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                Err(Failed::refused(answer["reason"].as_str().unwrap_or(&text)))
            }
            401 => Err(Failed::refused(format!("Access refused: {path}"))),
            404 => Err(Failed::refused(format!("Not found: {path}"))),
            status => Err(Failed::refused(format!("Received response {status} for path {path}\n{text}"))),
        }
    }

    fn unreachable(&self, error: &io::Error) -> Failed {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Failed::refused("Could not connect: [Errno 111] Connection refused"),
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Failed::refused(format!(
                "Timed out getting HTTP response (request timeout: {} seconds)",
                self.timeout.as_secs()
            )),
            _ => Failed::refused(format!("Could not connect: {error}")),
        }
    }
}
