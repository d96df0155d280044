//! What those are told who watch exchanges and queues; nothing here runs while nobody does.

use super::Core;
use super::item::Item;
use crate::admin::MessageView;
use crate::tap::Told;
use crate::topology::{Exchange, QueueCell};
use queue::Entry;

impl Core {
    /// Publishes of a run went to an exchange.
    #[cold]
    pub(super) fn note_published(&mut self, exchange: &Exchange, items: &[Item], buffer: &[u8]) {
        let mut told = std::mem::take(&mut self.told);
        for item in items {
            self.note_item(&exchange.taps, "publish", item, buffer, &mut told);
        }
        self.told = told;
    }

    /// Messages of a run are about to enter a queue: the events of those that somebody watches, and which they are.
    #[cold]
    pub(super) fn note_entering(&self, cell: &QueueCell, items: &[Item], buffer: &[u8]) -> Vec<(usize, Told)> {
        let (mut all, mut told) = (Vec::new(), Vec::new());
        for (at, item) in items.iter().enumerate() {
            self.note_item(&cell.taps, "enter", item, buffer, &mut told);
            all.extend(told.drain(..).map(|told| (at, told)));
        }
        all
    }

    /// They did, but for those that the queue refused; what followed for others is told behind `at`.
    #[cold]
    pub(super) fn tell_entered(&mut self, told: Vec<(usize, Told)>, items: &[Item], at: usize) {
        let entered = |(at, _): &(usize, Told)| items.get(*at).is_some_and(|item| !item.rejected);
        let entered = told.into_iter().filter(entered).map(|(_, told)| told);
        self.told.splice(at..at, entered);
    }

    /// Messages left a queue.
    #[cold]
    pub(crate) fn note_left<'a>(
        &mut self,
        cell: &QueueCell,
        what: &'static str,
        entries: impl Iterator<Item = &'a Entry>,
    ) {
        for entry in entries {
            let message = (entry.seq, entry.message.as_ref());
            cell.taps.note_message(what, message, self.time_ms, &mut self.told);
        }
    }

    fn note_item(&self, taps: &crate::tap::Taps, what: &'static str, item: &Item, buffer: &[u8], told: &mut Vec<Told>) {
        if let Some(message) = &item.stored {
            return taps.note_message(what, (0, Some(message)), self.time_ms, told);
        }
        let (parts, body) = (item.parts(buffer, self.time_ms), item.body(buffer));
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let view = |truncate: usize| MessageView {
            exchange: text(parts.exchange()),
            routing_key: text(parts.routing_key()),
            header: parts.header.to_vec(),
            body: body[..body.len().min(truncate)].to_vec(),
            body_bytes: body.len(),
            entered_ms: self.time_ms,
            ..MessageView::default()
        };
        taps.note(what, parts.routing_key(), self.time_ms, view, told);
    }
}
