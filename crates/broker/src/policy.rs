//! Policies: which of a virtual host's apply to a queue or an exchange, and what they add up to.
//!
//! Policies are compiled once, when they are set. An object has at most one user policy and one operator policy: of
//! those that match its name and kind, the one with the highest priority, and of several the one whose name is first
//! (RabbitMQ leaves that to the order of a table). The two are merged, key by key.

mod keys;
mod merge;
mod terms;

pub(crate) use keys::without_effect;
pub(crate) use merge::{Sources, merged};
pub(crate) use terms::{Invalid, definition_of_terms, integer_or_error, proplist, terms_of};

use amqp::{FieldTable, FieldValue};
use auth::{Pattern, PatternError};
use metadata::{ApplyTo, PolicyDefinition, PolicyKind};
use std::sync::Arc;

/// A policy that has been compiled.
#[derive(Debug)]
pub struct Policy {
    /// As it was set.
    pub definition: PolicyDefinition,
    pattern: Pattern,
}

impl Policy {
    /// Compiles a policy.
    pub(crate) fn compile(definition: PolicyDefinition) -> Result<Policy, PatternError> {
        let pattern = Pattern::compile_search(&definition.pattern)?;
        Ok(Policy { definition, pattern })
    }

    fn applies(&self, subject: Subject, name: &str) -> bool {
        let unsupported: &[&str] = match (subject, self.definition.apply_to) {
            (Subject::Exchange, ApplyTo::All | ApplyTo::Exchanges) => &[],
            (Subject::ClassicQueue, ApplyTo::All | ApplyTo::Queues | ApplyTo::ClassicQueues) => keys::NOT_FOR_CLASSIC,
            (Subject::QuorumQueue, ApplyTo::All | ApplyTo::Queues | ApplyTo::QuorumQueues) => keys::NOT_FOR_QUORUM,
            _ => return false,
        };
        // RabbitMQ: a policy with one key that the queue's type does not support does not apply to it at all.
        !unsupported.iter().any(|key| self.definition.definition.get(key).is_some()) && self.pattern.is_match(name)
    }
}

/// What a policy may apply to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Exchange,
    ClassicQueue,
    /// A classic queue that stands in for a quorum queue (`leveret.quorum_as_classic`).
    QuorumQueue,
}

/// The policies in force for an object.
#[derive(Clone, Debug, Default)]
pub struct InForce {
    /// The user policy.
    pub user: Option<Arc<Policy>>,
    /// The operator policy.
    pub operator: Option<Arc<Policy>>,
}

impl InForce {
    /// What the two add up to, sorted by key; empty without a policy.
    pub fn definition(&self) -> FieldTable {
        let table = |policy: &Option<Arc<Policy>>| policy.as_ref().map(|policy| policy.definition.definition.clone());
        match (table(&self.user), table(&self.operator)) {
            (Some(user), Some(operator)) => merged(&user, &operator),
            (user, operator) => user.or(operator).unwrap_or_default(),
        }
    }

    /// True while there is neither.
    pub fn is_empty(&self) -> bool {
        self.user.is_none() && self.operator.is_none()
    }

    fn is_same(&self, other: &InForce) -> bool {
        let same = |a: &Option<Arc<Policy>>, b: &Option<Arc<Policy>>| match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same(&self.user, &other.user) && same(&self.operator, &other.operator)
    }
}

impl PartialEq for InForce {
    fn eq(&self, other: &InForce) -> bool {
        self.is_same(other)
    }
}

/// The policies of a virtual host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Policies {
    user: Vec<Arc<Policy>>,
    operator: Vec<Arc<Policy>>,
}

impl Policies {
    /// The same with `policy`, in place of one of its name.
    pub(crate) fn with(&self, policy: Policy) -> Policies {
        let mut changed = self.without(policy.definition.kind, &policy.definition.name);
        let list = changed.list_mut(policy.definition.kind);
        let rank = |policy: &Policy| (std::cmp::Reverse(policy.definition.priority), policy.definition.name.clone());
        let at = list.partition_point(|other| rank(other) < rank(&policy));
        list.insert(at, Arc::new(policy));
        changed
    }

    /// The same without the policy called `name`.
    pub(crate) fn without(&self, kind: PolicyKind, name: &str) -> Policies {
        let mut changed = self.clone();
        changed.list_mut(kind).retain(|policy| policy.definition.name != name);
        changed
    }

    fn list_mut(&mut self, kind: PolicyKind) -> &mut Vec<Arc<Policy>> {
        match kind {
            PolicyKind::User => &mut self.user,
            PolicyKind::Operator => &mut self.operator,
        }
    }

    /// Those in force for a queue that was declared with `arguments`.
    pub(crate) fn for_queue(&self, name: &str, arguments: &FieldTable) -> InForce {
        match arguments.get("x-queue-type").and_then(FieldValue::as_str) {
            Some("quorum") => self.for_subject(Subject::QuorumQueue, name),
            _ => self.for_subject(Subject::ClassicQueue, name),
        }
    }

    /// Those in force for an exchange.
    pub(crate) fn for_exchange(&self, name: &str) -> InForce {
        self.for_subject(Subject::Exchange, name)
    }

    fn for_subject(&self, subject: Subject, name: &str) -> InForce {
        // The lists are in the order of rank, so that the first that matches wins.
        let first = |list: &[Arc<Policy>]| list.iter().find(|policy| policy.applies(subject, name)).cloned();
        InForce { user: first(&self.user), operator: first(&self.operator) }
    }
}

#[cfg(test)]
mod tests;
