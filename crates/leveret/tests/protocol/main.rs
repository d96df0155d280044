//! Black-box tests of AMQP 0-9-1 against the running binary, over real sockets and an encoding of their own.
//!
//! All tests share one broker process and use names of their own; the few that configure, stop or overload a broker start
//! one for themselves. With `LEVERET_TEST_ADDRESS=host:port` everything runs against a broker that is already there, such
//! as RabbitMQ, and the tests that need a process of their own say that they are skipped.

mod acknowledgements;
mod administration;
mod bindings;
mod channels;
mod concurrency;
mod confirms;
mod connections;
mod consumers;
mod differential;
mod direct_reply_to;
mod errors;
mod exchanges;
mod heartbeats;
mod model;
mod overload;
mod publishing;
mod queues;
mod random;
mod requeue;
mod support;
mod timeouts;
mod transactions;
mod users;
