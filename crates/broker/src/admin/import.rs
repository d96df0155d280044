//! Importing definitions: many objects at a time, what exists is kept, and what is new is durable when it is answered.
//!
//! A batch is one group in the journal's terms: all of it is proposed first and waited for once. Locks are those of a
//! declare and are let go of between two objects, so that the message path does not notice.

use super::access::check_pattern;
use super::parameters::{check_parameter, invalid, too_large};
use super::vhosts::{check_queue_type, check_vhost_name};
use super::{AdminError, AdminReply, Missing, NewPassword, user_limits};
use crate::access::Rights;
use crate::broker::Broker;
use crate::core::{Binding, ExchangeDeclaration, QueueDeclaration, sorted};
use crate::errors::ProtocolError;
use crate::names::is_reserved;
use crate::policy::{Policy, definition_of_terms};
use amqp::FieldValue;
use metadata::{
    BindingDefinition, Change, DestinationKind, ExchangeDefinition, GlobalParameterDefinition, ParameterDefinition,
    PermissionDefinition, PolicyDefinition, PolicyKind, QueueDefinition, Token, TopicPermissionDefinition,
    UserDefinition, VhostDefinition,
};
use std::collections::HashMap;

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

    fn import_users(&self, users: Vec<ImportedUser>) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut hashed_users = Vec::with_capacity(users.len());
        // Hashing takes a while; others need not wait for it.
        for user in users {
            let ImportedUser { name, password, tags, limits } = user;
            let password = password.map(|password| self.hashed(&name, password)).transpose();
            hashed_users.push((name, password, tags, limits));
        }
        let mut writer = self.writer();
        let current = self.registry.current();
        let existing = |name: &String| current.users.iter().find(|user| user.name == *name).cloned();
        let decide =
            |(name, password, tags, limits): (String, Result<Option<_>, AdminError>, _, Option<FieldValue>),
             known: Option<&UserDefinition>| {
                if name.is_empty() {
                    return Err(AdminError::Invalid("user name must not be empty".to_owned()));
                }
                // RabbitMQ: one without a password has none from now on.
                let (password_hash, hashing_algorithm) =
                    password?.unwrap_or_else(|| (String::new(), self.accounts().password_hashing.as_str().to_owned()));
                let mut user = known.cloned().unwrap_or_default();
                if let Some(limits) = &limits {
                    user_limits::check(limits)?;
                    user.limits = user_limits::from_table(limits);
                }
                let user = UserDefinition { name, password_hash, hashing_algorithm, tags, ..user };
                let outcome = compared(known, |known| {
                    [
                        ("password", known.password_hash != user.password_hash),
                        ("hashing_algorithm", known.hashing_algorithm != user.hashing_algorithm),
                        ("tags", known.tags != user.tags),
                        ("limits", known.limits != user.limits),
                    ]
                });
                Ok((user, outcome))
            };
        let (outcomes, _) =
            self.put_each(hashed_users, |user| user.0.clone(), existing, decide, Change::PutUser, &mut writer)?;
        Ok(outcomes)
    }

    fn import_vhosts(&self, vhosts: Vec<ImportedVhost>) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut writer = self.writer();
        let current = self.registry.current();
        let existing = |name: &String| current.vhosts.iter().find(|vhost| vhost.name == *name).cloned();
        let room = self.limits.vhosts().map(|most| (most, most.saturating_sub(self.vhosts().len() as u64)));
        let added = std::cell::Cell::new(0);
        let decide = |vhost: ImportedVhost, known: Option<&VhostDefinition>| {
            check_vhost_name(&vhost.name)?;
            vhost.default_queue_type.as_deref().map_or(Ok(()), check_queue_type)?;
            if known.is_none() {
                if let Some((most, _)) = room.filter(|(_, room)| added.get() >= *room) {
                    let name = vhost.name;
                    return Err(AdminError::Refused(format!(
                        "cannot create vhost '{name}': vhost limit of {most} is reached"
                    )));
                }
                added.set(added.get() + 1);
            }
            let base = known.cloned().unwrap_or_default();
            let vhost = VhostDefinition {
                name: vhost.name,
                description: vhost.description.unwrap_or(base.description),
                tags: vhost.tags.unwrap_or(base.tags),
                default_queue_type: vhost.default_queue_type.or(base.default_queue_type),
                tracing: vhost.tracing.unwrap_or(base.tracing),
                protected_from_deletion: vhost.protected_from_deletion.unwrap_or(base.protected_from_deletion),
            };
            let outcome = compared(known, |known| {
                [
                    ("description", known.description != vhost.description),
                    ("tags", known.tags != vhost.tags),
                    ("default_queue_type", known.default_queue_type != vhost.default_queue_type),
                    ("tracing", known.tracing != vhost.tracing),
                    ("protected_from_deletion", known.protected_from_deletion != vhost.protected_from_deletion),
                ]
            });
            Ok((vhost, outcome))
        };
        let (outcomes, changed) =
            self.put_each(vhosts, |vhost| vhost.name.clone(), existing, decide, Change::PutVhost, &mut writer)?;
        for definition in changed {
            match self.vhost(&definition.name) {
                Some(vhost) => vhost.set_definition(&definition),
                None => {
                    self.add_vhost_with(&definition.name, |vhost| vhost.set_definition(&definition));
                    self.set_default_limits(&mut writer, &definition.name)?;
                    self.add_default_users(&mut writer, &definition.name)?;
                }
            }
        }
        self.note_tracing();
        Ok(outcomes)
    }

    fn import_permissions(&self, permissions: Vec<PermissionDefinition>) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut writer = self.writer();
        let current = self.registry.current();
        let existing = |(user, vhost): &(String, String)| {
            current.permissions.iter().find(|known| known.user == *user && known.vhost == *vhost).cloned()
        };
        let decide = |permission: PermissionDefinition, known: Option<&PermissionDefinition>| {
            for pattern in [&permission.configure, &permission.write, &permission.read] {
                check_pattern(pattern)?;
            }
            self.check_user_and_vhost(&permission.user, &permission.vhost)?;
            let outcome = compared(known, |known| {
                [
                    ("configure", known.configure != permission.configure),
                    ("write", known.write != permission.write),
                    ("read", known.read != permission.read),
                ]
            });
            Ok((permission, outcome))
        };
        let key = |permission: &PermissionDefinition| (permission.user.clone(), permission.vhost.clone());
        Ok(self.put_each(permissions, key, existing, decide, Change::PutPermission, &mut writer)?.0)
    }

    fn import_topic_permissions(
        &self,
        permissions: Vec<TopicPermissionDefinition>,
    ) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut writer = self.writer();
        let current = self.registry.current();
        let key = |permission: &TopicPermissionDefinition| {
            (permission.user.clone(), permission.vhost.clone(), permission.exchange.clone())
        };
        let existing = |wanted: &(String, String, String)| {
            current.topic_permissions.iter().find(|known| key(known) == *wanted).cloned()
        };
        let decide = |permission: TopicPermissionDefinition, known: Option<&TopicPermissionDefinition>| {
            check_pattern(&permission.write)?;
            check_pattern(&permission.read)?;
            self.check_user_and_vhost(&permission.user, &permission.vhost)?;
            let outcome = compared(known, |known| {
                [("write", known.write != permission.write), ("read", known.read != permission.read)]
            });
            Ok((permission, outcome))
        };
        Ok(self.put_each(permissions, key, existing, decide, Change::PutTopicPermission, &mut writer)?.0)
    }

    fn import_global_parameters(
        &self,
        parameters: Vec<GlobalParameterDefinition>,
    ) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut writer = self.writer();
        let current = self.registry.current();
        let existing = |name: &String| current.global_parameters.iter().find(|known| known.name == *name).cloned();
        let decide = |parameter: GlobalParameterDefinition, known: Option<&GlobalParameterDefinition>| {
            if let Some(own) = known.filter(|known| known.name == INTERNAL_CLUSTER_ID) {
                // It names this node, whoever it was that exported the definitions.
                return Ok((own.clone(), ImportOutcome::Skipped("it is the identity of another cluster".to_owned())));
            }
            let outcome = compared(known, |known| [("value", known.value != parameter.value)]);
            Ok((parameter, outcome))
        };
        let key = |parameter: &GlobalParameterDefinition| parameter.name.clone();
        Ok(self.put_each(parameters, key, existing, decide, Change::PutGlobalParameter, &mut writer)?.0)
    }

    fn import_parameters(&self, parameters: Vec<ParameterDefinition>) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut writer = self.writer();
        let current = self.registry.current();
        let key = |parameter: &ParameterDefinition| {
            (parameter.vhost.clone(), parameter.component.clone(), parameter.name.clone())
        };
        let existing =
            |wanted: &(String, String, String)| current.parameters.iter().find(|known| key(known) == *wanted).cloned();
        let decide = |parameter: ParameterDefinition, known: Option<&ParameterDefinition>| {
            let ParameterDefinition { vhost, component, name, value } = &parameter;
            check_parameter(component, name, value).map_err(|error| {
                AdminError::Invalid(format!(
                    "{error} (vhost: \"{vhost}\" / component: \"{component}\" / key: \"{name}\")"
                ))
            })?;
            self.check_vhost_exists(vhost)?;
            let outcome = compared(known, |known| [("value", known.value != parameter.value)]);
            Ok((parameter, outcome))
        };
        let (outcomes, changed) =
            self.put_each(parameters, key, existing, decide, Change::PutParameter, &mut writer)?;
        for parameter in changed {
            self.parameter_changed(&parameter.vhost, &parameter.component, Some(&parameter.value));
        }
        Ok(outcomes)
    }

    fn import_policies(&self, policies: Vec<ImportedPolicy>) -> Result<Vec<ImportOutcome>, AdminError> {
        let mut writer = self.writer();
        let current = self.registry.current();
        let existing = |wanted: &(PolicyKind, String, String)| {
            let is_meant =
                |known: &&PolicyDefinition| known.kind == wanted.0 && known.vhost == wanted.1 && known.name == wanted.2;
            current.policies.iter().find(is_meant).cloned()
        };
        let decide = |policy: ImportedPolicy, known: Option<&PolicyDefinition>| {
            let ImportedPolicy { kind, vhost, name, terms } = policy;
            let definition = definition_of_terms(kind, &vhost, &name, &terms).map_err(|errors| {
                AdminError::Invalid(format!("{} (vhost: \"{vhost}\" key: \"{name}\")", invalid(errors)))
            })?;
            self.check_vhost_exists(&vhost)?;
            Policy::compile(definition.clone()).map_err(|error| AdminError::Invalid(error.to_string()))?;
            let outcome = compared(known, |known| {
                [
                    ("pattern", known.pattern != definition.pattern),
                    ("apply-to", known.apply_to != definition.apply_to),
                    ("priority", known.priority != definition.priority),
                    ("definition", known.definition != definition.definition),
                ]
            });
            Ok((definition, outcome))
        };
        let key = |policy: &ImportedPolicy| (policy.kind, policy.vhost.clone(), policy.name.clone());
        let (outcomes, changed) = self.put_each(policies, key, existing, decide, Change::PutPolicy, &mut writer)?;
        self.apply_imported_policies(changed);
        Ok(outcomes)
    }

    /// Puts policies in force, going over the objects of each virtual host once.
    fn apply_imported_policies(&self, changed: Vec<PolicyDefinition>) {
        let mut by_vhost: HashMap<String, Vec<PolicyDefinition>> = HashMap::new();
        for definition in changed {
            by_vhost.entry(definition.vhost.clone()).or_default().push(definition);
        }
        for (name, definitions) in by_vhost {
            let Some(vhost) = self.vhost(&name) else { continue };
            // They have been compiled once already.
            let compiled = definitions.into_iter().filter_map(|definition| Policy::compile(definition).ok());
            let start = (*vhost.policies()).clone();
            self.apply_policies(&vhost, compiled.fold(start, |policies, policy| policies.with(policy)));
        }
    }

    fn import_exchange(&self, exchange: ExchangeDefinition) -> Imported {
        let name = exchange.name.as_str();
        if name.is_empty() || is_reserved(name) {
            // RabbitMQ: left out with a warning.
            let why = if name.is_empty() { "the default exchange is always there" } else { RESERVED };
            return Ok((ImportOutcome::Skipped(why.to_owned()), None));
        }
        let vhost = self.vhost(&exchange.vhost).ok_or_else(|| Missing::Vhost.called(&exchange.vhost))?;
        if let Some(known) = vhost.exchange(name) {
            let outcome = kept([
                ("type", known.type_name() != exchange.kind),
                ("durable", known.durable != exchange.durable),
                ("auto_delete", known.auto_delete != exchange.auto_delete),
                ("internal", known.internal != exchange.internal),
                ("arguments", known.arguments != exchange.arguments),
            ]);
            return Ok((outcome, None));
        }
        check_name(name)?;
        if !Change::PutExchange(exchange.clone()).is_storable() {
            return Err(too_large());
        }
        let declaration = ExchangeDeclaration {
            name,
            kind: &exchange.kind,
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            arguments: exchange.arguments.clone(),
        };
        let declared = self.declare_exchange(&vhost, declaration, Rights::operator(self)).map_err(protocol_error)?;
        Ok((if declared.is_new { ImportOutcome::Created } else { ImportOutcome::Kept(Vec::new()) }, declared.token))
    }

    fn import_queue(&self, queue: QueueDefinition) -> Imported {
        let name = queue.name.as_str();
        if is_reserved(name) {
            return Ok((ImportOutcome::Skipped(RESERVED.to_owned()), None));
        }
        let vhost = self.vhost(&queue.vhost).ok_or_else(|| Missing::Vhost.called(&queue.vhost))?;
        if let Some(known) = vhost.queue(name).filter(|known| !known.is_dead()) {
            let outcome = kept([
                ("durable", known.durable != queue.durable),
                ("auto_delete", known.auto_delete != queue.auto_delete),
                ("arguments", known.terms().arguments != queue.arguments),
            ]);
            return Ok((outcome, None));
        }
        check_name(name)?;
        if !Change::PutQueue(queue.clone()).is_storable() {
            return Err(too_large());
        }
        let declaration = QueueDeclaration {
            name,
            durable: queue.durable,
            auto_delete: queue.auto_delete,
            owner: None,
            arguments: queue.arguments.clone(),
            is_server_named: false,
        };
        let declared = self.declare_queue(&vhost, declaration, &|_| Ok(())).map_err(protocol_error)?;
        if declared.is_new && declared.cell.lock().is_tended {
            self.have_looked_at(&declared.cell);
        }
        Ok((if declared.is_new { ImportOutcome::Created } else { ImportOutcome::Kept(Vec::new()) }, declared.token))
    }

    fn import_binding(&self, binding: BindingDefinition) -> Imported {
        if binding.source.is_empty() {
            return Ok((ImportOutcome::Skipped("bindings of the default exchange are always there".to_owned()), None));
        }
        let vhost = self.vhost(&binding.vhost).ok_or_else(|| Missing::Vhost.called(&binding.vhost))?;
        let to_queue = binding.destination_kind == DestinationKind::Queue;
        let mut missing = Vec::new();
        let source_is_there = vhost.exchange(&binding.source).is_some();
        if !source_is_there {
            missing.push(resource_term(&binding.vhost, "exchange", &binding.source));
        }
        let is_there = match to_queue {
            true => vhost.queue(&binding.destination).is_some_and(|cell| !cell.is_dead()),
            false => vhost.exchange(&binding.destination).is_some(),
        };
        if !is_there {
            missing.push(resource_term(&binding.vhost, binding.destination_kind.as_str(), &binding.destination));
        }
        if !missing.is_empty() {
            return Err(AdminError::Refused(format!("{{resources_missing,[{}]}}", missing.join(","))));
        }
        if binding.routing_key.len() > NAME_LIMIT {
            return Err(AdminError::Invalid(format!("routing keys have at most {NAME_LIMIT} bytes")));
        }
        if !Change::PutBinding(binding.clone()).is_storable() {
            return Err(too_large());
        }
        let binding = Binding {
            source: binding.source.into(),
            destination: binding.destination.into(),
            to_queue,
            routing_key: binding.routing_key.into(),
            arguments: sorted(binding.arguments),
        };
        let bound = self.bind(&vhost, &binding, Rights::operator(self)).map_err(protocol_error)?;
        Ok((if bound.is_new { ImportOutcome::Created } else { ImportOutcome::Kept(Vec::new()) }, bound.token))
    }

    /// RabbitMQ: an import that a limit of queues would stop half way does not begin; its text.
    pub(super) fn check_queue_limits(&self, queues: &[(String, String)]) -> Result<AdminReply, AdminError> {
        let mut added: HashMap<&str, u64> = HashMap::new();
        for (vhost, name) in queues {
            let Some(found) = self.vhost(vhost).filter(|vhost| vhost.limits.max_queues.most().is_some()) else {
                continue;
            };
            if found.queue(name).is_none() {
                *added.entry(vhost).or_default() += 1;
            }
        }
        for (name, count) in added {
            let Some(vhost) = self.vhost(name) else { continue };
            let (Some(most), current) = (vhost.limits.max_queues.most(), vhost.queue_count() as u64) else { continue };
            if current + count > most {
                return Err(AdminError::Refused(format!(
                    "Adding {count} queue(s) to virtual host \"{name}\" would exceed the limit of {most} \
                     queue(s).\n\nThis virtual host currently has {current} queue(s) defined.\n\nImport aborted!"
                )));
            }
        }
        Ok(AdminReply::Done)
    }
}

/// The name of the parameter that tells one cluster from another.
pub const INTERNAL_CLUSTER_ID: &str = "internal_cluster_id";

const RESERVED: &str = "names that begin with 'amq.' are the broker's own";
/// Longest name in bytes: a short string.
const NAME_LIMIT: usize = 255;

fn check_name(name: &str) -> Result<(), AdminError> {
    match name.len() {
        1..=NAME_LIMIT => Ok(()),
        _ => Err(AdminError::Invalid(format!("names have 1 to {NAME_LIMIT} bytes"))),
    }
}

/// A resource that is not there, as RabbitMQ prints it.
fn resource_term(vhost: &str, kind: &str, name: &str) -> String {
    let [vhost, name] = [vhost, name].map(|text| amqp::erlang::binary(text.as_bytes()));
    format!("{{not_found,{{resource,{vhost},{kind},{name}}}}}")
}

/// RabbitMQ's `format(#amqp_error{})`: the condition in small letters and the explanation.
fn protocol_error(error: ProtocolError) -> AdminError {
    AdminError::Refused(format!("{}: {}", error.code.name().to_ascii_lowercase(), error.text))
}

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
