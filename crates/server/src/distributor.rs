//! Which reactor a connection goes to.

use broker::Ends;
use mio::Waker;
use mio::net::TcpStream;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use tls::rustls::ServerConnection;
use tracing::error;

/// A connection on its way to the reactor that will serve it. What comes before AMQP is done.
pub(crate) struct Arrival {
    pub(crate) stream: TcpStream,
    pub(crate) ends: Ends,
    pub(crate) session: Option<Box<ServerConnection>>,
}

/// Hands connections to reactors in turn.
pub(crate) struct Distributor {
    reactors: Vec<(Sender<Arrival>, Arc<Waker>)>,
    next: Mutex<usize>,
}

impl Distributor {
    pub(crate) fn new(reactors: Vec<(Sender<Arrival>, Arc<Waker>)>) -> Distributor {
        Distributor { reactors, next: Mutex::new(0) }
    }

    pub(crate) fn hand_over(&self, arrival: Arrival) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = (*next + 1) % self.reactors.len();
        let (arrivals, waker) = &self.reactors[*next];
        // A reactor that is gone means that the broker stops; the connection is dropped then.
        if arrivals.send(arrival).is_ok()
            && let Err(error) = waker.wake()
        {
            error!("cannot wake a reactor: {error}");
        }
    }
}
