//! Whatever a file holds, reading it ends in a configuration or an error.

use crate::{Effect, Loader, table};

const ROUNDS: u64 = 1000;

/// Pieces that lead further into the parser than random bytes would.
const PIECES: &[&str] = &[
    "=",
    " = ",
    "#",
    "'",
    "\n",
    "\r\n",
    ".",
    "\\.",
    "$(",
    ")",
    "$(heartbeat)",
    "include ",
    "encrypted:",
    "none",
    "infinity",
    "%",
    "GiB",
    "999999999999999999999",
    "-1",
    "127.0.0.1:5672",
    "[::1]:1",
    "1h30m",
    "ü",
    "\u{feff}",
    "\0",
    "\t",
];

/// xorshift64*, so that a failure can be repeated from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % bound
    }
}

fn text(random: &mut Random) -> Vec<u8> {
    let keys: Vec<_> = table().map(|row| row.pattern.as_str()).collect();
    let mut text = Vec::new();
    for _ in 0..random.below(60) {
        match random.below(4) {
            0 => text.extend_from_slice(keys[random.below(keys.len())].as_bytes()),
            1 => text.push(u8::try_from(random.below(256)).unwrap()),
            _ => text.extend_from_slice(PIECES[random.below(PIECES.len())].as_bytes()),
        }
    }
    text
}

#[test]
fn no_bytes_make_the_loader_panic() {
    for seed in 1..=ROUNDS {
        let bytes = text(&mut Random(seed));
        let outcome = std::panic::catch_unwind(|| {
            let mut loader = Loader::with_environment(|_| None);
            if loader.text("fuzz.conf".into(), &bytes).is_ok() {
                let _ = loader.load();
            }
            let mut loader = Loader::with_environment(|_| None);
            if loader.set(&String::from_utf8_lossy(&bytes)).is_ok() {
                let _ = loader.load();
            }
        });
        assert!(outcome.is_ok(), "seed {seed}: {:?}", String::from_utf8_lossy(&bytes));
    }
}

/// Every type and every key that has an effect, with each piece as its value: random text would hardly reach them all.
#[test]
fn no_value_makes_a_key_panic() {
    for value in PIECES.iter().chain(&["", "0", "1", "true", "1000000GB", "9223372036854775807", "0.5"]) {
        for row in table() {
            let _ = row.kind.read(value);
        }
        for row in table().filter(|row| row.effect == Effect::Takes) {
            let mut loader = Loader::with_environment(|_| None);
            if loader.set(&format!("{}={value}", row.pattern.replace('$', "some_"))).is_ok() {
                let _ = loader.load();
            }
        }
    }
}
