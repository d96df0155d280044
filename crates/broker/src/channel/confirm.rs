//! confirm.select, and telling publishers what is safe.

use super::Mode;
use crate::confirms::{Confirm, Confirms};
use crate::connection::Connection;
use crate::core::Core;
use crate::directory::ChannelMode;
use crate::errors::{self, ProtocolError};
use amqp::Method;
use amqp::method::{basic, confirm};

impl Core {
    pub(crate) fn confirm_select(
        &mut self,
        conn: &mut Connection,
        number: u16,
        nowait: bool,
    ) -> Result<(), ProtocolError> {
        let Some(channel) = conn.channels.find(number) else { return Ok(()) };
        match channel.mode {
            Mode::Tx(_) => return Err(errors::TX_TO_CONFIRM.with(&[])),
            Mode::Plain => {
                channel.mode = Mode::Confirm(Confirms::default());
                channel.entry.set_mode(ChannelMode::Confirm);
            }
            Mode::Confirm(_) => {}
        }
        self.reply(conn, number, None, nowait, &Method::ConfirmSelectOk(confirm::SelectOk {}));
        Ok(())
    }

    /// The publishes `first..=last` of a channel have reached all their queues.
    #[inline]
    pub(crate) fn confirm(&mut self, conn: &mut Connection, number: u16, first: u64, last: u64) {
        let Some(channel) = conn.channels.find(number) else { return };
        if let Mode::Confirm(confirms) = &mut channel.mode {
            confirms.acknowledge(first, last);
            channel.entry.counters.confirm.add(last - first + 1);
            self.totals.confirmed.add(last - first + 1);
            channel.entry.unconfirmed.sub(last - first + 1);
            if !self.confirming.contains(&number) {
                self.confirming.push(number);
            }
        }
    }

    /// The publishes `first..=last` of a channel were refused by a queue.
    #[cold]
    pub(crate) fn reject_publishes(&mut self, conn: &mut Connection, number: u16, first: u64, last: u64) {
        let Some(channel) = conn.channels.find(number) else { return };
        if let Mode::Confirm(confirms) = &mut channel.mode {
            (first..=last).for_each(|tag| confirms.reject(tag));
            channel.entry.unconfirmed.sub(last - first + 1);
            if !self.confirming.contains(&number) {
                self.confirming.push(number);
            }
        }
    }

    /// Sends the confirms that are due, as few as possible.
    #[inline]
    pub(crate) fn tell_confirms(&mut self, conn: &mut Connection) {
        while let Some(number) = self.confirming.pop() {
            let mut due = std::mem::take(&mut self.due_confirms);
            if let Some(channel) = conn.channels.find(number)
                && let Mode::Confirm(confirms) = &mut channel.mode
            {
                confirms.drain(|confirm| due.push(confirm));
            }
            for Confirm { tag: delivery_tag, multiple, nack } in due.drain(..) {
                let method = if nack {
                    Method::BasicNack(basic::Nack { delivery_tag, multiple, requeue: false })
                } else {
                    Method::BasicAck(basic::Ack { delivery_tag, multiple })
                };
                self.send(conn, number, &method);
            }
            self.due_confirms = due;
        }
    }
}
