//! Logging beside the console's level and the categories' levels.

use super::{Row, ignored, takes};
use crate::kind::Kind::{self, Boolean, Choice, Either, Integer, Ip, Path, Text};
use crate::options::LogLevel;

const LEVEL: Kind = Choice(LogLevel::WORDS);
const FACILITY: Kind = Choice(&[
    "kern", "kernel", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
    "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
]);
/// Levels with a comparison in front are from the days of RabbitMQ 3.6 and still accepted by it.
const FILE_LEVEL: Kind = Either(&["=debug", "!=info", "<=notice", "<warning"], &LEVEL);

pub(super) const KEYS: &[Row] = &[
    ignored("log.dir", Path, "directory of log files"),
    ignored("log.file", Either(&["false"], &Path), "log file of this node"),
    ignored("log.file.level", FILE_LEVEL, "least severe level of the file"),
    ignored("log.console.stdio", Choice(&["stdout", "stderr"]), "stream that the console is"),
    ignored("log.console.use_colors", Boolean, "whether the console has colours"),
    ignored("log.console.color_esc_seqs.debug", Text, "escape sequence before debug"),
    ignored("log.console.color_esc_seqs.info", Text, "escape sequence before info"),
    ignored("log.console.color_esc_seqs.notice", Text, "escape sequence before notice"),
    ignored("log.console.color_esc_seqs.warning", Text, "escape sequence before warning"),
    ignored("log.console.color_esc_seqs.error", Text, "escape sequence before error"),
    ignored("log.console.color_esc_seqs.critical", Text, "escape sequence before critical"),
    ignored("log.console.color_esc_seqs.alert", Text, "escape sequence before alert"),
    ignored("log.console.color_esc_seqs.emergency", Text, "escape sequence before emergency"),
    takes(
        "log.exchange",
        Boolean,
        "false",
        "publish the log to the exchange amq.rabbitmq.log of the default virtual host",
    ),
    takes("log.exchange.level", LEVEL, "info", "least severe level that is published"),
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

/// How an output writes its lines.
pub(super) const FORMATTER: &[Row] = &[
    ignored("formatter", Choice(&["plaintext", "json"]), "text or JSON"),
    ignored("formatter.time_format", Text, "how times are written"),
    ignored("formatter.level_format", Choice(&["lc", "uc", "lc3", "uc3", "lc4", "uc4"]), "how levels are written"),
    ignored("formatter.single_line", Boolean, "one line per message"),
    ignored("formatter.plaintext.format", Text, "pattern of a line"),
    ignored("formatter.json.field_map", Text, "fields of an object"),
    ignored("formatter.json.verbosity_map", Text, "verbosity by level"),
];

/// The file of a category.
pub(super) const FILE: &[Row] = &[ignored("file", Path, "log file of its own")];

/// When a file is rotated.
pub(super) const ROTATION: &[Row] = &[
    ignored("rotation.date", Text, "when the file is rotated"),
    ignored("rotation.compress", Boolean, "compress rotated files"),
    ignored("rotation.size", Kind::ANY_INTEGER, "size at which the file is rotated"),
    ignored("rotation.count", Kind::ANY_INTEGER, "rotated files that are kept"),
];
