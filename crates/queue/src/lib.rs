//! The queue as a pure state machine: ready, unacked, consumers, credit.
