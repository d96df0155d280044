//! Virtual hosts.

use super::{AdminError, AdminReply, Missing};
use crate::broker::Broker;
use crate::channel::queue_arguments::type_called;
use crate::core::{DeleteCondition, delete_queue};
use crate::message::Which;
use crate::topology::{Exchange, Vhost};
use metadata::{Change, VhostDefinition};
use std::sync::Arc;
use tracing::info;

/// Longest name in bytes: clients send it as a short string.
const NAME_LIMIT: usize = 255;

/// What a virtual host is to be from now on; `None` keeps what it is.
pub(super) struct VhostChange {
    pub(super) description: Option<String>,
    pub(super) tags: Option<Vec<String>>,
    pub(super) default_queue_type: Option<String>,
    pub(super) tracing: Option<bool>,
    pub(super) protected_from_deletion: Option<bool>,
}

impl Broker {
    pub(super) fn put_vhost(&self, name: String, change: VhostChange) -> Result<AdminReply, AdminError> {
        check_vhost_name(&name)?;
        change.default_queue_type.as_deref().map_or(Ok(()), check_queue_type)?;
        let mut writer = self.writer();
        let existing = self.definitions().vhosts.iter().find(|vhost| vhost.name == name).cloned();
        if let Some(most) = self.limits.vhosts().filter(|most| self.vhosts().len() as u64 >= *most)
            && existing.is_none()
        {
            return Err(AdminError::Refused(format!("cannot create vhost '{name}': vhost limit of {most} is reached")));
        }
        let mut vhost = existing.clone().unwrap_or_default();
        vhost.name.clone_from(&name);
        vhost.description = change.description.unwrap_or(vhost.description);
        vhost.tags = change.tags.unwrap_or(vhost.tags);
        vhost.default_queue_type = change.default_queue_type.or(vhost.default_queue_type);
        vhost.tracing = change.tracing.unwrap_or(vhost.tracing);
        vhost.protected_from_deletion = change.protected_from_deletion.unwrap_or(vhost.protected_from_deletion);
        if existing.as_ref() != Some(&vhost) {
            writer.commit(Change::PutVhost(vhost.clone()))?;
        }
        if let Some(existing) = existing {
            if let Some(in_use) = self.vhost(&name) {
                in_use.set_definition(&vhost);
                self.note_tracing();
            }
            if existing.tracing != vhost.tracing {
                let what = if vhost.tracing { "enabled" } else { "disabled" };
                info!(target: "vhost", "tracing of vhost '{name}' is {what}");
            }
            return Ok(AdminReply::Done);
        }
        let vhost = self.add_vhost_with(&name, |in_use| in_use.set_definition(&vhost));
        self.note_tracing();
        by_age(&vhost).iter().for_each(|exchange| self.emit_exchange_created(exchange));
        self.add_vhost_defaults(&mut writer, &name)?;
        info!(target: "vhost", "vhost '{name}' created");
        Ok(AdminReply::Created)
    }

    pub(super) fn protect_vhost(&self, name: &str, protected: bool) -> Result<AdminReply, AdminError> {
        let mut writer = self.writer();
        let vhost = self.vhost_definition(name)?;
        if vhost.protected_from_deletion != protected {
            writer.commit(Change::PutVhost(VhostDefinition { protected_from_deletion: protected, ..vhost }))?;
            info!(target: "vhost", "vhost '{name}' is {} protected from deletion", if protected { "now" } else { "no longer" });
        }
        Ok(AdminReply::Done)
    }

    fn vhost_definition(&self, name: &str) -> Result<VhostDefinition, AdminError> {
        let found = self.definitions().vhosts.iter().find(|vhost| vhost.name == name).cloned();
        found.ok_or_else(|| Missing::Vhost.called(name))
    }

    /// The virtual host takes no new connections first, then loses those it has, and then nobody is left who could
    /// declare something in it behind the change that deletes everything.
    pub(super) fn delete_vhost(&self, name: &str) -> Result<AdminReply, AdminError> {
        let mut writer = self.writer();
        if self.vhost_definition(name)?.protected_from_deletion {
            return Err(AdminError::Protected(name.to_owned()));
        }
        let Some(vhost) = self.remove_vhost(name) else { return Err(Missing::Vhost.called(name)) };
        let reason = format!("vhost '{name}' is deleted");
        if let Err(error) = self.close_all(&Which::Vhost(Some(name.to_owned())), &reason) {
            self.restore_vhost(vhost);
            return Err(error);
        }
        for cell in vhost.queues() {
            // Without a condition nothing can be in the way.
            let _ = delete_queue(self, &vhost, &cell, DeleteCondition::default());
        }
        if let Some(cell) = vhost.delayed_queue() {
            self.drop_delayed(cell);
        }
        writer.commit(Change::DeleteVhost { name: name.to_owned() })?;
        self.note_tracing();
        by_age(&vhost).iter().for_each(|exchange| self.emit_exchange_deleted(exchange));
        self.end_hidden(vhost.hidden_queues());
        info!(target: "vhost", "vhost '{name}' deleted");
        Ok(AdminReply::Done)
    }
}

/// The exchanges in the order in which they were made.
fn by_age(vhost: &Vhost) -> Vec<Arc<Exchange>> {
    let mut exchanges = vhost.exchanges();
    exchanges.sort_by_key(|exchange| exchange.id);
    exchanges
}

pub(super) fn check_vhost_name(name: &str) -> Result<(), AdminError> {
    match name.len() {
        1..=NAME_LIMIT => Ok(()),
        _ => Err(AdminError::Invalid(format!("vhost name must be of 1 to {NAME_LIMIT} bytes"))),
    }
}

/// RabbitMQ's texts; `undefined` is what its tools write for none.
pub(super) fn check_queue_type(name: &str) -> Result<(), AdminError> {
    match name {
        "" => Err(AdminError::Invalid("default_queue_type must not be an empty string".to_owned())),
        "undefined" => Ok(()),
        name if type_called(name).is_some() => Ok(()),
        name => Err(AdminError::Invalid(format!("{name} is not a valid queue type"))),
    }
}
