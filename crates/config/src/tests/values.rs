//! What each type of value accepts.

use super::{load, load_all, shown};
use crate::kind::Value;
use crate::{Kind, MemoryWatermark};

fn check(kind: Kind, accepted: &[(&str, i64)], refused: &[&str]) {
    for (text, expected) in accepted {
        assert_eq!(kind.read(text), Some(Value::Integer(*expected)), "{text:?}");
    }
    for text in refused {
        assert_eq!(kind.read(text), None, "{text:?}");
    }
}

#[test]
fn integers_are_decimal_and_within_bounds() {
    let refused = ["", " 1", "1 ", "1.0", "1k", "0x10", "1_000", "-1", "101", "99999999999999999999"];
    check(Kind::Integer { min: 0, max: 100 }, &[("0", 0), ("100", 100), ("007", 7), ("+1", 1)], &refused);
}

#[test]
fn an_interval_says_what_it_is() {
    let refused = ["", "50", "interval", "interval:", "interval:0", "interval:-1", "interval: 50", "Interval:50"];
    check(
        Kind::Interval { min_ms: 1 },
        &[("interval:50", 50), ("interval:50ms", 50), ("interval:1m", 60_000)],
        &refused,
    );
}

#[test]
fn booleans_have_two_spellings() {
    for (text, expected) in [("true", true), ("on", true), ("false", false), ("off", false)] {
        assert_eq!(Kind::Boolean.read(text), Some(Value::Boolean(expected)));
    }
    for text in ["", "TRUE", "yes", "no", "1", "0"] {
        assert_eq!(Kind::Boolean.read(text), None, "{text:?}");
    }
}

#[test]
fn sizes_count_in_1024() {
    let accepted =
        [("10", 10), ("1KB", 1 << 10), ("2kb", 2 << 10), ("1MB", 1 << 20), ("1MiB", 1 << 20), ("1gb", 1 << 30)];
    let refused = ["", "KB", "1.5KB", "1 KB", "1B", "1XB", "1KBB", "-1KB", "9999999999GB", "9223372036854775808"];
    check(Kind::Size { min: 0, max: i64::MAX }, &accepted, &refused);
}

#[test]
fn information_units_count_as_they_are_spelled() {
    let accepted = [
        ("10", 10),
        ("1k", 1000),
        ("1kB", 1000),
        ("1KiB", 1 << 10),
        ("1Ki", 1 << 10),
        ("50MB", 50_000_000),
        ("512MiB", 512 << 20),
        ("1G", 1_000_000_000),
        ("1GB", 1_000_000_000),
        ("1Gi", 1 << 30),
        ("1gib", 1 << 30),
        ("2TB", 2_000_000_000_000),
        ("2TiB", 2 << 40),
        ("1PiB", 1 << 50),
    ];
    check(
        Kind::InformationUnit { min: 0, max: i64::MAX },
        &accepted,
        &["", "GB", "1.5GB", "1 GB", "1EB", "1iB", "10000PB"],
    );
}

#[test]
fn durations_are_milliseconds_or_have_units() {
    let accepted =
        [("10", 10), ("5ms", 5), ("1s", 1000), ("30m", 1_800_000), ("1h30m", 5_400_000), ("1w", 604_800_000)];
    check(
        Kind::Duration { min_ms: 1 },
        &accepted,
        &["", "0", "-1", "1x", "m", "1.5s", "1 s", "1h30", "9999999999999999w"],
    );
}

#[test]
fn fractions_may_be_percentages() {
    let kind = Kind::Fraction { min: 0.0, max: 1.0 };
    for (text, expected) in [("0.4", 0.4), ("40%", 0.4), ("1", 1.0), (".5", 0.5), ("0", 0.0)] {
        assert_eq!(kind.read(text), Some(Value::Fraction(expected)), "{text:?}");
    }
    for text in ["", ".", "%", "1.1", "101%", "-0.1", "1e-1", "NaN", "inf", "0,4"] {
        assert_eq!(kind.read(text), None, "{text:?}");
    }
}

#[test]
fn listeners_are_ports_or_addresses_with_ports() {
    for (text, expected) in [
        ("5673", ["0.0.0.0:5673", "[::]:5673"].as_slice()),
        ("127.0.0.1:5673", &["127.0.0.1:5673"]),
        ("::1:5673", &["[::1]:5673"]),
        ("[::1]:5673", &["[::1]:5673"]),
        (":::5673", &["[::]:5673"]),
    ] {
        let addresses = expected.iter().map(|address| address.parse().unwrap()).collect();
        assert_eq!(Kind::Listener.read(text), Some(Value::Listener(addresses)), "{text:?}");
    }
    for text in ["", "0", "65536", "localhost:5673", ":5673", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:x", "[127.0.0.1]"]
    {
        assert_eq!(Kind::Listener.read(text), None, "{text:?}");
    }
}

#[test]
fn versions_have_three_numbers() {
    assert!(Kind::Version.read("4.2.0").is_some());
    for text in ["", "4", "4.2", "4.2.0.1", "4.2.x", "v4.2.0", "4.2.70000"] {
        assert_eq!(Kind::Version.read(text), None, "{text:?}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let config = load_all(&["default_pass = hunter2"], &["anonymous_login_pass=hunter2"]).unwrap();
    assert_eq!(config.default_user.password.expose(), "hunter2");
    assert_eq!(shown(&config, "default_pass"), "********");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn the_memory_watermark_takes_either_form() {
    let of = |text| load_all(&[text], &[]).unwrap().vm_memory_high_watermark;
    assert_eq!(of("vm_memory_high_watermark.relative = 0.4"), MemoryWatermark::Relative(0.4));
    assert_eq!(of("vm_memory_high_watermark.absolute = 2GB"), MemoryWatermark::AbsoluteBytes(2_000_000_000));
}

/// The number that rabbitmq.conf.example has.
#[test]
fn segments_are_as_long_as_any_rabbitmq_takes() {
    assert_eq!(shown(&load("raft.segment_max_entries = 65536").unwrap(), "raft.segment_max_entries"), "65536");
    let refused = load("raft.segment_max_entries = 0").unwrap_err();
    assert!(refused.ends_with("expected an integer from 1"), "{refused}");
}
