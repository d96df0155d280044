//! What the small broker does: publishing, acknowledging and the rest, chosen by a seed.

use super::*;

/// The most queues at a time.
const QUEUES: usize = 6;

/// Runs operations until it is told to end or the disk stops.
pub struct Workload {
    random: Random,
    next_body: u64,
    next_quid: u64,
    steps: u64,
}

impl Workload {
    /// `run` keeps the bodies and queues of several runs over the same disk apart.
    pub fn new(seed: u64, run: u64) -> Workload {
        Workload { random: Random::new(seed), next_body: run << 32 | 1, next_quid: run * 1000 + 1, steps: 0 }
    }

    /// Does `steps` steps. False when the store has failed, as it does when the disk stops.
    pub fn run(&mut self, broker: &mut Broker, steps: usize) -> bool {
        (0..steps).all(|_| self.step(broker))
    }

    /// One step; false when the store has failed.
    pub fn step(&mut self, broker: &mut Broker) -> bool {
        let choice = self.random.below(100);
        self.steps += 1;
        // Queues fill for a while, and then they drain.
        let is_filling = self.steps % 150 < 100;
        if is_filling && (36..60).contains(&choice) && self.random.chance(4, 5) {
            return true;
        }
        let has_queue = !broker.shared.queues.lock().unwrap().is_empty();
        match choice {
            _ if !has_queue => self.create(broker),
            0..36 if !broker.store.log().is_full() => self.publish(broker),
            36..60 => self.acknowledge(broker),
            60..63 => self.requeue(broker),
            63..66 => self.mark_delivered(broker),
            66..67 => self.purge(broker),
            67..68 => self.delete(broker),
            68..70 => self.create(broker),
            70..74 => self.transaction(broker),
            74..78 => self.publish_transient(broker),
            78..79 => self.page_out(broker),
            79..89 => return broker.writer.write().is_ok(),
            89..94 => return broker.writer.write().is_ok() && broker.writer.sync().is_ok(),
            _ => return broker.store.maintain(&broker.shared).is_ok(),
        }
        true
    }

    fn body(&mut self) -> u64 {
        self.next_body += 1;
        self.next_body
    }

    /// One of the queues.
    fn queue(&mut self, broker: &Broker) -> u64 {
        let queues = broker.shared.queues.lock().unwrap();
        let chosen = self.random.below(queues.len() as u64) as usize;
        queues.keys().nth(chosen).copied().unwrap()
    }

    fn publish(&mut self, broker: &mut Broker) {
        let fanout = 1 + self.random.below(3);
        let targets: BTreeSet<u64> = (0..fanout).map(|_| self.queue(broker)).collect();
        for _ in 0..1 + self.random.below(20) {
            let id = self.body();
            broker.publish(&targets, id, None);
        }
    }

    fn transaction(&mut self, broker: &mut Broker) {
        let tx = broker.store.log().begin_transaction();
        let targets: BTreeSet<u64> = (0..2).map(|_| self.queue(broker)).collect();
        let mut together = Vec::new();
        for _ in 0..1 + self.random.below(4) {
            let id = self.body();
            together.extend(broker.publish(&targets, id, Some(tx)));
        }
        // Consumers are faster than the commit: what they do counts when that comes, and not before.
        let consumed = self.consume_early(broker, &together);
        together.extend(consumed);
        let quid = self.queue(broker);
        let seqs: Vec<u64> = self.choose(broker, quid, 5);
        if self.random.chance(1, 4) {
            broker.abandon(&together);
            return;
        }
        together.extend(broker.settle(quid, &seqs, Some(tx)));
        let mut appender = broker.shared.log.append();
        appender.tx_commit(tx);
        broker.oracle.appended(Operation::Together(together), appender.end());
    }

    /// Settles, purges or brings back messages that a transaction has published and not committed yet.
    fn consume_early(&mut self, broker: &mut Broker, published: &[Operation]) -> Vec<Operation> {
        let mut messages: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for operation in published {
            if let Operation::Publish { quid, seq, .. } = operation {
                messages.entry(*quid).or_default().push(*seq);
            }
        }
        let mut consumed = Vec::new();
        for (quid, seqs) in messages {
            let some: Vec<u64> = seqs.iter().copied().filter(|_| self.random.chance(1, 2)).collect();
            match self.random.below(8) {
                0 | 1 => consumed.extend(broker.settle(quid, &some, None)),
                2 => consumed.extend(broker.purge_from(quid, seqs[0], &some)),
                3 => some.iter().for_each(|seq| consumed.extend(broker.requeue(quid, *seq, 2))),
                4 => {
                    // By another transaction, which is committed first.
                    let other = broker.store.log().begin_transaction();
                    consumed.extend(broker.settle(quid, &some, Some(other)));
                    broker.shared.log.append().tx_commit(other);
                }
                _ => {}
            }
        }
        consumed
    }

    /// Some persistent messages of a queue: mostly the first ones, sometimes any.
    fn choose(&mut self, broker: &Broker, quid: u64, most: u64) -> Vec<u64> {
        let queues = broker.shared.queues.lock().unwrap();
        let queue = &queues[&quid];
        let count = self.random.below(most + 1) as usize;
        if self.random.chance(3, 4) {
            return queue.live().take(count).collect();
        }
        let all: Vec<u64> = queue.live().collect();
        let mut chosen: Vec<u64> =
            (0..count).filter_map(|_| all.get(self.random.below(all.len() as u64) as usize).copied()).collect();
        chosen.sort_unstable();
        chosen.dedup();
        chosen
    }

    fn acknowledge(&mut self, broker: &mut Broker) {
        let quid = self.queue(broker);
        let seqs = self.choose(broker, quid, 40);
        for operation in broker.settle(quid, &seqs, None) {
            let end = broker.shared.log.append().end();
            broker.oracle.appended(operation, end);
        }
    }

    fn requeue(&mut self, broker: &mut Broker) {
        let quid = self.queue(broker);
        for seq in self.choose(broker, quid, 3) {
            let delivery_count = 1 + self.random.below(5) as u32;
            if let Some(operation) = broker.requeue(quid, seq, delivery_count) {
                let end = broker.shared.log.append().end();
                broker.oracle.appended(operation, end);
            }
        }
    }

    fn mark_delivered(&mut self, broker: &mut Broker) {
        let quid = self.queue(broker);
        let mut queues = broker.shared.queues.lock().unwrap();
        let queue = queues.get_mut(&quid).unwrap();
        let below = queue.backlog.delivered_below().max(self.random.below(queue.next_seq + 1));
        let mut appender = broker.shared.log.append();
        appender.delivered(quid, below);
        queue.backlog.set_delivered_below(below);
        broker.oracle.appended(Operation::Delivered { quid, below }, appender.end());
    }

    fn purge(&mut self, broker: &mut Broker) {
        let quid = self.queue(broker);
        let seqs: Vec<u64> = broker.shared.queues.lock().unwrap()[&quid].live().collect();
        let Some(first) = seqs.get(self.random.below(seqs.len() as u64 / 2 + 1) as usize).copied() else { return };
        let except: Vec<u64> = seqs.iter().copied().filter(|seq| *seq > first && self.random.chance(1, 20)).collect();
        let operations = broker.purge_from(quid, first, &except);
        let end = broker.shared.log.append().end();
        broker.oracle.appended(Operation::Together(operations), end);
    }

    fn create(&mut self, broker: &mut Broker) {
        let quid = self.next_quid;
        let mut queues = broker.shared.queues.lock().unwrap();
        if queues.len() < QUEUES {
            self.next_quid += 1;
            queues.insert(quid, Queue::default());
            drop(queues);
            broker.define(quid, true);
        }
    }

    fn delete(&mut self, broker: &mut Broker) {
        let quid = self.queue(broker);
        let queue = broker.shared.queues.lock().unwrap().remove(&quid).unwrap();
        broker.define(quid, false);
        let blobs: Vec<u64> = queue.backlog.blobs().collect();
        blobs.into_iter().for_each(|blob| broker.shared.log.append().release_blob(blob));
    }

    fn publish_transient(&mut self, broker: &mut Broker) {
        let quid = self.queue(broker);
        for _ in 0..1 + self.random.below(6) {
            let message = message(&mut broker.arena, self.body());
            let mut queues = broker.shared.queues.lock().unwrap();
            let queue = queues.get_mut(&quid).unwrap();
            queue.in_memory.insert(queue.next_seq, message);
            queue.next_seq += 1;
        }
    }

    fn page_out(&mut self, broker: &mut Broker) {
        let quid = self.queue(broker);
        let mut queues = broker.shared.queues.lock().unwrap();
        let queue = queues.get_mut(&quid).unwrap();
        let below = self.random.below(queue.next_seq + 1);
        page_out(&broker.shared.log, quid, queue, below);
    }
}

impl Broker {
    /// Publishes a message to some queues; within a transaction, gives what that is instead of noting it.
    fn publish(&mut self, targets: &BTreeSet<u64>, id: u64, tx: Option<TransactionId>) -> Vec<Operation> {
        let message = message(&mut self.arena, id);
        let options = Append { tx, ..Append::default() };
        let (body_len, mut place, mut operations) = (message.body_len() as u32, None, Vec::new());
        for &quid in targets {
            let mut queues = self.shared.queues.lock().unwrap();
            let queue = queues.get_mut(&quid).unwrap();
            let seq = queue.next_seq;
            queue.next_seq += 1;
            let owner = Owner { quid, seq };
            let mut appender = self.shared.log.append();
            match place {
                None => place = Some(appender.message(owner, options, &message)),
                Some(place) => appender.route(owner, options, place, body_len),
            }
            let flags = if body_len as u64 > SEGMENT_BYTES / 8 { SlotFlags::BLOB } else { SlotFlags::default() };
            queue.backlog.add(seq, place.unwrap(), body_len, flags);
            queue.persistent.insert(seq, (id, 0));
            let operation = Operation::Publish { quid, seq, body: id };
            match tx {
                None => self.oracle.appended(operation, appender.end()),
                Some(_) => operations.push(operation),
            }
        }
        operations
    }

    /// A transaction that is not committed: what it published goes, without a word in the log.
    fn abandon(&mut self, operations: &[Operation]) {
        let mut queues = self.shared.queues.lock().unwrap();
        for operation in operations {
            if let Operation::Publish { quid, seq, body } = operation {
                let queue = queues.get_mut(quid).unwrap();
                queue.backlog.remove(*seq, body_len(*body));
                queue.persistent.remove(seq);
            }
        }
    }

    /// Removes messages of a queue, and gives what that is for those that would survive.
    fn settle(&mut self, quid: u64, seqs: &[u64], tx: Option<TransactionId>) -> Vec<Operation> {
        let mut queues = self.shared.queues.lock().unwrap();
        let queue = queues.get_mut(&quid).unwrap();
        let mut settled = Vec::new();
        let mut operations = Vec::new();
        let mut blobs = Vec::new();
        for &seq in seqs {
            let (known, survives) = match (queue.persistent.remove(&seq), queue.transient.remove(&seq)) {
                (Some(known), _) => (known, true),
                (None, Some(known)) => (known, false),
                (None, None) => continue,
            };
            settled.push((seq, body_len(known.0)));
            let removed = queue.backlog.remove(seq, body_len(known.0));
            blobs.extend(removed.expect("what is live is in the backlog").blob);
            if survives {
                operations.push(Operation::Remove { quid, seq });
            }
        }
        if !settled.is_empty() {
            let mut appender = self.shared.log.append();
            appender.settle(quid, tx, &settled);
            blobs.into_iter().for_each(|blob| appender.release_blob(blob));
        }
        operations
    }

    /// Removes everything from `first` on but for some, and gives what that is for those that would survive.
    fn purge_from(&mut self, quid: u64, first: u64, except: &[u64]) -> Vec<Operation> {
        let mut queues = self.shared.queues.lock().unwrap();
        let queue = queues.get_mut(&quid).unwrap();
        let seqs: Vec<u64> = queue.live().collect();
        let mut appender = self.shared.log.append();
        appender.settle_range(quid, first, queue.next_seq, except);
        for blob in queue.backlog.remove_from(first, except) {
            appender.release_blob(blob);
        }
        queue.in_memory.retain(|seq, _| *seq < first);
        let mut operations = Vec::new();
        for seq in seqs.into_iter().filter(|seq| *seq >= first && !except.contains(seq)) {
            queue.transient.remove(&seq);
            if queue.persistent.remove(&seq).is_some() {
                operations.push(Operation::Remove { quid, seq });
            }
        }
        operations
    }

    /// Brings a message back, and gives what that is if it would survive.
    fn requeue(&mut self, quid: u64, seq: u64, delivery_count: u32) -> Option<Operation> {
        let mut queues = self.shared.queues.lock().unwrap();
        let queue = queues.get_mut(&quid).unwrap();
        self.shared.log.append().requeue(Owner { quid, seq }, delivery_count);
        queue.backlog.requeued(seq, delivery_count);
        if let Some(known) = queue.persistent.get_mut(&seq) {
            known.1 = delivery_count;
            return Some(Operation::Requeue { quid, seq, delivery_count });
        }
        if let Some(known) = queue.transient.get_mut(&seq) {
            known.1 = delivery_count;
        }
        None
    }

    fn define(&mut self, quid: u64, exists: bool) {
        let bytes = definition(quid, exists);
        let mut appender = self.shared.log.append();
        appender.metadata(&bytes);
        let end = appender.end();
        self.shared.pending.lock().unwrap().push((end, bytes));
        let operation = if exists { Operation::Create { quid } } else { Operation::Delete { quid } };
        self.oracle.appended(operation, end);
    }
}
