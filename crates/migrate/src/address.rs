//! Addresses of brokers as URLs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cli::http::{Endpoint, segment};
use std::fmt;

/// An address that makes no sense; passwords are not in the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

/// An HTTP API; `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HttpAddress {
    pub(crate) user: String,
    pub(crate) password: String,
    /// Without a port, an IPv6 address in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) prefix: String,
}

/// A broker for AMQP; `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct AmqpAddress {
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// The parts of `SCHEME://USER:PASSWORD@HOST:PORT/PATH`.
struct Parts {
    user: String,
    password: String,
    host: String,
    port: Option<u16>,
    path: String,
}

fn parse(url: &str, scheme: &str, example: &str) -> Result<Parts, AddressError> {
    let wrong = |what: &str| AddressError(format!("{what}; an address looks like {example}"));
    let (given, rest) = url.split_once("://").ok_or_else(|| wrong("the address has no scheme"))?;
    if given == format!("{scheme}s") {
        return Err(AddressError(format!(
            "{given}:// is not available yet: use {scheme}:// within a network that you trust, or a tunnel"
        )));
    }
    if given != scheme {
        return Err(wrong(&format!("'{given}' is not {scheme}")));
    }
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let (host, port) = match host.rfind(':').filter(|colon| !host[*colon..].contains(']')) {
        Some(colon) => {
            let port = host[colon + 1..].parse().map_err(|_| wrong("the port is not a number up to 65535"))?;
            (&host[..colon], Some(port))
        }
        None => (host, None),
    };
    if host.is_empty() {
        return Err(wrong("the address has no host"));
    }
    let decoded = |text: &str| decode(text).ok_or_else(|| wrong("the user or password is not percent-encoded"));
    Ok(Parts {
        user: decoded(user)?,
        password: decoded(password)?,
        host: host.to_owned(),
        port,
        path: path.trim_matches('/').to_owned(),
    })
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}

impl HttpAddress {
    /// Reads `http://USER:PASSWORD@HOST:PORT/PREFIX`; the port is 15672 and the user guest where there is none.
    pub(crate) fn parse(url: &str) -> Result<HttpAddress, AddressError> {
        let Parts { user, password, host, port, path } = parse(url, "http", "http://user:password@host:15672")?;
        let (user, password) = or_guest(user, password);
        let path = path.strip_suffix("api").unwrap_or(&path).trim_end_matches('/');
        let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
        Ok(HttpAddress { user, password, host, port: port.unwrap_or(15672), prefix })
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::Network { authority: format!("{}:{}", self.host, self.port), prefix: self.prefix.clone() }
    }

    /// The value of the header `authorization`.
    pub(crate) fn authorization(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.user, self.password)))
    }
}

impl AmqpAddress {
    /// Reads `amqp://USER:PASSWORD@HOST:PORT`; a virtual host behind it does not count, since all are moved.
    pub(crate) fn parse(url: &str) -> Result<AmqpAddress, AddressError> {
        let Parts { user, password, host, port, .. } = parse(url, "amqp", "amqp://user:password@host:5672")?;
        let (user, password) = or_guest(user, password);
        Ok(AmqpAddress { user, password, host, port: port.unwrap_or(5672) })
    }

    /// The same host and user.
    pub(crate) fn beside(http: &HttpAddress, port: Option<u16>) -> Result<AmqpAddress, AddressError> {
        let HttpAddress { user, password, host, .. } = http.clone();
        Ok(AmqpAddress { user, password, host, port: port.unwrap_or(5672) })
    }

    /// As a client wants it.
    pub(crate) fn uri(&self, vhost: &str) -> String {
        let [user, password, vhost] = [&self.user, &self.password, vhost].map(segment);
        format!("amqp://{user}:{password}@{}:{}/{vhost}?heartbeat=30", self.host, self.port)
    }
}

/// A user of no name is guest.
fn or_guest(user: String, password: String) -> (String, String) {
    if user.is_empty() { ("guest".to_owned(), "guest".to_owned()) } else { (user, password) }
}

impl fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.prefix)
    }
}

impl fmt::Debug for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpAddress({}@{self})", self.user)
    }
}

impl fmt::Display for AmqpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "amqp://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for AmqpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AmqpAddress({}@{self})", self.user)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let address = HttpAddress::parse("http://us%40er:p%3Ass@[::1]:15673/prefix/api/").unwrap();
        assert_eq!((address.user.as_str(), address.password.as_str()), ("us@er", "p:ss"));
        assert_eq!((address.host.as_str(), address.port, address.prefix.as_str()), ("[::1]", 15673, "/prefix"));
        let address = HttpAddress::parse("http://old").unwrap();
        assert_eq!((address.user.as_str(), address.port, address.prefix.as_str()), ("guest", 15672, ""));
        assert_eq!(
            AmqpAddress::beside(&address, None).unwrap().uri("/"),
            "amqp://guest:guest@old:5672/%2F?heartbeat=30"
        );
        let address = AmqpAddress::parse("amqp://u:p@h:1/v").unwrap();
        assert_eq!(address.uri("a b"), "amqp://u:p@h:1/a%20b?heartbeat=30");
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for url in
            ["old:15672", "ftp://u:secret@h", "http://", "http://u:secret@:1", "http://u:secret%zz@h", "http://h:x"]
        {
            let error = HttpAddress::parse(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        assert!(HttpAddress::parse("https://u:p@h").unwrap_err().to_string().contains("not available yet"));
    }
}
