//! Tokens of a local issuer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use testkit::method::{self, id};
use testkit::{BrokerProcess, Consume, Method, QueueDeclare, RawClient};

use crate::service::Service;
use crate::{assert_refused, connect, get, start};

/// An issuer whose keys are shared secrets, by id.
pub struct Issuer {
    pub service: Service,
    pub keys: Arc<Mutex<Vec<(String, String)>>>,
}

impl Issuer {
    pub fn start() -> Issuer {
        let keys = Arc::new(Mutex::new(vec![("one".to_owned(), "the first secret".to_owned())]));
        let published = keys.clone();
        let address = Arc::new(Mutex::new(String::new()));
        let own = address.clone();
        let service = Service::start(move |asked| match &*asked.path {
            "/.well-known/openid-configuration" => {
                (200, json!({ "jwks_uri": format!("{}/keys", own.lock().unwrap()) }).to_string())
            }
            "/keys" => {
                let key = |(id, secret): &(String, String)| json!({ "kty": "oct", "kid": id, "k": URL_SAFE_NO_PAD.encode(secret) });
                let keys: Vec<Value> = published.lock().unwrap().iter().map(key).collect();
                (200, json!({ "keys": keys }).to_string())
            }
            _ => (404, String::new()),
        });
        *address.lock().unwrap() = service.url("");
        Issuer { service, keys }
    }

    /// A token that expires in `life_s`, signed by the last key.
    pub fn token(&self, life_s: u64, more: Value) -> String {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({ "sub": "alice", "aud": "rabbitmq", "exp": now_s + life_s });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let keys = self.keys.lock().unwrap();
        let (id, secret) = keys.last().unwrap();
        let header = Header { kid: Some(id.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }

    /// A token that allows everything.
    pub fn full(&self, life_s: u64) -> String {
        self.token(life_s, json!({ "scope": "rabbitmq.read:*/*/* rabbitmq.write:*/*/* rabbitmq.configure:*/*" }))
    }

    fn downloads(&self) -> usize {
        self.service.take().iter().filter(|asked| asked.path == "/keys").count()
    }
}

/// A broker that finds the keys by the issuer's metadata.
pub fn broker(issuer: &Issuer, more: &[(&str, &str)]) -> BrokerProcess {
    let url = issuer.service.url("");
    let mut settings = vec![
        ("auth_backends.1", "oauth2"),
        ("auth_oauth2.resource_server_id", "rabbitmq"),
        ("auth_oauth2.issuer", &*url),
    ];
    settings.extend_from_slice(more);
    start(&settings)
}

fn update_secret(token: &str) -> Method {
    Method::new(id::CONNECTION_UPDATE_SECRET, |out| {
        out.long_string(token.as_bytes()).short_string("it is time");
    })
}

#[test]
fn a_token_is_a_password_and_says_what_it_allows() {
    let issuer = Issuer::start();
    let broker = broker(&issuer, &[]);
    let scope = "rabbitmq.configure:%2F/mine-* rabbitmq.read:*/mine-* rabbitmq.write:*/*/news.*";
    let token = issuer.token(600, json!({ "scope": scope }));
    let mut client = connect(&broker, "whoever", &token);
    client.declare(1, QueueDeclare::exclusive("mine-1"));
    client.confirm_select(1);
    client.publish(1, "amq.topic", "news.today", "x");
    client.expect_confirm(1);
    client.publish(1, "amq.topic", "sports", "x");
    let close = client.expect_close(1);
    let text =
        "ACCESS_REFUSED - write access to topic 'sports' in exchange 'amq.topic' in vhost '/' refused for user 'alice'";
    assert_eq!((close.code, &*close.text), (403, text));
    client.open_channel(1);
    client.send(1, QueueDeclare::exclusive("other"));
    let close = client.expect_close(1);
    let text = "ACCESS_REFUSED - configure access to queue 'other' in vhost '/' refused for user 'alice'";
    assert_eq!((close.code, &*close.text), (403, text));
    assert_eq!(issuer.downloads(), 1);
}

#[test]
fn bad_tokens_are_refused() {
    let issuer = Issuer::start();
    let broker = broker(&issuer, &[]);
    let other = Issuer::start();
    other.keys.lock().unwrap()[0].1 = "another secret".to_owned();
    assert_refused(&broker, "", "guest");
    assert_refused(&broker, "alice", &issuer.token(0, json!({})));
    assert_refused(&broker, "alice", &issuer.token(600, json!({ "aud": "other" })));
    assert_refused(&broker, "alice", &other.full(600));
    for reason in ["provided token is invalid", "has expired", "no_matching_aud_found", "signature_invalid"] {
        assert!(broker.has_logged(reason), "{reason}");
    }
}

#[test]
fn a_connection_ends_with_its_token() {
    let issuer = Issuer::start();
    let broker = broker(&issuer, &[]);
    let mut client = connect(&broker, "", &issuer.full(3));
    let close = client.expect_close(0);
    assert_eq!((close.code, &*close.text), (320, "CONNECTION_FORCED - credential expired"));
}

#[test]
fn a_new_token_takes_the_place_of_the_old() {
    let issuer = Issuer::start();
    let broker = broker(&issuer, &[]);
    let mut client = connect(&broker, "", &issuer.full(3));
    client.declare(1, QueueDeclare::exclusive("q"));
    client.declare(1, QueueDeclare::exclusive("r"));
    client.consume(1, Consume::new("q", "on-q"));
    client.consume(1, Consume::new("r", "on-r"));
    let narrow = issuer.token(600, json!({ "scope": "rabbitmq.read:*/q rabbitmq.write:*/amq.default" }));
    client.send(0, update_secret(&narrow));
    // What it may no longer read from is cancelled.
    let cancel = client.expect_method(1, id::BASIC_CANCEL);
    assert_eq!(cancel.reader().short_string(), "on-r");
    client.expect_method(0, id::CONNECTION_UPDATE_SECRET_OK);
    // The old one would have ended the connection by now.
    testkit::pause(Duration::from_millis(3500));
    client.publish(1, "", "q", "still here");
    client.expect_bodies(1, &["still here"]);
    client.publish(1, "amq.direct", "k", "x");
    assert_eq!(client.expect_close(1).code, 403);
}

#[test]
fn a_new_token_has_to_be_the_same_users_and_valid() {
    let issuer = Issuer::start();
    let broker = broker(&issuer, &[]);
    for bad in [issuer.token(600, json!({ "sub": "bob" })), "nonsense".to_owned(), issuer.token(0, json!({}))] {
        let mut client = connect(&broker, "", &issuer.full(600));
        client.send(0, update_secret(&bad));
        let close = client.expect_close(0);
        let text = "NOT_ALLOWED - New secret was refused by one of the backends";
        assert_eq!((close.code, &*close.text, close.method), (530, text, id::CONNECTION_UPDATE_SECRET));
    }
    // One that allows nothing in the virtual host ends the connection, too.
    let mut client = connect(&broker, "", &issuer.full(600));
    client.send(0, update_secret(&issuer.token(600, json!({}))));
    let close = client.expect_close(0);
    assert_eq!((close.code, &*close.text), (530, "NOT_ALLOWED - access to vhost '/' refused for user 'alice'"));
}

#[test]
fn new_keys_are_found_and_unknown_ones_are_not_asked_for_without_end() {
    let issuer = Issuer::start();
    let broker = broker(&issuer, &[]);
    let old = issuer.full(600);
    connect(&broker, "", &old);
    *issuer.keys.lock().unwrap() = vec![("two".to_owned(), "the second secret".to_owned())];
    connect(&broker, "", &issuer.full(600));
    assert_eq!(issuer.downloads(), 2);
    // The old key is gone.
    assert_refused(&broker, "", &old);
    issuer.keys.lock().unwrap().push(("made-up".to_owned(), "x".to_owned()));
    let made_up = issuer.token(600, json!({}));
    issuer.keys.lock().unwrap().pop();
    let guesses: Vec<_> = (0..6).map(|_| made_up.clone()).collect();
    std::thread::scope(|scope| {
        for token in &guesses {
            scope.spawn(|| assert_refused(&broker, "", token));
        }
    });
    assert!(issuer.downloads() <= 3, "each unknown key is not worth a download");
    connect(&broker, "", &issuer.full(600));
}

#[test]
fn the_management_api_takes_tokens() {
    let issuer = Issuer::start();
    let broker = broker(&issuer, &[("management.oauth_enabled", "true"), ("management.oauth_client_id", "ui")]);
    let scope = "rabbitmq.tag:monitoring rabbitmq.read:%2F/*";
    let (status, body) =
        get(&broker, "/api/whoami", &format!("Bearer {}", issuer.token(600, json!({ "scope": scope }))));
    assert_eq!(status, 200, "{body}");
    let who: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(who, json!({ "name": "alice", "tags": ["monitoring"], "is_internal_user": false }));
    let powerless = format!("Bearer {}", issuer.token(600, json!({ "scope": "rabbitmq.read:%2F/*" })));
    assert_eq!(get(&broker, "/api/whoami", &powerless).0, 401);
    assert_eq!(get(&broker, "/api/whoami", &format!("Bearer {}", issuer.token(0, json!({})))).0, 401);
    let (_, body) = get(&broker, "/api/auth", "");
    let page: Value = serde_json::from_str(&body).unwrap();
    let url = issuer.service.url("");
    assert_eq!(
        page,
        json!({
            "oauth_enabled": true,
            "oauth_resource_servers": { "rabbitmq": {
                "id": "rabbitmq",
                "oauth_provider_url": url,
                "oauth_metadata_url": format!("{url}/.well-known/openid-configuration"),
            } },
            "oauth_disable_basic_auth": true,
            "oauth_client_id": "ui",
        })
    );
}

#[test]
fn an_update_without_a_token_changes_nothing() {
    let broker = start(&[]);
    let mut client = connect(&broker, "guest", "guest");
    client.send(0, update_secret("whatever"));
    client.expect_method(0, id::CONNECTION_UPDATE_SECRET_OK);
    client.call(1, method::qos(1, false));
    let _: &RawClient = &client;
}
