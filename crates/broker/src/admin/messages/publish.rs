//! Publishing for an operator.

use super::{MessageReply, Who};
use crate::admin::{AdminError, Missing};
use crate::broker::Broker;
use crate::channel::properties::more_routing_keys;
use crate::core::publish_for::Publication;
use crate::errors::ProtocolError;
use amqp::ContentHeader;
use std::sync::Arc;
use std::time::Duration;

/// How often, and how many times, it is looked whether the log has room.
const PAUSE: Duration = Duration::from_millis(4);
const MOST_PAUSES: usize = 250;

impl Broker {
    pub(super) fn publish_message(
        &self,
        who: &Who,
        vhost: &str,
        exchange: String,
        routing_key: Vec<u8>,
        header: Vec<u8>,
        body: Vec<u8>,
    ) -> Result<MessageReply, AdminError> {
        if routing_key.len() > usize::from(u8::MAX) {
            return Err(AdminError::Invalid("routing key must be of at most 255 bytes".to_owned()));
        }
        if header.len() > store::LARGEST_SLICE / 2 {
            return Err(AdminError::Invalid("properties must be of at most 32 KiB".to_owned()));
        }
        if self.is_alarmed() {
            return Err(AdminError::Unavailable(format!("publishers are blocked: {}", self.alarm_reason())));
        }
        let vhost = self.vhost(vhost).ok_or_else(|| Missing::Vhost.called(vhost))?;
        let user = who.user();
        let more_keys = ContentHeader::parse(&header).map(more_routing_keys).unwrap_or_default();
        let keys: Vec<&[u8]> = std::iter::once(&*routing_key).chain(more_keys.iter().map(Vec::as_slice)).collect();
        self.ask_to_publish(user.as_deref(), &vhost, &exchange, &keys);
        let publication = Arc::new(Publication { user, vhost, exchange, routing_key, header, body });
        let shard = usize::try_from(self.next_incarnation()).unwrap_or_default() % self.shards();
        for _ in 0..MOST_PAUSES {
            let publication = publication.clone();
            let published = self.on_reactor(shard, move |shard| {
                let core = shard.core();
                core.log_has_room_for(publication.body.len() as u64).then(|| core.publish_for(&publication))
            })?;
            let Some(published) = published else {
                std::thread::park_timeout(PAUSE);
                continue;
            };
            let published = published.map_err(refused)?;
            self.wait_for(published.token)?;
            return Ok(if published.is_rejected {
                MessageReply::Rejected
            } else {
                MessageReply::Published(published.is_routed)
            });
        }
        Err(AdminError::Unavailable("the log has no room".to_owned()))
    }
}

fn refused(error: ProtocolError) -> AdminError {
    AdminError::Channel(error)
}
