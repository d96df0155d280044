//! Methods: every method of AMQP 0-9-1 and of RabbitMQ's extensions, as one flat enum over borrowed arguments.

pub mod access;
mod arguments;
pub mod basic;
pub mod channel;
pub mod confirm;
pub mod connection;
pub mod exchange;
pub mod queue;
#[cfg(test)]
mod tests;
pub mod tx;

use std::fmt;

use crate::wire::Reader;
pub use arguments::ShortBytes;

use arguments::ArgumentError;

/// Class and method number; 0/0 stands for no method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MethodId {
    /// Number of the class.
    pub class: u16,
    /// Number of the method in its class.
    pub method: u16,
}

impl fmt::Display for MethodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.class, self.method)
    }
}

/// Why the payload of a method frame is no method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No method has this number, or the payload is too short to hold one (0/0). RabbitMQ before 4.4 drops the
    /// connection without a word.
    #[error("unknown method {0}")]
    UnknownMethod(MethodId),
    /// The arguments are shorter or longer than the method's fields: 501, see
    /// [`cannot_decode`](crate::erlang::cannot_decode).
    #[error("cannot decode the arguments of {0}")]
    Malformed(MethodId),
    /// A short string is not UTF-8: 501 `Malformed UTF-8 in shortstr`.
    #[error("malformed UTF-8 in a short string of {0}")]
    MalformedUtf8(MethodId),
    /// A field table cannot be read. RabbitMQ's decoder crashes: 541 on channel 0, a dropped connection elsewhere.
    #[error("malformed field table in {0}")]
    MalformedTable(MethodId),
}

impl DecodeError {
    /// The method whose arguments are wrong.
    pub fn method_id(&self) -> MethodId {
        match *self {
            DecodeError::UnknownMethod(id)
            | DecodeError::Malformed(id)
            | DecodeError::MalformedUtf8(id)
            | DecodeError::MalformedTable(id) => id,
        }
    }

    fn of_arguments(id: MethodId, error: ArgumentError) -> DecodeError {
        match error {
            ArgumentError::Shape => DecodeError::Malformed(id),
            ArgumentError::Utf8 => DecodeError::MalformedUtf8(id),
            ArgumentError::Table => DecodeError::MalformedTable(id),
        }
    }
}

macro_rules! method_enum {
    ($($class:literal $method:literal $name:literal $content:literal $variant:ident($($type:tt)*);)*) => {
        /// A method with its arguments.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Method<'a> {
            $(#[doc = $name] $variant($($type)*),)*
        }

        impl<'a> Method<'a> {
            /// Reads the payload of a method frame: the method's number, then exactly its arguments.
            #[inline]
            pub fn decode(payload: &'a [u8]) -> Result<Method<'a>, DecodeError> {
                let mut reader = Reader::new(payload);
                let (Some(class), Some(method)) = (reader.u16(), reader.u16()) else {
                    return Err(DecodeError::UnknownMethod(MethodId::default()));
                };
                let arguments = reader.rest();
                let id = MethodId { class, method };
                match (class, method) {
                    $(($class, $method) => <$($type)*>::decode(arguments).map(Method::$variant),)*
                    _ => return Err(DecodeError::UnknownMethod(id)),
                }
                .map_err(|error| DecodeError::of_arguments(id, error))
            }

            /// Appends the payload of the method's frame: its number and its arguments.
            #[inline]
            pub fn encode(&self, out: &mut Vec<u8>) {
                let MethodId { class, method } = self.id();
                let [c0, c1] = class.to_be_bytes();
                let [m0, m1] = method.to_be_bytes();
                out.extend_from_slice(&[c0, c1, m0, m1]);
                match self {
                    $(Method::$variant(method) => method.encode(out),)*
                }
            }

            /// The method's number.
            #[inline]
            pub fn id(&self) -> MethodId {
                match self {
                    $(Method::$variant(_) => MethodId { class: $class, method: $method },)*
                }
            }

            /// The method's name as RabbitMQ writes it, such as `basic.publish` or `basic.recover_async`.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Method::$variant(_) => $name,)*
                }
            }

            /// True when a content header and body follow.
            #[inline]
            pub fn has_content(&self) -> bool {
                match self {
                    $(Method::$variant(_) => $content,)*
                }
            }
        }

        impl MethodId {
            /// The name of the method with this number, as RabbitMQ writes it.
            pub fn name(self) -> Option<&'static str> {
                match (self.class, self.method) {
                    $(($class, $method) => Some($name),)*
                    _ => None,
                }
            }
        }

        $(impl<'a> From<$($type)*> for Method<'a> {
            #[inline]
            fn from(method: $($type)*) -> Method<'a> {
                Method::$variant(method)
            }
        })*

        /// One of each method, with empty arguments.
        #[cfg(test)]
        pub(crate) fn all() -> Vec<Method<'static>> {
            vec![$(Method::$variant(Default::default()),)*]
        }
    };
}

// Class, method, name, whether content follows, variant.
method_enum! {
    10 10 "connection.start" false ConnectionStart(connection::Start<'a>);
    10 11 "connection.start_ok" false ConnectionStartOk(connection::StartOk<'a>);
    10 20 "connection.secure" false ConnectionSecure(connection::Secure<'a>);
    10 21 "connection.secure_ok" false ConnectionSecureOk(connection::SecureOk<'a>);
    10 30 "connection.tune" false ConnectionTune(connection::Tune);
    10 31 "connection.tune_ok" false ConnectionTuneOk(connection::TuneOk);
    10 40 "connection.open" false ConnectionOpen(connection::Open<'a>);
    10 41 "connection.open_ok" false ConnectionOpenOk(connection::OpenOk);
    10 50 "connection.close" false ConnectionClose(connection::Close<'a>);
    10 51 "connection.close_ok" false ConnectionCloseOk(connection::CloseOk);
    10 60 "connection.blocked" false ConnectionBlocked(connection::Blocked<'a>);
    10 61 "connection.unblocked" false ConnectionUnblocked(connection::Unblocked);
    10 70 "connection.update_secret" false ConnectionUpdateSecret(connection::UpdateSecret<'a>);
    10 71 "connection.update_secret_ok" false ConnectionUpdateSecretOk(connection::UpdateSecretOk);
    20 10 "channel.open" false ChannelOpen(channel::Open);
    20 11 "channel.open_ok" false ChannelOpenOk(channel::OpenOk);
    20 20 "channel.flow" false ChannelFlow(channel::Flow);
    20 21 "channel.flow_ok" false ChannelFlowOk(channel::FlowOk);
    20 40 "channel.close" false ChannelClose(channel::Close<'a>);
    20 41 "channel.close_ok" false ChannelCloseOk(channel::CloseOk);
    30 10 "access.request" false AccessRequest(access::Request<'a>);
    30 11 "access.request_ok" false AccessRequestOk(access::RequestOk);
    40 10 "exchange.declare" false ExchangeDeclare(exchange::Declare<'a>);
    40 11 "exchange.declare_ok" false ExchangeDeclareOk(exchange::DeclareOk);
    40 20 "exchange.delete" false ExchangeDelete(exchange::Delete<'a>);
    40 21 "exchange.delete_ok" false ExchangeDeleteOk(exchange::DeleteOk);
    40 30 "exchange.bind" false ExchangeBind(exchange::Bind<'a>);
    40 31 "exchange.bind_ok" false ExchangeBindOk(exchange::BindOk);
    40 40 "exchange.unbind" false ExchangeUnbind(exchange::Unbind<'a>);
    40 51 "exchange.unbind_ok" false ExchangeUnbindOk(exchange::UnbindOk);
    50 10 "queue.declare" false QueueDeclare(queue::Declare<'a>);
    50 11 "queue.declare_ok" false QueueDeclareOk(queue::DeclareOk<'a>);
    50 20 "queue.bind" false QueueBind(queue::Bind<'a>);
    50 21 "queue.bind_ok" false QueueBindOk(queue::BindOk);
    50 30 "queue.purge" false QueuePurge(queue::Purge<'a>);
    50 31 "queue.purge_ok" false QueuePurgeOk(queue::PurgeOk);
    50 40 "queue.delete" false QueueDelete(queue::Delete<'a>);
    50 41 "queue.delete_ok" false QueueDeleteOk(queue::DeleteOk);
    50 50 "queue.unbind" false QueueUnbind(queue::Unbind<'a>);
    50 51 "queue.unbind_ok" false QueueUnbindOk(queue::UnbindOk);
    60 10 "basic.qos" false BasicQos(basic::Qos);
    60 11 "basic.qos_ok" false BasicQosOk(basic::QosOk);
    60 20 "basic.consume" false BasicConsume(basic::Consume<'a>);
    60 21 "basic.consume_ok" false BasicConsumeOk(basic::ConsumeOk<'a>);
    60 30 "basic.cancel" false BasicCancel(basic::Cancel<'a>);
    60 31 "basic.cancel_ok" false BasicCancelOk(basic::CancelOk<'a>);
    60 40 "basic.publish" true BasicPublish(basic::Publish<'a>);
    60 50 "basic.return" true BasicReturn(basic::Return<'a>);
    60 60 "basic.deliver" true BasicDeliver(basic::Deliver<'a>);
    60 70 "basic.get" false BasicGet(basic::Get<'a>);
    60 71 "basic.get_ok" true BasicGetOk(basic::GetOk<'a>);
    60 72 "basic.get_empty" false BasicGetEmpty(basic::GetEmpty);
    60 80 "basic.ack" false BasicAck(basic::Ack);
    60 90 "basic.reject" false BasicReject(basic::Reject);
    60 100 "basic.recover_async" false BasicRecoverAsync(basic::RecoverAsync);
    60 110 "basic.recover" false BasicRecover(basic::Recover);
    60 111 "basic.recover_ok" false BasicRecoverOk(basic::RecoverOk);
    60 120 "basic.nack" false BasicNack(basic::Nack);
    85 10 "confirm.select" false ConfirmSelect(confirm::Select);
    85 11 "confirm.select_ok" false ConfirmSelectOk(confirm::SelectOk);
    90 10 "tx.select" false TxSelect(tx::Select);
    90 11 "tx.select_ok" false TxSelectOk(tx::SelectOk);
    90 20 "tx.commit" false TxCommit(tx::Commit);
    90 21 "tx.commit_ok" false TxCommitOk(tx::CommitOk);
    90 30 "tx.rollback" false TxRollback(tx::Rollback);
    90 31 "tx.rollback_ok" false TxRollbackOk(tx::RollbackOk);
}
