//! Exchanges, queues and bindings, declared as a client would.

use super::{ImportOutcome, Imported, kept};
use crate::access::Rights;
use crate::admin::parameters::too_large;
use crate::admin::{AdminError, AdminReply, Missing};
use crate::broker::Broker;
use crate::core::{Binding, ExchangeDeclaration, QueueDeclaration, sorted};
use crate::errors::ProtocolError;
use crate::names::is_reserved;
use metadata::{BindingDefinition, Change, DestinationKind, ExchangeDefinition, QueueDefinition};
use std::collections::HashMap;

const RESERVED: &str = "names that begin with 'amq.' are the broker's own";
/// Longest name in bytes: a short string.
const NAME_LIMIT: usize = 255;

impl Broker {
    pub(super) fn import_exchange(&self, exchange: ExchangeDefinition) -> Imported {
        let name = exchange.name.as_str();
        if name.is_empty() || is_reserved(name) {
            // RabbitMQ: left out with a warning.
            let why = if name.is_empty() { "the default exchange is always there" } else { RESERVED };
            return Ok((ImportOutcome::Skipped(why.to_owned()), None));
        }
        let vhost = self.vhost(&exchange.vhost).ok_or_else(|| Missing::Vhost.called(&exchange.vhost))?;
        if let Some(known) = vhost.exchange(name) {
            let outcome = kept([
                ("type", known.type_name() != exchange.kind),
                ("durable", known.durable != exchange.durable),
                ("auto_delete", known.auto_delete != exchange.auto_delete),
                ("internal", known.internal != exchange.internal),
                ("arguments", known.arguments != exchange.arguments),
            ]);
            return Ok((outcome, None));
        }
        check_name(name)?;
        if !Change::PutExchange(exchange.clone()).is_storable() {
            return Err(too_large());
        }
        let declaration = ExchangeDeclaration {
            name,
            kind: &exchange.kind,
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            arguments: exchange.arguments.clone(),
        };
        let declared = self.declare_exchange(&vhost, declaration, Rights::operator(self)).map_err(protocol_error)?;
        Ok((if declared.is_new { ImportOutcome::Created } else { ImportOutcome::Kept(Vec::new()) }, declared.token))
    }

    pub(super) fn import_queue(&self, queue: QueueDefinition) -> Imported {
        let name = queue.name.as_str();
        if is_reserved(name) {
            return Ok((ImportOutcome::Skipped(RESERVED.to_owned()), None));
        }
        let vhost = self.vhost(&queue.vhost).ok_or_else(|| Missing::Vhost.called(&queue.vhost))?;
        if let Some(known) = vhost.queue(name).filter(|known| !known.is_dead()) {
            let outcome = kept([
                ("durable", known.durable != queue.durable),
                ("auto_delete", known.auto_delete != queue.auto_delete),
                ("arguments", known.terms().arguments != queue.arguments),
            ]);
            return Ok((outcome, None));
        }
        check_name(name)?;
        if !Change::PutQueue(queue.clone()).is_storable() {
            return Err(too_large());
        }
        let declaration = QueueDeclaration {
            name,
            durable: queue.durable,
            auto_delete: queue.auto_delete,
            owner: None,
            arguments: queue.arguments.clone(),
            is_server_named: false,
        };
        let declared = self.declare_queue(&vhost, declaration, &|_| Ok(())).map_err(protocol_error)?;
        if declared.is_new && declared.cell.lock().is_tended {
            self.have_looked_at(&declared.cell);
        }
        Ok((if declared.is_new { ImportOutcome::Created } else { ImportOutcome::Kept(Vec::new()) }, declared.token))
    }

    pub(super) fn import_binding(&self, binding: BindingDefinition) -> Imported {
        if binding.source.is_empty() {
            return Ok((ImportOutcome::Skipped("bindings of the default exchange are always there".to_owned()), None));
        }
        let vhost = self.vhost(&binding.vhost).ok_or_else(|| Missing::Vhost.called(&binding.vhost))?;
        let to_queue = binding.destination_kind == DestinationKind::Queue;
        let mut missing = Vec::new();
        let source_is_there = vhost.exchange(&binding.source).is_some();
        if !source_is_there {
            missing.push(resource_term(&binding.vhost, "exchange", &binding.source));
        }
        let is_there = match to_queue {
            true => vhost.queue(&binding.destination).is_some_and(|cell| !cell.is_dead()),
            false => vhost.exchange(&binding.destination).is_some(),
        };
        if !is_there {
            missing.push(resource_term(&binding.vhost, binding.destination_kind.as_str(), &binding.destination));
        }
        if !missing.is_empty() {
            return Err(AdminError::Refused(format!("{{resources_missing,[{}]}}", missing.join(","))));
        }
        if binding.routing_key.len() > NAME_LIMIT {
            return Err(AdminError::Invalid(format!("routing keys have at most {NAME_LIMIT} bytes")));
        }
        if !Change::PutBinding(binding.clone()).is_storable() {
            return Err(too_large());
        }
        let binding = Binding {
            source: binding.source.into(),
            destination: binding.destination.into(),
            to_queue,
            routing_key: binding.routing_key.into(),
            arguments: sorted(binding.arguments),
        };
        let bound = self.bind(&vhost, &binding, Rights::operator(self)).map_err(protocol_error)?;
        Ok((if bound.is_new { ImportOutcome::Created } else { ImportOutcome::Kept(Vec::new()) }, bound.token))
    }

    /// RabbitMQ: an import that a limit of queues would stop half way does not begin; its text.
    pub(in crate::admin) fn check_queue_limits(&self, queues: &[(String, String)]) -> Result<AdminReply, AdminError> {
        let mut added: HashMap<&str, u64> = HashMap::new();
        for (vhost, name) in queues {
            let Some(found) = self.vhost(vhost).filter(|vhost| vhost.limits.max_queues.most().is_some()) else {
                continue;
            };
            if found.queue(name).is_none() {
                *added.entry(vhost).or_default() += 1;
            }
        }
        for (name, count) in added {
            let Some(vhost) = self.vhost(name) else { continue };
            let (Some(most), current) = (vhost.limits.max_queues.most(), vhost.queue_count() as u64) else { continue };
            if current + count > most {
                return Err(AdminError::Refused(format!(
                    "Adding {count} queue(s) to virtual host \"{name}\" would exceed the limit of {most} \
                     queue(s).\n\nThis virtual host currently has {current} queue(s) defined.\n\nImport aborted!"
                )));
            }
        }
        Ok(AdminReply::Done)
    }
}

fn check_name(name: &str) -> Result<(), AdminError> {
    match name.len() {
        1..=NAME_LIMIT => Ok(()),
        _ => Err(AdminError::Invalid(format!("names have 1 to {NAME_LIMIT} bytes"))),
    }
}

/// A resource that is not there, as RabbitMQ prints it.
fn resource_term(vhost: &str, kind: &str, name: &str) -> String {
    let [vhost, name] = [vhost, name].map(|text| amqp::erlang::binary(text.as_bytes()));
    format!("{{not_found,{{resource,{vhost},{kind},{name}}}}}")
}

/// RabbitMQ's `format(#amqp_error{})`: the condition in small letters and the explanation.
fn protocol_error(error: ProtocolError) -> AdminError {
    AdminError::Refused(format!("{}: {}", error.code.name().to_ascii_lowercase(), error.text))
}
