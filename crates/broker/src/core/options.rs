//! Making options of queues and exchanges effective while they are in use.

use crate::broker::Broker;
use crate::message::ShardMessage;
use crate::policy::Policies;
use crate::topology::{QueueCell, QueueOptions, QueueState, QueueTerms, Vhost};
use std::sync::Arc;

impl Broker {
    /// Puts other policies in force in a virtual host: for what is declared from now on, and for what is there.
    ///
    /// Takes locks one at a time, the topology's only for the lists; called on no reactor.
    pub(crate) fn apply_policies(&self, vhost: &Vhost, policies: Policies) {
        vhost.set_policies(policies);
        // After this nobody declares anything by the old ones: whoever had the topology's lock before is in the lists.
        let policies = vhost.policies();
        for exchange in vhost.exchanges() {
            let in_force = policies.for_exchange(&exchange.name);
            if exchange.options().policies != in_force {
                exchange.set_policies(in_force);
            }
        }
        for cell in vhost.queues() {
            let changed = cell.change_terms(|terms| {
                let in_force = policies.for_queue(&cell.name, &terms.arguments);
                let arguments = || terms.arguments.clone();
                (in_force != terms.policies).then(|| QueueTerms { arguments: arguments(), policies: in_force })
            });
            if changed {
                self.refresh_options(&cell);
                let in_force = &cell.terms().policies;
                self.emit_queue_policy(&cell, in_force.operator.as_deref().or(in_force.user.as_deref()));
            }
        }
    }

    /// Makes effective what a queue's terms add up to now. Whoever changes them last has the last word, in whatever
    /// order this is called.
    pub(crate) fn refresh_options(&self, cell: &Arc<QueueCell>) {
        let mut state = cell.lock();
        let options = cell.terms().options();
        let changed = state.options != options;
        if changed {
            replace_options(&mut state, options);
        }
        drop(state);
        if changed {
            self.have_looked_at(cell);
        }
    }

    /// Replaces the options of a queue that is in use, whatever its arguments and policies say.
    pub fn set_options(&self, cell: &Arc<QueueCell>, options: Option<Arc<QueueOptions>>) {
        replace_options(&mut cell.lock(), options);
        self.have_looked_at(cell);
    }

    /// Has a reactor look at a queue whose options are new: what follows for the messages that are there is done by it,
    /// a piece at a time.
    pub(crate) fn have_looked_at(&self, cell: &Arc<QueueCell>) {
        let shard = usize::try_from(cell.quid).unwrap_or_default() % self.shards();
        self.post(shard, ShardMessage::Look(cell.clone()));
    }
}

fn replace_options(state: &mut QueueState, options: Option<Arc<QueueOptions>>) {
    let expires_ms = |options: &Option<Arc<QueueOptions>>| options.as_ref().and_then(|options| options.expires_ms);
    if expires_ms(&state.options) != expires_ms(&options) {
        // RabbitMQ: a new time begins now.
        state.used_ms = 0;
    }
    state.set_options(options);
}
