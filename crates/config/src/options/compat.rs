//! `leveret.compat.*`.

use super::words::words;

/// `leveret.compat.*`: one setting for each difference between RabbitMQ's versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compat {
    /// The `version` of server-properties.
    pub version: String,
    /// What a delivery that was not acknowledged in time leads to.
    pub consumer_timeout: ConsumerTimeoutAction,
    /// The error that declaring an exchange of unknown type raises.
    pub unknown_exchange_type: UnknownExchangeType,
    /// The permission that a passive declare needs.
    pub passive_declare_permission: PassiveDeclarePermission,
    /// What an `x-death` header set by the publisher is taken for.
    pub publisher_x_death: PublisherXDeath,
    /// When messages with an expiration of their own leave their queue.
    pub message_expiry: MessageExpiry,
}

words! {
    /// `leveret.compat.consumer_timeout`.
    ConsumerTimeoutAction {
        /// The channel is closed with 406, as 3.8 to 4.2 do for every queue type.
        CloseChannel = "close_channel",
        /// The consumer is cancelled, as 4.3 does.
        CancelConsumer = "cancel_consumer",
    }
}

words! {
    /// `leveret.compat.unknown_exchange_type`.
    UnknownExchangeType {
        /// Channel error 406, as from 3.13.3 on.
        Channel406 = "channel_406",
        /// Connection error 503, as before.
        Connection503 = "connection_503",
    }
}

words! {
    /// `leveret.compat.passive_declare_permission`.
    PassiveDeclarePermission {
        /// No permission, as 3.x to 4.2 have it.
        None = "none",
        /// Any one of the three, as from 4.3.1 on.
        Any = "any",
        /// `configure`, as in 4.3.0.
        Configure = "configure",
    }
}

words! {
    /// `leveret.compat.publisher_x_death`.
    PublisherXDeath {
        /// It is a header like any other, as in 4.x.
        Ignore = "ignore",
        /// It counts as the message's history, as in 3.x.
        Interpret = "interpret",
    }
}

words! {
    /// `leveret.compat.message_expiry`.
    MessageExpiry {
        /// When their time comes, wherever they stand.
        Exact = "exact",
        /// Once they are the first of their queue, as in RabbitMQ.
        Head = "head",
    }
}
