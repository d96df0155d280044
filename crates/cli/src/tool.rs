//! The tools: names under which RabbitMQ's commands are known, each with commands of its own.

/// A tool; commands belong to one or more of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `rabbitmqctl`: administration.
    Ctl,
    /// `rabbitmq-diagnostics`: looking and checking; nothing is changed.
    Diagnostics,
    /// `rabbitmq-queues`: replicas and leaders of queues.
    Queues,
    /// `rabbitmq-streams`: replicas of streams.
    Streams,
    /// `rabbitmq-plugins`: which plugins are enabled.
    Plugins,
    /// `rabbitmq-upgrade`: taking a node out of service and back.
    Upgrade,
}

impl Tool {
    /// All of them.
    pub const ALL: [Tool; 6] =
        [Tool::Ctl, Tool::Diagnostics, Tool::Queues, Tool::Streams, Tool::Plugins, Tool::Upgrade];

    /// The word behind `leveret`.
    pub fn word(self) -> &'static str {
        match self {
            Tool::Ctl => "ctl",
            Tool::Diagnostics => "diagnostics",
            Tool::Queues => "queues",
            Tool::Streams => "streams",
            Tool::Plugins => "plugins",
            Tool::Upgrade => "upgrade",
        }
    }

    /// The name of RabbitMQ's program.
    pub fn program(self) -> &'static str {
        match self {
            Tool::Ctl => "rabbitmqctl",
            Tool::Diagnostics => "rabbitmq-diagnostics",
            Tool::Queues => "rabbitmq-queues",
            Tool::Streams => "rabbitmq-streams",
            Tool::Plugins => "rabbitmq-plugins",
            Tool::Upgrade => "rabbitmq-upgrade",
        }
    }

    /// The tool that a program of this name is.
    pub fn of_program(name: &str) -> Option<Tool> {
        Tool::ALL.into_iter().find(|tool| tool.program() == name)
    }

    /// The tool of this word behind `leveret`.
    pub fn of_word(word: &str) -> Option<Tool> {
        Tool::ALL.into_iter().find(|tool| tool.word() == word)
    }
}

/// A set of tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tools(u8);

impl Tools {
    pub(crate) const CTL: Tools = Tools(1 << Tool::Ctl as u8);
    pub(crate) const DIAGNOSTICS: Tools = Tools(1 << Tool::Diagnostics as u8);
    pub(crate) const QUEUES: Tools = Tools(1 << Tool::Queues as u8);
    pub(crate) const STREAMS: Tools = Tools(1 << Tool::Streams as u8);
    pub(crate) const PLUGINS: Tools = Tools(1 << Tool::Plugins as u8);
    pub(crate) const UPGRADE: Tools = Tools(1 << Tool::Upgrade as u8);
    /// What looks and changes nothing.
    pub(crate) const LOOKING: Tools = Tools::CTL.and(Tools::DIAGNOSTICS);

    /// Both.
    pub(crate) const fn and(self, other: Tools) -> Tools {
        Tools(self.0 | other.0)
    }

    /// True for a tool of the set.
    pub(crate) fn contains(self, tool: Tool) -> bool {
        self.0 & (1 << tool as u8) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for tool in Tool::ALL {
            assert_eq!(Tool::of_program(tool.program()), Some(tool));
            assert_eq!(Tool::of_word(tool.word()), Some(tool));
            assert!(!tool.program().contains(' '));
        }
        assert_eq!(Tool::of_program("leveret"), None);
    }

    #[test]
    fn sets_hold_what_they_are_made_of() {
        let both = Tools::CTL.and(Tools::UPGRADE);
        let held: Vec<_> = Tool::ALL.into_iter().filter(|tool| both.contains(*tool)).collect();
        assert_eq!(held, [Tool::Ctl, Tool::Upgrade]);
    }
}
