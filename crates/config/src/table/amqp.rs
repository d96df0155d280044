//! Listeners, AMQP limits, resources and users: the core keys that have an effect.

use super::shared::{BACKEND, BYTE};
use super::{Row, aliased, ignored, takes};
use crate::kind::Kind::{
    self, Boolean, Choice, Duration, Either, Fraction, InformationUnit, Integer, Listener, Name, Secret, Size, Text,
};
use crate::options::{AuthMechanism, LogLevel};

/// RabbitMQ's own cap, whatever the configuration says.
const MAX_MESSAGE_SIZE_BYTES: i64 = 512 << 20;

/// What connection.tune can say, and `setsockopt`.
const MAX_FRAME_BYTES: i64 = u32::MAX as i64;
const SOCKET_BUFFER: Kind = Size { min: 1, max: i32::MAX as i64 };

const LEVEL: Kind = Choice(LogLevel::WORDS);

pub(super) const KEYS: &[Row] = &[
    takes("listeners.tcp", Choice(&["none"]), "", "no AMQP listener without TLS"),
    takes("listeners.tcp.$name", Listener, "5672", "an AMQP listener without TLS; a port alone binds all interfaces"),
    takes("tcp_listen_options.backlog", Integer { min: 1, max: i32::MAX as i64 }, "128", "length of the accept queue"),
    takes("tcp_listen_options.nodelay", Boolean, "true", "TCP_NODELAY on accepted sockets"),
    takes("tcp_listen_options.keepalive", Boolean, "false", "SO_KEEPALIVE on accepted sockets"),
    takes("tcp_listen_options.sndbuf", SOCKET_BUFFER, "", "SO_SNDBUF of accepted sockets"),
    takes("tcp_listen_options.recbuf", SOCKET_BUFFER, "", "SO_RCVBUF of accepted sockets"),
    takes("tcp_listen_options.tos", BYTE, "", "IP_TOS of accepted sockets"),
    takes(
        "tcp_listen_options.priority",
        Integer { min: 0, max: i32::MAX as i64 },
        "",
        "SO_PRIORITY of accepted sockets",
    ),
    takes(
        "tcp_listen_options.send_timeout",
        Integer { min: 0, max: u32::MAX as i64 },
        "",
        "milliseconds that what is sent may stay unread by the client's system, then the connection ends; 0 is no limit",
    ),
    takes(
        "tcp_listen_options.linger.on",
        Boolean,
        "false",
        "with linger.timeout = 0, reset connections at their end and drop what is not sent; without, the system sends it",
    ),
    takes(
        "tcp_listen_options.linger.timeout",
        Kind::NON_NEGATIVE,
        "0",
        "any other than 0 is as if linger.on was false",
    ),
    takes(
        "handshake_timeout",
        Either(&["infinity"], &Duration { min_ms: 1 }),
        "10000",
        "time from accept to connection.open-ok",
    ),
    takes(
        "heartbeat",
        Integer { min: 0, max: u16::MAX as i64 },
        "60",
        "seconds proposed in connection.tune; 0 proposes none",
    ),
    takes(
        "frame_max",
        Either(&["0"], &Size { min: 4096, max: MAX_FRAME_BYTES }),
        "131072",
        "bytes proposed in connection.tune; 0 is no limit",
    ),
    takes("initial_frame_max", Size { min: 4096, max: MAX_FRAME_BYTES }, "8192", "limit on frames before tune-ok"),
    aliased(
        takes(
            "max_channels_per_connection",
            Integer { min: 0, max: u16::MAX as i64 },
            "2047",
            "channels proposed in connection.tune; 0 is no limit",
        ),
        &["channel_max"],
    ),
    aliased(
        takes("max_connections", Kind::LIMIT, "infinity", "connections this node accepts at once"),
        &["connection_max"],
    ),
    takes("channel_max_per_node", Kind::LIMIT, "infinity", "channels this node accepts at once"),
    takes("vhost_max", Kind::LIMIT, "infinity", "virtual hosts this node may have"),
    takes("cluster_queue_limit", Kind::LIMIT, "infinity", "queues this node may have"),
    takes("cluster_exchange_limit", Kind::LIMIT, "infinity", "exchanges this node may have"),
    takes(
        "default_limits.vhosts.$id.pattern",
        Text,
        "",
        "new virtual hosts that begin with these limits; .* when not given",
    ),
    takes("default_limits.vhosts.$id.max_connections", Kind::POSITIVE, "", "connections such a virtual host may have"),
    takes("default_limits.vhosts.$id.max_queues", Kind::POSITIVE, "", "queues such a virtual host may have"),
    takes(
        "default_queue_type",
        Choice(&["classic", "quorum", "stream", "rabbit_classic_queue", "rabbit_quorum_queue", "rabbit_stream_queue"]),
        "classic",
        "type of queues declared without one, where their virtual host has none",
    ),
    takes("consumer_max_per_channel", Kind::LIMIT, "infinity", "consumers one channel may have"),
    takes(
        "max_message_size",
        InformationUnit { min: 1, max: MAX_MESSAGE_SIZE_BYTES },
        "134217728",
        "largest message body",
    ),
    takes(
        "consumer_timeout",
        Either(&["undefined", "infinity", "none"], &Duration { min_ms: 1 }),
        "1800000",
        "how long a delivery may stay unacknowledged",
    ),
    takes(
        "default_consumer_prefetch",
        Integer { min: 0, max: u16::MAX as i64 },
        "0",
        "prefetch of consumers that set none; 0 is unlimited; RabbitMQ has it in advanced.config only",
    ),
    takes(
        "vm_memory_high_watermark.relative",
        Fraction { min: 0.0, max: 1.0 },
        "0.6",
        "fraction of the available memory above which publishers are blocked",
    ),
    takes(
        "vm_memory_high_watermark.absolute",
        InformationUnit { min: 0, max: i64::MAX },
        "",
        "memory above which publishers are blocked",
    ),
    takes(
        "total_memory_available_override_value",
        InformationUnit { min: 1, max: i64::MAX },
        "",
        "memory to count as available instead of what the system reports",
    ),
    takes(
        "disk_free_limit.relative",
        Fraction { min: 0.0, max: f64::INFINITY },
        "",
        "free disk space, as a multiple of the available memory, below which publishers are blocked",
    ),
    takes(
        "disk_free_limit.absolute",
        InformationUnit { min: 0, max: i64::MAX },
        "50MB",
        "free disk space below which publishers are blocked",
    ),
    takes("default_user", Name, "guest", "user created in an empty database"),
    takes("default_pass", Secret, "guest", "password of that user"),
    takes("default_vhost", Name, "/", "virtual host created in an empty database"),
    takes("default_user_tags.$tag", Boolean, "", "a tag of the default user; administrator when none is given"),
    takes("default_permissions.configure", Text, ".*", "names the default user may configure"),
    takes("default_permissions.write", Text, ".*", "names the default user may write to"),
    takes("default_permissions.read", Text, ".*", "names the default user may read from"),
    takes("loopback_users", Choice(&["none"]), "", "every user may connect from anywhere"),
    takes("loopback_users.$user", Boolean, "", "a user that connects from loopback only; guest when none is given"),
    takes(
        "anonymous_login_user",
        Either(&["none"], &Name),
        "guest",
        "user that ANONYMOUS logs in; none does not offer it",
    ),
    takes("anonymous_login_pass", Either(&["none"], &Secret), "guest", "password of that user"),
    takes(
        "auth_mechanisms.$name",
        Choice(AuthMechanism::WORDS),
        "",
        "a SASL mechanism, offered in the order of N; PLAIN, AMQPLAIN and ANONYMOUS when none is given",
    ),
    takes("cluster_name", Name, "", "name of the cluster, which every start sets; else what an operator gave it"),
    takes("log.console", Boolean, "true", "output on the console; off when there is a log file, unless it is given"),
    takes(
        "log.console.level",
        LEVEL,
        "",
        "least severe level of the console; that of log.default.level when not given",
    ),
    takes("log.default.level", LEVEL, "", "level of every category that has none of its own; info when not given"),
    takes("log.connection.level", LEVEL, "", "level of what connections log"),
    takes("log.channel.level", LEVEL, "", "level of what channels log"),
    takes("log.queue.level", LEVEL, "", "level of what queues log"),
    takes("log.user.level", LEVEL, "", "level of what users' plugins and tools log"),
    ignored("log.upgrade.level", LEVEL, "level of what upgrades log"),
    takes(
        "auth_backends.$num",
        BACKEND,
        "",
        "a backend that authenticates and authorizes; internal when none is given",
    ),
    takes("auth_backends.$num.authn", BACKEND, "", "a backend that authenticates"),
    takes("auth_backends.$num.authz", BACKEND, "", "a backend that authorizes"),
];
