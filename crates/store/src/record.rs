//! Records: what log and cold segments consist of. Described byte by byte in docs/formats/messages.md.
//!
//! ```text
//! offset  bytes  what (little-endian)
//!      0      4  length of the payload
//!      4      4  CRC-32 of bytes 8 to 32 and the payload
//!      8      1  kind
//!      9      1  flags
//!     10      2  delivery count (saturating)
//!     12      4  term (0 for classic queues; reserved for Raft)
//!     16      8  group: the queue's id, 0 for metadata
//!     24      8  index: the message's sequence number
//!     32         payload, then zeros up to a multiple of 8
//! ```

use crc32fast::Hasher;

/// Bytes in front of the payload.
pub const HEADER: usize = 32;
/// Records begin at multiples of this.
pub const ALIGNMENT: usize = 8;

/// What a record says. Numbers are never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A message entered a queue: the message itself.
    Message = 1,
    /// A message entered a further queue: where its record is.
    Route = 2,
    /// Messages left a queue for good, one by one.
    Settle = 3,
    /// All messages from one to another left a queue, but for some.
    SettleRange = 4,
    /// A message came back after a delivery.
    Requeue = 5,
    /// How far messages of a queue may have been delivered.
    Delivered = 6,
    /// A change of the definitions.
    Metadata = 7,
    /// The records of a transaction take effect.
    TxCommit = 8,
    /// The log ended in good order.
    CleanEnd = 9,
    /// Something is to happen to a message at a time.
    Timer = 10,
}

impl Kind {
    /// The kind with this number; `None` for one that this version does not know.
    pub fn from_number(number: u8) -> Option<Kind> {
        Some(match number {
            1 => Kind::Message,
            2 => Kind::Route,
            3 => Kind::Settle,
            4 => Kind::SettleRange,
            5 => Kind::Requeue,
            6 => Kind::Delivered,
            7 => Kind::Metadata,
            8 => Kind::TxCommit,
            9 => Kind::CleanEnd,
            10 => Kind::Timer,
            _ => return None,
        })
    }

    /// What the kind is called by `dump`; also for numbers that are reserved for later features.
    pub fn name(number: u8) -> &'static str {
        match number {
            1 => "message",
            2 => "route",
            3 => "settle",
            4 => "settle range",
            5 => "requeue",
            6 => "delivered",
            7 => "metadata",
            8 => "tx commit",
            9 => "clean end",
            10 => "timer",
            11 => "deduplicate",
            12 => "truncate",
            13 => "hard state",
            14 => "retry",
            _ => "unknown",
        }
    }
}

/// The record belongs to a transaction, whose id is in front of its payload as a u64.
pub const TX: u8 = 1;
/// The message may have been delivered before.
pub const DELIVERED: u8 = 2;
/// The message does not survive a restart.
pub const TRANSIENT: u8 = 4;
/// The body is in a file of its own; the payload ends with its id (u64) and the CRC-32 of the body (u32).
pub const BLOB: u8 = 8;

/// The fixed part of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the payload.
    pub payload_len: u32,
    /// The checksum as it stands in the record.
    pub crc: u32,
    /// Number of the kind, known or not.
    pub kind: u8,
    /// Flags.
    pub flags: u8,
    /// How often the message came back after a delivery.
    pub delivery_count: u16,
    /// Term.
    pub term: u32,
    /// The queue's id.
    pub group: u64,
    /// The message's sequence number.
    pub index: u64,
}

impl Header {
    /// A header without flags; length and checksum are set when the record is written.
    pub fn new(kind: Kind, group: u64, index: u64) -> Header {
        Header { payload_len: 0, crc: 0, kind: kind as u8, flags: 0, delivery_count: 0, term: 0, group, index }
    }

    /// The header as it stands in front of a payload; `crc` is left as it is.
    pub fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..4].copy_from_slice(&self.payload_len.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.crc.to_le_bytes());
        bytes[8] = self.kind;
        bytes[9] = self.flags;
        bytes[10..12].copy_from_slice(&self.delivery_count.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.term.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.group.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.index.to_le_bytes());
        bytes
    }

    /// Reads a header, whatever it says.
    pub fn from_bytes(bytes: &[u8; HEADER]) -> Header {
        let u32_at = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let u64_at = |at: usize| u64::from(u32_at(at)) | (u64::from(u32_at(at + 4)) << 32);
        Header {
            payload_len: u32_at(0),
            crc: u32_at(4),
            kind: bytes[8],
            flags: bytes[9],
            delivery_count: u16::from_le_bytes([bytes[10], bytes[11]]),
            term: u32_at(12),
            group: u64_at(16),
            index: u64_at(24),
        }
    }

    /// The checksum of a record with this header and a payload in these parts.
    pub fn checksum<'a>(self, payload: impl IntoIterator<Item = &'a [u8]>) -> u32 {
        let mut hasher = Hasher::new();
        hasher.update(&self.to_bytes()[8..]);
        payload.into_iter().for_each(|part| hasher.update(part));
        hasher.finalize()
    }

    /// True when the checksum fits this payload.
    pub fn holds(self, payload: &[u8]) -> bool {
        payload.len() == self.payload_len as usize && self.checksum([payload]) == self.crc
    }
}

/// Bytes that a record with a payload of this length takes, with its padding.
pub fn padded(payload_len: usize) -> usize {
    (HEADER + payload_len).next_multiple_of(ALIGNMENT)
}

/// Splits the first record off `bytes`: its header, its payload, and what follows it.
///
/// `None` when there is not a whole record. The checksum is not looked at.
pub fn split_first(bytes: &[u8]) -> Option<(Header, &[u8], &[u8])> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let header = Header::from_bytes(header);
    let payload = rest.get(..header.payload_len as usize)?;
    let rest = bytes.get(padded(payload.len())..).unwrap_or_default();
    Some((header, payload, rest))
}

/// Appends a number in 7-bit groups, lowest first.
pub fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number off the front of `bytes`; `None` when it does not end or does not fit 64 bits.
pub fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A signed difference as an unsigned number, small ones small.
pub fn zigzag(difference: i64) -> u64 {
    ((difference << 1) ^ (difference >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_header_is_read_as_it_was_written(bytes in any::<[u8; HEADER]>()) {
            prop_assert_eq!(Header::from_bytes(&bytes).to_bytes(), bytes);
        }

        #[test]
        fn any_bit_of_header_or_payload_counts(
            payload in proptest::collection::vec(any::<u8>(), 0..40), bit in 64usize..32 * 8 + 40 * 8
        ) {
            let mut header = Header { payload_len: payload.len() as u32, ..Header::new(Kind::Settle, 7, 9) };
            header.crc = header.checksum([&payload[..]]);
            prop_assert!(header.holds(&payload));
            let mut bytes = [&header.to_bytes()[..], &payload].concat();
            prop_assume!(bit / 8 < bytes.len());
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (header, payload, _) = split_first(&bytes).unwrap();
            prop_assert!(!header.holds(payload));
        }

        #[test]
        fn numbers_survive(number in any::<u64>(), difference in any::<i64>()) {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            let mut rest = &out[..];
            prop_assert_eq!(take_varint(&mut rest), Some(number));
            prop_assert!(rest.is_empty());
            prop_assert_eq!(unzigzag(zigzag(difference)), difference);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = split_first(&bytes);
            let _ = take_varint(&mut &bytes[..]);
        }
    }
}
