//! Totals where lengths of bodies are not known, and where the next read begins.

use crate::backlog::{Backlog, Extent, Passed, ReadHint, Region, Slot, SlotFlags, Source};
use crate::cold::Writer;
use crate::disk::Disk;
use crate::place::{Lsn, Place};
use crate::simulation::SimulatedDisk;
use std::sync::Arc;

/// A backlog with messages 0 to 99 in an extent, the n-th of n bytes; every fourth is transient.
fn cold_backlog() -> Backlog {
    let disk: Arc<dyn Disk> = SimulatedDisk::new();
    let (segment, _) = Writer::create(&disk, 1, 1).unwrap().finish().unwrap();
    let mut backlog = Backlog::new();
    for seq in 0..100 {
        let flags = if seq % 4 == 0 { SlotFlags::TRANSIENT } else { SlotFlags::default() };
        backlog.add(seq, Place { lsn: Lsn(4096 + seq * 64), len: 60 }, seq as u32, flags);
    }
    backlog.begin_moving(Extent::new(segment, Region { count: 100, last: 99, len: 8000, ..Region::default() }));
    assert!(backlog.move_some(99, 1000));
    assert_eq!(backlog.body_bytes(), 99 * 100 / 2);
    backlog
}

/// A purge that leaves some messages of an extent only estimates their bytes: too few, then too many.
#[test]
fn an_estimate_of_bytes_never_outlives_the_messages() {
    for survivors in [vec![97, 98, 99], vec![0, 1, 2], vec![4, 8], vec![5]] {
        let mut backlog = cold_backlog();
        backlog.remove_from(0, &survivors);
        assert_eq!(backlog.len(), survivors.len() as u64);
        assert!(backlog.body_bytes() > 0);
        for (at, seq) in survivors.iter().enumerate() {
            assert!(backlog.body_bytes() < 99 * 100 / 2, "never below zero");
            assert!(backlog.remove(*seq, *seq as u32).is_some());
            // A newer message is exact whatever the estimate was.
            backlog.add(200 + at as u64, Place { lsn: Lsn(1 << 20), len: 60 }, 10, SlotFlags::default());
        }
        assert_eq!(backlog.body_bytes(), 10 * survivors.len() as u64, "{survivors:?}");
    }
    let mut backlog = cold_backlog();
    backlog.remove_from(0, &[]);
    assert_eq!((backlog.len(), backlog.body_bytes()), (0, 0));
}

#[test]
fn an_extent_that_is_being_filled_has_no_bytes_without_messages() {
    let disk: Arc<dyn Disk> = SimulatedDisk::new();
    let (segment, _) = Writer::create(&disk, 1, 1).unwrap().finish().unwrap();
    let mut extent = Extent::new(segment, Region { count: 100, last: 99, ..Region::default() });
    for seq in 0..100 {
        extent.take(&Slot::new(seq, Place { lsn: Lsn(4096), len: 60 }, 50, SlotFlags::default()));
    }
    let except = (90..100).collect();
    extent.remove_range(0, 99, &except, &mut Vec::new());
    assert_eq!(extent.body_bytes, 500);
    // Somebody who does not know the lengths.
    (90..100).for_each(|seq| assert!(extent.remove(seq, 0).is_some()));
    assert_eq!(extent.body_bytes, 0);
}

#[test]
fn the_hint_of_a_read_of_the_log_changes_no_extent() {
    let mut backlog = cold_backlog();
    let from_entry = |backlog: &Backlog| match backlog.read_from(50, 100).unwrap().0 {
        Source::Cold(read) => read.from_entry,
        Source::Log(_) => panic!("the messages are cold"),
    };
    backlog.passed(ReadHint(Some(Passed { first: 0, seq: 40, entry: 40 })));
    assert_eq!(from_entry(&backlog), 40);
    backlog.passed(ReadHint::default());
    assert_eq!(from_entry(&backlog), 40, "the extent begins at 0 as well");
}
