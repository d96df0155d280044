//! Copying files of a store that is in use.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use store::BackupTarget;

/// Bytes copied at once.
const PIECE: usize = 1 << 20;
/// Messages and password hashes are for nobody else.
const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// Creates a folder and those above it; one that is there is fine.
pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)
}

/// Copies the first `bytes` of a file to a new one, makes it as long as the first is, and syncs it.
pub(super) fn copy_file(from: &Path, to: &Path, bytes: u64) -> io::Result<()> {
    let mut source = File::open(from)?;
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(to)?;
    let len = source.metadata()?.len();
    let (mut left, mut at) = (bytes.min(len), 0);
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
        let count = source.read(&mut piece[..most])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        at += count as u64;
        left -= count as u64;
        let read = &piece[..count];
        if read.iter().all(|byte| *byte == 0) {
            // Nothing there: the copy gets its length at the end.
            copy.seek(SeekFrom::Start(at))?;
        } else {
            copy.write_all(read)?;
        }
    }
    copy.set_len(len)?;
    copy.sync_all()
}

/// The files of messages on their way into a backup.
pub(super) struct Copy {
    from: PathBuf,
    to: PathBuf,
    /// Where second names of files are that are taken when the store goes on.
    staging: PathBuf,
    kept: Vec<String>,
}

impl Copy {
    pub(super) fn new(from: PathBuf, to: PathBuf, staging: PathBuf) -> Copy {
        Copy { from, to, staging, kept: Vec::new() }
    }

    /// Takes the files that were kept: by a second name, which costs nothing, or by a copy on another file system.
    pub(super) fn take_kept(&mut self) -> io::Result<()> {
        for name in std::mem::take(&mut self.kept) {
            let (staged, to) = (self.staging.join(&name), self.to.join(&name));
            if fs::hard_link(&staged, &to).is_err() {
                copy_file(&staged, &to, u64::MAX)?;
            }
            fs::remove_file(&staged)?;
        }
        Ok(())
    }
}

impl BackupTarget for Copy {
    fn keep(&mut self, name: &str) -> io::Result<()> {
        let from = self.from.join(name);
        match fs::hard_link(&from, self.staging.join(name)) {
            Ok(()) => self.kept.push(name.to_owned()),
            // A file system without second names; the store waits longer then.
            Err(_) => copy_file(&from, &self.to.join(name), u64::MAX)?,
        }
        Ok(())
    }

    fn copy(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        copy_file(&self.from.join(name), &self.to.join(name), bytes)
    }
}

/// Reads a file to its end, a piece at a time.
pub(super) fn read_pieces(path: &Path, mut each: impl FnMut(&[u8])) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let (mut piece, mut bytes) = (vec![0; PIECE], 0);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(bytes),
            count => {
                bytes += count as u64;
                each(&piece[..count]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_ends_where_it_should_and_has_the_length() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        let mut bytes = vec![7; 3 * PIECE];
        bytes[PIECE..2 * PIECE].fill(0);
        fs::write(&from, &bytes).unwrap();
        copy_file(&from, &to, 2 * PIECE as u64 + 5).unwrap();
        bytes[2 * PIECE + 5..].fill(0);
        assert_eq!(fs::read(&to).unwrap(), bytes);
        assert_eq!(copy_file(&from, &to, 1).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }
}
