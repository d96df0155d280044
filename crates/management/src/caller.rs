//! Who makes a request, and what RabbitMQ's tags let them do.

use auth::{Question, User};
use broker::Broker;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// What a user may do over HTTP, beside its permissions: RabbitMQ's four tags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tags {
    pub(crate) administrator: bool,
    pub(crate) monitoring: bool,
    pub(crate) policymaker: bool,
    pub(crate) management: bool,
}

impl Tags {
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Tags {
        let mut tags = Tags::default();
        for name in names {
            match name {
                "administrator" => tags.administrator = true,
                "monitoring" => tags.monitoring = true,
                "policymaker" => tags.policymaker = true,
                "management" => tags.management = true,
                _ => {}
            }
        }
        tags
    }

    /// May use the API at all: each of the four tags says so.
    pub(crate) fn is_management_user(self) -> bool {
        self.administrator || self.monitoring || self.policymaker || self.management
    }

    /// Sees what belongs to others.
    pub(crate) fn is_monitor(self) -> bool {
        self.administrator || self.monitoring
    }

    /// Changes policies and parameters where it has permissions.
    pub(crate) fn is_policymaker(self) -> bool {
        self.administrator || self.policymaker
    }
}

/// Where a request came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The unix socket in the data directory, which only root and the broker's own user can open.
    Socket,
    /// A client at this address.
    Network(SocketAddr),
}

/// Who makes a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Name of the user; empty for whoever came by the socket.
    pub(crate) name: Arc<str>,
    /// Its tags as they are listed.
    pub(crate) tag_names: Vec<String>,
    pub(crate) tags: Tags,
    pub(crate) origin: Origin,
    /// The user as it logged in; nobody for whoever came by the socket.
    pub(crate) user: Arc<User>,
}

impl Caller {
    /// Whoever can open the socket may do everything.
    pub(crate) fn operator() -> Caller {
        let tag_names = vec!["administrator".to_owned()];
        let tags = Tags::new(tag_names.iter().map(String::as_str));
        Caller { name: "".into(), tag_names, tags, origin: Origin::Socket, user: Arc::new(User::nobody().clone()) }
    }

    /// A user that logged in from `peer`.
    pub(crate) fn user(user: Arc<User>, peer: SocketAddr) -> Caller {
        let tag_names = user.tags().to_vec();
        let tags = Tags::new(tag_names.iter().map(String::as_str));
        Caller { name: user.name().into(), tag_names, tags, origin: Origin::Network(peer), user }
    }

    /// Where it is; `None` for whoever came by the socket.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        match self.origin {
            Origin::Socket => None,
            Origin::Network(peer) => Some(peer.ip()),
        }
    }

    /// True when it may open `vhost`, as far as that is known.
    pub(crate) fn is_let_into(&self, broker: &Broker, vhost: &str) -> bool {
        broker.access.decide(&self.user, Question::Vhost { vhost, peer: self.peer() }).is_allowed()
    }

    /// True for whoever came by the socket: permissions are not asked.
    pub(crate) fn is_operator(&self) -> bool {
        self.origin == Origin::Socket
    }
}
