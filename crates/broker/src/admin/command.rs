//! Administrative commands and their replies.

use super::{
    BindingSnapshot, ChannelSnapshot, ConnectionSnapshot, DelayedSnapshot, ExchangeSnapshot, Finding, MemoryWatermark,
    MessageCommand, MessageReply, Overview, QueueSnapshot,
};
use crate::broker::Alarm;
use crate::message::Which;
use amqp::{FieldTable, FieldValue};
use metadata::{
    GlobalParameterDefinition, ParameterDefinition, PermissionDefinition, PolicyDefinition, PolicyKind,
    TopicPermissionDefinition, UserDefinition, VhostDefinition,
};
use std::fmt;
use std::time::Duration;

/// Something that an operator wants to know or to change.
#[derive(Clone, Debug)]
pub enum AdminCommand {
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
        /// Whether it has to exist.
        when: WhenUserExists,
    },
    /// Deletes a user, its permissions, and closes its connections.
    DeleteUser {
        /// Its name.
        name: String,
    },
    /// Checks a name and password, as a login from this machine would.
    Authenticate {
        /// The user's name.
        name: String,
        /// The password to check.
        password: Secret,
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

    /// Something that is done with messages.
    Messages(Box<MessageCommand>),

    /// Finds out why a queue does not move.
    Diagnose {
        /// The virtual host's name.
        vhost: String,
        /// Its name.
        name: String,
        /// How long it is watched.
        sample: Duration,
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

    /// All connections.
    ListConnections,
    /// All channels with their consumers.
    ListChannels,
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
    /// What came of a command about messages.
    Messages(Box<MessageReply>),
    /// What was found about a queue, problems first.
    Findings(Vec<Finding>),
    /// Names of users.
    Names(Vec<String>),
    /// Connections by id.
    Connections(Vec<ConnectionSnapshot>),
    /// Channels by connection id and number.
    Channels(Vec<ChannelSnapshot>),
}
