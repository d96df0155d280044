//! The OpenAPI document: made from the table of routes, what each operation takes and gives, and the schemas.

use crate::api::Access;
use crate::routes::Route;
use serde_json::{Map, Value, json};

/// What operations take and give.
const OPERATIONS: &str = include_str!("../openapi/operations.txt");
/// What objects look like.
const SCHEMAS: &str = include_str!("../openapi/schemas.json");

/// One line of [`OPERATIONS`].
#[derive(Clone, Copy)]
struct Operation<'a> {
    body: Option<&'a str>,
    answer: &'a str,
    queries: &'a str,
    summary: &'a str,
}

/// The operation at `path`, which has no prefix, if somebody described it.
fn operation(verb: &str, path: &str) -> Option<Operation<'static>> {
    let lines = OPERATIONS.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(parse)
        .find(|(given_verb, given_path, _)| *given_verb == verb && *given_path == path)
        .map(|it| it.2)
}

fn parse(line: &str) -> Option<(&str, &str, Operation<'_>)> {
    let mut columns = line.split('|').map(str::trim);
    let (verb, path) = columns.next()?.split_once(' ')?;
    let mut next = || columns.next();
    let (body, answer, queries, summary) = (next()?, next()?, next()?, next()?);
    let some = |text| if text == "-" { "" } else { text };
    let body = (body != "-").then_some(body);
    Some((verb, path, Operation { body, answer: some(answer), queries: some(queries), summary }))
}

/// The document for these routes, whose paths begin with `/api`. Operations that nobody described are left out; a test
/// sees to it that there are none.
pub fn document(routes: &[Route]) -> Value {
    let mut paths = Map::new();
    for route in routes {
        let path = route.path.strip_prefix("/api").unwrap_or(&route.path);
        let Some(operation) = operation(route.verb.as_str(), path) else { continue };
        let at_path = paths.entry(path).or_insert_with(|| json!({}));
        at_path[route.verb.as_str().to_ascii_lowercase()] = describe(route, path, operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Leveret HTTP API",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "RabbitMQ's management HTTP API, and what Leveret has beyond it",
            "description": "In paths the virtual host `/` is `%2F` and the default exchange `amq.default`. \
                Every GET answers HEAD, every path OPTIONS.",
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": "/api" }],
        "security": [{ "basic": [] }],
        "paths": paths,
        "components": {
            "schemas": serde_json::from_str::<Value>(SCHEMAS).unwrap_or_default(),
            "responses": {
                "BadRequest": refusal("The request is wrong; the reason says how."),
                "NotAuthorised": refusal("Nobody is logged in, or the user may not do that."),
                "NotFound": refusal("There is no such object."),
            },
            "securitySchemes": { "basic": { "type": "http", "scheme": "basic" } },
        },
    })
}

fn refusal(description: &str) -> Value {
    json!({ "description": description, "content": json_of(reference("Error")) })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn json_of(schema: Value) -> Value {
    json!({ "application/json": { "schema": schema } })
}

fn describe(route: &Route, path: &str, operation: Operation<'_>) -> Value {
    let mut parameters: Vec<Value> = segments(path)
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    parameters.extend(operation.queries.split_whitespace().flat_map(query));
    let mut described = json!({
        "operationId": operation_id(route.verb.as_str(), path),
        "summary": operation.summary,
        "tags": [path.split('/').nth(1).unwrap_or_default()],
        "description": rights(route.access),
        "parameters": parameters,
        "responses": answers(operation.answer, path),
    });
    if let Some(schema) = operation.body {
        described["requestBody"] = json!({ "required": true, "content": json_of(reference(schema)) });
    }
    if route.access == Access::Public {
        described["security"] = json!([]);
    }
    described
}

/// Names of the parameters of a path.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn operation_id(verb: &str, path: &str) -> String {
    let words = path.split(['/', '-', '{', '}', '_']).filter(|word| !word.is_empty());
    words.fold(verb.to_ascii_lowercase(), |id, word| format!("{id}_{word}"))
}

fn rights(access: Access) -> &'static str {
    match access {
        Access::Public => "For everybody.",
        Access::ManagementUser => "For users with any of the four tags.",
        Access::VhostUser => "For users with permissions in the virtual host, and administrators.",
        Access::VhostVisible => "For users with permissions in the virtual host, monitors and administrators.",
        Access::Monitor => "For users with the tag monitoring or administrator.",
        Access::PolicyMaker => "For policymakers with permissions in the virtual host, and administrators.",
        Access::GlobalPolicyMaker => "For users with the tag policymaker or administrator.",
        Access::Administrator => "For administrators.",
    }
}

fn answers(answer: &str, path: &str) -> Value {
    let (status, mut value) = match answer {
        "put" => ("204", json!({ "description": "It is done; it was there before." })),
        "none" | "changes" => ("204", json!({ "description": "It is done." })),
        "location" => (
            "201",
            json!({
                "description": "It is done.",
                "headers": { "Location": { "description": "Where it is.", "schema": { "type": "string" } } },
            }),
        ),
        "health" => ("200", json!({ "description": "It is so.", "content": json_of(reference("Health")) })),
        "text" => ("200", json!({ "description": "The answer.", "content": { "text/plain": {} } })),
        "events" => ("200", json!({ "description": "Server-sent events.", "content": { "text/event-stream": {} } })),
        "ok" | "form" => ("200", json!({ "description": "The answer.", "content": json_of(json!({})) })),
        list if list.starts_with('[') => {
            let items = reference(list.trim_matches(['[', ']']));
            let list = json!({ "type": "array", "items": items });
            let page = json!({ "allOf": [reference("Page"), { "properties": { "items": list } }] });
            ("200", json!({ "description": "The list.", "content": json_of(json!({ "anyOf": [list, page] })) }))
        }
        schema => ("200", json!({ "description": "The object.", "content": json_of(reference(schema)) })),
    };
    let mut all = Map::new();
    if answer == "put" {
        all.insert("201".to_owned(), json!({ "description": "It is done, and it is new." }));
    }
    if answer == "changes" {
        let list = json!({ "type": "array", "items": { "type": "object" } });
        let changes = json!({ "description": "What would change.", "content": json_of(list) });
        all.insert("200".to_owned(), changes);
    }
    if answer == "form" {
        all.insert("415".to_owned(), json!({ "description": "The body is no form." }));
    }
    if answer == "health" {
        let failure = json!({ "description": "It is not.", "content": json_of(reference("HealthFailure")) });
        all.insert("503".to_owned(), failure);
    }
    all.insert(status.to_owned(), value.take());
    all.insert("400".to_owned(), json!({ "$ref": "#/components/responses/BadRequest" }));
    all.insert("401".to_owned(), json!({ "$ref": "#/components/responses/NotAuthorised" }));
    if path.contains('{') {
        all.insert("404".to_owned(), json!({ "$ref": "#/components/responses/NotFound" }));
    }
    Value::Object(all)
}

/// The parameters of a group.
fn query(group: &str) -> Vec<Value> {
    let parameter = |name: &str, kind: &str, description: &str| json!({ "name": name, "in": "query", "description": description, "schema": { "type": kind } });
    let list = || {
        vec![
            parameter("sort", "string", "The field to sort by, with dots for fields of fields."),
            parameter("sort_reverse", "boolean", "The other way round."),
            parameter("columns", "string", "The fields that are wanted, with commas between them."),
        ]
    };
    match group {
        "one" => vec![parameter("columns", "string", "The fields that are wanted, with commas between them.")],
        "list" => list(),
        "page" => {
            let mut all = list();
            all.extend([
                parameter("page", "integer", "The page, from 1 on."),
                parameter("page_size", "integer", "Rows of a page, 1 to 500; 100 without it."),
                parameter("name", "string", "Only those whose name contains this, or matches it."),
                parameter("use_regex", "boolean", "The name is a regular expression."),
                parameter("pagination", "boolean", "False for the whole list, although a page is named."),
                parameter("disable_stats", "boolean", "Without statistics."),
                parameter("enable_queue_totals", "boolean", "With counts of messages even so."),
            ]);
            all
        }
        "sampling" => ["lengths", "msg_rates", "data_rates"]
            .into_iter()
            .flat_map(|what| {
                [
                    parameter(&format!("{what}_age"), "integer", "Seconds back to the oldest sample."),
                    parameter(&format!("{what}_incr"), "integer", "Seconds between two samples."),
                ]
            })
            .collect(),
        "delayed" => vec![
            parameter("exchange", "string", "Only those published to this exchange."),
            parameter("from", "integer", "Only those with this id or a higher one."),
            parameter("count", "integer", "At most so many."),
        ],
        "peek" => vec![
            parameter("from", "string", "Where to begin: what an earlier answer has as next."),
            parameter("count", "integer", "At most so many."),
            parameter("state", "string", "Only those that are ready, waiting or unacked."),
            parameter("truncate", "integer", "At most so many bytes of a payload."),
            parameter("encoding", "string", "auto or base64."),
        ],
        "filter" => vec![
            parameter("routing_key", "string", "Only those with this routing key."),
            parameter("exchange", "string", "Only those published to this exchange."),
            parameter("header", "string", "Only those with this header, or with NAME=VALUE."),
            parameter("property", "string", "Only those with this property, as NAME=VALUE."),
            parameter("body", "string", "Only those whose body contains this text."),
            parameter("body_regex", "string", "Only those whose body matches this regular expression."),
            parameter("entered_from", "integer", "Only those that entered then or later, in ms since 1970."),
            parameter("entered_before", "integer", "Only those that entered earlier, in ms since 1970."),
            parameter("min_size", "integer", "Only those whose body has at least so many bytes."),
            parameter("max_size", "integer", "Only those whose body has at most so many bytes."),
        ],
        "diagnosis" => vec![parameter("sample_ms", "integer", "How long the queue is watched.")],
        "configuration" => vec![parameter("all", "boolean", "Keys that are not given, too, with their defaults.")],
        "log" => vec![
            parameter("lines", "integer", "At most so many lines, the newest."),
            parameter("after", "integer", "Only those after the line of this number."),
        ],
        "audit" => vec![
            parameter("page", "integer", "The page, from 1 on."),
            parameter("page_size", "integer", "Changes of a page."),
        ],
        "if_unused" => vec![parameter("if-unused", "boolean", "Only when nobody uses it.")],
        "if_empty" => vec![parameter("if-empty", "boolean", "Only when it has no messages.")],
        "download" => vec![parameter("download", "string", "A file name for browsers.")],
        "dry_run" => vec![parameter("dry_run", "boolean", "Say what would change, and change nothing.")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::routes;

    #[test]
    fn every_operation_is_described() {
        let missing: Vec<String> = routes()
            .iter()
            .map(|route| (route.verb.as_str(), route.path.strip_prefix("/api").unwrap_or_default()))
            .filter(|(verb, path)| operation(verb, path).is_none())
            .map(|(verb, path)| format!("{verb} {path}"))
            .collect();
        assert!(missing.is_empty(), "not in openapi/operations.txt:\n{}", missing.join("\n"));
    }

    #[test]
    fn every_description_has_an_operation() {
        let served = routes();
        for line in OPERATIONS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (verb, path, _) = parse(line).unwrap_or_else(|| panic!("not five columns: {line}"));
            let is_served = |route: &Route| route.verb == *verb && route.path == format!("/api{path}");
            assert!(served.iter().any(is_served), "no such route: {line}");
        }
    }

    /// `LEVERET_BLESS=1` writes it.
    #[test]
    fn the_committed_document_is_what_the_routes_are() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let mut wanted = serde_json::to_string_pretty(&document(&routes())).expect("JSON");
        wanted.push('\n');
        if std::env::var_os("LEVERET_BLESS").is_some() {
            std::fs::write(file, &wanted).expect("written");
        }
        let committed = std::fs::read_to_string(file).expect("the document");
        assert!(committed == wanted, "openapi.json is not up to date: run this test with LEVERET_BLESS=1");
    }

    #[test]
    fn references_lead_somewhere() {
        let document = document(&routes());
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap_or_default();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn groups_of_queries_exist() {
        for line in OPERATIONS.lines().filter(|line| !line.starts_with('#')) {
            let Some((_, _, operation)) = parse(line) else { continue };
            for group in operation.queries.split_whitespace() {
                assert!(!query(group).is_empty(), "{group} in {line}");
            }
        }
    }
}
