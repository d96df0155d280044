//! `leveret backup` and `leveret restore`.

use crate::backup;
use anyhow::{Context, Result, bail};
use cli::http::{Endpoint, Request, send};
use indicatif::ProgressBar;
use std::io::IsTerminal;
use std::path::{Path, absolute};
use std::time::Duration;

/// How long a backup may take: the broker answers when it is made.
const PATIENCE: Duration = Duration::from_secs(7 * 86_400);

/// Has the broker whose data are in `data_dir` make a backup.
pub(crate) fn back_up(data_dir: &Path, to: &Path, is_quiet: bool) -> Result<()> {
    let to = absolute(to)?;
    let socket = data_dir.join(management::SOCKET_NAME);
    let is_seen = std::io::stderr().is_terminal() && !is_quiet;
    let waiting = if is_seen { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    waiting.set_message(format!("backing up to {}", to.display()));
    waiting.enable_steady_tick(Duration::from_millis(100));
    let body = serde_json::json!({ "path": to }).to_string();
    let request =
        Request { method: "POST", path: "/api/leveret/backup", body: &body, timeout: Some(PATIENCE), headers: &[] };
    let answer = send(&Endpoint::Socket(socket), &request)
        .with_context(|| format!("no broker answers that has its data in {}", data_dir.display()))?;
    waiting.finish_and_clear();
    let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.status != 200 {
        bail!("{}", value["reason"].as_str().unwrap_or("the broker does not say why there is no backup"));
    }
    println!("{} files with {} bytes are in {}", value["files"], value["bytes"], to.display());
    Ok(())
}

/// Makes a data directory of a backup.
pub(crate) fn restore(from: &Path, to: &Path, is_quiet: bool) -> Result<()> {
    let inventory = backup::restore(from, to, is_quiet)?;
    println!("{} files with {} bytes are in {}", inventory.files.len(), inventory.bytes(), to.display());
    Ok(())
}
