//! A list that is made while it is sent.

use super::order::List;
use crate::fields::{Fields, Wanted};
use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::SemaphorePermit;
use tokio::task::JoinHandle;

/// Rows that are made at once.
pub(super) const PIECE: usize = 256;

/// What is sent, shared with the thread that makes a piece of it.
pub(super) struct Whole<R, S> {
    pub(super) list: List<R, S>,
    /// Places of the rows in the order in which they are sent; `None` for that of the list.
    pub(super) order: Option<Vec<usize>>,
    pub(super) columns: Wanted,
}

impl<R, S: Fn(&R, &mut Fields<'_>)> Whole<R, S> {
    /// The rows from `from` on that make the next piece, with what belongs before and behind them.
    pub(super) fn piece(&self, from: usize) -> Vec<u8> {
        let length = self.list.rows.len();
        let to = length.min(from + PIECE);
        let mut text = Vec::new();
        if from == 0 {
            text.push(b'[');
        }
        for index in from..to {
            if index > 0 {
                text.push(b',');
            }
            let place = self.order.as_ref().map_or(index, |order| order[index]);
            let mut fields = Fields::new(&self.columns);
            (self.list.show)(&self.list.rows[place], &mut fields);
            // A value whose keys are texts can always be written to memory.
            let _ = serde_json::to_writer(&mut text, &fields.finish());
        }
        if to == length {
            text.push(b']');
        }
        text
    }
}

/// The body of an answer whose rows are made piece by piece, each when the one before is on its way.
struct Pieces<R, S> {
    whole: Arc<Whole<R, S>>,
    next: usize,
    running: Option<JoinHandle<Vec<u8>>>,
    _permit: Option<SemaphorePermit<'static>>,
}

impl<R, S> Unpin for Pieces<R, S> {}

impl<R, S> HttpBody for Pieces<R, S>
where
    R: Send + Sync + 'static,
    S: Fn(&R, &mut Fields<'_>) + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = tokio::task::JoinError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let pieces = self.get_mut();
        if pieces.running.is_none() {
            if pieces.is_end_stream() {
                return Poll::Ready(None);
            }
            let (whole, from) = (pieces.whole.clone(), pieces.next);
            pieces.next = whole.list.rows.len().min(from + PIECE);
            pieces.running = Some(tokio::task::spawn_blocking(move || whole.piece(from)));
        }
        let Some(running) = &mut pieces.running else { return Poll::Ready(None) };
        let made = ready!(Pin::new(running).poll(context));
        pieces.running = None;
        Poll::Ready(Some(made.map(|text| Frame::data(text.into()))))
    }

    fn is_end_stream(&self) -> bool {
        self.running.is_none() && self.next >= self.whole.list.rows.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// The body of a list that is longer than a piece.
pub(super) fn body<R, S>(whole: Whole<R, S>, permit: Option<SemaphorePermit<'static>>) -> Body
where
    R: Send + Sync + 'static,
    S: Fn(&R, &mut Fields<'_>) + Send + Sync + 'static,
{
    Body::new(Pieces { whole: Arc::new(whole), next: 0, running: None, _permit: permit })
}
