//! Definitions that the configuration names, imported before clients can connect.

use crate::settings::https;
use amqp::FieldValue;
use anyhow::{Context, Result, anyhow};
use broker::{AdminCommand, AdminReply, Broker};
use config::{DefinitionsOptions, RemoteDefinitions};
use management::import_definitions;
use metadata::GlobalParameterDefinition;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tracing::info;

/// For the whole answer, and RabbitMQ's time to connect.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);
/// Largest answer in bytes.
const LARGEST: u64 = 256 << 20;

/// The global parameter that keeps the digest of what was imported last; exports leave out what begins with `internal`.
const DIGEST: &str = "internal_imported_definitions_digest";

/// A file that was read, or what another server answered.
struct Source {
    /// The path, or the address without what may be a password in it.
    place: String,
    content: Vec<u8>,
}

/// Definitions that were read and are not imported yet.
pub(crate) struct Definitions {
    sources: Vec<Source>,
    skip_if_unchanged: bool,
}

impl Definitions {
    /// Reads all files, and fetches what another server has; the error names what cannot be read.
    pub(crate) fn read(options: &DefinitionsOptions) -> Result<Definitions> {
        Ok(Definitions { sources: sources(options)?, skip_if_unchanged: options.skip_if_unchanged })
    }

    /// Tells whether they are the same as others; `None` where there is nothing to import.
    pub(crate) fn digest(&self) -> Option<String> {
        (!self.sources.is_empty()).then(|| digest(&self.sources))
    }

    /// Imports them; the error names the file and what is wrong with it. Their digest, if there is anything.
    pub(crate) fn import(&self, broker: &Broker) -> Result<Option<String>> {
        let Some(digest) = self.digest() else { return Ok(None) };
        if self.skip_if_unchanged && stored_digest(broker)? == Some(digest.clone()) {
            info!("definitions are not imported again: they are those of the last start");
            return Ok(Some(digest));
        }
        for Source { place, content } in &self.sources {
            info!("importing definitions from {place}");
            import_definitions(broker, content).map_err(|error| {
                let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
                anyhow!("cannot import definitions from {place}: {reason}")
            })?;
        }
        if self.skip_if_unchanged {
            let value = FieldValue::LongString(digest.clone().into_bytes());
            let parameter = GlobalParameterDefinition { name: DIGEST.to_owned(), value };
            broker.execute(AdminCommand::SetGlobalParameter(parameter))?;
        }
        Ok(Some(digest))
    }
}

/// Whether the file, or those of a directory, can be read; the error is that of reading them.
pub(crate) fn look_at(path: &Path) -> Result<()> {
    for file in files(path).with_context(|| unreadable(path))? {
        std::fs::File::open(&file).with_context(|| unreadable(path))?;
    }
    Ok(())
}

fn unreadable(path: &Path) -> String {
    format!("cannot read definitions from {}", path.display())
}

fn sources(options: &DefinitionsOptions) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in &options.paths {
        for file in files(path).with_context(|| unreadable(path))? {
            let content = std::fs::read(&file).with_context(|| unreadable(path))?;
            sources.push(Source { place: file.display().to_string(), content });
        }
    }
    sources.extend(options.remote.as_ref().map(fetched).transpose()?);
    Ok(sources)
}

/// What the server has.
fn fetched(remote: &RemoteDefinitions) -> Result<Source> {
    let place = without_password(&remote.url);
    let content = backends::fetch(&remote.url, &https(&remote.tls), FETCH_TIMEOUT, LARGEST)
        .with_context(|| format!("cannot fetch definitions from {place}"))?;
    Ok(Source { place, content })
}

/// The address without a user and a password, and without a query, which may have a token.
fn without_password(url: &str) -> String {
    let (url, _) = url.split_once(['?', '#']).unwrap_or((url, ""));
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}/{path}")
}

/// The file itself, or those of a directory in order of their names.
fn files(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !std::fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let file = entry?.path();
        // What systems keep beside mounted files begins with a dot.
        let is_hidden = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !is_hidden && std::fs::metadata(&file)?.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Tells whether the contents are the same, whatever the files are called.
fn digest(sources: &[Source]) -> String {
    let mut digest = Sha256::new();
    for source in sources {
        digest.update((source.content.len() as u64).to_le_bytes());
        digest.update(&source.content);
    }
    digest.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn stored_digest(broker: &Broker) -> Result<Option<String>> {
    let AdminReply::GlobalParameters(all) = broker.execute(AdminCommand::ListGlobalParameters)? else {
        return Ok(None);
    };
    let stored = all.iter().find(|parameter| parameter.name == DIGEST);
    Ok(stored.and_then(|parameter| parameter.value.as_str()).map(str::to_owned))
}
