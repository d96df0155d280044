use super::date::{date, last_rotation, seconds};
use super::file::LogFile;
use super::format::Format;
use super::levels::{Levels, Output};
use super::record::Record;
use super::ring::Ring;
use config::{Config, Loaded, LogLevel, LogPlace, RotationDate, Sources};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn config(settings: &[&str]) -> Config {
    let sources =
        Sources { settings: settings.iter().map(|setting| (*setting).to_owned()).collect(), ..Sources::default() };
    let Loaded { config, .. } = sources.load().unwrap();
    config
}

fn at(microseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(microseconds)
}

fn record(level: LogLevel, category: usize, message: &str) -> Record {
    let time = at(1_770_091_506_000_007);
    Record { time, level, category, message: message.to_owned(), thread: 3, file: Some("a.rs"), line: Some(7) }
}

fn lines(settings: &[&str], record: &Record) -> String {
    Format::new(&config(settings).log.console.unwrap().output.formatter).lines(record)
}

#[test]
fn text_looks_as_rabbitmqs() {
    let said = record(LogLevel::Warning, 1, "closing it");
    assert_eq!(lines(&[], &said), "2026-02-03 04:05:06.000007+00:00 [warning] <0.3.0> closing it\n");
    let format = "log.console.formatter.plaintext.format=$level|$domain|$msg ($pid) $";
    assert_eq!(lines(&[format], &said), "warning|rabbitmq.connection|closing it (<0.3.0>) $\n");
    for (setting, beginning) in [
        ("time_format=rfc3339_T", "2026-02-03T04:05:06.000007+00:00 [warning]"),
        ("time_format=epoch_secs", "1770091506.000007 "),
        ("time_format=epoch_usecs", "1770091506000007 "),
        ("time_format=lager_default", "2026-02-03 04:05:06.000 "),
        ("level_format=uc3", "2026-02-03 04:05:06.000007+00:00 [WRN]"),
    ] {
        let line = lines(&[&format!("log.console.formatter.{setting}")], &said);
        assert!(line.starts_with(beginning), "{setting}: {line}");
    }
}

#[test]
fn several_lines_have_a_prefix_each_or_become_one() {
    let said = record(LogLevel::Info, 0, "one,\n  two\nthree");
    assert_eq!(lines(&[], &said).lines().filter(|line| line.contains("[info] <0.3.0>")).count(), 3);
    let line = lines(&["log.console.formatter.single_line=on"], &said);
    assert!(line.ends_with("> one, two, three\n"), "{line}");
}

#[test]
fn control_characters_of_clients_reach_no_terminal() {
    let line = lines(&[], &record(LogLevel::Info, 0, "a\u{1b}[31mb\rc"));
    assert!(line.ends_with("a\u{fffd}[31mb\u{fffd}c\n"), "{line:?}");
}

#[test]
fn json_has_rabbitmqs_fields() {
    let said = record(LogLevel::Error, 2, "a \"b\"");
    let json = "log.console.formatter=json";
    let object: serde_json::Value = serde_json::from_str(&lines(&[json], &said)).unwrap();
    let expected = serde_json::json!({
        "time": "2026-02-03 04:05:06.000007+00:00", "level": "error", "msg": "a \"b\"", "pid": "<0.3.0>",
        "domain": "rabbitmq.channel", "file": "a.rs", "line": 7,
    });
    assert_eq!(object, expected);
    assert!(lines(&[json], &said).starts_with("{\"time\":\"2026"), "the order of the field map");
    let mapped = lines(&[json, "log.console.formatter.json.field_map=level:severity msg pid:- *:-"], &said);
    assert_eq!(mapped, "{\"severity\":\"error\",\"msg\":\"a \\\"b\\\"\"}\n");
    let seconds = lines(&[json, "log.console.formatter.time_format=epoch_secs"], &said);
    assert!(seconds.starts_with("{\"time\":1770091506,"), "{seconds}");
}

#[test]
fn categories_and_outputs_decide_together() {
    let takes =
        |settings: &[&str], output, category, level| Levels::new(&config(settings).log).takes(output, category, level);
    use LogLevel::{Debug, Error, Info, Warning};
    assert!(takes(&[], Output::Console, 0, Info) && !takes(&[], Output::Console, 0, Debug));
    assert!(!takes(&[], Output::File, 0, Error), "there is no file");
    assert!(takes(&["log.console.level=debug"], Output::Console, 0, Debug), "an output alone");
    assert!(takes(&["log.default.level=debug"], Output::Console, 0, Debug), "categories alone");
    let both = ["log.default.level=debug", "log.console.level=warning"];
    assert!(!takes(&both, Output::Console, 0, Info), "the more severe of the two");
    let one = ["log.connection.level=warning"];
    assert!(!takes(&one, Output::Console, 1, Info) && takes(&one, Output::Console, 2, Info));
    let file = ["log.file=x.log", "log.console=true", "log.file.level=debug"];
    assert!(takes(&file, Output::File, 0, Debug) && !takes(&file, Output::Console, 0, Debug));
    assert!(!takes(&["log.console.level=none"], Output::Console, 0, Error));
    let levels = Levels::new(&config(&file).log);
    assert_eq!((levels.least(0), Levels::new(&config(&both).log).least(0)), (Debug, Warning));
}

#[test]
fn levels_set_at_run_time_count_for_every_output() {
    let mut levels = Levels::new(&config(&["log.console.level=error", "log.queue.level=error"]).log);
    levels.set_all(LogLevel::Debug);
    assert!(levels.takes(Output::Console, 3, LogLevel::Debug));
    assert!(levels.set_category("queue", LogLevel::None));
    assert!(!levels.takes(Output::Console, 3, LogLevel::Error) && levels.takes(Output::Console, 0, LogLevel::Debug));
    assert!(!levels.set_category("no_such", LogLevel::Debug));
}

#[test]
fn dates_are_those_of_the_calendar() {
    for (time, expected) in [
        (0, (1970, 1, 1)),
        (951_782_400, (2000, 2, 29)),
        (1_709_251_199, (2024, 2, 29)),
        (1_709_251_200, (2024, 3, 1)),
        (4_107_542_400, (2100, 3, 1)),
    ] {
        let date = date(at(time * 1_000_000));
        assert_eq!((date.year, date.month, date.day), expected, "{time}");
    }
}

#[test]
fn rotations_are_at_their_time() {
    // 2026-02-03 04:05:06, a Tuesday.
    let now = seconds(at(1_770_091_506_000_000));
    let ago = |rotation| now - last_rotation(rotation, now);
    let (hour, day) = (3600, 86_400);
    let of_day = 4 * hour + 5 * 60 + 6;
    assert_eq!(ago(RotationDate::Hourly { minute: 0 }), 5 * 60 + 6);
    assert_eq!(ago(RotationDate::Hourly { minute: 30 }), 35 * 60 + 6);
    assert_eq!(ago(RotationDate::Daily { hour: 0 }), of_day);
    assert_eq!(ago(RotationDate::Daily { hour: 5 }), of_day + day - 5 * hour);
    assert_eq!(ago(RotationDate::Weekly { weekday: 0, hour: 0 }), of_day + 2 * day);
    assert_eq!(ago(RotationDate::Weekly { weekday: 3, hour: 0 }), of_day + 6 * day);
    assert_eq!(ago(RotationDate::Monthly { day: 1, hour: 0 }), of_day + 2 * day);
    assert_eq!(ago(RotationDate::Monthly { day: 4, hour: 0 }), of_day + 30 * day);
}

fn open(path: &Path, settings: &[&str]) -> LogFile {
    let settings: Vec<_> = settings.iter().copied().chain(["log.file=x"]).collect();
    LogFile::open(&LogPlace::File(path.to_owned()), "node", &config(&settings).log.file.unwrap().rotation).unwrap()
}

#[test]
fn files_are_rotated_by_size() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log/node.log");
    let mut file = open(&path, &["log.file.rotation.size=10", "log.file.rotation.count=2"]);
    for line in ["first\n", "second\n", "third\n", "fourth\n"] {
        file.write(line, SystemTime::now()).unwrap();
    }
    file.flush().unwrap();
    let content = |suffix: &str| std::fs::read_to_string(format!("{}{suffix}", path.display())).ok();
    assert_eq!(content("").as_deref(), Some("fourth\n"));
    assert_eq!((content(".0").as_deref(), content(".1").as_deref()), (Some("third\n"), Some("second\n")));
    assert_eq!(content(".2"), None, "two are kept");
}

#[test]
fn files_are_rotated_by_date_and_compressed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.log");
    let settings = ["log.file.rotation.date=$D0", "log.file.rotation.count=1", "log.file.rotation.compress=true"];
    let mut file = open(&path, &settings);
    let now = SystemTime::now();
    file.write("today\n", now).unwrap();
    file.write("tomorrow\n", now + Duration::from_secs(86_400)).unwrap();
    file.flush().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "tomorrow\n");
    let older = std::fs::File::open(directory.path().join("node.log.0.gz")).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(older), &mut text).unwrap();
    assert_eq!(text, "today\n");
}

#[test]
fn a_file_that_was_moved_away_is_opened_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("node.log");
    let mut file = open(&path, &[]);
    file.write("before\n", SystemTime::now()).unwrap();
    file.flush().unwrap();
    std::fs::rename(&path, directory.path().join("moved")).unwrap();
    file.rotate(SystemTime::now()).unwrap();
    file.write("after\n", SystemTime::now()).unwrap();
    file.flush().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "after\n");
    assert_eq!(std::fs::read_to_string(directory.path().join("moved")).unwrap(), "before\n");
}

#[test]
fn the_last_lines_are_kept_and_numbered() {
    let mut ring = Ring::default();
    for number in 1..=10_000 {
        ring.push(number.to_string());
    }
    assert_eq!(ring.lines(0, 2), (vec!["9999".to_owned(), "10000".to_owned()], 10_000));
    assert_eq!(ring.lines(9_999, 100), (vec!["10000".to_owned()], 10_000));
    assert_eq!(ring.lines(10_000, 100), (Vec::new(), 10_000));
    let kept = ring.lines(0, usize::MAX).0.len();
    ring.push("x".repeat(900_000));
    ring.push("x".repeat(900_000));
    assert!(kept < 10_000 && ring.lines(0, usize::MAX).0.len() == 1);
}

/// The only older file that is kept grew with every rotation when it was compressed.
#[test]
fn the_only_older_file_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.log");
    let settings = ["log.file.rotation.size=1", "log.file.rotation.count=1", "log.file.rotation.compress=true"];
    let mut file = open(&path, &settings);
    for line in ["first\n", "second\n", "third\n"] {
        file.write(line, SystemTime::now()).unwrap();
    }
    file.flush().unwrap();
    let older = std::fs::File::open(directory.path().join("a.log.0.gz")).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(older), &mut text).unwrap();
    assert_eq!(text, "second\n");
}
