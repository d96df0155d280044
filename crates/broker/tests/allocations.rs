//! What a message costs in allocations once the broker is warm: nothing.
//!
//! Messages that wait for an acknowledgement are stored, and storing takes one allocation per chunk of 1 MiB, the
//! chunk's own reference count; the chunks themselves come from a pool.
//!
//! Every call of the allocator that the engine makes is counted, on the thread of the test and while the engine runs;
//! the client's own are not. A failure shows where the first of them come from.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::{Cell, RefCell};
use testkit::engine::{Acknowledge, Arrive, Engine, Load, LoadOptions};

/// Rounds that fill pools and grow buffers before anything is counted.
const WARM_UP: usize = 3;
const ROUNDS: usize = 3;
/// Bytes of a stored message besides its body, at most.
const RECORD: usize = 64;
/// Call sites that a failure shows.
const SHOWN: usize = 8;
/// Messages for which a block of places in the log grows once, on average: 2048 in eleven steps.
const MESSAGES_PER_GROWTH: u64 = 128;
/// Memory for messages with which none is left to the disk, and with which all are that wait, in bytes.
const PLENTY: usize = 1 << 30;
const SCARCE: usize = 4096;

/// Allocations of a round in which a consumer comes and reads a backlog: it takes a few, and so does a read of a part.
const PER_CONSUMER: u64 = 120;

/// One turn of the engine.
type Turn<'a> = dyn FnMut(&mut Engine) + 'a;

struct Counting;

thread_local! {
    static COUNTS: Cell<bool> = const { Cell::new(false) };
    static TRACES: Cell<bool> = const { Cell::new(false) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static SITES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every request goes to the system's allocator unchanged; counting touches nothing that it hands out.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: the caller keeps the same contract towards us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn note() {
    if !COUNTS.get() {
        return;
    }
    COUNT.set(COUNT.get() + 1);
    if TRACES.get() {
        // Taking a backtrace allocates too.
        COUNTS.set(false);
        let site = call_site();
        SITES.with_borrow_mut(|sites| {
            if sites.len() < SHOWN && !sites.contains(&site) {
                sites.push(site);
            }
        });
        COUNTS.set(true);
    }
}

/// The frames of this workspace, innermost first, up to the driver's.
fn call_site() -> String {
    let trace = Backtrace::force_capture().to_string();
    let lines: Vec<&str> = trace.lines().map(str::trim).collect();
    let ours = lines.iter().filter(|line| line.starts_with("at ./src/") || line.contains("/crates/"));
    let engine = ours.filter(|line| !line.contains("/testkit/"));
    engine.map(|line| format!("    {line}\n")).collect()
}

/// Calls of the allocator by the engine for one load in the steady state, and its messages.
fn count(load: &mut Load) -> (u64, u64) {
    count_rounds(load, |load, turn| load.round(turn))
}

fn count_rounds(load: &mut Load, round: impl Fn(&mut Load, &mut Turn<'_>)) -> (u64, u64) {
    let mut turn = |engine: &mut Engine| {
        COUNTS.set(true);
        engine.turn(0);
        COUNTS.set(false);
    };
    (0..WARM_UP).for_each(|_| round(load, &mut turn));
    COUNT.set(0);
    (0..ROUNDS).for_each(|_| round(load, &mut turn));
    let counted = COUNT.get();
    if counted > 0 {
        TRACES.set(true);
        round(load, &mut turn);
        TRACES.set(false);
    }
    (counted, load.messages() * ROUNDS as u64)
}

fn check(acknowledge: Acknowledge, arrive: Arrive) {
    check_with_options(acknowledge, arrive, LoadOptions::None);
}

fn check_with_options(acknowledge: Acknowledge, arrive: Arrive, options: LoadOptions) {
    for body_len in [16, 128, 1024] {
        let (allocations, messages) = count(&mut Load::with_options(body_len, acknowledge, arrive, options));
        let stored = if acknowledge == Acknowledge::Automatic { 0 } else { messages as usize * (body_len + RECORD) };
        let allowed = stored.div_ceil(store::CHUNK_SIZE) as u64;
        let sites = SITES.take().join("\n");
        assert!(
            allocations <= allowed,
            "{allocations} allocations, {allowed} allowed, for {messages} messages of {body_len} bytes ({options:?}); some of them:\n{sites}"
        );
    }
}

/// Checks what a load over a store costs. What is left is not per message: a chunk of message memory per 1 MiB, a list
/// per segment of the log of the queues that it has, blocks of places that grow; and `per_round` for what comes once a
/// round.
fn check_durable(load: &mut Load, body_len: usize, per_round: u64, round: fn(&mut Load, &mut Turn<'_>)) {
    let (allocations, messages) = count_rounds(load, round);
    let stored = (messages as usize * (body_len + RECORD)).div_ceil(store::CHUNK_SIZE) as u64;
    let allowed = 4 * stored + messages / MESSAGES_PER_GROWTH + per_round * ROUNDS as u64;
    let sites = SITES.take().join("\n");
    assert!(
        allocations <= allowed,
        "{allocations} allocations, {allowed} allowed, for {messages} persistent messages of {body_len} bytes; some of them:\n{sites}"
    );
}

#[test]
fn persistent_messages_pipelined() {
    for body_len in [16, 128, 1024] {
        let mut load = Load::durable(body_len, Acknowledge::Multiple(100), Arrive::Pipelined, PLENTY);
        check_durable(&mut load, body_len, 3, |load, turn| load.round(turn));
    }
}

#[test]
fn persistent_messages_with_one_publish_per_read() {
    for body_len in [16, 128, 1024] {
        let mut load = Load::durable(body_len, Acknowledge::Each(1), Arrive::OnePerRead, PLENTY);
        check_durable(&mut load, body_len, 3, |load, turn| load.round(turn));
    }
}

#[test]
fn a_backlog_that_is_left_to_the_disk() {
    for body_len in [16, 128, 1024] {
        let mut load = Load::durable(body_len, Acknowledge::Multiple(1), Arrive::Pipelined, SCARCE);
        check_durable(&mut load, body_len, PER_CONSUMER, |load, turn| load.paged_round(turn));
    }
}

#[test]
fn automatic_acknowledgement_pipelined() {
    check(Acknowledge::Automatic, Arrive::Pipelined);
}

#[test]
fn automatic_acknowledgement_with_one_publish_per_read() {
    check(Acknowledge::Automatic, Arrive::OnePerRead);
}

#[test]
fn acknowledgements_of_a_hundred_pipelined() {
    check(Acknowledge::Multiple(100), Arrive::Pipelined);
}

#[test]
fn acknowledgements_of_a_hundred_with_one_publish_per_read() {
    check(Acknowledge::Multiple(100), Arrive::OnePerRead);
}

/// Options that a queue may have, and none of which may cost an allocation per message.
const OPTIONS: [LoadOptions; 2] = [LoadOptions::Limits, LoadOptions::Priorities];

#[test]
fn queues_with_options() {
    for options in OPTIONS {
        check_with_options(Acknowledge::Automatic, Arrive::Pipelined, options);
        check_with_options(Acknowledge::Automatic, Arrive::OnePerRead, options);
        check_with_options(Acknowledge::Multiple(100), Arrive::Pipelined, options);
        check_with_options(Acknowledge::Each(1), Arrive::OnePerRead, options);
    }
}

#[test]
fn queues_with_options_that_fill_up() {
    for options in OPTIONS {
        let mut load = Load::with_options(128, Acknowledge::Multiple(100), Arrive::Pipelined, options);
        check_durable(&mut load, 128, PER_CONSUMER, |load, turn| load.paged_round(turn));
    }
}

#[test]
fn persistent_messages_in_queues_with_options() {
    for options in OPTIONS {
        let (each, hundred) = (Acknowledge::Each(1), Acknowledge::Multiple(100));
        let mut load = Load::durable_with_options(128, hundred, Arrive::Pipelined, PLENTY, options);
        check_durable(&mut load, 128, 3, |load, turn| load.round(turn));
        let mut load = Load::durable_with_options(128, each, Arrive::OnePerRead, PLENTY, options);
        check_durable(&mut load, 128, 3, |load, turn| load.round(turn));
        let mut load = Load::durable_with_options(128, Acknowledge::Multiple(1), Arrive::Pipelined, SCARCE, options);
        check_durable(&mut load, 128, PER_CONSUMER, |load, turn| load.paged_round(turn));
    }
}

#[test]
fn a_hundred_acknowledgements_in_one_write_pipelined() {
    check(Acknowledge::Each(100), Arrive::Pipelined);
}

#[test]
fn one_acknowledgement_after_each_message() {
    check(Acknowledge::Each(1), Arrive::OnePerRead);
}
