//! The headings under which help lists commands, in RabbitMQ's order.

/// A heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Help,
    Nodes,
    Cluster,
    Replication,
    Users,
    Access,
    Monitoring,
    Parameters,
    Policies,
    Vhosts,
    Configuration,
    Definitions,
    FeatureFlags,
    Operations,
    Queues,
    Messages,
    Plugins,
    Upgrade,
    Deprecated,
}

impl Section {
    pub(crate) const ALL: [Section; 19] = [
        Section::Help,
        Section::Nodes,
        Section::Cluster,
        Section::Replication,
        Section::Users,
        Section::Access,
        Section::Monitoring,
        Section::Parameters,
        Section::Policies,
        Section::Vhosts,
        Section::Configuration,
        Section::Definitions,
        Section::FeatureFlags,
        Section::Operations,
        Section::Queues,
        Section::Messages,
        Section::Plugins,
        Section::Upgrade,
        Section::Deprecated,
    ];

    /// Its words.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Section::Help => "Help",
            Section::Nodes => "Nodes",
            Section::Cluster => "Cluster",
            Section::Replication => "Replication",
            Section::Users => "Users",
            Section::Access => "Access Control",
            Section::Monitoring => "Monitoring, observability and health checks",
            Section::Parameters => "Parameters",
            Section::Policies => "Policies",
            Section::Vhosts => "Virtual hosts",
            Section::Configuration => "Configuration and Environment",
            Section::Definitions => "Definitions",
            Section::FeatureFlags => "Feature flags",
            Section::Operations => "Operations",
            Section::Queues => "Queues",
            Section::Messages => "Messages",
            Section::Plugins => "Plugin Management",
            Section::Upgrade => "Upgrade",
            Section::Deprecated => "Deprecated",
        }
    }
}
