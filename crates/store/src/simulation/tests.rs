use super::*;

fn file_with(disk: &SimulatedDisk, name: &str, bytes: &[u8]) -> Arc<dyn DiskFile> {
    let file = disk.create(name).unwrap();
    file.write_at(bytes, 0).unwrap();
    file
}

#[test]
fn what_is_synced_survives_whatever_the_seed() {
    for seed in 0..50 {
        let disk = SimulatedDisk::new();
        let file = file_with(&disk, "a", &[7; 5000]);
        file.sync().unwrap();
        disk.sync_names().unwrap();
        file.write_at(&[8; 2000], 5000).unwrap();
        let after = disk.crash(&mut Random::new(seed));
        assert_eq!(after.contents("a").unwrap()[..5000], [7; 5000], "seed {seed}");
        assert!(file.write_at(b"late", 0).is_err() && disk.names().is_err(), "the old disk has stopped");
    }
}

#[test]
fn what_is_not_synced_is_kept_lost_or_torn() {
    let (mut whole, mut lost, mut torn) = (0, 0, 0);
    for seed in 0..200 {
        let disk = SimulatedDisk::new();
        let file = file_with(&disk, "a", &[0; 2048]);
        file.sync().unwrap();
        disk.sync_names().unwrap();
        file.write_at(&[1; 2048], 0).unwrap();
        let after = disk.crash(&mut Random::new(seed)).contents("a").unwrap();
        match after.iter().filter(|byte| **byte == 1).count() {
            0 => lost += 1,
            2048 => whole += 1,
            count => {
                assert_eq!(count % 512, 0, "sectors are whole");
                torn += 1;
            }
        }
    }
    assert!(whole > 20 && lost > 20 && torn > 20, "{whole} {lost} {torn}");
}

#[test]
fn unsynced_names_are_kept_in_any_combination() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..100 {
        let disk = SimulatedDisk::new();
        for name in ["old", "gone"] {
            file_with(&disk, name, b"bytes").sync().unwrap();
        }
        disk.sync_names().unwrap();
        file_with(&disk, "new", b"bytes").sync().unwrap();
        disk.rename("old", "renamed").unwrap();
        disk.remove("gone").unwrap();
        let after = disk.crash(&mut Random::new(seed));
        seen.insert(after.names().unwrap());
        for name in after.names().unwrap() {
            assert_eq!(after.contents(&name).unwrap(), b"bytes", "{name}");
        }
    }
    assert_eq!(seen.len(), 8);
}

#[test]
fn the_disk_stops_at_the_given_change() {
    let disk = SimulatedDisk::new();
    disk.stop_at(3);
    let file = file_with(&disk, "a", b"one");
    assert!(file.sync().is_err() && disk.has_stopped());
    assert!(file.read_at(&mut [0], 0).is_err() && disk.space().is_err());
    assert_eq!(disk.operations(), 3);
}

#[test]
fn what_a_failed_sync_should_have_written_is_lost_for_good() {
    let disk = SimulatedDisk::new();
    let file = file_with(&disk, "a", b"one");
    file.sync().unwrap();
    disk.sync_names().unwrap();
    file.write_at(b"two", 0).unwrap();
    disk.fail_sync(1);
    assert!(file.sync().is_err());
    assert_eq!(disk.contents("a").unwrap(), b"two");
    file.sync().unwrap();
    assert_eq!(disk.crash(&mut Random::new(1)).contents("a").unwrap(), b"one");
}

#[test]
fn space_runs_out_and_comes_back() {
    let disk = SimulatedDisk::new();
    disk.set_capacity(Some(8192));
    let file = disk.create("a").unwrap();
    file.set_len(1 << 20).unwrap();
    let error = file.write_at(&[1; 12288], 0).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(disk.used_bytes(), 8192);
    file.write_at(&[2; 8192], 0).unwrap();
    disk.remove("a").unwrap();
    assert_eq!(disk.used_bytes(), 8192, "still open");
    drop(file);
    assert_eq!(disk.used_bytes(), 0);
    file_with(&disk, "b", &[1; 8192]);
}

#[test]
fn reads_and_writes_fail_when_told_and_bits_rot() {
    let disk = SimulatedDisk::new();
    let file = file_with(&disk, "a", b"one");
    disk.fail_write(2);
    file.write_at(b"two", 0).unwrap();
    assert!(file.write_at(b"three", 0).is_err());
    disk.fail_read(1);
    assert!(file.read_at(&mut [0; 3], 0).is_err());
    assert_eq!(file.read_at(&mut [0; 9], 1).unwrap(), 2);
    assert!(disk.flip_bit("a", 0, 0) && !disk.flip_bit("a", 3, 0) && !disk.flip_bit("b", 0, 0));
    assert_eq!(disk.contents("a").unwrap(), b"uwo");
}

#[test]
fn a_kill_loses_nothing_and_makes_nothing_durable() {
    let disk = SimulatedDisk::new();
    let file = file_with(&disk, "a", b"one");
    let after = disk.kill();
    assert!(file.sync().is_err());
    assert_eq!(after.contents("a").unwrap(), b"one");
    let lost = (0..20).any(|seed| after.kill().crash(&mut Random::new(seed)).names().unwrap().is_empty());
    assert!(lost);
}

#[test]
fn the_same_seed_leaves_the_same() {
    let after = |seed| {
        let disk = SimulatedDisk::new();
        for name in ["a", "b", "c"] {
            file_with(&disk, name, &[1; 9000]);
        }
        let after = disk.crash(&mut Random::new(seed));
        after.names().unwrap().into_iter().map(|name| (after.contents(&name), name)).collect::<Vec<_>>()
    };
    assert_eq!(after(5), after(5));
    assert_ne!(after(5), after(6));
}
