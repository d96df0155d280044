//! The body of an answer that is handed on while it comes.

/// How far an answer has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is more to come.
    More,
    /// It is all there, or nobody wants more.
    Ended,
    /// Its status is not 200.
    NotOk,
    /// It is not HTTP.
    Broken,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// Until the connection closes.
    Plain,
    Chunked,
}

/// Where in an answer the bytes belong that come next.
#[derive(Debug, Default)]
pub(super) struct Body(State);

impl Body {
    /// True before the body begins.
    pub(super) fn is_in_head(&self) -> bool {
        self.0 == State::Head
    }

    /// Hands on what `received` has of the body, and leaves in it what is not complete.
    pub(super) fn advance(&mut self, received: &mut Vec<u8>, take: &mut dyn FnMut(&[u8]) -> bool) -> Progress {
        if self.0 == State::Head {
            let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") else {
                return Progress::More;
            };
            let head = String::from_utf8_lossy(received.get(..end).unwrap_or_default()).to_ascii_lowercase();
            if !head.starts_with("http/1.1 ") {
                return Progress::Broken;
            }
            if !head.starts_with("http/1.1 200") {
                return Progress::NotOk;
            }
            let is_chunked = head.contains("\r\ntransfer-encoding: chunked");
            self.0 = if is_chunked { State::Chunked } else { State::Plain };
            received.drain(..end + 4);
        }
        if self.0 == State::Plain {
            let goes_on = received.is_empty() || take(received);
            received.clear();
            return if goes_on { Progress::More } else { Progress::Ended };
        }
        chunks(received, take)
    }
}

fn chunks(received: &mut Vec<u8>, take: &mut dyn FnMut(&[u8]) -> bool) -> Progress {
    loop {
        let Some(end) = received.windows(2).position(|window| window == b"\r\n") else { return Progress::More };
        let digits = std::str::from_utf8(received.get(..end).unwrap_or_default()).unwrap_or_default();
        let Ok(size) = usize::from_str_radix(digits.split(';').next().unwrap_or_default().trim(), 16) else {
            return Progress::Broken;
        };
        if size == 0 {
            return Progress::Ended;
        }
        let Some(whole) = end.checked_add(size).and_then(|sum| sum.checked_add(4)) else { return Progress::Broken };
        if received.len() < whole {
            return Progress::More;
        }
        if !take(received.get(end + 2..whole - 2).unwrap_or_default()) {
            return Progress::Ended;
        }
        received.drain(..whole);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&str]) -> (String, Progress) {
        let (mut body, mut received, mut text) = (Body::default(), Vec::new(), String::new());
        let mut progress = Progress::More;
        for part in parts {
            received.extend_from_slice(part.as_bytes());
            progress = body.advance(&mut received, &mut |bytes| {
                text.push_str(&String::from_utf8_lossy(bytes));
                true
            });
        }
        (text, progress)
    }

    #[test]
    fn chunks_are_handed_on_as_they_come() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read(&[head, "3\r\nab", "c\r\n2\r\nde\r\n"]), ("abcde".to_owned(), Progress::More));
        assert_eq!(read(&[head, "3\r\nabc\r\n0\r\n\r\n"]), ("abc".to_owned(), Progress::Ended));
        assert_eq!(read(&[head, "x\r\n"]), (String::new(), Progress::Broken));
        assert_eq!(read(&[head, "ffffffffffffffff\r\n"]), (String::new(), Progress::Broken));
    }

    #[test]
    fn what_is_no_stream_is_seen() {
        assert_eq!(read(&["HTTP/1.1 200 OK\r\n\r\nab", "c"]), ("abc".to_owned(), Progress::More));
        assert_eq!(read(&["HTTP/1.1 404 Not Found\r\n\r\n"]).1, Progress::NotOk);
        assert_eq!(read(&["SSH-2.0\r\n\r\n"]).1, Progress::Broken);
    }
}
