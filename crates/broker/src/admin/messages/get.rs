//! Fetching messages for an operator.

use super::{AfterGet, MessageReply, MessageView};
use crate::admin::AdminError;
use crate::broker::Broker;
use crate::core::fetch_for::{Fetch, FetchEnd, Fetched};
use crate::delivery::Unacked;
use crate::errors::{self, Resource};
use crate::topology::QueueCell;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of bodies that one piece fetches, about.
const BYTES_AT_ONCE: usize = 1 << 20;
/// Bytes of bodies and headers that one command answers with, about: no further messages are fetched then.
const MOST_BYTES: usize = 64 << 20;
/// Messages that one command fetches.
const MOST_MESSAGES: usize = 100_000;
/// Messages that are returned in one piece.
const RETURNED_AT_ONCE: usize = 512;
/// How often, and how many times, it is looked whether the first message has come from disk.
const PAUSE: Duration = Duration::from_millis(1);
const MOST_PAUSES: usize = 5000;

impl Broker {
    pub(super) fn get_messages(
        &self,
        vhost: &str,
        queue: &str,
        count: usize,
        after: AfterGet,
        truncate: Option<usize>,
    ) -> Result<MessageReply, AdminError> {
        let (vhost, cell) = self.find_queue(vhost, queue)?;
        if cell.owner.is_some() {
            let resource = Resource::queue(&vhost.name, &cell.name);
            return Err(AdminError::Channel(errors::QUEUE_LOCKED.with(&[&resource])));
        }
        let mut held = Vec::new();
        // Messages return when all have been fetched, or the same ones would be fetched again and again.
        let views = self.fetch_views(&cell, count.min(MOST_MESSAGES), after, truncate, &mut held);
        self.give_back(&cell, held, after)?;
        Ok(MessageReply::Messages(views?))
    }

    fn fetch_views(
        &self,
        cell: &Arc<QueueCell>,
        count: usize,
        after: AfterGet,
        truncate: Option<usize>,
        held: &mut Vec<Unacked>,
    ) -> Result<Vec<MessageView>, AdminError> {
        let (mut views, mut bytes, mut pauses) = (Vec::new(), 0, 0);
        while views.len() < count && bytes < MOST_BYTES {
            let (most, from) = (count - views.len(), cell.clone());
            let fetch =
                move |core: &mut crate::core::Core| core.fetch_for(&from, most, BYTES_AT_ONCE, after == AfterGet::Take);
            let Fetch { fetched, held: more, end } = self.on_reactor_of(cell, fetch)?;
            held.extend(more);
            for fetched in fetched {
                let view = view(fetched, truncate);
                bytes += view.body.len() + view.header.len();
                views.push(view);
            }
            match end {
                FetchEnd::Empty => break,
                FetchEnd::Full => {}
                FetchEnd::Later if pauses == MOST_PAUSES => {
                    return Err(AdminError::Unavailable("the disk does not give the next message".to_owned()));
                }
                FetchEnd::Later => {
                    pauses += 1;
                    std::thread::park_timeout(PAUSE);
                }
            }
        }
        Ok(views)
    }

    fn give_back(&self, cell: &Arc<QueueCell>, held: Vec<Unacked>, after: AfterGet) -> Result<(), AdminError> {
        let mut held = held.into_iter().peekable();
        while held.peek().is_some() {
            let some: Vec<Unacked> = held.by_ref().take(RETURNED_AT_ONCE).collect();
            self.on_reactor_of(cell, move |core| match after {
                AfterGet::Take => {}
                AfterGet::Return => core.return_fetched(some, false),
                AfterGet::Fail => core.return_fetched(some, true),
                AfterGet::Reject => core.reject_fetched(some),
            })?;
        }
        Ok(())
    }
}

fn view(fetched: Fetched, truncate: Option<usize>) -> MessageView {
    let Fetched { message, redelivered, remaining, header } = fetched;
    let view = MessageView { redelivered, remaining, ..MessageView::of(&message, truncate) };
    match header {
        Some(header) => MessageView { header, ..view },
        None => view,
    }
}
