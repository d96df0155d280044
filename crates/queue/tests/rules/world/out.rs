//! Messages that are out: delivered, or taken; and how they end or come back.

use super::{Open, World};
use crate::list::Listed;
use crate::store_under::{group, number, number_of};
use queue::Entry;

impl World {
    /// True when a message came.
    pub(super) fn pop(&mut self) -> bool {
        let before = self.queue.counts().ready;
        let entry = self.queue.pop(self.now_ms);
        let came = entry.is_some();
        assert!(came || !self.queue.has_deliverable(), "what can be delivered can be taken");
        self.left_from_the_front(before, entry.into_iter().collect());
        came
    }

    pub(super) fn plan(&mut self, most: usize, most_bytes: usize) {
        let (before, mut planned) = (self.queue.counts().ready, Vec::new());
        let more = self.queue.plan_ready(most, most_bytes, self.now_ms, &mut Open, |entry, _| planned.push(entry));
        assert!(planned.len() <= most);
        assert!(!more || !self.queue.is_empty(), "it stopped for a limit");
        let is_stopped = !more && self.queue.has_deliverable();
        assert!(!is_stopped, "nothing but the limits keeps messages back");
        self.left_from_the_front(before, planned);
    }

    /// There were `before` ready messages. These were delivered; what left beside them had expired.
    pub(super) fn left_from_the_front(&mut self, before: u64, delivered: Vec<Entry>) {
        let count = (before - self.queue.counts().ready) as usize;
        let left: Vec<Listed> = self.list.ready.drain(..count).collect();
        let mut delivered = delivered.into_iter().peekable();
        for listed in left {
            let Some(entry) = delivered.next_if(|entry| entry.seq == listed.seq) else {
                assert!(listed.due_ms(self.rules) <= self.now_ms, "{listed:?} vanished at {}", self.now_ms);
                self.expired.push(listed);
                continue;
            };
            assert!(listed.due_ms(self.rules) > self.now_ms, "{listed:?} is delivered at {}", self.now_ms);
            assert_eq!(number(&entry), Some(listed.number));
            let found = (entry.level, entry.redelivered, entry.delivery_count);
            assert_eq!(found, (listed.level, listed.redelivered, listed.delivery_count), "{listed:?}");
            assert!(!self.is_exact || entry.body_len == listed.body_len, "{entry:?} is not {listed:?}");
            let mark = self.mark.get(&entry.level).copied().unwrap_or(0);
            assert!(!entry.stored || entry.redelivered || entry.seq < mark, "{listed:?} is above {mark}");
            assert!(!listed.persistent || entry.stored);
            self.queue.delivered(1, u64::from(entry.body_len));
            self.held.push((entry, listed));
        }
        assert!(delivered.next().is_none(), "only what is ready is delivered, in its order");
    }

    pub(super) fn settle_held(&mut self, at: usize) {
        if !self.held.is_empty() {
            let (entry, _) = self.held.swap_remove(at % self.held.len());
            self.queue.settled(entry.body_len);
            self.settle(&[entry]);
        }
    }

    pub(super) fn requeue(&mut self, at: usize, forget: bool) {
        if self.held.is_empty() {
            return;
        }
        let (mut entry, mut listed) = self.held.swap_remove(at % self.held.len());
        let is_expired = self.queue.is_expired(&entry, self.now_ms);
        assert_eq!(is_expired, listed.due_ms(self.rules) <= self.now_ms && entry.message.is_some());
        if is_expired {
            self.queue.settled(entry.body_len);
            self.taken.push((entry, listed));
            return;
        }
        if entry.stored && forget {
            entry.message = None;
        }
        if entry.stored {
            let owner = store::Owner { quid: group(entry.level), seq: entry.seq };
            self.store.log().append().requeue(owner, entry.delivery_count + 1);
            let storage = self.queue.storage(entry.level).expect("a stored message has a place");
            storage.backlog.requeued(entry.seq, entry.delivery_count + 1);
        }
        // Nobody looks at one that is not in memory before it is the first.
        listed.is_vague |= entry.message.is_none();
        (listed.redelivered, listed.came_back) = (true, true);
        listed.delivery_count += 1;
        self.queue.requeue(entry);
        self.list.insert(listed);
    }

    pub(super) fn settle_taken(&mut self, at: usize) {
        if !self.taken.is_empty() {
            let (entry, _) = self.taken.swap_remove(at % self.taken.len());
            self.settle(&[entry]);
        }
    }

    pub(super) fn read_taken(&mut self, at: usize) {
        let unread: Vec<usize> = (0..self.taken.len()).filter(|at| self.taken[*at].0.message.is_none()).collect();
        if unread.is_empty() {
            return;
        }
        let (entry, listed) = &mut self.taken[unread[at % unread.len()]];
        let storage = self.queue.storage(entry.level).expect("an unread message is on disk");
        assert!(storage.backlog.contains(entry.seq), "{listed:?} is on the books until it is settled");
        let reads = storage.backlog.read_of(&[entry.seq]);
        self.writer.write().expect("the log is written");
        let run = self.store.read(&reads[0], &mut self.arena).expect("it is where the backlog says");
        assert_eq!(number_of(&run.loaded[0].message), listed.number);
        entry.message = Some(run.loaded[0].message.clone());
        entry.redelivered |= run.loaded[0].redelivered;
        entry.delivery_count = run.loaded[0].delivery_count;
    }

    pub(super) fn put_back(&mut self, at: usize) {
        if !self.taken.is_empty() {
            let (entry, mut listed) = self.taken.swap_remove(at % self.taken.len());
            listed.came_back = true;
            listed.is_vague |= entry.message.is_none();
            self.queue.put_back(entry);
            self.list.insert(listed);
        }
    }

    /// Takes those of the entries that are stored off the books.
    pub(super) fn settle(&mut self, entries: &[Entry]) {
        for Entry { level, seq, body_len, stored, .. } in entries {
            if *stored {
                let storage = self.queue.storage(*level).expect("a stored message has a place");
                assert!(storage.backlog.contains(*seq), "{seq} is on the books");
                storage.remove(*seq, *body_len);
                self.store.log().append().settle(group(*level), None, &[(*seq, *body_len)]);
            }
        }
    }
}
