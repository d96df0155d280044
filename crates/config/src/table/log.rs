//! Logging beside the console's level and the categories' levels.

use super::{Row, ignored, takes};
use crate::kind::Kind::{self, Boolean, Choice, Either, InformationUnit, Integer, Ip, Path, RotationDate, Text};
use crate::options::{LogLevel, LogLevelFormat, LogStdio, LogStyle, LogTimeFormat};

const LEVEL: Kind = Choice(LogLevel::WORDS);
const FACILITY: Kind = Choice(&[
    "kern", "kernel", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]);
/// Levels with a comparison in front are from the days of RabbitMQ 3.6 and still accepted by it.
const FILE_LEVEL: Kind = Either(&["=debug", "!=info", "<=notice", "<warning"], &LEVEL);

pub(super) const KEYS: &[Row] = &[
    takes(
        "log.dir",
        Path,
        "",
        "directory of log files; given, there is a file there, named after the node or log.file",
    ),
    takes("log.file", Either(&["false"], &Path), "", "log file of this node, in log.dir unless it is absolute"),
    takes("log.file.level", FILE_LEVEL, "", "least severe level of the file; that of log.default.level when not given"),
    takes("log.console.stdio", Choice(LogStdio::WORDS), "stdout", "stream that the console is"),
    takes("log.console.use_colors", Boolean, "false", "whether the console has colours"),
    takes("log.console.color_esc_seqs.debug", Text, "\\033[38;5;246m", "escape sequence before debug"),
    takes("log.console.color_esc_seqs.info", Text, "", "escape sequence before info"),
    ignored("log.console.color_esc_seqs.notice", Text, "escape sequence before notice, which nothing here is"),
    takes("log.console.color_esc_seqs.warning", Text, "\\033[38;5;214m", "escape sequence before warning"),
    takes("log.console.color_esc_seqs.error", Text, "\\033[38;5;160m", "escape sequence before error"),
    ignored("log.console.color_esc_seqs.critical", Text, "escape sequence before critical, which nothing here is"),
    ignored("log.console.color_esc_seqs.alert", Text, "escape sequence before alert, which nothing here is"),
    ignored("log.console.color_esc_seqs.emergency", Text, "escape sequence before emergency, which nothing here is"),
    takes("log.exchange", Boolean, "false", "publish the log to the exchange amq.rabbitmq.log"),
    takes("log.exchange.level", LEVEL, "", "least severe level that is published"),
    ignored("log.journald", Boolean, "log to journald"),
    ignored("log.journald.level", LEVEL, "least severe level of journald"),
    ignored("log.journald.fields", Text, "fields of journald"),
    ignored("log.syslog", Boolean, "log to syslog"),
    ignored("log.syslog.level", LEVEL, "least severe level of syslog"),
    ignored("log.syslog.identity", Text, "name in syslog"),
    ignored("log.syslog.facility", FACILITY, "facility in syslog"),
    ignored("log.syslog.multiline_mode", Boolean, "one message per line"),
    ignored("log.syslog.ip", Ip, "address of syslog"),
    ignored("log.syslog.host", Text, "host of syslog"),
    ignored("log.syslog.port", Integer { min: 0, max: 65535 }, "port of syslog"),
    ignored("log.syslog.transport", Choice(&["udp", "tcp", "tls", "ssl"]), "transport of syslog"),
    ignored("log.syslog.protocol", Choice(&["rfc3164", "rfc5424"]), "protocol of syslog"),
    ignored("log.federation.level", LEVEL, "level of what federation logs"),
    ignored("log.mirroring.level", LEVEL, "level of what mirroring logs"),
    ignored("log.ra.level", LEVEL, "level of what replication logs"),
    ignored("log.summarize_process_state", Boolean, "shorten what the runtime reports"),
    ignored(
        "log.error_logger_format_depth",
        Either(&["unlimited"], &Kind::ANY_INTEGER),
        "depth of what the runtime reports",
    ),
];

const FIELD_MAP: &str = "time level msg gl:- logger_formatter:- report_cb:- error_logger:-";

/// How an output writes its lines.
pub(super) const FORMATTER: &[Row] = &[
    takes("formatter", Choice(LogStyle::WORDS), "plaintext", "text or JSON"),
    takes("formatter.time_format", Choice(LogTimeFormat::WORDS), "rfc3339_space", "how times are written, in UTC"),
    takes("formatter.level_format", Choice(LogLevelFormat::WORDS), "lc", "how levels are written"),
    takes("formatter.single_line", Boolean, "off", "put a message of several lines into one"),
    takes("formatter.plaintext.format", Text, "$time [$level] $pid $msg", "pattern of a line"),
    takes("formatter.json.field_map", Text, FIELD_MAP, "order and names of the fields of an object; - leaves one out"),
    ignored("formatter.json.verbosity_map", Text, "verbosity by level"),
];

/// The same of syslog.
pub(super) const SYSLOG_FORMATTER: &[Row] = &[
    ignored("formatter", Choice(LogStyle::WORDS), "text or JSON"),
    ignored("formatter.time_format", Text, "how times are written"),
    ignored("formatter.level_format", Choice(LogLevelFormat::WORDS), "how levels are written"),
    ignored("formatter.single_line", Boolean, "one line per message"),
    ignored("formatter.plaintext.format", Text, "pattern of a line"),
    ignored("formatter.json.field_map", Text, "fields of an object"),
    ignored("formatter.json.verbosity_map", Text, "verbosity by level"),
];

/// The file of a category.
pub(super) const FILE: &[Row] = &[takes("file", Path, "", "log file of its own, in log.dir unless it is absolute")];

/// The same of categories that do not exist here.
pub(super) const NO_FILE: &[Row] = &[ignored("file", Path, "log file of its own")];

const SIZE: Kind = InformationUnit { min: 0, max: i64::MAX };
const COUNT: Kind = Integer { min: 0, max: 1000 };

/// When a file is rotated.
pub(super) const ROTATION: &[Row] = &[
    takes("rotation.date", RotationDate, "", "when a new file is begun, in UTC"),
    takes("rotation.compress", Boolean, "false", "compress older files"),
    takes("rotation.size", SIZE, "0", "size at which a new file is begun; 0 for none"),
    takes("rotation.count", COUNT, "0", "older files that are kept"),
];

/// The same of categories that do not exist here.
pub(super) const NO_ROTATION: &[Row] = &[
    ignored("rotation.date", Text, "when the file is rotated"),
    ignored("rotation.compress", Boolean, "compress rotated files"),
    ignored("rotation.size", Kind::ANY_INTEGER, "size at which the file is rotated"),
    ignored("rotation.count", Kind::ANY_INTEGER, "rotated files that are kept"),
];
