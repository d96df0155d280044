//! Errors of methods that close the connection.

use broker::errors::*;
use testkit::method::*;
use testkit::{Consume, ExchangeDeclare, Method, Properties, Publish, QueueDeclare, id};

use super::{Case, case, configured, declare};

pub const CASES: &[Case] = &[
    case(SECOND_CHANNEL_OPEN, id::CHANNEL_OPEN, "second 'channel.open' seen", |s| s.client.send(1, channel_open())),
    case(CHANNEL_NOT_OPEN, id::BASIC_QOS, "expected 'channel.open'", |s| s.client.send(7, qos(1, false))),
    case(CHANNEL_NOT_OPEN, id::QUEUE_DECLARE, "expected 'channel.open'", |s| {
        s.client.close_channel(1);
        s.client.send(1, QueueDeclare::exclusive(""));
    }),
    case(UNEXPECTED_METHOD, id::CHANNEL_OPEN, "unexpected method in connection state running", |s| {
        s.client.send(0, channel_open());
    }),
    case(UNEXPECTED_METHOD, id::QUEUE_DECLARE, "unexpected method in connection state running", |s| {
        s.client.send(0, QueueDeclare::exclusive(""));
    }),
    case(UNEXPECTED_METHOD, id::CONNECTION_OPEN, "unexpected method in connection state running", |s| {
        s.client.send(0, testkit::connection_open("/"));
    }),
    case(UNIMPLEMENTED_METHOD, id::BASIC_CANCEL_OK, "unimplemented method", |s| {
        s.client.send(
            1,
            Method::new(id::BASIC_CANCEL_OK, |out| {
                out.short_string("tag");
            }),
        );
    }),
    case(DUPLICATE_CONSUMER_TAG, id::BASIC_CONSUME, "attempt to reuse consumer tag 'tag'", |s| {
        declare(s);
        let name = s.name.clone();
        s.client.consume(1, Consume::new(&name, "tag"));
        s.client.send(1, Consume::new(&name, "tag"));
    }),
    configured(
        CONSUMER_LIMIT,
        id::BASIC_CONSUME,
        "reached maximum (2) of consumers per channel",
        &[("consumer_max_per_channel", "2")],
        |s| {
            declare(s);
            let name = s.name.clone();
            s.client.consume(1, Consume::new(&name, "1"));
            s.client.consume(1, Consume::new(&name, "2"));
            s.client.send(1, Consume::new(&name, "3"));
        },
    ),
    case(IMMEDIATE, id::BASIC_PUBLISH, "immediate=true", |s| {
        let publish = Publish { immediate: true, ..Publish::new("", "nowhere") };
        s.client.publish_with(1, publish, &Properties::default(), "x");
    }),
    case(RECOVER_WITHOUT_REQUEUE, id::BASIC_RECOVER, "requeue=false", |s| {
        s.client.send(1, recover(id::BASIC_RECOVER, false));
    }),
    case(RECOVER_WITHOUT_REQUEUE, id::BASIC_RECOVER_ASYNC, "requeue=false", |s| {
        s.client.send(1, recover(id::BASIC_RECOVER_ASYNC, false));
    }),
    case(FLOW_INACTIVE, id::CHANNEL_FLOW, "active=false", |s| s.client.send(1, channel_flow(false))),
    case(PREFETCH_SIZE, id::BASIC_QOS, "prefetch_size!=0 (10)", |s| {
        s.client.send(
            1,
            Method::new(id::BASIC_QOS, |out| {
                out.long(10).short(0).bits(&[false]);
            }),
        );
    }),
    configured(
        UNKNOWN_EXCHANGE_TYPE_HARD,
        id::EXCHANGE_DECLARE,
        "unknown exchange type 'nope'",
        &[("leveret.compat.unknown_exchange_type", "connection_503")],
        |s| {
            let name = s.name.clone();
            s.client.send(1, ExchangeDeclare::new(&name, "nope"));
        },
    ),
    configured(SHUTDOWN, (0, 0), "broker forced connection closure with reason 'shutdown'", &[], |s| {
        s.process.as_ref().expect("a process").send_terminate();
    }),
];
