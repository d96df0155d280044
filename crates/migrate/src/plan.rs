//! What becomes of definitions on their way: what cannot be taken as it is, and what is made of it.

use serde_json::{Map, Value};

/// Arguments that mean something to quorum queues only.
const QUORUM_ARGUMENTS: [&str; 6] = [
    "x-quorum-initial-group-size",
    "x-quorum-target-group-size",
    "x-max-in-memory-length",
    "x-max-in-memory-bytes",
    "x-consumer-disconnected-timeout",
    "x-member-placement-tag",
];
/// Arguments that mean something to streams only.
const STREAM_ARGUMENTS: [&str; 6] = [
    "x-max-age",
    "x-stream-max-segment-size-bytes",
    "x-stream-filter-size-bytes",
    "x-initial-cluster-size",
    "x-queue-leader-locator",
    "x-max-length-bytes",
];
/// Components of parameters that the new broker knows.
const COMPONENTS: [&str; 2] = ["vhost-limits", "operator_policy"];

/// The type of a queue, where it is not a classic one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Special {
    Quorum,
    Stream,
}

impl Special {
    fn of(name: &str) -> Option<Special> {
        match name {
            "quorum" | "rabbit_quorum_queue" => Some(Special::Quorum),
            "stream" | "rabbit_stream_queue" => Some(Special::Stream),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Special::Quorum => "quorum queue",
            Special::Stream => "stream",
        }
    }
}

/// What has to be decided about, or told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Quorum queues, streams, and virtual hosts that make queues such, a line each.
    pub(crate) special: Vec<String>,
    /// What is left out or changed whatever the operator says, a line each.
    pub(crate) left_out: Vec<String>,
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The type of a queue, by its argument or by what the old broker says it is.
pub(crate) fn special(queue: &Value) -> Option<Special> {
    let argument = queue.get("arguments").map(|arguments| text(arguments, "x-queue-type")).unwrap_or_default();
    Special::of(argument).or_else(|| Special::of(text(queue, "type")))
}

fn name(object: &Value) -> String {
    format!("'{}' in vhost '{}'", text(object, "name"), text(object, "vhost"))
}

fn list<'a>(definitions: &'a mut Value, key: &str) -> Option<&'a mut Vec<Value>> {
    definitions.get_mut(key).and_then(Value::as_array_mut)
}

/// Leaves only what belongs to `vhost`; users and their permissions in it stay.
pub(crate) fn only_vhost(definitions: &mut Value, vhost: &str) {
    for key in ["queues", "exchanges", "bindings", "policies", "parameters", "permissions", "topic_permissions"] {
        if let Some(all) = list(definitions, key) {
            all.retain(|object| text(object, "vhost") == vhost);
        }
    }
    if let Some(vhosts) = list(definitions, "vhosts") {
        vhosts.retain(|object| text(object, "name") == vhost);
    }
    let permitted: Vec<String> = list(definitions, "permissions")
        .map(|all| all.iter().map(|object| text(object, "user").to_owned()).collect())
        .unwrap_or_default();
    if let Some(users) = list(definitions, "users") {
        users.retain(|object| permitted.iter().any(|user| user == text(object, "name")));
    }
    // They are of the whole broker.
    if let Some(globals) = list(definitions, "global_parameters") {
        globals.clear();
    }
}

/// Rewrites definitions for a broker without quorum queues and streams. `keeps_quorum`: it takes declarations of quorum
/// queues itself and makes durable classic ones of them, and clients that declare them go on unchanged.
pub(crate) fn rewrite(definitions: &mut Value, keeps_quorum: bool) -> Findings {
    let mut findings = Findings::default();
    for queue in list(definitions, "queues").into_iter().flatten() {
        if let Some(kind) = special(queue) {
            findings.special.push(take_as_classic(queue, kind, keeps_quorum));
        }
    }
    for vhost in list(definitions, "vhosts").into_iter().flatten() {
        findings.special.extend(without_default_type(vhost, keeps_quorum));
    }
    if let Some(parameters) = list(definitions, "parameters") {
        parameters.retain(|parameter| {
            let component = text(parameter, "component");
            let is_known = COMPONENTS.contains(&component);
            if !is_known {
                let line =
                    format!("parameter {} of component '{component}': there is no such component", name(parameter));
                findings.left_out.push(line);
            }
            is_known
        });
    }
    for policy in list(definitions, "policies").into_iter().flatten() {
        let apply_to = text(policy, "apply-to");
        if apply_to == "streams" || (apply_to == "quorum_queues" && !keeps_quorum) {
            let line = format!("policy {} is taken, and applies to nothing: it is for {apply_to}", name(policy));
            findings.left_out.push(line);
        }
    }
    findings
}

fn take_as_classic(queue: &mut Value, kind: Special, keeps_quorum: bool) -> String {
    let line = format!("{} {}", kind.word(), name(queue));
    if kind == Special::Quorum && keeps_quorum {
        return format!("{line}: a durable classic queue that clients go on declaring as a quorum queue");
    }
    let foreign = match kind {
        Special::Quorum => QUORUM_ARGUMENTS,
        Special::Stream => STREAM_ARGUMENTS,
    };
    let mut dropped = Vec::new();
    if let Some(arguments) = queue.get_mut("arguments").and_then(Value::as_object_mut) {
        arguments.retain(|key, _| {
            let goes = key == "x-queue-type" || foreign.contains(&key.as_str());
            if goes && key != "x-queue-type" {
                dropped.push(key.clone());
            }
            !goes
        });
    }
    queue["type"] = "classic".into();
    queue["durable"] = true.into();
    queue["auto_delete"] = false.into();
    let dropped = if dropped.is_empty() { String::new() } else { format!(", without {}", dropped.join(", ")) };
    format!("{line}: a durable classic queue{dropped}")
}

/// The default type of a virtual host makes quorum queues or streams of what clients declare later.
fn without_default_type(vhost: &mut Value, keeps_quorum: bool) -> Option<String> {
    let own = text(vhost, "default_queue_type").to_owned();
    let within = vhost.get("metadata").map(|metadata| text(metadata, "default_queue_type").to_owned());
    let kind = within.as_deref().and_then(Special::of).or_else(|| Special::of(&own))?;
    let name = text(vhost, "name").to_owned();
    if kind == Special::Quorum && keeps_quorum {
        return Some(format!("vhost '{name}': queues declared without a type stand in for quorum queues"));
    }
    vhost["default_queue_type"] = "classic".into();
    if let Some(metadata) = vhost.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.insert("default_queue_type".to_owned(), "classic".into());
    }
    Some(format!("vhost '{name}': queues declared without a type are classic ones and no {}s", kind.word()))
}

/// A document that tells whether a broker stands in for quorum queues when it is asked what it would do.
pub(crate) fn probe() -> Value {
    let name = "leveret-import-probe";
    serde_json::json!({
        "vhosts": [{ "name": name }],
        "queues": [{ "name": name, "vhost": name, "durable": true, "auto_delete": false,
            "arguments": { "x-queue-type": "quorum" } }],
    })
}

/// Takes the objects out that the new broker refuses; `refused` are entries of its dry run.
pub(crate) fn leave_out(definitions: &mut Value, refused: &[Value]) {
    for entry in refused {
        let key = match text(entry, "type") {
            "vhost" => "vhosts",
            "policy" => "policies",
            "topic permission" => "topic_permissions",
            "global parameter" => "global_parameters",
            "user" => "users",
            "permission" => "permissions",
            "parameter" => "parameters",
            "exchange" => "exchanges",
            "queue" => "queues",
            "binding" => "bindings",
            _ => continue,
        };
        let (vhost, name) = (text(entry, "vhost"), text(entry, "name"));
        if let Some(all) = list(definitions, key) {
            all.retain(|object| text(object, "vhost") != vhost || label(key, object) != name);
        }
    }
}

/// The name that a dry run has for an object.
fn label(key: &str, object: &Value) -> String {
    let text = |key: &str| text(object, key);
    match key {
        "bindings" => format!("{} -> {} ({})", text("source"), text("destination"), text("routing_key")),
        "permissions" => text("user").to_owned(),
        "topic_permissions" => format!("{} on {}", text("user"), text("exchange")),
        "parameters" => format!("{}/{}", text("component"), text("name")),
        _ => text("name").to_owned(),
    }
}

/// How many objects of each kind there are, `4 users, 2 vhosts`.
pub(crate) fn summary(definitions: &Value) -> String {
    let empty = Map::new();
    let object = definitions.as_object().unwrap_or(&empty);
    let counts = ["users", "vhosts", "permissions", "policies", "parameters", "exchanges", "queues", "bindings"];
    let counts = counts.iter().map(|key| (key, object.get(*key).and_then(Value::as_array).map_or(0, Vec::len)));
    let counts: Vec<String> =
        counts.filter(|(_, count)| *count > 0).map(|(key, count)| format!("{count} {key}")).collect();
    if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definitions() -> Value {
        json!({
            "vhosts": [{ "name": "/", "metadata": { "default_queue_type": "quorum" } }, { "name": "v" }],
            "users": [{ "name": "a" }, { "name": "b" }],
            "permissions": [{ "user": "a", "vhost": "/" }, { "user": "b", "vhost": "v" }],
            "queues": [
                { "name": "c", "vhost": "/", "arguments": {} },
                { "name": "q", "vhost": "/", "type": "quorum",
                    "arguments": { "x-queue-type": "quorum", "x-quorum-initial-group-size": 3, "x-delivery-limit": 5 } },
                { "name": "s", "vhost": "v", "arguments": { "x-queue-type": "stream", "x-max-age": "1D" } },
            ],
            "parameters": [{ "vhost": "/", "component": "shovel", "name": "s" },
                { "vhost": "/", "component": "vhost-limits", "name": "limits" }],
            "policies": [{ "vhost": "/", "name": "p", "apply-to": "quorum_queues" }],
        })
    }

    #[test]
    fn quorum_queues_and_streams_become_classic_one_by_one() {
        let mut changed = definitions();
        let findings = rewrite(&mut changed, false);
        assert_eq!(changed["queues"][0], definitions()["queues"][0]);
        assert_eq!(changed["queues"][1]["arguments"], json!({ "x-delivery-limit": 5 }));
        assert_eq!(changed["queues"][2]["arguments"], json!({}));
        assert_eq!(changed["queues"][2]["durable"], true);
        assert_eq!(changed["vhosts"][0]["metadata"]["default_queue_type"], "classic");
        assert_eq!(changed["parameters"].as_array().unwrap().len(), 1);
        let special = [
            "quorum queue 'q' in vhost '/': a durable classic queue, without x-quorum-initial-group-size",
            "stream 's' in vhost 'v': a durable classic queue, without x-max-age",
            "vhost '/': queues declared without a type are classic ones and no quorum queues",
        ];
        assert_eq!(findings.special, special);
        assert_eq!(findings.left_out.len(), 2, "{findings:?}");
    }

    #[test]
    fn a_broker_that_stands_in_for_quorum_queues_gets_them_as_they_are() {
        let mut changed = definitions();
        rewrite(&mut changed, true);
        assert_eq!(changed["queues"][1], definitions()["queues"][1]);
        assert_eq!(changed["vhosts"], definitions()["vhosts"]);
        assert_eq!(changed["queues"][2]["arguments"], json!({}));
    }

    #[test]
    fn one_vhost_is_cut_out_with_its_users() {
        let mut cut = definitions();
        only_vhost(&mut cut, "v");
        assert_eq!(cut["queues"].as_array().unwrap().len(), 1);
        assert_eq!(cut["users"], json!([{ "name": "b" }]));
        assert_eq!(cut["vhosts"], json!([{ "name": "v" }]));
        assert_eq!(cut["parameters"], json!([]));
    }

    #[test]
    fn what_is_refused_is_left_out_and_nothing_else() {
        let mut document = definitions();
        let refused = [
            json!({ "type": "queue", "vhost": "/", "name": "q" }),
            json!({ "type": "queue", "vhost": "v", "name": "c" }),
        ];
        leave_out(&mut document, &refused);
        let names: Vec<&str> = document["queues"].as_array().unwrap().iter().map(|queue| text(queue, "name")).collect();
        assert_eq!(names, ["c", "s"]);
    }
}
