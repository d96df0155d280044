//! What should be there: every operation in the order in which it was appended, and the position where it ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use store::Lsn;

/// One thing that was appended.
#[derive(Clone, Debug)]
pub enum Operation {
    Publish {
        quid: u64,
        seq: u64,
        body: u64,
    },
    Remove {
        quid: u64,
        seq: u64,
    },
    Requeue {
        quid: u64,
        seq: u64,
        delivery_count: u32,
    },
    Delivered {
        quid: u64,
        below: u64,
    },
    Create {
        quid: u64,
    },
    Delete {
        quid: u64,
    },
    /// Several, all or nothing.
    Together(Vec<Operation>),
}

/// A message as it is known: which body, and how often it came back.
pub type Known = (u64, u32);

/// What queues contain: what of it matters after a crash.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Contents {
    pub queues: BTreeSet<u64>,
    pub messages: BTreeMap<(u64, u64), Known>,
}

impl Contents {
    fn apply(&mut self, operation: &Operation, touched: &mut Vec<(u64, u64)>) {
        match operation {
            Operation::Publish { quid, seq, body } => {
                self.messages.insert((*quid, *seq), (*body, 0));
                touched.push((*quid, *seq));
            }
            Operation::Remove { quid, seq } => {
                self.messages.remove(&(*quid, *seq));
                touched.push((*quid, *seq));
            }
            Operation::Requeue { quid, seq, delivery_count } => {
                if let Some(known) = self.messages.get_mut(&(*quid, *seq)) {
                    known.1 = *delivery_count;
                }
                touched.push((*quid, *seq));
            }
            Operation::Delivered { .. } => {}
            Operation::Create { quid } => {
                self.queues.insert(*quid);
            }
            Operation::Delete { quid } => {
                self.queues.remove(quid);
                let gone: Vec<_> = self.messages.range((*quid, 0)..=(*quid, u64::MAX)).map(|(key, _)| *key).collect();
                for key in gone {
                    self.messages.remove(&key);
                    touched.push(key);
                }
            }
            Operation::Together(operations) => operations.iter().for_each(|each| self.apply(each, touched)),
        }
    }
}

/// The history of a store since it was last known what it contains.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    base: Contents,
    operations: Vec<(Operation, Lsn)>,
    delivered: HashMap<u64, u64>,
}

impl Oracle {
    /// A history that begins with what a store contained when it was opened.
    pub fn new(base: Contents, delivered: HashMap<u64, u64>) -> Oracle {
        Oracle { base, delivered, ..Oracle::default() }
    }

    pub fn appended(&mut self, operation: Operation, end: Lsn) {
        self.operations.push((operation, end));
    }

    /// What is there after everything.
    pub fn now(&self) -> Contents {
        let mut contents = self.base.clone();
        for (operation, _) in &self.operations {
            contents.apply(operation, &mut Vec::new());
        }
        contents
    }

    /// How far a queue's messages were marked as delivered at the least.
    pub fn delivered_below(&self, quid: u64, durable: Lsn) -> u64 {
        let before = self.delivered.get(&quid).copied().unwrap_or(0);
        let marks = self.operations.iter().take_while(|(_, end)| *end <= durable);
        marks.fold(before, |highest, (operation, _)| match operation {
            Operation::Delivered { quid: of, below } if *of == quid => highest.max(*below),
            _ => highest,
        })
    }

    /// Checks what a store contains after a crash: it must be what was there after some number of operations, and not
    /// before those that were `durable`.
    pub fn check(&self, found: &Contents, durable: Lsn) -> Result<(), String> {
        let mut contents = self.base.clone();
        let mut wrong: BTreeSet<(u64, u64)> = BTreeSet::new();
        for key in contents.messages.keys().chain(found.messages.keys()) {
            if contents.messages.get(key) != found.messages.get(key) {
                wrong.insert(*key);
            }
        }
        let mut nearest: Option<(usize, BTreeSet<(u64, u64)>)> = None;
        for done in 0..=self.operations.len() {
            let is_durable = self.operations.get(done).is_some_and(|(_, end)| *end <= durable);
            if !is_durable {
                if wrong.is_empty() && contents.queues == found.queues {
                    return Ok(());
                }
                if nearest.as_ref().is_none_or(|(_, fewest)| wrong.len() < fewest.len()) {
                    nearest = Some((done, wrong.clone()));
                }
            }
            let Some((operation, _)) = self.operations.get(done) else { break };
            let mut touched = Vec::new();
            contents.apply(operation, &mut touched);
            for key in touched {
                if contents.messages.get(&key) == found.messages.get(&key) {
                    wrong.remove(&key);
                } else {
                    wrong.insert(key);
                }
            }
        }
        Err(self.explain(found, durable, nearest))
    }

    fn explain(&self, found: &Contents, durable: Lsn, nearest: Option<(usize, BTreeSet<(u64, u64)>)>) -> String {
        let (done, wrong) = nearest.unwrap_or_default();
        let some: Vec<_> = wrong.iter().take(8).map(|key| (key, found.messages.get(key), self.history(*key))).collect();
        format!(
            "durable to {}, nearest after {done} of {} operations; queues {:?}; {} messages differ: {some:#?}",
            durable.0,
            self.operations.len(),
            found.queues,
            wrong.len()
        )
    }

    fn history(&self, key: (u64, u64)) -> Vec<String> {
        let mut contents = self.base.clone();
        let mut lines = vec![format!("at first {:?}", contents.messages.get(&key))];
        for (at, (operation, end)) in self.operations.iter().enumerate() {
            let mut touched = Vec::new();
            contents.apply(operation, &mut touched);
            if touched.contains(&key) {
                lines.push(format!("{at}, to {}: {operation:?}", end.0));
            }
        }
        lines
    }
}
