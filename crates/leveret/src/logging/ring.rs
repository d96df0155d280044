//! The last lines of the log, for those who ask over HTTP.

use std::collections::VecDeque;

/// Lines that are kept at most.
const MAX_LINES: usize = 4096;
/// Bytes that they may take at most.
const MAX_BYTES: usize = 1 << 20;

/// Numbered lines, the first of which is 1.
#[derive(Debug, Default)]
pub(super) struct Ring {
    lines: VecDeque<String>,
    bytes: usize,
    /// The number of the last line.
    last: u64,
}

impl Ring {
    pub(super) fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.last += 1;
        self.lines.push_back(line);
        while self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }

    /// The newest that came after line `after`, at most `most`, and the number of the last.
    pub(super) fn lines(&self, after: u64, most: usize) -> (Vec<String>, u64) {
        let newer = usize::try_from(self.last.saturating_sub(after)).unwrap_or(usize::MAX);
        let wanted = newer.min(most).min(self.lines.len());
        (self.lines.iter().skip(self.lines.len() - wanted).cloned().collect(), self.last)
    }
}
