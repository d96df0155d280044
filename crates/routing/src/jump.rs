//! Jump consistent hashing (Lamping and Veach) with the generator that RabbitMQ's plugin takes its numbers from:
//! Erlang's `rand` with the algorithm `exs1024`, which is Vigna's xorshift1024* filled by his xorshift64*.

#[cfg(test)]
mod tests;

/// The bucket of `key` among `buckets`, from 0; with a bucket more, a key stays or goes to the new one.
///
/// Of `key` the lowest 21 bits count. 0 where there are no buckets.
pub(crate) fn bucket(key: u64, buckets: u64) -> u64 {
    if buckets <= 1 {
        return 0;
    }
    let mut random = Generator::new(key);
    let mut bucket = 0;
    loop {
        // A zero, which comes once in 2^64, ends the plugin with a division; infinity is beyond every bucket.
        let next = ((bucket + 1) as f64 / random.next()) as u64;
        if next >= buckets {
            return bucket;
        }
        bucket = next;
    }
}

/// `rand:seed_s(exs1024, {Key, Key, Key})`.
struct Generator {
    state: [u64; 16],
    at: usize,
}

impl Generator {
    fn new(key: u64) -> Generator {
        // The three seeds of Erlang's older generators, of 21 bits each, times three primes.
        const MASK: u64 = (1 << 21) - 1;
        let [first, second, third] =
            [2_097_131, 2_097_133, 2_097_143].map(|prime| ((key & MASK) + 1).wrapping_mul(prime) & MASK);
        let mut filler = first << 43 | second << 22 | third << 1 | 1;
        let mut state = [0; 16];
        // The list is built from its end.
        for word in state.iter_mut().rev() {
            filler ^= filler >> 12;
            filler ^= filler << 25;
            filler ^= filler >> 27;
            *word = filler.wrapping_mul(2_685_821_657_736_338_717);
        }
        Generator { state, at: 0 }
    }

    /// The next number in 0.0 to 1.0, which rounding makes possible.
    fn next(&mut self) -> f64 {
        const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
        let first = self.state[self.at];
        self.at = (self.at + 1) % self.state.len();
        let mut second = self.state[self.at];
        second ^= second << 31;
        second ^= second >> 11;
        second ^= first ^ (first >> 30);
        self.state[self.at] = second;
        second.wrapping_mul(1_181_783_497_276_652_981) as f64 / TWO_TO_64
    }
}
