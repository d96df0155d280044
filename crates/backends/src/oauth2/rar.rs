//! Rich authorization requests: scopes written as `authorization_details`.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::settings::ResourceServer;
use super::wildcard::Wildcard;

const TAGS: [&str; 4] = ["monitoring", "administrator", "management", "policymaker"];
const PERMISSIONS: [&str; 3] = ["read", "write", "configure"];
const ATTRIBUTES: [&str; 5] = ["cluster", "vhost", "queue", "exchange", "routing-key"];

/// The scopes of details that are of the resource server's type, with its id before each.
pub(super) fn scopes(claims: &Map<String, Value>, server: &ResourceServer) -> Vec<String> {
    let Some(kind) = server.resource_server_type.as_deref().filter(|kind| !kind.is_empty()) else {
        return Vec::new();
    };
    let details = claims.get("authorization_details").and_then(Value::as_array);
    let is_ours = |detail: &&Value| detail.get("type").and_then(Value::as_str) == Some(kind);
    details.into_iter().flatten().filter(is_ours).flat_map(|detail| of_detail(detail, server)).collect()
}

fn of_detail(detail: &Value, server: &ResourceServer) -> Vec<String> {
    let paths: Vec<String> =
        texts(detail.get("locations")).into_iter().filter_map(|location| path(location, &server.id)).collect();
    let mut scopes = Vec::new();
    for action in texts(detail.get("actions")).into_iter().filter(|_| !paths.is_empty()) {
        // Unknown actions are passed over.
        if TAGS.contains(&action) {
            scopes.push(format!("{}.tag:{action}", server.id));
        } else if PERMISSIONS.contains(&action) {
            scopes.extend(paths.iter().map(|path| format!("{}.{action}:{path}", server.id)));
        }
    }
    scopes
}

/// A text, or a list of them.
fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// `vhost/name/routing-key` of a location such as `cluster:rabbitmq/vhost:a/queue:b`; `None` when it is of another cluster
/// or names a queue and another exchange.
fn path(location: &str, server: &str) -> Option<String> {
    let mut attributes: HashMap<&str, &str> = HashMap::new();
    for part in location.split('/') {
        let mut words = part.split(':').filter(|word| !word.is_empty());
        if let (Some(name), Some(value)) = (words.next(), words.next())
            && ATTRIBUTES.contains(&name)
        {
            attributes.insert(name, value);
        }
    }
    if !Wildcard::parse(attributes.get("cluster")?)?.matches(server) {
        return None;
    }
    let (queue, exchange) = (attributes.get("queue"), attributes.get("exchange"));
    if queue.is_some() && exchange.is_some() && queue != exchange {
        return None;
    }
    let of = |value: Option<&&str>| value.map_or("*", |value| *value).to_owned();
    let (vhost, name) = (of(attributes.get("vhost")), of(queue.or(exchange)));
    Some(format!("{vhost}/{name}/{}", of(attributes.get("routing-key"))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::claims;
    use super::*;

    /// The cases of RabbitMQ's `unit_SUITE`, `normalize_token_scope_with_rich_auth_request`.
    #[test]
    fn details_become_scopes_as_in_rabbitmq() {
        let detail = |locations: Value, actions: Value| json!({ "type": "rabbitmq-type", "locations": locations, "actions": actions });
        let one = |location: &str| json!([detail(json!([location]), json!(["read"]))]);
        for (details, expected) in [
            (
                json!([
                    detail(json!(["cluster:finance/vhost:primary-*"]), json!(["configure"])),
                    detail(json!(["cluster:rabbitmq"]), json!(["management"])),
                    detail(json!(["cluster:rabbitmq"]), json!(["administrator"])),
                ]),
                &["tag:administrator", "tag:management"][..],
            ),
            (json!([{ "type": "unknown", "locations": ["cluster:rabbitmq"], "actions": ["read"] }]), &[]),
            (json!([{ "type": "", "locations": ["cluster:rabbitmq"], "actions": ["read"] }]), &[]),
            (json!([detail(json!(["cluster:rabbitmq"]), json!(""))]), &[]),
            (json!([detail(json!(["cluster:rabbit*"]), json!(["read"]))]), &["read:*/*/*"]),
            (json!([detail(json!(["cluster:*"]), json!(["write"]))]), &["write:*/*/*"]),
            (one("cluster:rabbitmq-other"), &[]),
            (one("cluster:^rabbitmq$/vhost:^finance-*"), &[]),
            (json!([{ "type": "rabbitmq-type", "locations": ["cluster:rabbitmq"] }]), &[]),
            (json!([{ "type": "rabbitmq-type", "actions": ["read"] }]), &[]),
            (json!([detail(json!(["cluster:rabbitmq"]), json!(["read2", "read"]))]), &["read:*/*/*"]),
            (
                json!([detail(
                    json!(["cluster:rabbitmq/vhost:a", "cluster:rabbitmq/vhost:b", "cluster:other"]),
                    json!(["read", "write", "monitoring"])
                )]),
                &["read:a/*/*", "read:b/*/*", "tag:monitoring", "write:a/*/*", "write:b/*/*"],
            ),
            (json!([detail(json!("cluster:rabbitmq"), json!("read"))]), &["read:*/*/*"]),
            (one("cluster:rabbitmq/queue:b"), &["read:*/b/*"]),
            (one("cluster:rabbitmq/exchange:b"), &["read:*/b/*"]),
            (one("cluster:rabbitmq/queue:b/exchange:c"), &[]),
            (one("cluster:rabbitmq/queue:*/exchange:*"), &["read:*/*/*"]),
            (one("cluster:rabbitmq/routing-key:b"), &["read:*/*/b"]),
            (
                one("cluster:rabbitmq/vhost:finance-*/queue:*-invoice/routing-key:r-*"),
                &["read:finance-*/*-invoice/r-*"],
            ),
            (one("cluster:rabbitmq/unknown:finance-*/queue:*-invoice/routing-key:r-*"), &["read:*/*-invoice/r-*"]),
            (one("cluster:rabbitmq/queue:invoices/vhost:finance/routing-key:r-*"), &["read:finance/invoices/r-*"]),
            (one("cluster:rabbitmq//routing-key:r-*"), &["read:*/*/r-*"]),
            (one("cluster:rabbitmq/queue:/vhost:/routing-key:r-*"), &["read:*/*/r-*"]),
            (one("some-prefix-value/cluster:rabbitmq/vhost:finance-*"), &["read:finance-*/*/*"]),
            (json!([]), &[]),
            (json!("nonsense"), &[]),
        ] {
            let server = ResourceServer {
                id: "rabbitmq".to_owned(),
                resource_server_type: Some("rabbitmq-type".to_owned()),
                ..ResourceServer::default()
            };
            let claims = json!({ "authorization_details": details });
            assert_eq!(claims::scopes(claims.as_object().unwrap(), &server).unwrap(), expected, "{claims}");
        }
    }
}
