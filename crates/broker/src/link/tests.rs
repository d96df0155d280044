//! Several threads append to one link and flush it, as reactors do.

use super::*;
use std::sync::Barrier;
use std::sync::atomic::AtomicU32;

const THREADS: u8 = 4;
const RECORDS: u32 = 20_000;
const RECORD: usize = 5;

/// Rounds of two flushes at nearly the same time.
const LAST_FLUSHES: u32 = 10_000;

/// Where another thread may come in between the last look at the output and letting go of the writer.
pub(super) fn interleave() {
    (0..500).for_each(|_| std::hint::spin_loop());
}

/// A peer that takes a few bytes at a time, never the same number, and now and then nothing.
struct Peer {
    received: Mutex<Vec<u8>>,
    writes: AtomicU32,
    blocks: bool,
}

impl Transport for Arc<Peer> {
    fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let writes = self.writes.fetch_add(1, Ordering::Relaxed);
        if self.blocks && writes.is_multiple_of(7) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let most = 1 + (writes.wrapping_mul(2_654_435_761) >> 16) as usize % 300;
        let first = &parts[0];
        let taken = first.len().min(most);
        self.received.lock().unwrap().extend_from_slice(&first[..taken]);
        if writes.is_multiple_of(3) {
            std::thread::yield_now();
        }
        Ok(taken)
    }
}

/// Appends records and flushes as a reactor does: what it touched, late, and only if nobody else has it on a list.
fn append_and_flush(link: &Arc<Link>, thread: u8) {
    let mut touched = Vec::new();
    for number in 0..RECORDS {
        let [a, b, c, d] = number.to_be_bytes();
        link.output().batch.put(&[thread, a, b, c, d]);
        link.touch(&mut touched);
        if number % 3 == 0 {
            flush_all(&mut touched);
        }
    }
    flush_all(&mut touched);
}

fn flush_all(touched: &mut Vec<Arc<Link>>) {
    for link in touched.drain(..) {
        link.flush();
    }
}

fn all_bytes() -> usize {
    usize::from(THREADS) * RECORDS as usize * RECORD
}

/// Runs the threads; `meanwhile` runs on this one until it says that it is done.
fn run(blocks: bool, mut meanwhile: impl FnMut(&Link) -> bool) -> (Arc<Link>, Arc<Peer>) {
    let peer = Arc::new(Peer { received: Mutex::default(), writes: AtomicU32::new(1), blocks });
    let link = Link::new(ConnectionId(1), 0, 0, &BufferPool::new(), Box::new(peer.clone()));
    let start = Barrier::new(usize::from(THREADS));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (link, start) = (&link, &start);
            scope.spawn(move || {
                start.wait();
                append_and_flush(link, thread);
            });
        }
        while !meanwhile(&link) {
            std::thread::yield_now();
        }
    });
    (link, peer)
}

fn check_records(received: &[u8]) {
    assert_eq!(received.len(), all_bytes(), "every byte is written once");
    let mut next = [0; THREADS as usize];
    for record in received.chunks_exact(RECORD) {
        let number = u32::from_be_bytes([record[1], record[2], record[3], record[4]]);
        let next = &mut next[usize::from(record[0])];
        assert_eq!(number, *next, "the records of thread {} come in order", record[0]);
        *next += 1;
    }
}

#[test]
fn nothing_stays_behind_when_several_threads_append_and_flush() {
    let (link, peer) = run(false, |_| true);
    assert_eq!(link.pending(), 0);
    assert_eq!(link.sent().0, all_bytes() as u64);
    check_records(&peer.received.lock().unwrap());
}

#[test]
fn the_owner_goes_on_where_the_peer_took_no_more() {
    let (link, peer) = run(true, |link| {
        // What an owner does when its poll says that there is room.
        link.flush();
        link.sent().0 == all_bytes() as u64
    });
    assert_eq!(link.pending(), 0);
    check_records(&peer.received.lock().unwrap());
}

/// Waits until all threads have come here for the `round`th time, awake, so that they go on at the same moment.
fn meet(arrived: &AtomicU32, round: u32, threads: u32) {
    arrived.fetch_add(1, Ordering::AcqRel);
    let mut looks = 0u32;
    while arrived.load(Ordering::Acquire) < round * threads {
        std::hint::spin_loop();
        looks += 1;
        if looks.is_multiple_of(1000) {
            std::thread::yield_now();
        }
    }
}

#[test]
fn what_is_appended_while_another_flushes_is_written_by_one_of_them() {
    let peer = Arc::new(Peer { received: Mutex::default(), writes: AtomicU32::new(1), blocks: false });
    let link = Link::new(ConnectionId(1), 0, 0, &BufferPool::new(), Box::new(peer));
    let arrived = AtomicU32::new(0);
    let run = |thread: u8| {
        for round in 0..LAST_FLUSHES {
            meet(&arrived, 2 * round + 1, 2);
            // One of the two is a little later, each time by another moment.
            (0..u32::from(thread) * (round % 500)).for_each(|_| std::hint::spin_loop());
            link.output().batch.put(&[thread; RECORD]);
            let mut touched = Vec::new();
            link.touch(&mut touched);
            flush_all(&mut touched);
            meet(&arrived, 2 * round + 2, 2);
            // Nobody flushes any more in this round.
            assert_eq!(link.pending(), 0, "bytes stayed behind in round {round}");
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| run(0));
        scope.spawn(|| run(1));
    });
}
