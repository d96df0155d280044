//! `log.*`, of which most keys mean something beside others only.

use crate::tests::load_all;
use crate::{
    Config, ConsoleOptions, LogFileOptions, LogFormatter, LogLevel, LogLevelFormat, LogPlace, LogRotation, LogStdio,
    LogStyle, LogTimeFormat, RotationDate,
};

/// Assignments, the last of which is the one observed, and whether the configuration is the one expected.
pub(super) type Observed = (&'static [&'static str], fn(&Config) -> bool);

fn console(config: &Config) -> Option<&ConsoleOptions> {
    config.log.console.as_ref()
}

fn color(config: &Config, level: LogLevel) -> String {
    let colors = console(config).and_then(|console| console.colors.as_ref());
    colors.and_then(|colors| colors.get(&level)).cloned().unwrap_or_default()
}

fn file(config: &Config) -> Option<&LogFileOptions> {
    config.log.file.as_ref()
}

fn of<'a>(config: &'a Config, category: &str) -> Option<&'a LogFileOptions> {
    config.log.category_files.get(category)
}

fn place(file: Option<&LogFileOptions>) -> Option<&LogPlace> {
    file.map(|file| &file.place)
}

fn rotation(file: Option<&LogFileOptions>) -> Option<&LogRotation> {
    file.map(|file| &file.rotation)
}

fn formatter<'a>(config: &'a Config, output: &str) -> Option<&'a LogFormatter> {
    match output {
        "console" => console(config).map(|console| &console.output.formatter),
        "file" => file(config).map(|file| &file.output.formatter),
        _ => config.log.exchange.as_ref().map(|exchange| &exchange.formatter),
    }
}

pub(super) const OBSERVED: &[Observed] = &[
    (&["log.dir=/var/log/rabbitmq"], |c| {
        c.log.console.is_none() && place(file(c)) == Some(&LogPlace::Directory("/var/log/rabbitmq".into()))
    }),
    (&["log.file=a.log"], |c| c.log.console.is_none() && place(file(c)) == Some(&LogPlace::File("a.log".into()))),
    (&["log.dir=/logs", "log.file=a.log"], |c| place(file(c)) == Some(&LogPlace::File("/logs/a.log".into()))),
    (&["log.file=a.log", "log.file.level=<=notice"], |c| {
        file(c).is_some_and(|file| file.output.level == Some(LogLevel::Notice))
    }),
    (&["log.file=a.log", "log.console=true"], |c| c.log.console.is_some() && c.log.file.is_some()),
    (&["log.console.level=debug"], |c| console(c).is_some_and(|console| console.output.level == Some(LogLevel::Debug))),
    (&["log.console.stdio=stderr"], |c| console(c).is_some_and(|console| console.stdio == LogStdio::Stderr)),
    (&["log.console.use_colors=true"], |c| color(c, LogLevel::Error) == "\u{1b}[38;5;160m"),
    (&["log.console.use_colors=true", "log.console.color_esc_seqs.debug=\\033[1m"], |c| {
        color(c, LogLevel::Debug) == "\u{1b}[1m"
    }),
    (&["log.console.use_colors=true", "log.console.color_esc_seqs.info=\\033[1m"], |c| {
        color(c, LogLevel::Info) == "\u{1b}[1m"
    }),
    (&["log.console.use_colors=true", "log.console.color_esc_seqs.warning=\\033[1m"], |c| {
        color(c, LogLevel::Warning) == "\u{1b}[1m"
    }),
    (&["log.console.use_colors=true", "log.console.color_esc_seqs.error=\\033[1m"], |c| {
        color(c, LogLevel::Error) == "\u{1b}[1m"
    }),
    (&["log.exchange=true"], |c| c.log.exchange.is_some()),
    (&["log.exchange=true", "log.exchange.level=error"], |c| {
        c.log.exchange.as_ref().is_some_and(|exchange| exchange.level == Some(LogLevel::Error))
    }),
    (&["log.console.formatter=json"], |c| formatter(c, "console").is_some_and(|f| f.style == LogStyle::Json)),
    (&["log.console.formatter.time_format=epoch_secs"], |c| {
        formatter(c, "console").is_some_and(|f| f.time_format == LogTimeFormat::EpochSeconds)
    }),
    (&["log.console.formatter.level_format=uc4"], |c| {
        formatter(c, "console").is_some_and(|f| f.level_format == LogLevelFormat::Upper4)
    }),
    (&["log.console.formatter.single_line=on"], |c| formatter(c, "console").is_some_and(|f| f.is_single_line)),
    (&["log.console.formatter.plaintext.format=$msg"], |c| {
        formatter(c, "console").is_some_and(|f| f.plaintext_format == "$msg")
    }),
    (&["log.console.formatter.json.field_map=msg"], |c| {
        formatter(c, "console").is_some_and(|f| f.json_field_map == "msg")
    }),
    (&["log.file=a.log", "log.file.formatter=json"], |c| {
        formatter(c, "file").is_some_and(|f| f.style == LogStyle::Json)
    }),
    (&["log.file=a.log", "log.file.formatter.time_format=epoch_secs"], |c| {
        formatter(c, "file").is_some_and(|f| f.time_format == LogTimeFormat::EpochSeconds)
    }),
    (&["log.file=a.log", "log.file.formatter.level_format=uc4"], |c| {
        formatter(c, "file").is_some_and(|f| f.level_format == LogLevelFormat::Upper4)
    }),
    (&["log.file=a.log", "log.file.formatter.single_line=on"], |c| {
        formatter(c, "file").is_some_and(|f| f.is_single_line)
    }),
    (&["log.file=a.log", "log.file.formatter.plaintext.format=$msg"], |c| {
        formatter(c, "file").is_some_and(|f| f.plaintext_format == "$msg")
    }),
    (&["log.file=a.log", "log.file.formatter.json.field_map=msg"], |c| {
        formatter(c, "file").is_some_and(|f| f.json_field_map == "msg")
    }),
    (&["log.exchange=true", "log.exchange.formatter=json"], |c| {
        formatter(c, "exchange").is_some_and(|f| f.style == LogStyle::Json)
    }),
    (&["log.exchange=true", "log.exchange.formatter.time_format=epoch_secs"], |c| {
        formatter(c, "exchange").is_some_and(|f| f.time_format == LogTimeFormat::EpochSeconds)
    }),
    (&["log.exchange=true", "log.exchange.formatter.level_format=uc4"], |c| {
        formatter(c, "exchange").is_some_and(|f| f.level_format == LogLevelFormat::Upper4)
    }),
    (&["log.exchange=true", "log.exchange.formatter.single_line=on"], |c| {
        formatter(c, "exchange").is_some_and(|f| f.is_single_line)
    }),
    (&["log.exchange=true", "log.exchange.formatter.plaintext.format=$msg"], |c| {
        formatter(c, "exchange").is_some_and(|f| f.plaintext_format == "$msg")
    }),
    (&["log.exchange=true", "log.exchange.formatter.json.field_map=msg"], |c| {
        formatter(c, "exchange").is_some_and(|f| f.json_field_map == "msg")
    }),
    (&["log.file=a.log", "log.file.rotation.date=$W0D3"], |c| {
        rotation(file(c)).is_some_and(|r| r.date == Some(RotationDate::Weekly { weekday: 0, hour: 3 }))
    }),
    (&["log.file=a.log", "log.file.rotation.size=10MB"], |c| {
        rotation(file(c)).is_some_and(|r| r.size_bytes == Some(10_000_000))
    }),
    (&["log.file=a.log", "log.file.rotation.count=5"], |c| rotation(file(c)).is_some_and(|r| r.count == 5)),
    (&["log.file=a.log", "log.file.rotation.compress=true"], |c| rotation(file(c)).is_some_and(|r| r.compress)),
    (&["log.connection.file=connection.log"], |c| {
        place(of(c, "connection")) == Some(&LogPlace::File("connection.log".into()))
    }),
    (&["log.connection.file=connection.log", "log.connection.rotation.date=$W0D3"], |c| {
        rotation(of(c, "connection")).is_some_and(|r| r.date == Some(RotationDate::Weekly { weekday: 0, hour: 3 }))
    }),
    (&["log.connection.file=connection.log", "log.connection.rotation.size=10MB"], |c| {
        rotation(of(c, "connection")).is_some_and(|r| r.size_bytes == Some(10_000_000))
    }),
    (&["log.connection.file=connection.log", "log.connection.rotation.count=5"], |c| {
        rotation(of(c, "connection")).is_some_and(|r| r.count == 5)
    }),
    (&["log.connection.file=connection.log", "log.connection.rotation.compress=true"], |c| {
        rotation(of(c, "connection")).is_some_and(|r| r.compress)
    }),
    (&["log.channel.file=channel.log"], |c| place(of(c, "channel")) == Some(&LogPlace::File("channel.log".into()))),
    (&["log.channel.file=channel.log", "log.channel.rotation.date=$W0D3"], |c| {
        rotation(of(c, "channel")).is_some_and(|r| r.date == Some(RotationDate::Weekly { weekday: 0, hour: 3 }))
    }),
    (&["log.channel.file=channel.log", "log.channel.rotation.size=10MB"], |c| {
        rotation(of(c, "channel")).is_some_and(|r| r.size_bytes == Some(10_000_000))
    }),
    (&["log.channel.file=channel.log", "log.channel.rotation.count=5"], |c| {
        rotation(of(c, "channel")).is_some_and(|r| r.count == 5)
    }),
    (&["log.channel.file=channel.log", "log.channel.rotation.compress=true"], |c| {
        rotation(of(c, "channel")).is_some_and(|r| r.compress)
    }),
    (&["log.queue.file=queue.log"], |c| place(of(c, "queue")) == Some(&LogPlace::File("queue.log".into()))),
    (&["log.queue.file=queue.log", "log.queue.rotation.date=$W0D3"], |c| {
        rotation(of(c, "queue")).is_some_and(|r| r.date == Some(RotationDate::Weekly { weekday: 0, hour: 3 }))
    }),
    (&["log.queue.file=queue.log", "log.queue.rotation.size=10MB"], |c| {
        rotation(of(c, "queue")).is_some_and(|r| r.size_bytes == Some(10_000_000))
    }),
    (&["log.queue.file=queue.log", "log.queue.rotation.count=5"], |c| {
        rotation(of(c, "queue")).is_some_and(|r| r.count == 5)
    }),
    (&["log.queue.file=queue.log", "log.queue.rotation.compress=true"], |c| {
        rotation(of(c, "queue")).is_some_and(|r| r.compress)
    }),
    (&["log.user.file=user.log"], |c| place(of(c, "user")) == Some(&LogPlace::File("user.log".into()))),
    (&["log.user.file=user.log", "log.user.rotation.date=$W0D3"], |c| {
        rotation(of(c, "user")).is_some_and(|r| r.date == Some(RotationDate::Weekly { weekday: 0, hour: 3 }))
    }),
    (&["log.user.file=user.log", "log.user.rotation.size=10MB"], |c| {
        rotation(of(c, "user")).is_some_and(|r| r.size_bytes == Some(10_000_000))
    }),
    (&["log.user.file=user.log", "log.user.rotation.count=5"], |c| {
        rotation(of(c, "user")).is_some_and(|r| r.count == 5)
    }),
    (&["log.user.file=user.log", "log.user.rotation.compress=true"], |c| {
        rotation(of(c, "user")).is_some_and(|r| r.compress)
    }),
];

#[test]
fn every_key_of_the_log_has_its_effect() {
    for (assignments, holds) in OBSERVED {
        let (observed, before) = assignments.split_last().unwrap();
        assert!(!holds(&load_all(&[], before).unwrap()), "{observed} is so already");
        let config = load_all(&[], assignments).unwrap();
        assert!(holds(&config), "{assignments:?}: {:?}", config.log);
    }
}

#[test]
fn a_file_that_is_refused_leaves_the_console() {
    let config = load_all(&[], &["log.dir=/logs", "log.file=false"]).unwrap();
    assert!(config.log.file.is_none() && config.log.console.is_some());
}

/// As in RabbitMQ, where the file takes the place of outputs that are all switched off.
#[test]
fn a_log_is_never_without_an_output() {
    for assignments in [
        &["log.console=false"][..],
        &["log.console=false", "log.file=false"],
        &["log.console=false", "log.syslog=true", "log.journald=true"],
        &["log.console=false", "log.exchange=false"],
        &["log.console=false", "log.connection.file=connection.log"],
    ] {
        let config = load_all(&[], assignments).unwrap();
        assert!(config.log.console.is_some() && config.log.is_console_kept, "{assignments:?}");
        assert!(config.log.file.is_none(), "{assignments:?}");
    }
    let config = load_all(&[], &["log.console=false", "log.file=false", "log.dir=/logs"]).unwrap();
    assert_eq!(place(file(&config)), Some(&LogPlace::Directory("/logs".into())));
    assert!(config.log.console.is_none() && !config.log.is_console_kept);
    for assignments in
        [&["log.console=false", "log.file=a.log"][..], &["log.console=false", "log.exchange=true"], &["log.dir=/logs"]]
    {
        let config = load_all(&[], assignments).unwrap();
        assert!(config.log.console.is_none() && !config.log.is_console_kept, "{assignments:?}");
    }
}

#[test]
fn times_of_rotation_are_checked() {
    for text in ["$D0", "$D23", "$H59", "$W6", "$W0D3", "$M1", "$M28D23"] {
        assert!(load_all(&[], &[&format!("log.file.rotation.date={text}")]).is_ok(), "{text}");
    }
    for text in ["D0", "$D24", "$H60", "$W7", "$W0D24", "$M0", "$M29", "$X1", "$D", "$D+1", "$M1D2D3", "$D0D1"] {
        let problem = load_all(&[], &[&format!("log.file.rotation.date={text}")]).unwrap_err();
        assert!(problem.contains("expected a time such as $D0"), "{text}: {problem}");
    }
}
