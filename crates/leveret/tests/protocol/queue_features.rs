//! What arguments of a queue add to it: time to live, expiry, limits, dead letters, priorities and ways of consuming.
//!
//! Every test that is not marked with `ours_only!` passes against RabbitMQ 3.10 as well; where 4.x does otherwise, the
//! test says which of the two is pinned.

mod at_least_once;
mod consumer_priority;
mod consumer_timeout;
mod dead_letter_cycles;
mod dead_letter_headers;
mod dead_letter_routing;
mod dead_letters;
mod delay_ladders;
mod delayed;
mod delayed_retry;
mod delivery_limit;
mod every_kind;
mod limits;
mod limits_reject;
mod message_ttl;
mod message_ttl_exact;
mod on_disk;
mod priorities;
mod priorities_combined;
mod queue_expiry;
mod single_active_consumer;
mod waiting;
mod workers;
