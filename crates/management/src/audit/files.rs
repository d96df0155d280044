//! The files of the audit log: `audit.log`, and older ones numbered from 1.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Name of the current file in the data directory.
const NAME: &str = "audit.log";
/// Nobody else reads who did what.
const MODE: u32 = 0o640;
/// Read at once, from the end.
const BLOCK: u64 = 64 << 10;
/// Lines are shorter than this; what is not is damage, and skipped.
const LONGEST_LINE: usize = 1 << 20;

/// Where lines are appended, a file as long as it may be and as many as there may be.
pub(super) struct Files {
    directory: PathBuf,
    file_size_bytes: u64,
    files: usize,
    current: Option<(File, u64)>,
}

pub(super) fn path(directory: &Path, number: usize) -> PathBuf {
    match number {
        0 => directory.join(NAME),
        older => directory.join(format!("{NAME}.{older}")),
    }
}

impl Files {
    pub(super) fn new(directory: PathBuf, file_size_bytes: u64, files: usize) -> Files {
        Files { directory, file_size_bytes, files, current: None }
    }

    /// Appends a line, whole or not at all as far as a write is.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let (mut file, length) = match self.current.take() {
            Some((_, length)) if length + line.len() as u64 > self.file_size_bytes && length > 0 => {
                self.rotate()?;
                self.open()?
            }
            Some(current) => current,
            None => self.open()?,
        };
        file.write_all(line)?;
        self.current = Some((file, length + line.len() as u64));
        Ok(())
    }

    /// Opens the current file. What a crash left of a line there is ended, so that the next one is whole.
    fn open(&self) -> io::Result<(File, u64)> {
        let path = path(&self.directory, 0);
        let mut file = OpenOptions::new().append(true).read(true).create(true).mode(MODE).open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        if length > 0 {
            let mut last = [0];
            file.seek(SeekFrom::Start(length - 1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok((file, length))
    }

    fn rotate(&self) -> io::Result<()> {
        let number = |number| path(&self.directory, number);
        for older in (0..self.files.saturating_sub(1)).rev() {
            match fs::rename(number(older), number(older + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if self.files == 1 {
            fs::remove_file(number(0))?;
        }
        Ok(())
    }
}

/// The newest lines of all files, without `skip` of them, `most` at most, and whether there are older ones.
pub(super) fn newest(directory: &Path, files: usize, skip: usize, most: usize) -> io::Result<(Vec<String>, bool)> {
    let mut lines = Vec::new();
    let mut passed = 0;
    for number in 0..files {
        let mut file = match File::open(path(directory, number)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let more = backwards(&mut file, |line| {
            if passed < skip {
                passed += 1;
                return true;
            }
            if lines.len() == most {
                return false;
            }
            lines.push(String::from_utf8_lossy(line).into_owned());
            true
        })?;
        if !more {
            return Ok((lines, true));
        }
    }
    Ok((lines, false))
}

/// Gives the lines of a file from the last to the first, until that is enough; false when it was.
fn backwards(file: &mut File, mut enough: impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut tail: Vec<u8> = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(end - start).unwrap_or(0)];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        block.append(&mut tail);
        tail = block;
        end = start;
        while let Some(feed) = tail.iter().rposition(|byte| *byte == b'\n') {
            let line = tail.split_off(feed + 1);
            tail.truncate(feed);
            if !line.is_empty() && !enough(&line) {
                return Ok(false);
            }
        }
        if tail.len() > LONGEST_LINE {
            tail.clear();
        }
    }
    Ok(tail.is_empty() || enough(&tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: usize) -> Vec<u8> {
        format!("{{\"number\":{number}}}\n").into_bytes()
    }

    #[test]
    fn files_are_begun_anew_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = Files::new(directory.path().to_owned(), 64, 3);
        for number in 0..100 {
            files.append(&line(number)).unwrap();
        }
        let mut names: Vec<_> =
            fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["audit.log", "audit.log.1", "audit.log.2"]);
        let (lines, more) = newest(directory.path(), 3, 0, 4).unwrap();
        assert_eq!((lines[0].as_str(), lines[3].as_str(), more), ("{\"number\":99}", "{\"number\":96}", true));
        let (all, more) = newest(directory.path(), 3, 0, 1000).unwrap();
        assert!(!more && (8..16).contains(&all.len()), "{all:?}");
        let (rest, _) = newest(directory.path(), 3, 5, 1000).unwrap();
        assert_eq!(rest, all[5..]);
    }

    #[test]
    fn one_file_is_enough() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = Files::new(directory.path().to_owned(), 20, 1);
        files.append(&line(1)).unwrap();
        files.append(&line(2)).unwrap();
        assert_eq!(newest(directory.path(), 1, 0, 9).unwrap(), (vec!["{\"number\":2}".to_owned()], false));
    }

    #[test]
    fn half_a_line_spoils_no_other() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(path(directory.path(), 0), b"{\"number\":1}\n{\"num").unwrap();
        Files::new(directory.path().to_owned(), 1000, 2).append(&line(2)).unwrap();
        let (lines, _) = newest(directory.path(), 2, 0, 9).unwrap();
        assert_eq!(lines, ["{\"number\":2}", "{\"num", "{\"number\":1}"]);
    }

    #[test]
    fn lines_across_blocks_are_whole() {
        let directory = tempfile::tempdir().unwrap();
        let mut files = Files::new(directory.path().to_owned(), 1 << 30, 1);
        for number in 0..20_000 {
            files.append(&line(number)).unwrap();
        }
        let (lines, _) = newest(directory.path(), 1, 0, 20_000).unwrap();
        let expected: Vec<String> = (0..20_000).rev().map(|number| format!("{{\"number\":{number}}}")).collect();
        assert!(lines == expected);
    }
}
