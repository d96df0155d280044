//! Administrative commands and their replies.

use super::{
    BindingSnapshot, DelayedSnapshot, ExchangeSnapshot, Finding, ImportBatch, ImportOutcome, MemoryWatermark,
    MessageCommand, MessageReply, Overview, QueueMark, QueueSnapshot, TopologyDefinitions,
};
use crate::broker::Alarm;
use crate::message::Which;
use amqp::{FieldTable, FieldValue};
use auth::User;
use metadata::{
    GlobalParameterDefinition, ParameterDefinition, PermissionDefinition, PolicyDefinition, PolicyKind,
    TopicPermissionDefinition, UserDefinition, VhostDefinition,
};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// Something that an operator wants to know or to change.
#[derive(Clone, Debug)]
pub enum AdminCommand {
    /// Does what the command says of queues, exchanges and bindings as far as the user may do it over AMQP; what other
    /// commands may do is the caller's to check.
    As {
        /// The user.
        user: Arc<User>,
        /// What to do.
        command: Box<AdminCommand>,
    },

    /// The broker in numbers.
    Overview,

    /// All users.
    ListUsers,
    /// Creates or changes a user.
    PutUser {
        /// Its name.
        name: String,
        /// Its password from now on; `None` keeps the one it has.
        password: Option<NewPassword>,
        /// Its tags from now on; `None` keeps those it has.
        tags: Option<Vec<String>>,
        /// A table of limits as those of [`AdminCommand::SetUserLimits`], to be validated; `None` keeps those it has.
        limits: Option<FieldValue>,
        /// Whether it has to exist.
        when: WhenUserExists,
    },
    /// Deletes a user, its permissions, and closes its connections.
    DeleteUser {
        /// Its name.
        name: String,
    },
    /// Checks a name and password, as a login would.
    Authenticate {
        /// The user's name.
        name: String,
        /// The password to check.
        password: Secret,
        /// From where; `None` = this machine.
        peer: Option<IpAddr>,
    },

    /// All virtual hosts.
    ListVhosts,
    /// Creates a virtual host, or changes what it says of itself.
    PutVhost {
        /// Its name.
        name: String,
        /// Free text for operators; `None` keeps what it has.
        description: Option<String>,
        /// Tags for operators; `None` keeps those it has.
        tags: Option<Vec<String>>,
        /// The type of queues declared without one; `None` keeps what it has.
        default_queue_type: Option<String>,
        /// Whether what happens in it is traced; `None` keeps what it has.
        tracing: Option<bool>,
        /// Whether deleting it is refused; `None` keeps what it has.
        protected_from_deletion: Option<bool>,
    },
    /// Puts the node into maintenance: clients are refused, and those that are connected are closed.
    Drain,
    /// Takes it out of maintenance.
    Revive,
    /// Refuses the deletion of a virtual host that exists, or lifts that.
    ProtectVhost {
        /// Its name.
        name: String,
        /// True to refuse it.
        protected: bool,
    },
    /// Deletes a virtual host with everything in it, and closes its connections.
    DeleteVhost {
        /// Its name.
        name: String,
    },

    /// All permissions.
    ListPermissions,
    /// Sets a user's permissions in a virtual host.
    SetPermissions(PermissionDefinition),
    /// Clears a user's permissions in a virtual host.
    ClearPermissions {
        /// The user's name.
        user: String,
        /// The virtual host's name.
        vhost: String,
    },
    /// All topic permissions.
    ListTopicPermissions,
    /// Sets a user's permissions on a topic exchange.
    SetTopicPermissions(TopicPermissionDefinition),
    /// Clears a user's topic permissions in a virtual host.
    ClearTopicPermissions {
        /// The user's name.
        user: String,
        /// The virtual host's name.
        vhost: String,
        /// The exchange; `None` for all.
        exchange: Option<String>,
    },

    /// The policies or operator policies of a virtual host, or of all.
    ListPolicies {
        /// Which of the two.
        kind: PolicyKind,
        /// The virtual host's name; `None` for all.
        vhost: Option<String>,
    },
    /// Sets a policy or operator policy, and puts it in force for what is there.
    SetPolicy {
        /// Which of the two.
        kind: PolicyKind,
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
        /// A table of `pattern`, `definition`, `priority` and `apply-to` as they were given, to be validated.
        terms: FieldValue,
    },
    /// Clears a policy or operator policy.
    ClearPolicy {
        /// Which of the two.
        kind: PolicyKind,
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
    },
    /// Runtime parameters, operator policies among them.
    ListParameters {
        /// What they configure; `None` for everything.
        component: Option<String>,
        /// The virtual host's name; `None` for all.
        vhost: Option<String>,
    },
    /// Sets a runtime parameter.
    SetParameter(ParameterDefinition),
    /// Clears a runtime parameter.
    ClearParameter {
        /// The virtual host's name.
        vhost: String,
        /// What it configures.
        component: String,
        /// Its name.
        name: String,
    },
    /// Changes one limit of a virtual host.
    SetVhostLimit {
        /// The virtual host's name.
        vhost: String,
        /// `max-connections` or `max-queues`.
        limit: String,
        /// The limit, to be validated; `None` lifts it.
        value: Option<FieldValue>,
    },
    /// Changes the name of the cluster.
    SetClusterName(String),
    /// Runtime parameters of the whole node.
    ListGlobalParameters,
    /// Sets a runtime parameter of the whole node.
    SetGlobalParameter(GlobalParameterDefinition),
    /// Clears a runtime parameter of the whole node.
    ClearGlobalParameter {
        /// Its name.
        name: String,
    },
    /// Sets limits of a user.
    SetUserLimits {
        /// The user's name.
        user: String,
        /// A table of `max-connections` and `max-channels`, to be validated; what it does not name stays.
        limits: FieldValue,
    },
    /// Lifts limits of a user.
    ClearUserLimits {
        /// The user's name.
        user: String,
        /// Which one; `None` for all.
        limit: Option<String>,
    },

    /// The queues of a virtual host, or of all.
    ListQueues {
        /// The virtual host's name; `None` for all.
        vhost: Option<String>,
    },
    /// One queue.
    Queue {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
    },
    /// Declares a queue that belongs to no connection.
    DeclareQueue {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
        /// Survives a restart.
        durable: bool,
        /// Goes with its last consumer.
        auto_delete: bool,
        /// Arguments as those of queue.declare.
        arguments: FieldTable,
    },
    /// Removes the ready messages of a queue.
    PurgeQueue {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
    },
    /// Deletes a queue.
    DeleteQueue {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
        /// Only when it has no consumers.
        if_unused: bool,
        /// Only when it has no ready messages.
        if_empty: bool,
    },
    /// The exchanges of a virtual host, or of all.
    ListExchanges {
        /// The virtual host's name; `None` for all.
        vhost: Option<String>,
    },
    /// Declares an exchange.
    DeclareExchange {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
        /// Its type, as `topic`.
        kind: String,
        /// Survives a restart.
        durable: bool,
        /// Goes with the last binding from it.
        auto_delete: bool,
        /// Takes messages from other exchanges only.
        internal: bool,
        /// Arguments as those of exchange.declare.
        arguments: FieldTable,
    },
    /// Deletes an exchange.
    DeleteExchange {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
        /// Only when there are no bindings from it.
        if_unused: bool,
    },
    /// Makes a binding.
    Bind(BindingSnapshot),
    /// Removes a binding; one that is not there is fine.
    Unbind(BindingSnapshot),
    /// The bindings of a virtual host, or of all, those of the default exchange among them.
    ListBindings {
        /// The virtual host's name; `None` for all.
        vhost: Option<String>,
    },

    /// Delayed messages of a virtual host, those published first before others.
    ListDelayed {
        /// Name of the virtual host.
        vhost: String,
        /// Only those that were published to this exchange; `None` = all.
        exchange: Option<String>,
        /// Only those with this id or a higher one.
        from: u64,
        /// At most so many.
        most: usize,
    },
    /// Drops a delayed message.
    CancelDelayed {
        /// Name of the virtual host.
        vhost: String,
        /// Its id.
        id: u64,
    },

    /// Exchanges, queues and bindings as definitions have them.
    ExportTopology {
        /// The virtual host's name; `None` for all.
        vhost: Option<String>,
    },
    /// Whether limits of virtual hosts let these queues be imported.
    CheckQueueLimits {
        /// Virtual host and name of each.
        queues: Vec<(String, String)>,
    },
    /// Imports objects of one kind; what exists is kept, or changed where RabbitMQ changes it.
    Import(ImportBatch),

    /// Something that is done with messages.
    Messages(Box<MessageCommand>),

    /// Finds out why a queue does not move.
    Diagnose {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
        /// The first look at it, which this is compared with.
        since: QueueMark,
    },
    /// Changes arguments of a queue that is there.
    ChangeArguments {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
        /// Arguments that it gets.
        set: FieldTable,
        /// Arguments that it loses.
        unset: Vec<String>,
    },

    /// Closes connections with 320; the reply tells how many were meant.
    CloseConnections {
        /// Which ones.
        which: Which,
        /// What the clients are told.
        reason: String,
    },

    /// Raises or clears an alarm by hand; a monitor of the resource that sees a change later sets it anew.
    SetAlarm {
        /// Which one.
        alarm: Alarm,
        /// True to raise it.
        raised: bool,
    },
    /// Changes when the memory alarm is raised; holds until the next start.
    SetMemoryWatermark(MemoryWatermark),
    /// Changes how many channels a connection may have, 0 = no limit; for connections from now on, until the next start.
    SetChannelMax(u16),
    /// The users who may log in from the node's own machine only.
    ListLoopbackUsers,
    /// Replaces them for logins from now on, until the next start.
    SetLoopbackUsers(Vec<String>),
}

impl AdminCommand {
    /// What the audit log tells of it, as `{:?}` would; `None` for what only asks, and for publishing and getting.
    pub fn logged(&self) -> Option<String> {
        match self {
            AdminCommand::As { command, .. } => command.logged(),
            AdminCommand::Import(batch) => {
                Some(format!("Import {{ kind: {:?}, objects: {} }}", batch.kind(), batch.len()))
            }
            AdminCommand::Messages(command) => command.is_change().then(|| format!("{command:?}")),
            command => command.is_change().then(|| format!("{command:?}")),
        }
    }

    /// False for what only asks. What is not listed here is taken for a change, which the audit log tells.
    fn is_change(&self) -> bool {
        use AdminCommand as Command;
        !matches!(
            self,
            Command::Overview
                | Command::ListUsers
                | Command::Authenticate { .. }
                | Command::ListVhosts
                | Command::ListPermissions
                | Command::ListTopicPermissions
                | Command::ListPolicies { .. }
                | Command::ListParameters { .. }
                | Command::ListGlobalParameters
                | Command::ListQueues { .. }
                | Command::Queue { .. }
                | Command::ListExchanges { .. }
                | Command::ListBindings { .. }
                | Command::ListDelayed { .. }
                | Command::ListLoopbackUsers
                | Command::Diagnose { .. }
                | Command::ExportTopology { .. }
                | Command::CheckQueueLimits { .. }
        )
    }
}

/// Whether a user that is to be changed has to exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenUserExists {
    /// Create or replace.
    #[default]
    Replace,
    /// Create only: an existing one is an error.
    Refuse,
    /// Change only: a missing one is an error.
    Require,
}

/// A password as it is given for a user.
#[derive(Clone, Debug)]
pub enum NewPassword {
    /// As it is typed.
    Plain(Secret),
    /// None: nobody logs in with one. Rules for passwords hold for it all the same, as in RabbitMQ.
    Nobody,
    /// As definitions have it; an empty hash lets nobody log in.
    Hash {
        /// Base64 of salt and digest.
        hash: String,
        /// RabbitMQ's module name; empty for MD5.
        algorithm: String,
    },
}

/// A text that `Debug` does not show.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The answer to an [`AdminCommand`].
#[derive(Clone, Debug)]
pub enum AdminReply {
    /// It is done; what was to be put existed before.
    Done,
    /// It is done, and something new exists.
    Created,
    /// How many messages were purged or deleted with their queue, or connections closed.
    Count(u64),
    /// The broker in numbers.
    Overview(Box<Overview>),
    /// Users by name.
    Users(Vec<UserDefinition>),
    /// Virtual hosts by name.
    Vhosts(Vec<VhostDefinition>),
    /// Permissions by user and virtual host.
    Permissions(Vec<PermissionDefinition>),
    /// Topic permissions by user, virtual host and exchange.
    TopicPermissions(Vec<TopicPermissionDefinition>),
    /// Policies by priority and name, the lowest first.
    Policies(Vec<PolicyDefinition>),
    /// Parameters by virtual host, component and name.
    Parameters(Vec<ParameterDefinition>),
    /// Parameters of the whole node by name.
    GlobalParameters(Vec<GlobalParameterDefinition>),
    /// Queues by virtual host and name.
    Queues(Vec<QueueSnapshot>),
    /// Exchanges by virtual host and name.
    Exchanges(Vec<ExchangeSnapshot>),
    /// Bindings by virtual host, source, destination and key.
    Bindings(Vec<BindingSnapshot>),
    /// Delayed messages, and the id to go on from when there may be more.
    Delayed(Vec<DelayedSnapshot>, Option<u64>),
    /// Topology as definitions have it.
    Topology(Box<TopologyDefinitions>),
    /// What became of the objects of an import, in their order.
    Imported(Vec<ImportOutcome>),
    /// What came of a command about messages.
    Messages(Box<MessageReply>),
    /// What was found about a queue, problems first.
    Findings(Vec<Finding>),
    /// Names of users.
    Names(Vec<String>),
}
