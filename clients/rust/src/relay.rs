//! A way to break a connection as a killed process does: the client keeps its socket to itself.

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Passes one connection on to the broker until it is dropped.
pub struct Relay {
    /// The broker's URI through the relay.
    pub uri: String,
    task: JoinHandle<()>,
}

impl Relay {
    pub async fn to(uri: &str) -> Result<Relay> {
        let (before, rest) = uri.rsplit_once('@').context("a broker URI with a user")?;
        let (address, vhost) = rest.split_once('/').context("a broker URI with a virtual host")?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let uri = format!("{before}@{}/{vhost}", listener.local_addr()?);
        let address = if address.contains(':') { address.to_owned() } else { format!("{address}:5672") };
        let task = tokio::spawn(async move {
            let Ok((mut client, _)) = listener.accept().await else { return };
            if let Ok(mut broker) = TcpStream::connect(address).await {
                // How a connection ends is for the check to judge.
                let _ = copy_bidirectional(&mut client, &mut broker).await;
            }
        });
        Ok(Relay { uri, task })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
