//! TLS, certificates and the PROXY protocol over sockets, with certificates that are made here.

#![allow(clippy::unwrap_used, reason = "a test may fail wherever it likes")]

mod authority;
mod certificates;
mod events;
mod external;
mod files;
mod hostile;
mod https;
mod keys;
mod limits;
mod page;
mod proxy;
mod reload;
mod sessions;
mod suspension;
mod transfer;
mod tunnel;

use authority::Authority;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use testkit::{BrokerProcess, ConnectOptions, RawClient, eventually, free_address};
use tunnel::{Identity, Tunnel, Versions};

const BINARY: &str = env!("CARGO_BIN_EXE_leveret");

/// A broker with a listener for TLS, an authority, and the files of both.
struct Fixture {
    broker: BrokerProcess,
    authority: Authority,
    /// Where the files are.
    directory: tempfile::TempDir,
    /// Where AMQP is spoken over TLS.
    tls: SocketAddr,
}

/// Where the server's files are below a directory.
fn server_files(directory: &Path) -> (PathBuf, PathBuf, PathBuf) {
    (directory.join("server.pem"), directory.join("server.key"), directory.join("ca.pem"))
}

/// The keys of a listener with TLS and the files of `directory`.
fn tls_settings(prefix: &str, directory: &Path) -> Vec<(String, String)> {
    let (certificate, key, authority) = server_files(directory);
    let setting = |name: &str, path: &Path| (format!("{prefix}.{name}"), path.display().to_string());
    vec![setting("certfile", &certificate), setting("keyfile", &key), setting("cacertfile", &authority)]
}

impl Fixture {
    /// A broker with these keys beside those of its certificate.
    #[track_caller]
    fn start(settings: &[(&str, &str)]) -> Fixture {
        Fixture::start_with(settings, |_, _| Vec::new())
    }

    /// The same with keys that come from files made before.
    #[track_caller]
    fn start_with(settings: &[(&str, &str)], more: impl FnOnce(&Authority, &Path) -> Vec<(String, String)>) -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("Test Authority");
        authority.write_server(directory.path());
        let tls = free_address().unwrap();
        let mut all = tls_settings("ssl_options", directory.path());
        all.push(("listeners.ssl.default".to_owned(), tls.to_string()));
        all.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        all.extend(more(&authority, directory.path()));
        let all: Vec<(&str, &str)> = all.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Fixture { broker: BrokerProcess::start(BINARY, &all), authority, directory, tls }
    }

    /// A way to the listener for TLS, which checks the server against the authority.
    fn tunnel(&self, identity: Option<&Identity>) -> Tunnel {
        Tunnel::to(self.tls, &self.authority, identity, Versions::All)
    }

    /// An open connection as guest.
    #[track_caller]
    fn connect(&self, identity: Option<&Identity>) -> RawClient {
        RawClient::connect(self.tunnel(identity).address(), &ConnectOptions::default())
    }
}
