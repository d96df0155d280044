//! The keys of a provider: those that are configured, and those that it publishes, which change.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use tracing::{debug, error, info};
use ureq::Agent;

pub use super::jwt::{KeyError, SigningKey};
use super::settings::ProviderSettings;
use crate::client::{self, Answer, ClientError, quote};

/// How long a request for keys or metadata may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Downloads that may follow one another at once, and how long it takes until there is one more: whoever makes key ids
/// up must not have the provider asked for each.
const DOWNLOADS: u32 = 3;
const ONE_MORE_AFTER: Duration = Duration::from_secs(10);

/// Keys by id; those that are published without one have none.
type Keys = HashMap<Option<String>, SigningKey>;

/// A provider, and the keys that it has published.
pub(super) struct Provider {
    pub(super) settings: ProviderSettings,
    agent: Agent,
    /// What was downloaded last, over those that are configured; `None` before the first download.
    published: RwLock<Option<Keys>>,
    /// Held while keys are downloaded, so that others wait for them.
    downloads: Mutex<Downloads>,
}

struct Downloads {
    left: u32,
    since: Instant,
    /// How many there were, so that whoever waited knows that there was one.
    count: u64,
    jwks_uri: Option<String>,
}

impl Provider {
    pub(super) fn new(settings: ProviderSettings) -> Result<Provider, ClientError> {
        let agent = client::agent(&settings.https, Some(PATIENCE), Some(PATIENCE))?;
        let downloads =
            Downloads { left: DOWNLOADS, since: Instant::now(), count: 0, jwks_uri: settings.jwks_uri.clone() };
        Ok(Provider { settings, agent, published: RwLock::default(), downloads: Mutex::new(downloads) })
    }

    /// The key that a token names, or the default one for a token that names none. A key that is not known may be a new
    /// one, so keys are downloaded again. It may block.
    pub(super) fn key(&self, id: Option<&str>) -> Result<SigningKey, String> {
        let id = id.or(self.settings.default_key.as_deref()).map(str::to_owned);
        let before = self.lock().count;
        if let Some(key) = self.find(&id) {
            return Ok(key);
        }
        let mut downloads = self.lock();
        if downloads.count != before
            && let Some(key) = self.find(&id)
        {
            // Somebody else has downloaded them meanwhile.
            return Ok(key);
        }
        if !downloads.take(Instant::now()) {
            return Err("key_not_found: keys are not downloaded again so soon".to_owned());
        }
        self.download(&mut downloads)?;
        drop(downloads);
        self.find(&id).ok_or_else(|| "key_not_found".to_owned())
    }

    fn lock(&self) -> MutexGuard<'_, Downloads> {
        self.downloads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &Option<String>) -> Option<SigningKey> {
        let published = self.published.read().unwrap_or_else(PoisonError::into_inner);
        let configured = || self.settings.signing_keys.get(id.as_deref()?);
        published.as_ref().and_then(|keys| keys.get(id)).or_else(configured).cloned()
    }

    fn download(&self, downloads: &mut Downloads) -> Result<(), String> {
        let uri = match &downloads.jwks_uri {
            Some(uri) => uri.clone(),
            None => {
                let uri = self.discover()?;
                downloads.jwks_uri = Some(uri.clone());
                uri
            }
        };
        debug!("downloading signing keys from {uri}");
        let keys = self.get(&uri).and_then(|body| read(&body)).inspect_err(|error| {
            error!("failed to download signing keys from {uri}: {error}");
        })?;
        info!("downloaded {} signing keys from {uri}", keys.len());
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
        downloads.count += 1;
        Ok(())
    }

    /// Where the issuer's metadata say that its keys are.
    fn discover(&self) -> Result<String, String> {
        let Some(issuer) = &self.settings.issuer else { return Err("key_not_found".to_owned()) };
        let path = self.settings.discovery_endpoint_path.trim_start_matches('/');
        let mut url = format!("{}/{path}", issuer.trim_end_matches('/'));
        for (index, (name, value)) in self.settings.discovery_endpoint_params.iter().enumerate() {
            url.push(if index == 0 { '?' } else { '&' });
            quote(name.as_bytes(), &mut url);
            url.push('=');
            quote(value.as_bytes(), &mut url);
        }
        let body = self.get(&url).inspect_err(|error| error!("cannot read the metadata at {url}: {error}"))?;
        let metadata: Value = serde_json::from_str(&body).map_err(|_| format!("the metadata at {url} are no JSON"))?;
        let uri = metadata.get("jwks_uri").and_then(Value::as_str).ok_or("the metadata have no jwks_uri")?;
        // Keys that come over a plain connection could be anybody's.
        super::is_allowed_url(uri).then(|| uri.to_owned()).ok_or_else(|| format!("jwks_uri {uri} is not https"))
    }

    fn get(&self, url: &str) -> Result<String, String> {
        let Answer { status, body } = client::answer(self.agent.get(url).call())?;
        if status == 200 { Ok(body) } else { Err(format!("unexpected_status_code {status}")) }
    }
}

impl Downloads {
    fn take(&mut self, now: Instant) -> bool {
        let more = now.saturating_duration_since(self.since).as_secs() / ONE_MORE_AFTER.as_secs();
        if more > 0 {
            self.left = DOWNLOADS.min(self.left.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)));
            self.since = now;
        }
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        true
    }
}

/// The keys of a key set; those of a kind that is not known are left out.
fn read(body: &str) -> Result<Keys, String> {
    let set: Value = serde_json::from_str(body).map_err(|_| "invalid_jwks_response")?;
    let list = set.get("keys").and_then(Value::as_array).ok_or("invalid_jwks_response")?;
    let id = |key: &Value| key.get("kid").and_then(Value::as_str).map(str::to_owned);
    let keys: Keys = list.iter().filter_map(|key| Some((id(key), SigningKey::from_jwk(key)?))).collect();
    if keys.is_empty() { Err("empty_jwks_response".to_owned()) } else { Ok(keys) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn downloads_are_few_and_come_back_with_time() {
        let start = Instant::now();
        let mut downloads = Downloads { left: DOWNLOADS, since: start, count: 0, jwks_uri: None };
        let taken = |downloads: &mut Downloads, at| (0..10).filter(|_| downloads.take(at)).count();
        assert_eq!(taken(&mut downloads, start), 3);
        assert_eq!(taken(&mut downloads, start + ONE_MORE_AFTER), 1);
        assert_eq!(taken(&mut downloads, start + 100 * ONE_MORE_AFTER), 3);
    }

    #[test]
    fn a_key_set_is_read_as_far_as_it_is_known() {
        assert_eq!(read("nonsense").unwrap_err(), "invalid_jwks_response");
        assert_eq!(read("{}").unwrap_err(), "invalid_jwks_response");
        assert_eq!(read(r#"{"keys":[]}"#).unwrap_err(), "empty_jwks_response");
        let set = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"a"},{"kty":"new","kid":"b"},
            {"kty":"MAC","value":"s","kid":"c","alg":"HMACSHA256"},{"kty":"oct","k":"c2VjcmV0"},
            {"kty":"oct","k":"c2VjcmV0","kid":"d","use":"enc"}]}"#;
        let keys = read(set).unwrap();
        let mut ids: Vec<_> = keys.keys().cloned().collect();
        ids.sort();
        assert_eq!(ids, [None, Some("a".to_owned()), Some("c".to_owned())]);
    }
}
