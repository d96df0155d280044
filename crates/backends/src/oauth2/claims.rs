//! From the claims of a token to its scopes: they may stand in many places, and under aliases.

use serde_json::{Map, Value};

use super::rar;
use super::settings::ResourceServer;

/// Scopes that a token may have.
const MOST_SCOPES: usize = 2048;

/// Where user managed access has scopes (Keycloak, WSO2).
const REQUESTING_PARTY_TOKEN: &str = "authorization.permissions.scopes";

const TAG_PREFIX: &str = "tag:";

/// The scopes of a token that are meant for the resource server, without their prefix, sorted; `None` when they are too
/// many.
pub(super) fn scopes(claims: &Map<String, Value>, server: &ResourceServer) -> Option<Vec<String>> {
    let mut scopes = match claims.get("scope") {
        Some(Value::String(text)) => words(text),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let mut add = |path: &str| {
        let path: Vec<&str> = path.split('.').filter(|part| !part.is_empty()).collect();
        collect(&Value::Object(claims.clone()), &path, server, &mut scopes);
    };
    add(REQUESTING_PARTY_TOKEN);
    server.additional_scopes_key.as_deref().unwrap_or_default().split(' ').for_each(&mut add);
    let aliased: Vec<String> =
        scopes.iter().filter_map(|scope| server.scope_aliases.get(scope)).flatten().cloned().collect();
    scopes.extend(aliased);
    scopes.extend(rar::scopes(claims, server));
    let prefix = server.scope_prefix();
    let mut scopes: Vec<String> =
        scopes.iter().filter_map(|scope| scope.strip_prefix(&*prefix)).map(str::to_owned).collect();
    scopes.sort_unstable();
    scopes.dedup();
    (scopes.len() <= MOST_SCOPES).then_some(scopes)
}

/// The tags among scopes.
pub(super) fn tags(scopes: &[String]) -> Vec<String> {
    scopes.iter().filter_map(|scope| scope.strip_prefix(TAG_PREFIX)).map(str::to_owned).collect()
}

/// The name of a token's user: the first of the preferred claims that it has.
pub(super) fn username(claims: &Map<String, Value>, server: &ResourceServer) -> String {
    let named = server.preferred_username_claims.iter().find_map(|claim| claims.get(claim)?.as_str());
    named.unwrap_or("unknown").to_owned()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Collects scopes along a path of names, through objects and lists of objects.
fn collect(value: &Value, path: &[&str], server: &ResourceServer, scopes: &mut Vec<String>) {
    let Some((name, rest)) = path.split_first() else { return };
    let Some(found) = value.get(*name) else { return };
    if rest.is_empty() {
        return listed(found, server, scopes);
    }
    match found {
        Value::Object(_) => collect(found, rest, server, scopes),
        Value::Array(list) => {
            for element in list.iter().filter(|element| element.is_object()) {
                collect(element, rest, server, scopes);
            }
        }
        _ => {}
    }
}

/// Scopes as a list, as words, or by resource server.
fn listed(value: &Value, server: &ResourceServer, scopes: &mut Vec<String>) {
    match value {
        Value::String(text) => scopes.extend(words(text)),
        Value::Array(list) => scopes.extend(list.iter().filter_map(Value::as_str).map(str::to_owned)),
        Value::Object(by_server) => {
            let unprefixed = match by_server.get(&server.id) {
                Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                Some(Value::String(text)) => words(text),
                _ => Vec::new(),
            };
            scopes.extend(unprefixed.iter().map(|scope| format!("{}.{scope}", server.id)));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(id: &str) -> ResourceServer {
        ResourceServer { id: id.to_owned(), ..ResourceServer::default() }
    }

    #[track_caller]
    fn check(server: &ResourceServer, claims: &Value, expected: &[&str]) {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(scopes(claims.as_object().unwrap(), server).unwrap(), expected, "{claims}");
    }

    #[test]
    fn scopes_are_a_list_or_words_and_only_ours_count() {
        let server = server("rabbitmq");
        check(
            &server,
            &json!({ "scope": "rabbitmq.read:*/*  other.write:*/* rabbitmq.tag:monitoring" }),
            &["read:*/*", "tag:monitoring"],
        );
        check(&server, &json!({ "scope": ["rabbitmq.write:a/*", "rabbitmq.write:a/*", 7] }), &["write:a/*"]);
        check(&server, &json!({ "scope": 7 }), &[]);
        check(&server, &json!({}), &[]);
        let all = ResourceServer { scope_prefix: Some(String::new()), ..server };
        check(&all, &json!({ "scope": "read:*/* x" }), &["read:*/*", "x"]);
    }

    /// RabbitMQ's `unit_SUITE`, Keycloak's formats.
    #[test]
    fn more_scopes_are_found_along_paths() {
        let server = ResourceServer {
            additional_scopes_key: Some("realm_access.roles resource_access.account.roles".to_owned()),
            ..server("rabbitmq-resource")
        };
        let permissions = json!([
            { "rsid": "1", "scopes": ["rabbitmq-resource.read:*/*"] },
            { "rsid": "2", "scopes": "rabbitmq-resource.write:vhost1/*" },
            { "rsid": "3", "scopes": ["unknown-resource.write:vhost1/*"] },
            { "rsid": "4" },
        ]);
        check(
            &server,
            &json!({
                "authorization": { "permissions": permissions },
                "realm_access": { "roles": ["rabbitmq-resource.read:format2/*"] },
                "resource_access": { "account": { "roles": ["rabbitmq-resource.read:format2bis/*"] } },
            }),
            &["read:*/*", "write:vhost1/*", "read:format2/*", "read:format2bis/*"],
        );
        check(&server, &json!({ "authorization": { "permissions": [] } }), &[]);
        check(&server, &json!({ "authorization": {} }), &[]);
        check(
            &server,
            &json!({ "realm_access": { "roles": { "rabbitmq-resource": "read:a/* read:b/*" } } }),
            &["read:a/*", "read:b/*"],
        );
    }

    #[test]
    fn aliases_stand_for_scopes() {
        let server = ResourceServer {
            scope_aliases: [(
                "reader".to_owned(),
                vec!["rabbitmq.read:*/*".to_owned(), "rabbitmq.tag:management".to_owned()],
            )]
            .into(),
            ..server("rabbitmq")
        };
        check(&server, &json!({ "scope": "reader unknown" }), &["read:*/*", "tag:management"]);
    }

    #[test]
    fn too_many_scopes_are_none_at_all() {
        let many: Vec<String> = (0..=MOST_SCOPES).map(|n| format!("rabbitmq.read:{n}/*")).collect();
        assert!(scopes(json!({ "scope": many }).as_object().unwrap(), &server("rabbitmq")).is_none());
    }

    #[test]
    fn a_user_is_named_by_the_first_claim_that_is_text() {
        let server = ResourceServer {
            preferred_username_claims: ["email", "sub", "client_id"].map(str::to_owned).to_vec(),
            ..server("rabbitmq")
        };
        let name = |claims: Value| username(claims.as_object().unwrap(), &server);
        assert_eq!(name(json!({ "client_id": "c", "sub": "s" })), "s");
        assert_eq!(name(json!({ "email": ["no"], "client_id": "c" })), "c");
        assert_eq!(name(json!({})), "unknown");
    }
}
