//! What the tests of the log share: a log on a simulated disk, random records, and what a scan should find of them.

mod crash;
mod damage;
mod round_trip;
mod space;
mod threads;

use super::*;
use crate::error::OpenError;
use crate::place::{Owner, Place};
use crate::record::{self, BLOB, HEADER, Kind};
use crate::simulation::{Random, SimulatedDisk};
use crate::{Arena, ChunkPool, Message, MessageParts, names};

const SEGMENT: u64 = 1 << 20;
const LOG_ID: u64 = 0x1234_5678_9abc_def0;

/// A record as the scan gives it, or as it was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    lsn: Lsn,
    kind: u8,
    flags: u8,
    delivery_count: u16,
    group: u64,
    index: u64,
    tx: Option<TransactionId>,
    payload: Vec<u8>,
}

impl Seen {
    fn end(&self) -> Lsn {
        let tx = if self.tx.is_some() { 8 } else { 0 };
        Lsn(self.lsn.0 + record::padded(self.payload.len() + tx) as u64)
    }
}

#[derive(Default)]
struct Collect {
    records: Vec<Seen>,
    damage: Vec<Damage>,
}

impl Visitor for Collect {
    fn record(&mut self, record: &ScannedRecord<'_>) -> Result<(), OpenError> {
        let header = record.header;
        let seen = Seen {
            lsn: record.lsn,
            kind: header.kind,
            flags: header.flags,
            delivery_count: header.delivery_count,
            group: header.group,
            index: header.index,
            tx: record.tx,
            payload: record.payload.to_vec(),
        };
        assert_eq!(seen.end(), record.end());
        self.records.push(seen);
        Ok(())
    }

    fn damage(&mut self, damage: Damage) {
        self.damage.push(damage);
    }
}

fn from(head: u32) -> ScanFrom {
    ScanFrom { log_id: LOG_ID, segment_bytes: SEGMENT, head, closed: Lsn(0) }
}

fn options(epoch: u32, sync: Sync) -> LogOptions {
    LogOptions { log_id: LOG_ID, segment_bytes: SEGMENT, epoch, sync }
}

/// A log that has been opened, and what was in it.
struct Opened {
    log: Arc<Log>,
    writer: LogWriter,
    found: Collect,
    end: Lsn,
    clean: bool,
}

fn try_open(disk: &Arc<SimulatedDisk>, head: u32) -> Result<Opened, OpenError> {
    let mut found = Collect::default();
    let scanned = scan(&**disk, from(head), &mut found)?;
    assert_eq!(scanned.damage, found.damage);
    let (end, clean) = (scanned.end, scanned.clean);
    let options = options(scanned.epoch + 1, Sync::Always);
    let (log, writer) = Log::open(disk.clone(), options, scanned)?;
    Ok(Opened { log, writer, found, end, clean })
}

fn open(disk: &Arc<SimulatedDisk>, head: u32) -> Opened {
    try_open(disk, head).unwrap()
}

/// Appends random records and remembers them.
struct Author {
    arena: Arena,
    random: Random,
    appended: Vec<Seen>,
    seq: u64,
    largest_body: u64,
}

impl Author {
    fn new(seed: u64) -> Author {
        let arena = Arena::new(ChunkPool::new(4));
        Author { arena, random: Random::new(seed), appended: Vec::new(), seq: 0, largest_body: 20_000 }
    }

    fn message(&mut self, len: usize) -> Message {
        let names = names(b"exchange", format!("key{}", self.seq).as_bytes());
        let parts = MessageParts { names: &names, header: b"some header", persistent: true, entered_ms: 0 };
        let body = self.random.bytes(len);
        Message::store(&mut self.arena, parts, &body)
    }

    fn run(&mut self, log: &Log, count: u64) {
        let mut append = log.append();
        for _ in 0..count {
            self.one(log, &mut append);
        }
    }

    fn one(&mut self, log: &Log, append: &mut Appender<'_>) {
        self.seq += 1;
        let owner = Owner { quid: 1 + self.random.below(5), seq: self.seq };
        let tx = self.random.chance(1, 4).then(|| log.begin_transaction());
        let mut seen = Seen {
            lsn: Lsn(0),
            kind: 0,
            flags: u8::from(tx.is_some()),
            delivery_count: 0,
            group: owner.quid,
            index: owner.seq,
            tx,
            payload: Vec::new(),
        };
        match self.random.below(10) {
            0..4 => return self.one_message(append, seen),
            4 => {
                let body = Place { lsn: Lsn(self.random.next_u64() >> 30), len: 7 };
                append.route(owner, Append { transient: true, tx, ..Append::default() }, body, 9);
                seen.flags |= record::TRANSIENT;
                seen.payload = Route { body, body_len: 9 }.to_bytes().to_vec();
                seen.kind = Kind::Route as u8;
            }
            5 | 6 => {
                let gone: Vec<_> =
                    (0..1 + self.random.below(20)).map(|i| (owner.seq ^ i, self.random.below(9999) as u32)).collect();
                append.settle(owner.quid, tx, &gone);
                seen.index = gone[0].0;
                payload::put_settle(&mut seen.payload, &gone);
                seen.kind = Kind::Settle as u8;
            }
            7 => {
                append.settle_range(owner.quid, owner.seq, owner.seq + 100, &[owner.seq + 3, owner.seq + 50]);
                payload::put_settle_range(
                    &mut seen.payload,
                    owner.seq,
                    owner.seq + 100,
                    &[owner.seq + 3, owner.seq + 50],
                );
                (seen.kind, seen.tx, seen.flags) = (Kind::SettleRange as u8, None, 0);
            }
            8 => {
                append.requeue(owner, 70_000);
                (seen.kind, seen.tx, seen.flags) = (Kind::Requeue as u8, None, 0);
                seen.delivery_count = u16::MAX;
            }
            _ => {
                let len = self.random.below(500) as usize;
                seen.payload = self.random.bytes(len);
                append.metadata(&seen.payload);
                (seen.kind, seen.tx, seen.flags) = (Kind::Metadata as u8, None, 0);
                (seen.group, seen.index) = (0, 0);
            }
        }
        let tx = if seen.tx.is_some() { 8 } else { 0 };
        seen.lsn = Lsn(append.end().0 - record::padded(seen.payload.len() + tx) as u64);
        self.appended.push(seen);
    }

    fn one_message(&mut self, append: &mut Appender<'_>, mut seen: Seen) {
        let most = if self.random.chance(1, 8) { self.largest_body } else { 600 };
        let len = self.random.below(most) as usize;
        let message = self.message(len);
        let delivered = self.random.chance(1, 2);
        let owner = Owner { quid: seen.group, seq: seen.index };
        let place = append.message(owner, Append { delivered, transient: false, tx: seen.tx }, &message);
        seen.kind = Kind::Message as u8;
        seen.flags |= if delivered { record::DELIVERED } else { 0 };
        seen.lsn = place.lsn;
        for slice in message.stored_slices() {
            seen.payload.extend_from_slice(&slice);
            if len as u64 > SEGMENT / 8 {
                // The head alone is in the log.
                let body = message.body_slices().fold(Vec::new(), |mut all, slice| {
                    all.extend_from_slice(&slice);
                    all
                });
                seen.flags |= BLOB;
                seen.payload.extend_from_slice(&place.lsn.0.to_le_bytes());
                seen.payload.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
                break;
            }
        }
        let tx = if seen.tx.is_some() { 8 } else { 0 };
        assert_eq!(place.len as usize, HEADER + tx + seen.payload.len());
        assert_eq!(append.end(), seen.end());
        self.appended.push(seen);
    }
}

/// The part of what was appended that ends below a position.
fn below(appended: &[Seen], lsn: Lsn) -> &[Seen] {
    &appended[..appended.partition_point(|seen| seen.end() <= lsn)]
}
