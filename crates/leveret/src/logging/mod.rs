//! The log: who may say what, where it goes, and how it looks there.
//!
//! A line is formatted and written on a thread of its own. Whoever logs puts a record into a bounded queue and goes on: when
//! outputs are slower than what is logged, lines are dropped and counted, and nobody waits.

mod date;
mod file;
mod format;
mod levels;
mod record;
mod ring;
mod subscriber;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use record::Record;

use anyhow::{Context, Result};
use config::{LogFormatter, LogLevel, LogOptions};
use format::Format;
use levels::{CATEGORIES, Levels};
use ring::Ring;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use writer::Message;
pub(crate) use writer::Outputs;

/// Records that may wait for the writer; with messages at their longest they take 64 MiB.
const QUEUE_RECORDS: usize = 8192;

/// How long the end of the process waits for an output that does not take what is logged.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// What becomes of a console without which there would be no log.
pub(crate) const CONSOLE_KEPT: &str = "log.console = false has no effect, since there is no other output of the log: set \
                                       log.dir, log.file or log.exchange, too";

static LOGGING: OnceLock<Arc<Logging>> = OnceLock::new();

/// Gets finished records on the writer's thread, in order; it must not log, and not take long.
pub(crate) type Tap = Box<dyn FnMut(&Record) + Send>;

/// The running log.
pub(crate) struct Logging {
    queue: SyncSender<Message>,
    /// By category, the least severe level that any output takes.
    least: [AtomicU8; CATEGORIES.len()],
    dropped: AtomicU64,
    ring: Mutex<Ring>,
    levels: Mutex<Levels>,
    /// The name of the node, after which its file is named.
    node: String,
}

/// Starts logging, with RabbitMQ's categories as targets; once per process.
pub(crate) fn start(options: &LogOptions, node: &str) -> Result<()> {
    let outputs = Outputs::open(options, node)?;
    let (queue, messages) = sync_channel(QUEUE_RECORDS);
    let logging = Arc::new(Logging {
        queue,
        least: Default::default(),
        dropped: AtomicU64::new(0),
        ring: Mutex::default(),
        levels: Mutex::new(Levels::new(options)),
        node: node.to_owned(),
    });
    logging.publish_levels();
    let levels = logging.levels().clone();
    let for_writer = logging.clone();
    std::thread::Builder::new()
        .name("logging".to_owned())
        .spawn(move || writer::run(&for_writer, &messages, outputs, levels))
        .context("cannot start the thread of the log")?;
    // Only a second start in one process finds one there, and the first goes on.
    let _ = LOGGING.set(logging.clone());
    let _ = tracing::subscriber::set_global_default(subscriber::Events::new(logging));
    Ok(())
}

/// The running log, unless there is none yet.
pub(crate) fn running() -> Option<&'static Arc<Logging>> {
    LOGGING.get()
}

/// Makes lines of records as an output with these options has them, each with a line feed.
pub(crate) fn formatter(options: &LogFormatter) -> impl Fn(&Record) -> String + use<> {
    let format = Format::new(options);
    move |record| format.lines(record)
}

/// Where records go, as RabbitMQ names it: files first, then `<stdout>` or `<stderr>`.
pub(crate) fn files(options: &LogOptions, node: &str) -> Vec<String> {
    let files = options.file.iter().chain(options.category_files.values());
    let mut all: Vec<String> = files.map(|file| file::path(&file.place, node).display().to_string()).collect();
    all.extend(options.console.as_ref().map(|console| format!("<{}>", console.stdio.as_str())));
    all
}

/// Says that the console was switched off and is there all the same.
pub(crate) fn warn_of_console(options: &LogOptions) {
    if options.is_console_kept {
        tracing::warn!("{CONSOLE_KEPT}");
    }
}

/// Waits until everything that was logged is written, but not for an output that takes nothing.
pub(crate) fn flush() {
    if let Some(logging) = running() {
        let _ = logging.ask(Message::Flush);
    }
}

impl Logging {
    /// Opens other outputs for [`Logging::configure`]; nothing changes yet.
    pub(crate) fn prepare(&self, options: &LogOptions) -> Result<Outputs> {
        Outputs::open(options, &self.node)
    }

    /// Takes other outputs and levels.
    pub(crate) fn configure(&self, options: &LogOptions, outputs: Outputs) -> Result<()> {
        self.change_levels(Levels::new(options), Some(outputs))
    }

    /// Changes the level of a category, or of everything; it holds until the configuration is read again.
    pub(crate) fn set_level(&self, level: LogLevel, category: Option<&str>) -> Result<()> {
        let mut levels = self.levels().clone();
        match category {
            Some(category) => {
                let known = levels.set_category(category, level);
                anyhow::ensure!(known, "there is no category `{category}`, there are {}", CATEGORIES.join(", "));
            }
            None => levels.set_all(level),
        }
        self.change_levels(levels, None)
    }

    fn change_levels(&self, levels: Levels, outputs: Option<Outputs>) -> Result<()> {
        *self.levels() = levels.clone();
        self.ask(|done| Message::Configure { levels: Box::new(levels), outputs: outputs.map(Box::new), done })?;
        self.publish_levels();
        Ok(())
    }

    /// Begins new files, or opens those anew that were moved away.
    pub(crate) fn rotate(&self) -> Result<()> {
        self.ask(Message::Rotate)
    }

    /// Has every record handed to `tap` that `log.exchange` wants, besides what goes to the outputs.
    pub(crate) fn tap(&self, tap: Tap) -> Result<()> {
        self.ask(|done| Message::Tap { tap, done })
    }

    /// The newest lines that came after line number `after`, at most `most`, with the number of the last line there is.
    pub(crate) fn lines(&self, after: u64, most: usize) -> (Vec<String>, u64) {
        self.ring().lines(after, most)
    }

    /// Records that no output got, because they were slower than what was logged.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn put(&self, record: Record) {
        if self.queue.try_send(Message::Record(record)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends the writer a message and waits until it is done with it.
    fn ask(&self, message: impl FnOnce(SyncSender<()>) -> Message) -> Result<()> {
        let deadline = Instant::now() + FLUSH_TIMEOUT;
        let (done, is_done) = sync_channel(1);
        let mut message = message(done);
        loop {
            match self.queue.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < deadline => message = back,
                Err(_) => anyhow::bail!("the log takes nothing more: an output is stuck"),
            }
            std::thread::park_timeout(Duration::from_millis(1));
        }
        is_done.recv_timeout(FLUSH_TIMEOUT).context("the log takes nothing more: an output is stuck")
    }

    fn publish_levels(&self) {
        let levels = self.levels().clone();
        for (category, least) in self.least.iter().enumerate() {
            least.store(levels.least(category) as u8, Ordering::Relaxed);
        }
        tracing::callsite::rebuild_interest_cache();
    }

    fn levels(&self) -> MutexGuard<'_, Levels> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
