//! Errors that close a channel.

use broker::errors::*;
use testkit::method::*;
use testkit::{Consume, ExchangeDeclare, Method, Properties, Publish, QueueDeclare, Table, Value, id, table};

use super::{Case, Scene, case, configured, declare, newer};

pub const CASES: &[Case] = &[
    // Redeclaring a queue.
    case(
        INEQUIVALENT_ARGUMENT,
        id::QUEUE_DECLARE,
        "inequivalent arg 'durable' for queue '{q}' in vhost '/': received 'false' but current is 'true'",
        |s| redeclare(s, |q| QueueDeclare::new(q).durable(), QueueDeclare::new),
    ),
    case(
        INEQUIVALENT_ARGUMENT,
        id::QUEUE_DECLARE,
        "inequivalent arg 'auto_delete' for queue '{q}' in vhost '/': received 'true' but current is 'false'",
        |s| redeclare(s, QueueDeclare::exclusive, |q| QueueDeclare::exclusive(q).auto_delete()),
    ),
    case(
        INEQUIVALENT_ARGUMENT,
        id::QUEUE_DECLARE,
        "inequivalent arg 'x-max-length' for queue '{q}' in vhost '/': received the value '10' of type 'signedint' but current is none",
        |s| redeclare(s, QueueDeclare::exclusive, |q| QueueDeclare::exclusive(q).argument("x-max-length", 10)),
    ),
    case(
        INEQUIVALENT_ARGUMENT,
        id::QUEUE_DECLARE,
        "inequivalent arg 'x-max-length' for queue '{q}' in vhost '/': received none but current is the value '5' of type 'signedint'",
        |s| redeclare(s, |q| QueueDeclare::exclusive(q).argument("x-max-length", 5), QueueDeclare::exclusive),
    ),
    case(
        INEQUIVALENT_ARGUMENT,
        id::QUEUE_DECLARE,
        "inequivalent arg 'x-max-length' for queue '{q}' in vhost '/': received '6' but current is '5'",
        |s| {
            redeclare(
                s,
                |q| QueueDeclare::exclusive(q).argument("x-max-length", 5),
                |q| QueueDeclare::exclusive(q).argument("x-max-length", Value::Long(6)),
            );
        },
    ),
    case(
        INEQUIVALENT_ARGUMENT,
        id::QUEUE_DECLARE,
        "inequivalent arg 'x-dead-letter-exchange' for queue '{q}' in vhost '/': received 'b' but current is 'a'",
        |s| {
            redeclare(
                s,
                |q| QueueDeclare::exclusive(q).argument("x-dead-letter-exchange", "a"),
                |q| QueueDeclare::exclusive(q).argument("x-dead-letter-exchange", "b"),
            );
        },
    ),
    // Redeclaring an exchange.
    case(
        INEQUIVALENT_ARGUMENT,
        id::EXCHANGE_DECLARE,
        "inequivalent arg 'type' for exchange '{q}' in vhost '/': received 'topic' but current is 'direct'",
        |s| redeclare_exchange(s, |x| ExchangeDeclare::new(x, "topic")),
    ),
    case(
        INEQUIVALENT_ARGUMENT,
        id::EXCHANGE_DECLARE,
        "inequivalent arg 'durable' for exchange '{q}' in vhost '/': received 'true' but current is 'false'",
        |s| redeclare_exchange(s, |x| ExchangeDeclare::new(x, "direct").durable()),
    ),
    case(
        INEQUIVALENT_ARGUMENT,
        id::EXCHANGE_DECLARE,
        "inequivalent arg 'auto_delete' for exchange '{q}' in vhost '/': received 'true' but current is 'false'",
        |s| redeclare_exchange(s, |x| ExchangeDeclare::new(x, "direct").auto_delete()),
    ),
    case(
        INEQUIVALENT_ARGUMENT,
        id::EXCHANGE_DECLARE,
        "inequivalent arg 'internal' for exchange '{q}' in vhost '/': received 'true' but current is 'false'",
        |s| redeclare_exchange(s, |x| ExchangeDeclare::new(x, "direct").internal()),
    ),
    case(
        INEQUIVALENT_ARGUMENT,
        id::EXCHANGE_DECLARE,
        "inequivalent arg 'alternate-exchange' for exchange '{q}' in vhost '/': received the value 'ae' of type 'longstr' but current is none",
        |s| redeclare_exchange(s, |x| ExchangeDeclare::new(x, "direct").argument("alternate-exchange", "ae")),
    ),
    // Another connection's exclusive queue.
    case(QUEUE_LOCKED, id::QUEUE_DECLARE, LOCKED, |s| locked(s, |q| QueueDeclare::exclusive(q).into())),
    case(QUEUE_LOCKED, id::QUEUE_DECLARE, LOCKED, |s| locked(s, |q| QueueDeclare::passive(q).into())),
    case(QUEUE_LOCKED, id::QUEUE_DELETE, LOCKED, |s| locked(s, |q| queue_delete(q, false, false))),
    case(QUEUE_LOCKED, id::QUEUE_PURGE, LOCKED, |s| locked(s, queue_purge)),
    case(QUEUE_LOCKED, id::QUEUE_BIND, LOCKED, |s| locked(s, |q| queue_bind(q, "amq.direct", "k", &Table::new()))),
    case(QUEUE_LOCKED, id::QUEUE_UNBIND, LOCKED, |s| {
        let name = s.name.clone();
        let other = s.other();
        other.declare(1, QueueDeclare::exclusive(&name));
        other.call(1, queue_bind(&name, "amq.direct", &name, &Table::new()));
        s.client.send(1, queue_unbind(&name, "amq.direct", &name, &Table::new()));
    }),
    case(QUEUE_LOCKED, id::BASIC_CONSUME, LOCKED, |s| locked(s, |q| Consume::new(q, "").into())),
    case(QUEUE_LOCKED, id::BASIC_GET, LOCKED, |s| locked(s, |q| get(q, false))),
    case(QUEUE_LOCKED, id::QUEUE_DECLARE, LOCKED, |s| redeclare(s, QueueDeclare::new, QueueDeclare::exclusive)),
    // What does not exist.
    case(NOT_FOUND, id::QUEUE_DECLARE, "no queue '{q}' in vhost '/'", |s| send(s, |q| QueueDeclare::passive(q).into())),
    case(NOT_FOUND, id::EXCHANGE_DECLARE, "no exchange '{q}' in vhost '/'", |s| {
        send(s, |q| ExchangeDeclare::passive(q).into());
    }),
    case(NOT_FOUND, id::BASIC_CONSUME, "no queue '{q}' in vhost '/'", |s| send(s, |q| Consume::new(q, "").into())),
    case(NOT_FOUND, id::BASIC_GET, "no queue '{q}' in vhost '/'", |s| send(s, |q| get(q, false))),
    case(NOT_FOUND, id::QUEUE_PURGE, "no queue '{q}' in vhost '/'", |s| send(s, queue_purge)),
    case(NOT_FOUND, id::QUEUE_BIND, "no queue '{q}' in vhost '/'", |s| {
        send(s, |q| queue_bind(q, "amq.direct", "k", &Table::new()));
    }),
    case(NOT_FOUND, id::QUEUE_BIND, "no exchange '{q}' in vhost '/'", |s| {
        declare(s);
        send(s, |q| queue_bind(q, q, "k", &Table::new()));
    }),
    case(NOT_FOUND, id::QUEUE_BIND, "no exchange '{q}' in vhost '/'", |s| {
        send(s, |q| queue_bind(q, q, "k", &Table::new()));
    }),
    case(NOT_FOUND, id::EXCHANGE_BIND, "no exchange '{q}' in vhost '/'", |s| {
        send(s, |q| exchange_bind("amq.fanout", q, "k", &Table::new()));
    }),
    case(NOT_FOUND, id::EXCHANGE_BIND, "no exchange '{q}' in vhost '/'", |s| {
        send(s, |q| exchange_bind(q, "amq.fanout", "k", &Table::new()));
    }),
    case(NOT_FOUND, id::BASIC_PUBLISH, "no exchange '{q}' in vhost '/'", |s| {
        let name = s.name.clone();
        s.client.publish(1, &name, "k", "x");
    }),
    // The empty queue name.
    case(NO_DECLARED_QUEUE, id::QUEUE_BIND, "no previously declared queue", |s| {
        send(s, |_| queue_bind("", "amq.direct", "", &Table::new()));
    }),
    case(NO_DECLARED_QUEUE, id::BASIC_CONSUME, "no previously declared queue", |s| {
        send(s, |_| Consume::new("", "").into());
    }),
    case(NO_DECLARED_QUEUE, id::BASIC_GET, "no previously declared queue", |s| send(s, |_| get("", false))),
    case(NO_DECLARED_QUEUE, id::QUEUE_PURGE, "no previously declared queue", |s| send(s, |_| queue_purge(""))),
    case(NO_DECLARED_QUEUE, id::QUEUE_DELETE, "no previously declared queue", |s| {
        send(s, |_| queue_delete("", false, false));
    }),
    case(NO_DECLARED_QUEUE, id::QUEUE_UNBIND, "no previously declared queue", |s| {
        send(s, |_| queue_unbind("", "amq.direct", "k", &Table::new()));
    }),
    // Names and system objects.
    case(RESERVED_NAME, id::QUEUE_DECLARE, "queue name 'amq.foo' contains reserved prefix 'amq.*'", |s| {
        send(s, |_| QueueDeclare::exclusive("amq.foo").into());
    }),
    case(RESERVED_NAME, id::EXCHANGE_DECLARE, "exchange name 'amq.foo' contains reserved prefix 'amq.*'", |s| {
        send(s, |_| ExchangeDeclare::new("amq.foo", "direct").into());
    }),
    case(DEFAULT_EXCHANGE, id::EXCHANGE_DECLARE, DEFAULT, |s| send(s, |_| ExchangeDeclare::new("", "direct").into())),
    case(DEFAULT_EXCHANGE, id::EXCHANGE_DELETE, DEFAULT, |s| send(s, |_| exchange_delete("", false))),
    case(DEFAULT_EXCHANGE, id::QUEUE_BIND, DEFAULT, |s| {
        declare(s);
        send(s, |q| queue_bind(q, "", "k", &Table::new()));
    }),
    case(DEFAULT_EXCHANGE, id::QUEUE_UNBIND, DEFAULT, |s| {
        declare(s);
        send(s, |q| queue_unbind(q, "", q, &Table::new()));
    }),
    case(DEFAULT_EXCHANGE, id::EXCHANGE_BIND, DEFAULT, |s| {
        send(s, |_| exchange_bind("amq.direct", "", "k", &Table::new()));
    }),
    case(DEFAULT_EXCHANGE, id::EXCHANGE_BIND, DEFAULT, |s| {
        send(s, |_| exchange_bind("", "amq.direct", "k", &Table::new()));
    }),
    case(DEFAULT_EXCHANGE, id::EXCHANGE_UNBIND, DEFAULT, |s| {
        send(s, |_| exchange_unbind("", "amq.direct", "k", &Table::new()));
    }),
    case(
        SYSTEM_EXCHANGE,
        id::EXCHANGE_DELETE,
        "deletion of system exchange 'amq.direct' in vhost '/' not allowed",
        |s| send(s, |_| exchange_delete("amq.direct", false)),
    ),
    case(INTERNAL_EXCHANGE, id::BASIC_PUBLISH, "cannot publish to internal exchange '{q}' in vhost '/'", |s| {
        let name = s.name.clone();
        s.client.call(1, ExchangeDeclare::new(&name, "fanout").internal());
        s.client.publish(1, &name, "", "x");
    }),
    // Consumers.
    case(EXCLUSIVE_CONSUMER, id::BASIC_CONSUME, "queue '{q}' in vhost '/' in exclusive use", |s| {
        declare(s);
        let name = s.name.clone();
        s.client.open_channel(2);
        s.client.consume(2, Consume::new(&name, "first").exclusive());
        send(s, |q| Consume::new(q, "second").into());
    }),
    case(EXCLUSIVE_CONSUMER, id::BASIC_CONSUME, "queue '{q}' in vhost '/' in exclusive use", |s| {
        declare(s);
        let name = s.name.clone();
        s.client.open_channel(2);
        s.client.consume(2, Consume::new(&name, "first"));
        send(s, |q| Consume::new(q, "second").exclusive().into());
    }),
    case(
        INVALID_ARGUMENT,
        id::BASIC_CONSUME,
        "invalid arg 'x-priority' for queue '{q}' in vhost '/': \"expected integer, got longstr\"",
        |s| {
            declare(s);
            send(s, |q| Consume::new(q, "").argument("x-priority", "high").into());
        },
    ),
    newer(
        VOLATILE_QUEUE_BINDING,
        id::QUEUE_BIND,
        "cannot bind or unbind to a volatile (direct reply-to) queue",
        "before 4.3 there is no queue of that name",
        |s| send(s, |_| queue_bind("amq.rabbitmq.reply-to", "amq.direct", "k", &Table::new())),
    ),
    case(REPLY_CONSUMER_ACKNOWLEDGES, id::BASIC_CONSUME, "reply consumer cannot acknowledge", |s| {
        send(s, |_| Consume::new("amq.rabbitmq.reply-to", "").into());
    }),
    case(REPLY_CONSUMER_EXISTS, id::BASIC_CONSUME, "reply consumer already set", |s| {
        s.client.consume(1, Consume::new("amq.rabbitmq.reply-to", "first").no_ack());
        send(s, |_| Consume::new("amq.rabbitmq.reply-to", "second").no_ack().into());
    }),
    case(NO_REPLY_CONSUMER, id::BASIC_PUBLISH, "fast reply consumer does not exist", |s| {
        publish(s, &Properties::default().reply_to("amq.rabbitmq.reply-to"));
    }),
    // Settling.
    case(UNKNOWN_DELIVERY_TAG, id::BASIC_ACK, "unknown delivery tag 99", |s| send(s, |_| ack(99, false))),
    case(UNKNOWN_DELIVERY_TAG, id::BASIC_ACK, "unknown delivery tag 99", |s| send(s, |_| ack(99, true))),
    case(UNKNOWN_DELIVERY_TAG, id::BASIC_ACK, "unknown delivery tag 0", |s| send(s, |_| ack(0, false))),
    case(UNKNOWN_DELIVERY_TAG, id::BASIC_NACK, "unknown delivery tag 7", |s| send(s, |_| nack(7, false, true))),
    case(UNKNOWN_DELIVERY_TAG, id::BASIC_REJECT, "unknown delivery tag 8", |s| send(s, |_| reject(8, true))),
    case(UNKNOWN_DELIVERY_TAG, id::BASIC_ACK, "unknown delivery tag 1", |s| {
        declare(s);
        let name = s.name.clone();
        s.client.publish(1, "", &name, "x");
        let taken = s.client.get(1, &name, false).expect("a message");
        s.client.send(1, ack(taken.delivery_tag, false));
        s.client.send(1, ack(taken.delivery_tag, false));
    }),
    configured(ACKNOWLEDGEMENT_TIMEOUT, (0, 0), TIMEOUT, &[("consumer_timeout", "500")], |s| {
        declare(s);
        let name = s.name.clone();
        s.client.publish(1, "", &name, "x");
        s.client.consume(1, Consume::new(&name, ""));
        s.client.expect_delivery(1);
    }),
    // Deleting under conditions.
    case(IN_USE, id::QUEUE_DELETE, "queue '{q}' in vhost '/' in use", |s| {
        declare(s);
        let name = s.name.clone();
        s.client.consume(1, Consume::new(&name, ""));
        send(s, |q| queue_delete(q, true, false));
    }),
    case(IN_USE, id::EXCHANGE_DELETE, "exchange '{q}' in vhost '/' in use", |s| {
        let name = s.name.clone();
        s.client.call(1, ExchangeDeclare::new(&name, "fanout"));
        declare(s);
        s.client.call(1, queue_bind(&name, &name, "", &Table::new()));
        send(s, |q| exchange_delete(q, true));
    }),
    case(NOT_EMPTY, id::QUEUE_DELETE, "queue '{q}' in vhost '/' not empty", |s| {
        declare(s);
        let name = s.name.clone();
        s.client.publish(1, "", &name, "x");
        send(s, |q| queue_delete(q, false, true));
    }),
    // Declare arguments.
    case(INVALID_ARGUMENT_TYPE, id::EXCHANGE_DECLARE, AE_TYPE, |s| {
        send(s, |q| ExchangeDeclare::new(q, "direct").argument("alternate-exchange", 1).into());
    }),
    case(
        FOREIGN_ARGUMENT,
        id::QUEUE_DECLARE,
        "invalid arg 'x-max-age' for queue '{q}' in vhost '/' of queue type rabbit_classic_queue",
        |s| send(s, |q| QueueDeclare::exclusive(q).argument("x-max-age", "1D").into()),
    ),
    newer(UNKNOWN_EXCHANGE_TYPE, id::EXCHANGE_DECLARE, "unknown exchange type 'nope'", "503 up to 3.13.2", |s| {
        send(s, |q| ExchangeDeclare::new(q, "nope").into());
    }),
    case(
        INVALID_X_MATCH,
        id::QUEUE_BIND,
        "Invalid x-match field value <<\"foo\">>; expected all, any, all-with-x, or any-with-x",
        |s| bind_headers(s, Value::from("foo")),
    ),
    case(
        INVALID_X_MATCH_TYPE,
        id::QUEUE_BIND,
        "Invalid x-match field type signedint (value 1); expected longstr",
        |s| bind_headers(s, Value::from(1)),
    ),
    case(HASH_WEIGHT_NOT_INTEGER, id::QUEUE_BIND, "The binding key must be an integer: <<\"abc\">>", |s| {
        bind_typed(s, "x-consistent-hash", "abc");
    }),
    case(HASH_WEIGHT_NOT_INTEGER, id::QUEUE_BIND, "The binding key must be an integer: <<>>", |s| {
        bind_typed(s, "x-consistent-hash", "");
    }),
    case(HASH_WEIGHT_TOO_LOW, id::QUEUE_BIND, "The binding key must be greater than 0", |s| {
        bind_typed(s, "x-consistent-hash", "0");
    }),
    case(HASH_WEIGHT_TOO_LOW, id::QUEUE_BIND, "The binding key must be greater than 0", |s| {
        bind_typed(s, "x-consistent-hash", "-3");
    }),
    newer(
        HASH_WEIGHT_TOO_HIGH,
        id::QUEUE_BIND,
        "The binding key must not exceed 10000",
        "any weight before 4.1",
        |s| {
            bind_typed(s, "x-consistent-hash", "10001");
        },
    ),
    case(HASH_SOURCES_EXCLUSIVE, id::EXCHANGE_DECLARE, "hash-header and hash-property are mutually exclusive", |s| {
        send(s, |q| {
            let declare = ExchangeDeclare::new(q, "x-consistent-hash").argument("hash-header", "h");
            declare.argument("hash-property", "message_id").into()
        });
    }),
    case(HASH_PROPERTY_UNSUPPORTED, id::EXCHANGE_DECLARE, "Unsupported property: app_id", |s| {
        send(s, |q| ExchangeDeclare::new(q, "x-consistent-hash").argument("hash-property", "app_id").into());
    }),
    newer(
        INVALID_ARGUMENT_TYPE,
        id::EXCHANGE_DECLARE,
        "invalid type 'signedint' for arg 'hash-header' in exchange '{q}' in vhost '/'",
        "an internal error of the connection in RabbitMQ",
        |s| send(s, |q| ExchangeDeclare::new(q, "x-consistent-hash").argument("hash-header", 1).into()),
    ),
    case(
        HISTORY_LENGTH,
        id::EXCHANGE_DECLARE,
        "Invalid argument -1, 'x-recent-history-length' must be a positive integer",
        |s| send(s, |q| history(q, Value::from(-1))),
    ),
    case(
        HISTORY_LENGTH,
        id::EXCHANGE_DECLARE,
        "Invalid argument 0, 'x-recent-history-length' must be a positive integer",
        |s| send(s, |q| history(q, Value::Byte(0))),
    ),
    case(
        HISTORY_LENGTH,
        id::EXCHANGE_DECLARE,
        "Invalid argument <<\"5\">>, 'x-recent-history-length' must be a positive integer",
        |s| send(s, |q| history(q, Value::from("5"))),
    ),
    case(
        HISTORY_LENGTH,
        id::EXCHANGE_DECLARE,
        "Invalid argument 5, 'x-recent-history-length' must be a positive integer",
        |s| send(s, |q| history(q, Value::UnsignedByte(5))),
    ),
    newer(
        CACHE_SIZE,
        id::EXCHANGE_DECLARE,
        "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0",
        "needs a plugin",
        |s| send(s, |q| ExchangeDeclare::new(q, "x-message-deduplication").into()),
    ),
    newer(
        CACHE_SIZE,
        id::EXCHANGE_DECLARE,
        "Missing or invalid argument, 'x-cache-size' must be an integer greater than 0",
        "needs a plugin",
        |s| send(s, |q| cache(q, "x-cache-size", Value::from(0))),
    ),
    newer(
        CACHE_TTL,
        id::EXCHANGE_DECLARE,
        "Invalid argument, 'x-cache-ttl' must be an integer greater than 0",
        "needs a plugin",
        |s| send(s, |q| cache(q, "x-cache-ttl", Value::from("soon"))),
    ),
    newer(
        CACHE_PERSISTENCE,
        id::EXCHANGE_DECLARE,
        "Invalid argument, 'x-cache-persistence' must be either 'disk' or 'memory'",
        "needs a plugin",
        |s| send(s, |q| cache(q, "x-cache-persistence", Value::from("tape"))),
    ),
    newer(
        NO_DELAYED_TYPE,
        id::EXCHANGE_DECLARE,
        "Invalid argument, 'x-delayed-type' must be an existing exchange type",
        "needs a plugin",
        |s| send(s, |q| ExchangeDeclare::new(q, "x-delayed-message").into()),
    ),
    newer(
        DELAYED_WITHIN_DELAYED,
        id::EXCHANGE_DECLARE,
        "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'",
        "needs a plugin",
        |s| {
            let kind = "x-delayed-message";
            let declare = ExchangeDeclare::new(&s.name, kind).argument("x-delayed-type", kind);
            s.client.send(1, declare);
        },
    ),
    newer(LOCAL_RANDOM_KEY, id::QUEUE_BIND, "Non empty binding 'k' key not permitted", "from 4.0 on", |s| {
        bind_typed(s, "x-local-random", "k");
    }),
    newer(LOCAL_RANDOM_DESTINATION, id::EXCHANGE_BIND, "Destination not found", "from 4.0 on", |s| {
        s.client.call(1, ExchangeDeclare::new(&s.name, "x-local-random"));
        send(s, |q| exchange_bind("amq.fanout", q, "", &Table::new()));
    }),
    // Publishing.
    case(INVALID_EXPIRATION, id::BASIC_PUBLISH, "invalid expiration 'abc': no_integer", |s| expiration(s, "abc")),
    case(INVALID_EXPIRATION, id::BASIC_PUBLISH, "invalid expiration '': no_integer", |s| expiration(s, "")),
    case(INVALID_EXPIRATION, id::BASIC_PUBLISH, "invalid expiration '5s': {leftover_string,\"s\"}", |s| {
        expiration(s, "5s");
    }),
    case(INVALID_EXPIRATION, id::BASIC_PUBLISH, "invalid expiration '-1': {value_negative,-1}", |s| {
        expiration(s, "-1");
    }),
    case(
        INVALID_EXPIRATION,
        id::BASIC_PUBLISH,
        "invalid expiration '315360000001': {value_too_large,315360000001}",
        |s| expiration(s, "315360000001"),
    ),
    case(
        USER_ID_MISMATCH,
        id::BASIC_PUBLISH,
        "user_id property set to 'bob' but authenticated user was 'guest'",
        |s| publish(s, &Properties::default().user_id("bob")),
    ),
    case(
        INVALID_ROUTING_HEADER,
        id::BASIC_PUBLISH,
        "invalid message: {unacceptable_type_in_header,\"CC\",longstr}",
        |s| publish(s, &Properties::default().header("CC", "k")),
    ),
    case(
        INVALID_ROUTING_HEADER,
        id::BASIC_PUBLISH,
        "invalid message: {unacceptable_type_in_header,\"BCC\",signedint}",
        |s| publish(s, &Properties::default().header("BCC", 5)),
    ),
    configured(
        MESSAGE_TOO_LARGE,
        id::BASIC_PUBLISH,
        "message size 101 is larger than configured max size 100",
        &[("max_message_size", "100")],
        |s| {
            s.client.confirm_select(1);
            s.client.publish(1, "", "nowhere", vec![b'x'; 100]);
            s.client.expect_all_confirmed(1, 1);
            s.client.publish(1, "", "nowhere", vec![b'x'; 101]);
        },
    ),
    // Transactions and confirms.
    case(TX_TO_CONFIRM, id::CONFIRM_SELECT, "cannot switch from tx to confirm mode", |s| {
        s.client.call(1, bare(id::TX_SELECT));
        s.client.send(1, confirm_select());
    }),
    case(CONFIRM_TO_TX, id::TX_SELECT, "cannot switch from confirm to tx mode", |s| {
        s.client.confirm_select(1);
        s.client.send(1, bare(id::TX_SELECT));
    }),
    case(PARTIAL_COMMIT, id::TX_COMMIT, "partial tx completion", |s| {
        let name = s.name.clone();
        let declare = QueueDeclare::exclusive(&name).argument("x-max-length", 1);
        s.client.declare(1, declare.argument("x-overflow", "reject-publish"));
        s.client.call(1, bare(id::TX_SELECT));
        (0..2).for_each(|_| s.client.publish(1, "", &name, "x"));
        s.client.send(1, bare(id::TX_COMMIT));
    }),
    case(NOT_TRANSACTIONAL, id::TX_COMMIT, "channel is not transactional", |s| {
        s.client.send(1, bare(id::TX_COMMIT));
    }),
    case(NOT_TRANSACTIONAL, id::TX_ROLLBACK, "channel is not transactional", |s| {
        s.client.send(1, bare(id::TX_ROLLBACK));
    }),
];

const LOCKED: &str = "cannot obtain exclusive access to locked queue '{q}' in vhost '/'. It could be originally declared on another connection or the exclusive property value does not match that of the original declaration.";
const DEFAULT: &str = "operation not permitted on the default exchange";
const AE_TYPE: &str = "invalid type 'signedint' for arg 'alternate-exchange' in exchange '{q}' in vhost '/'";
const TIMEOUT: &str = "delivery acknowledgement on channel 1 timed out. Timeout value used: 500 ms. This timeout value can be configured, see consumers doc guide to learn more";

/// Sends a method made from the case's name on channel 1.
fn send(scene: &mut Scene, method: fn(&str) -> Method) {
    scene.client.send(1, method(&scene.name));
}

fn redeclare(scene: &mut Scene, first: fn(&str) -> QueueDeclare, second: fn(&str) -> QueueDeclare) {
    scene.client.declare(1, first(&scene.name));
    scene.client.send(1, second(&scene.name));
}

fn redeclare_exchange(scene: &mut Scene, second: fn(&str) -> ExchangeDeclare) {
    scene.client.call(1, ExchangeDeclare::new(&scene.name, "direct"));
    scene.client.send(1, second(&scene.name));
}

fn locked(scene: &mut Scene, method: fn(&str) -> Method) {
    let name = scene.name.clone();
    scene.other().declare(1, QueueDeclare::exclusive(&name));
    scene.client.send(1, method(&name));
}

fn bind_headers(scene: &mut Scene, x_match: Value) {
    declare(scene);
    let arguments = table([("x-match", x_match)]);
    scene.client.send(1, queue_bind(&scene.name, "amq.headers", "", &arguments));
}

/// Declares an exchange that is to keep so many messages.
fn history(name: &str, length: Value) -> Method {
    ExchangeDeclare::new(name, "x-recent-history").argument("x-recent-history-length", length).into()
}

/// Declares an exchange that looks for duplicates, with this argument too.
fn cache(name: &str, argument: &str, value: Value) -> Method {
    let declare = ExchangeDeclare::new(name, "x-message-deduplication").argument(argument, value);
    if argument == "x-cache-size" { declare.into() } else { declare.argument("x-cache-size", 10).into() }
}

/// Binds a queue to an exchange of this type, both under the name of the case.
fn bind_typed(scene: &mut Scene, exchange_type: &str, key: &str) {
    declare(scene);
    scene.client.call(1, ExchangeDeclare::new(&scene.name, exchange_type));
    scene.client.send(1, queue_bind(&scene.name, &scene.name, key, &Table::new()));
}

fn publish(scene: &mut Scene, properties: &Properties) {
    scene.client.publish_with(1, Publish::new("", "nowhere"), properties, "x");
}

fn expiration(scene: &mut Scene, text: &str) {
    publish(scene, &Properties::default().expiration(text));
}
