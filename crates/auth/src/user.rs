//! A user that has logged in.

use std::fmt;
use std::sync::{Arc, LazyLock};

use metadata::{UserDefinition, UserLimits};

use crate::password::PasswordHash;
use crate::session::Session;
use crate::{Asked, Token};

/// A user as it was when it was last changed, or logged in; a new one takes its place with every change.
#[derive(Clone, Debug)]
pub struct User {
    name: String,
    tags: Vec<String>,
    limits: UserLimits,
    pub(crate) password: Option<PasswordHash>,
    /// Who says what it may do, all of whom have to agree; nobody stands for the internal database.
    pub(crate) grants: Vec<Grant>,
    /// True when the internal database has authenticated it, or would.
    pub(crate) is_internal: bool,
}

/// Who says what a user may do.
#[derive(Clone)]
pub(crate) enum Grant {
    /// The internal database.
    Internal,
    /// What it brought along.
    Token(Arc<dyn Token>),
    /// Somebody who has to be asked.
    Asked(Arc<Session>),
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Grant::Internal => "Internal",
            Grant::Token(_) => "Token",
            Grant::Asked(_) => "Asked",
        })
    }
}

static NOBODY: LazyLock<User> = LazyLock::new(|| User::new(&UserDefinition::default()));

impl User {
    pub(crate) fn new(definition: &UserDefinition) -> User {
        User {
            name: definition.name.clone(),
            tags: definition.tags.clone(),
            limits: definition.limits,
            password: PasswordHash::parse(&definition.hashing_algorithm, &definition.password_hash),
            grants: Vec::new(),
            is_internal: true,
        }
    }

    /// A user that others than the internal database know.
    pub(crate) fn external(name: String, tags: Vec<String>, grants: Vec<Grant>) -> User {
        User { name, tags, limits: UserLimits::default(), password: None, grants, is_internal: false }
    }

    /// Whoever has not logged in, who may do nothing.
    pub fn nobody() -> &'static User {
        &NOBODY
    }

    /// The user's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The user's tags in the order in which they were set.
    pub fn tags(&self) -> &[String] {
        &self.tags
    }

    /// The user's own limits.
    pub fn limits(&self) -> UserLimits {
        self.limits
    }

    /// True when everything about it is in the internal database, so that its login holds until that changes.
    pub fn is_internal(&self) -> bool {
        self.is_internal
    }

    /// When its login ends, in s since 1970: the first of its tokens to expire.
    pub fn expires_at_s(&self) -> Option<u64> {
        self.tokens().filter_map(|token| token.expires_at_s()).min()
    }

    pub(crate) fn tokens(&self) -> impl Iterator<Item = &Arc<dyn Token>> {
        self.grants.iter().filter_map(|grant| match grant {
            Grant::Token(token) => Some(token),
            _ => None,
        })
    }

    fn sessions(&self) -> impl Iterator<Item = &Arc<Session>> {
        self.grants.iter().filter_map(|grant| match grant {
            Grant::Asked(session) => Some(session),
            _ => None,
        })
    }

    /// True when somebody has to be asked what it may do.
    pub fn has_to_be_asked_for(&self) -> bool {
        self.sessions().next().is_some()
    }

    /// True when the internal database alone says what it may do.
    pub fn asks_internally(&self) -> bool {
        self.grants.is_empty()
    }

    /// True while there is a question to which the answer was [`Verdict::Unknown`](crate::Verdict).
    pub fn is_pending(&self) -> bool {
        self.sessions().any(|session| session.is_pending())
    }

    /// The question to which the last answer was [`Verdict::Unknown`](crate::Verdict).
    pub fn take_pending(&self) -> Option<Asked> {
        // Each of them forgets its own.
        self.sessions().fold(None, |found, session| session.take_pending().or(found))
    }

    /// The operation for which questions were asked is over: a refusal does not count for the next.
    pub fn forget_refusals(&self) {
        self.sessions().for_each(|session| session.forget_refusals());
    }

    /// Everything is to be asked anew.
    pub fn forget_answers(&self) {
        self.sessions().for_each(|session| session.forget());
    }

    /// May do and see everything.
    pub fn is_administrator(&self) -> bool {
        self.has_any(&["administrator"])
    }

    /// May see all connections, channels and node figures, of other users too.
    pub fn is_monitor(&self) -> bool {
        self.has_any(&["administrator", "monitoring"])
    }

    /// May set policies and parameters in virtual hosts open to it.
    pub fn is_policymaker(&self) -> bool {
        self.has_any(&["administrator", "policymaker"])
    }

    /// May use the management API at all.
    pub fn is_management_user(&self) -> bool {
        self.has_any(&["administrator", "monitoring", "policymaker", "management"])
    }

    /// May publish with the `user_id` of another user.
    pub fn is_impersonator(&self) -> bool {
        self.has_any(&["impersonator"])
    }

    fn has_any(&self, tags: &[&str]) -> bool {
        self.tags.iter().any(|tag| tags.contains(&tag.as_str()))
    }
}
