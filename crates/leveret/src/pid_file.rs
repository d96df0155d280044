//! The file that names this process, for scripts that wait for it or signal it.

use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// A file with this process's id; removed when this is dropped, unless another process has written its own there.
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes it, with its folder if that is missing. What another process left there, which may have been killed, is
    /// replaced: the lock of the data directory is what keeps two brokers apart.
    pub(crate) fn write(path: &Path) -> Result<PidFile> {
        let failed = || format!("cannot write the pid file {}", path.display());
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder).with_context(failed)?;
        }
        fs::write(path, content()).with_context(failed)?;
        Ok(PidFile(path.to_owned()))
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if fs::read_to_string(&self.0).is_ok_and(|text| text == content()) {
            // It may be gone by now, which is as good.
            let _ = fs::remove_file(&self.0);
        }
    }
}

/// RabbitMQ's has the number and the end of the line, too.
fn content() -> String {
    format!("{}\n", std::process::id())
}
