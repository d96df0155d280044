//! Connections over TLS.

use crate::Skipped;
use crate::session::DUE;
use anyhow::{Result, ensure};
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use std::fs;
use std::path::PathBuf;
use tokio::time::timeout;
use tokio_stream::StreamExt;

/// With a password, to a server whose certificate is checked.
pub async fn server() -> Result<()> {
    over_tls("", |_| Ok(None)).await
}

/// The client shows a certificate, which names its user.
pub async fn client_certificate() -> Result<()> {
    let identity = |files: PathBuf| {
        let (pem, key) = (fs::read(files.join("client.pem"))?, fs::read(files.join("client.key"))?);
        Ok(Some(OwnedIdentity::PKCS8 { pem, key }))
    };
    over_tls("?auth_mechanism=external", identity).await
}

async fn over_tls(query: &str, identity: impl FnOnce(PathBuf) -> Result<Option<OwnedIdentity>>) -> Result<()> {
    let (Ok(uri), Ok(files)) = (std::env::var("LEVERET_TLS_URI"), std::env::var("LEVERET_TLS_FILES")) else {
        return Err(Skipped("LEVERET_TLS_URI and LEVERET_TLS_FILES are not set").into());
    };
    let files = PathBuf::from(files);
    let config = OwnedTLSConfig {
        cert_chain: Some(fs::read_to_string(files.join("ca.pem"))?),
        identity: identity(files)?,
    };
    let (uri, properties) = (format!("{uri}{query}"), ConnectionProperties::default());
    let connect = Connection::connect_with_config(&uri, properties, config, lapin::runtime::default_runtime()?);
    let connection = timeout(DUE, connect).await??;
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare("".into(), options, FieldTable::default()).await?.name().clone();
    let body = vec![7; 1 << 20];
    let (publish, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    channel.basic_publish("".into(), queue.clone(), publish, &body, properties).await?;
    let consume = BasicConsumeOptions { no_ack: true, ..Default::default() };
    let mut consumer = channel.basic_consume(queue, "".into(), consume, FieldTable::default()).await?;
    let delivery = timeout(DUE, consumer.next()).await?;
    ensure!(delivery.transpose()?.is_some_and(|delivery| delivery.data == body), "the body came back as it was sent");
    connection.close(200, "done".into()).await?;
    Ok(())
}
