//! Changing the arguments of a queue while it is in use.

use super::{AdminError, AdminReply};
use crate::broker::Broker;
use crate::channel::queue_arguments::{can_change_in_place, check_queue_arguments};
use crate::errors::{self, Resource};
use amqp::FieldTable;
use metadata::{Change, QueueDefinition};
use tracing::info;

impl Broker {
    /// Sets some arguments of a queue and takes others away; durable when it returns, like the queue.
    pub(super) fn change_arguments(
        &self,
        vhost: &str,
        name: &str,
        set: &FieldTable,
        unset: &[String],
    ) -> Result<AdminReply, AdminError> {
        // One change at a time, so that none is lost.
        let _writer = self.writer();
        let (vhost, cell) = self.find_queue(vhost, name)?;
        let resource = Resource::queue(&vhost.name, &cell.name);
        if cell.owner.is_some() {
            return Err(AdminError::Channel(errors::QUEUE_LOCKED.with(&[&resource])));
        }
        let current = cell.terms().arguments.clone();
        let mut arguments = current.clone();
        set.iter().for_each(|(name, value)| arguments.insert(name, value.clone()));
        unset.iter().for_each(|name| drop(arguments.remove(name)));
        let named = set.iter().map(|(name, _)| name).chain(unset.iter().map(String::as_str));
        let differs = |name: &&str| match (current.get(name), arguments.get(name)) {
            (Some(current), Some(new)) => !current.equivalent(new),
            (current, new) => current.is_some() != new.is_some(),
        };
        let changed: Vec<&str> = named.filter(differs).collect();
        if let Some(fixed) = changed.iter().find(|name| !can_change_in_place(name)) {
            return Err(AdminError::Invalid(format!(
                "argument '{fixed}' of {resource} cannot change while the queue exists: declare another queue and move \
                 the messages"
            )));
        }
        if changed.is_empty() {
            return Ok(AdminReply::Done);
        }
        check_queue_arguments(&arguments, &resource, self.settings.quorum_as_classic).map_err(AdminError::Channel)?;
        let stored = QueueDefinition { arguments: arguments.clone(), ..QueueDefinition::default() };
        if !Change::PutQueue(stored).is_storable() {
            let text = "arguments are larger than 256 KiB, nested too deeply or have names that are too long";
            return Err(AdminError::Invalid(text.to_owned()));
        }
        let token = self.replace_arguments(&vhost, &cell, arguments).map_err(AdminError::Channel)?;
        self.wait_for(token)?;
        info!(target: "queue", "changed arguments of {resource}: {}", changed.join(", "));
        Ok(AdminReply::Done)
    }
}
