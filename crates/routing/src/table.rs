//! The bindings of one exchange.

use std::hash::{BuildHasher, Hash, Hasher};

use amqp::field::{FieldTable, TableRef};
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::ExchangeType;
use crate::binding::{Binding, BindingRef, hash_table, normalised};
use crate::destinations::Destinations;
use crate::headers::{BindError, Rules, validate};
use crate::keys::{Keys, Target};
use crate::ring::{HashKey, Ring, weight};
use crate::scratch::{Marks, Scratch};
use crate::slab::{NONE, Slab};
use crate::topic::{Trie, is_wildcard};

/// The bindings of one exchange, by routing key and by destination.
///
/// A binding is a destination, a key and arguments; a second one with all three equal is the same binding.
#[derive(Debug)]
pub struct BindingTable<D> {
    exchange_type: ExchangeType,
    bindings: Slab<Binding>,
    /// Bindings by what makes them the same.
    identities: HashTable<u32>,
    keys: Keys<D>,
    destinations: Destinations<D>,
    index: Index<D>,
    /// What a binding without arguments shows.
    no_arguments: FieldTable,
    hasher: RandomState,
}

/// What an exchange type needs besides the keys and destinations.
#[derive(Debug)]
enum Index<D> {
    Direct,
    Fanout,
    /// The wildcard keys; the others are found as they stand.
    Topic(Trie),
    Headers(Rules),
    ConsistentHash(Ring<D>),
}

impl<D: Copy + Eq + Hash> BindingTable<D> {
    /// A table without bindings.
    pub fn new(exchange_type: ExchangeType) -> BindingTable<D> {
        BindingTable {
            exchange_type,
            bindings: Slab::new(),
            identities: HashTable::new(),
            keys: Keys::new(),
            destinations: Destinations::new(exchange_type == ExchangeType::Fanout),
            index: match exchange_type {
                ExchangeType::Direct => Index::Direct,
                ExchangeType::Fanout => Index::Fanout,
                ExchangeType::Topic => Index::Topic(Trie::new()),
                ExchangeType::Headers => Index::Headers(Rules::new()),
                ExchangeType::ConsistentHash => Index::ConsistentHash(Ring::new()),
            },
            no_arguments: FieldTable::new(),
            hasher: RandomState::default(),
        }
    }

    /// The type that decides how [`BindingTable::route`] chooses.
    pub fn exchange_type(&self) -> ExchangeType {
        self.exchange_type
    }

    /// Adds a binding; true when it is new. Fails where [`validate`] does.
    pub fn bind(&mut self, routing_key: &str, arguments: &FieldTable, destination: D) -> Result<bool, BindError> {
        validate(self.exchange_type, routing_key, arguments)?;
        let arguments = normalised(arguments);
        if self.find(routing_key, arguments.as_ref(), destination).is_some() {
            return Ok(false);
        }
        self.insert(routing_key, arguments.map(Box::new), destination);
        Ok(true)
    }

    /// Removes a binding; true when there was one.
    pub fn unbind(&mut self, routing_key: &str, arguments: &FieldTable, destination: D) -> bool {
        let arguments = normalised(arguments);
        let Some(id) = self.find(routing_key, arguments.as_ref(), destination) else { return false };
        self.remove(id);
        self.shrink();
        true
    }

    /// Removes every binding that leads to `destination` and returns how many there were.
    ///
    /// The time goes with that number, not with the size of the table.
    pub fn remove_destination(&mut self, destination: D) -> usize {
        let mut removed = 0;
        let mut next = self.first_binding_of(destination);
        while next != NONE {
            let id = next;
            next = self.bindings[id].next;
            self.remove(id);
            removed += 1;
        }
        self.shrink();
        removed
    }

    /// Appends the destinations of a message, each once whatever the number of bindings that match; what `out` holds
    /// already is neither looked at nor removed. Allocates nothing else once the thread's scratch space has grown,
    /// unless a message with more than 16 headers meets a headers exchange.
    pub fn route(&self, routing_key: &[u8], headers: Option<TableRef<'_>>, out: &mut Vec<D>) {
        match &self.index {
            Index::Direct => self.route_direct(routing_key, out),
            Index::Fanout => out.extend_from_slice(self.destinations.every()),
            Index::Topic(trie) => self.route_topic(trie, routing_key, out),
            Index::Headers(rules) => self.route_headers(rules, headers, out),
            Index::ConsistentHash(ring) => out.extend(ring.find(HashKey::Text(routing_key))),
        }
    }

    /// The same for what a consistent hash exchange hashes; any other type has nothing for it.
    pub fn route_hashed(&self, key: HashKey<'_>, out: &mut Vec<D>) {
        if let Index::ConsistentHash(ring) = &self.index {
            out.extend(ring.find(key));
        }
    }

    /// What tells the place of the newest binding in the order of all: [`BindingTable::bind`] in the same order, each
    /// followed by [`BindingTable::continue_after`], makes the same table again. 0 where the order does not matter.
    pub fn newest_order(&self) -> u64 {
        if let Index::ConsistentHash(ring) = &self.index { ring.newest_order() } else { 0 }
    }

    /// Makes bindings from now on come after `order`.
    pub fn continue_after(&mut self, order: u64) {
        if let Index::ConsistentHash(ring) = &mut self.index {
            ring.continue_after(order);
        }
    }

    /// All bindings, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = BindingRef<'_, D>> {
        self.bindings.iter().map(|(_, binding)| self.show(binding))
    }

    /// The bindings that lead to `destination`, the newest first.
    pub fn bindings_of(&self, destination: D) -> impl Iterator<Item = BindingRef<'_, D>> {
        let mut next = self.first_binding_of(destination);
        std::iter::from_fn(move || {
            let binding = (next != NONE).then(|| &self.bindings[next])?;
            next = binding.next;
            Some(self.show(binding))
        })
    }

    /// Number of bindings.
    pub fn len(&self) -> usize {
        self.bindings.len()
    }

    /// True without bindings.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn route_direct(&self, routing_key: &[u8], out: &mut Vec<D>) {
        if let Some(key) = self.keys.find(routing_key) {
            Scratch::with(|scratch| self.give(&[key], &mut scratch.given, out));
        }
    }

    fn route_topic(&self, trie: &Trie, routing_key: &[u8], out: &mut Vec<D>) {
        Scratch::with(|scratch| {
            trie.find(routing_key, scratch);
            // A wildcard key may be spelled like the routing key itself: the trie has found it then.
            if let Some(key) = self.keys.find(routing_key).filter(|key| self.keys.key(*key).node == NONE) {
                scratch.matched.push(key);
            }
            self.give(&scratch.matched, &mut scratch.given, out);
        });
    }

    fn route_headers(&self, rules: &Rules, headers: Option<TableRef<'_>>, out: &mut Vec<D>) {
        Scratch::with(|scratch| {
            scratch.given.clear(self.destinations.ids());
            let arguments = |id: u32| self.arguments(&self.bindings[id]);
            rules.find(headers, arguments, |id| {
                let destination = self.bindings[id].destination;
                if scratch.given.insert(destination) {
                    out.push(self.destinations.destination(destination).destination);
                }
            });
        });
    }

    /// Appends the targets of the matched keys, each destination once.
    fn give(&self, matched: &[u32], given: &mut Marks, out: &mut Vec<D>) {
        match matched {
            [] => {}
            [key] if self.keys.key(*key).with_arguments == 0 => {
                out.extend(self.keys.key(*key).targets.iter().map(|target| target.destination));
            }
            keys => {
                given.clear(self.destinations.ids());
                let targets = keys.iter().flat_map(|key| &self.keys.key(*key).targets);
                out.extend(
                    targets.filter(|target| given.insert(target.destination_id)).map(|target| target.destination),
                );
            }
        }
    }

    fn first_binding_of(&self, destination: D) -> u32 {
        self.destinations.find(destination).map_or(NONE, |id| self.destinations.destination(id).first)
    }

    fn arguments<'a>(&'a self, binding: &'a Binding) -> &'a FieldTable {
        binding.arguments.as_deref().unwrap_or(&self.no_arguments)
    }

    fn show<'a>(&'a self, binding: &'a Binding) -> BindingRef<'a, D> {
        BindingRef {
            routing_key: &self.keys.key(binding.key).text,
            arguments: self.arguments(binding),
            destination: self.destinations.destination(binding.destination).destination,
        }
    }

    /// The binding with this identity; the arguments are normalised.
    fn find(&self, routing_key: &str, arguments: Option<&FieldTable>, destination: D) -> Option<u32> {
        let key = self.keys.find(routing_key.as_bytes())?;
        let destination = self.destinations.find(destination)?;
        let hash = identity(&self.hasher, key, destination, arguments);
        self.identities.find(hash, |id| self.bindings[*id].is(key, destination, arguments)).copied()
    }

    /// Adds a binding that [`BindingTable::find`] does not know; the arguments are normalised.
    fn insert(&mut self, routing_key: &str, arguments: Option<Box<FieldTable>>, destination: D) {
        let key = self.key_for(routing_key);
        let owner = self.destinations.find(destination).unwrap_or_else(|| self.destinations.insert(destination));
        let hash = identity(&self.hasher, key, owner, arguments.as_deref());
        let id = self.bindings.insert(Binding::new(key, owner, arguments));
        let BindingTable { bindings, identities, hasher, .. } = self;
        identities.insert_unique(hash, id, |id| {
            let binding = &bindings[*id];
            identity(hasher, binding.key, binding.destination, binding.arguments.as_deref())
        });
        self.link(id, destination);
    }

    /// The id of a binding key, which is added when it is new.
    fn key_for(&mut self, text: &str) -> u32 {
        if let Some(key) = self.keys.find(text.as_bytes()) {
            return key;
        }
        let key = self.keys.insert(text);
        if let Index::Topic(trie) = &mut self.index
            && is_wildcard(text.as_bytes())
        {
            self.keys.key_mut(key).node = trie.insert(text.as_bytes(), key);
        }
        key
    }

    /// Makes a new binding known to its key, its destination and the headers rules.
    fn link(&mut self, id: u32, destination: D) {
        let binding = &mut self.bindings[id];
        let key = self.keys.key_mut(binding.key);
        binding.position = key.targets.len() as u32;
        key.targets.push(Target { destination, destination_id: binding.destination, binding: id });
        key.with_arguments += u32::from(binding.arguments.is_some());

        let owner = self.destinations.destination_mut(binding.destination);
        let next = std::mem::replace(&mut owner.first, id);
        binding.next = next;
        match &mut self.index {
            Index::Headers(rules) => rules.insert(id, binding.arguments.as_deref().unwrap_or(&self.no_arguments)),
            // The key has been checked; a table is moved with its ring, so that this is a new binding.
            Index::ConsistentHash(ring) => {
                ring.insert(destination, weight(&self.keys.key(binding.key).text).unwrap_or(1));
            }
            Index::Direct | Index::Fanout | Index::Topic(_) => {}
        }
        if next != NONE {
            self.bindings[next].previous = id;
        }
    }

    /// Removes a binding from everything that knows it, and its key and destination with their last one.
    fn remove(&mut self, id: u32) {
        let hash = {
            let binding = &self.bindings[id];
            identity(&self.hasher, binding.key, binding.destination, binding.arguments.as_deref())
        };
        if let Ok(entry) = self.identities.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
        match &mut self.index {
            Index::Headers(rules) => rules.remove(id),
            Index::ConsistentHash(ring) => {
                ring.remove(self.destinations.destination(self.bindings[id].destination).destination);
            }
            Index::Direct | Index::Fanout | Index::Topic(_) => {}
        }
        let Some(binding) = self.bindings.remove(id) else { return };
        self.unlink_from_destination(&binding);
        self.unlink_from_key(&binding);
    }

    fn unlink_from_destination(&mut self, binding: &Binding) {
        if binding.next != NONE {
            self.bindings[binding.next].previous = binding.previous;
        }
        if binding.previous != NONE {
            self.bindings[binding.previous].next = binding.next;
        } else if binding.next != NONE {
            self.destinations.destination_mut(binding.destination).first = binding.next;
        } else {
            self.destinations.remove(binding.destination);
        }
    }

    fn unlink_from_key(&mut self, binding: &Binding) {
        let key = self.keys.key_mut(binding.key);
        key.targets.swap_remove(binding.position as usize);
        key.with_arguments -= u32::from(binding.arguments.is_some());
        if let Some(moved) = key.targets.get(binding.position as usize) {
            self.bindings[moved.binding].position = binding.position;
        }
        if !key.targets.is_empty() {
            return;
        }
        if let Index::Topic(trie) = &mut self.index
            && key.node != NONE
        {
            trie.remove(key.text.as_bytes(), key.node);
        }
        self.keys.remove(binding.key);
    }

    /// Moves what is left to a fresh table once it uses less than an eighth of its slots, so that a wave of bindings
    /// does not keep its memory; each binding that went has paid for a seventh of one that is moved.
    fn shrink(&mut self) {
        if self.bindings.slots() < SHRINK_FROM || self.bindings.len() * 8 >= self.bindings.slots() {
            return;
        }
        let mut fresh = BindingTable::new(self.exchange_type);
        for (_, binding) in self.bindings.iter() {
            let shown = self.show(binding);
            fresh.insert(shown.routing_key, binding.arguments.clone(), shown.destination);
        }
        if let Index::ConsistentHash(_) = &self.index {
            // Its order is that of the bindings' coming, which the slots do not tell.
            std::mem::swap(&mut fresh.index, &mut self.index);
        }
        *self = fresh;
    }
}

/// Tables that never had more bindings than this keep their slots.
const SHRINK_FROM: usize = 1024;

fn identity(hasher: &RandomState, key: u32, destination: u32, arguments: Option<&FieldTable>) -> u64 {
    let mut state = hasher.build_hasher();
    state.write_u64(u64::from(key) << 32 | u64::from(destination));
    if let Some(arguments) = arguments {
        hash_table(arguments, &mut state);
    }
    state.finish()
}
