//! What stands in the payloads of the log's own records.

use crate::place::{Lsn, Place};
use crate::record::{put_varint, take_varint, unzigzag, zigzag};

/// The payload of a route record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where the message's record is.
    pub body: Place,
    /// Bytes of its body.
    pub body_len: u32,
}

impl Route {
    pub(crate) fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[0..8].copy_from_slice(&self.body.lsn.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.body.len.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.body_len.to_le_bytes());
        bytes
    }
}

/// Reads the payload of a route record (without a transaction id).
pub fn read_route(payload: &[u8]) -> Option<Route> {
    let (lsn, rest) = payload.split_first_chunk::<8>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let body_len = rest.first_chunk::<4>()?;
    let body = Place { lsn: Lsn(u64::from_le_bytes(*lsn)), len: u32::from_le_bytes(*len) };
    Some(Route { body, body_len: u32::from_le_bytes(*body_len) })
}

/// Encodes messages of a settle record, whose index is the first one's seq.
pub(crate) fn put_settle(out: &mut Vec<u8>, messages: &[(u64, u32)]) {
    put_varint(out, messages.len() as u64);
    let mut previous = messages.first().map_or(0, |first| first.0);
    for &(seq, body_len) in messages {
        put_varint(out, zigzag(seq.wrapping_sub(previous) as i64));
        put_varint(out, u64::from(body_len));
        previous = seq;
    }
}

/// Reads the payload of a settle record (without a transaction id): calls `settled` with each seq and body length.
/// `None` when it is none; what came before has been called then.
pub fn read_settle(index: u64, mut payload: &[u8], mut settled: impl FnMut(u64, u32)) -> Option<()> {
    let mut seq = index;
    for _ in 0..take_varint(&mut payload)? {
        seq = seq.wrapping_add(unzigzag(take_varint(&mut payload)?) as u64);
        settled(seq, u32::try_from(take_varint(&mut payload)?).ok()?);
    }
    Some(())
}

/// Encodes what a settle range record says, whose index is `first`.
pub(crate) fn put_settle_range(out: &mut Vec<u8>, first: u64, last: u64, except: &[u64]) {
    out.extend_from_slice(&last.to_le_bytes());
    put_varint(out, except.len() as u64);
    let mut previous = first;
    for &seq in except {
        put_varint(out, zigzag(seq.wrapping_sub(previous) as i64));
        previous = seq;
    }
}

/// Reads the payload of a settle range record: the last seq, and those that stay.
pub fn read_settle_range(index: u64, mut payload: &[u8]) -> Option<(u64, Vec<u64>)> {
    let (last, rest) = payload.split_first_chunk::<8>()?;
    payload = rest;
    let mut except = Vec::new();
    let mut seq = index;
    for _ in 0..take_varint(&mut payload)? {
        seq = seq.wrapping_add(unzigzag(take_varint(&mut payload)?) as u64);
        except.push(seq);
    }
    Some((u64::from_le_bytes(*last), except))
}

/// The number at this offset, which must be within the bytes.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
