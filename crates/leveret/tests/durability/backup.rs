//! Backups of a broker that works, and data directories made of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use testkit::method::ack;
use testkit::{BrokerProcess, Consume, Publish, RawClient, Volume, confirm, delivery, id};

use crate::support::{BINARY, bodies, connect, declare, fanout, numbers, persistent, publish, start};

fn leveret(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().expect("the binary runs")
}

fn back_up(data_dir: &Path, to: &Path) -> Output {
    leveret(&["backup", "--data-dir", data_dir.to_str().unwrap(), "--to", to.to_str().unwrap()])
}

fn restore(from: &Path, to: &Path) -> Output {
    leveret(&["restore", "--from", from.to_str().unwrap(), "--to", to.to_str().unwrap()])
}

#[track_caller]
fn succeeds(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

#[track_caller]
fn fails_with(output: &Output, text: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains(text), "{text:?} is not in {output:?}");
    assert_eq!(error.lines().count(), 1, "one line: {error}");
}

/// Enough to fill two segments of the log.
const MESSAGES: u32 = 5000;

/// What a publisher and a consumer know.
#[derive(Default)]
struct Progress {
    confirmed: AtomicU32,
    acknowledged: AtomicU32,
}

/// A body that begins with its number; every hundredth has a file of its own.
fn body(number: u32) -> Vec<u8> {
    let len = if number.is_multiple_of(100) { 1_200_000 } else { 20_000 };
    let mut body = format!("{number}:").into_bytes();
    body.resize(len, number as u8);
    body
}

fn number(body: &[u8]) -> u32 {
    let text: String = body.iter().take_while(|byte| **byte != b':').map(|byte| char::from(*byte)).collect();
    let number = text.parse().expect("a number");
    assert!(body == self::body(number), "the body of {number} is another");
    number
}

fn publish_all(client: &mut RawClient, progress: &Progress, done: &AtomicBool, most: u32) {
    client.confirm_select(1);
    let mut published = 0;
    let mut unconfirmed = BTreeSet::new();
    while !done.load(Ordering::Relaxed) && published < most {
        while unconfirmed.len() < 64 && published < most {
            client.publish_with(1, Publish::new("all", ""), &persistent(), body(published));
            published += 1;
            unconfirmed.insert(published);
        }
        let event = client.wait_for("a confirm", |event| confirm(event).is_some());
        if let Some(confirm) = confirm(&event) {
            assert!(confirm.ack);
            let tag = u32::try_from(confirm.delivery_tag).unwrap();
            unconfirmed.retain(|other| *other != tag && (!confirm.multiple || *other > tag));
            let confirmed = unconfirmed.first().map_or(published, |first| first - 1);
            progress.confirmed.store(confirmed, Ordering::SeqCst);
        }
    }
}

fn consume_all(client: &mut RawClient, progress: &Progress, done: &AtomicBool) {
    client.call(1, testkit::method::qos(100, false));
    client.consume(1, Consume::new("consumed", "c"));
    while !done.load(Ordering::Relaxed) {
        if !client.poll(Duration::from_millis(50), |event| event.method.id == id::BASIC_DELIVER) {
            continue;
        }
        let event = client.next_event(1);
        let delivery = delivery(event);
        // Counted before it is sent: the broker may have it from now on.
        progress.acknowledged.store(number(&delivery.body) + 1, Ordering::SeqCst);
        client.send(1, ack(delivery.delivery_tag, false));
    }
}

/// What is in a queue of a restored broker: numbers without a gap.
#[track_caller]
fn range(client: &mut RawClient, queue: &str) -> std::ops::Range<u32> {
    let mut found = Vec::new();
    while let Some(message) = client.get(1, queue, true) {
        found.push(number(&message.body));
    }
    let first = found.first().copied().unwrap_or(0);
    let range = first..first + found.len() as u32;
    assert_eq!(found, range.clone().collect::<Vec<_>>(), "{queue} has a gap or another order");
    range
}

fn has_file(directory: &Path, prefix: &str) -> bool {
    let mut entries = fs::read_dir(directory.join("messages")).unwrap();
    entries.any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with(prefix))
}

#[test]
fn a_backup_under_load_has_everything_that_was_confirmed_before() {
    let mut broker = start();
    let mut client = connect(&broker);
    declare(&mut client, &["kept", "consumed"]);
    fanout(&mut client, &["kept", "consumed"]);
    let (progress, done) = (Progress::default(), AtomicBool::new(false));
    let directory = tempfile::tempdir().unwrap();
    let mut taken = Vec::new();
    thread::scope(|scope| {
        let (mut publisher, mut consumer) = (connect(&broker), connect(&broker));
        let (progress, done) = (&progress, &done);
        scope.spawn(move || publish_all(&mut publisher, progress, done, MESSAGES));
        scope.spawn(move || consume_all(&mut consumer, progress, done));
        for at in 0..4 {
            testkit::pause(Duration::from_millis(300));
            if at == 3 {
                // The last one has messages that have left the log.
                testkit::eventually("a cold segment", || has_file(broker.data_dir(), "cold-"));
            }
            let to = directory.path().join(format!("backup-{at}"));
            let confirmed = progress.confirmed.load(Ordering::SeqCst);
            succeeds(&back_up(broker.data_dir(), &to));
            taken.push((to, confirmed, progress.acknowledged.load(Ordering::SeqCst)));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(taken.last().unwrap().1 > 0, "there was load");
    assert!(has_file(&taken.last().unwrap().0, "cold-") && has_file(&taken.last().unwrap().0, "blob-"));
    broker.kill_9();
    for (at, (from, confirmed, acknowledged)) in taken.iter().enumerate() {
        let data = directory.path().join(format!("data-{at}"));
        succeeds(&restore(from, &data));
        let restored = BrokerProcess::start_in(&data, BINARY, &[]);
        let mut client = connect(&restored);
        let kept = range(&mut client, "kept");
        assert!(kept.start == 0 && kept.end >= *confirmed, "{kept:?} of {confirmed}");
        let consumed = range(&mut client, "consumed");
        assert!(consumed.start <= *acknowledged, "{consumed:?} after {acknowledged}");
        assert!(consumed.end >= *confirmed || consumed.is_empty(), "{consumed:?} of {confirmed}");
        // It goes on from there.
        publish(&mut client, "all", "", &numbers(0..3));
        assert_eq!(bodies(&mut client, "kept"), numbers(0..3));
    }
    // The broker itself lost nothing by being copied.
    broker.launch();
    let kept = range(&mut connect(&broker), "kept");
    assert!(kept.start == 0 && kept.end >= progress.confirmed.load(Ordering::SeqCst), "{kept:?}");
}

#[test]
fn what_is_not_as_it_was_written_is_refused_by_name() {
    let broker = start();
    let mut client = connect(&broker);
    declare(&mut client, &["q"]);
    publish(&mut client, "", "q", &numbers(0..100));
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("backup"), directory.path().join("data"));
    succeeds(&back_up(broker.data_dir(), &from));
    // Once only, and not into a directory that is used.
    fails_with(&back_up(broker.data_dir(), &from), "the folder is not empty");
    fails_with(&restore(&from, broker.data_dir()), "in use");
    fs::create_dir(&to).unwrap();
    fs::write(to.join("other"), "x").unwrap();
    fails_with(&restore(&from, &to), "is not empty");
    fs::remove_file(to.join("other")).unwrap();
    succeeds(&restore(&from, &to));
    fs::remove_dir_all(&to).unwrap();

    let log = from.join("messages/log-0000");
    let mut bytes = fs::read(&log).unwrap();
    bytes[5000] ^= 1;
    fs::write(&log, &bytes).unwrap();
    fails_with(&restore(&from, &to), "log-0000 is damaged");
    assert!(!to.exists());
    fs::write(&log, &bytes[..5000]).unwrap();
    fails_with(&restore(&from, &to), "it has 5000 bytes instead of");
    fs::remove_file(&log).unwrap();
    fails_with(&restore(&from, &to), "log-0000");
    fs::remove_file(from.join("backup.json")).unwrap();
    fails_with(&restore(&from, &to), "no complete backup");
    fails_with(&leveret(&["backup", "--data-dir", to.to_str().unwrap(), "--to", "x"]), "no broker answers");
}

/// As the data directory of a container is, and the root of a new volume.
#[test]
fn a_restore_needs_no_room_beside_the_directory() {
    let broker = start();
    let mut client = connect(&broker);
    declare(&mut client, &["q"]);
    publish(&mut client, "", "q", &numbers(0..100));
    let directory = tempfile::tempdir().unwrap();
    let (from, volume, to) =
        (directory.path().join("backup"), directory.path().join("volume"), directory.path().join("data"));
    succeeds(&back_up(broker.data_dir(), &from));
    fs::create_dir_all(volume.join("lost+found")).unwrap();
    std::os::unix::fs::symlink(&volume, &to).unwrap();
    // What an attempt that was cut off has left: no broker starts on it, and the next attempt does away with it.
    fs::create_dir_all(volume.join(".restoring/messages")).unwrap();
    fs::create_dir_all(volume.join("messages")).unwrap();
    let refused = leveret(&["server", "--data-dir", to.to_str().unwrap(), "--set", "listeners.tcp=none"]);
    fails_with(&refused, "is not restored yet");
    succeeds(&restore(&from, &to));
    assert!(to.is_symlink() && !volume.join(".restoring").exists());
    let restored = BrokerProcess::start_in(&to, BINARY, &[]);
    assert_eq!(bodies(&mut connect(&restored), "q"), numbers(0..100));
}

#[test]
fn a_backup_that_a_kill_cuts_off_is_none_and_does_no_harm() {
    let mut broker = start();
    let mut client = connect(&broker);
    declare(&mut client, &["q"]);
    let large: Vec<String> = (0..30).map(|at| format!("{at}").repeat(1_200_000)).collect();
    publish(&mut client, "", "q", &large);
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("backup"), directory.path().join("data"));
    thread::scope(|scope| {
        let (data_dir, target) = (broker.data_dir().to_owned(), from.clone());
        let made = scope.spawn(move || back_up(&data_dir, &target));
        while !from.exists() && !made.is_finished() {
            testkit::pause(Duration::from_millis(1));
        }
        broker.kill_9();
        let output = made.join().unwrap();
        if from.join("backup.json").exists() {
            succeeds(&restore(&from, &to));
        } else {
            assert!(!output.status.success(), "{output:?}");
            fails_with(&restore(&from, &to), "no complete backup");
        }
    });
    broker.launch();
    assert!(!broker.data_dir().join("backup-staging").exists());
    assert_eq!(bodies(&mut connect(&broker), "q").len(), large.len());
}

#[test]
fn a_full_disk_ends_a_backup_and_not_the_broker() {
    let volume = match Volume::new(24 << 20) {
        Ok(volume) => volume,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let broker = start();
    let mut client = connect(&broker);
    declare(&mut client, &["q"]);
    let large: Vec<String> = (0..40).map(|at| format!("{at:02}").repeat(600_000)).collect();
    publish(&mut client, "", "q", &large);
    let from = volume.path().join("backup");
    fails_with(&back_up(broker.data_dir(), &from), "space");
    assert!(!from.join("backup.json").exists());
    assert_eq!(bodies(&mut client, "q").len(), large.len());
    drop(client);
    drop(broker);
}
