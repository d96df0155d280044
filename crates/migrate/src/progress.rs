//! Saying how far it is: a bar on a terminal, now and then a line otherwise.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Between two lines.
const INTERVAL: Duration = Duration::from_secs(5);

/// How far all of it is.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    is_quiet: bool,
    total: u64,
    done: u64,
    said: Instant,
}

impl Progress {
    /// `total` messages are to be moved, of which `done` have been.
    pub(crate) fn new(total: u64, done: u64, is_quiet: bool) -> Progress {
        let bar = (std::io::stderr().is_terminal() && !is_quiet).then(|| {
            let bar = ProgressBar::new(total);
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} messages, {per_sec}, {eta} left  {msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_position(done)
        });
        Progress { bar, is_quiet, total, done, said: Instant::now() }
    }

    /// It is this queue's turn.
    pub(crate) fn at(&mut self, queue: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(queue.to_owned());
        }
    }

    /// So many more have been moved.
    pub(crate) fn moved(&mut self, count: u64) {
        self.done += count;
        // Publishers may go on meanwhile.
        self.total = self.total.max(self.done);
        match &self.bar {
            Some(bar) => {
                bar.set_length(self.total);
                bar.set_position(self.done);
            }
            None if !self.is_quiet && self.said.elapsed() >= INTERVAL => {
                println!("moved {} of {} messages", self.done, self.total);
                self.said = Instant::now();
            }
            None => {}
        }
    }

    /// A line above the bar.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| println!("{line}")),
            None => println!("{line}"),
        }
    }

    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
