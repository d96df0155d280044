//! Keys of Leveret's own.

use super::{Row, takes};
use crate::kind::Kind::{
    Boolean, Choice, Either, Fraction, InformationUnit, Integer, Interval, Name, NodeName, Path, Text, Version,
};
use crate::options::{
    ConsumerTimeoutAction, MessageExpiry, OnRedeclare, PassiveDeclarePermission, PublisherXDeath, UnknownExchangeType,
};

pub(super) const KEYS: &[Row] = &[
    takes(
        "leveret.otlp.endpoint",
        Text,
        "",
        "where spans of traced messages are sent over OTLP (HTTP with JSON), as http://localhost:4318/v1/traces",
    ),
    takes(
        "leveret.otlp.sample",
        Fraction { min: 0.0, max: 1.0 },
        "1",
        "share of the traces that publishers record of which there are spans",
    ),
    takes("leveret.otlp.service_name", Name, "leveret", "the broker's service.name in spans"),
    takes("leveret.data_dir", Path, "leveret-data", "directory of everything durable"),
    takes(
        "leveret.node_name",
        NodeName,
        "",
        "name of this node, NAME@HOST, or NAME to add the host's; rabbit when not given",
    ),
    takes("leveret.long_names", Boolean, "false", "the node's name has the whole name of the host"),
    takes("leveret.pid_file", Path, "", "file that the process id is written to"),
    takes(
        "leveret.sync",
        Either(&["always", "never"], &Interval { min_ms: 1 }),
        "always",
        "when messages and definitions are synced to the disk; with always, before they are confirmed",
    ),
    takes(
        "leveret.message_memory",
        InformationUnit { min: 0, max: i64::MAX },
        "16MiB",
        "memory of messages above which those that wait are left to the disk, until they are delivered",
    ),
    takes("leveret.reactors", Integer { min: 0, max: 1024 }, "0", "reactor threads; 0 is one per core"),
    takes(
        "leveret.quorum_as_classic",
        Boolean,
        "false",
        "make queues that are declared as quorum queues durable classic ones, instead of refusing them",
    ),
    takes(
        "leveret.event_exchange",
        Boolean,
        "false",
        "publish events to the exchange amq.rabbitmq.event, as RabbitMQ's plugin rabbitmq_event_exchange does",
    ),
    takes(
        "leveret.on_redeclare",
        Choice(OnRedeclare::WORDS),
        "close",
        "what declaring a queue again with other properties or arguments leads to",
    ),
    takes(
        "leveret.track_login_sources",
        Boolean,
        "false",
        "count attempts to log in by the client's address and the name given, too",
    ),
    takes("leveret.compat.version", Version, "4.2.0", "version announced to clients in server-properties"),
    takes(
        "leveret.compat.consumer_timeout",
        Choice(ConsumerTimeoutAction::WORDS),
        "close_channel",
        "what a delivery that was not acknowledged in time leads to",
    ),
    takes(
        "leveret.compat.unknown_exchange_type",
        Choice(UnknownExchangeType::WORDS),
        "channel_406",
        "error of declaring an exchange of unknown type",
    ),
    takes(
        "leveret.compat.passive_declare_permission",
        Choice(PassiveDeclarePermission::WORDS),
        "none",
        "permission that a passive declare needs",
    ),
    takes(
        "leveret.compat.publisher_x_death",
        Choice(PublisherXDeath::WORDS),
        "ignore",
        "whether an x-death header from the publisher counts as the message's history",
    ),
    takes(
        "leveret.compat.message_expiry",
        Choice(MessageExpiry::WORDS),
        "exact",
        "when a message with an expiration of its own leaves its queue: when its time comes, or once it is the first",
    ),
    takes(
        "leveret.audit",
        Boolean,
        "true",
        "write a line about each administrative change to audit.log in the data directory",
    ),
    takes(
        "leveret.audit.file_size",
        InformationUnit { min: 4096, max: i64::MAX },
        "10MiB",
        "size of audit.log above which a new one is begun",
    ),
    takes(
        "leveret.audit.files",
        Integer { min: 1, max: 1000 },
        "5",
        "files of the audit log that are kept, the current one among them",
    ),
];
