//! What the log costs: `cargo run --release -p store --example log_speed [DIRECTORY]`.

use std::sync::Arc;
use std::time::{Duration, Instant};
use store::{
    Append, Arena, ChunkPool, Log, LogOptions, LogWriter, Message, MessageParts, OpenError, Owner, ScanFrom,
    ScannedRecord, Sync, SystemDisk, Visitor, names, scan,
};

struct Ignore;

impl Visitor for Ignore {
    fn record(&mut self, _: &ScannedRecord<'_>) -> Result<(), OpenError> {
        Ok(())
    }
}

const SEGMENT_BYTES: u64 = 64 << 20;

fn open(directory: &std::path::Path) -> (Arc<Log>, LogWriter) {
    let disk = Arc::new(SystemDisk::open(directory).expect("a directory"));
    let began = Instant::now();
    let scanned =
        scan(&*disk, ScanFrom { log_id: 1, segment_bytes: SEGMENT_BYTES, head: 1, closed: store::Lsn(0) }, &mut Ignore);
    let scanned = scanned.expect("a log");
    let options = LogOptions { log_id: 1, segment_bytes: SEGMENT_BYTES, epoch: scanned.epoch + 1, sync: Sync::Always };
    let opened = Log::open(disk, options, scanned).expect("a log");
    println!("opened in {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    opened
}

/// Appends without writing, then writes without appending, then syncs.
fn apart(log: &Log, writer: &mut LogWriter, body: usize, run: usize) {
    let mut arena = Arena::new(ChunkPool::new(64));
    let names = names(b"amq.direct", b"some.queue");
    let parts = MessageParts { names: &names, header: &[0; 40], persistent: true, entered_ms: 0 };
    let message = Message::store(&mut arena, parts, &vec![7; body]);
    let rounds = 40;
    let per_round = ((8 << 20) / (body + 100)).min(20_000) / run * run;
    let (mut appending, mut writing, mut syncing) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut seq = 0;
    let first = log.written().0;
    for _ in 0..rounds {
        let began = Instant::now();
        for _ in 0..per_round / run {
            let mut append = log.append();
            for _ in 0..run {
                seq += 1;
                append.message(Owner { quid: 1 + seq % 8, seq }, Append::default(), &message);
            }
        }
        appending += began.elapsed();
        let began = Instant::now();
        writer.write().expect("written");
        writing += began.elapsed();
        let began = Instant::now();
        writer.sync().expect("synced");
        syncing += began.elapsed();
        // What maintenance does.
        let active = log.active_segment();
        if active > 1 {
            log.recycle(active - 1);
        }
        while log.prepare_spare().expect("a spare") {}
    }
    let bytes = (log.written().0 - first) as f64;
    println!(
        "{body:>6} B, {run:>3} a lock: append {:>6.1} ns each, write {:>6.0} MB/s ({:.0} ns each), sync {:>6.0} MB/s",
        appending.as_nanos() as f64 / seq as f64,
        bytes / 1e6 / writing.as_secs_f64(),
        writing.as_nanos() as f64 / seq as f64,
        bytes / 1e6 / syncing.as_secs_f64(),
    );
}

/// One that waits for every message, as a publisher with one confirm in flight does.
fn one_by_one(log: &Log) {
    let count = 300;
    let began = Instant::now();
    for seq in 0..count {
        let end = {
            let mut append = log.append();
            append.delivered(1, seq);
            append.end()
        };
        log.commit();
        while log.durable() < end {
            std::thread::yield_now();
        }
    }
    println!("one commit at a time: {:.0} us each", began.elapsed().as_secs_f64() * 1e6 / count as f64);
}

fn main() {
    let temporary = tempfile::tempdir().expect("a directory");
    let directory = std::env::args().nth(1).map_or_else(|| temporary.path().to_owned(), Into::into);
    let (log, mut writer) = open(&directory);
    for (body, run) in [(16, 1), (16, 100), (1024, 1), (1024, 100), (16_384, 1), (16_384, 50)] {
        apart(&log, &mut writer, body, run);
    }
    let thread = std::thread::spawn(move || writer.run());
    one_by_one(&log);
    log.close();
    thread.join().expect("the thread ends");
}
