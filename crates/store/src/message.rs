//! The canonical record of a message.
//!
//! ```text
//! offset  bytes  what
//!      0      1  version (1)
//!      1      1  source protocol (1 = AMQP 0-9-1)
//!      2      1  flags: bit 0 persistent, bit 1 the body is kept in slices of its own, bit 2 the message is a dead
//!               letter, bit 3 its routing key was replaced, bit 4 there are hidden keys
//!      3      1  zero
//!      4      2  length of the names, little-endian
//!      6      2  bits 32 to 47 of the time
//!      8      4  length of the content header, little-endian
//!     12      4  bits 0 to 31 of the time at which the message was stored, in ms since 1970; 0 = not known
//!     16      8  length of the body, little-endian
//!     24         names (exchange and routing key, each a byte of length and its bytes; behind them hidden keys, each two
//!                bytes of length, little-endian, and its bytes), content header payload, body (unless in slices of its
//!                own)
//! ```

use crate::arena::{Arena, LARGEST_SLICE, Slice};
use std::sync::Arc;

const VERSION: u8 = 1;
const FIXED: usize = 24;
const PERSISTENT: u8 = 1;
const DETACHED_BODY: u8 = 2;
const DEAD_LETTER: u8 = 4;
const KEY_REPLACED: u8 = 8;
const HIDDEN_KEYS: u8 = 16;
/// What is known of a message whatever its parts are, and stays when they are rewritten.
const HISTORY: u8 = DEAD_LETTER | KEY_REPLACED;

/// Bytes of hidden keys that are kept, so that a record fits a slice.
const MOST_HIDDEN: usize = 32 << 10;

/// Bodies up to this length are stored right behind their header.
const INLINE_BODY: usize = LARGEST_SLICE / 4;

/// The protocol that a message was published with, which says how its content header is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Protocol {
    /// AMQP 0-9-1: the content header frame's payload as it was received.
    Amqp091 = 1,
}

/// What a record is made of, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct MessageParts<'a> {
    /// Name of the exchange that the message was published to, and the routing key: two short strings in wire form, as
    /// they stand in basic.publish and in basic.deliver.
    pub names: &'a [u8],
    /// Payload of the content header: class, weight, body size, property flags and properties.
    pub header: &'a [u8],
    /// True for delivery mode 2.
    pub persistent: bool,
    /// When it entered its queue, in ms since 1970, below 2^48; 0 = not known.
    pub entered_ms: u64,
}

impl<'a> MessageParts<'a> {
    /// Name of the exchange.
    pub fn exchange(&self) -> &'a [u8] {
        self.split_names().0
    }

    /// The routing key.
    pub fn routing_key(&self) -> &'a [u8] {
        self.split_names().1
    }

    /// True when the names are two short strings and nothing else.
    fn split_names_exactly(&self) -> bool {
        let (exchange, routing_key) = self.split_names();
        self.names.len() == exchange.len() + routing_key.len() + 2
    }

    fn split_names(&self) -> (&'a [u8], &'a [u8]) {
        let take = |bytes: &'a [u8]| -> Option<(&'a [u8], &'a [u8])> {
            let (len, rest) = bytes.split_first()?;
            rest.split_at_checked(usize::from(*len))
        };
        let (exchange, rest) = take(self.names).unwrap_or_default();
        (exchange, take(rest).unwrap_or_default().0)
    }
}

/// Exchange and routing key in wire form, for messages that did not arrive in it.
///
/// # Panics
/// When one is longer than 255 bytes, which no name is.
pub fn names(exchange: &[u8], routing_key: &[u8]) -> Vec<u8> {
    assert!(exchange.len() <= 255 && routing_key.len() <= 255, "names are short strings");
    [&[exchange.len() as u8], exchange, &[routing_key.len() as u8], routing_key].concat()
}

/// Bytes of a stored record up to its body, from its first bytes; `None` when they are not those of a record.
pub fn stored_head_len(stored: &[u8]) -> Option<usize> {
    let fixed = stored.first_chunk::<FIXED>()?;
    let known = fixed[0] == VERSION && fixed[1] == Protocol::Amqp091 as u8;
    let names = usize::from(u16::from_le_bytes([fixed[4], fixed[5]]));
    let header = u32::from_le_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]) as usize;
    let head = FIXED + names + header;
    (known && head <= LARGEST_SLICE).then_some(head)
}

/// A message in memory: a handle of 24 bytes, cheap to clone.
#[derive(Clone, Debug)]
pub struct Message {
    record: Slice,
    body: Option<Arc<[Slice]>>,
}

/// A message's body as it lies in memory.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// In one piece.
    Whole(&'a [u8]),
    /// In several, in order.
    Pieces(&'a [Slice]),
}

impl Message {
    /// Stores a message whose body is in one piece.
    #[inline]
    pub fn store(arena: &mut Arena, parts: MessageParts<'_>, body: &[u8]) -> Message {
        if body.len() <= INLINE_BODY {
            return Message::store_inline(arena, parts, body, 0);
        }
        let pieces = body.chunks(LARGEST_SLICE).map(|piece| arena.append([piece])).collect();
        Message::assemble(arena, parts, pieces)
    }

    /// Stores a message whose body has already been appended to an arena, piece by piece.
    pub fn assemble(arena: &mut Arena, parts: MessageParts<'_>, pieces: Vec<Slice>) -> Message {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        if len <= INLINE_BODY {
            let whole = pieces.iter().fold(Vec::with_capacity(len), |mut whole, piece| {
                whole.extend_from_slice(piece);
                whole
            });
            return Message::store(arena, parts, &whole);
        }
        Message { record: Message::record(arena, parts, len, &[], DETACHED_BODY), body: Some(pieces.into()) }
    }

    #[inline]
    fn store_inline(arena: &mut Arena, parts: MessageParts<'_>, body: &[u8], flags: u8) -> Message {
        Message { record: Message::record(arena, parts, body.len(), body, flags), body: None }
    }

    /// The same body under another exchange, routing key and header; what is known of its history and its hidden keys
    /// stay. Bodies of more than 64 KiB are shared, smaller ones copied.
    pub fn rewrite(&self, arena: &mut Arena, parts: MessageParts<'_>) -> Message {
        self.rewrite_with(arena, parts, self.record[2] & HISTORY, self.hidden())
    }

    /// The same body as a message of its own, without a history. Bodies of more than 64 KiB are shared, smaller ones
    /// copied.
    pub fn copy_as(&self, arena: &mut Arena, parts: MessageParts<'_>) -> Message {
        self.rewrite_with(arena, parts, 0, &[])
    }

    /// The same message with further routing keys that no consumer sees, those of the BCC header: a dead letter goes by
    /// them too. At most 32 KiB of them are kept.
    pub fn with_hidden_keys<'a>(&self, arena: &mut Arena, keys: impl Iterator<Item = &'a [u8]>) -> Message {
        let mut hidden = Vec::new();
        for key in keys.filter(|key| key.len() <= MOST_HIDDEN) {
            if hidden.len() + key.len() + 2 <= MOST_HIDDEN {
                hidden.extend_from_slice(&(key.len() as u16).to_le_bytes());
                hidden.extend_from_slice(key);
            }
        }
        self.rewrite_with(arena, self.parts(), self.record[2] & HISTORY, &hidden)
    }

    /// [Rewritten](Message::rewrite) as a dead letter, whose routing key is another than it was published with when
    /// `replaces_key`; then its hidden keys are gone too.
    pub fn dead_letter(&self, arena: &mut Arena, parts: MessageParts<'_>, replaces_key: bool) -> Message {
        let replaced = if replaces_key { KEY_REPLACED } else { self.record[2] & KEY_REPLACED };
        let hidden = if replaces_key { &[] } else { self.hidden() };
        self.rewrite_with(arena, parts, DEAD_LETTER | replaced, hidden)
    }

    fn rewrite_with(&self, arena: &mut Arena, parts: MessageParts<'_>, history: u8, hidden: &[u8]) -> Message {
        if !hidden.is_empty() {
            let names = [parts.names, hidden].concat();
            return self.rewrite_with(arena, MessageParts { names: &names, ..parts }, history | HIDDEN_KEYS, &[]);
        }
        match &self.body {
            None => Message::store_inline(arena, parts, self.inline_body(), history),
            Some(pieces) => {
                let record = Message::record(arena, parts, self.body_len(), &[], DETACHED_BODY | history);
                Message { record, body: Some(pieces.clone()) }
            }
        }
    }

    #[inline]
    fn record(arena: &mut Arena, parts: MessageParts<'_>, body_len: usize, inline: &[u8], flags: u8) -> Slice {
        debug_assert!(parts.names.len() <= 512 + MOST_HIDDEN, "names are two short strings and what is hidden");
        let mut fixed = [0; FIXED];
        fixed[0] = VERSION;
        fixed[1] = Protocol::Amqp091 as u8;
        fixed[2] = flags | if parts.persistent { PERSISTENT } else { 0 };
        fixed[4..6].copy_from_slice(&(parts.names.len() as u16).to_le_bytes());
        fixed[6..8].copy_from_slice(&((parts.entered_ms >> 32) as u16).to_le_bytes());
        fixed[8..12].copy_from_slice(&(parts.header.len() as u32).to_le_bytes());
        fixed[12..16].copy_from_slice(&(parts.entered_ms as u32).to_le_bytes());
        fixed[16..24].copy_from_slice(&(body_len as u64).to_le_bytes());
        arena.append([&fixed, parts.names, parts.header, inline])
    }

    /// Everything but the body.
    #[inline]
    pub fn parts(&self) -> MessageParts<'_> {
        let (mut names, rest) = self.record[FIXED..].split_at(self.names_len());
        let header = &rest[..self.header_len()];
        if self.record[2] & HIDDEN_KEYS != 0 {
            names = self.without_hidden(names);
        }
        MessageParts { names, header, persistent: self.is_persistent(), entered_ms: self.entered_ms() }
    }

    #[cold]
    fn without_hidden<'a>(&self, names: &'a [u8]) -> &'a [u8] {
        &names[..names.len() - self.hidden().len()]
    }

    /// What stands behind exchange and routing key.
    fn hidden(&self) -> &[u8] {
        if self.record[2] & HIDDEN_KEYS == 0 {
            return &[];
        }
        let names = &self.record[FIXED..FIXED + self.names_len()];
        let exchange = usize::from(names.first().copied().unwrap_or(0)) + 1;
        let key = usize::from(names.get(exchange).copied().unwrap_or(0)) + 1;
        names.get(exchange + key..).unwrap_or_default()
    }

    /// Routing keys that no consumer sees, in their order.
    pub fn hidden_keys(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.hidden();
        std::iter::from_fn(move || {
            let (len, behind) = rest.split_first_chunk::<2>()?;
            let (key, behind) = behind.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
            rest = behind;
            Some(key)
        })
    }

    #[inline]
    fn names_len(&self) -> usize {
        usize::from(u16::from_le_bytes([self.record[4], self.record[5]]))
    }

    #[inline]
    fn header_len(&self) -> usize {
        u32::from_le_bytes([self.record[8], self.record[9], self.record[10], self.record[11]]) as usize
    }

    #[inline]
    fn inline_body(&self) -> &[u8] {
        let start = FIXED + self.names_len() + self.header_len();
        &self.record[start..]
    }

    /// The body.
    #[inline]
    pub fn body(&self) -> Body<'_> {
        match &self.body {
            None => Body::Whole(self.inline_body()),
            Some(pieces) => Body::Pieces(pieces),
        }
    }

    /// The body's bytes as shared slices, for output that refers to them instead of copying.
    pub fn body_slices(&self) -> impl Iterator<Item = Slice> + '_ {
        let whole = match &self.body {
            None => Some(self.record.part(self.record.len() - self.body_len()..self.record.len())),
            Some(_) => None,
        };
        whole.into_iter().chain(self.body.iter().flat_map(|pieces| pieces.iter().cloned()))
    }

    /// Bytes of the body.
    #[inline]
    pub fn body_len(&self) -> usize {
        let mut len = [0; 8];
        len.copy_from_slice(&self.record[16..24]);
        u64::from_le_bytes(len) as usize
    }

    /// True for delivery mode 2.
    #[inline]
    pub fn is_persistent(&self) -> bool {
        self.record[2] & PERSISTENT != 0
    }

    /// True when this broker dead-lettered it, so that the x-death header is its own and no publisher's.
    pub fn is_dead_letter(&self) -> bool {
        self.record[2] & DEAD_LETTER != 0
    }

    /// True when dead-lettering gave it another routing key than it was published with, so that the keys of its CC
    /// header are none of its routing keys any more.
    pub fn has_replaced_key(&self) -> bool {
        self.record[2] & KEY_REPLACED != 0
    }

    /// When it entered its queue, in ms since 1970; 0 = not known.
    #[inline]
    pub fn entered_ms(&self) -> u64 {
        let low = u32::from_le_bytes([self.record[12], self.record[13], self.record[14], self.record[15]]);
        let high = u16::from_le_bytes([self.record[6], self.record[7]]);
        u64::from(high) << 32 | u64::from(low)
    }

    /// Bytes that the message occupies, body and names together.
    pub fn memory(&self) -> usize {
        self.record.len() + if self.body.is_some() { self.body_len() } else { 0 }
    }

    /// Bytes of the record as it stands on disk: with the body behind it, wherever it lies in memory.
    pub fn stored_len(&self) -> usize {
        self.memory()
    }

    /// The record as it stands on disk, in parts that share this memory.
    pub fn stored_slices(&self) -> impl Iterator<Item = Slice> + '_ {
        std::iter::once(self.record.clone()).chain(self.body.iter().flat_map(|pieces| pieces.iter().cloned()))
    }

    /// The message whose stored record is `stored`, sharing it; `None` when that is no record.
    pub fn from_stored(stored: Slice) -> Option<Message> {
        let head = stored_head_len(&stored).filter(|head| *head <= stored.len())?;
        let message = if stored[2] & DETACHED_BODY == 0 {
            Message { record: stored, body: None }
        } else {
            let pieces = [stored.part(head..stored.len())];
            Message { record: stored.part(0..head), body: Some(Arc::new(pieces)) }
        };
        (message.parts().split_names_exactly() && message.has_whole_body(head)).then_some(message)
    }

    /// The message whose stored record without its body is `head` and whose body is `pieces`, none of them empty; `None`
    /// when that is no record.
    pub fn from_stored_pieces(head: Slice, pieces: Vec<Slice>) -> Option<Message> {
        if stored_head_len(&head)? != head.len() || head[2] & DETACHED_BODY == 0 {
            return None;
        }
        let message = Message { record: head, body: Some(pieces.into()) };
        (message.parts().split_names_exactly() && message.has_whole_body(message.record.len())).then_some(message)
    }

    fn has_whole_body(&self, head: usize) -> bool {
        match &self.body {
            None => self.record.len() - head == self.body_len(),
            Some(pieces) => pieces.iter().map(|piece| piece.len()).sum::<usize>() == self.body_len(),
        }
    }

    /// True when storing the message again would free most of a chunk.
    pub fn is_sparse(&self) -> bool {
        self.body.is_none() && self.record.is_sparse()
    }

    /// Stores the record again; for messages that are [sparse](Message::is_sparse).
    pub fn relocate(&mut self, arena: &mut Arena) {
        self.record = arena.append([&self.record[..]]);
    }
}
