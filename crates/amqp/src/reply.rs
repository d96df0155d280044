//! Reply codes of AMQP 0-9-1 section 1.1 and the text that goes with them.

#[cfg(test)]
mod tests;

use crate::wire::SHORTSTR_MAX;

macro_rules! reply_codes {
    ($($variant:ident $code:literal $name:literal $connection:literal;)*) => {
        /// Why a channel or connection is closed, or a message returned.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum ReplyCode {
            $(#[doc = $name] $variant = $code,)*
        }

        impl ReplyCode {
            /// Every code.
            pub const ALL: &[ReplyCode] = &[$(ReplyCode::$variant),*];

            /// The name in reply texts, such as `NOT_FOUND`.
            pub fn name(self) -> &'static str {
                match self {
                    $(ReplyCode::$variant => $name,)*
                }
            }

            /// True when it closes the connection, on whatever channel it arose.
            pub fn is_connection_error(self) -> bool {
                match self {
                    $(ReplyCode::$variant => $connection,)*
                }
            }

            /// The code with this number.
            pub fn from_u16(code: u16) -> Option<ReplyCode> {
                match code {
                    $($code => Some(ReplyCode::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

reply_codes! {
    ReplySuccess 200 "REPLY_SUCCESS" false;
    ContentTooLarge 311 "CONTENT_TOO_LARGE" false;
    NoRoute 312 "NO_ROUTE" false;
    NoConsumers 313 "NO_CONSUMERS" false;
    ConnectionForced 320 "CONNECTION_FORCED" true;
    InvalidPath 402 "INVALID_PATH" true;
    AccessRefused 403 "ACCESS_REFUSED" false;
    NotFound 404 "NOT_FOUND" false;
    ResourceLocked 405 "RESOURCE_LOCKED" false;
    PreconditionFailed 406 "PRECONDITION_FAILED" false;
    FrameError 501 "FRAME_ERROR" true;
    SyntaxError 502 "SYNTAX_ERROR" true;
    CommandInvalid 503 "COMMAND_INVALID" true;
    ChannelError 504 "CHANNEL_ERROR" true;
    UnexpectedFrame 505 "UNEXPECTED_FRAME" true;
    ResourceError 506 "RESOURCE_ERROR" true;
    NotAllowed 530 "NOT_ALLOWED" true;
    NotImplemented 540 "NOT_IMPLEMENTED" true;
    InternalError 541 "INTERNAL_ERROR" true;
}

impl ReplyCode {
    /// The code's number.
    pub fn value(self) -> u16 {
        self as u16
    }
}

/// `NAME - explanation`; beyond 255 bytes it is cut on a character boundary and ends in `...`, as RabbitMQ does.
pub fn reply_text(code: ReplyCode, explanation: &str) -> String {
    const ELLIPSIS: &str = "...";
    let mut text = format!("{} - {explanation}", code.name());
    if text.len() > SHORTSTR_MAX {
        text.truncate(crate::wire::cut(&text, SHORTSTR_MAX - ELLIPSIS.len()).len());
        text.push_str(ELLIPSIS);
    }
    text
}
