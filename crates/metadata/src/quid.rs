//! Queue ids that no restart gives twice.

use std::sync::{Mutex, PoisonError};

use crate::{Change, Journal};

/// Ids reserved per proposal: one commit covers this many queues, a restart skips at most twice as many.
const BLOCK: u64 = 1 << 16;

/// Gives out queue ids, reserving them in the journal a block ahead.
///
/// An id is given only after the proposal that reserves it. Whatever is durable about a queue comes later in the same
/// journal, so a restart either knows the reservation or nothing of the queue.
pub struct QuidAllocator {
    range: Mutex<Range>,
}

struct Range {
    next: u64,
    reserved: u64,
}

impl QuidAllocator {
    /// Resumes at [`Snapshot::next_quid`](crate::Snapshot::next_quid).
    pub fn resume(next_quid: u64) -> QuidAllocator {
        let first = next_quid.max(1); // 0 is left free, so that records can say "no queue"
        QuidAllocator { range: Mutex::new(Range { next: first, reserved: first }) }
    }

    /// The next id.
    pub fn allocate(&self, journal: &dyn Journal) -> u64 {
        let mut range = self.range.lock().unwrap_or_else(PoisonError::into_inner);
        if range.next >= range.reserved {
            range.reserved = range.next.saturating_add(BLOCK);
            journal.propose(vec![Change::ReserveIds(range.reserved)]);
        }
        let quid = range.next;
        range.next += 1;
        quid
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryJournal;

    #[test]
    fn ids_stay_below_the_reservation() {
        let journal = MemoryJournal::new();
        let allocator = QuidAllocator::resume(0);
        for expected in 1..=BLOCK + 1 {
            assert_eq!(allocator.allocate(&journal), expected);
            assert!(expected < journal.snapshot().next_quid);
        }
        assert_eq!(journal.durable().0, 2, "one proposal per block");
    }

    #[test]
    fn a_restart_resumes_past_every_id_given() {
        let journal = MemoryJournal::new();
        let before = QuidAllocator::resume(journal.snapshot().next_quid);
        let last = (0..10).map(|_| before.allocate(&journal)).max().unwrap_or(0);
        let after = QuidAllocator::resume(journal.snapshot().next_quid);
        assert!(after.allocate(&journal) > last);
    }
}
