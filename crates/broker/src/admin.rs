//! The administrative surface: typed commands from outside the message path, and their replies.
//!
//! [`Broker::execute`] may be called on any thread but a reactor's. It waits: for the journal where something durable
//! changes, and for the reactors where connections are closed. It knows neither HTTP nor JSON.

mod access;
mod arguments;
mod command;
mod connections;
mod delayed;
mod diagnosis;
mod error;
mod export;
mod import;
mod maintenance;
mod memory;
mod messages;
mod objects;
mod parameters;
mod plugin_parameters;
mod policies;
mod registry;
mod snapshot;
mod user_limits;
mod vhost_defaults;
mod vhosts;

pub use command::{AdminCommand, AdminReply, NewPassword, Secret, WhenUserExists};
pub use diagnosis::{Finding, QueueMark};
pub use error::{AdminError, Missing};
pub use export::TopologyDefinitions;
pub use import::{INTERNAL_CLUSTER_ID, ImportBatch, ImportOutcome, ImportedPolicy, ImportedUser, ImportedVhost};
pub use maintenance::ClientListeners;
pub use memory::{MemoryControl, MemoryFigures, MemoryWatermark};
pub use messages::{
    AfterGet, Cursor, Holder, MessageCommand, MessageFilter, MessageReply, MessageView, MoveTarget, OperationView,
    Origin, Peek, Peeked, Standing, Transfer, Who,
};
pub(crate) use messages::{Operations, Seen};
pub(crate) use registry::Registry;
pub use snapshot::{BindingSnapshot, DelayedSnapshot, ExchangeSnapshot, Overview, QueueSnapshot};

use crate::access::Rights;
use crate::broker::Broker;
use crate::core::{DeleteCondition, ExchangeDeclaration, QueueDeclaration};
use crate::events::Acting;
use auth::User;
use std::sync::Arc;
use vhosts::VhostChange;

impl Broker {
    /// Carries out an administrative command, and returns when it is done: durable, if it changes what is durable.
    pub fn execute(&self, command: AdminCommand) -> Result<AdminReply, AdminError> {
        match command {
            AdminCommand::As { user, command } => self.execute_as(Some(&user), *command),
            command => self.execute_as(None, command),
        }
    }

    /// The same in the name of a user; `None` is an operator, who may do everything.
    fn execute_as(&self, user: Option<&User>, command: AdminCommand) -> Result<AdminReply, AdminError> {
        use AdminCommand as C;
        let rights = Rights { broker: self, user, connection: None };
        let _acting = user.map(|user| Acting::begin(Some(user.name())));
        match command {
            C::As { user, command } => self.execute_as(Some(&user), *command),
            C::Overview => Ok(AdminReply::Overview(Box::new(self.overview()))),

            C::ListUsers => Ok(AdminReply::Users(self.definitions().users.clone())),
            C::PutUser { name, password, tags, limits, when } => self.put_user(name, password, tags, limits, when),
            C::DeleteUser { name } => self.delete_user(name),
            C::Authenticate { name, password, peer } => self.authenticate(&name, &password, peer),

            C::ListVhosts => Ok(AdminReply::Vhosts(self.definitions().vhosts.clone())),
            C::PutVhost { name, description, tags, default_queue_type, tracing, protected_from_deletion } => {
                let change = VhostChange { description, tags, default_queue_type, tracing, protected_from_deletion };
                self.put_vhost(name, change)
            }
            C::ProtectVhost { name, protected } => self.protect_vhost(&name, protected),
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
            C::SetClusterName(name) => self.set_cluster_name(name),
            C::ListGlobalParameters => Ok(AdminReply::GlobalParameters(self.definitions().global_parameters.clone())),
            C::SetGlobalParameter(parameter) => self.set_global_parameter(parameter),
            C::ClearGlobalParameter { name } => self.clear_global_parameter(&name),
            C::SetUserLimits { user, limits } => self.set_user_limits(&user, &limits),
            C::ClearUserLimits { user, limit } => self.clear_user_limits(&user, limit.as_deref()),

            C::ListQueues { vhost } => self.list_queues(vhost.as_deref()),
            C::Queue { vhost, name } => self.one_queue(&vhost, &name),
            C::DeclareQueue { vhost, name, durable, auto_delete, arguments } => {
                let declaration = QueueDeclaration {
                    name: &name,
                    durable,
                    auto_delete,
                    owner: None,
                    arguments,
                    is_server_named: false,
                };
                self.declare_queue_by(rights, &vhost, declaration)
            }
            C::PurgeQueue { vhost, name } => self.purge(rights, &vhost, &name),
            C::DeleteQueue { vhost, name, if_unused, if_empty } => {
                self.delete_queue(rights, &vhost, &name, DeleteCondition { if_unused, if_empty })
            }
            C::DeclareExchange { vhost, name, kind, durable, auto_delete, internal, arguments } => {
                let (name, kind) = (&*name, &*kind);
                let declaration = ExchangeDeclaration { name, kind, durable, auto_delete, internal, arguments };
                self.declare_exchange_by(rights, &vhost, declaration)
            }
            C::DeleteExchange { vhost, name, if_unused } => self.delete_exchange_by(rights, &vhost, &name, if_unused),
            C::Bind(binding) => self.bind_by(rights, &binding),
            C::Unbind(binding) => self.unbind_by(rights, &binding),
            C::ListExchanges { vhost } => self.list_exchanges(vhost.as_deref()),
            C::ListBindings { vhost } => self.list_bindings(vhost.as_deref()),

            C::ListDelayed { vhost, exchange, from, most } => {
                self.list_delayed(&vhost, exchange.as_deref(), from, most)
            }
            C::CancelDelayed { vhost, id } => self.cancel_delayed(&vhost, id),

            C::ExportTopology { vhost } => self.export_topology(vhost.as_deref()),
            C::CheckQueueLimits { queues } => self.check_queue_limits(&queues),
            C::Import(batch) => self.import(batch),

            C::Messages(command) => self.message_command(*command).map(|reply| AdminReply::Messages(Box::new(reply))),

            C::Diagnose { vhost, name, since } => self.diagnose(&vhost, &name, since),
            C::ChangeArguments { vhost, name, set, unset } => self.change_arguments(&vhost, &name, &set, &unset),

            C::CloseConnections { which, reason } => self.close_connections(&which, &reason),

            C::Drain => self.drain(),
            C::Revive => self.revive(),
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
