//! What the tests share: a raw AMQP client, a broker process, faults.
