//! What survives: the message store with its log, and the definitions whose journal that log is.

use crate::application::fail_stop;
use crate::backup;
use crate::settings;
use anyhow::{Context, Result};
use broker::Broker;
use config::Config;
use metadata::{ChangeLog, LogJournal, Snapshot, Token};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use store::{Backlog, Log, Lsn, Options, Store, SystemDisk};
use tracing::{error, warn};

/// The folder of the data directory that messages are in.
pub(crate) const MESSAGES: &str = "messages";
/// The file of the data directory that definitions are in.
const DEFINITIONS: &str = "metadata.redb";

/// The open data directory.
pub(crate) struct Storage {
    pub(crate) store: Arc<Store>,
    pub(crate) journal: Arc<LogJournal>,
    pub(crate) snapshot: Snapshot,
    /// What the queues have on disk.
    pub(crate) backlogs: HashMap<u64, Backlog>,
    /// Who is told that more is durable; set once there is a broker.
    pub(crate) told: Arc<OnceLock<Arc<Broker>>>,
    writer: JoinHandle<()>,
}

/// The log as the journal sees it.
struct Changes(Arc<Log>);

impl ChangeLog for Changes {
    fn append(&self, bytes: &[u8]) -> Token {
        let mut appender = self.0.append();
        appender.metadata(bytes);
        let end = appender.end();
        drop(appender);
        // Whoever proposes waits for it, and not always on a reactor, whose turn would end with this.
        self.0.commit();
        Token(end.0)
    }

    fn durable(&self) -> Token {
        Token(self.0.durable().0)
    }
}

/// Deletes definitions and messages of a data directory that nobody uses; what was interrupted is to be repeated.
pub(crate) fn clear(data_dir: &Path) -> Result<()> {
    let _lock = metadata::DirectoryLock::acquire(data_dir)?;
    let remove = |path: &Path, result: std::io::Result<()>| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot delete {}", path.display()))
        }
        _ => Ok(()),
    };
    // Definitions go last: with them and without messages the broker starts.
    let (messages, definitions) = (data_dir.join(MESSAGES), data_dir.join(DEFINITIONS));
    remove(&messages, std::fs::remove_dir_all(&messages))?;
    remove(&definitions, std::fs::remove_file(&definitions))
}

impl Storage {
    /// Opens the data directory and starts the log's thread.
    pub(crate) fn open(config: &Config, data_dir: &Path) -> Result<Storage> {
        backup::refuse_unfinished(data_dir)?;
        // First the definitions, whose lock is that of the whole directory.
        let (definitions, snapshot, applied) = metadata::Store::open(data_dir)?;
        if let Err(failure) = backup::tidy_up(data_dir) {
            error!("cannot remove what an interrupted backup left in {}: {failure}", data_dir.display());
        }
        let directory = data_dir.join(MESSAGES);
        let disk = SystemDisk::open(&directory).with_context(|| format!("cannot open {}", directory.display()))?;
        let options = Options { sync: settings::sync(config), ..Options::default() };
        let opened = Store::open(Arc::new(disk), options, Lsn(applied))
            .with_context(|| format!("cannot open the messages in {}", directory.display()))?;
        if opened.report.is_new && applied > 0 {
            warn!(
                "there are definitions and no messages: {} was not there, and begins anew; is a volume not mounted?",
                directory.display()
            );
        }
        let records = opened.metadata.into_iter().map(|(lsn, bytes)| (Token(lsn.0), bytes));
        let (snapshot, pending) = LogJournal::replay(snapshot, records, applied)?;
        let log = Arc::new(Changes(opened.store.log().clone()));
        let journal = Arc::new(LogJournal::start(definitions, log, pending)?);
        let told: Arc<OnceLock<Arc<Broker>>> = Arc::default();
        let mut writer = opened.writer;
        let tell = told.clone();
        writer.on_durable(Box::new(move |lsn| {
            if let Some(broker) = tell.get() {
                broker.journal_advanced(Token(lsn.0));
            }
        }));
        writer.on_failure(Box::new(|failure| {
            error!("messages and definitions cannot be made durable any more: {failure}");
            fail_stop();
        }));
        let writer = std::thread::Builder::new().name("log".to_owned()).spawn(move || writer.run())?;
        Ok(Storage { store: opened.store, journal, snapshot, backlogs: opened.backlogs, told, writer })
    }

    /// Makes everything durable and closes the data directory; called when nothing uses the store any more.
    pub(crate) fn close(self) {
        self.store.log().close();
        if self.writer.join().is_err() {
            error!("the log's thread ended with a panic");
        }
        if let Err(failure) = self.journal.shutdown() {
            error!("{failure}; the next start reads the definitions from the log");
        }
        self.store.close();
    }
}
