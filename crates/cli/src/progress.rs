//! Something that moves on standard error while a command waits, where it is a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is over sooner is not worth a word.
const SOON: Duration = Duration::from_millis(300);
const TICK: Duration = Duration::from_millis(100);
const FRAMES: [char; 4] = ['|', '/', '-', '\\'];
/// Goes to the beginning of the line and clears it.
const CLEAR: &str = "\r\x1b[2K";

/// Shows what is waited for, and how long already; its line is gone when it is dropped.
pub(crate) struct Waiting {
    shown: Option<(Sender<String>, JoinHandle<()>)>,
}

impl Waiting {
    /// Nothing is shown unless it `is_wanted` and standard error is a terminal.
    pub(crate) fn new(what: &str, is_wanted: bool) -> Waiting {
        if !is_wanted || !io::stderr().is_terminal() {
            return Waiting { shown: None };
        }
        let (sender, receiver) = channel();
        let what = what.to_owned();
        let shown = thread::Builder::new().name("progress".to_owned()).spawn(move || show(what, &receiver));
        // Without a thread it is only less talkative.
        Waiting { shown: shown.ok().map(|thread| (sender, thread)) }
    }

    /// Shows something else from now on, such as how far it is.
    pub(crate) fn say(&self, what: String) {
        if let Some((sender, _)) = &self.shown {
            // Its end is this value's.
            let _ = sender.send(what);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.shown.take() {
            drop(sender);
            // A panic there has nothing to do with the command.
            let _ = thread.join();
        }
    }
}

fn show(mut what: String, news: &Receiver<String>) {
    let begun = Instant::now();
    let mut frames = FRAMES.iter().cycle();
    let mut wait = SOON;
    let mut is_shown = false;
    let mut error = io::stderr();
    loop {
        match news.recv_timeout(wait) {
            Ok(other) => what = other,
            Err(RecvTimeoutError::Timeout) => {
                wait = TICK;
                is_shown = true;
                let frame = frames.next().unwrap_or(&' ');
                // A terminal that has gone is nobody's loss.
                let _ = write!(error, "{CLEAR}{}", line(*frame, &what, begun.elapsed()));
                let _ = error.flush();
            }
            Err(RecvTimeoutError::Disconnected) => {
                if is_shown {
                    let _ = write!(error, "{CLEAR}");
                    let _ = error.flush();
                }
                return;
            }
        }
    }
}

fn line(frame: char, what: &str, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    match seconds / 60 {
        0 => format!("{frame} {what} ({seconds} s)"),
        minutes => format!("{frame} {what} ({minutes} min {} s)", seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_for_how_long() {
        assert_eq!(line('|', "purging q", Duration::from_secs(7)), "| purging q (7 s)");
        assert_eq!(line('-', "moving", Duration::from_secs(61)), "- moving (1 min 1 s)");
    }
}
