//! A user that has logged in.

use metadata::{UserDefinition, UserLimits};

use crate::password::PasswordHash;

/// A user as it was when it was last changed; a new one takes its place with every change.
#[derive(Clone, Debug)]
pub struct User {
    name: String,
    tags: Vec<String>,
    limits: UserLimits,
    pub(crate) password: Option<PasswordHash>,
}

impl User {
    pub(crate) fn new(definition: &UserDefinition) -> User {
        User {
            name: definition.name.clone(),
            tags: definition.tags.clone(),
            limits: definition.limits,
            password: PasswordHash::parse(&definition.hashing_algorithm, &definition.password_hash),
        }
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
