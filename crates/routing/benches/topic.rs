//! What routing costs: ns per routed key over wildcard bindings of four shapes, per cached key, and per binding.
//!
//! `cargo bench -p routing`. Keys are random with half of them made to match.

use std::hint::black_box;
use std::time::Instant;

use amqp::field::{FieldTable, FieldValue, TableRef};
use routing::{BindingTable, ExchangeType, RouteCache};

const KEYS: usize = 20_000;
const ROUNDS: usize = 20;
/// Calls timed together: long against the clock's cost, short against a time slice.
const CHUNK: usize = 250;

/// A small linear congruential generator: the same keys in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn word(&mut self, vocabulary: u64) -> String {
        format!("word{}", self.below(vocabulary))
    }
}

#[derive(Clone, Copy)]
enum Shape {
    Prefix,
    Stars,
    Mixed,
    Middle,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Shape::Prefix => "prefix.#",
            Shape::Stars => "a.*.x.*",
            Shape::Mixed => "mixed",
            Shape::Middle => "#.x.#",
        }
    }

    /// One binding key; the vocabulary grows with the number of bindings, so that few of them match one key.
    fn binding(self, random: &mut Random, bindings: u64) -> String {
        let vocabulary = (bindings / 10).max(50);
        let word = |random: &mut Random| random.word(vocabulary);
        match self {
            Shape::Prefix => format!("{}.{}.#", word(random), word(random)),
            Shape::Stars => format!("{}.*.{}.*", word(random), word(random)),
            Shape::Middle => format!("#.{}.{}.#", word(random), word(random)),
            Shape::Mixed => {
                let mut words: Vec<_> = (0..2 + random.below(4))
                    .map(|_| match random.below(10) {
                        0 | 1 => "*".to_owned(),
                        2 => "#".to_owned(),
                        _ => word(random),
                    })
                    .collect();
                // Without a literal word it would match nearly everything.
                let literal = random.below(words.len() as u64) as usize;
                words[literal] = word(random);
                words.join(".")
            }
        }
    }
}

/// Keys of four to six words; every second one fills in the wildcards of some binding.
fn keys(random: &mut Random, bindings: &[String]) -> Vec<String> {
    let vocabulary = (bindings.len() as u64 / 10).max(50);
    let key = |number: usize| -> String {
        let words: Vec<_> = if number.is_multiple_of(2) {
            let binding = &bindings[random.below(bindings.len() as u64) as usize];
            let fill = |word: &str| match word {
                "#" => format!("{}.{}", random.word(vocabulary), random.word(vocabulary)),
                "*" => random.word(vocabulary),
                word => word.to_owned(),
            };
            binding.split('.').map(fill).collect()
        } else {
            (0..4 + random.below(3)).map(|_| random.word(vocabulary)).collect()
        };
        words.join(".")
    };
    (0..KEYS).map(key).collect()
}

/// Nanoseconds per call of `run` with each of `0..count`: every chunk of calls counts with its best round, so that
/// what else runs on the machine drops out while each round still finds the caches as the round before left them.
fn best(count: usize, mut run: impl FnMut(usize)) -> f64 {
    let mut chunks = vec![u128::MAX; count.div_ceil(CHUNK)];
    for _ in 0..ROUNDS {
        for (chunk, best) in chunks.iter_mut().enumerate() {
            let calls = chunk * CHUNK..count.min((chunk + 1) * CHUNK);
            let start = Instant::now();
            calls.for_each(&mut run);
            *best = (*best).min(start.elapsed().as_nanos());
        }
    }
    chunks.iter().sum::<u128>() as f64 / count as f64
}

fn topic(shape: Shape, count: usize) {
    let mut random = Random(count as u64);
    let bindings: Vec<_> = (0..count).map(|_| shape.binding(&mut random, count as u64)).collect();
    let none = FieldTable::new();
    let bind_all = || {
        let mut exchange = BindingTable::new(ExchangeType::Topic);
        for (queue, key) in bindings.iter().enumerate() {
            exchange.bind(key, &none, queue as u64).expect("no arguments to refuse");
        }
        exchange
    };
    let insert_ns = best(1, |_| drop(black_box(bind_all()))) / count as f64;
    let mut exchange = bind_all();
    let keys = keys(&mut random, &bindings);

    let mut queues = Vec::new();
    let mut found = 0;
    let route_ns = best(KEYS, |at| {
        queues.clear();
        exchange.route(keys[at].as_bytes(), None, &mut queues);
        found += queues.len();
    });
    let mut cache: RouteCache<Vec<u64>> = RouteCache::new(32_768);
    for key in &keys {
        exchange.route(key.as_bytes(), None, cache.overwrite(1, 1, key.as_bytes()));
    }
    let mut hits = 0;
    let cached_ns = best(KEYS, |at| hits += usize::from(black_box(cache.find(1, 1, keys[at].as_bytes())).is_some()));
    let hot_ns = best(KEYS, |_| {
        black_box(cache.find(1, 1, keys[0].as_bytes()));
    });
    let start = Instant::now();
    for (queue, key) in bindings.iter().enumerate() {
        exchange.unbind(key, &none, queue as u64);
    }
    let remove_ns = start.elapsed().as_nanos() as f64 / count as f64;
    assert!(exchange.is_empty());
    println!(
        "{count:>7} {:<9} route {route_ns:>6.0} ns ({:.2} destinations)   cached {cached_ns:>3.0} ns, hot {hot_ns:>3.0} ns   \
         bind {insert_ns:>5.0} ns   unbind {remove_ns:>5.0} ns",
        shape.name(),
        found as f64 / (KEYS * ROUNDS) as f64,
    );
}

fn direct(count: usize) {
    let mut exchange = BindingTable::new(ExchangeType::Direct);
    let keys: Vec<_> = (0..count).map(|queue| format!("queue-{queue}")).collect();
    for (queue, key) in keys.iter().enumerate() {
        exchange.bind(key, &FieldTable::new(), queue as u64).expect("no arguments to refuse");
    }
    let mut queues = Vec::new();
    let mut random = Random(7);
    let route_ns = best(KEYS, |_| {
        queues.clear();
        exchange.route(keys[random.below(count as u64) as usize].as_bytes(), None, &mut queues);
    });
    println!("{count:>7} direct    route {route_ns:>6.0} ns");
}

fn headers(count: usize) {
    let mut exchange = BindingTable::new(ExchangeType::Headers);
    let field = |name: &str, value: usize| (name.to_owned(), FieldValue::from(format!("value-{value}")));
    for queue in 0..count {
        let arguments = [field("kind", queue % 10), field("tenant", queue)].into_iter().collect();
        exchange.bind("", &arguments, queue as u64).expect("no x-match to refuse");
    }
    let message: FieldTable = [field("kind", 3), field("tenant", 13), field("other", 1)].into_iter().collect();
    let message = message.to_bytes();
    let mut queues = Vec::new();
    let route_ns = best(1000, |_| {
        queues.clear();
        exchange.route(b"", Some(TableRef::new(&message)), &mut queues);
    });
    println!("{count:>7} headers   route {route_ns:>6.0} ns ({} destinations)", queues.len());
}

fn main() {
    for count in [1_000, 10_000, 100_000] {
        for shape in [Shape::Prefix, Shape::Stars, Shape::Mixed, Shape::Middle] {
            topic(shape, count);
        }
    }
    for count in [10, 10_000, 1_000_000] {
        direct(count);
    }
    for count in [10, 1_000] {
        headers(count);
    }
}
