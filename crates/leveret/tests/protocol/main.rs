//! Black-box tests of AMQP 0-9-1 against the running binary, over real sockets and an encoding of their own.
//!
//! All tests share one broker process and use names of their own; the few that configure, stop or overload a broker start
//! one for themselves. The environment changes what they run against:
//!
//! - `LEVERET_TEST_ADDRESS=host:port`: a broker that is already there, such as RabbitMQ; the tests that need a process of
//!   their own, or assert what that broker does otherwise, say that they are skipped;
//! - `LEVERET_TEST_CTL="rabbitmqctl -n NODE"`: how to add users and virtual hosts to that broker;
//! - `LEVERET_TEST_REFERENCE=host:port` and `LEVERET_TEST_SEEDS=N`: a RabbitMQ whose answers to random methods ours have to
//!   equal;
//! - `LEVERET_BIN`: another binary than the one just built.

mod acknowledgements;
mod administration;
mod arguments;
mod bindings;
mod channels;
mod concurrency;
mod confirms;
mod connections;
mod consumers;
mod deduplication;
mod differential;
mod direct_reply_to;
mod errors;
mod events;
mod exchanges;
mod firehose;
mod hash_exchanges;
mod heartbeats;
mod model;
mod overload;
mod policies;
mod publishing;
mod queue_features;
mod queues;
mod random;
mod recent_history;
mod redeclare;
mod requeue;
mod support;
mod timeouts;
mod transactions;
mod users;
