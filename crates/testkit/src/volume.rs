//! A file system of its own in an image file: one that can be full, and whose power can be cut.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::ioctl;
use tempfile::TempDir;

/// `EXT4_IOC_SHUTDOWN`: `_IOR('X', 125, __u32)`.
const EXT4_IOC_SHUTDOWN: ioctl::Opcode = ioctl::opcode::read::<u32>(b'X', 125);
/// `EXT4_GOING_FLAGS_NOLOGFLUSH`: what is not on the disk yet never comes there.
const NO_LOG_FLUSH: u32 = 2;

/// A mounted ext4 file system in an image file; dropping it unmounts and removes it. Needs root, loop devices and mkfs.ext4.
#[derive(Debug)]
pub struct Volume {
    directory: TempDir,
    /// Unmounts when this process ends without dropping the volume.
    watchdog: Child,
}

impl Volume {
    /// A fresh file system of `bytes`, or why there can be none here.
    pub fn new(bytes: u64) -> Result<Volume, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can mount a file system".to_owned());
        }
        let directory = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
        let watchdog = watchdog(directory.path()).map_err(|error| format!("no watchdog: {error}"))?;
        let volume = Volume { directory, watchdog };
        let image = File::create(volume.image()).and_then(|image| image.set_len(bytes));
        image.and_then(|()| std::fs::create_dir(volume.path())).map_err(|error| format!("no image file: {error}"))?;
        // No blocks are kept for root, because the broker under test is root.
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(volume.image()))?;
        volume.try_mount()?;
        Ok(volume)
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image")
    }

    fn try_mount(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop"]).arg(self.image()).arg(self.path()))
    }

    /// From now on nothing reaches the disk, and every write and sync fails. What was written and not synced is lost, as
    /// far as the system had not written it anyway.
    #[track_caller]
    pub fn cut_power(&self) {
        let root = File::open(self.path()).unwrap_or_else(|error| panic!("cannot open the volume: {error}"));
        if let Err(error) = shut_down(&root) {
            panic!("cannot cut the power of the volume: {error}");
        }
    }

    /// Mounts it anew, as after a power cut; nobody may have a file of it open.
    #[track_caller]
    pub fn remount(&self) {
        run(Command::new("umount").arg(self.path())).unwrap_or_else(|error| panic!("{error}"));
        self.try_mount().unwrap_or_else(|error| panic!("{error}"));
    }

    /// Fills what is free with a file called `name`, to the last byte.
    #[track_caller]
    pub fn fill(&self, name: &str) {
        let path = self.path().join(name);
        let filled = File::create(&path).and_then(|mut file| {
            let mut part = vec![0x55; 1 << 20];
            while !part.is_empty() {
                match file.write(&part).and_then(|written| file.sync_data().map(|()| written)) {
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => part.truncate(part.len() / 16),
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        });
        filled.unwrap_or_else(|error| panic!("cannot fill {}: {error}", path.display()));
    }

    /// Removes a file called `name`.
    #[track_caller]
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path().join(name)).unwrap_or_else(|error| panic!("cannot remove {name}: {error}"));
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // The image is removed with its directory, and the loop device frees itself when it is unmounted.
        if let Err(error) = run(Command::new("umount").arg("--lazy").arg(self.path())) {
            eprintln!("{error}");
        }
        let _ = self.watchdog.kill();
        let _ = self.watchdog.wait();
    }
}

#[expect(unsafe_code, reason = "an ioctl that rustix has no safe function for")]
fn shut_down(root: &File) -> io::Result<()> {
    // SAFETY: the ioctl reads one u32 through the pointer that `Setter` passes, and writes nothing to memory.
    unsafe {
        ioctl::ioctl(root, ioctl::Setter::<EXT4_IOC_SHUTDOWN, u32>::new(NO_LOG_FLUSH))?;
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// A shell that waits for the end of its standard input, which this process holds, then unmounts and removes everything.
fn watchdog(directory: &Path) -> io::Result<Child> {
    let script = r#"trap "" INT TERM; read -r _; umount --lazy "$1/mounted" 2>/dev/null; rm -rf -- "$1""#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "watchdog"]).arg(directory);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `None`, with a line that says why, where there can be no volume.
    fn volume() -> Option<Volume> {
        Volume::new(32 << 20).inspect_err(|why| eprintln!("skipped: {why}")).ok()
    }

    #[test]
    fn a_power_cut_keeps_what_was_synced() {
        let Some(volume) = volume() else { return };
        let path = volume.path().join("file");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"synced").unwrap();
        file.sync_all().unwrap();
        file.write_all(b", not synced").unwrap();
        std::fs::write(volume.path().join("unsynced"), "x").unwrap();
        volume.cut_power();
        assert!(file.write_all(b"later").and_then(|()| file.sync_all()).is_err());
        drop(file);
        volume.remount();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "synced");
        assert!(!volume.path().join("unsynced").exists());
    }

    #[test]
    fn a_filled_volume_has_no_space() {
        let Some(volume) = volume() else { return };
        volume.fill("other");
        let error = std::fs::write(volume.path().join("file"), vec![1; 1 << 16]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        volume.remove("other");
        std::fs::write(volume.path().join("file"), vec![1; 1 << 16]).unwrap();
    }
}
