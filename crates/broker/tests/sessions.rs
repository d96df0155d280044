//! Sessions of random and mutated frames after a valid handshake: never a panic, no effect on another connection, and
//! memory by bytes received, never by what they declare.
//!
//! A failure names its seed; `SEED=n cargo test -p broker --test sessions` repeats that session.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use testkit::engine::{Hostile, Random, hostile_stream};

const SESSIONS: u64 = 2000;
/// Sessions with one broker, which keeps the queues and messages of all of them.
const PER_BROKER: u64 = 50;
/// The largest thing that the broker may ask for at once: a chunk of messages. Sessions send far less.
const LARGEST_ALLOCATION: usize = store::CHUNK_SIZE;
/// Message memory that the sessions of one broker may use, in bytes: what they send fits several times.
const MOST_MEMORY: usize = 48 << 20;

struct Watching;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

// SAFETY: every request goes to the system's allocator unchanged; watching touches nothing that it hands out.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.set(LARGEST.get().max(layout.size()));
        // SAFETY: the caller keeps the same contract towards us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        LARGEST.set(LARGEST.get().max(layout.size()));
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LARGEST.set(LARGEST.get().max(size));
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// The session that a seed stands for.
fn session(hostile: &mut Hostile, seed: u64) {
    let mut random = Random::new(seed);
    let stream = hostile_stream(&mut random);
    let read_size = random.pick(&[7, 100, 4096, 1 << 20]);
    LARGEST.set(0);
    hostile.session(&stream, read_size);
    assert!(LARGEST.get() <= LARGEST_ALLOCATION, "{} bytes were asked for at once", LARGEST.get());
    assert!(hostile.message_memory() <= MOST_MEMORY, "{} bytes of message memory", hostile.message_memory());
}

#[test]
fn any_frames_after_the_handshake_hurt_nobody_else() {
    if let Ok(seed) = std::env::var("SEED") {
        return session(&mut Hostile::new(0), seed.parse().expect("SEED is a number"));
    }
    for first in (0..SESSIONS).step_by(PER_BROKER as usize) {
        let mut hostile = Hostile::new(first);
        for seed in first..first + PER_BROKER {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| session(&mut hostile, seed)));
            assert!(result.is_ok(), "session {seed} failed; repeat it with SEED={seed}, or from {first} on");
        }
    }
}

#[test]
fn a_declared_length_reserves_nothing() {
    let mut hostile = Hostile::new(0);
    // A body of 4 GiB in a frame of 4 GiB; a header that declares the largest body there is; a table longer than all.
    let mut huge = vec![3, 0, 1, 0xff, 0xff, 0xff, 0xff];
    huge.resize(5000, b'x');
    let open = [1, 0, 1, 0, 0, 0, 5, 0, 20, 0, 10, 0, 0xce];
    let publish = [1, 0, 1, 0, 0, 0, 10, 0, 60, 0, 40, 0, 0, 0, 1, b'a', 0, 0xce];
    let header = [2, 0, 1, 0, 0, 0, 14, 0, 60, 0, 0, 0, 0, 0, 0, 0x1f, 0xff, 0xff, 0xff, 0, 0, 0xce];
    let table = [1, 0, 1, 0, 0, 0, 12, 0, 50, 0, 10, 0, 0, 1, b'q', 0, 0x7f, 0xff, 0xff, 0xff, 0xce];
    for stream in [[&open[..], &huge].concat(), [&open[..], &publish, &header].concat(), [&open[..], &table].concat()] {
        LARGEST.set(0);
        hostile.session(&stream, 1 << 20);
        assert!(LARGEST.get() <= LARGEST_ALLOCATION, "{} bytes were asked for at once", LARGEST.get());
    }
}
