//! Methods: ids, and the requests a client sends, as builders.

use crate::bytes::{Reader, Writer};
use crate::value::{Table, Value};

/// A class id and a method id.
pub type MethodId = (u16, u16);

/// Ids of the methods that tests name.
#[expect(missing_docs, reason = "the methods of the specification under their own names")]
pub mod id {
    use super::MethodId;

    pub const CONNECTION_START: MethodId = (10, 10);
    pub const CONNECTION_START_OK: MethodId = (10, 11);
    pub const CONNECTION_SECURE: MethodId = (10, 20);
    pub const CONNECTION_TUNE: MethodId = (10, 30);
    pub const CONNECTION_TUNE_OK: MethodId = (10, 31);
    pub const CONNECTION_OPEN: MethodId = (10, 40);
    pub const CONNECTION_OPEN_OK: MethodId = (10, 41);
    pub const CONNECTION_CLOSE: MethodId = (10, 50);
    pub const CONNECTION_CLOSE_OK: MethodId = (10, 51);
    pub const CONNECTION_BLOCKED: MethodId = (10, 60);
    pub const CONNECTION_UNBLOCKED: MethodId = (10, 61);
    pub const CONNECTION_UPDATE_SECRET: MethodId = (10, 70);
    pub const CONNECTION_UPDATE_SECRET_OK: MethodId = (10, 71);
    pub const CHANNEL_OPEN: MethodId = (20, 10);
    pub const CHANNEL_OPEN_OK: MethodId = (20, 11);
    pub const CHANNEL_FLOW: MethodId = (20, 20);
    pub const CHANNEL_FLOW_OK: MethodId = (20, 21);
    pub const CHANNEL_CLOSE: MethodId = (20, 40);
    pub const CHANNEL_CLOSE_OK: MethodId = (20, 41);
    pub const ACCESS_REQUEST: MethodId = (30, 10);
    pub const ACCESS_REQUEST_OK: MethodId = (30, 11);
    pub const EXCHANGE_DECLARE: MethodId = (40, 10);
    pub const EXCHANGE_DECLARE_OK: MethodId = (40, 11);
    pub const EXCHANGE_DELETE: MethodId = (40, 20);
    pub const EXCHANGE_BIND: MethodId = (40, 30);
    pub const EXCHANGE_UNBIND: MethodId = (40, 40);
    pub const EXCHANGE_UNBIND_OK: MethodId = (40, 51);
    pub const QUEUE_DECLARE: MethodId = (50, 10);
    pub const QUEUE_BIND: MethodId = (50, 20);
    pub const QUEUE_PURGE: MethodId = (50, 30);
    pub const QUEUE_DELETE: MethodId = (50, 40);
    pub const QUEUE_UNBIND: MethodId = (50, 50);
    pub const BASIC_QOS: MethodId = (60, 10);
    pub const BASIC_CONSUME: MethodId = (60, 20);
    pub const BASIC_CONSUME_OK: MethodId = (60, 21);
    pub const BASIC_CANCEL: MethodId = (60, 30);
    pub const BASIC_CANCEL_OK: MethodId = (60, 31);
    pub const BASIC_PUBLISH: MethodId = (60, 40);
    pub const BASIC_RETURN: MethodId = (60, 50);
    pub const BASIC_DELIVER: MethodId = (60, 60);
    pub const BASIC_GET: MethodId = (60, 70);
    pub const BASIC_GET_OK: MethodId = (60, 71);
    pub const BASIC_GET_EMPTY: MethodId = (60, 72);
    pub const BASIC_ACK: MethodId = (60, 80);
    pub const BASIC_REJECT: MethodId = (60, 90);
    pub const BASIC_RECOVER_ASYNC: MethodId = (60, 100);
    pub const BASIC_RECOVER: MethodId = (60, 110);
    pub const BASIC_RECOVER_OK: MethodId = (60, 111);
    pub const BASIC_NACK: MethodId = (60, 120);
    pub const CONFIRM_SELECT: MethodId = (85, 10);
    pub const TX_SELECT: MethodId = (90, 10);
    pub const TX_COMMIT: MethodId = (90, 20);
    pub const TX_ROLLBACK: MethodId = (90, 30);
}

/// A method with its arguments as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// Class and method id.
    pub id: MethodId,
    /// The encoded arguments.
    pub arguments: Vec<u8>,
}

impl Method {
    /// A method whose arguments `write` encodes.
    pub fn new(id: MethodId, write: impl FnOnce(&mut Writer)) -> Method {
        let mut arguments = Writer::default();
        write(&mut arguments);
        Method { id, arguments: arguments.finish() }
    }

    /// A reader over the arguments.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(&self.arguments)
    }

    /// The id of the reply that ends this request.
    pub fn reply_id(&self) -> MethodId {
        match self.id {
            id::EXCHANGE_UNBIND => id::EXCHANGE_UNBIND_OK,
            (class, method) => (class, method + 1),
        }
    }
}

/// queue.declare.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the arguments of the specification under their own names")]
pub struct QueueDeclare {
    pub queue: String,
    pub passive: bool,
    pub durable: bool,
    pub exclusive: bool,
    pub auto_delete: bool,
    pub no_wait: bool,
    pub arguments: Table,
}

impl QueueDeclare {
    /// A queue without any flag.
    pub fn new(queue: &str) -> QueueDeclare {
        QueueDeclare { queue: queue.to_owned(), ..QueueDeclare::default() }
    }

    /// An exclusive queue, which the end of the connection deletes.
    pub fn exclusive(queue: &str) -> QueueDeclare {
        QueueDeclare { exclusive: true, ..QueueDeclare::new(queue) }
    }

    /// Passive: only asks.
    pub fn passive(queue: &str) -> QueueDeclare {
        QueueDeclare { passive: true, ..QueueDeclare::new(queue) }
    }

    /// With `durable`.
    #[must_use]
    pub fn durable(self) -> QueueDeclare {
        QueueDeclare { durable: true, ..self }
    }

    /// With `auto-delete`.
    #[must_use]
    pub fn auto_delete(self) -> QueueDeclare {
        QueueDeclare { auto_delete: true, ..self }
    }

    /// With an argument.
    #[must_use]
    pub fn argument(mut self, name: &str, value: impl Into<Value>) -> QueueDeclare {
        self.arguments.push((name.to_owned(), value.into()));
        self
    }
}

impl From<QueueDeclare> for Method {
    fn from(m: QueueDeclare) -> Method {
        Method::new(id::QUEUE_DECLARE, |out| {
            out.short(0).short_string(&m.queue);
            out.bits(&[m.passive, m.durable, m.exclusive, m.auto_delete, m.no_wait]).table(&m.arguments);
        })
    }
}

/// exchange.declare.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the arguments of the specification under their own names")]
pub struct ExchangeDeclare {
    pub exchange: String,
    pub exchange_type: String,
    pub passive: bool,
    pub durable: bool,
    pub auto_delete: bool,
    pub internal: bool,
    pub no_wait: bool,
    pub arguments: Table,
}

impl ExchangeDeclare {
    /// An exchange without any flag.
    pub fn new(exchange: &str, exchange_type: &str) -> ExchangeDeclare {
        let (exchange, exchange_type) = (exchange.to_owned(), exchange_type.to_owned());
        ExchangeDeclare { exchange, exchange_type, ..ExchangeDeclare::default() }
    }

    /// Passive: only asks.
    pub fn passive(exchange: &str) -> ExchangeDeclare {
        ExchangeDeclare { passive: true, ..ExchangeDeclare::new(exchange, "") }
    }

    /// With `durable`.
    #[must_use]
    pub fn durable(self) -> ExchangeDeclare {
        ExchangeDeclare { durable: true, ..self }
    }

    /// With `auto-delete`.
    #[must_use]
    pub fn auto_delete(self) -> ExchangeDeclare {
        ExchangeDeclare { auto_delete: true, ..self }
    }

    /// With `internal`.
    #[must_use]
    pub fn internal(self) -> ExchangeDeclare {
        ExchangeDeclare { internal: true, ..self }
    }

    /// With an argument.
    #[must_use]
    pub fn argument(mut self, name: &str, value: impl Into<Value>) -> ExchangeDeclare {
        self.arguments.push((name.to_owned(), value.into()));
        self
    }
}

impl From<ExchangeDeclare> for Method {
    fn from(m: ExchangeDeclare) -> Method {
        Method::new(id::EXCHANGE_DECLARE, |out| {
            out.short(0).short_string(&m.exchange).short_string(&m.exchange_type);
            out.bits(&[m.passive, m.durable, m.auto_delete, m.internal, m.no_wait]).table(&m.arguments);
        })
    }
}

/// basic.consume.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the arguments of the specification under their own names")]
pub struct Consume {
    pub queue: String,
    pub consumer_tag: String,
    pub no_local: bool,
    pub no_ack: bool,
    pub exclusive: bool,
    pub no_wait: bool,
    pub arguments: Table,
}

impl Consume {
    /// A consumer that acknowledges.
    pub fn new(queue: &str, consumer_tag: &str) -> Consume {
        Consume { queue: queue.to_owned(), consumer_tag: consumer_tag.to_owned(), ..Consume::default() }
    }

    /// With `no-ack`.
    #[must_use]
    pub fn no_ack(self) -> Consume {
        Consume { no_ack: true, ..self }
    }

    /// With `exclusive`.
    #[must_use]
    pub fn exclusive(self) -> Consume {
        Consume { exclusive: true, ..self }
    }

    /// With an argument.
    #[must_use]
    pub fn argument(mut self, name: &str, value: impl Into<Value>) -> Consume {
        self.arguments.push((name.to_owned(), value.into()));
        self
    }
}

impl From<Consume> for Method {
    fn from(m: Consume) -> Method {
        Method::new(id::BASIC_CONSUME, |out| {
            out.short(0).short_string(&m.queue).short_string(&m.consumer_tag);
            out.bits(&[m.no_local, m.no_ack, m.exclusive, m.no_wait]).table(&m.arguments);
        })
    }
}

/// basic.publish without its content.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the arguments of the specification under their own names")]
pub struct Publish {
    pub exchange: String,
    pub routing_key: String,
    pub mandatory: bool,
    pub immediate: bool,
}

impl Publish {
    /// A plain publish.
    pub fn new(exchange: &str, routing_key: &str) -> Publish {
        let (exchange, routing_key) = (exchange.to_owned(), routing_key.to_owned());
        Publish { exchange, routing_key, ..Publish::default() }
    }

    /// With `mandatory`.
    #[must_use]
    pub fn mandatory(self) -> Publish {
        Publish { mandatory: true, ..self }
    }
}

impl From<Publish> for Method {
    fn from(m: Publish) -> Method {
        Method::new(id::BASIC_PUBLISH, |out| {
            out.short(0).short_string(&m.exchange).short_string(&m.routing_key).bits(&[m.mandatory, m.immediate]);
        })
    }
}

/// channel.open.
pub fn channel_open() -> Method {
    Method::new(id::CHANNEL_OPEN, |out| {
        out.short_string("");
    })
}

/// channel.flow.
pub fn channel_flow(active: bool) -> Method {
    Method::new(id::CHANNEL_FLOW, |out| {
        out.bits(&[active]);
    })
}

/// channel.close or connection.close with code 200.
pub fn close(id: MethodId) -> Method {
    Method::new(id, |out| {
        out.short(200).short_string("Goodbye").short(0).short(0);
    })
}

/// A method without arguments.
pub fn bare(id: MethodId) -> Method {
    Method::new(id, |_| {})
}

fn binding(id: MethodId, names: [&str; 3], arguments: &Table, no_wait: Option<bool>) -> Method {
    Method::new(id, |out| {
        out.short(0);
        for name in names {
            out.short_string(name);
        }
        if let Some(no_wait) = no_wait {
            out.bits(&[no_wait]);
        }
        out.table(arguments);
    })
}

/// queue.bind.
pub fn queue_bind(queue: &str, exchange: &str, key: &str, arguments: &Table) -> Method {
    binding(id::QUEUE_BIND, [queue, exchange, key], arguments, Some(false))
}

/// queue.unbind.
pub fn queue_unbind(queue: &str, exchange: &str, key: &str, arguments: &Table) -> Method {
    binding(id::QUEUE_UNBIND, [queue, exchange, key], arguments, None)
}

/// exchange.bind.
pub fn exchange_bind(destination: &str, source: &str, key: &str, arguments: &Table) -> Method {
    binding(id::EXCHANGE_BIND, [destination, source, key], arguments, Some(false))
}

/// exchange.unbind.
pub fn exchange_unbind(destination: &str, source: &str, key: &str, arguments: &Table) -> Method {
    binding(id::EXCHANGE_UNBIND, [destination, source, key], arguments, Some(false))
}

/// exchange.delete.
pub fn exchange_delete(exchange: &str, if_unused: bool) -> Method {
    Method::new(id::EXCHANGE_DELETE, |out| {
        out.short(0).short_string(exchange).bits(&[if_unused, false]);
    })
}

/// queue.purge.
pub fn queue_purge(queue: &str) -> Method {
    Method::new(id::QUEUE_PURGE, |out| {
        out.short(0).short_string(queue).bits(&[false]);
    })
}

/// queue.delete.
pub fn queue_delete(queue: &str, if_unused: bool, if_empty: bool) -> Method {
    Method::new(id::QUEUE_DELETE, |out| {
        out.short(0).short_string(queue).bits(&[if_unused, if_empty, false]);
    })
}

/// basic.qos with a prefetch size of 0.
pub fn qos(prefetch_count: u16, global: bool) -> Method {
    Method::new(id::BASIC_QOS, |out| {
        out.long(0).short(prefetch_count).bits(&[global]);
    })
}

/// basic.cancel.
pub fn cancel(consumer_tag: &str) -> Method {
    Method::new(id::BASIC_CANCEL, |out| {
        out.short_string(consumer_tag).bits(&[false]);
    })
}

/// basic.get.
pub fn get(queue: &str, no_ack: bool) -> Method {
    Method::new(id::BASIC_GET, |out| {
        out.short(0).short_string(queue).bits(&[no_ack]);
    })
}

/// basic.ack.
pub fn ack(delivery_tag: u64, multiple: bool) -> Method {
    Method::new(id::BASIC_ACK, |out| {
        out.longlong(delivery_tag).bits(&[multiple]);
    })
}

/// basic.reject.
pub fn reject(delivery_tag: u64, requeue: bool) -> Method {
    Method::new(id::BASIC_REJECT, |out| {
        out.longlong(delivery_tag).bits(&[requeue]);
    })
}

/// basic.nack.
pub fn nack(delivery_tag: u64, multiple: bool, requeue: bool) -> Method {
    Method::new(id::BASIC_NACK, |out| {
        out.longlong(delivery_tag).bits(&[multiple, requeue]);
    })
}

/// basic.recover, or basic.recover-async by its id.
pub fn recover(id: MethodId, requeue: bool) -> Method {
    Method::new(id, |out| {
        out.bits(&[requeue]);
    })
}

/// confirm.select.
pub fn confirm_select() -> Method {
    Method::new(id::CONFIRM_SELECT, |out| {
        out.bits(&[false]);
    })
}
