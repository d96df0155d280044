//! What the user interface needs to know to log in with OAuth 2: RabbitMQ's `management.oauth_*`.

use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How the user interface logs in with OAuth 2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OAuthLogin {
    /// `management.oauth_enabled`.
    pub enabled: bool,
    /// `management.oauth_disable_basic_auth`.
    pub disable_basic_auth: bool,
    /// `management.oauth_client_id`.
    pub client_id: Option<String>,
    /// `management.oauth_scopes`.
    pub scopes: Option<String>,
    /// `management.oauth_initiated_logon_type` is `idp_initiated`.
    pub idp_initiated: bool,
    /// `management.oauth_authorization_endpoint_params.*`.
    pub authorization_endpoint_params: BTreeMap<String, String>,
    /// `management.oauth_token_endpoint_params.*`.
    pub token_endpoint_params: BTreeMap<String, String>,
    /// The resource servers, by id.
    pub resource_servers: BTreeMap<String, OAuthResourceServer>,
}

/// A resource server as the user interface needs to know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OAuthResourceServer {
    /// Its name for people.
    pub label: Option<String>,
    /// URL of the provider; without one it is left out.
    pub provider_url: Option<String>,
    /// URL of the provider's metadata.
    pub metadata_url: Option<String>,
    /// URL that ends a session.
    pub end_session_endpoint: Option<String>,
    /// The client's id.
    pub client_id: Option<String>,
    /// Response type that is asked for.
    pub response_type: Option<String>,
    /// Scopes that are asked for.
    pub scopes: Option<String>,
    /// Who begins: `sp_initiated` or `idp_initiated`; `None` is as for all.
    pub initiated_logon_type: Option<String>,
    /// Parameters of authorization requests.
    pub authorization_endpoint_params: BTreeMap<String, String>,
    /// Parameters of token requests.
    pub token_endpoint_params: BTreeMap<String, String>,
}

impl OAuthLogin {
    /// The answer of `GET /api/auth`.
    pub(crate) fn answer(&self) -> Value {
        let mut answer = Map::new();
        let servers: Map<String, Value> = self
            .resource_servers
            .iter()
            .filter(|(_, server)| self.enabled && server.provider_url.is_some() && self.is_complete(server))
            .map(|(id, server)| (id.clone(), self.server(id, server)))
            .collect();
        answer.insert("oauth_enabled".to_owned(), (!servers.is_empty()).into());
        if servers.is_empty() {
            return answer.into();
        }
        answer.insert("oauth_resource_servers".to_owned(), servers.into());
        answer.insert("oauth_disable_basic_auth".to_owned(), self.disable_basic_auth.into());
        put(&mut answer, "oauth_client_id", self.client_id.as_deref());
        put(&mut answer, "oauth_scopes", self.scopes.as_deref());
        put(&mut answer, "oauth_initiated_logon_type", self.idp_initiated.then_some("idp_initiated"));
        put_all(&mut answer, "oauth_authorization_endpoint_params", &self.authorization_endpoint_params);
        put_all(&mut answer, "oauth_token_endpoint_params", &self.token_endpoint_params);
        answer.into()
    }

    /// Without a client's id only a provider can begin.
    fn is_complete(&self, server: &OAuthResourceServer) -> bool {
        let begins = match server.initiated_logon_type.as_deref() {
            Some(kind) => kind == "sp_initiated",
            None => !self.idp_initiated,
        };
        !begins || self.client_id.is_some() || server.client_id.is_some()
    }

    fn server(&self, id: &str, server: &OAuthResourceServer) -> Value {
        let mut answer = Map::new();
        put(&mut answer, "id", Some(id));
        put(&mut answer, "label", server.label.as_deref());
        put(&mut answer, "oauth_provider_url", server.provider_url.as_deref());
        put(&mut answer, "oauth_metadata_url", server.metadata_url.as_deref());
        put(&mut answer, "end_session_endpoint", server.end_session_endpoint.as_deref());
        put(&mut answer, "oauth_client_id", server.client_id.as_deref());
        put(&mut answer, "oauth_response_type", server.response_type.as_deref());
        put(&mut answer, "oauth_scopes", server.scopes.as_deref());
        put(&mut answer, "oauth_initiated_logon_type", server.initiated_logon_type.as_deref());
        put_all(&mut answer, "oauth_authorization_endpoint_params", &server.authorization_endpoint_params);
        put_all(&mut answer, "oauth_token_endpoint_params", &server.token_endpoint_params);
        answer.into()
    }
}

fn put(answer: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        answer.insert(name.to_owned(), value.into());
    }
}

fn put_all(answer: &mut Map<String, Value>, name: &str, values: &BTreeMap<String, String>) {
    if !values.is_empty() {
        let values: Map<String, Value> =
            values.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        answer.insert(name.to_owned(), values.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> OAuthLogin {
        let server =
            OAuthResourceServer { provider_url: Some("https://issuer".to_owned()), ..OAuthResourceServer::default() };
        OAuthLogin {
            enabled: true,
            client_id: Some("ui".to_owned()),
            resource_servers: BTreeMap::from([("rabbitmq".to_owned(), server)]),
            ..OAuthLogin::default()
        }
    }

    #[test]
    fn what_is_off_or_incomplete_says_nothing_else() {
        let off = serde_json::json!({ "oauth_enabled": false });
        assert_eq!(OAuthLogin { enabled: false, ..login() }.answer(), off);
        assert_eq!(OAuthLogin { client_id: None, ..login() }.answer(), off);
        assert_eq!(OAuthLogin { resource_servers: BTreeMap::new(), ..login() }.answer(), off);
    }

    #[test]
    fn the_page_learns_of_its_servers() {
        let strict = OAuthLogin { disable_basic_auth: true, ..login() };
        assert_eq!(
            strict.answer(),
            serde_json::json!({
                "oauth_enabled": true,
                "oauth_resource_servers": { "rabbitmq": { "id": "rabbitmq", "oauth_provider_url": "https://issuer" } },
                "oauth_disable_basic_auth": true,
                "oauth_client_id": "ui",
            })
        );
    }

    #[test]
    fn a_provider_may_begin_without_a_client() {
        let idp = OAuthLogin { client_id: None, idp_initiated: true, ..login() };
        assert_eq!(idp.answer()["oauth_initiated_logon_type"], "idp_initiated");
    }
}
