//! Where the broker is: its data directory, in which its socket is, or the address of its HTTP API.

use crate::http::Endpoint;
use std::env;
use std::path::{Path, PathBuf};

/// Name of the socket in the data directory.
pub(crate) const SOCKET_NAME: &str = "leveret.sock";
/// Names the data directory where `--data-dir` does not.
pub(crate) const DATA_DIR_VARIABLE: &str = "LEVERET_DATA_DIR";
/// Names the broker's HTTP API where `--uri` does not.
pub(crate) const URI_VARIABLE: &str = "LEVERET_API_URI";
/// Where the broker keeps its data when nobody says where.
const WORKING_DIRECTORY: &str = "leveret-data";
/// Where packages and images let it keep them.
const PACKAGED: [&str; 2] = ["/var/lib/leveret", "/var/lib/rabbitmq/mnesia/leveret"];

/// Who is asked, and as whom.
#[derive(Clone)]
pub(crate) struct Location {
    pub(crate) endpoint: Endpoint,
    /// The `authorization` header; secret.
    pub(crate) authorization: Option<String>,
}

/// The data directory whose broker a tool is for, by what was given and the environment.
///
/// In this order: `--data-dir`, `LEVERET_DATA_DIR`, `RABBITMQ_MNESIA_DIR`, `RABBITMQ_MNESIA_BASE` with the node's name,
/// which the broker makes of the host's where none is given; then the first of `leveret-data` here and what packages use in which there is a broker's socket.
pub(crate) fn data_dir(given: Option<&Path>, node: Option<&str>) -> PathBuf {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    choose(given, node, host.trim(), &variable, &|path| path.exists())
}

fn choose(
    given: Option<&Path>,
    node: Option<&str>,
    host: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    exists: &dyn Fn(&Path) -> bool,
) -> PathBuf {
    let named = || variable(DATA_DIR_VARIABLE).or_else(|| variable("RABBITMQ_MNESIA_DIR")).map(PathBuf::from);
    if let Some(directory) = given.map(Path::to_owned).or_else(named) {
        return directory;
    }
    let node = node.map(str::to_owned).or_else(|| variable("RABBITMQ_NODENAME"));
    if let Some(base) = variable("RABBITMQ_MNESIA_BASE").map(PathBuf::from) {
        let name = node.unwrap_or_else(|| "rabbit".to_owned());
        let short = host.split('.').next().unwrap_or(host);
        let whole = |host: &str| if name.contains('@') { name.clone() } else { format!("{name}@{host}") };
        let mut of_node = [short, host].into_iter().map(|host| base.join(whole(host)));
        return of_node.find(|directory| exists(directory)).unwrap_or(base);
    }
    let mut usual = std::iter::once(WORKING_DIRECTORY).chain(PACKAGED).map(PathBuf::from);
    let running = usual.find(|directory| exists(&directory.join(SOCKET_NAME)));
    // Who may not look into that of the package does not see its socket, and should hear that.
    let packaged = || PACKAGED.into_iter().map(PathBuf::from).find(|directory| exists(directory));
    running.or_else(packaged).unwrap_or_else(|| WORKING_DIRECTORY.into())
}

/// A URI taken apart; the error is a line for the user and has no password in it.
pub(crate) fn of_uri(
    uri: &str,
    user: Option<&str>,
    password: Option<&str>,
    ca_certificate: Option<&str>,
) -> Result<Location, String> {
    const EXAMPLE: &str = "an address looks like http://user:password@host:15672";
    let (scheme, rest) = uri.split_once("://").ok_or_else(|| format!("the address has no scheme; {EXAMPLE}"))?;
    if scheme == "unix" {
        return Ok(Location { endpoint: Endpoint::Socket(rest.into()), authorization: None });
    }
    let default_port = match scheme {
        "http" => 15672,
        "https" => 15671,
        other => return Err(format!("'{other}' is neither http nor https; {EXAMPLE}")),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, host) = match authority.rsplit_once('@') {
        Some((credentials, host)) => (Some(credentials), host),
        None => (None, authority),
    };
    let (in_uri, secret_in_uri) = match credentials {
        Some(credentials) => {
            let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
            let decoded = |text| decode(text).ok_or("the user or password in the address is not percent-encoded");
            (Some(decoded(user)?), Some(decoded(password)?))
        }
        None => (None, None),
    };
    if host.is_empty() {
        return Err(format!("the address has no host; {EXAMPLE}"));
    }
    let has_port = host.rfind(':').is_some_and(|colon| !host[colon..].contains(']'));
    let authority = if has_port { host.to_owned() } else { format!("{host}:{default_port}") };
    // Paths of requests begin with it themselves, and RabbitMQ's documentation gives addresses with it.
    let path = path.trim_matches('/');
    let path = path.strip_suffix("api").filter(|before| before.is_empty() || before.ends_with('/')).unwrap_or(path);
    let path = path.trim_end_matches('/');
    let prefix = if path.is_empty() { String::new() } else { format!("/{path}") };
    let user = user.map(str::to_owned).or(in_uri);
    let password = password.map(str::to_owned).or(secret_in_uri);
    let authorization = user.map(|user| basic(&user, password.as_deref().unwrap_or_default()));
    let endpoint = if scheme == "https" {
        Endpoint::Secure { authority, prefix, ca_certificate: ca_certificate.map(PathBuf::from) }
    } else {
        Endpoint::Network { authority, prefix }
    };
    Ok(Location { endpoint, authorization })
}

/// The header of HTTP's basic authentication.
pub(crate) fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

/// Undoes percent-encoding.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = rest.get(2..)?;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_directory_is_found() {
        let found = |given: Option<&str>, set: &[(&str, &str)], there: &[&str]| {
            let variable = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            let exists = |path: &Path| there.iter().any(|known| Path::new(known) == path);
            choose(given.map(Path::new), None, "h.example.org", &variable, &exists).display().to_string()
        };
        let all = [("LEVERET_DATA_DIR", "/l"), ("RABBITMQ_MNESIA_DIR", "/d"), ("RABBITMQ_MNESIA_BASE", "/b")];
        assert_eq!(found(Some("/g"), &all, &[]), "/g");
        assert_eq!(found(None, &all, &[]), "/l");
        assert_eq!(found(None, &all[1..], &[]), "/d");
        assert_eq!(found(None, &all[2..], &[]), "/b");
        let named = [("RABBITMQ_MNESIA_BASE", "/b"), ("RABBITMQ_NODENAME", "rabbit@h")];
        assert_eq!(found(None, &named, &["/b/rabbit@h"]), "/b/rabbit@h");
        assert_eq!(found(None, &named[..1], &["/b/rabbit@h"]), "/b/rabbit@h");
        assert_eq!(found(None, &named[..1], &["/b/rabbit@h.example.org"]), "/b/rabbit@h.example.org");
        let short = [named[0], ("RABBITMQ_NODENAME", "hare")];
        assert_eq!(found(None, &short, &["/b/rabbit@h", "/b/hare@h"]), "/b/hare@h");
        assert_eq!(found(None, &[], &[]), "leveret-data");
        assert_eq!(found(None, &[], &["/var/lib/leveret/leveret.sock"]), "/var/lib/leveret");
        let packaged = ["/var/lib/rabbitmq/mnesia/leveret", "leveret-data/leveret.sock"];
        assert_eq!(found(None, &[], &packaged[..1]), "/var/lib/rabbitmq/mnesia/leveret");
        assert_eq!(found(None, &[], &packaged), "leveret-data");
    }

    #[test]
    fn addresses_are_taken_apart() {
        let location =
            of_uri("http://us%40er:p%3Aw@[::1]/x/", None, None, None).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(location.endpoint, Endpoint::Network { authority: "[::1]:15672".into(), prefix: "/x".into() });
        assert_eq!(location.authorization, Some(basic("us@er", "p:w")));
        for (uri, expected) in [("http://h/api", ""), ("http://h/x/api/", "/x"), ("http://h/myapi", "/myapi")] {
            let location = of_uri(uri, None, None, None).unwrap_or_else(|error| panic!("{uri}: {error}"));
            assert!(matches!(location.endpoint, Endpoint::Network { prefix, .. } if prefix == expected), "{uri}");
        }
        let location = of_uri("https://h:1", Some("u"), Some("p"), None).unwrap_or_else(|error| panic!("{error}"));
        assert!(matches!(location.endpoint, Endpoint::Secure { authority, .. } if authority == "h:1"));
        for wrong in ["host", "ftp://h", "http://", "http://%zz@h"] {
            assert!(of_uri(wrong, None, None, None).is_err(), "{wrong}");
        }
    }
}
