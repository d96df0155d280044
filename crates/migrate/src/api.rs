//! The HTTP API of either broker.

use crate::address::HttpAddress;
use anyhow::{Context, Result, anyhow, bail};
use cli::http::{self, Endpoint, Request, Response};
use serde_json::Value;
use std::time::Duration;

/// How long a large answer, or an import, may take.
const TIMEOUT: Duration = Duration::from_secs(3600);

/// A broker's HTTP API.
#[derive(Debug)]
pub(crate) struct Api {
    endpoint: Endpoint,
    address: Option<HttpAddress>,
}

impl Api {
    pub(crate) fn new(address: HttpAddress) -> Api {
        Api { endpoint: address.endpoint(), address: Some(address) }
    }

    /// One that asks for no user.
    pub(crate) fn of_endpoint(endpoint: Endpoint) -> Api {
        Api { endpoint, address: None }
    }

    /// Where it is on the network.
    pub(crate) fn address(&self) -> Option<&HttpAddress> {
        self.address.as_ref()
    }

    /// As people know it.
    pub(crate) fn name(&self) -> String {
        match (&self.endpoint, &self.address) {
            (_, Some(address)) => address.to_string(),
            (Endpoint::Socket(path), None) => path.display().to_string(),
            (Endpoint::Network { authority, .. } | Endpoint::Secure { authority, .. }, None) => authority.clone(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let response = self.send("GET", path, "")?;
        serde_json::from_slice(&response.body).with_context(|| format!("the answer to {path} is not JSON"))
    }

    pub(crate) fn list(&self, path: &str) -> Result<Vec<Value>> {
        match self.get(path)? {
            Value::Array(list) => Ok(list),
            _ => bail!("the answer to {path} is not a list"),
        }
    }

    /// Posts or puts `body`, and returns the answer if there is one.
    pub(crate) fn change(&self, method: &str, path: &str, body: &Value) -> Result<Value> {
        let response = self.send(method, path, &body.to_string())?;
        Ok(serde_json::from_slice(&response.body).unwrap_or_default())
    }

    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        self.send("DELETE", path, "").map(drop)
    }

    fn send(&self, method: &str, path: &str, body: &str) -> Result<Response> {
        let authorization = self.address.as_ref().map(HttpAddress::authorization);
        let headers: Vec<(&str, &str)> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
        let request = Request { method, path, headers: &headers, body, timeout: Some(TIMEOUT) };
        let response =
            http::send(&self.endpoint, &request).with_context(|| format!("cannot talk to {}", self.name()))?;
        if (200..300).contains(&response.status) {
            return Ok(response);
        }
        let answer: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let reason = answer.get("reason").and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
        let name = self.name();
        Err(match response.status {
            401 | 403 => {
                anyhow!("{name} refuses the user, who needs the tag administrator (status {})", response.status)
            }
            status => anyhow!("{name} answers {method} {path} with status {status}: {reason}"),
        })
    }

    /// Host and port where it listens for AMQP.
    pub(crate) fn amqp_listener(&self) -> Result<(String, u16)> {
        let overview = self.get("/api/overview")?;
        let listeners = overview.get("listeners").and_then(Value::as_array).cloned().unwrap_or_default();
        let found = listeners.iter().find(|listener| listener.get("protocol").and_then(Value::as_str) == Some("amqp"));
        let port = found.and_then(|listener| listener.get("port")?.as_u64()).and_then(|port| u16::try_from(port).ok());
        let port = port.with_context(|| format!("{} does not say where it listens; use --to-amqp", self.name()))?;
        let ip = found.and_then(|listener| listener.get("ip_address")?.as_str()).unwrap_or_default();
        let host = match (&self.address, ip) {
            (Some(address), _) => address.host.clone(),
            (None, "" | "0.0.0.0" | "::") => "127.0.0.1".to_owned(),
            (None, ip) if ip.contains(':') => format!("[{ip}]"),
            (None, ip) => ip.to_owned(),
        };
        Ok((host, port))
    }
}
