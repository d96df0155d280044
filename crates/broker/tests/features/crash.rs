//! A crash in the middle of what happens: every message that was confirmed, or in a queue before, is afterwards where it
//! was, or on its way further along, perhaps in both places, and never in none.

use crate::history::message_of;
use crate::oracle::{Back, Death, Message, Oracle, QUEUES};
use crate::world::{Kept, World, name};
use amqp::Method;
use amqp::method::basic;
use broker::Settings;
use std::collections::BTreeMap;
use testkit::engine::{Engine, StorageStep};

/// Where a message is, and its history.
type Place = (usize, Vec<Death>);

impl World {
    /// One more thing happens, the power is cut while it does, and everything is looked at.
    pub fn crash(mut self) {
        self.rest();
        self.observe();
        let before = self.oracle.clone();
        self.oracle.placed.clear();
        let published = self.begin_something();
        for _ in 0..self.random.below(12) {
            if self.random.chance(50) {
                let shard = self.random.below(self.shards);
                self.engine.turn(shard);
            } else {
                let step = self.random.pick(&StorageStep::ALL);
                self.engine.storage_step(step).expect("the disk does not fail");
            }
        }
        let confirms = self.confirms();
        let confirmed: Vec<u32> = (self.next_tag + 1..)
            .zip(published)
            .filter(|(tag, _)| confirms.get(tag) == Some(&true))
            .map(|(_, message)| message)
            .collect();
        let found = self.cut_power();
        self.compare(&before, &confirmed, &found);
    }

    /// Begins something that moves messages; the numbers of those that are published.
    fn begin_something(&mut self) -> Vec<u32> {
        let held = self.held.iter().nth(self.random.below(self.held.len().max(1))).map(|(key, tag)| (*key, *tag));
        match (self.random.below(5), held) {
            (0 | 1, Some(((at, seq), delivery_tag))) => {
                self.oracle.reject(at, seq);
                let reject = basic::Reject { delivery_tag, requeue: false };
                self.taker.method(1 + at as u16, &Method::BasicReject(reject));
                Vec::new()
            }
            (2, Some(((at, seq), delivery_tag))) => {
                self.oracle.requeue(at, seq, Back::Reject);
                let reject = basic::Reject { delivery_tag, requeue: true };
                self.taker.method(1 + at as u16, &Method::BasicReject(reject));
                Vec::new()
            }
            (3, _) => {
                let until_ms = self.oracle.now_ms + 1500;
                while let Some(next_ms) = self.oracle.next_ms(until_ms) {
                    self.oracle.be_at(next_ms);
                }
                self.oracle.now_ms = until_ms;
                self.engine.advance_ms(1500);
                Vec::new()
            }
            _ => {
                let queues = [self.random.below(QUEUES)];
                let messages: Vec<Message> = (0..1 + self.random.below(5)).map(|_| self.message()).collect();
                self.oracle.publish(messages.clone(), &queues);
                messages.iter().for_each(|message| self.send(1, message, &queues));
                messages.iter().map(|message| message.id).collect()
            }
        }
    }

    /// Where each message is after the crash. The clock of the new run is behind, so that nothing expires.
    fn cut_power(&mut self) -> BTreeMap<u32, Vec<Place>> {
        let Kept::OnDisk { memory_bytes } = self.kept else { panic!("there is a disk") };
        self.disk = if self.random.chance(30) { self.disk.kill() } else { self.disk.crash(&mut self.faults) };
        let (disk, checkpoint, seed) = (self.disk.clone(), self.checkpoint.clone(), self.random.number());
        self.engine = Engine::durable(Settings::default(), self.shards, seed, disk, checkpoint, memory_bytes);
        self.rest();
        let mut reader = self.engine.connect_with_channel(0);
        let mut found: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
        for at in 0..QUEUES {
            loop {
                reader.method(1, &Method::BasicGet(basic::Get { queue: &name(at), no_ack: true }));
                self.rest();
                let arrival = reader.expect(1);
                if let Method::BasicGetEmpty(_) = arrival.method() {
                    break;
                }
                let (id, deaths) = message_of(&arrival);
                found.entry(id).or_default().push((at, deaths));
            }
        }
        found
    }

    fn compare(&self, before: &Oracle, confirmed: &[u32], found: &BTreeMap<u32, Vec<Place>>) {
        let in_queues = |oracle: &Oracle| -> Vec<(usize, Message)> {
            let of_queue = |at: usize| oracle.queues[at].persistent().cloned().map(move |message| (at, message));
            (0..QUEUES).flat_map(of_queue).collect()
        };
        let (before, after) = (in_queues(before), in_queues(&self.oracle));
        let mut places: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
        let mut may_go: BTreeMap<u32, bool> = BTreeMap::new();
        let placed = self.oracle.placed.iter().filter(|(_, message)| message.persistent).cloned();
        for (mut at, mut message) in before.iter().cloned().chain(placed) {
            loop {
                places.entry(message.id).or_default().push((at, message.deaths.clone()));
                // What comes back may be too much for the queue.
                *may_go.entry(message.id).or_default() |= self.oracle.queues[at].is_limited();
                let (dead, target) = self.oracle.dead_letter(at, &message, "maxlen");
                let Some(target) = target.filter(|_| self.oracle.queues[at].is_limited()) else { break };
                (at, message) = (target, dead);
            }
        }
        for (id, found) in found {
            let places = places.get(id).map(Vec::as_slice).unwrap_or_default();
            let astray = found.iter().find(|place| !places.contains(place));
            assert!(astray.is_none(), "{id} is at {astray:?}, and not at one of {places:?}");
            assert!(found.len() <= places.len(), "{id} is at {found:?}, of {places:?}");
        }
        for (_, message) in &after {
            let id = message.id;
            let is_safe = confirmed.contains(&id) || before.iter().any(|(_, before)| before.id == id);
            let may_go = may_go.get(&id).copied().unwrap_or(false);
            assert!(
                !is_safe || may_go || found.contains_key(&id),
                "{message:?} is lost; it was at {:?}",
                places.get(&id)
            );
        }
    }
}
