//! How many connections, channels, queues and exchanges there are, and how many there may be.
//!
//! Connections and channels hold a [`Place`] in everything that counts them, and give it up when they are dropped, so
//! that no way of ending can forget one.

use crate::broker::Broker;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use metadata::{UserDefinition, UserLimits};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A limit that operators may change at any time.
#[derive(Debug)]
pub(crate) struct Limit(AtomicI64);

impl Default for Limit {
    fn default() -> Limit {
        Limit(AtomicI64::new(NO_LIMIT))
    }
}

const NO_LIMIT: i64 = -1;

impl Limit {
    /// Changes it; a negative number is no limit, as in RabbitMQ.
    pub(crate) fn set(&self, most: Option<i64>) {
        self.0.store(most.unwrap_or(NO_LIMIT), Ordering::Relaxed);
    }

    /// How many there may be; `None` = any number.
    pub(crate) fn most(&self) -> Option<u64> {
        u64::try_from(self.0.load(Ordering::Relaxed)).ok()
    }
}

/// How many hold a place.
#[derive(Debug, Default)]
pub(crate) struct Tally(AtomicU64);

impl Tally {
    /// A place, however many there are.
    pub(crate) fn enter_freely(self: &Arc<Tally>) -> Place {
        self.0.fetch_add(1, Ordering::Relaxed);
        Place(self.clone())
    }

    /// How many hold a place now.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A place, unless there are as many as there may be; then that number.
    pub(crate) fn enter(self: &Arc<Tally>, most: Option<u64>) -> Result<Place, u64> {
        let room = |count: u64| most.is_none_or(|most| count < most).then_some(count + 1);
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room) {
            Ok(_) => Ok(Place(self.clone())),
            Err(_) => Err(most.unwrap_or(u64::MAX)),
        }
    }
}

/// One that is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Arc<Tally>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What limits of a virtual host look at.
#[derive(Debug, Default)]
pub(crate) struct VhostLimits {
    /// `max-connections`.
    pub(crate) max_connections: Limit,
    /// `max-queues`.
    pub(crate) max_queues: Limit,
    pub(crate) connections: Arc<Tally>,
}

/// Objects of a virtual host, for limits of the whole node; kept beside its topology so that they can be added up
/// without its lock.
#[derive(Debug, Default)]
pub(crate) struct ObjectCounts {
    pub(crate) queues: AtomicUsize,
    pub(crate) exchanges: AtomicUsize,
}

/// A user's connections and channels, and how many those may be.
#[derive(Debug, Default)]
pub(crate) struct UserUse {
    pub(crate) max_connections: Limit,
    pub(crate) max_channels: Limit,
    pub(crate) connections: Arc<Tally>,
    pub(crate) channels: Arc<Tally>,
}

impl UserUse {
    fn set(&self, limits: UserLimits) {
        self.max_connections.set(limits.max_connections);
        self.max_channels.set(limits.max_channels);
    }
}

impl Broker {
    /// What a user has open, and how much that may be.
    pub(crate) fn user_in_use(&self, name: &str) -> Arc<UserUse> {
        self.users_in_use.of(name, || {
            let users = &self.registry.current().users;
            let found = users.binary_search_by(|user| user.name.as_str().cmp(name));
            found.ok().and_then(|at| users.get(at)).map(|user| user.limits).unwrap_or_default()
        })
    }
}

/// Users who are known before those who have nothing open are forgotten.
const MOST_IDLE: usize = 4096;

/// The users who have connected, by name.
#[derive(Debug, Default)]
pub(crate) struct UsersInUse(Mutex<HashMap<String, Arc<UserUse>, RandomState>>);

impl UsersInUse {
    /// What `name` uses; its limits come from `limits` when it connects for the first time.
    pub(crate) fn of(&self, name: &str, limits: impl FnOnce() -> UserLimits) -> Arc<UserUse> {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(user) = users.get(name) {
            return user.clone();
        }
        // Under the lock: limits that change meanwhile are set behind this.
        let user = Arc::new(UserUse::default());
        user.set(limits());
        if users.len() >= MOST_IDLE {
            // Names come from outside where tokens have them: those who have nothing open are forgotten.
            users.retain(|_, user| Arc::strong_count(user) > 1);
        }
        users.insert(name.to_owned(), user.clone());
        user
    }

    /// The limits of a user have changed.
    pub(crate) fn changed(&self, user: &UserDefinition) {
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        users.get(&user.name).inspect(|known| known.set(user.limits));
    }

    /// A user is gone.
    pub(crate) fn removed(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_up() {
        let tally = Arc::new(Tally::default());
        let first = tally.enter(Some(2)).unwrap();
        let _second = tally.enter(Some(2)).unwrap();
        assert_eq!(tally.enter(Some(2)).unwrap_err(), 2);
        assert_eq!(tally.enter(Some(0)).unwrap_err(), 0);
        tally.enter(None).unwrap();
        drop(first);
        tally.enter(Some(2)).unwrap();
    }

    #[test]
    fn a_negative_limit_is_none() {
        let limit = Limit::default();
        assert_eq!(limit.most(), None);
        limit.set(Some(0));
        assert_eq!(limit.most(), Some(0));
        limit.set(Some(-5));
        assert_eq!(limit.most(), None);
    }

    #[test]
    fn limits_of_a_user_change_while_it_is_connected() {
        let users = UsersInUse::default();
        let limits = UserLimits { max_connections: Some(3), max_channels: None };
        let user = users.of("u", || limits);
        assert_eq!(user.max_connections.most(), Some(3));
        let definition = |name: &str, max_channels| UserDefinition {
            name: name.into(),
            limits: UserLimits { max_connections: None, max_channels },
            ..UserDefinition::default()
        };
        users.changed(&definition("u", Some(1)));
        users.changed(&definition("other", Some(9)));
        assert_eq!((user.max_connections.most(), user.max_channels.most()), (None, Some(1)));
        assert!(Arc::ptr_eq(&user, &users.of("u", || limits)));
    }
}
