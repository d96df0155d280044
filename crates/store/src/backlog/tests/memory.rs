//! What a backlog takes in memory, by what its parts say of themselves.

use crate::backlog::{Backlog, Extent, Region, Slot, SlotFlags};
use crate::cold::Writer;
use crate::disk::Disk;
use crate::place::{Lsn, Place};
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
