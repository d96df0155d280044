//! SipHash-2-4 with 128 bits of output (Aumasson and Bernstein): fingerprints that stay the same on disk.
//!
//! The key is fixed. Who makes two values with one fingerprint, at a cost of 2^64 steps, has a message of their own taken
//! for a duplicate.

/// The fingerprint of a value of some sort.
pub(super) fn fingerprint(sort: u8, value: &[u8]) -> u128 {
    sip_128(0x6c65_7665_7265_7421, u64::from(sort), value)
}

fn sip_128(key_low: u64, key_high: u64, bytes: &[u8]) -> u128 {
    let mut state = State {
        v: [
            key_low ^ 0x736f_6d65_7073_6575,
            key_high ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            key_low ^ 0x6c79_6765_6e65_7261,
            key_high ^ 0x7465_6462_7974_6573,
        ],
    };
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        state.absorb(little_endian(word));
    }
    state.absorb(little_endian(words.remainder()) | (bytes.len() as u64) << 56);
    state.v[2] ^= 0xee;
    let low = state.squeeze();
    state.v[1] ^= 0xdd;
    u128::from(low) | u128::from(state.squeeze()) << 64
}

/// Up to eight bytes as a number.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

struct State {
    v: [u64; 4],
}

impl State {
    fn absorb(&mut self, word: u64) {
        self.v[3] ^= word;
        self.round();
        self.round();
        self.v[0] ^= word;
    }

    fn squeeze(&mut self) -> u64 {
        (0..4).for_each(|_| self.round());
        self.v[0] ^ self.v[1] ^ self.v[2] ^ self.v[3]
    }

    fn round(&mut self) {
        let [v0, v1, v2, v3] = &mut self.v;
        *v0 = v0.wrapping_add(*v1);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v3);
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.wrapping_add(*v3);
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.wrapping_add(*v1);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v2 = v2.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first vectors of the reference implementation: the key 00 to 0f, the input 00, 01, ...
    #[test]
    fn the_vectors_of_the_reference() {
        let key = |from: u8| little_endian(&(from..from + 8).collect::<Vec<u8>>());
        for (len, expected) in
            [(0, 0x9302_55c7_1472_f66d_e6a8_25ba_047f_81a3_u128), (1, 0x45fc_229b_1159_7634_44af_996b_d8c1_87da)]
        {
            let input: Vec<u8> = (0..len).collect();
            assert_eq!(sip_128(key(0), key(8), &input), expected, "{len} bytes");
        }
    }

    #[test]
    fn every_byte_and_the_length_count() {
        let inputs: Vec<Vec<u8>> = (0..40).map(|len| vec![0; len]).chain((0..40).map(flagged)).collect();
        let distinct: std::collections::HashSet<_> = inputs.iter().map(|input| fingerprint(0, input)).collect();
        assert_eq!(distinct.len(), inputs.len());
        assert_ne!(fingerprint(0, b"a"), fingerprint(1, b"a"));
    }

    /// 40 bytes of which one is not zero.
    fn flagged(at: usize) -> Vec<u8> {
        (0..40).map(|place| u8::from(place == at)).collect()
    }
}
