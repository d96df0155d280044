use super::*;
use crate::disk::{DiskFile, Space};
use proptest::prelude::*;

/// A log of several segments, each record of it synced, and what is in it.
fn written(seed: u64, segments: u32) -> (Arc<SimulatedDisk>, Vec<Seen>) {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    let mut author = Author::new(seed);
    while opened.log.active_segment() < segments || opened.log.written().0 % SEGMENT < SEGMENT / 2 {
        let count = 1 + author.random.below(30);
        author.run(&opened.log, count);
        opened.writer.write().unwrap();
        opened.writer.sync().unwrap();
    }
    (disk, author.appended)
}

#[test]
fn a_flipped_bit_costs_no_more_than_its_batch() {
    for seed in 0..30 {
        let (disk, appended) = written(seed, 2);
        let mut random = Random::new(seed);
        let victim = &appended[random.below(appended.len() as u64 * 3 / 4) as usize];
        let offset = victim.lsn.0 % SEGMENT + random.below(victim.end().0 - victim.lsn.0);
        let slot = (victim.lsn.0 / SEGMENT - 1) as u32;
        assert!(disk.flip_bit(&segment::slot_name(slot), offset, random.below(8) as u8));
        let opened = open(&disk, 1);
        let lost: Vec<_> = appended.iter().filter(|seen| !opened.found.records.contains(seen)).collect();
        if lost.is_empty() {
            assert_eq!(opened.found.damage, [], "it was in what pads the record");
            continue;
        }
        let [damage] = opened.found.damage[..] else { panic!("seed {seed}: {:?}", opened.found.damage) };
        assert!(damage.offset <= offset && offset < damage.offset + damage.bytes, "seed {seed}");
        let first = u64::from(damage.segment) * SEGMENT + damage.offset;
        assert!(lost.iter().all(|seen| first <= seen.lsn.0 && seen.end().0 <= first + damage.bytes), "seed {seed}");
        assert_eq!(opened.found.records.len() + lost.len(), appended.len(), "seed {seed}");
        // In the payload, the other records of the batch are kept.
        if offset >= victim.lsn.0 % SEGMENT + HEADER as u64 {
            assert_eq!(lost, [victim], "seed {seed}");
        }
    }
}

#[test]
fn a_lost_page_or_a_lost_segment_is_damage() {
    let (disk, appended) = written(3, 4);
    let file = disk.open("log-0001").unwrap();
    let whole = disk.contents("log-0001").unwrap();
    file.write_at(&[0; 64], 4096).unwrap();
    let opened = open(&disk, 1);
    // Whether there was anything in the rest of the segment before, nobody can tell.
    assert_eq!(opened.found.damage.iter().map(|damage| damage.segment).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(opened.found.damage[1].offset, 4096);
    let other = |seen: &&Seen| seen.lsn.0 / SEGMENT != 2;
    assert!(appended.iter().filter(other).all(|seen| opened.found.records.contains(seen)));
    assert!(opened.found.records.len() > appended.iter().filter(other).count());
    drop(opened);
    file.write_at(&vec![0; whole.len()], 0).unwrap();
    // The file could be found again, so that nothing goes on without it.
    assert!(matches!(try_open(&disk, 1), Err(OpenError::Missing { segment: 2 })));
    make_empty(&*disk, from(1), 2).unwrap();
    let opened = open(&disk, 1);
    let expected: Vec<_> = appended.iter().filter(other).cloned().collect();
    assert_eq!(opened.found.records, expected);
    assert!(!opened.found.damage.is_empty());
}

/// The file header and the first batch reach the disk separately, or rot.
#[test]
fn a_segment_is_found_without_its_file_header() {
    let (disk, appended) = written(4, 3);
    let file = disk.open("log-0001").unwrap();
    file.write_at(&segment::file_header(LOG_ID, SEGMENT, 0), 0).unwrap();
    assert_eq!(open(&disk, 1).found.records, appended);
    file.write_at(&[0; 36], 0).unwrap();
    assert_eq!(open(&disk, 1).found.records, appended);
    // Without both, by any other batch.
    file.write_at(&[0; 8192], 0).unwrap();
    let opened = open(&disk, 1);
    assert!(opened.found.records.len() * 10 > appended.len() * 8);
}

#[test]
fn other_files_are_refused_and_not_touched() {
    let refused = |contents: &[u8]| {
        let disk = SimulatedDisk::new();
        disk.create("log-0000").unwrap().write_at(contents, 0).unwrap();
        let error = scan(&*disk, from(1), &mut Collect::default()).err().unwrap();
        assert_eq!(disk.contents("log-0000").unwrap(), contents);
        error.to_string()
    };
    let text = [b'x'; 5000];
    assert_eq!(refused(&text), "log-0000 does not belong to this message store");
    let other = segment::file_header(LOG_ID + 1, SEGMENT, 1);
    assert_eq!(refused(&other), "log-0000 does not belong to this message store");
    let mut newer = segment::file_header(LOG_ID, SEGMENT, 1);
    newer[8] = 2;
    let check = crc32fast::hash(&newer[..32]);
    newer[32..36].copy_from_slice(&check.to_le_bytes());
    assert_eq!(refused(&newer), "log-0000 has format version 2, which is newer than this version of Leveret");
}

#[test]
fn a_record_of_a_later_version_stops_recovery() {
    let disk = SimulatedDisk::new();
    let mut opened = open(&disk, 1);
    opened.log.append().later_kind(12);
    opened.writer.write().unwrap();
    let error = scan(&*disk, from(1), &mut Collect::default()).err().unwrap().to_string();
    assert!(error.contains("kind 12 (truncate) at 1052736"), "{error}");
}

/// A disk of which one page of one file cannot be read.
struct BadPage {
    disk: Arc<SimulatedDisk>,
    name: String,
    offset: u64,
}

struct BadFile {
    file: Arc<dyn DiskFile>,
    offset: u64,
}

impl Disk for BadPage {
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(name)
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.open(name)?;
        if name == self.name { Ok(Arc::new(BadFile { file, offset: self.offset })) } else { Ok(file) }
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
    fn names(&self) -> io::Result<Vec<String>> {
        self.disk.names()
    }
    fn sync_names(&self) -> io::Result<()> {
        self.disk.sync_names()
    }
    fn space(&self) -> io::Result<Space> {
        self.disk.space()
    }
}

impl DiskFile for BadFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let reaches = offset < self.offset + 4096 && offset + buffer.len() as u64 > self.offset;
        if reaches { Err(io::Error::other("bad sector")) } else { self.file.read_at(buffer, offset) }
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }
}

#[test]
fn an_end_that_cannot_be_read_is_not_cut_off() {
    let (disk, appended) = written(5, 2);
    let last = appended.last().unwrap().lsn.0 % SEGMENT;
    let bad = |name: &str, offset: u64| {
        let disk = BadPage { disk: disk.clone(), name: name.to_owned(), offset };
        let mut found = Collect::default();
        let result = scan(&disk, from(1), &mut found);
        (result.map(|scanned| scanned.end), found)
    };
    // The last batch is durable, but none behind it says so.
    let (result, _) = bad("log-0001", last / 4096 * 4096);
    assert_eq!(result.unwrap_err().to_string(), "log-0001: bad sector");
    // Before that it is damage, and costs what is on the page.
    let (result, found) = bad("log-0000", 40960);
    assert_eq!(result.unwrap(), appended.last().unwrap().end());
    assert!(!found.damage.is_empty() && found.records.len() * 10 > appended.len() * 9);
    // A file header that cannot be read does not make its file a free one.
    let (result, found) = bad("log-0001", 0);
    assert_eq!((result.unwrap(), found.records), (appended.last().unwrap().end(), appended.clone()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever is on the disk: no panic, and what is found was appended. (But for bytes that pass a checksum.)
    #[test]
    fn hostile_bytes_never_panic(
        seed in 0u64..4,
        edits in proptest::collection::vec((0u32..3, 0u64..SEGMENT, proptest::collection::vec(any::<u8>(), 1..64)), 1..8),
        header_edits in proptest::collection::vec((0u32..3, 0u64..40, 0u64..64, any::<u8>()), 0..6),
        cut in proptest::option::of(0u64..SEGMENT),
    ) {
        let (disk, appended) = written(seed, 3);
        for (slot, offset, bytes) in edits {
            disk.open(&segment::slot_name(slot)).unwrap().write_at(&bytes, offset).unwrap();
        }
        for (slot, page, offset, byte) in header_edits {
            disk.open(&segment::slot_name(slot)).unwrap().write_at(&[byte], page * 4096 + offset).unwrap();
        }
        if let Some(len) = cut {
            disk.open("log-0002").unwrap().set_len(len).unwrap();
        }
        if let Ok(mut opened) = try_open(&disk, 1) {
            let mut rest = appended.iter();
            for seen in &opened.found.records {
                prop_assert!(rest.any(|appended| appended == seen), "in order, and as it was");
            }
            opened.log.append().delivered(1, 1);
            opened.writer.write().unwrap();
            opened.writer.sync().unwrap();
            let again = open(&disk, 1).found.records;
            prop_assert_eq!(again.len(), opened.found.records.len() + 1);
        }
    }

    /// Headers with checksums that hold, saying anything.
    #[test]
    fn any_header_with_a_checksum_is_survived(
        len in prop_oneof![0u32..200, any::<u32>()], records in prop_oneof![0u32..4, any::<u32>()], durable in any::<u64>(),
        epoch in any::<u32>(), segment in 0u32..3, payload_len in prop_oneof![0u32..200, any::<u32>()], flags in any::<u8>(),
    ) {
        let disk = SimulatedDisk::new();
        let first = u64::from(segment) * SEGMENT + 4096;
        let mut header = batch::BatchHeader {
            log_id: LOG_ID, epoch, segment, first, len, records, previous: 0, checksum: 0, durable,
        };
        let record = record::Header { payload_len, flags, ..record::Header::new(Kind::Settle, 1, 1) };
        let mut hasher = header.hasher();
        hasher.update(&record.to_bytes());
        header.checksum = hasher.finalize();
        let mut file = segment::file_header(LOG_ID, SEGMENT, segment).to_vec();
        file.resize(4096, 0);
        file.extend_from_slice(&header.to_bytes());
        file.extend_from_slice(&record.to_bytes());
        file.resize(20_000, 0);
        disk.create("log-0000").unwrap().write_at(&file, 0).unwrap();
        let mut found = Collect::default();
        let _ = scan(&*disk, from(1), &mut found);
        prop_assert!(found.records.len() <= 1);
    }
}
