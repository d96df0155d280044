//! PEM files.

use crate::encrypted::{EncryptedKey, KeyError};
use crate::error::TlsError;
use crate::options::{Password, ServerOptions};
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use std::fs::{self, File, Permissions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tracing::warn;

/// Largest file that is read: a bundle of all public authorities has a fifth of a megabyte.
const MAX_FILE_BYTES: u64 = 64 << 20;
/// Others may read or write it.
const OPEN_TO_OTHERS: u32 = 0o006;

/// Reads files.
#[derive(Default)]
pub(crate) struct Reader {
    hasher: DefaultHasher,
}

impl Reader {
    fn read(&mut self, key: &str, path: &Path) -> Result<(Vec<u8>, Permissions), TlsError> {
        let failed = |error: io::Error| TlsError::file(key, path, format!("cannot be read: {}", reason(&error)));
        // A pipe would keep a start waiting until somebody writes to it, and a device has no end: neither is opened.
        if !fs::metadata(path).map_err(failed)?.is_file() {
            return Err(TlsError::file(key, path, "is not a file"));
        }
        let file = File::open(path).map_err(failed)?;
        let permissions = file.metadata().map_err(failed)?.permissions();
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(TlsError::file(key, path, format!("is too large: more than {MAX_FILE_BYTES} bytes")));
        }
        (path, &bytes).hash(&mut self.hasher);
        Ok((bytes, permissions))
    }

    /// Reads the files that `options` name, for their fingerprint; `None` where one cannot be read.
    pub(crate) fn fingerprint_of(options: &ServerOptions) -> Option<u64> {
        let mut reader = Reader::default();
        for path in [&options.certfile, &options.keyfile, &options.cacertfile].into_iter().flatten() {
            reader.read("", path).ok()?;
        }
        for path in &options.crl_paths {
            for file in files_of("", path).ok()? {
                reader.read("", &file).ok()?;
            }
        }
        Some(reader.hasher.finish())
    }

    /// The certificates of a file, one at least.
    pub(crate) fn certificates(&mut self, key: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let (bytes, _) = self.read(key, path)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        let found = found.map_err(|error| TlsError::file(key, path, format!("is not PEM: {}", pem(&error))))?;
        if found.is_empty() {
            return Err(TlsError::file(key, path, "has no certificate in PEM"));
        }
        Ok(found)
    }

    /// The private key of a file, and `password` where it has one; `password_key` is what that is called. A file that
    /// others can read or write is named in the log.
    pub(crate) fn private_key(
        &mut self,
        key: &str,
        path: &Path,
        password_key: &str,
        password: Option<&Password>,
    ) -> Result<PrivateKeyDer<'static>, TlsError> {
        let (bytes, permissions) = self.read(key, path)?;
        if permissions.mode() & OPEN_TO_OTHERS != 0 {
            let what = if permissions.mode() & 0o002 == 0 { "read" } else { "written" };
            warn!(
                "{key}: {} can be {what} by everybody on this machine; its mode should be 0600 or 0640",
                path.display()
            );
        }
        if let Some(encrypted) = std::str::from_utf8(&bytes).ok().and_then(EncryptedKey::find) {
            let Some(password) = password else {
                return Err(TlsError::file(key, path, format!("is encrypted, and {password_key} is not given")));
            };
            return encrypted.decrypt(password.expose()).map_err(|error| {
                let what = match error {
                    KeyError::Malformed => "is not PEM: it cannot be read".to_owned(),
                    KeyError::Unsupported => "is encrypted in a way that is not supported; \
                        convert it with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in FILE -out NEW"
                        .to_owned(),
                    KeyError::Password => format!("cannot be decrypted: {password_key} is not its password"),
                };
                TlsError::file(key, path, what)
            });
        }
        match PrivateKeyDer::from_pem_slice(&bytes) {
            Ok(found) => Ok(found),
            Err(PemError::NoItemsFound) => Err(TlsError::file(key, path, "has no private key in PEM")),
            Err(error) => Err(TlsError::file(key, path, format!("is not PEM: {}", pem(&error)))),
        }
    }

    /// The revocation lists of a file, or of the files of a directory.
    pub(crate) fn revocation_lists(
        &mut self,
        key: &str,
        path: &Path,
    ) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
        let mut lists = Vec::new();
        for file in files_of(key, path)? {
            let (bytes, _) = self.read(key, &file)?;
            if !bytes.starts_with(b"-----BEGIN") && bytes.first() == Some(&0x30) {
                lists.push(CertificateRevocationListDer::from(bytes));
                continue;
            }
            for list in CertificateRevocationListDer::pem_slice_iter(&bytes) {
                lists.push(list.map_err(|error| TlsError::file(key, &file, format!("is not PEM: {}", pem(&error))))?);
            }
        }
        Ok(lists)
    }
}

/// The file itself, or the files in a directory, in an order that stays.
fn files_of(key: &str, path: &Path) -> Result<Vec<PathBuf>, TlsError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let failed = |error: io::Error| TlsError::file(key, path, format!("cannot be read: {}", reason(&error)));
    let entries: Result<Vec<_>, _> = fs::read_dir(path).map_err(failed)?.collect();
    let mut files: Vec<PathBuf> = entries.map_err(failed)?.into_iter().map(|entry| entry.path()).collect();
    files.retain(|file| file.is_file());
    files.sort_unstable();
    Ok(files)
}

/// Without the number that Rust prints behind the system's words.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// The parser's words without what the file holds, which may be a key.
fn pem(error: &PemError) -> &'static str {
    match error {
        PemError::MissingSectionEnd { .. } => "a section has no end",
        PemError::IllegalSectionStart { .. } => "a section begins wrong",
        PemError::Base64Decode(_) => "it has what is no Base64",
        PemError::NoItemsFound => "nothing is in it",
        _ => "it cannot be read",
    }
}
