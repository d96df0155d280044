//! Definitions that the configuration names, imported before clients can connect.

use amqp::FieldValue;
use anyhow::{Context, Result, anyhow};
use broker::{AdminCommand, AdminReply, Broker};
use config::DefinitionsOptions;
use management::import_definitions;
use metadata::GlobalParameterDefinition;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tracing::info;

/// The global parameter that keeps the digest of what was imported last; exports leave out what begins with `internal`.
const DIGEST: &str = "internal_imported_definitions_digest";

/// A file that was read.
struct Source {
    path: PathBuf,
    content: Vec<u8>,
}

/// Imports them; the error names the file and what is wrong with it. The digest of what was imported, if there is anything.
pub(crate) fn import(options: &DefinitionsOptions, broker: &Broker) -> Result<Option<String>> {
    let sources = sources(options)?;
    if sources.is_empty() {
        return Ok(None);
    }
    let digest = digest(&sources);
    if options.skip_if_unchanged && stored_digest(broker)? == Some(digest.clone()) {
        info!("definitions are not imported again: they are those of the last start");
        return Ok(Some(digest));
    }
    for Source { path, content } in &sources {
        info!("importing definitions from {}", path.display());
        import_definitions(broker, content).map_err(|error| {
            let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            anyhow!("cannot import definitions from {}: {reason}", path.display())
        })?;
    }
    if options.skip_if_unchanged {
        let value = FieldValue::LongString(digest.clone().into_bytes());
        let parameter = GlobalParameterDefinition { name: DIGEST.to_owned(), value };
        broker.execute(AdminCommand::SetGlobalParameter(parameter))?;
    }
    Ok(Some(digest))
}

/// The digest of what would be imported, if there is anything.
pub(crate) fn digest_of(options: &DefinitionsOptions) -> Result<Option<String>> {
    let sources = sources(options)?;
    Ok((!sources.is_empty()).then(|| digest(&sources)))
}

fn sources(options: &DefinitionsOptions) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in &options.paths {
        let failed = || format!("cannot read definitions from {}", path.display());
        for path in files(path).with_context(failed)? {
            let content = std::fs::read(&path).with_context(failed)?;
            sources.push(Source { path, content });
        }
    }
    Ok(sources)
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
