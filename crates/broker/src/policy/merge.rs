//! What a user policy and an operator policy add up to, and what becomes of that beside an object's own arguments.

use super::keys::{self, Merge, integer, least_limit};
use amqp::{FieldTable, FieldValue};
use std::sync::Arc;

/// Every key of either policy with the value that counts, sorted by key.
pub(crate) fn merged(user: &FieldTable, operator: &FieldTable) -> FieldTable {
    let mut fields: Vec<(String, FieldValue)> = user
        .iter()
        .map(|(name, value)| {
            let merge = keys::find(name).map_or(Merge::Operator, |key| key.merge);
            let value = operator.get(name).map_or_else(|| value.clone(), |own| merge.values(value, own));
            (name.to_owned(), value)
        })
        .collect();
    let others = operator.iter().filter(|(name, _)| user.get(name).is_none());
    fields.extend(others.map(|(name, value)| (name.to_owned(), value.clone())));
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    fields.into_iter().collect()
}

/// The two sources of an object's options: its arguments, which have been checked, and its policies merged.
pub(crate) struct Sources<'a> {
    pub(crate) arguments: &'a FieldTable,
    pub(crate) policies: &'a FieldTable,
}

impl<'a> Sources<'a> {
    fn argument(&self, key: &str) -> Option<&'a FieldValue> {
        self.arguments.get(&format!("x-{key}"))
    }

    fn numbers(&self, key: &str) -> (Option<i64>, Option<i64>) {
        (self.argument(key).and_then(integer), self.policies.get(key).and_then(integer))
    }

    /// The lower of argument and policy.
    pub(crate) fn least(&self, key: &str) -> Option<u64> {
        let (argument, policy) = self.numbers(key);
        let value = match (argument, policy) {
            (Some(argument), Some(policy)) => Some(argument.min(policy)),
            (argument, policy) => argument.or(policy),
        };
        value.and_then(|value| u64::try_from(value).ok())
    }

    /// The stricter of two limits; a negative one is none.
    pub(crate) fn least_limit(&self, key: &str) -> Option<u64> {
        let (argument, policy) = self.numbers(key);
        let value = match (argument, policy) {
            (Some(argument), Some(policy)) => Some(least_limit(argument, policy)),
            (argument, policy) => argument.or(policy),
        };
        value.and_then(|value| u64::try_from(value).ok())
    }

    /// The argument, or else the policy's word.
    pub(crate) fn argument_first(&self, key: &str) -> Option<&'a str> {
        let argument = self.argument(key).and_then(FieldValue::as_str);
        argument.or_else(|| self.policies.get(key).and_then(FieldValue::as_str))
    }

    /// The policy's word, or else the argument.
    pub(crate) fn policy_first(&self, key: &str) -> Option<&'a str> {
        let policy = self.policies.get(key).and_then(FieldValue::as_str);
        policy.or_else(|| self.argument(key).and_then(FieldValue::as_str))
    }

    /// The number of an argument that policies do not have.
    pub(crate) fn argument_only(&self, key: &str) -> Option<u64> {
        self.argument(key).and_then(integer).and_then(|value| u64::try_from(value).ok())
    }

    /// True where an argument that policies do not have says so.
    pub(crate) fn argument_is_set(&self, key: &str) -> bool {
        self.argument(key) == Some(&FieldValue::Bool(true))
    }

    /// The name of an exchange's alternate: its argument, whose name has no prefix, or else the policy's.
    pub(crate) fn alternate(&self) -> Option<Arc<str>> {
        const KEY: &str = "alternate-exchange";
        let argument = self.arguments.get(KEY).and_then(FieldValue::as_str);
        argument.or_else(|| self.policies.get(KEY).and_then(FieldValue::as_str)).map(Into::into)
    }

    /// A flag: the argument, or else the policy's.
    pub(crate) fn flag(&self, key: &str) -> bool {
        self.argument(key).or_else(|| self.policies.get(key)) == Some(&FieldValue::Bool(true))
    }
}
