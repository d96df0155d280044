//! Spans as OTLP has them: JSON of an `ExportTraceServiceRequest`, with OpenTelemetry's conventions for messaging.

use crate::ring::Span;
use broker::Operation;
use serde_json::{Value, json};

/// Kinds of spans in OTLP: a broker is a server to those who publish and acknowledge, and a producer to consumers.
const SERVER: u8 = 2;
const PRODUCER: u8 = 4;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// Integers are texts in OTLP's JSON, as in that of any 64-bit number in protobuf.
fn integer(key: &str, value: usize) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

/// The words for an operation: that of the convention, its type, and the kind of span.
fn words(operation: Operation) -> (&'static str, &'static str, u8) {
    match operation {
        Operation::Publish => ("publish", "send", SERVER),
        Operation::Deliver => ("deliver", "receive", PRODUCER),
        Operation::Acknowledge => ("ack", "settle", SERVER),
        Operation::Return => ("nack", "settle", SERVER),
    }
}

/// One span; `id` is 8 bytes that no other span of the trace has.
fn span(span: &Span, id: u64) -> Value {
    let (name, kind_of_operation, kind) = words(span.operation);
    let destination = if span.queue.is_empty() {
        if span.exchange.is_empty() { "amq.default" } else { &span.exchange }
    } else {
        &span.queue
    };
    let mut attributes = vec![
        text("messaging.system", "rabbitmq"),
        text("messaging.operation.name", name),
        text("messaging.operation.type", kind_of_operation),
        text("messaging.destination.name", destination),
        text("messaging.rabbitmq.destination.routing_key", &span.routing_key),
        integer("messaging.message.body.size", span.body_bytes),
    ];
    if span.operation == Operation::Publish {
        attributes.push(integer("leveret.routed_queues", span.routed));
    } else {
        attributes.push(text("leveret.exchange", &span.exchange));
    }
    if !span.consumer_tag.is_empty() {
        attributes.push(text("messaging.consumer.group.name", &span.consumer_tag));
    }
    let mut value = json!({
        "traceId": hex(&span.parent.trace),
        "spanId": hex(&id.to_be_bytes()),
        "parentSpanId": hex(&span.parent.span),
        "name": format!("{name} {destination}"),
        "kind": kind,
        "startTimeUnixNano": span.began_ns.min(span.ended_ns).to_string(),
        "endTimeUnixNano": span.ended_ns.to_string(),
        "attributes": attributes,
    });
    if let Some(state) = &span.state {
        value["traceState"] = state.as_str().into();
    }
    value
}

/// A request with these spans; `next_id` gives ids.
pub(crate) fn request(service: &str, node: &str, spans: &[Span], mut next_id: impl FnMut() -> u64) -> Value {
    let spans: Vec<Value> = spans.iter().map(|one| span(one, next_id())).collect();
    json!({
        "resourceSpans": [{
            "resource": { "attributes": [text("service.name", service), text("service.instance.id", node)] },
            "scopeSpans": [{
                "scope": { "name": "leveret", "version": env!("CARGO_PKG_VERSION") },
                "spans": spans,
            }],
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::TraceParent;

    #[test]
    fn spans_belong_to_the_publishers() {
        let parent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        let one = Span {
            operation: Operation::Deliver,
            parent,
            state: Some("vendor=1".to_owned()),
            began_ns: 5,
            ended_ns: 9,
            exchange: "x".to_owned(),
            routing_key: "k".to_owned(),
            queue: "q".to_owned(),
            consumer_tag: "tag".to_owned(),
            routed: 0,
            body_bytes: 3,
        };
        let request = request("orders", "rabbit@host", &[one], || 0xabc);
        let shown = &request["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(shown["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(shown["parentSpanId"], "b7ad6b7169203331");
        assert_eq!(shown["spanId"], "0000000000000abc");
        assert_eq!(shown["traceState"], "vendor=1");
        assert_eq!(shown["name"], "deliver q");
        assert_eq!((&shown["startTimeUnixNano"], &shown["endTimeUnixNano"]), (&json!("5"), &json!("9")));
        let attributes = shown["attributes"].as_array().unwrap();
        assert!(attributes.contains(&text("messaging.system", "rabbitmq")), "{attributes:?}");
        assert!(attributes.contains(&integer("messaging.message.body.size", 3)), "{attributes:?}");
        let resource = &request["resourceSpans"][0]["resource"]["attributes"];
        assert_eq!(resource[0], text("service.name", "orders"));
    }
}
