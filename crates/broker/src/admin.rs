//! The administrative surface: typed commands from outside the message path, and their replies.
//!
//! [`Broker::execute`] may be called on any thread but a reactor's. It waits: for the journal where something durable
//! changes, and for the reactors where connections and channels are listed. It knows neither HTTP nor JSON.

mod access;
mod arguments;
mod command;
mod connections;
mod delayed;
mod diagnosis;
mod error;
mod memory;
mod messages;
mod objects;
mod parameters;
mod policies;
mod registry;
mod snapshot;
mod user_limits;
mod vhosts;

pub use command::{AdminCommand, AdminReply, NewPassword, Secret, WhenUserExists};
pub use diagnosis::Finding;
pub use error::{AdminError, Missing};
pub use memory::{MemoryControl, MemoryFigures, MemoryWatermark};
pub use messages::{
    AfterGet, Cursor, Holder, MessageCommand, MessageFilter, MessageReply, MessageView, MoveTarget, OperationView,
    Origin, Peek, Peeked, Standing, Transfer, Who,
};
pub(crate) use messages::{Operations, Seen};
pub(crate) use registry::Registry;
pub use snapshot::{
    BindingSnapshot, ChannelSnapshot, ConnectionSnapshot, ConsumerSnapshot, DelayedSnapshot, ExchangeSnapshot,
    Overview, QueueSnapshot,
};

use crate::broker::Broker;
use std::sync::Arc;

impl Broker {
    /// Carries out an administrative command, and returns when it is done: durable, if it changes what is durable.
    pub fn execute(&self, command: AdminCommand) -> Result<AdminReply, AdminError> {
        use AdminCommand as C;
        match command {
            C::Overview => self.overview().map(|overview| AdminReply::Overview(Box::new(overview))),

            C::ListUsers => Ok(AdminReply::Users(self.definitions().users.clone())),
            C::PutUser { name, password, tags, when } => self.put_user(name, password, tags, when),
            C::DeleteUser { name } => self.delete_user(name),
            C::Authenticate { name, password } => self.authenticate(&name, &password),

            C::ListVhosts => Ok(AdminReply::Vhosts(self.definitions().vhosts.clone())),
            C::PutVhost { name, description, tags, default_queue_type } => {
                self.put_vhost(name, description, tags, default_queue_type)
            }
            C::DeleteVhost { name } => self.delete_vhost(&name),

            C::ListPermissions => Ok(AdminReply::Permissions(self.definitions().permissions.clone())),
            C::SetPermissions(permission) => self.set_permissions(permission),
            C::ClearPermissions { user, vhost } => self.clear_permissions(user, vhost),
            C::ListTopicPermissions => Ok(AdminReply::TopicPermissions(self.definitions().topic_permissions.clone())),
            C::SetTopicPermissions(permission) => self.set_topic_permissions(permission),
            C::ClearTopicPermissions { user, vhost, exchange } => self.clear_topic_permissions(user, vhost, exchange),

            C::ListPolicies { kind, vhost } => self.list_policies(kind, vhost.as_deref()),
            C::SetPolicy { kind, vhost, name, terms } => self.set_policy(kind, &vhost, &name, &terms),
            C::ClearPolicy { kind, vhost, name } => self.clear_policy(kind, &vhost, &name),
            C::ListParameters { component, vhost } => self.list_parameters(component.as_deref(), vhost.as_deref()),
            C::SetParameter(parameter) => self.set_parameter(parameter),
            C::ClearParameter { vhost, component, name } => self.clear_parameter(&vhost, &component, &name),
            C::SetVhostLimit { vhost, limit, value } => self.set_vhost_limit(&vhost, &limit, value),
            C::ListGlobalParameters => Ok(AdminReply::GlobalParameters(self.definitions().global_parameters.clone())),
            C::SetGlobalParameter(parameter) => self.set_global_parameter(parameter),
            C::ClearGlobalParameter { name } => self.clear_global_parameter(&name),
            C::SetUserLimits { user, limits } => self.set_user_limits(&user, &limits),
            C::ClearUserLimits { user, limit } => self.clear_user_limits(&user, limit.as_deref()),

            C::ListQueues { vhost } => self.list_queues(vhost.as_deref()),
            C::Queue { vhost, name } => self.one_queue(&vhost, &name),
            C::DeclareQueue { vhost, name, durable, auto_delete, arguments } => {
                self.declare_by_operator(&vhost, &name, durable, auto_delete, arguments)
            }
            C::PurgeQueue { vhost, name } => self.purge(&vhost, &name),
            C::DeleteQueue { vhost, name, if_unused, if_empty } => {
                self.delete_queue(&vhost, &name, if_unused, if_empty)
            }
            C::ListExchanges { vhost } => self.list_exchanges(vhost.as_deref()),
            C::ListBindings { vhost } => self.list_bindings(vhost.as_deref()),

            C::ListDelayed { vhost, exchange, from, most } => {
                self.list_delayed(&vhost, exchange.as_deref(), from, most)
            }
            C::CancelDelayed { vhost, id } => self.cancel_delayed(&vhost, id),

            C::Messages(command) => self.message_command(*command).map(|reply| AdminReply::Messages(Box::new(reply))),

            C::Diagnose { vhost, name, sample } => self.diagnose(&vhost, &name, sample),
            C::ChangeArguments { vhost, name, set, unset } => self.change_arguments(&vhost, &name, &set, &unset),

            C::ListConnections => Ok(AdminReply::Connections(self.inspect()?.0)),
            C::ListChannels => Ok(AdminReply::Channels(self.inspect()?.1)),
            C::CloseConnections { which, reason } => self.close_connections(which, &reason),

            C::SetAlarm { alarm, raised } => {
                self.set_alarm(alarm, raised);
                Ok(AdminReply::Done)
            }
            C::SetMemoryWatermark(watermark) => self.set_memory_watermark(watermark),
            C::SetChannelMax(channel_max) => {
                self.set_channel_max(channel_max);
                Ok(AdminReply::Done)
            }
            C::ListLoopbackUsers => Ok(AdminReply::Names(self.access.loopback_users())),
            C::SetLoopbackUsers(names) => {
                self.access.set_loopback_users(names);
                Ok(AdminReply::Done)
            }
        }
    }

    /// Users, virtual hosts and permissions as they are durable now.
    fn definitions(&self) -> Arc<metadata::Snapshot> {
        self.registry.current()
    }
}

#[cfg(test)]
mod tests;
