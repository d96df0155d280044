//! The answer to a scrape, made while it is sent.

use super::family::Section;
use super::text::{Format, Text};
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::Frame;
use std::collections::VecDeque;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::task::{JoinError, JoinHandle};

/// Bytes of text that are sent in one piece; compressed, fewer.
const PIECE: usize = 64 << 10;

/// What is left to make.
struct Scrape {
    sections: VecDeque<Box<dyn Section>>,
    text: Text,
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Scrape {
    /// The next piece, and whether it is the last one.
    fn piece(&mut self) -> (Vec<u8>, bool) {
        while self.text.len() < PIECE
            && let Some(section) = self.sections.front_mut()
        {
            if section.write(&mut self.text) {
                self.sections.pop_front();
            }
        }
        let is_last = self.sections.is_empty();
        if is_last {
            self.text.end();
        }
        let text = self.text.take().into_bytes();
        let Some(encoder) = &mut self.encoder else { return (text, is_last) };
        // Writing to memory does not fail.
        let _ = encoder.write_all(&text);
        if is_last {
            let _ = encoder.try_finish();
        }
        (std::mem::take(encoder.get_mut()), is_last)
    }
}

/// A body of which each piece is made when the one before is on its way, so that a slow client holds neither a thread nor
/// more than a piece.
struct Pieces {
    /// `None` while a piece is being made, and after the last.
    scrape: Option<Scrape>,
    running: Option<JoinHandle<(Scrape, Vec<u8>, bool)>>,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = JoinError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, JoinError>>> {
        let pieces = self.get_mut();
        loop {
            if let Some(mut scrape) = pieces.scrape.take() {
                pieces.running = Some(tokio::task::spawn_blocking(move || {
                    let (piece, is_last) = scrape.piece();
                    (scrape, piece, is_last)
                }));
            }
            let Some(running) = &mut pieces.running else { return Poll::Ready(None) };
            let made = ready!(Pin::new(running).poll(context));
            pieces.running = None;
            let (scrape, piece, is_last) = match made {
                Ok(made) => made,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            if !is_last {
                pieces.scrape = Some(scrape);
            }
            // What is compressed may come out with a later piece.
            if !piece.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
            }
        }
    }
}

/// Answers with the text of `sections`.
pub(super) fn reply(sections: Vec<Box<dyn Section>>, format: Format, gzip: bool) -> Response {
    let encoder = gzip.then(|| GzEncoder::new(Vec::new(), Compression::fast()));
    let scrape = Scrape { sections: sections.into(), text: Text::new(format), encoder };
    let body = Body::new(Pieces { scrape: Some(scrape), running: None });
    let mut response = ([(header::CONTENT_TYPE, format.content_type())], body).into_response();
    if gzip {
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}
