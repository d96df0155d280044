//! What the user interface is told of logging in with OAuth 2 (`GET /api/auth`).

use super::start;
use crate::json;
use serde_json::{Value, json};

/// What the page is told with these keys beside those that make OAuth 2 complete.
fn page(settings: &[(&str, &str)]) -> Value {
    let mut all = vec![
        ("auth_backends.1", "internal"),
        ("management.oauth_enabled", "true"),
        ("management.oauth_client_id", "ui"),
        ("management.oauth_provider_url", "https://issuer"),
        ("auth_oauth2.resource_server_id", "rabbitmq"),
        ("auth_oauth2.resource_servers.1.id", "other"),
    ];
    all.extend_from_slice(settings);
    json(&start(&all), "GET", "/api/auth", "")
}

#[test]
fn the_page_is_told_what_holds_for_all_servers() {
    let without = page(&[]);
    for (key, value, field, told) in [
        ("management.oauth_enabled", "false", "/oauth_enabled", json!(false)),
        ("management.oauth_disable_basic_auth", "false", "/oauth_disable_basic_auth", json!(false)),
        (
            "management.oauth_provider_url",
            "https://b",
            "/oauth_resource_servers/other/oauth_provider_url",
            json!("https://b"),
        ),
        ("management.oauth_client_id", "b", "/oauth_client_id", json!("b")),
        (
            "management.oauth_metadata_url",
            "https://m",
            "/oauth_resource_servers/other/oauth_metadata_url",
            json!("https://m"),
        ),
        ("management.oauth_scopes", "openid", "/oauth_scopes", json!("openid")),
        (
            "management.oauth_initiated_logon_type",
            "idp_initiated",
            "/oauth_initiated_logon_type",
            json!("idp_initiated"),
        ),
        (
            "management.oauth_authorization_endpoint_params.a",
            "1",
            "/oauth_authorization_endpoint_params",
            json!({ "a": "1" }),
        ),
        ("management.oauth_token_endpoint_params.t", "2", "/oauth_token_endpoint_params", json!({ "t": "2" })),
    ] {
        let page = page(&[(key, value)]);
        assert_eq!(page.pointer(field), Some(&told), "{key}: {page}");
        assert_ne!(without.pointer(field), Some(&told), "{key}");
    }
}

#[test]
fn the_page_is_told_of_each_server() {
    let own = "management.oauth_resource_servers.1";
    let without = page(&[]);
    for (key, value, field, told) in [
        ("label", "Other", "label", json!("Other")),
        ("oauth_provider_url", "https://b", "oauth_provider_url", json!("https://b")),
        ("oauth_client_id", "b", "oauth_client_id", json!("b")),
        ("oauth_response_type", "token", "oauth_response_type", json!("token")),
        ("oauth_scopes", "openid", "oauth_scopes", json!("openid")),
        ("oauth_metadata_url", "https://m", "oauth_metadata_url", json!("https://m")),
        ("oauth_initiated_logon_type", "idp_initiated", "oauth_initiated_logon_type", json!("idp_initiated")),
        ("oauth_authorization_endpoint_params.a", "1", "oauth_authorization_endpoint_params", json!({ "a": "1" })),
        ("oauth_token_endpoint_params.t", "2", "oauth_token_endpoint_params", json!({ "t": "2" })),
    ] {
        let page = page(&[(&format!("{own}.id"), "other"), (&format!("{own}.{key}"), value)]);
        let field = format!("/oauth_resource_servers/other/{field}");
        assert_eq!(page.pointer(&field), Some(&told), "{key}: {page}");
        assert_ne!(without.pointer(&field), Some(&told), "{key}");
    }
    let page = page(&[(&format!("{own}.id"), "other"), (&format!("{own}.disabled"), "true")]);
    assert_eq!(page.pointer("/oauth_resource_servers/other"), None, "{page}");
    assert!(page.pointer("/oauth_resource_servers/rabbitmq").is_some(), "{page}");
}

/// What OAuth 2 itself knows of its providers fills in what the user interface is not told.
#[test]
fn providers_say_where_their_metadata_and_the_end_of_sessions_are() {
    let server = "/oauth_resource_servers/other/";
    for (key, value, field, told) in [
        ("auth_oauth2.end_session_endpoint", "https://issuer/end", "end_session_endpoint", "https://issuer/end"),
        ("auth_oauth2.discovery_endpoint_path", "/meta", "oauth_metadata_url", "https://issuer/meta"),
    ] {
        let page = page(&[("auth_oauth2.issuer", "https://issuer"), (key, value)]);
        assert_eq!(page.pointer(&format!("{server}{field}")), Some(&json!(told)), "{key}: {page}");
    }
    let of_provider = [
        ("auth_oauth2.oauth_providers.p.issuer", "https://p"),
        ("auth_oauth2.oauth_providers.p.end_session_endpoint", "https://p/end"),
        ("auth_oauth2.oauth_providers.p.discovery_endpoint_path", "meta"),
    ];
    for chosen in ["auth_oauth2.resource_servers.1.oauth_provider_id", "auth_oauth2.default_oauth_provider"] {
        let page = page(&[&of_provider[..], &[(chosen, "p")]].concat());
        let told = |field: &str| page.pointer(&format!("{server}{field}")).cloned();
        assert_eq!(told("end_session_endpoint"), Some(json!("https://p/end")), "{chosen}: {page}");
        assert_eq!(told("oauth_metadata_url"), Some(json!("https://p/meta")), "{chosen}: {page}");
    }
}
