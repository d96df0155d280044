//! The names that connections and channels have where RabbitMQ prints an Erlang process.

use broker::ConnectionId;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes process ids of connections and channels, and reads them back.
#[derive(Debug)]
pub(crate) struct Pids {
    node: String,
    /// When the broker started, in seconds since 1970: a process id of a former run means nobody.
    creation: AtomicU64,
}

impl Pids {
    pub(crate) fn new(node: String, creation: u64) -> Pids {
        broker::set_process_creation(creation);
        Pids { node, creation: AtomicU64::new(creation) }
    }

    /// Makes all process ids of before mean nobody.
    pub(crate) fn renew(&self) {
        let former = self.creation.fetch_add(1, Ordering::Relaxed);
        broker::set_process_creation(former + 1);
    }

    fn creation(&self) -> u64 {
        self.creation.load(Ordering::Relaxed)
    }

    /// `<NODE.CREATION.ID.0>`, as RabbitMQ's tools print process ids.
    pub(crate) fn connection(&self, id: ConnectionId) -> String {
        self.channel(id, 0)
    }

    /// The same with the channel's number behind the connection's id.
    pub(crate) fn channel(&self, id: ConnectionId, number: u16) -> String {
        format!("<{}.{}.{}.{number}>", self.node, self.creation(), id.0)
    }

    /// The connection that `text` names, if it is a process id of this run.
    pub(crate) fn parse(&self, text: &str) -> Option<ConnectionId> {
        let inner = text.strip_prefix('<')?.strip_suffix('>')?;
        let inner = inner.strip_prefix(self.node.as_str())?.strip_prefix('.')?;
        let mut numbers = inner.split('.').map(|part| part.parse::<u64>().ok());
        let (creation, id) = (numbers.next()??, numbers.next()??);
        numbers.next()??;
        (creation == self.creation() && numbers.next().is_none()).then_some(ConnectionId(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_id_comes_back() {
        let pids = Pids::new("rabbit@host.example".to_owned(), 1_795_350_204);
        let text = pids.connection(ConnectionId(17));
        assert_eq!(text, "<rabbit@host.example.1795350204.17.0>");
        assert_eq!(pids.parse(&text), Some(ConnectionId(17)));
        pids.renew();
        assert_eq!(pids.parse(&text), None);
    }

    #[test]
    fn other_texts_are_nobodys() {
        let pids = Pids::new("rabbit@host".to_owned(), 100);
        for text in [
            "",
            "<>",
            "17",
            "<rabbit@host.99.17.0>",
            "<other@host.100.17.0>",
            "<rabbit@host.100.17>",
            "<rabbit@host.100.17.0.1>",
            "<rabbit@host.100.x.0>",
        ] {
            assert_eq!(pids.parse(text), None, "{text}");
        }
    }
}
