//! Names: those the broker makes and those it reserves.

/// Prefix that only the broker may create names with.
const RESERVED: &str = "amq.";
/// The pseudo queue of direct reply-to.
pub(crate) const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// Where copies of messages go while a virtual host is traced.
pub(crate) const TRACE_EXCHANGE: &str = "amq.rabbitmq.trace";

/// The queue of a virtual host that keeps delayed messages. No list shows it and nothing finds it by its name.
pub(crate) const DELAYED_QUEUE: &str = "amq.leveret.delayed";

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// URL-safe base64 without padding.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(group >> (18 - 6 * at)) as usize & 63]));
        }
    }
    text
}

/// True for names that only the broker may create.
pub(crate) fn is_reserved(name: &str) -> bool {
    name.starts_with(RESERVED)
}

/// A name as RabbitMQ keeps it: without carriage returns and line feeds.
pub(crate) fn clean(name: &str) -> std::borrow::Cow<'_, str> {
    if name.contains(['\r', '\n']) { name.replace(['\r', '\n'], "").into() } else { name.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_is_that_of_rfc_4648() {
        for (bytes, text) in [(&b""[..], ""), (b"f", "Zg"), (b"fo", "Zm8"), (b"foo", "Zm9v"), (b"foob", "Zm9vYg")] {
            assert_eq!(base64url(bytes), text);
        }
        assert_eq!(base64url(&[0xfb, 0xff]), "-_8");
        assert_eq!(base64url(&[7; 16]).len(), 22);
    }

    #[test]
    fn names_lose_their_line_breaks() {
        assert_eq!(clean("plain"), "plain");
        assert_eq!(clean("a\r\nb\n"), "ab");
    }
}
