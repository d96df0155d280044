//! Which of several places counts, and what is remembered of it.

use std::fs;

use super::{load_all, shown};
use crate::{DiskFreeLimit, Loader, MemoryWatermark, Origin};

#[test]
fn the_last_of_a_key_counts() {
    assert_eq!(load_all(&["heartbeat = 10\nheartbeat = 20"], &[]).unwrap().heartbeat_s, 20);
    assert_eq!(load_all(&["heartbeat = 10", "heartbeat = 20"], &[]).unwrap().heartbeat_s, 20);
    assert_eq!(load_all(&["heartbeat = 10"], &["heartbeat=20", "heartbeat=30"]).unwrap().heartbeat_s, 30);
}

#[test]
fn an_alias_is_the_same_key() {
    assert_eq!(load_all(&["max_channels_per_connection = 10\nchannel_max = 20"], &[]).unwrap().channel_max, 20);
    assert_eq!(load_all(&["channel_max = 10"], &["max_channels_per_connection=20"]).unwrap().channel_max, 20);
    assert_eq!(load_all(&["connection_max = infinity"], &[]).unwrap().connection_max, None);
}

#[test]
fn a_value_that_is_overridden_is_not_checked() {
    assert_eq!(load_all(&["heartbeat = nonsense"], &["heartbeat=20"]).unwrap().heartbeat_s, 20);
}

#[test]
fn every_setting_remembers_where_it_was_given() {
    let config = load_all(&["\nheartbeat = 10\nchannel_max = 5"], &["heartbeat=20"]).unwrap();
    let origins: Vec<_> =
        config.settings.iter().map(|setting| (setting.key.as_str(), setting.origin.to_string())).collect();
    let expected = [("heartbeat", "--set".to_owned()), ("max_channels_per_connection", "1.conf:3".to_owned())];
    assert_eq!(origins, expected);
    assert_eq!(config.settings[0].origin, Origin::CommandLine);
    assert_eq!(shown(&config, "heartbeat"), "20");
}

#[test]
fn keys_without_effect_are_listed() {
    let config = load_all(&["mqtt.vhost = /\nheartbeat = 10"], &["management.delegate_count=5"]).unwrap();
    assert_eq!(config.ignored, ["management.delegate_count", "mqtt.vhost"]);
}

/// Within a file `none` wins whatever the order of lines, as in RabbitMQ; a later source can add to it.
#[test]
fn none_clears_what_its_own_source_and_earlier_ones_gave() {
    let listener = "listeners.tcp.default = 127.0.0.1:5673";
    assert!(load_all(&[&format!("listeners.tcp = none\n{listener}")], &[]).unwrap().listeners.is_empty());
    assert!(load_all(&[listener, "listeners.tcp = none"], &[]).unwrap().listeners.is_empty());
    assert_eq!(load_all(&["listeners.tcp = none", listener], &[]).unwrap().listeners.len(), 1);
    assert_eq!(load_all(&["listeners.tcp = none"], &["listeners.tcp.default=5672"]).unwrap().listeners.len(), 2);
    assert!(load_all(&["loopback_users.guest = true"], &["loopback_users=none"]).unwrap().loopback_users.is_empty());
    let back = load_all(&["loopback_users = none"], &["loopback_users.guest=true"]).unwrap();
    assert_eq!(back.loopback_users, ["guest".to_owned()].into());
}

#[test]
fn absolute_limits_win_unless_a_later_source_is_relative() {
    let (relative, absolute) = ("vm_memory_high_watermark.relative = 0.4", "vm_memory_high_watermark.absolute = 1000");
    let memory = |files: &[&str]| load_all(files, &[]).unwrap().vm_memory_high_watermark;
    assert_eq!(memory(&[&format!("{absolute}\n{relative}")]), MemoryWatermark::AbsoluteBytes(1000));
    assert_eq!(memory(&[relative, absolute]), MemoryWatermark::AbsoluteBytes(1000));
    assert_eq!(memory(&[absolute, relative]), MemoryWatermark::Relative(0.4));
    let (relative, absolute) = ("disk_free_limit.relative = 2.0", "disk_free_limit.absolute = 1000");
    let disk = |files: &[&str]| load_all(files, &[]).unwrap().disk_free_limit;
    assert_eq!(disk(&[&format!("{absolute}\n{relative}")]), DiskFreeLimit::AbsoluteBytes(1000));
    assert_eq!(disk(&[absolute, relative]), DiskFreeLimit::Relative(2.0));
}

#[test]
fn a_directory_gives_its_conf_files_sorted() {
    let directory = std::env::temp_dir().join(format!("leveret-conf.d-{}", std::process::id()));
    fs::create_dir(&directory).unwrap();
    let write = |name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
    write("20-second.conf", "heartbeat = 20");
    write("10-first.conf", "heartbeat = 10\nframe_max = 8192");
    write("30-not-read.txt", "nonsense");
    fs::create_dir(directory.join("40-directory.conf")).unwrap();
    let config = Loader::new().directory(&directory).and_then(|loader| loader.load());
    fs::remove_dir_all(&directory).unwrap();
    let config = config.unwrap();
    assert_eq!((config.heartbeat_s, config.frame_max_bytes), (20, 8192));
    let origin = config.settings[1].origin.to_string();
    assert!(origin.ends_with("20-second.conf:1"), "{origin}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let error = Loader::new().file("/nowhere/rabbitmq.conf").err().unwrap().to_string();
    assert!(error.starts_with("cannot read /nowhere/rabbitmq.conf: "), "{error}");
    let error = Loader::new().directory("/nowhere").err().unwrap().to_string();
    assert!(error.starts_with("cannot read /nowhere: "), "{error}");
}

#[cfg(unix)]
#[test]
fn a_file_without_end_is_refused() {
    let error = Loader::new().file("/dev/zero").err().unwrap().to_string();
    assert_eq!(error, "/dev/zero is larger than 4194304 bytes and is no configuration file");
}
