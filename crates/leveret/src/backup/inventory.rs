//! The inventory of a backup: which files it has, and what is in them.

use super::copy::read_pieces;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// The file of the inventory.
pub(crate) const INVENTORY: &str = "backup.json";
const VERSION: u64 = 1;
/// Larger inventories are none: a name and a checksum take some 150 bytes.
const MOST_BYTES: u64 = 1 << 30;

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path in the backup.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// SHA-256 in hexadecimal digits.
    pub(crate) sha256: String,
}

/// The files of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inventory {
    /// Up to where the log was copied.
    pub(crate) position: u64,
    /// When, in ms since 1970.
    pub(crate) created_ms: u64,
    pub(crate) files: Vec<Entry>,
}

impl Inventory {
    pub(super) fn new(position: u64, created_ms: u64) -> Inventory {
        Inventory { position, created_ms, files: Vec::new() }
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Adds a file of the backup in `directory`.
    pub(super) fn add(&mut self, directory: &Path, path: &Path) -> Result<()> {
        let (bytes, sha256) = digest(path)?;
        let path = path.strip_prefix(directory).unwrap_or(path).to_string_lossy().into_owned();
        self.files.push(Entry { path, bytes, sha256 });
        Ok(())
    }

    /// Writes it durably; only then the backup is one.
    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        let files: Vec<Value> = self
            .files
            .iter()
            .map(|file| json!({ "path": file.path, "bytes": file.bytes, "sha256": file.sha256 }))
            .collect();
        let inventory = json!({
            "version": VERSION,
            "leveret": env!("CARGO_PKG_VERSION"),
            "created_ms": self.created_ms,
            "position": self.position,
            "files": files,
        });
        let new = directory.join(format!("{INVENTORY}.new"));
        let mut file = File::create(&new)?;
        file.write_all(format!("{inventory:#}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, directory.join(INVENTORY))?;
        Ok(File::open(directory)?.sync_all()?)
    }

    /// Reads that of the backup in `directory`.
    pub(super) fn read(directory: &Path) -> Result<Inventory> {
        let path = directory.join(INVENTORY);
        let len = fs::metadata(&path)
            .with_context(|| format!("{} is no complete backup: there is no {INVENTORY}", directory.display()))?
            .len();
        let damaged = || format!("{} is damaged", path.display());
        if len > MOST_BYTES {
            bail!(damaged());
        }
        let value: Value = serde_json::from_slice(&fs::read(&path)?).with_context(damaged)?;
        let version = value["version"].as_u64();
        if version.is_some_and(|version| version > VERSION) {
            bail!("{} is of a later version of leveret", path.display());
        }
        let number = |value: &Value| value.as_u64().with_context(damaged);
        let mut files = Vec::new();
        for file in value["files"].as_array().with_context(damaged)? {
            let text = |name: &str| file[name].as_str().map(str::to_owned).with_context(damaged);
            let entry = Entry { path: text("path")?, bytes: number(&file["bytes"])?, sha256: text("sha256")? };
            if !is_within(&entry.path) {
                bail!("{} names a file outside of the backup: {}", path.display(), entry.path);
            }
            files.push(entry);
        }
        Ok(Inventory { position: number(&value["position"])?, created_ms: number(&value["created_ms"])?, files })
    }
}

impl Entry {
    /// Compares the file with what was written.
    pub(super) fn check(&self, directory: &Path) -> Result<()> {
        let path = directory.join(&self.path);
        let (bytes, sha256) = digest(&path)?;
        if bytes != self.bytes {
            bail!("{} is damaged: it has {bytes} bytes instead of {}", path.display(), self.bytes);
        }
        if sha256 != self.sha256 {
            bail!("{} is damaged: its SHA-256 is not the one it was written with", path.display());
        }
        Ok(())
    }
}

/// True for `name` and `messages/name`: nothing that leads elsewhere.
fn is_within(path: &str) -> bool {
    let mut parts = Path::new(path).components();
    let all_normal = parts.all(|part| matches!(part, std::path::Component::Normal(_)));
    all_normal && !path.is_empty() && path.split('/').count() <= 2
}

fn digest(path: &Path) -> Result<(u64, String)> {
    let mut hash = Sha256::new();
    let bytes =
        read_pieces(path, |piece| hash.update(piece)).with_context(|| format!("cannot read {}", path.display()))?;
    let digits = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_out_of_a_backup() {
        for inside in ["metadata.redb", "messages/log-0000"] {
            assert!(is_within(inside), "{inside}");
        }
        for outside in ["", "/etc/passwd", "../x", "messages/../../x", "a/b/c", "./x/.."] {
            assert!(!is_within(outside), "{outside}");
        }
    }

    #[test]
    fn an_inventory_comes_back_and_a_changed_file_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("metadata.redb");
        fs::write(&path, b"definitions").unwrap();
        let mut inventory = Inventory::new(17, 5);
        inventory.add(directory.path(), &path).unwrap();
        inventory.write(directory.path()).unwrap();
        let read = Inventory::read(directory.path()).unwrap();
        assert_eq!(read, inventory);
        read.files[0].check(directory.path()).unwrap();
        for changed in [&b"definitionz"[..], b"definitions and more"] {
            fs::write(&path, changed).unwrap();
            let error = read.files[0].check(directory.path()).unwrap_err().to_string();
            assert!(error.contains("metadata.redb is damaged"), "{error}");
        }
        fs::write(directory.path().join(INVENTORY), b"{\"version\":1").unwrap();
        let error = Inventory::read(directory.path()).unwrap_err().to_string();
        assert!(error.contains("backup.json is damaged"), "{error}");
    }
}
