//! `auth_oauth2.*` as the backend takes it.

use std::collections::BTreeMap;

use jsonwebtoken::Algorithm;

use super::keys::SigningKey;
use super::scope::ScopeSyntax;
use crate::HttpsSettings;

/// What tokens are taken, and what they mean.
#[derive(Clone, Debug, Default)]
pub struct OAuth2Settings {
    /// `resource_server_id` and what stands beside it; `None` where there is no id.
    pub root: Option<ResourceServer>,
    /// `resource_servers.*`, by id, with what they take over from the root.
    pub resource_servers: BTreeMap<String, ResourceServer>,
    /// The provider without a name, whose settings stand beside `resource_server_id`.
    pub provider: ProviderSettings,
    /// `oauth_providers.*`.
    pub providers: BTreeMap<String, ProviderSettings>,
}

/// A resource server: an audience, and how scopes are read for it.
#[derive(Clone, Debug)]
pub struct ResourceServer {
    /// The audience.
    pub id: String,
    /// The type that rich authorization requests have.
    pub resource_server_type: Option<String>,
    /// False takes tokens for any audience.
    pub verify_aud: bool,
    /// False takes tokens that never expire.
    pub require_exp: bool,
    /// What scopes begin with that are meant for the broker; `None` is the id and a dot.
    pub scope_prefix: Option<String>,
    /// Paths of claims with more scopes, with spaces between them.
    pub additional_scopes_key: Option<String>,
    /// Claims that name the user, in this order.
    pub preferred_username_claims: Vec<String>,
    /// Scopes that others stand for.
    pub scope_aliases: BTreeMap<String, Vec<String>>,
    /// How patterns in scopes are written.
    pub scope_pattern_syntax: ScopeSyntax,
    /// Name of the provider; `None` is the one without a name.
    pub oauth_provider_id: Option<String>,
}

/// Who issues tokens, and how they are verified.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// URL of the issuer, at which its metadata are found.
    pub issuer: Option<String>,
    /// URL of the signing keys; found in the metadata without it.
    pub jwks_uri: Option<String>,
    /// Path of the metadata.
    pub discovery_endpoint_path: String,
    /// Parameters of the request for metadata.
    pub discovery_endpoint_params: BTreeMap<String, String>,
    /// Key of tokens that name none.
    pub default_key: Option<String>,
    /// Keys that are there from the start, by id.
    pub signing_keys: BTreeMap<String, SigningKey>,
    /// Algorithms that are taken; empty takes whatever fits the key.
    pub algorithms: Vec<Algorithm>,
    /// How its certificate is checked.
    pub https: HttpsSettings,
}

impl Default for ResourceServer {
    fn default() -> ResourceServer {
        ResourceServer {
            id: String::new(),
            resource_server_type: None,
            verify_aud: true,
            require_exp: true,
            scope_prefix: None,
            additional_scopes_key: None,
            preferred_username_claims: ["sub", "client_id"].map(str::to_owned).to_vec(),
            scope_aliases: BTreeMap::new(),
            scope_pattern_syntax: ScopeSyntax::default(),
            oauth_provider_id: None,
        }
    }
}

impl ResourceServer {
    pub(super) fn scope_prefix(&self) -> String {
        self.scope_prefix.clone().unwrap_or_else(|| format!("{}.", self.id))
    }
}

impl Default for ProviderSettings {
    fn default() -> ProviderSettings {
        ProviderSettings {
            issuer: None,
            jwks_uri: None,
            discovery_endpoint_path: ".well-known/openid-configuration".to_owned(),
            discovery_endpoint_params: BTreeMap::new(),
            default_key: None,
            signing_keys: BTreeMap::new(),
            algorithms: Vec::new(),
            https: HttpsSettings::default(),
        }
    }
}

impl OAuth2Settings {
    /// The resource server that a token of this audience is for.
    ///
    /// # Errors
    /// RabbitMQ's words for what is wrong with the audience.
    pub(super) fn resource_server(&self, audience: Option<&[String]>) -> Result<&ResourceServer, &'static str> {
        let Some(audience) = audience else {
            return self
                .only_without_audience("no_aud_found", "no_aud_found_cannot_pick_one_from_too_many_resource_servers");
        };
        let mut found = self.every().filter(|server| audience.contains(&server.id));
        match (found.next(), found.next()) {
            (Some(server), None) => Ok(server),
            (Some(_), Some(_)) => Err("aud_matched_many_resource_servers_only_one_allowed"),
            (None, _) => {
                self.only_without_audience("no_matching_aud_found", "too_many_resources_with_verify_aud_false")
            }
        }
    }

    fn every(&self) -> impl Iterator<Item = &ResourceServer> {
        let root = self.root.iter().filter(|root| !self.resource_servers.contains_key(&root.id));
        self.resource_servers.values().chain(root)
    }

    /// The one that takes tokens for any audience, if there is exactly one.
    fn only_without_audience(&self, none: &'static str, many: &'static str) -> Result<&ResourceServer, &'static str> {
        let mut found = self.every().filter(|server| !server.verify_aud);
        match (found.next(), found.next()) {
            (Some(server), None) => Ok(server),
            (None, _) => Err(none),
            (Some(_), Some(_)) => Err(many),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(id: &str, verify_aud: bool) -> ResourceServer {
        ResourceServer { id: id.to_owned(), verify_aud, ..ResourceServer::default() }
    }

    fn settings(root: Option<ResourceServer>, more: Vec<ResourceServer>) -> OAuth2Settings {
        let resource_servers = more.into_iter().map(|server| (server.id.clone(), server)).collect();
        OAuth2Settings { root, resource_servers, ..OAuth2Settings::default() }
    }

    #[track_caller]
    fn check(settings: &OAuth2Settings, audience: Option<&[&str]>, expected: Result<&str, &str>) {
        let audience: Option<Vec<String>> = audience.map(|list| list.iter().map(|id| (*id).to_owned()).collect());
        assert_eq!(settings.resource_server(audience.as_deref()).map(|server| &*server.id), expected);
    }

    /// The cases of RabbitMQ's `rabbit_oauth2_resource_server_SUITE`.
    #[test]
    fn the_audience_names_the_resource_server() {
        let one = settings(Some(server("rabbitmq", true)), Vec::new());
        check(&one, Some(&["rabbitmq"]), Ok("rabbitmq"));
        check(&one, Some(&["other", "rabbitmq"]), Ok("rabbitmq"));
        check(&one, Some(&["other"]), Err("no_matching_aud_found"));
        check(&one, None, Err("no_aud_found"));
        let lax = settings(Some(server("rabbitmq", false)), Vec::new());
        check(&lax, Some(&["other"]), Ok("rabbitmq"));
        check(&lax, None, Ok("rabbitmq"));
        let two = settings(None, vec![server("a", true), server("b", true)]);
        check(&two, Some(&["a"]), Ok("a"));
        check(&two, Some(&["a", "b"]), Err("aud_matched_many_resource_servers_only_one_allowed"));
        let two_lax = settings(None, vec![server("a", false), server("b", false)]);
        check(&two_lax, Some(&["other"]), Err("too_many_resources_with_verify_aud_false"));
        check(&two_lax, None, Err("no_aud_found_cannot_pick_one_from_too_many_resource_servers"));
        let mixed = settings(Some(server("root", true)), vec![server("a", false), server("b", true)]);
        check(&mixed, None, Ok("a"));
        check(&mixed, Some(&["root"]), Ok("root"));
    }
}
