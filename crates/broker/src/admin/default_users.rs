//! Users that virtual hosts begin with: RabbitMQ's `default_users`.

use super::AdminError;
use super::registry::Writer;
use crate::accounts::VhostUser;
use crate::broker::Broker;
use auth::hash_password;
use metadata::{Change, PermissionDefinition, UserDefinition, UserLimits};
use tracing::{info, warn};

impl Broker {
    /// Creates those of the virtual host's name that are not there, and gives all of them their permissions in it.
    pub(super) fn add_default_users(&self, writer: &mut Writer<'_>, vhost: &str) -> Result<(), AdminError> {
        for user in &self.accounts().default_users {
            let matches = match auth::Pattern::compile_search(&user.vhost_pattern) {
                Ok(compiled) => compiled.is_match(vhost),
                Err(error) => {
                    warn!("default user '{}' is left out: {error}", user.name);
                    false
                }
            };
            if matches {
                self.add_default_user(writer, user, vhost)?;
            }
        }
        Ok(())
    }

    fn add_default_user(&self, writer: &mut Writer<'_>, user: &VhostUser, vhost: &str) -> Result<(), AdminError> {
        let VhostUser { name, tags, configure, write, read, .. } = user.clone();
        if !self.registry.current().users.iter().any(|existing| existing.name == name) {
            let algorithm = self.accounts().password_hashing;
            let hash = |password: &String| hash_password(algorithm, password.as_bytes());
            let password_hash = user.password.as_ref().map(hash).transpose();
            let definition = UserDefinition {
                name: name.clone(),
                password_hash: password_hash
                    .map_err(|error| AdminError::Unavailable(error.to_string()))?
                    .unwrap_or_default(),
                hashing_algorithm: algorithm.as_str().to_owned(),
                tags,
                limits: UserLimits::default(),
            };
            writer.commit(Change::PutUser(definition))?;
            info!(target: "user", "default user '{name}' created");
        }
        let vhost = vhost.to_owned();
        writer.commit(Change::PutPermission(PermissionDefinition { user: name, vhost, configure, write, read }))
    }
}
