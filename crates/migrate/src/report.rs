//! The counts of every queue side by side.

use crate::Outcome;
use crate::state::{Counts, State};

/// A queue after everything has been moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) vhost: String,
    pub(crate) name: String,
    pub(crate) counts: Counts,
    /// Messages at the new broker.
    pub(crate) new_after: u64,
    /// Others consume from the new queue, so that it need not have what was moved.
    pub(crate) is_consumed: bool,
}

/// What the counts say.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Equal,
    /// Fine, and worth a word.
    Noted(String),
    Different(String),
}

impl Line {
    fn verdict(&self, window: u64) -> Verdict {
        let Counts { before, new_before, moved, interrupted, .. } = self.counts;
        let gained = self.new_after.saturating_sub(new_before);
        let twice_at_most = interrupted.saturating_mul(window);
        if moved < before {
            let gone = before - moved;
            return Verdict::Different(format!("{gone} were consumed or expired at the old broker meanwhile"));
        }
        if gained < moved {
            let missing = moved - gained;
            let why = if self.is_consumed { "consumed at the new broker" } else { "expired, or dropped by a limit" };
            return Verdict::Different(format!("{missing} are not there any more: {why}"));
        }
        if gained > moved + twice_at_most {
            return Verdict::Different(format!("{} more than were moved: published meanwhile", gained - moved));
        }
        if gained > moved {
            return Verdict::Noted(format!("{} are there twice: a run was interrupted", gained - moved));
        }
        match moved - before {
            0 => Verdict::Equal,
            more if interrupted > 0 => Verdict::Noted(format!("{more} were published meanwhile or moved again")),
            more => Verdict::Noted(format!("{more} were published at the old broker meanwhile")),
        }
    }
}

/// The report, a line for each queue and one for all, and what to make of it.
pub(crate) fn report(lines: &[Line], state: &State) -> (String, Outcome) {
    let mut text = String::from("old before\tmoved\tnew before\tnew after\tqueue\n");
    let mut outcome = Outcome::Complete;
    let mut moved = 0;
    for line in lines {
        let Counts { before, new_before, moved: of_queue, .. } = line.counts;
        moved += of_queue;
        let verdict = match line.verdict(state.window) {
            Verdict::Equal => String::new(),
            Verdict::Noted(words) => format!(" ({words})"),
            Verdict::Different(words) => {
                outcome = Outcome::Different;
                format!(" DIFFERENT: {words}")
            }
        };
        let (after, vhost, name) = (line.new_after, &line.vhost, &line.name);
        text.push_str(&format!("{before}\t{of_queue}\t{new_before}\t{after}\t'{name}' in vhost '{vhost}'{verdict}\n"));
    }
    text.push_str(&format!("{moved} messages of {} queues moved", lines.len()));
    (text, outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(before: u64, moved: u64, new_before: u64, new_after: u64, interrupted: u64) -> Verdict {
        let counts = Counts { before, moved, new_before, interrupted, is_open: false };
        let line = Line { vhost: "/".into(), name: "q".into(), counts, new_after, is_consumed: false };
        line.verdict(10)
    }

    #[test]
    fn counts_are_compared() {
        assert_eq!(verdict(5, 5, 2, 7, 0), Verdict::Equal);
        assert!(matches!(verdict(5, 6, 0, 6, 0), Verdict::Noted(_)), "published meanwhile");
        assert!(matches!(verdict(5, 4, 0, 4, 0), Verdict::Different(_)), "gone at the old one");
        assert!(matches!(verdict(5, 5, 0, 4, 0), Verdict::Different(_)), "gone at the new one");
        assert!(matches!(verdict(5, 5, 0, 6, 0), Verdict::Different(_)), "more than moved");
        assert!(matches!(verdict(5, 5, 0, 15, 1), Verdict::Noted(_)), "twice after a crash");
        assert!(matches!(verdict(5, 5, 0, 16, 1), Verdict::Different(_)), "more than can be twice");
    }

    #[test]
    fn a_difference_is_the_outcome() {
        let line = |moved| Line {
            vhost: "/".into(),
            name: "q".into(),
            counts: Counts { before: 2, moved, ..Counts::default() },
            new_after: moved,
            is_consumed: false,
        };
        assert_eq!(report(&[line(2)], &State::default()).1, Outcome::Complete);
        let (text, outcome) = report(&[line(2), line(1)], &State::default());
        assert_eq!(outcome, Outcome::Different);
        assert!(text.contains("DIFFERENT") && text.ends_with("3 messages of 2 queues moved"), "{text}");
    }
}
