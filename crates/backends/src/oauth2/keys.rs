//! The keys of a provider: those that are configured, and those that it publishes, which change.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};
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

/// How long after a download began others wait for its end: one that takes longer must not hold the threads of all logins.
const WAIT: Duration = Duration::from_secs(1);
/// How long after a download that failed there is no other.
const PAUSE: Duration = Duration::from_secs(5);

/// Keys by id; those that are published without one have none.
type Keys = HashMap<Option<String>, SigningKey>;

/// A provider, and the keys that it has published.
pub(super) struct Provider {
    pub(super) settings: ProviderSettings,
    agent: Agent,
    /// What was downloaded last, over those that are configured; `None` before the first download.
    published: RwLock<Option<Keys>>,
    /// Not held while keys are downloaded.
    downloads: Mutex<Downloads>,
    /// Told when a download ends.
    ended: Condvar,
}

struct Downloads {
    left: u32,
    since: Instant,
    /// When the one began that is under way.
    begun: Option<Instant>,
    /// When the last one failed, if it did.
    failed: Option<Instant>,
    jwks_uri: Option<String>,
}

/// A download that is under way until this is dropped.
struct UnderWay<'a>(&'a Provider);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.lock().begun = None;
        self.0.ended.notify_all();
    }
}

impl Provider {
    pub(super) fn new(settings: ProviderSettings) -> Result<Provider, ClientError> {
        let agent = client::agent(&settings.https, Some(PATIENCE), Some(PATIENCE))?;
        let downloads = Downloads::new(Instant::now(), settings.jwks_uri.clone());
        let (published, downloads, ended) = (RwLock::default(), Mutex::new(downloads), Condvar::new());
        Ok(Provider { settings, agent, published, downloads, ended })
    }

    /// The key that a token names, or the default one for a token that names none. A key that is not known may be a new
    /// one, so keys are downloaded again. It may block.
    pub(super) fn key(&self, id: Option<&str>) -> Result<SigningKey, String> {
        let id = id.or(self.settings.default_key.as_deref()).map(str::to_owned);
        // A key that is known needs no lock that somebody with an unknown one may hold.
        if let Some(key) = self.find(&id) {
            return Ok(key);
        }
        let mut downloads = self.wait_for_download()?;
        if let Some(key) = self.find(&id) {
            // Somebody else has downloaded them meanwhile.
            return Ok(key);
        }
        let now = Instant::now();
        if downloads.failed.is_some_and(|failed| now.saturating_duration_since(failed) < PAUSE) {
            return Err("key_not_found: keys could not be downloaded a moment ago".to_owned());
        }
        if !downloads.take(now) {
            return Err("key_not_found: keys are not downloaded again so soon".to_owned());
        }
        downloads.begun = Some(now);
        let jwks_uri = downloads.jwks_uri.clone();
        drop(downloads);
        let under_way = UnderWay(self);
        let downloaded = self.download(jwks_uri);
        self.lock().failed = downloaded.is_err().then(Instant::now);
        drop(under_way);
        downloaded?;
        self.find(&id).ok_or_else(|| "key_not_found".to_owned())
    }

    /// Waits for the end of a download that has just begun.
    fn wait_for_download(&self) -> Result<MutexGuard<'_, Downloads>, String> {
        let downloads = self.lock();
        let patience = downloads.begun.map_or(Duration::ZERO, |begun| WAIT.saturating_sub(begun.elapsed()));
        let waited = self.ended.wait_timeout_while(downloads, patience, |downloads| downloads.begun.is_some());
        let (downloads, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match downloads.begun {
            None => Ok(downloads),
            Some(_) => Err("key_not_found: keys are still being downloaded".to_owned()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Downloads> {
        self.downloads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, id: &Option<String>) -> Option<SigningKey> {
        let published = self.published.read().unwrap_or_else(PoisonError::into_inner);
        let configured = || self.settings.signing_keys.get(id.as_deref()?);
        published.as_ref().and_then(|keys| keys.get(id)).or_else(configured).cloned()
    }

    fn download(&self, jwks_uri: Option<String>) -> Result<(), String> {
        let uri = match jwks_uri {
            Some(uri) => uri,
            None => {
                let uri = self.discover()?;
                self.lock().jwks_uri = Some(uri.clone());
                uri
            }
        };
        debug!("downloading signing keys from {uri}");
        let keys = self.get(&uri).and_then(|body| read(&body)).inspect_err(|error| {
            error!("failed to download signing keys from {uri}: {error}");
        })?;
        info!("downloaded {} signing keys from {uri}", keys.len());
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = Some(keys);
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
    fn new(now: Instant, jwks_uri: Option<String>) -> Downloads {
        Downloads { left: DOWNLOADS, since: now, begun: None, failed: None, jwks_uri }
    }

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
        let mut downloads = Downloads::new(start, None);
        let taken = |downloads: &mut Downloads, at| (0..10).filter(|_| downloads.take(at)).count();
        assert_eq!(taken(&mut downloads, start), 3);
        assert_eq!(taken(&mut downloads, start + ONE_MORE_AFTER), 1);
        assert_eq!(taken(&mut downloads, start + 100 * ONE_MORE_AFTER), 3);
    }

    #[test]
    fn a_provider_that_does_not_answer_holds_up_nobody_with_a_known_key() {
        let key = SigningKey::from_jwk(&serde_json::json!({ "kty": "oct", "k": "c2VjcmV0" })).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let settings = ProviderSettings {
            jwks_uri: Some(format!("http://{}/keys", listener.local_addr().unwrap())),
            signing_keys: [("known".to_owned(), key)].into(),
            ..ProviderSettings::default()
        };
        let provider = Provider::new(settings).unwrap();
        let error = |id| provider.key(Some(id)).err().unwrap();
        std::thread::scope(|scope| {
            let first = scope.spawn(|| error("first"));
            let (held, _) = listener.accept().unwrap();
            let begun = Instant::now();
            assert!(provider.key(Some("known")).is_ok());
            let others: Vec<_> = (0..8).map(|_| scope.spawn(|| error("other"))).collect();
            assert!(provider.key(Some("known")).is_ok());
            for other in others {
                assert_eq!(other.join().unwrap(), "key_not_found: keys are still being downloaded");
            }
            assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
            drop(held);
            assert!(!first.join().unwrap().contains("key_not_found"));
        });
        assert_eq!(error("third"), "key_not_found: keys could not be downloaded a moment ago");
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
