//! Cold segments that somebody changed: nothing panics, and no message is another than was written.

use super::read::read_cold;
use super::*;
use crate::backlog::ColdRead;
use crate::message::{Body, Message, MessageParts, names};
use crate::record::{Header, Kind};
use crate::simulation::{Random, SimulatedDisk};
use crate::{Arena, ChunkPool, LoadedRun, Lost, ReadError};

const LOG_ID: u64 = 7;
/// Both queues number their messages alike, so that one's could be taken for the other's.
const QUEUES: [u64; 2] = [3, 4];
pub(crate) const MESSAGES: u64 = 40;

/// The payload of a Message record.
pub(crate) fn payload(body: &[u8]) -> Vec<u8> {
    let mut arena = Arena::new(ChunkPool::new(1));
    let names = names(b"exchange", b"key");
    let parts = MessageParts { names: &names, header: b"header", persistent: true, entered_ms: 0 };
    let message = Message::store(&mut arena, parts, body);
    message.stored_slices().fold(Vec::new(), |mut all, slice| {
        all.extend_from_slice(&slice);
        all
    })
}

pub(crate) fn body_of(message: &Message) -> Vec<u8> {
    match message.body() {
        Body::Whole(body) => body.to_vec(),
        Body::Pieces(pieces) => pieces.iter().flat_map(|piece| piece.to_vec()).collect(),
    }
}

fn body(quid: u64, seq: u64) -> Vec<u8> {
    match seq % 8 {
        0 => b"a body that messages of both queues have".repeat(8),
        1 => vec![(quid + seq) as u8; 9000],
        _ => format!("{seq} of queue {quid}, ").repeat((seq % 5) as usize + 1).into_bytes(),
    }
}

pub(crate) fn written() -> (Arc<SimulatedDisk>, Arc<ColdSegment>, Vec<DirectoryEntry>) {
    let disk = SimulatedDisk::new();
    let shared: Arc<dyn Disk> = disk.clone();
    let mut writer = Writer::create(&shared, 1, LOG_ID).unwrap();
    let place = writer.shared(0, &payload(&body(0, 0))).unwrap();
    for quid in QUEUES {
        writer.begin_region(quid, 0, MESSAGES as usize).unwrap();
        for seq in 0..MESSAGES {
            let header = Header::new(Kind::Message, quid, seq);
            let body = body(quid, seq);
            match seq % 8 {
                0 => writer.route(header, place, body.len() as u32).unwrap(),
                _ => writer.message(header, &payload(&body)).unwrap(),
            }
        }
        writer.end_region(MESSAGES - 1).unwrap();
    }
    let (segment, directory) = writer.finish().unwrap();
    (disk, segment, directory)
}

fn read_some(
    disk: &SimulatedDisk,
    segment: &Arc<ColdSegment>,
    region: Region,
    seqs: impl Iterator<Item = u64>,
) -> Result<LoadedRun, ReadError> {
    let wanted = seqs.map(|seq| (seq, None)).collect();
    let most_bytes = usize::MAX;
    let read = ColdRead { segment: segment.clone(), region, wanted, from_entry: 0, most_bytes };
    run(disk, &read)
}

pub(crate) fn run(disk: &SimulatedDisk, read: &ColdRead) -> Result<LoadedRun, ReadError> {
    read_cold(disk, true, read, &mut Arena::new(ChunkPool::new(4)))
}

/// Reads everything, whatever has been done to the file; how many messages are lost.
pub(crate) fn check(
    disk: &SimulatedDisk,
    segment: &Arc<ColdSegment>,
    directory: &[DirectoryEntry],
    what: &str,
) -> usize {
    let mut lost = 0;
    for entry in directory {
        let run = read_some(disk, segment, entry.region, 0..MESSAGES).unwrap();
        assert_eq!(run.loaded.len() + run.lost.len(), MESSAGES as usize, "{what}");
        for loaded in &run.loaded {
            assert!(body_of(&loaded.message) == body(entry.quid, loaded.seq), "{what}: {} is another", loaded.seq);
        }
        lost += run.lost.len();
    }
    lost
}

#[test]
fn what_was_written_is_read() {
    let (disk, segment, directory) = written();
    assert_eq!(check(&disk, &segment, &directory, "unchanged"), 0);
    let opened = open_segment(&*disk, 1, segment.bytes()).unwrap();
    assert_eq!(check(&disk, &opened, &opened.directory().unwrap(), "opened again"), 0);
    verify(&opened, &mut |problem| panic!("{problem}"));
}

#[test]
fn single_messages_are_read() {
    let (disk, segment, directory) = written();
    for seqs in [vec![0], vec![39], vec![3, 8, 17, 39]] {
        let run = read_some(&disk, &segment, directory[1].region, seqs.iter().copied()).unwrap();
        assert_eq!(run.loaded.iter().map(|loaded| loaded.seq).collect::<Vec<_>>(), seqs);
    }
}

/// Numbers with gaps of all sizes, so that where a message stands in the index does not follow from its number.
#[test]
fn any_two_messages_are_found_where_numbers_are_missing() {
    let disk = SimulatedDisk::new();
    let shared: Arc<dyn Disk> = disk.clone();
    let mut random = Random::new(3);
    let mut seqs = vec![1000];
    while seqs.len() < 60 {
        let gap = if random.below(2) == 0 { 1 } else { 1 + random.below(100) };
        seqs.push(seqs[seqs.len() - 1] + gap);
    }
    let mut writer = Writer::create(&shared, 1, LOG_ID).unwrap();
    writer.begin_region(3, seqs[0], seqs.len()).unwrap();
    seqs.iter()
        .for_each(|&seq| writer.message(Header::new(Kind::Message, 3, seq), &payload(&seq.to_be_bytes())).unwrap());
    writer.end_region(seqs[seqs.len() - 1]).unwrap();
    let (segment, directory) = writer.finish().unwrap();
    let region = directory[0].region;
    for (at, &first) in seqs.iter().enumerate() {
        for &second in &seqs[at + 1..] {
            for from_entry in [0, at as u32] {
                let wanted = vec![(first, None), (second, None)];
                let read = ColdRead { segment: segment.clone(), region, wanted, from_entry, most_bytes: usize::MAX };
                let loaded = run(&disk, &read).unwrap().loaded;
                let found: Vec<_> = loaded.iter().map(|loaded| (loaded.seq, body_of(&loaded.message))).collect();
                assert_eq!(found, [first, second].map(|seq| (seq, seq.to_be_bytes().to_vec())));
            }
        }
        // What is missing is not taken for another.
        let missing = (first + 1..).find(|seq| !seqs.contains(seq)).unwrap();
        let next = seqs.iter().copied().find(|seq| *seq > missing);
        let run = read_some(&disk, &segment, region, [Some(missing), next].into_iter().flatten()).unwrap();
        assert_eq!(run.lost.iter().map(|lost| lost.seq).collect::<Vec<_>>(), [missing]);
        assert_eq!(
            run.loaded.iter().map(|loaded| loaded.seq).collect::<Vec<_>>(),
            next.into_iter().collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_bit_loses_a_message_or_those_that_share_its_body() {
    let (disk, segment, directory) = written();
    let mut random = Random::new(1);
    let shared_by = QUEUES.len() * MESSAGES.div_ceil(8) as usize;
    for _ in 0..400 {
        let (at, bit) = (random.below(segment.bytes()), random.below(8) as u8);
        disk.flip_bit(&file_name(1), at, bit);
        let lost = check(&disk, &segment, &directory, &format!("bit {bit} of byte {at}"));
        assert!(lost <= 1 || lost == shared_by, "bit {bit} of byte {at}: {lost} are lost");
        disk.flip_bit(&file_name(1), at, bit);
    }
}

#[test]
fn an_index_cannot_name_messages_of_another_queue() {
    let (disk, segment, directory) = written();
    let [first, second] = [directory[0].region, directory[1].region];
    let mut entry = [0; 4];
    segment.file.read_exact_at(&mut entry, second.offset + 2 * INDEX_ENTRY + 4).unwrap();
    let other = second.offset + u64::from(u32::from_le_bytes(entry)) - first.offset;
    segment.file.write_at(&(other as u32).to_le_bytes(), first.offset + 2 * INDEX_ENTRY + 4).unwrap();
    assert_eq!(check(&disk, &segment, &directory, "an index that names the other queue's message 2"), 0);
}

/// Does something to the file that a disk or a person could do.
fn mutate(file: &dyn DiskFile, random: &mut Random) -> String {
    let len = file.len().unwrap();
    let (from, to, count) = (random.below(len), random.below(len), random.below(200) as usize + 1);
    match random.below(4) {
        0 => file.set_len(from).unwrap(),
        1 => file.write_at(&random.bytes(count), to).unwrap(),
        2 => file.write_at(&vec![0; count], to).unwrap(),
        _ => {
            // A record, or a part of the index, where another was.
            let mut bytes = vec![0; count.next_multiple_of(8)];
            let (from, to) = (from / 8 * 8, to / 8 * 8);
            let read = file.read_at(&mut bytes, from).unwrap();
            file.write_at(&bytes[..read], to).unwrap();
        }
    }
    format!("{count} bytes from {from} to {to}")
}

#[test]
fn changed_files_give_what_was_written_or_nothing() {
    let original = written().0.contents(&file_name(1)).unwrap();
    let (disk, segment, directory) = written();
    for seed in 0..600 {
        let mut random = Random::new(seed);
        let what = mutate(&*segment.file, &mut random);
        check(&disk, &segment, &directory, &format!("seed {seed}: {what}"));
        if let Ok(opened) = open_segment(&*disk, 1, segment.bytes()) {
            let _ = opened.directory();
            verify(&opened, &mut |_| {});
        }
        segment.file.set_len(original.len() as u64).unwrap();
        segment.file.write_at(&original, 0).unwrap();
    }
}

/// A segment with a message whose body is in a file of its own.
fn with_blob() -> (Arc<SimulatedDisk>, Arc<ColdSegment>, Region, Vec<u8>) {
    let disk = SimulatedDisk::new();
    let shared: Arc<dyn Disk> = disk.clone();
    let body: Vec<u8> = (0..600_000u32).map(|at| (at / 7) as u8).collect();
    let whole = payload(&body);
    let crc = crc32fast::hash(&body);
    let mut head = whole[..whole.len() - body.len()].to_vec();
    head.extend_from_slice(&99u64.to_le_bytes());
    head.extend_from_slice(&crc.to_le_bytes());
    let mut blob = vec![0; crate::BLOB_HEADER];
    blob[0..8].copy_from_slice(b"LvBlob\r\n");
    blob[8..12].copy_from_slice(&1u32.to_le_bytes());
    let check = crc32fast::hash(&blob[..60]);
    blob[60..64].copy_from_slice(&check.to_le_bytes());
    let file = disk.create(&crate::blob_name(99)).unwrap();
    file.write_at(&[blob, body.clone()].concat(), 0).unwrap();
    let mut writer = Writer::create(&shared, 1, LOG_ID).unwrap();
    writer.begin_region(3, 5, 1).unwrap();
    let header = Header { flags: crate::record::BLOB, ..Header::new(Kind::Message, 3, 5) };
    writer.message(header, &head).unwrap();
    writer.end_region(5).unwrap();
    let (segment, directory) = writer.finish().unwrap();
    (disk, segment, directory[0].region, body)
}

#[test]
fn a_body_in_a_file_of_its_own_is_read_and_checked() {
    let (disk, segment, region, body) = with_blob();
    let run = read_some(&disk, &segment, region, 5..6).unwrap();
    assert!(body_of(&run.loaded[0].message) == body);
    disk.flip_bit(&crate::blob_name(99), 300_000, 2);
    let run = read_some(&disk, &segment, region, 5..6).unwrap();
    assert_eq!(run.loaded.len(), 0);
    assert_eq!(run.lost, [Lost { seq: 5, body_len: 600_000 }]);
}

/// Whoever removes a lost message takes the bytes of its body off a total.
#[test]
fn the_length_of_a_lost_body_is_known() {
    let disk = SimulatedDisk::new();
    let disk_of_writer: Arc<dyn Disk> = disk.clone();
    let mut writer = Writer::create(&disk_of_writer, 1, LOG_ID).unwrap();
    let place = writer.shared(0, &payload(&[1; 700])).unwrap();
    writer.begin_region(3, 0, 2).unwrap();
    writer.message(Header::new(Kind::Message, 3, 0), &payload(&[2; 300])).unwrap();
    writer.route(Header::new(Kind::Message, 3, 1), place, 700).unwrap();
    writer.end_region(1).unwrap();
    let (segment, directory) = writer.finish().unwrap();
    let bytes = disk.contents(&file_name(1)).unwrap();
    for (byte, lost) in [(2, Lost { seq: 0, body_len: 300 }), (1, Lost { seq: 1, body_len: 700 })] {
        let at = bytes.windows(100).position(|part| part == [byte; 100]).unwrap() as u64;
        disk.flip_bit(&file_name(1), at, 3);
        assert_eq!(read_some(&disk, &segment, directory[0].region, 0..2).unwrap().lost, [lost]);
        disk.flip_bit(&file_name(1), at, 3);
    }
}

/// Whoever takes a message for lost removes it: a file that cannot be opened just now, because too many are open, must
/// not do that.
#[test]
fn a_large_body_that_cannot_be_read_now_is_not_lost() {
    let mut errors = 0;
    for nth in 1..8 {
        let (disk, segment, region, _) = with_blob();
        disk.fail_read(nth);
        match read_some(&disk, &segment, region, 5..6) {
            Ok(run) => assert_eq!((run.loaded.len(), run.lost.len()), (1, 0), "read {nth}"),
            Err(_) => errors += 1,
        }
    }
    assert!(errors > 2, "{errors} reads failed");
    let (disk, segment, region, _) = with_blob();
    disk.remove(&crate::blob_name(99)).unwrap();
    assert_eq!(read_some(&disk, &segment, region, 5..6).unwrap().lost.len(), 1, "it is gone for good");
}

/// References are short and the bodies they name are not: what is read at once is bounded by the latter.
#[test]
fn a_read_of_shared_bodies_ends_where_it_was_asked_to() {
    let disk = SimulatedDisk::new();
    let shared: Arc<dyn Disk> = disk.clone();
    let mut writer = Writer::create(&shared, 1, LOG_ID).unwrap();
    let large = payload(&vec![1; 100_000]);
    let place = writer.shared(0, &large).unwrap();
    writer.begin_region(3, 0, 50).unwrap();
    for seq in 0..50 {
        writer.route(Header::new(Kind::Message, 3, seq), place, 100_000).unwrap();
    }
    writer.end_region(49).unwrap();
    let (segment, directory) = writer.finish().unwrap();
    let (region, wanted) = (directory[0].region, (0..50).map(|seq| (seq, None)).collect());
    let read = ColdRead { segment, region, wanted, from_entry: 0, most_bytes: 256 << 10 };
    let run = run(&disk, &read).unwrap();
    assert_eq!(run.loaded.len(), 3);
    assert_eq!(run.hint.0.map(|passed| passed.seq), Some(3), "the next read goes on there");
}
