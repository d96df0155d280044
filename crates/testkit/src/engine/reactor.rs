//! One shard with its connections, driven as a reactor drives it: read, run queues, flush late.

use super::wire::{Read, Wire, Writing};
use broker::{Broker, Ends, Flushed, Link, Now, Shard};
use std::sync::Arc;

/// Bytes of one read, as long as a test does not say otherwise.
const READ_SIZE: usize = 64 << 10;

struct Socket {
    wire: Arc<Wire>,
    link: Arc<Link>,
    gone: bool,
}

/// A shard and its wires.
pub struct Reactor {
    broker: Arc<Broker>,
    index: usize,
    shard: Shard,
    sockets: Vec<Option<Socket>>,
    read_size: usize,
    buffer: Vec<u8>,
    touched: Vec<Arc<Link>>,
    resumed: Vec<usize>,
    ending: Vec<usize>,
}

impl Reactor {
    pub(super) fn new(broker: Arc<Broker>, index: usize) -> Reactor {
        Reactor {
            shard: Shard::new(broker.clone(), index),
            broker,
            index,
            sockets: Vec::new(),
            read_size: READ_SIZE,
            buffer: Vec::new(),
            touched: Vec::new(),
            resumed: Vec::new(),
            ending: Vec::new(),
        }
    }

    /// Takes at most `bytes` from a connection at once.
    pub fn set_read_size(&mut self, bytes: usize) {
        self.read_size = bytes;
    }

    /// Number of connections.
    pub fn connections(&self) -> usize {
        self.shard.connections()
    }

    /// Gives back what only a busy shard needs, as an idle reactor does.
    pub fn rest(&mut self) {
        self.shard.rest();
    }

    /// Takes in a connection.
    pub fn accept(&mut self, wire: Arc<Wire>, ends: Ends) {
        let (key, link) = self.shard.accept(Box::new(Writing(wire.clone())), ends);
        if self.sockets.len() <= key {
            self.sockets.resize_with(key + 1, || None);
        }
        self.sockets[key] = Some(Socket { wire, link, gone: false });
    }

    /// One turn: messages, timers, one read of every connection that has something, deliveries, and flushing at the
    /// end. True when anything happened.
    pub fn turn(&mut self, now: Now) -> bool {
        self.shard.set_now(now);
        let mut happened = self.broker.has_messages(self.index);
        self.shard.messages();
        happened |= self.shard.next_timer_ms().is_some_and(|due_ms| due_ms <= now.mono_ms());
        self.shard.run_timers();
        self.shard.take_resumed(&mut self.resumed);
        for key in 0..self.sockets.len() {
            let Some(socket) = &self.sockets[key] else { continue };
            if socket.wire.becomes_writable() {
                self.touched.push(socket.link.clone());
            }
            if (socket.wire.is_readable() || self.resumed.contains(&key)) && self.shard.is_reading(key) {
                happened = true;
                self.read(key);
            }
        }
        self.resumed.clear();
        happened |= self.shard.has_runnable() || self.shard.has_touched() || !self.touched.is_empty();
        self.shard.run_queues();
        self.shard.commit();
        self.flush();
        let finished = self.finish_connections();
        self.shard.end_turn();
        happened | finished
    }

    fn read(&mut self, key: usize) {
        let Some(socket) = &mut self.sockets[key] else { return };
        self.buffer.clear();
        self.buffer.extend_from_slice(self.shard.leftover(key));
        let fresh = match socket.wire.read(&mut self.buffer, self.read_size) {
            Read::Bytes(count) => count,
            Read::Nothing => 0,
            Read::End => {
                socket.gone = true;
                0
            }
        };
        let gone = socket.gone;
        if !self.buffer.is_empty() {
            self.shard.receive(key, &self.buffer, fresh);
        }
        if gone {
            self.shard.hang_up(key);
        }
        self.ending.push(key);
    }

    /// Writes what is pending, to connections of other shards too.
    fn flush(&mut self) {
        let mut links = std::mem::take(&mut self.touched);
        self.shard.take_touched(&mut links);
        for link in &links {
            let flushed = link.flush();
            self.shard.drained(link);
            let own = link.key_in(self.index).filter(|key| self.is_link_of(*key, link));
            if let Some(key) = own {
                if flushed == Flushed::Broken {
                    self.shard.hang_up(key);
                }
                self.ending.push(key);
            }
        }
        links.clear();
        self.touched = links;
    }

    fn is_link_of(&self, key: usize, link: &Arc<Link>) -> bool {
        matches!(self.sockets.get(key), Some(Some(socket)) if Arc::ptr_eq(&socket.link, link))
    }

    /// Drops connections that are over; true when there was one.
    fn finish_connections(&mut self) -> bool {
        self.shard.take_ended(&mut self.ending);
        let mut finished = false;
        while let Some(key) = self.ending.pop() {
            let over = |socket: &mut Socket| socket.gone || self.shard.is_finished(key);
            if let Some(socket) = self.sockets.get_mut(key).and_then(|place| place.take_if(over)) {
                socket.wire.close();
                self.shard.remove(key);
                finished = true;
            }
        }
        finished
    }
}
