//! Bodies of requests: those that do not arrive are given up, all of them together fit into memory, and what nobody
//! wanted to read does not stand before the next request.

use axum::body::{Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};

/// Bodies up to this size are taken without asking: a thousand of them are little.
const SMALL: u64 = 64 << 10;
/// What a permit of the budget is for, in bytes.
const UNIT: u64 = 1 << 10;
/// Of the largest bodies this many can be in memory at once.
const LARGEST_AT_ONCE: usize = 4;

/// Memory for the bodies of all requests that are being answered.
#[derive(Clone)]
pub(super) struct Budget {
    units: Arc<Semaphore>,
    largest: u64,
}

impl Budget {
    pub(super) fn new(max_body_bytes: usize) -> Budget {
        let units = (max_body_bytes.saturating_mul(LARGEST_AT_ONCE) >> 10).max(64 << 10);
        let largest = u64::try_from(max_body_bytes).unwrap_or(u64::MAX);
        Budget { units: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))), largest }
    }

    /// Units for a body of `length` bytes, or of any length up to the limit. What is larger is refused unread.
    fn units(&self, length: Option<u64>) -> u32 {
        u32::try_from(length.unwrap_or(self.largest).min(self.largest).div_ceil(UNIT)).unwrap_or(u32::MAX)
    }
}

/// What a request holds of the budget, until it is answered, and what of its body was left.
#[derive(Clone, Default)]
pub(super) struct Held(Arc<Mutex<(Option<OwnedSemaphorePermit>, Option<Incoming>)>>);

impl Held {
    /// Reads and forgets what whoever answered did not want to know, as long as it is little and comes. False when the
    /// connection cannot be used for another request, which its client has to be told.
    pub(super) async fn skip_rest(self, patience: Option<Duration>) -> bool {
        let left = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).1;
        let Some(mut body) = left.filter(|body| !body.is_end_stream()) else { return true };
        if body.size_hint().lower() > SMALL {
            return false;
        }
        let skip = async {
            let mut bytes = 0;
            while bytes <= SMALL {
                match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                    None => return true,
                    Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
                    Some(Err(_)) => return false,
                }
            }
            false
        };
        match patience {
            Some(patience) => timeout(patience, skip).await.unwrap_or(false),
            None => skip.await,
        }
    }
}

type Asking = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>;

/// The body of a request.
pub(super) struct Limited {
    body: Option<Incoming>,
    asking: Option<Asking>,
    held: Held,
    patience: Option<Duration>,
    waiting: Option<Pin<Box<Sleep>>>,
}

/// Nothing came for too long.
#[derive(Debug, thiserror::Error)]
#[error("the body of the request does not arrive")]
struct Stalled;

impl Limited {
    pub(super) fn new(body: Incoming, budget: &Budget, patience: Option<Duration>) -> (Limited, Held) {
        let length = body.size_hint().exact();
        let held = Held::default();
        let asking: Option<Asking> = (length.is_none_or(|length| length > SMALL)).then(|| {
            let (units, count) = (budget.units.clone(), budget.units(length));
            Box::pin(async move { units.acquire_many_owned(count).await.ok() }) as Asking
        });
        (Limited { body: Some(body), asking, held: held.clone(), patience, waiting: None }, held)
    }
}

impl HttpBody for Limited {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        // Only now, when whoever asks has been let in: who has no credentials takes nothing of the budget.
        if let Some(asking) = &mut self.asking {
            let permit = ready!(asking.as_mut().poll(context));
            self.asking = None;
            self.held.0.lock().unwrap_or_else(PoisonError::into_inner).0 = permit;
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = Pin::new(body).poll_frame(context);
        let (Poll::Pending, Some(patience)) = (&frame, self.patience) else {
            self.waiting = None;
            return frame.map_err(Into::into);
        };
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(waiting.as_mut().poll(context));
        // Nobody waits for the rest again.
        self.body = None;
        Poll::Ready(Some(Err(Stalled.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(HttpBody::size_hint).unwrap_or_default()
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        self.held.0.lock().unwrap_or_else(PoisonError::into_inner).1 = self.body.take();
    }
}
