//! Declaring queues, for clients and for operators alike.

use crate::broker::Broker;
use crate::channel::queue_arguments::{
    QueueType, assert_queue_arguments_equivalent, can_change_in_place, check_queue_arguments, queue_type,
    with_default_type,
};
use crate::errors::{self, ArgumentValue, ProtocolError, Resource};
use crate::link::ConnectionId;
use crate::settings::OnRedeclare;
use crate::topology::{QueueCell, QueueTerms, Removed, Vhost};
use amqp::FieldTable;
use metadata::{Change, QueueDefinition, Token};
use std::sync::Arc;
use tracing::{info, warn};

/// A queue as somebody wants it.
pub(crate) struct QueueDeclaration<'a> {
    pub(crate) name: &'a str,
    /// As it was asked for; exclusive queues are never kept.
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    /// The connection that it is to belong to.
    pub(crate) owner: Option<ConnectionId>,
    pub(crate) arguments: FieldTable,
    /// True where the broker chose the name.
    pub(crate) is_server_named: bool,
}

/// The queue that a declaration led to.
pub(crate) struct Declared {
    pub(crate) cell: Arc<QueueCell>,
    /// What to wait for before it is answered.
    pub(crate) token: Option<Token>,
    /// True where it did not exist before.
    pub(crate) is_new: bool,
}

/// Whether the declarer may do what arguments ask for.
pub(crate) type Authorize<'a> = &'a dyn Fn(&FieldTable) -> Result<(), ProtocolError>;

impl Broker {
    /// Declares a queue: finds the one that is there or makes one.
    pub(crate) fn declare_queue(
        &self,
        vhost: &Vhost,
        declaration: QueueDeclaration<'_>,
        authorize: Authorize<'_>,
    ) -> Result<Declared, ProtocolError> {
        let declaration = self.with_default_type(vhost, declaration);
        let name = declaration.name;
        if let Some(existing) = vhost.queue(name).filter(|cell| !cell.is_dead()) {
            return self.redeclare(vhost, existing, &declaration, authorize);
        }
        self.check_new(vhost, &declaration, authorize)?;
        let policies = vhost.policies();
        let cell = self.new_queue(vhost, &declaration, policies.for_queue(name, &declaration.arguments));
        // What comes in a frame can always be stored; operators' arguments have been checked.
        let change = cell.durable.then(|| definition(&cell, &declaration.arguments));
        let mut topology = vhost.write();
        if let Some(existing) = topology.queue(name).filter(|cell| !cell.is_dead()).cloned() {
            // Somebody else was faster.
            drop(topology);
            return self.redeclare(vhost, existing, &declaration, authorize);
        }
        if let Some(most) = vhost.limits.max_queues.most()
            && topology.queue_count() as u64 >= most
        {
            return Err(errors::VHOST_QUEUE_LIMIT.with(&[&name, &vhost.name, &most]));
        }
        // One that is dead and on its way out leaves first, with its bindings.
        let dead = topology.queue(name).cloned();
        let removed =
            dead.map(|dead| topology.remove_queue(&vhost.name, &dead, Removed::default())).unwrap_or_default();
        let mut changes = removed.changes;
        let current = vhost.policies();
        let cell = if Arc::ptr_eq(&policies, &current) {
            cell
        } else {
            // Policies changed a moment ago; who changed them waits for the topology's lock to see this queue.
            let in_force = current.for_queue(name, &declaration.arguments);
            cell.on_terms(QueueTerms { arguments: declaration.arguments, policies: in_force })
        };
        let cell = topology.insert_queue(cell);
        self.add_queue(&cell);
        self.totals.churn.queue_created.add(1);
        cell.active_ms.set(self.noted_time_ms());
        // Proposed under the lock, so that the journal has changes in the order in which they happened.
        changes.extend(change);
        let token = self.propose(changes);
        drop(topology);
        self.end_hidden(removed.hidden);
        self.emit_queue_created(&cell);
        Ok(Declared { cell, token, is_new: true })
    }

    fn new_queue(
        &self,
        vhost: &Vhost,
        declaration: &QueueDeclaration<'_>,
        policies: crate::policy::InForce,
    ) -> QueueCell {
        // Exclusive queues go with their connection, so there is nothing to keep of them.
        let durable = declaration.durable && declaration.owner.is_none();
        let cell = QueueCell {
            durable,
            auto_delete: declaration.auto_delete,
            owner: declaration.owner,
            is_stored: durable && self.messages.is_some(),
            ..QueueCell::new(self.quids.allocate(&*self.journal), &vhost.name, declaration.name)
        };
        cell.on_terms(QueueTerms { arguments: declaration.arguments.clone(), policies })
    }

    /// A declaration without a type is one of the default type, if a queue of these properties can be of that type.
    fn with_default_type<'a>(&self, vhost: &Vhost, declaration: QueueDeclaration<'a>) -> QueueDeclaration<'a> {
        let own = vhost.default_queue_type();
        let default = own.as_deref().unwrap_or(&self.settings.default_queue_type);
        let is_plain = declaration.durable && declaration.owner.is_none() && !declaration.auto_delete;
        QueueDeclaration { arguments: with_default_type(declaration.arguments, default, is_plain), ..declaration }
    }

    fn check_new(
        &self,
        vhost: &Vhost,
        declaration: &QueueDeclaration<'_>,
        authorize: Authorize<'_>,
    ) -> Result<(), ProtocolError> {
        let resource = Resource::queue(&vhost.name, declaration.name);
        authorize(&declaration.arguments)?;
        check_queue_arguments(&declaration.arguments, &resource, self.settings.quorum_as_classic)?;
        if queue_type(&declaration.arguments) == QueueType::Quorum {
            check_quorum(declaration, &resource)?;
            warn!(
                target: "queue",
                "{resource} is declared as a quorum queue and becomes a durable classic one (leveret.quorum_as_classic)"
            );
        }
        if let Some(most) = self.limits.queues()
            && self.vhosts().iter().map(|vhost| vhost.queue_count()).sum::<usize>() as u64 >= most
        {
            return Err(errors::QUEUE_LIMIT.with(&[&declaration.name, &most]));
        }
        Ok(())
    }

    fn redeclare(
        &self,
        vhost: &Vhost,
        cell: Arc<QueueCell>,
        declaration: &QueueDeclaration<'_>,
        authorize: Authorize<'_>,
    ) -> Result<Declared, ProtocolError> {
        let resource = Resource::queue(&vhost.name, &cell.name);
        if cell.owner != declaration.owner {
            return Err(errors::QUEUE_LOCKED.with(&[&resource]));
        }
        let mut token = None;
        if let Err(difference) = assert_equivalent(&resource, &cell, declaration) {
            match self.settings.on_redeclare {
                OnRedeclare::Close => return Err(difference),
                OnRedeclare::Warn => {
                    warn!(target: "queue", "kept as it is (leveret.on_redeclare = warn): {}", difference.text);
                }
                OnRedeclare::Alter => token = self.alter(vhost, &cell, declaration, authorize, difference)?,
            }
        }
        Ok(Declared { cell, token, is_new: false })
    }

    /// Gives a queue the arguments of a redeclaration, where all that differ can change in place.
    fn alter(
        &self,
        vhost: &Vhost,
        cell: &Arc<QueueCell>,
        declaration: &QueueDeclaration<'_>,
        authorize: Authorize<'_>,
        difference: ProtocolError,
    ) -> Result<Option<Token>, ProtocolError> {
        let resource = Resource::queue(&vhost.name, &cell.name);
        assert_properties_equivalent(&resource, cell, declaration)?;
        let fixed = |name: &str| !can_change_in_place(name);
        assert_queue_arguments_equivalent(&resource, &declaration.arguments, &cell.terms().arguments, fixed)?;
        authorize(&declaration.arguments)?;
        check_queue_arguments(&declaration.arguments, &resource, self.settings.quorum_as_classic)?;
        let token = self.replace_arguments(vhost, cell, declaration.arguments.clone())?;
        info!(target: "queue", "changed as redeclared (leveret.on_redeclare = alter): {}", difference.text);
        Ok(token)
    }

    /// Gives a queue other arguments, which have been checked; what to wait for until that is durable.
    pub(crate) fn replace_arguments(
        &self,
        vhost: &Vhost,
        cell: &Arc<QueueCell>,
        arguments: FieldTable,
    ) -> Result<Option<Token>, ProtocolError> {
        let resource = Resource::queue(&vhost.name, &cell.name);
        let change = cell.durable.then(|| definition(cell, &arguments));
        let topology = vhost.write();
        if topology.queue(&cell.name).is_none_or(|current| !Arc::ptr_eq(current, cell)) || cell.is_dead() {
            return Err(errors::NOT_FOUND.with(&[&resource]));
        }
        cell.change_terms(|terms| {
            let policies = terms.policies.clone();
            Some(QueueTerms { arguments: arguments.clone(), policies })
        });
        // Proposed under the lock, as every change of the topology is.
        let token = self.propose(change.into_iter().collect());
        drop(topology);
        self.refresh_options(cell);
        Ok(token)
    }
}

/// What RabbitMQ asks of quorum queues holds for those who stand in for one.
fn check_quorum(declaration: &QueueDeclaration<'_>, resource: &Resource<'_>) -> Result<(), ProtocolError> {
    if declaration.is_server_named {
        return Err(errors::SERVER_NAMED_QUEUE_TYPE.with(&[&"rabbit_quorum_queue"]));
    }
    let broken = [
        (declaration.auto_delete, "auto-delete"),
        (declaration.owner.is_some(), "exclusive-owner"),
        (!declaration.durable, "non-durable"),
    ];
    match broken.iter().find(|(is_broken, _)| *is_broken) {
        Some((_, property)) => Err(errors::INVALID_PROPERTY.with(&[property, resource])),
        None => Ok(()),
    }
}

pub(crate) fn definition(cell: &QueueCell, arguments: &FieldTable) -> Change {
    Change::PutQueue(QueueDefinition {
        quid: cell.quid,
        vhost: cell.vhost.to_string(),
        name: cell.name.to_string(),
        durable: cell.durable,
        auto_delete: cell.auto_delete,
        arguments: arguments.clone(),
    })
}

fn assert_equivalent(
    resource: &Resource<'_>,
    existing: &QueueCell,
    declaration: &QueueDeclaration<'_>,
) -> Result<(), ProtocolError> {
    assert_properties_equivalent(resource, existing, declaration)?;
    assert_queue_arguments_equivalent(resource, &declaration.arguments, &existing.terms().arguments, |_| true)
}

fn assert_properties_equivalent(
    resource: &Resource<'_>,
    existing: &QueueCell,
    declaration: &QueueDeclaration<'_>,
) -> Result<(), ProtocolError> {
    let durable = declaration.durable && declaration.owner.is_none();
    for (name, received, current) in
        [("durable", durable, existing.durable), ("auto_delete", declaration.auto_delete, existing.auto_delete)]
    {
        if received != current {
            let (received, current) = (ArgumentValue::Value(&received), ArgumentValue::Value(&current));
            return Err(errors::INEQUIVALENT_ARGUMENT.with(&[&name, resource, &received, &current]));
        }
    }
    Ok(())
}
