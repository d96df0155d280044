//! Who is next: consumers by priority, in turn, as far as their credit goes.
//!
//! Only consumers that can take a message stand in a turn ring, so that choosing one costs the same with one consumer
//! and with thousands that wait for acknowledgements. Where there is a single active consumer, only that one does.

mod seat;
#[cfg(test)]
mod tests;

use seat::Seat;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Names a consumer of one queue; never names another one later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConsumerKey {
    slot: u32,
    generation: u32,
}

/// Asked before a message is assigned: things outside the queue that keep a consumer from taking more, such as a full
/// socket or a prefetch limit shared by a channel.
pub trait Gate<C> {
    /// May `consumer` take one more message? A refusal takes it out of turn until [`Consumers::ungate`].
    fn admits(&mut self, consumer: &C, key: ConsumerKey) -> bool;
}

/// Where a consumer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// In the ring of its priority.
    InTurn,
    /// Its prefetch limit is used up.
    Exhausted,
    /// The gate refused.
    Gated,
    /// Another one is the single active consumer.
    Waiting,
}

/// What a consumer does, in RabbitMQ's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activity {
    /// Takes messages in turn with others.
    Up,
    /// Cannot take one for now.
    Blocked,
    /// Is the single active consumer.
    SingleActive,
    /// Waits to become that.
    Waiting,
}

impl Activity {
    /// RabbitMQ's name for it, in lists of consumers.
    pub fn name(self) -> &'static str {
        match self {
            Activity::Up => "up",
            Activity::Blocked => "blocked",
            Activity::SingleActive => "single_active",
            Activity::Waiting => "waiting",
        }
    }

    /// True when messages are meant for it.
    pub fn is_active(self) -> bool {
        self != Activity::Waiting
    }
}

/// Where to see what a consumer does, without what guards its queue.
#[derive(Clone, Debug, Default)]
pub struct ActivityWatch(Arc<AtomicU8>);

impl ActivityWatch {
    /// What it does now, or did when it was removed.
    pub fn activity(&self) -> Activity {
        match self.0.load(Ordering::Relaxed) {
            word if word == Activity::Blocked as u8 => Activity::Blocked,
            word if word == Activity::SingleActive as u8 => Activity::SingleActive,
            word if word == Activity::Waiting as u8 => Activity::Waiting,
            _ => Activity::Up,
        }
    }

    #[inline]
    fn tell(&self, activity: Activity) {
        self.0.store(activity as u8, Ordering::Relaxed);
    }
}

struct Slot<C> {
    generation: u32,
    state: Option<Consumer<C>>,
}

struct Consumer<C> {
    handle: C,
    priority: i32,
    /// Messages that it may still take; [`u32::MAX`] without a limit.
    credit: u32,
    standing: Standing,
    watch: ActivityWatch,
}

impl<C> Consumer<C> {
    /// Changes where it stands; in a queue with a `seat` one consumer at a time is active.
    #[inline]
    fn stand(&mut self, standing: Standing, has_seat: bool) {
        self.standing = standing;
        self.watch.tell(activity(standing, has_seat));
    }
}

fn activity(standing: Standing, has_seat: bool) -> Activity {
    match (standing, has_seat) {
        (Standing::Waiting, _) => Activity::Waiting,
        (_, true) => Activity::SingleActive,
        (Standing::InTurn, false) => Activity::Up,
        (Standing::Exhausted | Standing::Gated, false) => Activity::Blocked,
    }
}

struct Ring {
    priority: i32,
    turn: VecDeque<u32>,
    members: usize,
}

/// The consumers of a queue.
pub struct Consumers<C> {
    slots: Vec<Slot<C>>,
    free: Vec<u32>,
    /// By priority, highest first.
    rings: Vec<Ring>,
    gated: usize,
    /// Who is the single active consumer, on queues that have one.
    seat: Option<Box<Seat>>,
}

impl<C> Default for Consumers<C> {
    fn default() -> Self {
        Consumers { slots: Vec::new(), free: Vec::new(), rings: Vec::new(), gated: 0, seat: None }
    }
}

impl<C> Consumers<C> {
    /// Number of consumers.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// True without consumers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when a consumer has credit, be it in turn or held up by the gate.
    pub fn want_messages(&self) -> bool {
        self.gated > 0 || self.rings.iter().any(|ring| !ring.turn.is_empty())
    }

    /// Adds a consumer at the end of its priority's turn. A `limit` of 0 means no limit.
    ///
    /// Where there is a single active consumer it becomes that if there is none, and waits otherwise, whatever its
    /// priority, as on RabbitMQ's classic queues.
    pub fn add(&mut self, handle: C, priority: i32, limit: u32) -> ConsumerKey {
        let credit = if limit == 0 { u32::MAX } else { limit };
        let consumer =
            Consumer { handle, priority, credit, standing: Standing::InTurn, watch: ActivityWatch::default() };
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot { generation: 0, state: None });
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize].state = Some(consumer);
        self.place(slot);
        ConsumerKey { slot, generation: self.slots[slot as usize].generation }
    }

    /// Gives a consumer that stands nowhere its place.
    fn place(&mut self, slot: u32) {
        let Some(consumer) = &mut self.slots[slot as usize].state else { return };
        if let Some(seat) = &mut self.seat
            && !seat.take(slot)
        {
            seat.wait(consumer.priority, slot);
            consumer.stand(Standing::Waiting, true);
            return;
        }
        self.enter_ring(slot);
    }

    fn enter_ring(&mut self, slot: u32) {
        let has_seat = self.seat.is_some();
        let Some(consumer) = &mut self.slots[slot as usize].state else { return };
        let priority = consumer.priority;
        consumer.stand(if consumer.credit == 0 { Standing::Exhausted } else { Standing::InTurn }, has_seat);
        let is_in_turn = consumer.standing == Standing::InTurn;
        let at = match self.rings.binary_search_by(|ring| priority.cmp(&ring.priority)) {
            Ok(at) => at,
            Err(at) => {
                self.rings.insert(at, Ring { priority, turn: VecDeque::new(), members: 0 });
                at
            }
        };
        self.rings[at].members += 1;
        if is_in_turn {
            self.rings[at].turn.push_back(slot);
        }
    }

    /// Removes a consumer; `None` when it has been removed before.
    ///
    /// When it was the single active consumer nobody is, and nobody gets messages, until [`Consumers::activate_next`]:
    /// what comes back from the one has to be there before the next begins.
    pub fn remove(&mut self, key: ConsumerKey) -> Option<C> {
        let place = self.slots.get_mut(key.slot as usize).filter(|place| place.generation == key.generation)?;
        let consumer = place.state.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.slot);
        if let Some(seat) = &mut self.seat {
            seat.leave(consumer.priority, key.slot);
        }
        match consumer.standing {
            Standing::Waiting => return Some(consumer.handle),
            Standing::Gated => self.gated -= 1,
            Standing::InTurn | Standing::Exhausted => {}
        }
        if let Ok(at) = self.rings.binary_search_by(|ring| consumer.priority.cmp(&ring.priority)) {
            let ring = &mut self.rings[at];
            ring.members -= 1;
            if consumer.standing == Standing::InTurn {
                ring.turn.retain(|slot| *slot != key.slot);
            }
            if ring.members == 0 {
                self.rings.remove(at);
            }
        }
        Some(consumer.handle)
    }

    /// Has one consumer at a time get messages, or no longer.
    pub fn set_single_active(&mut self, on: bool) {
        if on == self.seat.is_some() {
            return;
        }
        let occupied = |(slot, place): (usize, &Slot<C>)| Some((Reverse(place.state.as_ref()?.priority), slot as u32));
        let mut slots: Vec<(Reverse<i32>, u32)> = self.slots.iter().enumerate().filter_map(occupied).collect();
        slots.sort_unstable();
        self.rings.clear();
        self.gated = 0;
        self.seat = on.then(Box::default);
        slots.into_iter().for_each(|(_, slot)| self.place(slot));
    }

    /// True when one consumer at a time gets messages.
    pub fn has_single_active(&self) -> bool {
        self.seat.is_some()
    }

    /// After the single active consumer was removed: makes the next the one, which is of those with the highest priority
    /// the one that has waited longest. True when somebody waited.
    pub fn activate_next(&mut self) -> bool {
        let Some(next) = self.seat.as_mut().and_then(|seat| seat.pass_on()) else { return false };
        self.enter_ring(next);
        true
    }

    /// The single active consumer.
    pub fn single_active(&self) -> Option<ConsumerKey> {
        let slot = self.seat.as_ref()?.holder()?;
        Some(ConsumerKey { slot, generation: self.slots.get(slot as usize)?.generation })
    }

    /// What a consumer does; `None` when it has been removed.
    pub fn activity(&self, key: ConsumerKey) -> Option<Activity> {
        Some(activity(self.consumer(key)?.standing, self.seat.is_some()))
    }

    /// Where to see what a consumer does; `None` when it has been removed.
    pub fn watch(&self, key: ConsumerKey) -> Option<ActivityWatch> {
        Some(self.consumer(key)?.watch.clone())
    }

    /// The handle of a consumer.
    #[inline]
    pub fn handle(&self, key: ConsumerKey) -> Option<&C> {
        self.consumer(key).map(|consumer| &consumer.handle)
    }

    /// True when a consumer may take a message as far as its prefetch limit goes.
    pub fn has_credit(&self, key: ConsumerKey) -> bool {
        self.consumer(key).is_some_and(|consumer| consumer.credit > 0)
    }

    /// All consumers with their keys, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (ConsumerKey, &C)> {
        self.slots.iter().enumerate().filter_map(|(slot, place)| {
            let key = ConsumerKey { slot: slot as u32, generation: place.generation };
            place.state.as_ref().map(|consumer| (key, &consumer.handle))
        })
    }

    /// Assigns one message: the consumer whose turn it is, of the highest priority that has one.
    #[inline]
    pub fn next(&mut self, gate: &mut impl Gate<C>) -> Option<ConsumerKey> {
        let mut at = 0;
        while let Some(ring) = self.rings.get_mut(at) {
            let Some(slot) = ring.turn.pop_front() else {
                at += 1;
                continue;
            };
            let place = &mut self.slots[slot as usize];
            let key = ConsumerKey { slot, generation: place.generation };
            let Some(consumer) = &mut place.state else {
                debug_assert!(false, "a consumer that left stands in no ring");
                continue;
            };
            if !gate.admits(&consumer.handle, key) {
                consumer.stand(Standing::Gated, self.seat.is_some());
                self.gated += 1;
                continue;
            }
            if consumer.credit != u32::MAX {
                consumer.credit -= 1;
            }
            if consumer.credit == 0 {
                consumer.stand(Standing::Exhausted, self.seat.is_some());
            } else {
                ring.turn.push_back(slot);
            }
            return Some(key);
        }
        None
    }

    /// Gives back the credit of `count` messages that were acknowledged, returned or never delivered.
    ///
    /// Returns true when the consumer can take messages again that it could not before.
    #[inline]
    pub fn credit(&mut self, key: ConsumerKey, count: u32) -> bool {
        let Some(consumer) = self.consumer_mut(key) else { return false };
        if consumer.credit != u32::MAX {
            consumer.credit = consumer.credit.saturating_add(count).min(u32::MAX - 1);
        }
        if consumer.standing != Standing::Exhausted || consumer.credit == 0 {
            return false;
        }
        self.back_in_turn(key)
    }

    /// Puts a consumer back in turn that the gate had refused; true when it was gated.
    pub fn ungate(&mut self, key: ConsumerKey) -> bool {
        if self.consumer(key).is_none_or(|consumer| consumer.standing != Standing::Gated) {
            return false;
        }
        self.gated -= 1;
        self.back_in_turn(key)
    }

    fn back_in_turn(&mut self, key: ConsumerKey) -> bool {
        let has_seat = self.seat.is_some();
        let Some(consumer) = self.consumer_mut(key) else { return false };
        consumer.stand(Standing::InTurn, has_seat);
        let priority = consumer.priority;
        if let Ok(at) = self.rings.binary_search_by(|ring| priority.cmp(&ring.priority)) {
            self.rings[at].turn.push_back(key.slot);
        }
        true
    }

    #[inline]
    fn consumer(&self, key: ConsumerKey) -> Option<&Consumer<C>> {
        let place = self.slots.get(key.slot as usize)?;
        place.state.as_ref().filter(|_| place.generation == key.generation)
    }

    #[inline]
    fn consumer_mut(&mut self, key: ConsumerKey) -> Option<&mut Consumer<C>> {
        let place = self.slots.get_mut(key.slot as usize)?;
        place.state.as_mut().filter(|_| place.generation == key.generation)
    }
}
