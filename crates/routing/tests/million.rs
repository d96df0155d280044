//! A million bindings come and go: memory is bounded while they stay and given back when they went.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use amqp::field::FieldTable;
use routing::{BindingTable, ExchangeType};

/// Counts the bytes that are allocated, as asked for.
struct Counting;

static ALLOCATED: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code, reason = "an allocator that counts")]
// SAFETY: every call goes to the system allocator unchanged; only a counter is kept besides.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATED.fetch_add(size, Ordering::Relaxed);
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        ALLOCATED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A quarter of the million in a debug build, where each costs ten times as much; the hash tables are as full.
const BINDINGS: u64 = if cfg!(debug_assertions) { 250_000 } else { 1_000_000 };
const QUEUES: u64 = BINDINGS / 10;

fn key(number: u64) -> String {
    match number % 3 {
        0 => format!("tenant{}.device{}.#", number % 5000, number),
        1 => format!("tenant{}.*.alarm{}.*", number % 5000, number),
        _ => format!("tenant{}.device{}.state", number % 5000, number),
    }
}

fn route(exchange: &BindingTable<u64>, key: &str) -> Vec<u64> {
    let mut queues = Vec::new();
    exchange.route(key.as_bytes(), None, &mut queues);
    queues
}

/// One test, because the counter is the process's.
#[test]
fn a_million_bindings_come_and_go() {
    let none = FieldTable::new();
    let before = ALLOCATED.load(Ordering::Relaxed);
    let mut exchange = BindingTable::new(ExchangeType::Topic);
    for number in 0..BINDINGS {
        assert_eq!(exchange.bind(&key(number), &none, number % QUEUES), Ok(true));
    }
    assert_eq!(exchange.len() as u64, BINDINGS);
    let per_binding = (ALLOCATED.load(Ordering::Relaxed) - before) as u64 / BINDINGS;
    println!("{per_binding} bytes per binding");
    assert!(per_binding <= 240, "{per_binding} bytes per binding");
    assert_eq!(route(&exchange, "tenant0.device0.x.y"), [0]);
    assert_eq!(route(&exchange, "tenant0.z.alarm10000.x"), [10_000]);

    for queue in 1..QUEUES / 2 {
        assert_eq!(exchange.remove_destination(queue), 10);
    }
    for number in (0..BINDINGS).filter(|number| number % QUEUES >= QUEUES / 2) {
        assert!(exchange.unbind(&key(number), &none, number % QUEUES));
    }
    assert_eq!(exchange.len(), 10);
    assert_eq!(route(&exchange, "tenant0.device0.x.y"), [0]);
    assert_eq!(route(&exchange, "tenant0.z.alarm10000.x"), [0u64; 0]);
    let kept = ALLOCATED.load(Ordering::Relaxed) - before;
    // The scratch space of this thread, a stamp per destination and node, is the rest.
    assert!(kept < 16 << 20, "{kept} bytes for 10 bindings");
}
