//! Acknowledging, rejecting and recovering deliveries.

use super::Mode;
use super::tx::Fate;
use crate::connection::Connection;
use crate::core::Core;
use crate::core::tend::Return;
use crate::errors::{self, ProtocolError};
use amqp::Method;
use amqp::method::basic;

impl Core {
    /// basic.ack: deliveries are taken off the channel at once and settled with those of the frames behind it.
    #[inline]
    pub(crate) fn ack(&mut self, conn: &mut Connection, number: u16, ack: basic::Ack) -> Result<(), ProtocolError> {
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        let (slot, transactional) = (channel.slot, channel.is_transactional());
        if transactional {
            self.settle(conn);
        }
        let before = self.settling.len();
        self.take_deliveries(conn, slot, ack.delivery_tag, ack.multiple)?;
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        channel.entry.used_ms.set(self.time_ms);
        channel.entry.counters.ack.add((self.settling.len() - before) as u64);
        if channel.fetches {
            let fetched = self.settling[before..].iter().filter(|unacked| unacked.consumer.is_none());
            fetched.for_each(|unacked| channel.entry.count_fetched(&unacked.queue, |counters| counters.ack.add(1)));
        }
        match &mut channel.mode {
            Mode::Tx(transaction) => {
                channel.entry.uncommitted_acks.add((self.settling.len() - before) as u64);
                transaction.settle(self.settling.drain(before..), Fate::Ack);
            }
            _ => Core::release_places(&channel.limit, &self.settling[before..]),
        }
        Ok(())
    }

    /// basic.reject and basic.nack.
    pub(crate) fn reject(
        &mut self,
        conn: &mut Connection,
        number: u16,
        tag: u64,
        multiple: bool,
        fate: Fate,
    ) -> Result<(), ProtocolError> {
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        let slot = channel.slot;
        self.take_deliveries(conn, slot, tag, multiple)?;
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        if let Mode::Tx(transaction) = &mut channel.mode {
            channel.entry.uncommitted_acks.add(self.settling.len() as u64);
            transaction.settle(self.settling.drain(..), fate);
            return Ok(());
        }
        Core::release_places(&channel.limit, &self.settling);
        self.end_deliveries(conn, fate);
        Ok(())
    }

    /// basic.recover: everything that the channel has not acknowledged returns to its queue.
    pub(crate) fn recover(
        &mut self,
        conn: &mut Connection,
        number: u16,
        requeue: bool,
        answer: bool,
    ) -> Result<(), ProtocolError> {
        if !requeue {
            return Err(errors::RECOVER_WITHOUT_REQUEUE.with(&[]));
        }
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        let slot = channel.slot;
        // Tag 0 with multiple means all, and is right even when there are none.
        self.take_deliveries(conn, slot, 0, true)?;
        if let Some(channel) = conn.channels.find(number) {
            Core::release_places(&channel.limit, &self.settling);
        }
        if answer {
            // The answer comes before what is delivered again.
            self.send(conn, number, &Method::BasicRecoverOk(basic::RecoverOk {}));
        }
        self.requeue(conn, Return::GivenBack);
        Ok(())
    }

    /// What the deliveries taken so far come to.
    pub(crate) fn end_deliveries(&mut self, conn: &Connection, fate: Fate) {
        match fate {
            Fate::Ack => self.settle(conn),
            Fate::Reject => {
                self.reject_all(conn);
                // What the client does next may well depend on where they are.
                self.send_dead_letters();
            }
            Fate::Return(why) => self.requeue(conn, why),
        }
    }
}
