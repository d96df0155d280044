//! What a node with an empty database starts with.

use std::fmt;

use metadata::{Change, PermissionDefinition, UserDefinition, UserLimits, VhostDefinition};

use crate::{HashingAlgorithm, PasswordError, hash_password};

/// The virtual host and user of `default_vhost`, `default_user` and the keys beside them; `Debug` leaves the password out.
#[derive(Clone)]
pub struct DefaultUser {
    /// `default_user`.
    pub name: String,
    /// `default_pass`.
    pub password: String,
    /// `default_user_tags`.
    pub tags: Vec<String>,
    /// `default_vhost`.
    pub vhost: String,
    /// `default_permissions.configure`.
    pub configure: String,
    /// `default_permissions.write`.
    pub write: String,
    /// `default_permissions.read`.
    pub read: String,
    /// `password_hashing_module`.
    pub hashing: HashingAlgorithm,
    /// The type in `default_queue_type` that the virtual host gets; `None` follows the node.
    pub default_queue_type: Option<String>,
}

impl Default for DefaultUser {
    fn default() -> DefaultUser {
        DefaultUser {
            name: "guest".to_owned(),
            password: "guest".to_owned(),
            tags: vec!["administrator".to_owned()],
            vhost: "/".to_owned(),
            configure: ".*".to_owned(),
            write: ".*".to_owned(),
            read: ".*".to_owned(),
            hashing: HashingAlgorithm::default(),
            default_queue_type: None,
        }
    }
}

impl fmt::Debug for DefaultUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DefaultUser")
            .field("name", &self.name)
            .field("tags", &self.tags)
            .field("vhost", &self.vhost)
            .finish_non_exhaustive()
    }
}

impl DefaultUser {
    /// The changes to propose, as one group, when [`metadata::Snapshot::is_fresh`].
    pub fn changes(&self) -> Result<Vec<Change>, PasswordError> {
        let algorithm = self.hashing;
        let vhost = VhostDefinition {
            name: self.vhost.clone(),
            description: "Default virtual host".to_owned(),
            default_queue_type: self.default_queue_type.clone(),
            ..VhostDefinition::default()
        };
        let user = UserDefinition {
            name: self.name.clone(),
            password_hash: hash_password(algorithm, self.password.as_bytes())?,
            hashing_algorithm: algorithm.as_str().to_owned(),
            tags: self.tags.clone(),
            limits: UserLimits::default(),
        };
        let permission = PermissionDefinition {
            user: self.name.clone(),
            vhost: self.vhost.clone(),
            configure: self.configure.clone(),
            write: self.write.clone(),
            read: self.read.clone(),
        };
        Ok(vec![Change::PutVhost(vhost), Change::PutUser(user), Change::PutPermission(permission)])
    }
}
