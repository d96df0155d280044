//! Answers compressed with gzip, piece by piece as they are sent.

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body::Frame;
use std::io::Write;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// Shorter answers are sent as they are, as RabbitMQ's server does it.
const SHORTEST: u64 = 300;

/// Compresses the answer where the client takes that.
pub(crate) async fn gzip(request: Request, next: Next) -> Response {
    let accepted = request.method() != Method::HEAD && accepts_gzip(request.headers());
    let response = next.run(request).await;
    if accepted && is_worth_it(&response) { compressed(response) } else { response }
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = matches!(parts.next(), Some("gzip" | "x-gzip" | "*"));
        let is_refused = |part: &str| part.strip_prefix("q=").and_then(|q| q.parse().ok()) == Some(0.0_f32);
        is_gzip && !parts.any(is_refused)
    })
}

fn is_worth_it(response: &Response) -> bool {
    let headers = response.headers();
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    // Events have to arrive when they happen.
    let is_events = kind.starts_with(b"text/event-stream");
    let is_short = response.body().size_hint().upper().is_some_and(|length| length < SHORTEST);
    let has_body = response.status() != StatusCode::NO_CONTENT;
    has_body && !is_events && !is_short && !headers.contains_key(header::CONTENT_ENCODING)
}

fn compressed(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let encoder = Some(GzEncoder::new(Vec::new(), Compression::fast()));
    Response::from_parts(parts, Body::new(Gzip { body, encoder }))
}

struct Gzip {
    body: Body,
    /// None when all is sent.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl HttpBody for Gzip {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let gzip = self.get_mut();
        loop {
            let Some(encoder) = &mut gzip.encoder else { return Poll::Ready(None) };
            // Writing into memory cannot fail, but a body that is not whole must not look so.
            match ready!(Pin::new(&mut gzip.body).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        encoder.write_all(&data)?;
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => {
                    let rest = gzip.encoder.take().map(GzEncoder::finish).transpose()?.unwrap_or_default();
                    return Poll::Ready(Some(Ok(Frame::data(rest.into()))));
                }
            }
            let made = std::mem::take(encoder.get_mut());
            if !made.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(made.into()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_accept_is_understood() {
        let accepts = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(value));
            accepts_gzip(&headers)
        };
        assert!(accepts("gzip") && accepts("deflate, gzip;q=0.5") && accepts("*"));
        assert!(!accepts("deflate") && !accepts("gzip;q=0") && !accepts("gzip; q=0.0, br") && !accepts(""));
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
