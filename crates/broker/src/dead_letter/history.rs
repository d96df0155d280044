//! The headers that tell where and why a message died.
//!
//! x-death is an array with a table for each queue and reason, the latest first. RabbitMQ sorts the whole headers table
//! by name when it writes it; here what the publisher set keeps its order, and these headers follow sorted.

use amqp::{ArrayRef, FieldRef, TableRef};
use std::ops::Range;

/// Bytes of routing keys of the CC header that a death tells of; with more it tells of none, so that they do not crowd out
/// the deaths before.
const MOST_KEYS: usize = 8 << 10;

const DEATHS: &str = "x-death";
const FIRST: [&str; 3] = ["x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"];
const LAST: [&str; 3] = ["x-last-death-exchange", "x-last-death-queue", "x-last-death-reason"];

/// One death.
pub(super) struct Death<'a> {
    pub(super) queue: &'a [u8],
    pub(super) reason: &'a [u8],
    /// Seconds since 1970.
    pub(super) time_s: u64,
    /// The exchange that the message had been published to.
    pub(super) exchange: &'a [u8],
    pub(super) routing_key: &'a [u8],
    /// The routing keys of its CC header.
    pub(super) more_keys: &'a [&'a [u8]],
    pub(super) expiration_ms: Option<u64>,
}

/// What the headers before this death told.
#[derive(Default)]
struct Past<'a> {
    deaths: ArrayRef<'a>,
    /// Those of `FIRST`, as they stand in the table.
    first: [Option<&'a [u8]>; 3],
}

/// Appends the fields of `headers` with `death` added to the history, which counts only if `trusts`, and answers where
/// in `out` the values of x-death are. The oldest deaths are left out that would make `out` longer than `limit`.
pub(super) fn write(
    out: &mut Vec<u8>,
    headers: TableRef<'_>,
    trusts: bool,
    death: &Death<'_>,
    limit: usize,
) -> Range<usize> {
    let past = copy_others(out, headers, trusts);
    name(out, DEATHS);
    out.push(b'A');
    let deaths = length_prefixed(out, |out| write_deaths(out, past.deaths, death, limit));
    let values = [death.exchange, death.queue, death.reason];
    // Set by the first death and never changed.
    if past.deaths.bytes().is_empty() {
        std::iter::zip(FIRST, values).for_each(|(key, value)| long_string_field(out, key, value));
    } else {
        past.first.into_iter().flatten().for_each(|raw| out.extend_from_slice(raw));
    }
    std::iter::zip(LAST, values).for_each(|(key, value)| long_string_field(out, key, value));
    deaths
}

/// Queue and reason of one death in x-death; `None` for what is no death.
pub(super) fn queue_and_reason<'a>(value: FieldRef<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let FieldRef::Table(table) = value else { return None };
    let (mut queue, mut reason) = (None, None);
    for (name, value, _) in table.raw_fields() {
        match (name, value) {
            ("queue", FieldRef::LongString(bytes)) if queue.is_none() => queue = Some(bytes),
            ("reason", FieldRef::LongString(bytes)) if reason.is_none() => reason = Some(bytes),
            _ => continue,
        }
        if let (Some(queue), Some(reason)) = (queue, reason) {
            return Some((queue, reason));
        }
    }
    None
}

/// Appends the fields that tell of no death, and answers those that do.
fn copy_others<'a>(out: &mut Vec<u8>, headers: TableRef<'a>, trusts: bool) -> Past<'a> {
    let mut past = Past::default();
    for (name, value, raw) in headers.raw_fields() {
        if !name.starts_with("x-") {
            out.extend_from_slice(raw);
        } else if name == DEATHS {
            // Anything but an array is no history: RabbitMQ 3.x starts anew there too.
            if let (FieldRef::Array(deaths), true) = (value, trusts && past.deaths.bytes().is_empty()) {
                past.deaths = deaths;
            }
        } else if let Some(at) = FIRST.iter().position(|first| *first == name) {
            past.first[at] = past.first[at].or(Some(raw));
        } else if !LAST.contains(&name) {
            out.extend_from_slice(raw);
        }
    }
    past
}

fn write_deaths(out: &mut Vec<u8>, past: ArrayRef<'_>, death: &Death<'_>, limit: usize) {
    let mut same = None;
    let mut others = Vec::with_capacity(8);
    for (value, raw) in past.raw_values() {
        // What is no death, which only a publisher can have put there, is dropped.
        match queue_and_reason(value) {
            Some(key) if key != (death.queue, death.reason) => others.push(raw),
            Some(_) => same = same.or(Some(value)),
            None => {}
        }
    }
    match same {
        Some(FieldRef::Table(table)) => write_again(out, table),
        _ => write_new(out, death, limit),
    }
    for raw in others {
        if out.len() + raw.len() <= limit {
            out.extend_from_slice(raw);
        }
    }
}

/// Appends the table of a death that happened once.
fn write_new(out: &mut Vec<u8>, death: &Death<'_>, limit: usize) {
    let keys: usize = death.more_keys.iter().map(|key| key.len() + 5).sum();
    // Names take at most 4 times 255 bytes, and the field names of the table less than 100.
    let more_keys = if keys <= MOST_KEYS && out.len() + keys + 1200 <= limit { death.more_keys } else { &[] };
    out.push(b'F');
    length_prefixed(out, |out| {
        if let Some(ms) = death.expiration_ms {
            long_string_field(out, "original-expiration", ms.to_string().as_bytes());
        }
        integer_field(out, "count", b'l', 1);
        long_string_field(out, "reason", death.reason);
        long_string_field(out, "queue", death.queue);
        integer_field(out, "time", b'T', death.time_s);
        long_string_field(out, "exchange", death.exchange);
        name(out, "routing-keys");
        out.push(b'A');
        length_prefixed(out, |out| {
            long_string(out, death.routing_key);
            more_keys.iter().for_each(|key| long_string(out, key));
        });
    });
}

/// Appends the table of a death that happened before, one more time: everything but the count is of the first time.
fn write_again(out: &mut Vec<u8>, table: TableRef<'_>) {
    out.push(b'F');
    length_prefixed(out, |out| {
        let mut counted = false;
        for (name, value, raw) in table.raw_fields() {
            if name != "count" {
                out.extend_from_slice(raw);
            } else if !counted {
                let count = value.as_i64().unwrap_or(0).saturating_add(1);
                integer_field(out, "count", b'l', count as u64);
                counted = true;
            }
        }
        if !counted {
            integer_field(out, "count", b'l', 1);
        }
    });
}

fn integer_field(out: &mut Vec<u8>, key: &str, letter: u8, value: u64) {
    name(out, key);
    out.push(letter);
    out.extend_from_slice(&value.to_be_bytes());
}

fn long_string_field(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    name(out, key);
    long_string(out, value);
}

/// Appends the name of a field; those here are short.
fn name(out: &mut Vec<u8>, key: &str) {
    out.push(key.len() as u8);
    out.extend_from_slice(key.as_bytes());
}

fn long_string(out: &mut Vec<u8>, value: &[u8]) {
    out.push(b'S');
    out.extend_from_slice(&(value.len() as u32).to_be_bytes());
    out.extend_from_slice(value);
}

/// Appends what `write` does behind its length as 32 bits, and answers where that is.
fn length_prefixed(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Range<usize> {
    out.extend_from_slice(&[0; 4]);
    let start = out.len();
    write(out);
    let len = (out.len() - start) as u32;
    out[start - 4..start].copy_from_slice(&len.to_be_bytes());
    start..out.len()
}
