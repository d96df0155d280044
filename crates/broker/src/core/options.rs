//! Making options of queues and exchanges effective while they are in use.

use crate::broker::Broker;
use crate::message::ShardMessage;
use crate::policy::Policies;
use crate::topology::{QueueCell, QueueOptions, QueueTerms, Vhost};
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
            state.set_options(options);
        }
        drop(state);
        if changed {
            self.options_changed(cell);
        }
    }

    /// Replaces the options of a queue that is in use, whatever its arguments and policies say.
    pub fn set_options(&self, cell: &Arc<QueueCell>, options: Option<Arc<QueueOptions>>) {
        cell.lock().set_options(options);
        self.options_changed(cell);
    }

    /// Lets a queue act on its options: a reactor looks at it.
    fn options_changed(&self, cell: &Arc<QueueCell>) {
        let shard = usize::try_from(cell.quid).unwrap_or_default() % self.shards();
        self.post(shard, ShardMessage::Deliver(cell.clone()));
    }
}
