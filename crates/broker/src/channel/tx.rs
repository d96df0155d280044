//! Transactions: publishes and settlements of a channel that take effect together, or not at all.

use super::Mode;
use crate::connection::Connection;
use crate::core::Core;
use crate::core::tend::Return;
use crate::delivery::Unacked;
use crate::directory::ChannelMode;
use crate::errors::{self, ProtocolError};
use crate::topology::{Exchange, Route};
use amqp::Method;
use amqp::method::tx;
use metadata::Token;
use std::sync::Arc;
use store::Message;

struct Publish {
    exchange: Arc<Exchange>,
    /// `None` for a direct reply.
    route: Option<Arc<Route>>,
    message: Message,
    mandatory: bool,
}

struct Settled {
    unacked: Unacked,
    fate: Fate,
}

/// What a delivery comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is acknowledged.
    Ack,
    /// It is rejected for good.
    Reject,
    /// It returns to its queue.
    Return(Return),
}

/// What a transaction has gathered.
#[derive(Default)]
pub(crate) struct Transaction {
    publishes: Vec<Publish>,
    settled: Vec<Settled>,
}

impl Transaction {
    /// Adds a publish. It is routed when it is published, as in RabbitMQ, and delivered when committed.
    pub(crate) fn publish(
        &mut self,
        exchange: Arc<Exchange>,
        route: Option<Arc<Route>>,
        message: Message,
        mandatory: bool,
    ) {
        self.publishes.push(Publish { exchange, route, message, mandatory });
    }

    /// Adds settled deliveries.
    pub(crate) fn settle(&mut self, deliveries: impl Iterator<Item = Unacked>, fate: Fate) {
        self.settled.extend(deliveries.map(|unacked| Settled { unacked, fate }));
    }

    /// The deliveries that it would have settled, for a channel that closes instead.
    pub(crate) fn take_settled(&mut self) -> impl Iterator<Item = Unacked> + '_ {
        self.settled.drain(..).map(|settled| settled.unacked)
    }
}

impl Core {
    pub(crate) fn tx_select(&mut self, conn: &mut Connection, number: u16) -> Result<(), ProtocolError> {
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        match channel.mode {
            Mode::Confirm(_) => return Err(errors::CONFIRM_TO_TX.with(&[])),
            Mode::Plain => {
                channel.mode = Mode::Tx(Box::default());
                channel.entry.set_mode(ChannelMode::Transactional);
            }
            Mode::Tx(_) => {}
        }
        self.send(conn, number, &Method::TxSelectOk(tx::SelectOk {}));
        Ok(())
    }

    pub(crate) fn tx_commit(&mut self, conn: &mut Connection, number: u16) -> Result<(), ProtocolError> {
        let transaction = self.take_transaction(conn, number)?;
        self.begin_transaction();
        self.rejected_in_transaction = false;
        for publish in transaction.publishes {
            let target = (publish.exchange, publish.route);
            self.publish_stored(conn, number, target, publish.message, publish.mandatory);
        }
        self.flush_run(conn, &[]);
        // In runs of the same fate, so that their order within each queue stays.
        let mut rest = transaction.settled.into_iter().peekable();
        while let Some(first) = rest.next() {
            let fate = first.fate;
            self.settling.push(first.unacked);
            while let Some(next) = rest.next_if(|next| next.fate == fate) {
                self.settling.push(next.unacked);
            }
            if let Some(channel) = conn.channels.find(number) {
                Core::release_places(&channel.limit, &self.settling);
            }
            self.end_deliveries(conn, fate);
        }
        let token = self.end_transaction().map(|lsn| Token(lsn.0));
        if self.rejected_in_transaction {
            // RabbitMQ: what could be done is done, and the client told that it was not all.
            return Err(errors::PARTIAL_COMMIT.with(&[]));
        }
        self.reply(conn, number, token, false, &Method::TxCommitOk(tx::CommitOk {}));
        Ok(())
    }

    /// Publishes are forgotten; settled deliveries are outstanding again.
    pub(crate) fn tx_rollback(&mut self, conn: &mut Connection, number: u16) -> Result<(), ProtocolError> {
        let mut transaction = self.take_transaction(conn, number)?;
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        let slot = channel.slot;
        if let Some(Some(deliveries)) = conn.link.output().channels.get_mut(slot) {
            deliveries.restore(transaction.take_settled().collect());
        }
        self.send(conn, number, &Method::TxRollbackOk(tx::RollbackOk {}));
        Ok(())
    }

    fn take_transaction(&mut self, conn: &mut Connection, number: u16) -> Result<Transaction, ProtocolError> {
        let Some(channel) = conn.channels.find(number) else { return Err(errors::NOT_TRANSACTIONAL.with(&[])) };
        let Mode::Tx(transaction) = &mut channel.mode else { return Err(errors::NOT_TRANSACTIONAL.with(&[])) };
        channel.entry.uncommitted_messages.set(0);
        channel.entry.uncommitted_acks.set(0);
        Ok(std::mem::take(&mut **transaction))
    }
}
