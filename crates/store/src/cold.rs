//! STUB until cold's arrives.
use crate::*;
pub struct Loaded { pub seq: u64, pub message: Message, pub delivery_count: u32, pub redelivered: bool }
pub struct Lost { pub seq: u64, pub body_len: u32 }
pub struct LoadedRun { pub loaded: Vec<Loaded>, pub lost: Vec<Lost>, pub hint: crate::backlog::ReadHint }
#[derive(Debug)]
pub enum ReadError { NotWritten, Other(String) }
pub fn file_name(id: u64) -> String { format!("cold-{id:08}") }
pub(crate) fn read(store: &Store, read: &crate::backlog::Read, arena: &mut Arena) -> Result<LoadedRun, ReadError> {
    let mut run = LoadedRun { loaded: vec![], lost: vec![], hint: crate::backlog::ReadHint };
    for (seq, place, count, body_len, redelivered) in &read.slots {
        let pin = store.log.pin(place.lsn).ok_or(ReadError::NotWritten)?;
        let mut bytes = vec![0; place.len as usize];
        pin.read_exact_at(&mut bytes, place.lsn).map_err(|e| ReadError::Other(e.to_string()))?;
        let Some((header, payload, _)) = record::split_first(&bytes) else { run.lost.push(Lost { seq: *seq, body_len: *body_len }); continue };
        if !header.holds(payload) { run.lost.push(Lost { seq: *seq, body_len: *body_len }); continue }
        let payload = if header.flags & record::TX != 0 { &payload[8..] } else { payload };
        let message = if header.flags & record::BLOB != 0 {
            let (head, tail) = payload.split_at(payload.len() - 12);
            let id = u64::from_le_bytes(tail[..8].try_into().unwrap());
            let crc = u32::from_le_bytes(tail[8..].try_into().unwrap());
            let mut pieces = vec![];
            if read_blob(&*store.disk, id, crc, &mut |piece| pieces.push(arena.append([piece]))).is_err() { run.lost.push(Lost { seq: *seq, body_len: *body_len }); continue }
            Message::from_stored_pieces(arena.append([head]), pieces)
        } else { Message::from_stored(arena.append([payload])) };
        let Some(message) = message else { run.lost.push(Lost { seq: *seq, body_len: *body_len }); continue };
        run.loaded.push(Loaded { seq: *seq, message, delivery_count: *count, redelivered: *redelivered });
    }
    Ok(run)
}
pub struct ColdSegment;
impl ColdSegment { pub fn bytes(&self) -> u64 { 0 } pub fn live_bytes(&self) -> u64 { 0 } }
pub fn open_segment(_d: &std::sync::Arc<dyn Disk>, _id: u64, _b: u64) -> Result<std::sync::Arc<ColdSegment>, StoreError> { Ok(std::sync::Arc::new(ColdSegment)) }
