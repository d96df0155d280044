//! Virtual hosts.

use super::{AdminError, AdminReply, Missing};
use crate::broker::Broker;
use crate::channel::queue_arguments::type_called;
use crate::core::{DeleteCondition, delete_queue};
use crate::message::Which;
use metadata::Change;
use tracing::info;

/// Longest name in bytes: clients send it as a short string.
const NAME_LIMIT: usize = 255;

impl Broker {
    pub(super) fn put_vhost(
        &self,
        name: String,
        description: Option<String>,
        tags: Option<Vec<String>>,
        default_queue_type: Option<String>,
    ) -> Result<AdminReply, AdminError> {
        if name.is_empty() || name.len() > NAME_LIMIT {
            return Err(AdminError::Invalid(format!("vhost name must be of 1 to {NAME_LIMIT} bytes")));
        }
        default_queue_type.as_deref().map_or(Ok(()), check_queue_type)?;
        let mut writer = self.writer();
        let existing = self.definitions().vhosts.iter().find(|vhost| vhost.name == name).cloned();
        let existed = existing.is_some();
        if let Some(most) = self.settings.vhost_limit.filter(|most| self.vhosts().len() as u64 >= *most)
            && !existed
        {
            return Err(AdminError::Refused(format!("cannot create vhost '{name}': vhost limit of {most} is reached")));
        }
        let mut vhost = existing.clone().unwrap_or_default();
        vhost.name.clone_from(&name);
        vhost.description = description.unwrap_or(vhost.description);
        vhost.tags = tags.unwrap_or(vhost.tags);
        vhost.default_queue_type = default_queue_type.or(vhost.default_queue_type);
        let queue_type = vhost.default_queue_type.clone();
        if existing.as_ref() != Some(&vhost) {
            writer.commit(Change::PutVhost(vhost))?;
        }
        if existed {
            if let Some(vhost) = self.vhost(&name) {
                vhost.set_default_queue_type(queue_type.as_deref());
            }
            return Ok(AdminReply::Done);
        }
        self.add_vhost_with(&name, |vhost| vhost.set_default_queue_type(queue_type.as_deref()));
        self.set_default_limits(&mut writer, &name)?;
        info!(target: "vhost", "vhost '{name}' created");
        Ok(AdminReply::Created)
    }

    /// The virtual host takes no new connections first, then loses those it has, and then nobody is left who could
    /// declare something in it behind the change that deletes everything.
    pub(super) fn delete_vhost(&self, name: &str) -> Result<AdminReply, AdminError> {
        let mut writer = self.writer();
        self.check_vhost_exists(name)?;
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
        self.end_hidden(vhost.hidden_queues());
        info!(target: "vhost", "vhost '{name}' deleted");
        Ok(AdminReply::Done)
    }
}

/// RabbitMQ's texts; `undefined` is what its tools write for none.
fn check_queue_type(name: &str) -> Result<(), AdminError> {
    match name {
        "" => Err(AdminError::Invalid("default_queue_type must not be an empty string".to_owned())),
        "undefined" => Ok(()),
        name if type_called(name).is_some() => Ok(()),
        name => Err(AdminError::Invalid(format!("{name} is not a valid queue type"))),
    }
}
