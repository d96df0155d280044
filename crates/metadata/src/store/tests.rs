//! Opening, refusing and reopening the file.

use std::fs;

use redb::{Database, ReadableTable, StorageBackend};

use super::tables::{APPLIED, FORMAT, LEVERET};
use super::*;
use crate::{QueueDefinition, VhostDefinition};

/// A store over what `open` gives each time the file is opened; empty at first.
pub(crate) fn store_over<B: StorageBackend>(open: impl Fn() -> B + Send + 'static) -> Store {
    let open = move || {
        let database = builder().set_check_integrity_on_open(true).create_with_backend(open())?;
        if database.begin_read().is_ok_and(|transaction| transaction.list_tables().unwrap().next().is_none()) {
            initialize(&database).unwrap();
        }
        Ok(database)
    };
    let (checkpoint, _) = Checkpoint::open("in memory".into(), Box::new(open)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    Store { checkpoint: Mutex::new(checkpoint), _lock: DirectoryLock::acquire(directory.path()).unwrap() }
}

fn put_vhost(name: &str) -> Change {
    Change::PutVhost(VhostDefinition { name: name.to_owned(), ..VhostDefinition::default() })
}

fn write(directory: &Path, changes: &[Change]) {
    let (store, _, applied) = Store::open(directory).unwrap();
    store.commit(changes, applied + 1).unwrap();
}

fn refusal(directory: &Path) -> OpenError {
    Store::open(directory).map(|_| ()).unwrap_err()
}

#[test]
fn an_empty_directory_is_a_fresh_node() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("not/yet/there");
    let (_store, snapshot, _) = Store::open(&data).unwrap();
    assert_eq!(snapshot, Snapshot::default());
    assert!(snapshot.is_fresh());
    assert!(!data.join(NEW_FILE).exists());
}

#[test]
fn definitions_are_there_after_a_reopen() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &[put_vhost("/"), put_vhost("a")]);
    let (_store, snapshot, _) = Store::open(directory.path()).unwrap();
    assert_eq!(snapshot.vhosts.iter().map(|vhost| &*vhost.name).collect::<Vec<_>>(), ["/", "a"]);
    assert!(!snapshot.is_fresh());
}

#[test]
fn a_queue_reserves_its_id_and_reservations_never_go_back() {
    let directory = tempfile::tempdir().unwrap();
    let queue = QueueDefinition { quid: 41, vhost: "/".into(), name: "q".into(), ..QueueDefinition::default() };
    write(directory.path(), &[Change::PutQueue(queue)]);
    write(directory.path(), &[Change::ReserveIds(7)]);
    let (store, snapshot, _) = Store::open(directory.path()).unwrap();
    assert_eq!(snapshot.next_quid, 42);
    drop(store);
    write(directory.path(), &[Change::DeleteQueue { vhost: "/".into(), name: "q".into() }, Change::ReserveIds(100)]);
    assert_eq!(Store::open(directory.path()).unwrap().1.next_quid, 100);
}

#[test]
fn a_second_opener_is_told_who_holds_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, _) = Store::open(directory.path()).unwrap();
    let error = refusal(directory.path());
    assert_eq!(
        error.to_string(),
        format!("data directory {} is in use by process {}", directory.path().display(), std::process::id()),
    );
    drop(store);
    assert!(Store::open(directory.path()).is_ok());
}

#[test]
fn files_that_are_not_redb_are_refused_untouched() {
    for content in [&b""[..], b"redb", b"SQLite format 3\0 and then some"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        fs::write(&path, content).unwrap();
        let error = refusal(directory.path());
        assert_eq!(
            error.to_string(),
            format!("{} is not a metadata file of Leveret; it was left as it is", path.display())
        );
        assert_eq!(fs::read(&path).unwrap(), content);
    }
}

#[test]
fn another_programs_redb_file_is_refused_untouched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(FILE);
    Database::create(&path).unwrap().close().unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(refusal(directory.path()), OpenError::Foreign { .. }));
    assert!(fs::read(&path).unwrap() == before);
}

#[test]
fn a_later_format_is_refused_untouched_by_number() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &[put_vhost("/")]);
    let path = directory.path().join(FILE);
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(LEVERET).unwrap().insert(FORMAT, FORMAT_VERSION + 5).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();
    let before = fs::read(&path).unwrap();

    let error = refusal(directory.path());
    assert_eq!(error.to_string(), format!("{} has format version 7, but this version reads up to 2", path.display()));
    assert!(fs::read(&path).unwrap() == before);
}

/// Makes the file of `directory` one of version 1, which is the same without `applied`.
fn downgrade(directory: &Path) {
    let database = Database::open(directory.join(FILE)).unwrap();
    let transaction = database.begin_write().unwrap();
    let mut leveret = transaction.open_table(LEVERET).unwrap();
    leveret.insert(FORMAT, FIRST_VERSION).unwrap();
    leveret.remove(APPLIED).unwrap();
    drop(leveret);
    transaction.commit().unwrap();
    database.close().unwrap();
}

/// The entries of the table `leveret`.
fn marks(directory: &Path) -> Vec<(String, u64)> {
    let database = Database::open(directory.join(FILE)).unwrap();
    let table = database.begin_read().unwrap().open_table(LEVERET).unwrap();
    table.iter().unwrap().map(|entry| entry.unwrap()).map(|(k, v)| (k.value().to_owned(), v.value())).collect()
}

#[test]
fn a_file_of_version_1_is_read_and_becomes_version_2_with_its_first_commit() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &[put_vhost("/"), Change::ReserveIds(9)]);
    downgrade(directory.path());
    let version_1 = [("format".to_owned(), 1), ("next_quid".to_owned(), 9)];
    assert_eq!(marks(directory.path()), version_1);

    let (store, snapshot, applied) = Store::open(directory.path()).unwrap();
    assert_eq!((snapshot.vhosts.len(), applied), (1, 0));
    drop(store);
    assert_eq!(marks(directory.path()), version_1, "reading changes nothing");

    let (store, _, _) = Store::open(directory.path()).unwrap();
    store.commit(&[put_vhost("a")], 4160).unwrap();
    drop(store);
    let version_2 = [("applied".to_owned(), 4160), ("format".to_owned(), 2), ("next_quid".to_owned(), 9)];
    assert_eq!(marks(directory.path()), version_2);
    let (_store, snapshot, applied) = Store::open(directory.path()).unwrap();
    assert_eq!((snapshot.vhosts.len(), applied), (2, 4160));
}

#[test]
fn a_new_file_is_of_this_version_and_contains_nothing_of_a_log() {
    let directory = tempfile::tempdir().unwrap();
    assert_eq!(Store::open(directory.path()).unwrap().2, 0);
    assert_eq!(marks(directory.path()), [("applied".to_owned(), 0), ("format".to_owned(), FORMAT_VERSION)]);
}

#[test]
fn what_the_file_contains_is_not_written_again() {
    let directory = tempfile::tempdir().unwrap();
    let (store, _, _) = Store::open(directory.path()).unwrap();
    store.commit(&[put_vhost("/")], 100).unwrap();
    store.commit(&[Change::DeleteVhost { name: "/".into() }], 99).unwrap();
    drop(store);
    let (_store, snapshot, applied) = Store::open(directory.path()).unwrap();
    assert_eq!((snapshot.vhosts.len(), applied), (1, 100));
}

#[test]
fn a_record_of_another_version_is_corruption_and_names_its_table() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &[put_vhost("/")]);
    let path = directory.path().join(FILE);
    let database = Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(tables::QUEUES).unwrap().insert(("/", "q"), &[9u8, 0, 0][..]).unwrap();
    transaction.commit().unwrap();
    database.close().unwrap();

    let error = refusal(directory.path());
    assert_eq!(error.to_string(), format!("{} is damaged: record 0 of table queues cannot be read", path.display()));
}

#[test]
fn a_crash_while_creating_leaves_nothing_in_the_way() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join(NEW_FILE), b"half of a file").unwrap();
    assert!(Store::open(directory.path()).unwrap().1.is_fresh());
}

#[test]
fn flipped_bits_are_refused_not_trusted() {
    let directory = tempfile::tempdir().unwrap();
    let changes: Vec<_> = (0..200).map(|at| put_vhost(&format!("vhost {at}"))).collect();
    write(directory.path(), &changes);
    let path = directory.path().join(FILE);
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(9).position(|window| window == b"vhost 117").unwrap();
    bytes[at] ^= 0x20;
    fs::write(&path, &bytes).unwrap();
    let error = refusal(directory.path());
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
}
