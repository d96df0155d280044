//! Every refusal the broker sends to an AMQP 0-9-1 client, as one table of data.
//!
//! A row fixes the reply code, what is closed (the channel or the connection) and the exact words RabbitMQ uses, since
//! clients and their test suites match on them. The engine picks a row and fills its holes; nothing else in the engine
//! writes a reply text. Rows of features that do not exist yet carry the issue that brings them, so that the protocol
//! tests can ask for a case for every other row.

mod terms;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Write as _};

pub use terms::{ArgumentValue, Binary, Octets, Resource, Snippet};

/// A reply code of AMQP 0-9-1, such as 406.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyCode(pub u16);

impl ReplyCode {
    /// The code's name as it begins a reply text, such as `PRECONDITION_FAILED`.
    pub const fn name(self) -> &'static str {
        match self.0 {
            311 => "CONTENT_TOO_LARGE",
            312 => "NO_ROUTE",
            313 => "NO_CONSUMERS",
            320 => "CONNECTION_FORCED",
            402 => "INVALID_PATH",
            403 => "ACCESS_REFUSED",
            404 => "NOT_FOUND",
            405 => "RESOURCE_LOCKED",
            406 => "PRECONDITION_FAILED",
            501 => "FRAME_ERROR",
            502 => "SYNTAX_ERROR",
            503 => "COMMAND_INVALID",
            504 => "CHANNEL_ERROR",
            505 => "UNEXPECTED_FRAME",
            506 => "RESOURCE_ERROR",
            530 => "NOT_ALLOWED",
            540 => "NOT_IMPLEMENTED",
            _ => "INTERNAL_ERROR",
        }
    }

    /// What an error of this code closes when it is raised on a channel other than 0.
    pub const fn scope(self) -> Scope {
        match self.0 {
            311 | 312 | 313 | 403 | 404 | 405 | 406 => Scope::Channel,
            _ => Scope::Connection,
        }
    }
}

/// What an error closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `channel.close`; the connection and its other channels go on.
    Channel,
    /// `connection.close` on channel 0.
    Connection,
}

/// An error as it goes to the client in `channel.close` or `connection.close`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.full_text())]
pub struct ProtocolError {
    /// The reply code.
    pub code: ReplyCode,
    /// Whether the channel or the connection closes.
    pub scope: Scope,
    /// The explanation alone, without the code's name and not yet cut.
    pub text: String,
    /// Class and method id of the method that failed, (0, 0) where there is none.
    pub method: (u16, u16),
}

/// Longest reply text in bytes: it travels as a short string.
const TEXT_LIMIT: usize = 255;
const ELLIPSIS: &str = "...";

impl ProtocolError {
    /// The same error, raised by the method `class`.`method`.
    #[must_use]
    pub fn by_method(self, class: u16, method: u16) -> ProtocolError {
        ProtocolError { method: (class, method), ..self }
    }

    /// The same error where it was raised on channel 0 or before a channel exists: it closes the connection.
    #[must_use]
    pub fn on_connection(self) -> ProtocolError {
        ProtocolError { scope: Scope::Connection, ..self }
    }

    /// The reply text, `NAME - explanation`, at most 255 bytes; a longer one ends in `...` as RabbitMQ's does.
    pub fn full_text(&self) -> String {
        let mut full = format!("{} - {}", self.code.name(), self.text);
        if full.len() > TEXT_LIMIT {
            let room = TEXT_LIMIT - ELLIPSIS.len();
            let end = (0..=room).rev().find(|end| full.is_char_boundary(*end)).unwrap_or(0);
            full.truncate(end);
            full.push_str(ELLIPSIS);
        }
        full
    }
}

/// Marks rows that only quorum queues, streams or several nodes can raise: the cluster and streams milestone.
pub const CLUSTER_AND_STREAMS: u32 = 100;

/// Marks rows of RabbitMQ that this broker never sends, because it accepts what the row refuses (older clients still ask
/// for it) or because another check answers first; each row's condition says which.
pub const NEVER_SENT: u32 = 0;

/// One row of the error table.
#[derive(Clone, Copy, Debug)]
pub struct ErrorRow {
    /// The row's name in the source.
    pub name: &'static str,
    /// The reply code.
    pub code: ReplyCode,
    /// What the error closes.
    pub scope: Scope,
    /// The explanation with a `{}` for each value.
    pub template: &'static str,
    /// When it is sent, in one line.
    pub condition: &'static str,
    /// The issue that brings the feature which raises it, [`CLUSTER_AND_STREAMS`] or [`NEVER_SENT`]; `None` for rows in
    /// effect.
    pub issue: Option<u32>,
}

impl ErrorRow {
    /// How many values the template takes.
    pub fn holes(&self) -> usize {
        self.template.matches("{}").count()
    }

    /// The error with `values` in the template's holes, in order.
    pub fn with(&self, values: &[&dyn Display]) -> ProtocolError {
        debug_assert_eq!(self.holes(), values.len(), "values for {}", self.name);
        let mut text = String::with_capacity(self.template.len() + 32 * values.len());
        let mut values = values.iter();
        for (index, part) in self.template.split("{}").enumerate() {
            if index > 0
                && let Some(value) = values.next()
            {
                // Writing to a String fails only if the value's own Display does; what it wrote so far stands.
                let _ = write!(text, "{value}");
            }
            text.push_str(part);
        }
        ProtocolError { code: self.code, scope: self.scope, text, method: (0, 0) }
    }
}

impl Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Channel => "channel",
            Scope::Connection => "connection",
        })
    }
}

/// Declares the rows as constants and gathers them, in order, in `ERROR_TABLE`.
macro_rules! error_table {
    (@issue) => { None };
    (@issue $issue:expr) => { Some($issue) };
    ($(
        $scope:ident {
            $($name:ident = $code:literal $template:literal $(, issue $issue:expr)?; $condition:literal)+
        }
    )+) => {
        $($(
            #[doc = $condition]
            pub const $name: ErrorRow = ErrorRow {
                name: stringify!($name),
                code: ReplyCode($code),
                scope: Scope::$scope,
                template: $template,
                condition: $condition,
                issue: error_table!(@issue $($issue)?),
            };
        )+)+

        /// Every row, channel errors first (RabbitMQ 4.3 sources and 3.10 on the wire).
        pub static ERROR_TABLE: &[ErrorRow] = &[$($($name),+),+];
    };
}

error_table! {
    Channel {
        INEQUIVALENT_ARGUMENT = 406 "inequivalent arg '{}' for {}: received {} but current is {}";
            "Redeclaring with a property or argument that differs; queue and exchange, values as `ArgumentValue`."
        QUEUE_LOCKED = 405 "cannot obtain exclusive access to locked {}. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.";
            "Any use of another connection's exclusive queue, or redeclaring with another `exclusive`."
        NOT_FOUND = 404 "no {}";
            "A queue or exchange that does not exist, in every method but delete and unbind."
        NO_DECLARED_QUEUE = 404 "no previously declared queue";
            "An empty queue name on a channel that declared none."
        QUEUE_HOME_NODE_DOWN = 404 "home node '{}' of durable {} is down or inaccessible", issue CLUSTER_AND_STREAMS;
            "A classic queue whose node is gone."
        QUEUE_CRASHED = 404 "{} has crashed and failed to restart", issue CLUSTER_AND_STREAMS;
            "A queue process that could not be restarted; queues are not processes here."
        QUEUE_STOPPED = 404 "{} process is stopped by supervisor", issue CLUSTER_AND_STREAMS;
            "A queue process that was stopped; queues are not processes here."
        QUEUE_TIMEOUT = 404 "failed to perform operation on {} due to timeout", issue CLUSTER_AND_STREAMS;
            "A queue whose leader did not answer in time."
        RESERVED_NAME = 403 "{} name '{}' contains reserved prefix 'amq.*'";
            "Creating a `queue` or `exchange` whose name starts with `amq.`."
        DEFAULT_EXCHANGE = 403 "operation not permitted on the default exchange";
            "Declaring, deleting, binding or unbinding the default exchange."
        SYSTEM_EXCHANGE = 403 "deletion of system {} not allowed";
            "Deleting an exchange whose name starts with `amq.`."
        INTERNAL_EXCHANGE = 403 "cannot publish to internal {}";
            "Publishing to an internal exchange."
        PERMISSION_DENIED = 403 "{} access to {} refused for user '{}'";
            "The user lacks `configure`, `write` or `read` on the queue or exchange."
        PERMISSION_DENIED_BY_BACKEND = 403 "{} access to {} refused for user '{}' by backend {}: {}";
            "An authorization backend refused with a reason of its own."
        PERMISSION_BACKEND_FAILED = 403 "{} access to {} refused for user '{}', backend {} returned an error: {}";
            "An authorization backend could not tell."
        TOPIC_PERMISSION_DENIED = 403 "{} access to topic '{}' in {} refused for user '{}'";
            "A topic permission forbids the routing key."
        TOPIC_PERMISSION_DENIED_BY_BACKEND = 403 "{} access to topic '{}' in {} refused for user '{}' by backend {}: {}";
            "An authorization backend refused a routing key with a reason of its own."
        TOPIC_PERMISSION_BACKEND_FAILED = 403 "{} access to topic '{}' in {} refused for user '{}', backend {} returned an error: {}";
            "An authorization backend could not tell about a routing key."
        EXCLUSIVE_CONSUMER = 403 "{} in exclusive use";
            "Consuming beside an exclusive consumer, or exclusively beside another consumer."
        VOLATILE_QUEUE_BINDING = 403 "cannot bind or unbind to a volatile (direct reply-to) queue";
            "Binding or unbinding `amq.rabbitmq.reply-to` or one of its reply addresses (4.3; 3.x found no such queue)."
        GET_FROM_SINGLE_ACTIVE = 405 "cannot obtain access to locked {}. basic.get operations are not supported by {} queues with single active consumer", issue CLUSTER_AND_STREAMS;
            "basic.get from a quorum queue with a single active consumer."
        PROTECTED_QUEUE = 405 "Cannot delete protected {}.", issue CLUSTER_AND_STREAMS;
            "Deleting a queue that another protocol owns."
        UNKNOWN_DELIVERY_TAG = 406 "unknown delivery tag {}";
            "Settling a tag that is not outstanding on the channel."
        IN_USE = 406 "{} in use";
            "Deleting if-unused: a queue with consumers, an exchange with bindings from it."
        NOT_EMPTY = 406 "{} not empty";
            "Deleting if-empty a queue with ready messages."
        INVALID_ARGUMENT = 406 "invalid arg '{}' for {}: {}";
            "A value that a declare or consume argument does not take; the reason is an Erlang term."
        FOREIGN_ARGUMENT = 406 "invalid arg '{}' for {} of queue type {}";
            "A declare argument that only another queue type knows."
        INVALID_ARGUMENT_TYPE = 406 "invalid type '{}' for arg '{}' in {}";
            "A dead-letter or alternate exchange argument that is no long string."
        INVALID_PROPERTY = 406 "invalid property '{}' for {}";
            "A quorum queue declared non-durable, exclusive or auto-delete (`leveret.quorum_as_classic`)."
        SERVER_NAMED_QUEUE_TYPE = 406 "Cannot declare a server-named queue for type {}";
            "A quorum queue declared without a name (`leveret.quorum_as_classic`)."
        NO_QUORUM_QUEUES = 406 "this version has no quorum queues: declare x-queue-type classic, or set leveret.quorum_as_classic = true to get durable classic queues instead; cannot declare {}";
            "Declaring a quorum queue, by `x-queue-type` or a default queue type."
        NO_STREAMS = 406 "this version has no streams: declare x-queue-type classic, or keep this one on RabbitMQ; cannot declare {}";
            "Declaring a stream, by `x-queue-type` or a default queue type."
        UNKNOWN_EXCHANGE_TYPE = 406 "unknown exchange type '{}'";
            "Declaring an exchange of an unknown type (3.13.3 on; see `leveret.compat.unknown_exchange_type`)."
        NO_DELAYED_TYPE = 406 "Invalid argument, 'x-delayed-type' must be an existing exchange type";
            "Declaring an exchange of type `x-delayed-message` without `x-delayed-type`, or with one that is no string."
        DELAYED_WITHIN_DELAYED = 406 "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'";
            "The same with `x-delayed-type` = `x-delayed-message`."
        INVALID_EXCHANGE_TYPE = 406 "invalid exchange type '{}'", issue NEVER_SENT;
            "A type name that happens to be an Erlang atom; here it is just unknown."
        INVALID_X_MATCH = 406 "Invalid x-match field value {}; expected all, any, all-with-x, or any-with-x";
            "Binding to a headers exchange with another `x-match`; the value as `Binary`."
        INVALID_X_MATCH_TYPE = 406 "Invalid x-match field type {} (value {}); expected longstr";
            "Binding to a headers exchange with an `x-match` that is no long string."
        TOPIC_WILDCARDS = 406 "Topic binding key '{}' uses {} '#' wildcards, at most 2 are allowed", issue NEVER_SENT;
            "A binding key with more than two `#` (4.3); any number is accepted here, as before 4.3."
        HASH_WEIGHT_NOT_INTEGER = 406 "The binding key must be an integer: {}";
            "Binding to a consistent-hash exchange with a key that is no number."
        HASH_WEIGHT_TOO_LOW = 406 "The binding key must be greater than 0";
            "Binding to a consistent-hash exchange with a weight below 1."
        HASH_WEIGHT_TOO_HIGH = 406 "The binding key must not exceed 10000";
            "Binding to a consistent-hash exchange with a weight above 10000."
        HASH_SOURCES_EXCLUSIVE = 406 "hash-header and hash-property are mutually exclusive";
            "A consistent-hash exchange with both hash arguments."
        HASH_PROPERTY_UNSUPPORTED = 406 "Unsupported property: {}";
            "A consistent-hash exchange over a property it cannot hash."
        HISTORY_LENGTH = 406 "Invalid argument {}, 'x-recent-history-length' must be a positive integer";
            "A recent history exchange with another length."
        CACHE_SIZE = 406 "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0";
            "A deduplication exchange without a size, or with another one."
        CACHE_TTL = 406 "Invalid argument, 'x-cache-ttl' must be an integer greater than 0";
            "A deduplication exchange with another time to remember."
        CACHE_PERSISTENCE = 406 "Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'";
            "A deduplication exchange with another persistence."
        LOCAL_RANDOM_KEY = 406 "Non empty binding '{}' key not permitted";
            "Binding to a local random exchange with a key."
        LOCAL_RANDOM_DESTINATION = 406 "Destination not found";
            "Binding an exchange to a local random exchange, which leads to queues only."
        INVALID_EXPIRATION = 406 "invalid expiration '{}': {}";
            "Publishing with an expiration that is no decimal number of milliseconds in range."
        USER_ID_MISMATCH = 406 "user_id property set to '{}' but authenticated user was '{}'";
            "Publishing with another user's id, without the tag `impersonator`."
        INVALID_ROUTING_HEADER = 406 r#"invalid message: {unacceptable_type_in_header,"{}",{}}"#;
            "Publishing with a `CC` or `BCC` header that is no array of long strings."
        MESSAGE_TOO_LARGE = 406 "message size {} is larger than configured max size {}";
            "A body larger than `max_message_size`."
        MESSAGE_ABOVE_CAP = 406 "message size {} is larger than max size {}", issue NEVER_SENT;
            "A body above 512 MiB; its header is already refused with `BODY_SIZE_CAP`."
        TX_TO_CONFIRM = 406 "cannot switch from tx to confirm mode";
            "confirm.select on a transactional channel."
        CONFIRM_TO_TX = 406 "cannot switch from confirm to tx mode";
            "tx.select on a channel in confirm mode."
        NOT_TRANSACTIONAL = 406 "channel is not transactional";
            "tx.commit or tx.rollback without tx.select."
        PARTIAL_COMMIT = 406 "partial tx completion";
            "A queue rejected a publish of the committed transaction (`x-overflow` = reject-publish)."
        NO_REPLY_CONSUMER = 406 "fast reply consumer does not exist";
            "Publishing with reply-to `amq.rabbitmq.reply-to` without consuming from it on the channel."
        REPLY_CONSUMER_ACKNOWLEDGES = 406 "reply consumer cannot acknowledge";
            "Consuming from `amq.rabbitmq.reply-to` without no-ack."
        REPLY_CONSUMER_EXISTS = 406 "reply consumer already set";
            "A second consumer on `amq.rabbitmq.reply-to` on one channel."
        STREAM_WITHOUT_PREFETCH = 406 "consumer prefetch count is not set for stream {}", issue CLUSTER_AND_STREAMS;
            "Consuming from a stream without a prefetch count."
        ACKNOWLEDGEMENT_TIMEOUT = 406 "delivery acknowledgement on channel {} timed out. Timeout value used: {} ms. This timeout value can be configured, see consumers doc guide to learn more";
            "A delivery outstanding for longer than the consumer timeout."
        VHOST_QUEUE_LIMIT = 406 "cannot declare queue '{}': queue limit in vhost '{}' ({}) is reached";
            "The virtual host's `max-queues` is reached."
        QUEUE_LIMIT = 406 "cannot declare queue '{}': queue limit in cluster ({}) is reached";
            "`cluster_queue_limit` is reached."
        EXCHANGE_LIMIT = 406 "cannot declare {}: exchange limit of {} is reached";
            "`cluster_exchange_limit` is reached."
    }
    Connection {
        LOGIN_REFUSED = 403 "Login was refused using authentication mechanism {}. For details see the broker logfile.";
            "Wrong credentials, or a loopback user from elsewhere; sent only to clients with authentication_failure_close."
        VHOST_NOT_FOUND = 530 "vhost {} not found";
            "connection.open of a virtual host that does not exist."
        VHOST_REFUSED = 530 "access to vhost '{}' refused for user '{}'";
            "connection.open of a virtual host where the user has no permissions."
        VHOST_REFUSED_BY_BACKEND = 530 "access to vhost '{}' refused for user '{}' by backend {}: {}";
            "An authorization backend refused the virtual host with a reason of its own."
        VHOST_BACKEND_FAILED = 530 "access to vhost '{}' refused for user '{}', backend {} returned an error: {}";
            "An authorization backend could not tell about the virtual host."
        VHOST_DOWN = 541 "access to vhost '{}' refused for user '{}': vhost '{}' is down", issue CLUSTER_AND_STREAMS;
            "connection.open of a virtual host that is stopped on this node."
        VHOST_CONNECTION_LIMIT = 530 "access to vhost '{}' refused for user '{}': connection limit ({}) is reached";
            "The virtual host's `max-connections` is reached."
        USER_CONNECTION_LIMIT = 530 "connection refused for user '{}': user connection limit ({}) is reached";
            "The user's `max-connections` is reached."
        NODE_CONNECTION_LIMIT = 530 "connection refused: node connection limit ({}) is reached";
            "`connection_max` is reached."
        NEGOTIATED_TOO_LOW = 530 "negotiated {} = {} is lower than the minimum allowed value ({})";
            "connection.tune-ok with frame_max or channel_max below the minimum; method is connection.tune."
        NEGOTIATED_TOO_HIGH = 530 "negotiated {} = {} is higher than the maximum allowed value ({})";
            "connection.tune-ok above the server's value; 0 prints as `0 (no limit)`; method is connection.tune."
        CHANNEL_MAX = 530 "number of channels opened ({}) has reached the negotiated channel_max ({})";
            "Opening more channels at once than negotiated."
        USER_CHANNEL_LIMIT = 530 "number of channels opened for user '{}' has reached the maximum allowed user limit of {}";
            "The user's `max-channels` is reached."
        NODE_CHANNEL_LIMIT = 530 "number of channels opened on node '{}' has reached the maximum allowed limit of {}";
            "`channel_max_per_node` is reached."
        UNKNOWN_MECHANISM = 503 "unknown authentication mechanism '{}'";
            "connection.start-ok with a mechanism that does not exist."
        INVALID_MECHANISM = 503 "invalid authentication mechanism '{}'";
            "connection.start-ok with a mechanism that exists and was not offered."
        MALFORMED_RESPONSE = 502 "response {} invalid";
            "A SASL response that its mechanism cannot read; the response as `Binary`."
        UNKNOWN_EXCHANGE_TYPE_HARD = 503 "unknown exchange type '{}'";
            "The same where `leveret.compat.unknown_exchange_type` is `connection_503` (RabbitMQ up to 3.13.2)."
        SECOND_CHANNEL_OPEN = 504 "second 'channel.open' seen";
            "channel.open on an open channel."
        CHANNEL_NOT_OPEN = 504 "expected 'channel.open'";
            "A method on a channel that is not open."
        UNEXPECTED_METHOD = 504 "unexpected method in connection state {}";
            "On channel 0, a method that the state (`starting`, `securing`, `tuning`, `opening`, `running`) does not expect."
        COMMIT_IN_PROGRESS = 504 "unexpected command while processing 'tx.commit'", issue NEVER_SENT;
            "A method sent before tx.commit-ok; here the channel waits for the commit instead."
        DUPLICATE_CONSUMER_TAG = 530 "attempt to reuse consumer tag '{}'";
            "basic.consume with a tag in use on the channel."
        CONSUMER_LIMIT = 530 "reached maximum ({}) of consumers per channel";
            "`consumer_max_per_channel` is reached."
        UNIMPLEMENTED_METHOD = 503 "unimplemented method";
            "A method that only a server sends, or one that the channel does not handle."
        IMMEDIATE = 540 "immediate=true";
            "basic.publish with immediate."
        RECOVER_WITHOUT_REQUEUE = 540 "requeue=false";
            "basic.recover without requeue."
        FLOW_INACTIVE = 540 "active=false";
            "channel.flow that asks the server to pause."
        PREFETCH_SIZE = 540 "prefetch_size!=0 ({})";
            "basic.qos with a prefetch size."
        QUORUM_DELETE_FLAG = 540 "cannot delete {}. queue.delete operations with {} flag set are not supported by quorum queues", issue CLUSTER_AND_STREAMS;
            "Deleting a quorum queue with `if-unused` or `if-empty`."
        STREAM_GET = 540 "basic.get not supported by stream queues {}", issue CLUSTER_AND_STREAMS;
            "basic.get from a stream."
        STREAM_PURGE = 540 "queue.purge not supported by stream queues {}", issue CLUSTER_AND_STREAMS;
            "Purging a stream."
        STREAM_AUTOMATIC_ACKNOWLEDGEMENT = 540 "automatic acknowledgement not supported by stream {}", issue CLUSTER_AND_STREAMS;
            "Consuming from a stream with no-ack."
        GLOBAL_QOS_UNSUPPORTED = 540 "{} does not support global qos", issue CLUSTER_AND_STREAMS;
            "Consuming from a quorum queue or stream with a channel-wide prefetch."
        CANNOT_DECODE = 501 "cannot decode {}";
            "A known method with arguments that do not parse; the arguments as `Octets`."
        UNKNOWN_METHOD = 501 "unknown method {} of class {}";
            "A class or method id that does not exist (RabbitMQ up to 4.3 resets the connection without a word)."
        UNKNOWN_FRAME = 501 "type {}: unknown_frame";
            "A frame of an unknown type, or too short for its type; the frame as `Snippet`."
        BAD_FRAME_END = 501 "type {}: {invalid_frame_end_marker,{}}";
            "A frame that does not end in 0xCE; the frame as `Snippet`."
        FRAME_TOO_LARGE = 501 "type {}, all octets = <<>>: {frame_too_large,{},{}}";
            "A frame header that announces more than frame_max."
        UNEXPECTED_FRAME = 505 "type {}";
            "A heartbeat on a channel other than 0, content on channel 0, or a frame for a channel before connection.open-ok; the frame as `Snippet`."
        EXPECTED_METHOD = 505 "expected method frame, got non method frame instead";
            "Content without a method before it."
        EXPECTED_HEADER = 505 "expected content header for class {}, got non content header frame instead";
            "Another frame where a content header is due."
        HEADER_OF_OTHER_CLASS = 505 "expected content header for class {}, got one for class {} instead";
            "A content header of another class than the method before it."
        EXPECTED_BODY = 505 "expected content body, got non content body frame instead";
            "Another frame where a content body is due."
        BODY_OVERFLOW = 501 "content body frame exceeds remaining content size";
            "More body than its header declared."
        BODY_SIZE_CAP = 501 "content body size {} exceeds maximum allowed size 536870912";
            "A content header that declares more than 512 MiB."
        MALFORMED_UTF8 = 501 "Malformed UTF-8 in shortstr";
            "A short string that is not UTF-8."
        SECRET_REFUSED = 530 "New secret was refused by one of the backends";
            "connection.update-secret with a secret that a backend refuses."
        SECRET_UPDATE_FAILED = 530 "Secret update failed", issue NEVER_SENT;
            "connection.update-secret while a backend is failing; here that is a refusal as any other."
        CLOSED_BY_OPERATOR = 320 "{}";
            "An operator closed the connection, with the reason given."
        SHUTDOWN = 320 "broker forced connection closure with reason 'shutdown'";
            "The broker is stopping."
        CREDENTIAL_EXPIRED = 320 "credential expired";
            "The token that the client logged in with has expired."
        TRANSIENT_QUEUE_DENIED = 541 "Feature `transient_nonexcl_queues` is deprecated.\nBy default, this feature is not permitted anymore.", issue NEVER_SENT;
            "Declaring a non-durable, non-exclusive queue (4.3); accepted here, as before 4.3."
        STREAM_NOT_FOUND = 506 "Stream not found for {}", issue CLUSTER_AND_STREAMS;
            "Publishing to a stream that is gone."
        STREAM_COORDINATOR_UNAVAILABLE = 506 "Stream coordinator unavailable for {}", issue CLUSTER_AND_STREAMS;
            "Publishing to a stream while its coordinator is down."
        DELIVERY_FAILED = 506 "failed to deliver message: {}", issue CLUSTER_AND_STREAMS;
            "Publishing to a queue type that could not take the message."
    }
}
