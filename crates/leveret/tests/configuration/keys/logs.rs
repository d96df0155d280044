//! Keys of the log: levels, files of categories, rotation, and how lines look in each output.

use super::start;
use crate::{directory, json, write};
use regex::Regex;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::{BrokerProcess, ConnectOptions, Consume, QueueDeclare, RawClient, Value, method};

/// Something that a category logs, and words of its line.
type Occasion = (&'static str, fn(&BrokerProcess), &'static str);

const OCCASIONS: &[Occasion] = &[
    ("connection", come_and_go, "accepting AMQP connection"),
    ("channel", a_channel_error, "closing channel 1"),
    ("queue", a_queue_that_is_kept, "kept as it is"),
    ("user", a_user, "user 'somebody' created"),
];

fn come_and_go(broker: &BrokerProcess) {
    RawClient::connect(broker.address(), &ConnectOptions::default()).close();
}

fn a_channel_error(broker: &BrokerProcess) {
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.send(1, QueueDeclare::passive("missing"));
    client.expect_close(1);
}

fn a_queue_that_is_kept(broker: &BrokerProcess) {
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.declare(1, QueueDeclare::new("kept"));
    client.declare(1, QueueDeclare::new("kept").durable());
}

fn a_user(broker: &BrokerProcess) {
    json(broker, "PUT", "/api/users/somebody", r#"{"password":"secret","tags":""}"#);
}

/// A line of two lines, at info.
fn a_vhost_of_two_lines(broker: &BrokerProcess) {
    json(broker, "PUT", "/api/vhosts/upper%0Alower", "");
}

/// What is in a file once everything that was logged before is written.
fn written(broker: &BrokerProcess, file: &Path) -> String {
    // The level stays what it is by default; changing it waits for the writer, who is done with what came before.
    json(broker, "PUT", "/api/leveret/log-level", r#"{"level":"info"}"#);
    json(broker, "PUT", "/api/leveret/log-level", r#"{"level":"debug"}"#);
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        if text.contains("log level of everything set to debug") || Instant::now() > deadline {
            return text;
        }
        testkit::pause(Duration::from_millis(20));
    }
}

#[test]
fn each_category_has_a_level() {
    for (category, occur, words) in OCCASIONS {
        let key = format!("log.{category}.level");
        for (level, is_logged) in [("info", true), ("none", false)] {
            let broker = start(&[(key.as_str(), level), ("leveret.on_redeclare", "warn")]);
            occur(&broker);
            a_vhost_of_two_lines(&broker);
            // Written after what the category would have logged.
            assert!(broker.has_logged("lower' created"), "{:?}", broker.log());
            let lines = broker.log();
            assert_eq!(lines.iter().any(|line| line.contains(words)), is_logged, "{key} = {level}: {lines:#?}");
        }
    }
}

#[test]
fn each_category_may_have_a_file_that_is_rotated() {
    for (category, occur, words) in OCCASIONS {
        let directory = directory(&format!("category-{category}"));
        let file = directory.join("own.log");
        let key = |name: &str| format!("log.{category}.{name}");
        let broker = start(&[
            (&key("file"), file.to_str().unwrap()),
            (&key("rotation.size"), "1"),
            (&key("rotation.count"), "1"),
            (&key("rotation.compress"), "true"),
            ("leveret.on_redeclare", "warn"),
        ]);
        // Every line is more than the size, so that each begins a new file, and one older is kept.
        let older = directory.join("own.log.0.gz");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !older.exists() {
            assert!(Instant::now() < deadline, "{category}: no {}", older.display());
            occur(&broker);
            if *category == "user" {
                json(&broker, "DELETE", "/api/users/somebody", "");
            }
            if *category == "queue" {
                json(&broker, "DELETE", "/api/queues/%2F/kept", "");
            }
            testkit::pause(Duration::from_millis(20));
        }
        assert!(!directory.join("own.log.1.gz").exists());
        assert!(!broker.log().iter().any(|line| line.contains(words)), "{:?}", broker.log());
    }
}

/// A file that was last written before the last midnight is rotated when the broker starts to write.
#[test]
fn files_are_rotated_when_their_time_has_come() {
    for (prefix, occur) in [
        ("log.file", a_user as fn(&BrokerProcess)),
        ("log.connection", come_and_go),
        ("log.channel", a_channel_error),
        ("log.queue", a_queue_that_is_kept),
        ("log.user", a_user),
    ] {
        let directory = directory(&format!("date-{prefix}"));
        let file = directory.join("own.log");
        std::fs::write(&file, "yesterday\n").unwrap();
        let yesterday = std::time::SystemTime::now() - Duration::from_secs(2 * 86_400);
        std::fs::File::options().append(true).open(&file).unwrap().set_modified(yesterday).unwrap();
        let (place, date, count) = (
            if prefix == "log.file" { prefix.to_owned() } else { format!("{prefix}.file") },
            format!("{prefix}.rotation.date"),
            format!("{prefix}.rotation.count"),
        );
        let broker = start(&[
            (&place, file.to_str().unwrap()),
            (&date, "$D0"),
            (&count, "3"),
            ("log.console", "true"),
            ("leveret.on_redeclare", "warn"),
        ]);
        occur(&broker);
        let older = directory.join("own.log.0");
        let deadline = Instant::now() + Duration::from_secs(10);
        while !older.exists() {
            assert!(
                Instant::now() < deadline,
                "{prefix}: {:?}",
                std::fs::read_dir(&directory).unwrap().collect::<Vec<_>>()
            );
            testkit::pause(Duration::from_millis(20));
        }
        assert_eq!(std::fs::read_to_string(older).unwrap(), "yesterday\n");
    }
}

#[test]
fn the_file_is_rotated_by_size_and_compressed() {
    let directory = directory("rotated");
    let file = directory.join("own.log");
    let broker = start(&[
        ("log.file", file.to_str().unwrap()),
        ("log.file.rotation.size", "1"),
        ("log.file.rotation.count", "2"),
        ("log.file.rotation.compress", "true"),
        ("log.console", "true"),
    ]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !directory.join("own.log.1.gz").exists() {
        assert!(Instant::now() < deadline);
        come_and_go(&broker);
        testkit::pause(Duration::from_millis(20));
    }
    assert!(!directory.join("own.log.2.gz").exists());
}

#[test]
fn the_file_has_a_level_of_its_own() {
    let directory = directory("level");
    let file = directory.join("own.log");
    let broker = start(&[("log.file", file.to_str().unwrap()), ("log.file.level", "warning"), ("log.console", "true")]);
    a_channel_error(&broker);
    assert!(broker.has_logged("closing channel 1"));
    let deadline = Instant::now() + Duration::from_secs(10);
    while !std::fs::read_to_string(&file).unwrap().contains("closing channel 1") {
        assert!(Instant::now() < deadline);
        testkit::pause(Duration::from_millis(20));
    }
    assert!(!std::fs::read_to_string(&file).unwrap().contains("[info]"));
    assert!(broker.log().iter().any(|line| line.contains("[info]")));
}

#[test]
fn the_console_has_colours_where_they_are_wanted() {
    let plain = start(&[]);
    assert!(!plain.log().iter().any(|line| line.contains('\u{1b}')));
    let settings = "log.console.use_colors = true\nlog.default.level = debug\nleveret.on_redeclare = warn\n\
                    log.console.color_esc_seqs.debug = \\033[31m\nlog.console.color_esc_seqs.info = \\033[32m\n\
                    log.console.color_esc_seqs.warning = \\033[33m\nlog.console.color_esc_seqs.error = \\033[34m\n";
    let directory = directory("colours");
    let file = write(&directory, "a.conf", settings);
    let broker = BrokerProcess::start_configured(crate::LEVERET, &["--config", file.to_str().unwrap()], &[], false);
    a_queue_that_is_kept(&broker);
    write(&directory, "a.conf", "nonsense = 1");
    assert_eq!(broker.http("POST", "/api/leveret/reload", &[], "").unwrap().status, 400);
    come_and_go(&broker);
    assert!(broker.has_logged("accepting AMQP connection"));
    for (level, color) in [("debug", "31"), ("info", "32"), ("warning", "33"), ("error", "34")] {
        let pattern = Regex::new(&format!(r"^\x1b\[{color}m\S+ \S+ \[{level}\] .*\x1b\[0m$")).unwrap();
        let is_of_level = |line: &String| line.contains(&format!("[{level}]"));
        let of_level: Vec<String> = broker.log().into_iter().filter(is_of_level).collect();
        assert!(!of_level.is_empty(), "nothing at {level}: {:#?}", broker.log());
        assert!(of_level.iter().all(|line| pattern.is_match(line)), "{of_level:#?}");
    }
}

/// A key of a formatter, its value, further keys, and what the lines of the vhost look like then.
type Format = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

/// Formats of lines.
const FORMATS: &[Format] = &[
    ("", "json", &[], r#"^\{"time":"[^"]+","level":"info","msg":"vhost 'upper\\nlower' created",.*\}$"#),
    (".time_format", "epoch_secs", &[], r"(?m)^\d{10}\.\d{6} \[info\] \S+ vhost 'upper$"),
    (".level_format", "uc4", &[], r"(?m) \[INFO\] \S+ vhost 'upper$"),
    (".single_line", "on", &[], r"(?m) vhost 'upper, lower' created$"),
    (".plaintext.format", "<$level> $msg", &[], r"(?m)^<info> vhost 'upper$"),
    (".json.field_map", "level:severity msg *:-", &[("", "json")], r#"^\{"severity":"info","msg":"vhost [^"]*"\}$"#),
];

/// Whether the text has lines of that look.
#[track_caller]
fn assert_looks(output: &str, key: &str, text: &str, pattern: &str) {
    let pattern = Regex::new(pattern).unwrap();
    let looks = if pattern.as_str().starts_with("^\\{") {
        text.lines().any(|line| pattern.is_match(line))
    } else {
        pattern.is_match(text)
    };
    assert!(looks, "log.{output}.formatter{key}: {text}");
}

#[test]
fn lines_of_the_console_look_as_is_asked_for() {
    for (key, value, more, pattern) in FORMATS {
        let mut settings = vec![(format!("log.console.formatter{key}"), (*value).to_owned())];
        settings.extend(more.iter().map(|(key, value)| (format!("log.console.formatter{key}"), (*value).to_owned())));
        let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let broker = start(&settings);
        a_vhost_of_two_lines(&broker);
        assert!(broker.has_logged("lower' created"), "{:?}", broker.log());
        assert_looks("console", key, &broker.log().join("\n"), pattern);
    }
}

#[test]
fn lines_of_the_file_look_as_is_asked_for() {
    for (key, value, more, pattern) in FORMATS {
        let directory = directory("formats");
        let file = directory.join("own.log");
        let mut settings = vec![("log.file".to_owned(), file.display().to_string())];
        // For who waits for its start.
        settings.push(("log.console".to_owned(), "true".to_owned()));
        settings.push((format!("log.file.formatter{key}"), (*value).to_owned()));
        settings.extend(more.iter().map(|(key, value)| (format!("log.file.formatter{key}"), (*value).to_owned())));
        let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let broker = start(&settings);
        a_vhost_of_two_lines(&broker);
        assert_looks("file", key, &written(&broker, &file), pattern);
    }
}

#[test]
fn lines_of_the_exchange_look_as_is_asked_for() {
    for (key, value, more, pattern) in FORMATS {
        let mut settings = vec![("log.exchange".to_owned(), "true".to_owned())];
        settings.push((format!("log.exchange.formatter{key}"), (*value).to_owned()));
        settings.extend(more.iter().map(|(key, value)| (format!("log.exchange.formatter{key}"), (*value).to_owned())));
        let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let broker = start(&settings);
        let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
        client.open_channel(1);
        client.declare(1, QueueDeclare::exclusive("log"));
        client.call(1, method::queue_bind("log", "amq.rabbitmq.log", "#", &Vec::<(String, Value)>::new()));
        client.consume(1, Consume::new("log", "c").no_ack());
        a_vhost_of_two_lines(&broker);
        let text = loop {
            let text = client.expect_delivery(1).text();
            if text.contains("upper") {
                break text;
            }
        };
        assert_looks("exchange", key, text.trim_end(), pattern);
    }
}

#[test]
fn levels_are_those_of_outputs_and_categories() {
    let lines = |settings: &[(&str, &str)]| {
        let broker = start(settings);
        come_and_go(&broker);
        a_channel_error(&broker);
        assert!(broker.has_logged("closing channel 1"), "{:?}", broker.log());
        broker.log().join("\n")
    };
    let has = |lines: &str, level: &str| lines.contains(&format!("[{level}]"));
    let usual = lines(&[]);
    assert!(has(&usual, "info") && !has(&usual, "debug"));
    assert!(has(&lines(&[("log.default.level", "debug")]), "debug"));
    let directory = directory("console-level");
    let file = write(&directory, "a.conf", "log.default.level = debug\n");
    let broker = BrokerProcess::start_configured(crate::LEVERET, &["--config", file.to_str().unwrap()], &[], false);
    write(&directory, "a.conf", "log.default.level = debug\nlog.console.level = warning\n");
    json(&broker, "POST", "/api/leveret/reload", "");
    let told = broker.log().len();
    come_and_go(&broker);
    a_channel_error(&broker);
    assert!(broker.has_logged("closing channel 1"), "{:?}", broker.log());
    let lines = broker.log().split_off(told).join("\n");
    assert!(has(&lines, "warning") && !has(&lines, "info") && !has(&lines, "debug"), "{lines}");
}
