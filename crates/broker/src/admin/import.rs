//! Importing definitions: many objects at a time, what exists is kept, and what is new is durable when it is answered.
//!
//! A batch is one group in the journal's terms: all of it is proposed first and waited for once. Locks are those of a
//! declare and are let go of between two objects, so that the message path does not notice.

use super::parameters::too_large;
use super::{AdminError, AdminReply, Missing, NewPassword};
use crate::broker::Broker;
use amqp::FieldValue;
use metadata::{
    BindingDefinition, Change, ExchangeDefinition, GlobalParameterDefinition, ParameterDefinition,
    PermissionDefinition, PolicyKind, QueueDefinition, Token, TopicPermissionDefinition,
};
use std::collections::HashMap;

mod access;
mod settings;
mod topology;

/// A user as definitions bring it.
#[derive(Clone, Debug)]
pub struct ImportedUser {
    /// Its name.
    pub name: String,
    /// Its password; without one nobody can log in with a password.
    pub password: Option<NewPassword>,
    /// Its tags.
    pub tags: Vec<String>,
    /// A table of `max-connections` and `max-channels`, to be validated; `None` keeps what there is.
    pub limits: Option<FieldValue>,
}

/// A virtual host as definitions bring it; `None` keeps what there is.
#[derive(Clone, Debug, Default)]
pub struct ImportedVhost {
    /// Its name.
    pub name: String,
    /// Free text for operators.
    pub description: Option<String>,
    /// Free-form tags for operators.
    pub tags: Option<Vec<String>>,
    /// The type of queues declared without one.
    pub default_queue_type: Option<String>,
    /// True while its messages are traced.
    pub tracing: Option<bool>,
    /// True when deleting it is refused.
    pub protected_from_deletion: Option<bool>,
}

/// A policy as definitions bring it.
#[derive(Clone, Debug)]
pub struct ImportedPolicy {
    /// User or operator policy.
    pub kind: PolicyKind,
    /// The virtual host's name.
    pub vhost: String,
    /// Its name.
    pub name: String,
    /// A table of `pattern`, `definition`, `priority` and `apply-to`, to be validated.
    pub terms: FieldValue,
}

/// Objects of one kind.
#[derive(Clone, Debug)]
pub enum ImportBatch {
    /// Users.
    Users(Vec<ImportedUser>),
    /// Virtual hosts.
    Vhosts(Vec<ImportedVhost>),
    /// Permissions.
    Permissions(Vec<PermissionDefinition>),
    /// Topic permissions.
    TopicPermissions(Vec<TopicPermissionDefinition>),
    /// Exchanges.
    Exchanges(Vec<ExchangeDefinition>),
    /// Parameters of the whole node.
    GlobalParameters(Vec<GlobalParameterDefinition>),
    /// Policies and operator policies.
    Policies(Vec<ImportedPolicy>),
    /// Parameters of virtual hosts, but policies.
    Parameters(Vec<ParameterDefinition>),
    /// Queues; their id is given here.
    Queues(Vec<QueueDefinition>),
    /// Bindings; their order is given here.
    Bindings(Vec<BindingDefinition>),
}

impl ImportBatch {
    /// What is in it, as definitions call it.
    pub fn kind(&self) -> &'static str {
        self.describe().0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.describe().1
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn describe(&self) -> (&'static str, usize) {
        match self {
            ImportBatch::Users(all) => ("users", all.len()),
            ImportBatch::Vhosts(all) => ("vhosts", all.len()),
            ImportBatch::Permissions(all) => ("permissions", all.len()),
            ImportBatch::TopicPermissions(all) => ("topic_permissions", all.len()),
            ImportBatch::Exchanges(all) => ("exchanges", all.len()),
            ImportBatch::GlobalParameters(all) => ("global_parameters", all.len()),
            ImportBatch::Policies(all) => ("policies", all.len()),
            ImportBatch::Parameters(all) => ("parameters", all.len()),
            ImportBatch::Queues(all) => ("queues", all.len()),
            ImportBatch::Bindings(all) => ("bindings", all.len()),
        }
    }
}

/// What became of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum ImportOutcome {
    /// It is new.
    Created,
    /// It was there, and is different now; what is different.
    Changed(Vec<&'static str>),
    /// It was there and stays as it is; what the definitions have otherwise.
    Kept(Vec<&'static str>),
    /// It is not imported, and that is no mistake; why.
    Skipped(String),
    /// It cannot be imported; the text is RabbitMQ's.
    Refused(String),
}

type Outcome = Result<ImportOutcome, AdminError>;
/// What became of an object of the topology, and what to wait for until it is durable.
type Imported = Result<(ImportOutcome, Option<Token>), AdminError>;

impl Broker {
    /// Imports objects; an outcome for each. Whatever is said to be there is durable.
    pub(super) fn import(&self, batch: ImportBatch) -> Result<AdminReply, AdminError> {
        let outcomes = match batch {
            ImportBatch::Users(users) => self.import_users(users),
            ImportBatch::Vhosts(vhosts) => self.import_vhosts(vhosts),
            ImportBatch::Permissions(permissions) => self.import_permissions(permissions),
            ImportBatch::TopicPermissions(permissions) => self.import_topic_permissions(permissions),
            ImportBatch::GlobalParameters(parameters) => self.import_global_parameters(parameters),
            ImportBatch::Policies(policies) => self.import_policies(policies),
            ImportBatch::Parameters(parameters) => self.import_parameters(parameters),
            ImportBatch::Exchanges(exchanges) => self.declare_each(exchanges, Broker::import_exchange),
            ImportBatch::Queues(queues) => self.declare_each(queues, Broker::import_queue),
            ImportBatch::Bindings(bindings) => self.declare_each(bindings, Broker::import_binding),
        }?;
        Ok(AdminReply::Imported(outcomes))
    }

    /// Topology is proposed as it is declared, so the last token is the one to wait for.
    fn declare_each<T>(
        &self,
        items: Vec<T>,
        declare: fn(&Broker, T) -> Imported,
    ) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut last = None;
        let mut outcomes = Vec::with_capacity(items.len());
        for item in items {
            outcomes.push(match declare(self, item) {
                Ok((outcome, token)) => {
                    last = last.max(token);
                    outcome
                }
                Err(error) => refused(error)?,
            });
        }
        self.wait_for(last)?;
        Ok(outcomes)
    }

    /// Works off `items` under one hold of the right to change definitions, with one commit at the end; `decide` sees
    /// what `existing` is, be it of the batch itself.
    fn put_each<T, D: Clone + PartialEq, K: Eq + std::hash::Hash>(
        &self,
        items: Vec<T>,
        key: impl Fn(&T) -> K,
        existing: impl Fn(&K) -> Option<D>,
        decide: impl Fn(T, Option<&D>) -> Result<(D, ImportOutcome), AdminError>,
        change: impl Fn(D) -> Change,
        writer: &mut super::registry::Writer<'_>,
    ) -> Result<(Vec<ImportOutcome>, Vec<D>), AdminError> {
        let mut known: HashMap<K, Option<D>> = HashMap::new();
        let (mut outcomes, mut changed) = (Vec::with_capacity(items.len()), Vec::new());
        for item in items {
            let key = key(&item);
            let current = known.entry(key).or_insert_with_key(&existing);
            let decided = decide(item, current.as_ref()).and_then(|(definition, outcome)| {
                let is_storable = change(definition.clone()).is_storable();
                if is_storable { Ok((definition, outcome)) } else { Err(too_large()) }
            });
            outcomes.push(match decided {
                Ok((definition, outcome)) => {
                    if current.as_ref() != Some(&definition) {
                        *current = Some(definition.clone());
                        changed.push(definition);
                    }
                    outcome
                }
                Err(error) => refused(error)?,
            });
        }
        writer.commit_all(changed.iter().cloned().map(change).collect())?;
        Ok((outcomes, changed))
    }
}

/// The name of the parameter that tells one cluster from another.
pub const INTERNAL_CLUSTER_ID: &str = "internal_cluster_id";

/// The outcome of an object that cannot be imported; an error where nothing more can be done at all.
fn refused(error: AdminError) -> Outcome {
    Ok(ImportOutcome::Refused(match error {
        AdminError::Unavailable(_) => return Err(error),
        AdminError::NotFound { kind: Missing::Vhost, name } => {
            format!("Please create virtual host \"{name}\" prior to importing definitions.")
        }
        AdminError::NotFound { kind: Missing::User, name } => {
            format!("{{no_such_user,{}}}", amqp::erlang::binary(name.as_bytes()))
        }
        other => other.to_string(),
    }))
}

fn different<const N: usize>(fields: [(&'static str, bool); N]) -> Vec<&'static str> {
    fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn kept<const N: usize>(fields: [(&'static str, bool); N]) -> ImportOutcome {
    ImportOutcome::Kept(different(fields))
}

/// The outcome for what is put in place of `known`.
fn compared<D, const N: usize>(
    known: Option<&D>,
    fields: impl FnOnce(&D) -> [(&'static str, bool); N],
) -> ImportOutcome {
    let Some(known) = known else { return ImportOutcome::Created };
    match different(fields(known)) {
        none if none.is_empty() => ImportOutcome::Kept(none),
        changed => ImportOutcome::Changed(changed),
    }
}
