//! Users, virtual hosts and permissions in memory, and the questions they answer.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use metadata::{Change, Snapshot};

use crate::password::PasswordHash;
use crate::permissions::{Permissions, TopicPermissions};
use crate::{Attempt, Chain, LoginError, LoginSettings, Mechanism, Permission, Resource, User, VhostRefused};

/// The internal authentication and authorization backend, and the chain of backends that it may be a link of.
///
/// Every question takes a read lock. Whoever asks often keeps the answers together with [`generation`] and asks again
/// when it has moved.
///
/// [`generation`]: AccessControl::generation
pub struct AccessControl {
    settings: LoginSettings,
    /// `loopback_users`, which an operator may change while the node runs.
    loopback_users: RwLock<Vec<String>>,
    state: RwLock<State>,
    generation: AtomicU64,
    pub(crate) chain: RwLock<Arc<Chain>>,
    /// Another one for HTTP.
    pub(crate) http_chain: RwLock<Option<Arc<Chain>>>,
}

/// What changes with the definitions; virtual hosts stand behind users in every key, as in the definitions.
#[derive(Default)]
struct State {
    vhosts: HashSet<String>,
    users: HashMap<String, Arc<User>>,
    permissions: HashMap<String, HashMap<String, Permissions>>,
    topic_permissions: HashMap<String, HashMap<String, TopicPermissions>>,
}

impl AccessControl {
    /// Starts from what the journal found.
    pub fn new(settings: LoginSettings, snapshot: &Snapshot) -> AccessControl {
        let mut state = State::default();
        state.vhosts.extend(snapshot.vhosts.iter().map(|vhost| vhost.name.clone()));
        for user in &snapshot.users {
            state.users.insert(user.name.clone(), Arc::new(User::new(user)));
        }
        for permission in &snapshot.permissions {
            state.put_permission(permission);
        }
        for permission in &snapshot.topic_permissions {
            state.put_topic_permission(permission);
        }
        let loopback_users = RwLock::new(settings.loopback_users.clone());
        AccessControl {
            settings,
            loopback_users,
            state: RwLock::new(state),
            generation: AtomicU64::new(0),
            chain: RwLock::default(),
            http_chain: RwLock::default(),
        }
    }

    /// Follows a change, once it is durable; changes of other definitions are ignored.
    pub fn apply(&self, change: &Change) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.apply(change) {
            // Under the lock: an answer of the old state is never cached under the new generation.
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    /// A number that moves with every change; answers kept under an older one are to be asked for again.
    ///
    /// Read it before asking, not after.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Has answers that are kept elsewhere asked for again.
    pub(crate) fn raise_generation(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn settings(&self) -> &LoginSettings {
        &self.settings
    }

    /// The mechanisms for `connection.start`, in order.
    pub fn offered_mechanisms(&self) -> Vec<Mechanism> {
        self.settings.offered()
    }

    /// Those who may log in from the node's own machine only.
    pub fn loopback_users(&self) -> Vec<String> {
        self.loopback_users.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces them for logins from now on; the settings hold again after a restart.
    pub fn set_loopback_users(&self, names: Vec<String>) {
        *self.loopback_users.write().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// The user called `name` as it is now, for who has logged in before or by other means.
    pub fn user(&self, name: &str) -> Option<Arc<User>> {
        self.state().users.get(name).cloned()
    }

    /// Whether `user` may open `vhost`: it needs permissions there, be they empty.
    pub fn check_vhost(&self, user: &str, vhost: &str) -> Result<(), VhostRefused> {
        let state = self.state();
        if !state.vhosts.contains(vhost) {
            return Err(VhostRefused::NotFound { vhost: vhost.to_owned() });
        }
        if state.permissions(user, vhost).is_none() {
            return Err(VhostRefused::Refused { vhost: vhost.to_owned(), user: user.to_owned() });
        }
        Ok(())
    }

    /// Whether `user` may do `permission` on `resource`; [`AccessRefused`](crate::AccessRefused) words a refusal.
    pub fn check(&self, user: &str, resource: Resource<'_>, permission: Permission) -> bool {
        self.state()
            .permissions(user, resource.vhost)
            .is_some_and(|permissions| permissions.allow(permission, resource.name))
    }

    /// Whether `user` may publish with (write) or bind to (read) `routing_key` on a topic exchange.
    ///
    /// Without topic permissions for the exchange everything is allowed. `client_id` is what `{client_id}` in a pattern
    /// stands for; AMQP 0-9-1 clients have none and the text stays as it is.
    pub fn check_topic(
        &self,
        user: &str,
        vhost: &str,
        exchange: &str,
        permission: Permission,
        routing_key: &str,
        client_id: Option<&str>,
    ) -> bool {
        self.state()
            .topic_permissions
            .get(user)
            .and_then(|of_user| of_user.get(vhost))
            .is_none_or(|permissions| permissions.allow(exchange, permission, routing_key, client_id))
    }

    /// True when topic permissions of `user` in `vhost` exist at all, so that who has none is never asked again.
    pub fn has_topic_permissions(&self, user: &str, vhost: &str) -> bool {
        self.state().topic_permissions.get(user).is_some_and(|of_user| of_user.contains_key(vhost))
    }

    /// Checks a name and its password, or the name alone of a client that has proved it by other means.
    pub(crate) fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Arc<User>, LoginError> {
        let shown = || attempt.user.to_owned();
        let user = self.user(attempt.user);
        let Some(password) = attempt.password else {
            return user.ok_or_else(|| LoginError::InvalidCredentials { user: shown() });
        };
        if password.is_empty() {
            return Err(LoginError::BlankPassword { user: shown() });
        }
        // An unknown user, and one without a password, cost as much as a wrong password, so that time tells no names.
        let own = user.as_ref().and_then(|user| user.password.as_ref());
        let is_right = match own {
            Some(hash) => hash.verify(password),
            None => {
                // What fits a hash that is another's is nobody's password.
                self.decoy(attempt.user).verify(password);
                false
            }
        };
        user.filter(|_| is_right).ok_or_else(|| LoginError::InvalidCredentials { user: shown() })
    }

    /// A hash to spend the time of one that is not there: that of a user whom the name chooses, and the same one each time,
    /// so that names which are there and names which are not are slow and quick alike.
    fn decoy(&self, name: &str) -> PasswordHash {
        let state = self.state();
        let count = u64::try_from(state.users.len()).unwrap_or(u64::MAX).max(1);
        let at = usize::try_from(state.users.hasher().hash_one(name) % count).unwrap_or(0);
        state.users.values().nth(at).and_then(|user| user.password.clone()).unwrap_or_else(PasswordHash::of_nobody)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn permissions(&self, user: &str, vhost: &str) -> Option<&Permissions> {
        self.permissions.get(user)?.get(vhost)
    }

    /// Applies `change`; false when it has nothing to do with access.
    fn apply(&mut self, change: &Change) -> bool {
        match change {
            Change::PutVhost(vhost) => {
                self.vhosts.insert(vhost.name.clone());
            }
            Change::DeleteVhost { name } => {
                self.vhosts.remove(name);
                self.permissions.values_mut().for_each(|of_user| drop(of_user.remove(name)));
                self.topic_permissions.values_mut().for_each(|of_user| drop(of_user.remove(name)));
            }
            Change::PutUser(user) => {
                self.users.insert(user.name.clone(), Arc::new(User::new(user)));
            }
            Change::DeleteUser { name } => {
                self.users.remove(name);
                self.permissions.remove(name);
                self.topic_permissions.remove(name);
            }
            Change::PutPermission(permission) => self.put_permission(permission),
            Change::DeletePermission { user, vhost } => {
                self.permissions.get_mut(user).map(|of_user| of_user.remove(vhost));
            }
            Change::PutTopicPermission(permission) => self.put_topic_permission(permission),
            Change::DeleteTopicPermission { user, vhost, exchange } => {
                self.delete_topic_permission(user, vhost, exchange.as_deref());
            }
            _ => return false,
        }
        true
    }

    fn put_permission(&mut self, permission: &metadata::PermissionDefinition) {
        let of_user = self.permissions.entry(permission.user.clone()).or_default();
        of_user.insert(permission.vhost.clone(), Permissions::new(permission));
    }

    fn put_topic_permission(&mut self, permission: &metadata::TopicPermissionDefinition) {
        let of_user = self.topic_permissions.entry(permission.user.clone()).or_default();
        of_user.entry(permission.vhost.clone()).or_default().put(permission);
    }

    fn delete_topic_permission(&mut self, user: &str, vhost: &str, exchange: Option<&str>) {
        let Some(of_user) = self.topic_permissions.get_mut(user) else { return };
        let emptied = of_user.get_mut(vhost).is_some_and(|permissions| {
            exchange.is_none_or(|exchange| {
                permissions.delete(exchange);
                permissions.is_empty()
            })
        });
        if emptied {
            of_user.remove(vhost);
        }
    }
}

#[cfg(test)]
mod tests;
