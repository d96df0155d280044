//! rabbitmq.conf: syntax, the key table, validation.
