//! A small broker for tests: queues with backlogs over a store on a simulated disk, driven step by step by a seed.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "all of this is tests, in modules where clippy does not see it")]

mod oracle;
mod workload;

pub use oracle::{Contents, Known, Operation, Oracle};
#[allow(unused_imports, reason = "each test binary uses a part")]
pub use workload::Workload;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use store::simulation::{Random, Sabotage, SimulatedDisk};
use store::*;

pub const SEGMENT_BYTES: u64 = 1 << 20;

/// A queue: what is on disk, and what is in memory only.
#[derive(Default)]
pub struct Queue {
    pub backlog: Backlog,
    pub next_seq: u64,
    /// Transient messages by sequence number.
    pub in_memory: BTreeMap<u64, Message>,
    /// The messages of the backlog that survive.
    pub persistent: BTreeMap<u64, Known>,
    /// And those that do not.
    pub transient: BTreeMap<u64, Known>,
}

impl Queue {
    /// The messages of the backlog, in order.
    pub fn live(&self) -> impl Iterator<Item = u64> {
        let all: BTreeSet<u64> = self.persistent.keys().chain(self.transient.keys()).copied().collect();
        all.into_iter()
    }
}

/// The definitions as another file would keep them: a checkpoint that is durable at once.
#[derive(Clone, Default)]
pub struct Checkpoint {
    pub applied: Lsn,
    pub queues: BTreeSet<u64>,
}

/// What [`Owners`] reaches.
pub struct Shared {
    pub queues: Mutex<BTreeMap<u64, Queue>>,
    pub checkpoint: Mutex<Checkpoint>,
    /// Definitions that are in the log and not in the checkpoint.
    pub pending: Mutex<Vec<(Lsn, Vec<u8>)>>,
    pub log: Arc<Log>,
}

pub struct Broker {
    pub disk: Arc<SimulatedDisk>,
    pub store: Arc<Store>,
    pub writer: LogWriter,
    pub shared: Shared,
    pub arena: Arena,
    pub oracle: Oracle,
    pub report: Report,
}

pub fn options(sabotage: Option<Sabotage>) -> Options {
    Options { segment_bytes: Some(SEGMENT_BYTES), log_id: 0x1ee7, sabotage, ..Options::default() }
}

/// How many times as much as usual is to be tried.
pub fn thoroughness() -> u64 {
    std::env::var("LEVERET_CRASHES").ok().and_then(|times| times.parse().ok()).unwrap_or(1)
}

/// How long body `id` is.
pub fn body_len(id: u64) -> u32 {
    let mut random = Random::new(id);
    let len = match random.below(400) {
        0 => 140_000 + random.below(60_000),
        1..80 => random.below(30_000),
        80..160 => random.below(3000),
        _ => 8 + random.below(120),
    };
    len as u32
}

/// The bytes of body `id`: they follow from the number.
pub fn body(id: u64) -> Vec<u8> {
    let len = body_len(id) as usize;
    let mut bytes = Random::new(!id).bytes(len.min(200));
    while bytes.len() < len {
        let more = bytes.len().min(len - bytes.len());
        bytes.extend_from_within(..more);
    }
    bytes
}

fn parts(names: &[u8]) -> MessageParts<'_> {
    MessageParts { names, header: b"a content header", persistent: true, entered_ms: 0 }
}

pub fn message(arena: &mut Arena, id: u64) -> Message {
    Message::store(arena, parts(&names(b"", &id.to_le_bytes())), &body(id))
}

/// Which body a loaded message has; an error when it is not that body.
fn identify(message: &Message) -> Result<u64, String> {
    let id = message.parts().routing_key().try_into().map(u64::from_le_bytes).map_err(|_| "a foreign message")?;
    let found: Vec<u8> = message.body_slices().flat_map(|slice| slice.to_vec()).collect();
    if found == body(id) && message.parts().header == b"a content header" {
        Ok(id)
    } else {
        Err(format!("body {id} has {} other bytes", found.len()))
    }
}

/// A change of the definitions as bytes.
pub fn definition(quid: u64, exists: bool) -> Vec<u8> {
    [&[u8::from(exists)], &quid.to_le_bytes()[..]].concat()
}

impl Checkpoint {
    pub fn apply(&mut self, bytes: &[u8]) {
        let quid = u64::from_le_bytes(bytes[1..9].try_into().unwrap());
        if bytes[0] == 1 {
            self.queues.insert(quid);
        } else {
            self.queues.remove(&quid);
        }
    }
}

impl Owners for Shared {
    fn with(&self, quid: u64, f: &mut dyn FnMut(&mut Backlog)) -> bool {
        self.queues.lock().unwrap().get_mut(&quid).map(|queue| f(&mut queue.backlog)).is_some()
    }

    fn page_out(&self, quid: u64, below: u64) {
        if let Some(queue) = self.queues.lock().unwrap().get_mut(&quid) {
            page_out(&self.log, quid, queue, below);
        }
    }

    fn quiesce(&self) {}

    fn checkpoint_metadata(&self, below: Lsn) -> Result<(), StoreError> {
        assert!(self.log.durable() >= below, "a checkpoint is never ahead of the log");
        let mut checkpoint = self.checkpoint.lock().unwrap();
        self.pending.lock().unwrap().retain(|(end, bytes)| {
            if *end <= below {
                checkpoint.apply(bytes);
                checkpoint.applied = *end;
            }
            *end > below
        });
        Ok(())
    }
}

/// Logs what is in memory only, below a sequence number.
pub fn page_out(log: &Log, quid: u64, queue: &mut Queue, below: u64) {
    let rest = queue.in_memory.split_off(&below);
    let mut late = Vec::new();
    let mut appender = log.append();
    for (seq, message) in std::mem::replace(&mut queue.in_memory, rest) {
        if !queue.backlog.takes(seq) {
            queue.in_memory.insert(seq, message);
            continue;
        }
        let options = Append { transient: true, ..Append::default() };
        let place = appender.message(Owner { quid, seq }, options, &message);
        queue.transient.insert(seq, (identify(&message).unwrap(), 0));
        let flags = if log.is_blob(message.body_len() as u64) { SlotFlags::BLOB } else { SlotFlags::default() };
        late.push((seq, place, message.body_len() as u32, flags));
    }
    drop(appender);
    queue.backlog.add_late(late);
}

impl Broker {
    /// Opens the store on `disk` and gives each queue that should exist its backlog.
    pub fn open(
        disk: &Arc<SimulatedDisk>,
        checkpoint: Checkpoint,
        sabotage: Option<Sabotage>,
    ) -> Result<Broker, OpenError> {
        let opened = Store::open(disk.clone(), options(sabotage), checkpoint.applied)?;
        let mut queues = checkpoint.clone();
        opened.metadata.iter().for_each(|(_, bytes)| queues.apply(bytes));
        let mut backlogs: HashMap<u64, Backlog> = opened.backlogs;
        let queues = queues.queues.into_iter().map(|quid| {
            let backlog = backlogs.remove(&quid).unwrap_or_default();
            let next_seq = backlog.next_seq_after_recovery();
            (quid, Queue { backlog, next_seq, ..Queue::default() })
        });
        let shared = Shared {
            queues: Mutex::new(queues.collect()),
            checkpoint: Mutex::new(checkpoint),
            pending: Mutex::new(opened.metadata),
            log: opened.store.log().clone(),
        };
        let arena = Arena::new(ChunkPool::new(4));
        let disk = disk.clone();
        let oracle = Oracle::default();
        let (store, writer, report) = (opened.store, opened.writer, opened.report);
        Ok(Broker { disk, store, writer, shared, arena, oracle, report })
    }

    /// Begins a history with what is there.
    pub fn begin(&mut self, contents: Contents) {
        for (quid, queue) in self.shared.queues.lock().unwrap().iter_mut() {
            let messages = contents.messages.range((*quid, 0)..=(*quid, u64::MAX));
            queue.persistent = messages.map(|((_, seq), known)| (*seq, *known)).collect();
            assert!(queue.persistent.keys().all(|seq| *seq < queue.next_seq), "numbers are never given twice");
        }
        let queues = self.shared.queues.lock().unwrap();
        let marks = queues.iter().map(|(quid, queue)| (*quid, queue.backlog.delivered_below())).collect();
        self.oracle = Oracle::new(contents, marks);
    }

    /// Checks that what may have been delivered is still known.
    pub fn check_marks(&self, oracle: &Oracle, durable: Lsn) -> Result<(), String> {
        for (quid, queue) in self.shared.queues.lock().unwrap().iter() {
            let (found, least) = (queue.backlog.delivered_below(), oracle.delivered_below(*quid, durable));
            if found < least {
                return Err(format!("queue {quid} was delivered below {least}, and the store says {found}"));
            }
        }
        Ok(())
    }

    /// Removes every message, on disk and in memory.
    pub fn remove_everything(&mut self) {
        for (quid, queue) in self.shared.queues.lock().unwrap().iter_mut() {
            let mut appender = self.shared.log.append();
            appender.settle_range(*quid, 0, queue.next_seq, &[]);
            let blobs = queue.backlog.remove_from(0, &[]);
            blobs.into_iter().for_each(|blob| appender.release_blob(blob));
            queue.in_memory.clear();
            queue.persistent.clear();
            queue.transient.clear();
        }
    }

    /// Ends in good order.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.writer.write()?;
        self.writer.finish()?;
        self.store.close();
        Ok(())
    }

    /// What can be read of a store that is damaged, and how many messages cannot.
    pub fn read_what_is_left(&mut self) -> Result<(Contents, usize), String> {
        let (mut contents, mut lost) = (Contents::default(), 0);
        for (quid, queue) in self.shared.queues.lock().unwrap().iter_mut() {
            contents.queues.insert(*quid);
            let mut from = 0;
            for _ in 0..100_000 {
                let Some(read) = queue.backlog.read_from(from, 64 << 10) else { break };
                let Ok(run) = self.store.read(&read, &mut self.arena) else {
                    lost += 1;
                    break;
                };
                for gone in run.lost {
                    lost += 1;
                    queue.backlog.remove(gone.seq, gone.body_len);
                    from = from.max(gone.seq + 1);
                }
                for loaded in run.loaded.into_iter().filter(|loaded| queue.backlog.contains(loaded.seq)) {
                    from = from.max(loaded.seq + 1);
                    match identify(&loaded.message) {
                        Ok(id) => drop(contents.messages.insert((*quid, loaded.seq), (id, loaded.delivery_count))),
                        Err(what) => return Err(format!("queue {quid}, {}: {what}", loaded.seq)),
                    }
                }
                queue.backlog.passed(run.hint);
            }
        }
        Ok((contents, lost))
    }

    /// Everything that the queues should have on disk now.
    pub fn expected(&self) -> Contents {
        let mut contents = Contents::default();
        for (quid, queue) in self.shared.queues.lock().unwrap().iter() {
            contents.queues.insert(*quid);
            for (seq, known) in queue.persistent.iter().chain(&queue.transient) {
                contents.messages.insert((*quid, *seq), *known);
            }
        }
        contents
    }

    /// Writes and maintains until there is nothing to do any more.
    pub fn settle_down(&mut self) -> Result<(), StoreError> {
        for _ in 0..1000 {
            let wrote = self.writer.write()?;
            self.writer.sync()?;
            if !self.store.maintain(&self.shared)? && !wrote {
                return Ok(());
            }
        }
        panic!("the store does not come to rest");
    }

    /// Reads everything that is on disk, and checks what can be checked without knowing what should be there.
    pub fn read_all(&mut self) -> Result<Contents, String> {
        // What is only staged cannot be read.
        self.writer.write().map_err(|error| error.to_string())?;
        let mut contents = Contents::default();
        let mut queues = self.shared.queues.lock().unwrap();
        for (quid, queue) in queues.iter_mut() {
            contents.queues.insert(*quid);
            let loaded = read_queue(&self.store, *quid, queue, &mut self.arena)?;
            if loaded.len() as u64 != queue.backlog.len() {
                return Err(format!("queue {quid} says {} and has {}", queue.backlog.len(), loaded.len()));
            }
            contents.messages.extend(loaded);
        }
        Ok(contents)
    }
}

/// The messages of a queue, read in order.
fn read_queue(
    store: &Store,
    quid: u64,
    queue: &mut Queue,
    arena: &mut Arena,
) -> Result<BTreeMap<(u64, u64), Known>, String> {
    let mut found = BTreeMap::new();
    let mut from = 0;
    let mut idle = 0;
    while let Some(read) = queue.backlog.read_from(from, 64 << 10) {
        let run = store.read(&read, arena).map_err(|error| format!("queue {quid} from {from}: {error:?}"))?;
        if let Some(lost) = run.lost.first() {
            return Err(format!("queue {quid} lost {}", lost.seq));
        }
        idle = if run.loaded.is_empty() { idle + 1 } else { 0 };
        if idle > 1000 {
            return Err(format!("queue {quid} cannot be read on from {from}"));
        }
        for loaded in run.loaded {
            if !queue.backlog.contains(loaded.seq) {
                continue;
            }
            if loaded.seq < from {
                return Err(format!("queue {quid}: {} comes after {from}", loaded.seq));
            }
            from = loaded.seq + 1;
            let id = identify(&loaded.message).map_err(|what| format!("queue {quid}, {}: {what}", loaded.seq))?;
            if found.insert((quid, loaded.seq), (id, loaded.delivery_count)).is_some() {
                return Err(format!("queue {quid} has {} twice", loaded.seq));
            }
            if loaded.redelivered != (loaded.delivery_count > 0) {
                return Err(format!("queue {quid}: {} came back {} times", loaded.seq, loaded.delivery_count));
            }
        }
        queue.backlog.passed(run.hint);
    }
    Ok(found)
}
