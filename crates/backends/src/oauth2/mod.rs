//! RabbitMQ's `rabbit_auth_backend_oauth2`: tokens that clients bring as their password.
//!
//! A token says who its user is, what it may do and until when; it is verified when it is brought, by the keys of its
//! provider, and answers for itself from then on.

mod claims;
mod jwt;
mod keys;
mod rar;
mod scope;
mod settings;
#[cfg(test)]
mod tests;
mod wildcard;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use auth::{Attempt, Authenticated, Backend, Question, Refusal, Token, Verdict};
use serde_json::{Map, Value};
use tracing::debug;

use crate::ClientError;
use jwt::Unverified;
use keys::Provider;
pub use keys::{KeyError, SigningKey};
use scope::Grant;
pub use scope::ScopeSyntax;
pub use settings::{OAuth2Settings, ProviderSettings, ResourceServer};

const NAME: &str = "rabbit_auth_backend_oauth2";

/// True for a URL that keys and metadata may come from: over TLS, or from this machine.
pub fn is_allowed_url(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(host, |(host, _)| host);
    scheme == "https" || (scheme == "http" && matches!(host, "localhost" | "127.0.0.1" | "[::1]"))
}

/// The algorithm called `name`, as `auth_oauth2.algorithms` has it.
pub fn algorithm(name: &str) -> Option<jsonwebtoken::Algorithm> {
    jwt::algorithm(name)
}

/// Takes tokens.
#[derive(Clone)]
pub struct OAuth2Backend(Arc<Inner>);

struct Inner {
    settings: OAuth2Settings,
    root: Provider,
    providers: BTreeMap<String, Provider>,
}

impl OAuth2Backend {
    /// A backend that takes tokens as `settings` say; nothing is downloaded yet.
    ///
    /// # Errors
    /// When a file of certificates cannot be used.
    pub fn new(settings: OAuth2Settings) -> Result<OAuth2Backend, ClientError> {
        let root = Provider::new(settings.provider.clone())?;
        let provider =
            |(name, settings): (&String, &ProviderSettings)| Ok((name.clone(), Provider::new(settings.clone())?));
        let providers = settings.providers.iter().map(provider).collect::<Result<_, ClientError>>()?;
        Ok(OAuth2Backend(Arc::new(Inner { settings, root, providers })))
    }

    /// Verifies a token. It may block for its provider's keys.
    fn verify(&self, token: &[u8], now_s: u64) -> Result<Verified, String> {
        let Some(unverified) = Unverified::parse(token) else {
            return Err("Authentication using an OAuth 2/JWT token failed: provided token is invalid".to_owned());
        };
        let failed = |reason: &str| format!("Authentication using OAuth 2/JWT token failed: {{error,{reason}}}");
        let server = self.0.settings.resource_server(unverified.audience().as_deref()).map_err(failed)?;
        let provider = match &server.oauth_provider_id {
            None => &self.0.root,
            Some(name) => {
                self.0.providers.get(name).ok_or_else(|| failed(&format!("oauth_provider_not_found {name}")))?
            }
        };
        let key = provider.key(unverified.key_id.as_deref()).map_err(|error| failed(&error))?;
        if !unverified.is_signed_by(&key, &provider.settings.algorithms) {
            return Err("Authentication using an OAuth 2/JWT token failed: signature_invalid".to_owned());
        }
        let claims = unverified.claims;
        let scopes = claims::scopes(&claims, server).ok_or_else(|| failed("too_many_scopes"))?;
        let expires_at_s = expiry(&claims, server, now_s)?;
        let name = claims::username(&claims, server);
        debug!("a token of user '{name}' for resource server '{}' is verified", server.id);
        Ok(Verified {
            name,
            tags: claims::tags(&scopes),
            scopes,
            claims,
            expires_at_s,
            syntax: server.scope_pattern_syntax,
            claims_for_name: server.preferred_username_claims.clone(),
        })
    }

    fn authenticated(&self, token: &[u8]) -> Result<(Authenticated, Vec<String>), Refusal> {
        let verified = self.verify(token, now_s()).map_err(Refusal::Refused)?;
        let (name, tags, order) = (verified.name.clone(), verified.tags.clone(), verified.claims_for_name.clone());
        let token = BroughtToken { backend: self.clone(), verified, grants: Mutex::default() };
        Ok((Authenticated { name, tags, token: Some(Arc::new(token)), asked: None }, order))
    }
}

/// When a token expires, if it does.
fn expiry(claims: &Map<String, Value>, server: &ResourceServer, now_s: u64) -> Result<Option<u64>, String> {
    match claims.get("exp") {
        Some(Value::Number(number)) => {
            // A fraction of a second is cut off.
            let exp = number.as_u64().or_else(|| number.as_f64().map(|exp| exp.max(0.0) as u64)).unwrap_or_default();
            if exp <= now_s {
                return Err(format!("Provided JWT token has expired at timestamp {exp} (validated at {now_s})"));
            }
            Ok(Some(exp))
        }
        Some(_) => Err("Provided JWT token has an invalid exp claim: value is not a number".to_owned()),
        None if server.require_exp => Err("Provided JWT token has no exp claim".to_owned()),
        None => Ok(None),
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Backend for OAuth2Backend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authenticated, Refusal> {
        // The name given means nothing: the token has its own.
        let Some(token) = attempt.password else {
            return Err(Refusal::Refused("no token was brought".to_owned()));
        };
        self.authenticated(token).map(|(authenticated, _)| authenticated)
    }

    fn check(&self, _: &str, _: &[String], _: Question<'_>) -> Verdict {
        // Nobody gets in here without a token, which answers for itself.
        Verdict::Refused
    }
}

struct Verified {
    name: String,
    tags: Vec<String>,
    scopes: Vec<String>,
    claims: Map<String, Value>,
    expires_at_s: Option<u64>,
    syntax: ScopeSyntax,
    /// The claims that name the user, in the order of the resource server.
    claims_for_name: Vec<String>,
}

/// A token that was verified.
struct BroughtToken {
    backend: OAuth2Backend,
    verified: Verified,
    /// What its scopes come to in the virtual host that was asked about last: most are asked about one alone.
    grants: Mutex<Option<(String, Arc<[Grant]>)>>,
}

impl BroughtToken {
    fn grants_in(&self, vhost: &str) -> Arc<[Grant]> {
        let mut known = self.grants.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, grants)) = &*known
            && of == vhost
        {
            return grants.clone();
        }
        let Verified { scopes, claims, syntax, .. } = &self.verified;
        let grants: Arc<[Grant]> = scopes
            .iter()
            .filter_map(|scope| Grant::parse(&scope::expand(scope, claims, vhost, *syntax), *syntax))
            .collect();
        *known = Some((vhost.to_owned(), grants.clone()));
        grants
    }
}

impl Token for BroughtToken {
    fn check(&self, question: Question<'_>) -> Verdict {
        if self.verified.expires_at_s.is_some_and(|expires_at_s| expires_at_s <= now_s()) {
            return Verdict::Refused;
        }
        let vhost = match question {
            Question::Vhost { vhost, .. } | Question::Topic { vhost, .. } => vhost,
            Question::Object { resource, .. } => resource.vhost,
        };
        self.grants_in(vhost).iter().any(|grant| grant.allows(question)).into()
    }

    fn expires_at_s(&self) -> Option<u64> {
        self.verified.expires_at_s
    }

    fn renew(&self, secret: &[u8]) -> Result<Authenticated, Refusal> {
        let (renewed, order) = self.backend.authenticated(secret)?;
        // Both are named by the new token's resource server, so that a change of servers does not change who it is.
        let named = order.iter().find_map(|claim| self.verified.claims.get(claim)?.as_str()).unwrap_or("unknown");
        if renewed.name != named {
            return Err(Refusal::Refused("Not allowed to change username on refreshed token".to_owned()));
        }
        Ok(renewed)
    }
}
