//! Moving the messages of a queue, or deleting them: to another queue, to an exchange, back to where they died.
//!
//! A thread of its own goes over the queue. It hands those that are meant to a reactor, some hundreds at a time, and waits
//! until they have been dealt with before it goes on, so that there is never more than one such piece of work in front of
//! what the reactor does otherwise.

use super::address::{Address, Addresser};
use super::operations::{Operation, OperationView};
use super::scan::{Cursor, Scan, Seen};
use super::{MessageFilter, MessageReply, Who};
use crate::admin::{AdminError, Missing};
use crate::broker::Broker;
use crate::core::Core;
use crate::core::pick::{Moved, Pick};
use crate::topology::{QueueCell, Vhost};
use auth::User;
use metadata::Token;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Messages moved in one piece of work: each is routed, written and taken off the books; and bytes of their bodies, about.
const MOVED_AT_ONCE: usize = 128;
const BYTES_AT_ONCE: usize = 1 << 20;
/// How long it waits while the log is full, a resource is low, or the consumers of a queue are behind.
const PAUSE: Duration = Duration::from_millis(2);
/// Pauses for the rate are looked at so often, so that it can be cancelled.
const RATE_PAUSE: Duration = Duration::from_millis(50);

/// Where dead letters came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Where they died last, and not where they died first.
    pub is_last: bool,
    /// To the exchange that they had been published to, with the key that they had there, and not straight to the queue.
    pub by_exchange: bool,
}

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveTarget {
    /// They are deleted.
    Nowhere,
    /// Straight to this queue.
    Queue(String),
    /// They are published to an exchange.
    Exchange {
        /// Its name; empty for the default exchange.
        name: String,
        /// With this routing key; `None` for the one that they have.
        routing_key: Option<String>,
    },
    /// Back to where they came from as dead letters.
    Origin(Origin),
}

/// Which messages of a queue are moved, and how.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Where to.
    pub target: MoveTarget,
    /// Which.
    pub filter: MessageFilter,
    /// At most so many.
    pub count: Option<u64>,
    /// At most so many per second.
    pub per_second: Option<u64>,
    /// Headers that tell of deaths are left out.
    pub forgets_deaths: bool,
    /// It goes on when a queue has no room, and leaves what that was for where it is.
    pub skips_rejected: bool,
}

/// Why an operation ends before it has come to the end of the queue.
enum End {
    Done,
    Cancelled,
    Stopped(&'static str),
    Failed(AdminError),
}

impl From<AdminError> for End {
    fn from(error: AdminError) -> End {
        End::Failed(error)
    }
}

/// What a piece of work came to.
#[derive(Default)]
struct Piece {
    moved: Moved,
    unroutable: u64,
    without_origin: u64,
    refused: u64,
}

impl Broker {
    pub(super) fn transfer(
        &self,
        who: Who,
        vhost: &str,
        queue: &str,
        transfer: Transfer,
    ) -> Result<MessageReply, AdminError> {
        let (vhost, cell) = self.find_queue(vhost, queue)?;
        let user = who.user();
        self.check_destination(&vhost, &cell, &transfer)?;
        match &transfer.target {
            MoveTarget::Exchange { name, routing_key } => {
                let key = routing_key.as_ref().map(String::as_bytes);
                self.ask_to_publish(user.as_deref(), &vhost, name, key.as_slice());
            }
            _ => self.ask_to_publish(user.as_deref(), &vhost, "", &[]),
        }
        // Everything that it does is done through this.
        let broker = self.on_reactor_of(&cell, |core: &mut Core| core.broker.clone())?;
        let view = OperationView {
            kind: if transfer.target == MoveTarget::Nowhere { "delete" } else { "move" },
            vhost: vhost.name.to_string(),
            queue: cell.name.to_string(),
            destination: transfer.target.to_string(),
            state: "running",
            started_ms: self.noted_time_ms(),
            ..OperationView::default()
        };
        let operation = self.operations.add(view)?;
        let view = operation.now();
        let mover = Mover { broker, vhost, cell, user, transfer: Arc::new(transfer), operation };
        let thread = std::thread::Builder::new().name("move".to_owned());
        let failed = |error| AdminError::Unavailable(format!("no thread: {error}"));
        thread.spawn(move || mover.run()).map_err(failed)?;
        Ok(MessageReply::Operation(view))
    }

    /// What would never move anything is refused at once.
    fn check_destination(&self, vhost: &Vhost, cell: &QueueCell, transfer: &Transfer) -> Result<(), AdminError> {
        match &transfer.target {
            MoveTarget::Queue(name) if **name == *cell.name => {
                Err(AdminError::Invalid("messages cannot be moved to the queue that they are in".to_owned()))
            }
            MoveTarget::Queue(name) if vhost.queue(name).is_none() => Err(Missing::Queue.called(name)),
            MoveTarget::Exchange { name, .. } if vhost.exchange(name).is_none() => {
                Err(AdminError::Invalid(format!("exchange '{name}' does not exist")))
            }
            _ => Ok(()),
        }
    }
}

/// Who moves.
struct Mover {
    broker: Arc<Broker>,
    vhost: Arc<Vhost>,
    cell: Arc<QueueCell>,
    user: Option<Arc<User>>,
    transfer: Arc<Transfer>,
    operation: Arc<Operation>,
}

impl Mover {
    fn run(self) {
        let mut token = None;
        let end = self.move_all(&mut token).err().unwrap_or(End::Done);
        // What was done is safe when it is said to be done.
        let end = match (self.broker.wait_for(token), end) {
            (Err(error), End::Done) => End::Failed(error),
            (_, end) => end,
        };
        let (state, reason) = match end {
            End::Done => ("done", String::new()),
            End::Cancelled => ("cancelled", String::new()),
            End::Stopped(reason) => ("stopped", reason.to_owned()),
            End::Failed(error) => ("failed", error.to_string()),
        };
        let ended_ms = Some(self.broker.noted_time_ms());
        self.operation.update(|view| (view.state, view.reason, view.ended_ms) = (state, reason, ended_ms));
    }

    fn move_all(&self, token: &mut Option<Token>) -> Result<(), End> {
        let mut scan = Scan::new(&self.broker, &self.cell, Cursor::from_seq(0));
        let cell = self.cell.clone();
        // Not those that come while it goes on, or what returns to the same queue would be moved for ever.
        scan.below = self.broker.on_reactor_of(&cell, {
            let cell = cell.clone();
            move |_: &mut Core| cell.lock().queue.next_seq()
        })?;
        let began = Instant::now();
        let mut left = self.transfer.count.unwrap_or(u64::MAX);
        while left > 0 {
            self.check_cancelled()?;
            let seen = scan.next()?;
            if seen.is_empty() {
                break;
            }
            let scanned = seen.len() as u64;
            let mut meant: Vec<Seen> =
                seen.into_iter().filter(|seen| self.transfer.filter.admits(&seen.message)).collect();
            meant.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            self.operation.update(|view| view.scanned += scanned);
            let mut meant = meant.into_iter().peekable();
            while meant.peek().is_some() {
                let most = self.keep_to_rate(began)?;
                let mut bytes = 0;
                let mut some = Vec::new();
                while let Some(seen) = meant.next_if(|_| some.len() < most && bytes < BYTES_AT_ONCE) {
                    bytes += seen.message.body_len();
                    some.push(seen);
                }
                left -= self.move_some(some, token)?.min(left);
            }
        }
        Ok(())
    }

    /// Moves messages of one piece of work; how many.
    fn move_some(&self, seen: Vec<Seen>, token: &mut Option<Token>) -> Result<u64, End> {
        let mut rest = Some(seen);
        while let Some(seen) = rest.take() {
            self.check_cancelled()?;
            let (cell, vhost, user) = (self.cell.clone(), self.vhost.clone(), self.user.clone());
            let transfer = self.transfer.clone();
            let work = move |core: &mut Core| {
                if core.broker.is_alarmed() {
                    return Err((seen, "a resource is low"));
                }
                if !core.log_has_room_for(0) {
                    return Err((seen, "the log is full"));
                }
                Ok(move_piece(core, &cell, &vhost, user.as_deref(), &transfer, seen))
            };
            match self.broker.on_reactor_of(&self.cell, work)? {
                Ok(piece) => {
                    *token = piece.moved.token.max(*token);
                    return self.note(&piece);
                }
                Err((seen, reason)) => {
                    self.operation.update(|view| (view.state, view.reason) = ("waiting", reason.to_owned()));
                    std::thread::park_timeout(PAUSE);
                    rest = Some(seen);
                }
            }
        }
        Ok(0)
    }

    fn note(&self, piece: &Piece) -> Result<u64, End> {
        let Piece { moved, unroutable, without_origin, refused } = piece;
        self.operation.update(|view| {
            (view.state, view.reason) = ("running", String::new());
            view.moved += moved.moved;
            view.gone += moved.gone;
            view.rejected += moved.rejected;
            view.unroutable += unroutable;
            view.without_origin += without_origin;
            view.refused += refused;
        });
        if moved.is_dead {
            return Err(End::Stopped("the queue was deleted"));
        }
        if moved.rejected > 0 && !self.transfer.skips_rejected {
            return Err(End::Stopped("a queue has no room"));
        }
        if moved.is_slow {
            std::thread::park_timeout(PAUSE);
        }
        Ok(moved.moved)
    }

    fn check_cancelled(&self) -> Result<(), End> {
        if self.operation.is_cancelled() { Err(End::Cancelled) } else { Ok(()) }
    }

    /// Waits until more may be moved; how many at once.
    fn keep_to_rate(&self, began: Instant) -> Result<usize, End> {
        let Some(per_second) = self.transfer.per_second else { return Ok(MOVED_AT_ONCE) };
        let at_once = (per_second / 20).clamp(1, MOVED_AT_ONCE as u64);
        loop {
            let moved = self.operation.now().moved;
            let due = Duration::from_secs_f64(moved as f64 / per_second.max(1) as f64);
            let elapsed = began.elapsed();
            if elapsed >= due {
                return Ok(at_once as usize);
            }
            std::thread::park_timeout((due - elapsed).min(RATE_PAUSE));
            self.check_cancelled()?;
        }
    }
}

/// Finds out where messages go, and has them go there.
fn move_piece(
    core: &mut Core,
    cell: &Arc<QueueCell>,
    vhost: &Vhost,
    user: Option<&User>,
    transfer: &Transfer,
    seen: Vec<Seen>,
) -> Piece {
    let mut piece = Piece::default();
    let mut picks = Vec::with_capacity(seen.len());
    let mut addresser = Addresser::new(transfer, vhost, user);
    for seen in seen {
        if transfer.target == MoveTarget::Nowhere {
            picks.push(Pick { seen, to: None });
            continue;
        }
        match addresser.address(core, &seen.message) {
            Address::To(message, route) => picks.push(Pick { seen, to: Some((message, route)) }),
            Address::Unroutable => piece.unroutable += 1,
            Address::Unknown => piece.without_origin += 1,
            Address::Refused => piece.refused += 1,
        }
    }
    piece.moved = core.move_messages(cell, picks);
    piece
}

impl std::fmt::Display for MoveTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MoveTarget::Nowhere => f.write_str("nowhere"),
            MoveTarget::Queue(name) => write!(f, "queue '{name}'"),
            MoveTarget::Exchange { name, routing_key: None } => write!(f, "exchange '{name}'"),
            MoveTarget::Exchange { name, routing_key: Some(key) } => {
                write!(f, "exchange '{name}' with routing key '{key}'")
            }
            MoveTarget::Origin(_) => f.write_str("origin"),
        }
    }
}
