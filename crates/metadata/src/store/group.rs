//! A group of changes as bytes: what one proposal is in the message store's log.
//!
//! Keys are written field by field, the rest of a definition as the record that the file's tables hold, so that a
//! definition has one encoding. The layout is described in docs/formats/metadata.md.

use super::codec::{Reader, Writer};
use super::record;
use crate::Change;
use crate::model::BindingDefinition;

/// In front of every group; another number is a group that this version cannot read.
const VERSION: u8 = 1;

/// The byte that says which change follows; numbers are never given twice.
mod kind {
    pub(super) const PUT_VHOST: u8 = 1;
    pub(super) const DELETE_VHOST: u8 = 2;
    pub(super) const PUT_USER: u8 = 3;
    pub(super) const DELETE_USER: u8 = 4;
    pub(super) const PUT_PERMISSION: u8 = 5;
    pub(super) const DELETE_PERMISSION: u8 = 6;
    pub(super) const PUT_TOPIC_PERMISSION: u8 = 7;
    pub(super) const DELETE_TOPIC_PERMISSION: u8 = 8;
    pub(super) const PUT_EXCHANGE: u8 = 9;
    pub(super) const DELETE_EXCHANGE: u8 = 10;
    pub(super) const PUT_QUEUE: u8 = 11;
    pub(super) const DELETE_QUEUE: u8 = 12;
    pub(super) const PUT_BINDING: u8 = 13;
    pub(super) const DELETE_BINDING: u8 = 14;
    pub(super) const PUT_POLICY: u8 = 15;
    pub(super) const DELETE_POLICY: u8 = 16;
    pub(super) const PUT_PARAMETER: u8 = 17;
    pub(super) const DELETE_PARAMETER: u8 = 18;
    pub(super) const PUT_GLOBAL_PARAMETER: u8 = 19;
    pub(super) const DELETE_GLOBAL_PARAMETER: u8 = 20;
    pub(super) const RESERVE_IDS: u8 = 21;
}

/// The bytes of one group of changes.
///
/// # Panics
///
/// When a single name or definition is over 4 GiB.
pub fn encode_changes(changes: &[Change]) -> Vec<u8> {
    let mut out = Writer::new();
    out.byte(VERSION);
    out.length(changes.len());
    for change in changes {
        encode(&mut out, change);
    }
    out.finish()
}

/// The group whose bytes these are; `None` when they are damaged, cut short, too long or of another version.
pub fn decode_changes(bytes: &[u8]) -> Option<Vec<Change>> {
    let mut input = Reader::new(bytes);
    if input.byte()? != VERSION {
        return None;
    }
    let count = input.length()?;
    let mut changes = Vec::new(); // grown by what is there, not by the declared count
    for _ in 0..count {
        changes.push(decode(&mut input)?);
    }
    input.finish(changes)
}

fn encode(out: &mut Writer, change: &Change) {
    match change {
        Change::PutVhost(vhost) => put(out, kind::PUT_VHOST, &[&vhost.name], &record::encode_vhost(vhost)),
        Change::DeleteVhost { name } => key(out, kind::DELETE_VHOST, &[name]),
        Change::PutUser(user) => put(out, kind::PUT_USER, &[&user.name], &record::encode_user(user)),
        Change::DeleteUser { name } => key(out, kind::DELETE_USER, &[name]),
        Change::PutPermission(of) => {
            put(out, kind::PUT_PERMISSION, &[&of.user, &of.vhost], &record::encode_permission(of));
        }
        Change::DeletePermission { user, vhost } => key(out, kind::DELETE_PERMISSION, &[user, vhost]),
        Change::PutTopicPermission(of) => {
            let names = [&*of.user, &*of.vhost, &*of.exchange];
            put(out, kind::PUT_TOPIC_PERMISSION, &names, &record::encode_topic_permission(of));
        }
        Change::DeleteTopicPermission { user, vhost, exchange } => {
            key(out, kind::DELETE_TOPIC_PERMISSION, &[user, vhost]);
            out.option(exchange.as_deref(), Writer::text);
        }
        Change::PutExchange(exchange) => {
            put(out, kind::PUT_EXCHANGE, &[&exchange.vhost, &exchange.name], &record::encode_exchange(exchange));
        }
        Change::DeleteExchange { vhost, name } => key(out, kind::DELETE_EXCHANGE, &[vhost, name]),
        Change::PutQueue(queue) => {
            put(out, kind::PUT_QUEUE, &[&queue.vhost, &queue.name], &record::encode_queue(queue));
        }
        Change::DeleteQueue { vhost, name } => key(out, kind::DELETE_QUEUE, &[vhost, name]),
        Change::PutBinding(binding) => {
            encode_binding_key(out, kind::PUT_BINDING, binding);
            out.bytes(&record::encode_binding(binding));
        }
        Change::DeleteBinding(binding) => encode_binding_key(out, kind::DELETE_BINDING, binding),
        Change::PutPolicy(policy) => {
            key(out, kind::PUT_POLICY, &[&policy.vhost]);
            out.byte(record::encode_policy_kind(policy.kind));
            out.text(&policy.name);
            out.bytes(&record::encode_policy(policy));
        }
        Change::DeletePolicy { vhost, kind, name } => {
            key(out, kind::DELETE_POLICY, &[vhost]);
            out.byte(record::encode_policy_kind(*kind));
            out.text(name);
        }
        Change::PutParameter(of) => {
            let names = [&*of.vhost, &*of.component, &*of.name];
            put(out, kind::PUT_PARAMETER, &names, &record::encode_parameter(of));
        }
        Change::DeleteParameter { vhost, component, name } => {
            key(out, kind::DELETE_PARAMETER, &[vhost, component, name]);
        }
        Change::PutGlobalParameter(of) => {
            put(out, kind::PUT_GLOBAL_PARAMETER, &[&of.name], &record::encode_global_parameter(of));
        }
        Change::DeleteGlobalParameter { name } => key(out, kind::DELETE_GLOBAL_PARAMETER, &[name]),
        Change::ReserveIds(below) => {
            out.byte(kind::RESERVE_IDS);
            out.u64(*below);
        }
    }
}

fn put(out: &mut Writer, kind: u8, names: &[&str], record: &[u8]) {
    key(out, kind, names);
    out.bytes(record);
}

fn key(out: &mut Writer, kind: u8, names: &[&str]) {
    out.byte(kind);
    for name in names {
        out.text(name);
    }
}

fn encode_binding_key(out: &mut Writer, kind: u8, binding: &BindingDefinition) {
    key(out, kind, &[&binding.vhost, &binding.source]);
    out.byte(record::encode_destination_kind(binding.destination_kind));
    out.text(&binding.destination);
    out.text(&binding.routing_key);
    out.table(&binding.arguments);
}

fn decode(input: &mut Reader<'_>) -> Option<Change> {
    Some(match input.byte()? {
        kind::PUT_VHOST => {
            let [name] = names(input)?;
            Change::PutVhost(record::decode_vhost(&name, input.bytes()?)?)
        }
        kind::DELETE_VHOST => Change::DeleteVhost { name: input.text()? },
        kind::PUT_USER => {
            let [name] = names(input)?;
            Change::PutUser(record::decode_user(&name, input.bytes()?)?)
        }
        kind::DELETE_USER => Change::DeleteUser { name: input.text()? },
        kind::PUT_PERMISSION => {
            let [user, vhost] = names(input)?;
            Change::PutPermission(record::decode_permission((&user, &vhost), input.bytes()?)?)
        }
        kind::DELETE_PERMISSION => Change::DeletePermission { user: input.text()?, vhost: input.text()? },
        kind::PUT_TOPIC_PERMISSION => {
            let [user, vhost, exchange] = names(input)?;
            Change::PutTopicPermission(record::decode_topic_permission((&user, &vhost, &exchange), input.bytes()?)?)
        }
        kind::DELETE_TOPIC_PERMISSION => Change::DeleteTopicPermission {
            user: input.text()?,
            vhost: input.text()?,
            exchange: input.option(Reader::text)?,
        },
        kind::PUT_EXCHANGE => {
            let [vhost, name] = names(input)?;
            Change::PutExchange(record::decode_exchange((&vhost, &name), input.bytes()?)?)
        }
        kind::DELETE_EXCHANGE => Change::DeleteExchange { vhost: input.text()?, name: input.text()? },
        kind::PUT_QUEUE => {
            let [vhost, name] = names(input)?;
            Change::PutQueue(record::decode_queue((&vhost, &name), input.bytes()?)?)
        }
        kind::DELETE_QUEUE => Change::DeleteQueue { vhost: input.text()?, name: input.text()? },
        kind::PUT_BINDING => {
            let binding = decode_binding_key(input)?;
            let order = record::decode_binding_order(input.bytes()?)?;
            Change::PutBinding(BindingDefinition { order, ..binding })
        }
        kind::DELETE_BINDING => Change::DeleteBinding(decode_binding_key(input)?),
        kind::PUT_POLICY => {
            let (vhost, kind, name) = (input.text()?, input.byte()?, input.text()?);
            Change::PutPolicy(record::decode_policy((&vhost, kind, &name), input.bytes()?)?)
        }
        kind::DELETE_POLICY => Change::DeletePolicy {
            vhost: input.text()?,
            kind: record::decode_policy_kind(input.byte()?)?,
            name: input.text()?,
        },
        kind::PUT_PARAMETER => {
            let [vhost, component, name] = names(input)?;
            Change::PutParameter(record::decode_parameter((&vhost, &component, &name), input.bytes()?)?)
        }
        kind::DELETE_PARAMETER => {
            Change::DeleteParameter { vhost: input.text()?, component: input.text()?, name: input.text()? }
        }
        kind::PUT_GLOBAL_PARAMETER => {
            let [name] = names(input)?;
            Change::PutGlobalParameter(record::decode_global_parameter(&name, input.bytes()?)?)
        }
        kind::DELETE_GLOBAL_PARAMETER => Change::DeleteGlobalParameter { name: input.text()? },
        kind::RESERVE_IDS => Change::ReserveIds(input.u64()?),
        _ => return None,
    })
}

fn names<const N: usize>(input: &mut Reader<'_>) -> Option<[String; N]> {
    let mut names = [const { String::new() }; N];
    for name in &mut names {
        *name = input.text()?;
    }
    Some(names)
}

fn decode_binding_key(input: &mut Reader<'_>) -> Option<BindingDefinition> {
    Some(BindingDefinition {
        vhost: input.text()?,
        source: input.text()?,
        destination_kind: record::decode_destination_kind(input.byte()?)?,
        destination: input.text()?,
        routing_key: input.text()?,
        arguments: input.table()?,
        order: 0,
    })
}

#[cfg(test)]
mod tests;
