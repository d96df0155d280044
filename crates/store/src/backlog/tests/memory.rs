//! What a backlog takes in memory, by what its parts say of themselves.

use crate::backlog::{Backlog, Extent, Region, Slot, SlotFlags};
use crate::cold::{Writer, index_entry, verify};
use crate::disk::Disk;
use crate::place::{Lsn, Place};
use crate::record::{Header, Kind};
use crate::simulation::SimulatedDisk;
use std::sync::Arc;

const MESSAGES: u64 = 10_000_000;

#[test]
fn a_slot_takes_32_bytes() {
    assert_eq!(size_of::<Slot>(), 32);
}

fn slot(seq: u64) -> Slot {
    Slot::new(seq, Place { lsn: Lsn(seq * 64), len: 60 }, 10, SlotFlags::default())
}

/// The worst for a bitmap: every second message is gone.
#[test]
fn ten_million_retired_messages_take_little_memory() {
    let disk: Arc<dyn Disk> = SimulatedDisk::new();
    let (segment, _) = Writer::create(&disk, 1, 1).unwrap().finish().unwrap();
    let region = Region { count: MESSAGES as u32, last: MESSAGES - 1, ..Region::default() };
    let mut extent = Extent::new(segment, region);
    (0..MESSAGES).for_each(|seq| extent.take(&slot(seq)));
    assert!(extent.memory_bytes() < 2 << 20, "{} bytes", extent.memory_bytes());
    (0..MESSAGES).step_by(2).for_each(|seq| assert!(extent.remove(seq, 10).is_some()));
    assert!(extent.memory_bytes() < 2 << 20, "{} bytes", extent.memory_bytes());
    assert!(extent.to_bytes().len() < 2 << 20);
}

#[test]
fn slots_give_their_memory_back() {
    let mut backlog = Backlog::new();
    let add = |backlog: &mut Backlog, from: u64| {
        for seq in from..from + 300_000 {
            backlog.add(seq, slot(seq).place(), 10, SlotFlags::default());
        }
    };
    add(&mut backlog, 0);
    (0..299_990).for_each(|seq| assert!(backlog.remove(seq, 10).is_some()));
    assert!(backlog.slots.memory_bytes() < 256 << 10, "consumed: {} bytes", backlog.slots.memory_bytes());
    add(&mut backlog, 300_000);
    backlog.remove_from(0, &[]);
    assert!(backlog.slots.memory_bytes() < 256 << 10, "purged: {} bytes", backlog.slots.memory_bytes());
    add(&mut backlog, 600_000);
    let disk: Arc<dyn Disk> = SimulatedDisk::new();
    let (segment, _) = Writer::create(&disk, 1, 1).unwrap().finish().unwrap();
    let region = Region { count: 300_000, first: 600_000, last: 899_999, ..Region::default() };
    backlog.begin_moving(Extent::new(segment, region));
    while !backlog.move_some(899_999, 512) {}
    assert_eq!(backlog.len(), 300_000);
    assert!(backlog.slots.memory_bytes() < 256 << 10, "retired: {} bytes", backlog.slots.memory_bytes());
}

/// Only the first block grows: a queue with few messages takes little, and one with many allocates once per block.
#[test]
fn blocks_behind_the_first_are_allocated_once() {
    let mut backlog = Backlog::new();
    for seq in 0..2050 {
        backlog.add(seq, slot(seq).place(), 10, SlotFlags::default());
        if seq < 4 {
            assert!(backlog.slots.memory_bytes() <= 4 * 32);
        }
    }
    assert_eq!(backlog.slots.block_capacities(), [2048, 2048]);
}

/// Asked under the queue's lock for every queue of a segment: a million messages behind what is looked for must not be
/// looked at one by one. (They were: this took a minute.)
#[test]
fn what_is_to_be_retired_is_found_by_blocks() {
    let mut backlog = Backlog::new();
    for seq in 0..1_000_000 {
        backlog.add(seq, slot(seq).place(), 10, SlotFlags::default());
    }
    let began = std::time::Instant::now();
    for seq in 1..1000 {
        assert_eq!(backlog.retire_below(Lsn(seq * 64)), Some(seq));
    }
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

#[test]
fn a_region_of_many_messages_is_written_with_little_memory() {
    let disk: Arc<dyn Disk> = SimulatedDisk::new();
    let mut writer = Writer::create(&disk, 1, 1).unwrap();
    writer.begin_region(5, 0, 400_000).unwrap();
    for seq in 0..300_000 {
        writer.message(Header::new(Kind::Message, 5, seq), &[7; 16]).unwrap();
        assert!(seq % 1000 > 0 || writer.memory_bytes() < 3 << 20, "{} bytes", writer.memory_bytes());
    }
    writer.end_region(299_999).unwrap();
    let (segment, directory) = writer.finish().unwrap();
    verify(&segment, &mut |problem| panic!("{problem}"));
    assert_eq!((directory[0].region.count, directory[0].region.len), (300_000, 400_000 * 8 + 300_000 * 48));
    let mut index = segment.window(true);
    for entry in [0, 8191, 8192, 299_999] {
        let (seq, offset) = index_entry(&mut index, directory[0].region, entry).unwrap();
        assert_eq!((seq, offset), (u64::from(entry), 4096 + 400_000 * 8 + u64::from(entry) * 48));
    }
}
