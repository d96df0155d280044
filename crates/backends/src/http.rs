//! RabbitMQ's `rabbit_auth_backend_http`: a service over HTTP that is asked for everything.

use std::time::Duration;

use auth::{Attempt, Authenticated, Backend, Permission, Question, Refusal, Resource, ResourceKind, Verdict};
use tracing::{error, info};
use ureq::Agent;

use crate::client::{self, Answer, ClientError, HttpsSettings, quote};

const NAME: &str = "rabbit_auth_backend_http";
/// How often a request is made again that the service hung up on: RabbitMQ's `RETRY_ON_KEEPALIVE_CLOSED`.
const RETRIES: u32 = 3;

/// How requests are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// With everything in the query.
    Get,
    /// With everything in a form.
    Post,
}

/// `auth_http.*`.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// `http_method`.
    pub method: Method,
    /// `user_path`.
    pub user_path: String,
    /// `vhost_path`.
    pub vhost_path: String,
    /// `resource_path`.
    pub resource_path: String,
    /// `topic_path`.
    pub topic_path: String,
    /// `request_timeout`.
    pub request_timeout: Duration,
    /// `connection_timeout`.
    pub connection_timeout: Duration,
    /// `authorization_failure_disclosure`.
    pub discloses_reasons: bool,
    /// `ssl_options.*`.
    pub https: HttpsSettings,
}

/// The service.
pub struct HttpBackend {
    settings: HttpSettings,
    agent: Agent,
}

/// What the service says.
enum Said {
    Allow(String),
    Deny(Option<String>),
}

impl HttpBackend {
    /// A backend that asks as `settings` say.
    ///
    /// # Errors
    /// When a file of certificates cannot be used.
    pub fn new(settings: HttpSettings) -> Result<HttpBackend, ClientError> {
        let agent = client::agent(&settings.https, Some(settings.request_timeout), Some(settings.connection_timeout))?;
        Ok(HttpBackend { settings, agent })
    }

    fn ask(&self, path: &str, parameters: &[(&str, &[u8])]) -> Result<Said, String> {
        let mut query = String::new();
        for (name, value) in parameters {
            if !query.is_empty() {
                query.push('&');
            }
            query.push_str(name);
            query.push('=');
            quote(value, &mut query);
        }
        let request = || match self.settings.method {
            Method::Get => self.agent.get(format!("{path}?{query}")).call(),
            Method::Post => {
                self.agent.post(path).content_type("application/x-www-form-urlencoded").send(query.as_bytes())
            }
        };
        let mut result = request();
        for _ in 0..RETRIES {
            // Each retry has a connection of its own, which may be another that the service has closed meanwhile.
            if !result.as_ref().is_err_and(client::is_stale) {
                break;
            }
            result = request();
        }
        let Answer { status, body } = client::answer(result)?;
        if !matches!(status, 200 | 201) {
            return Err(format!("{{{status},{}}}", quoted(&body)));
        }
        read(body.trim())
    }

    fn permission(
        &self,
        path: &str,
        user: &str,
        tags: &[String],
        (vhost, kind, name, permission): (&str, &str, &str, Permission),
        more: &[(&str, &[u8])],
    ) -> Verdict {
        let tags = tags.join(" ");
        let mut parameters: Vec<(&str, &[u8])> = vec![
            ("username", user.as_bytes()),
            ("vhost", vhost.as_bytes()),
            ("resource", kind.as_bytes()),
            ("name", name.as_bytes()),
            ("permission", permission.as_str().as_bytes()),
            ("tags", tags.as_bytes()),
        ];
        parameters.extend_from_slice(more);
        self.verdict(path, user, &parameters)
    }

    /// What the service says of a question; tags have no place in its answer.
    fn verdict(&self, path: &str, user: &str, parameters: &[(&str, &[u8])]) -> Verdict {
        let failed = |error: String| {
            error!("{NAME} cannot ask {path} about user '{user}': {error}");
            Verdict::Failed { backend: NAME, error }
        };
        match self.ask(path, parameters) {
            Ok(Said::Allow(tags)) if tags.is_empty() => Verdict::Allowed,
            Ok(Said::Allow(tags)) => failed(bad_response(&format!("allow{tags}"))),
            Ok(Said::Deny(Some(reason))) => {
                info!("HTTP authorization denied for user '{user}' by {path}: {reason}");
                if self.settings.discloses_reasons {
                    Verdict::Because { backend: NAME, reason }
                } else {
                    Verdict::Refused
                }
            }
            Ok(Said::Deny(None)) => Verdict::Refused,
            Err(error) => failed(error),
        }
    }
}

impl Backend for HttpBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authenticated, Refusal> {
        let mut parameters: Vec<(&str, &[u8])> = vec![("username", attempt.user.as_bytes())];
        parameters.extend(attempt.password.map(|password| ("password", password)));
        let denied = || Refusal::Refused("Denied by the backing HTTP service".to_owned());
        match self.ask(&self.settings.user_path, &parameters).map_err(Refusal::Failed)? {
            Said::Allow(tags) => {
                let tags = tags.split(' ').filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
                Ok(Authenticated { name: attempt.user.to_owned(), tags, token: None, asked: None })
            }
            Said::Deny(Some(reason)) => {
                info!("HTTP authentication denied for user '{}': {reason}", attempt.user);
                Err(denied())
            }
            Said::Deny(None) => Err(denied()),
        }
    }

    fn check(&self, user: &str, tags: &[String], question: Question<'_>) -> Verdict {
        match question {
            Question::Vhost { vhost, peer } => {
                let ip = peer.map(|peer| peer.to_canonical().to_string()).unwrap_or_default();
                let tags = tags.join(" ");
                let parameters: [(&str, &[u8]); 4] = [
                    ("username", user.as_bytes()),
                    ("vhost", vhost.as_bytes()),
                    ("ip", ip.as_bytes()),
                    ("tags", tags.as_bytes()),
                ];
                self.verdict(&self.settings.vhost_path, user, &parameters)
            }
            Question::Object { resource: Resource { vhost, kind, name }, permission } => {
                let kind = match kind {
                    ResourceKind::Queue => "queue",
                    ResourceKind::Exchange => "exchange",
                };
                self.permission(&self.settings.resource_path, user, tags, (vhost, kind, name, permission), &[])
            }
            Question::Topic { vhost, exchange, permission, routing_key } => {
                let more: [(&str, &[u8]); 3] = [
                    ("routing_key", routing_key.as_bytes()),
                    ("variable_map.username", user.as_bytes()),
                    ("variable_map.vhost", vhost.as_bytes()),
                ];
                self.permission(&self.settings.topic_path, user, tags, (vhost, "topic", exchange, permission), &more)
            }
        }
    }
}

/// `allow`, with tags behind a space, or `deny`, with a reason.
fn read(body: &str) -> Result<Said, String> {
    if let Some(reason) = body.strip_prefix("deny ") {
        return Ok(Said::Deny(Some(reason.to_owned())));
    }
    let lower = body.to_lowercase();
    match lower.strip_prefix("allow") {
        // Another word that begins alike, such as `allowed: false`, is no yes.
        Some(tags) if tags.is_empty() || tags.starts_with(' ') => Ok(Said::Allow(tags.to_owned())),
        None if lower == "deny" => Ok(Said::Deny(None)),
        _ => Err(bad_response(&lower)),
    }
}

fn bad_response(body: &str) -> String {
    format!("{{bad_response,{}}}", quoted(body))
}

/// The beginning of what a service says, as Erlang prints a string.
fn quoted(text: &str) -> String {
    let text: String = text.chars().take(200).collect();
    format!("{text:?}")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn answers_are_read_as_rabbitmq_reads_them() {
        let said = |body| match read(body) {
            Ok(Said::Allow(tags)) => format!("allow [{}]", tags.trim()),
            Ok(Said::Deny(reason)) => format!("deny {reason:?}"),
            Err(error) => error,
        };
        assert_eq!(said("allow"), "allow []");
        assert_eq!(said("ALLOW administrator Monitoring"), "allow [administrator monitoring]");
        assert_eq!(said("deny"), "deny None");
        assert_eq!(said("Deny"), "deny None");
        assert_eq!(said("deny account is locked"), "deny Some(\"account is locked\")");
        for body in ["allowance", "allow-if-tuesday", "allowed: false", "allow,administrator", "Allow\tx", "Deny it"] {
            assert_eq!(said(body), format!("{{bad_response,{:?}}}", body.to_lowercase()));
        }
        assert_eq!(said("yes"), "{bad_response,\"yes\"}");
        assert_eq!(said(""), "{bad_response,\"\"}");
    }

    /// A service that answers the first request of a connection, and to a further one does what `then` says.
    fn service(first: &'static str, then: &'static str) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                for answer in [first, then] {
                    // The request is read before it hangs up, so that the client does not see it coming.
                    let mut request = [0; 4096];
                    if !stream.read(&mut request).is_ok_and(|size| size > 0) || answer.is_empty() {
                        break;
                    }
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        (url, connections)
    }

    fn backend(url: &str, method: Method) -> HttpBackend {
        HttpBackend::new(HttpSettings {
            method,
            user_path: url.to_owned(),
            vhost_path: url.to_owned(),
            resource_path: url.to_owned(),
            topic_path: url.to_owned(),
            request_timeout: Duration::from_secs(10),
            connection_timeout: Duration::from_secs(10),
            discloses_reasons: false,
            https: HttpsSettings::default(),
        })
        .unwrap()
    }

    const ALLOW: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nallow";

    fn ask(backend: &HttpBackend) -> Verdict {
        backend.check("alice", &[], Question::Vhost { vhost: "/", peer: None })
    }

    #[test]
    fn a_kept_connection_that_the_service_closes_is_replaced() {
        for (then, method) in [("", Method::Get), ("", Method::Post), ("left over\r\n\r\n", Method::Get)] {
            let (url, connections) = service(ALLOW, then);
            let backend = backend(&url, method);
            for _ in 0..4 {
                assert_eq!(ask(&backend), Verdict::Allowed, "{then:?} {method:?}");
            }
            assert_eq!(connections.load(Ordering::SeqCst), 4);
        }
    }

    #[test]
    fn a_service_that_always_hangs_up_is_given_up() {
        let (url, connections) = service("", "");
        assert!(matches!(ask(&backend(&url, Method::Get)), Verdict::Failed { .. }));
        assert_eq!(connections.load(Ordering::SeqCst), 4);
    }
}
