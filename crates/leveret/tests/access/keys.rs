//! What keys of OAuth 2 and of the HTTP backend do, one broker per key: by tokens that would fare otherwise without it.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use testkit::method::id;
use testkit::{ExchangeDeclare, QueueDeclare, RawClient, method};

use crate::secure::Secure;
use crate::service::{Asked, Service};
use crate::{start, user};

const SECRET: &[u8] = b"what only the issuer knows";
const RSA_PRIVATE: &str = include_str!("../../../backends/tests/keys/rsa.pem");
const RSA_PUBLIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../backends/tests/keys/rsa.pub.pem");

fn key_set() -> String {
    json!({ "keys": [{ "kty": "oct", "kid": "one", "k": URL_SAFE_NO_PAD.encode(SECRET) }] }).to_string()
}

/// An issuer whose metadata are elsewhere, too, where only who says the right thing finds them.
fn issuer() -> Service {
    let address = Arc::new(Mutex::new(String::new()));
    let own = address.clone();
    let service = Service::start(move |asked| {
        let keys = json!({ "jwks_uri": format!("{}/keys", own.lock().unwrap()) }).to_string();
        match &*asked.path {
            "/.well-known/openid-configuration" | "/elsewhere" => (200, keys),
            "/asked" if asked.get("appid") == "7" => (200, keys),
            "/keys" => (200, key_set()),
            _ => (404, String::new()),
        }
    });
    *address.lock().unwrap() = service.url("");
    service
}

/// Claims that are good, with these on top; null takes one out.
fn claims(more: &Value) -> Value {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut claims = json!({ "sub": "alice", "aud": "rabbitmq", "exp": now_s + 600 });
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn by_secret(kid: Option<&str>, more: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::HS256) };
    encode(&header, &claims(more), &EncodingKey::from_secret(SECRET)).unwrap()
}

fn by_rsa(kid: &str) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::RS256) };
    let key = EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap();
    encode(&header, &claims(&json!({})), &key).unwrap()
}

/// What becomes of a token: `refused`, or the user's name and whether it may use the virtual host and declare a queue,
/// which both take a scope.
fn fate(settings: &[(&str, &str)], token: &str) -> String {
    let mut all = vec![("auth_backends.1", "oauth2")];
    all.extend_from_slice(settings);
    let broker = start(&all);
    let mut client = RawClient::logged_in(broker.address(), &user("whoever", token));
    let answer = client.try_next(Duration::from_secs(20)).ok().flatten();
    if answer.is_none_or(|event| event.method.id != id::CONNECTION_TUNE) {
        return "refused".to_owned();
    }
    client.send(0, testkit::tune_ok(2047, 131_072, 0));
    client.send(0, testkit::connection_open("/"));
    let answer = client.next_event(0);
    if answer.method.id != id::CONNECTION_OPEN_OK {
        let line = "access to vhost '/' refused for user '";
        assert!(broker.has_logged(line), "{:?}", broker.log());
        let log = broker.log();
        let name = log.iter().find_map(|logged| logged.split_once(line)?.1.split('\'').next());
        return format!("{} cannot", name.unwrap_or("nobody"));
    }
    client.open_channel(1);
    client.send(1, QueueDeclare::exclusive("queue7"));
    let can = client.next_event(1).method.id != id::CHANNEL_CLOSE;
    let connections = broker.http("GET", "/api/connections", &[], "").unwrap().body;
    let connections: Value = serde_json::from_str(&connections).unwrap();
    let name = connections[0]["user"].as_str().unwrap();
    format!("{name} {}", if can { "can" } else { "cannot" })
}

/// Keys that stand at the root and below a resource server: value, further key, the token's claims, what becomes of it
/// without and with.
type Row =
    (&'static str, &'static str, Option<(&'static str, &'static str)>, fn() -> Value, &'static str, &'static str);

const OF_RESOURCE_SERVERS: &[Row] = &[
    ("scope_prefix", "app.", None, || json!({ "scope": "app.configure:*/*" }), "alice cannot", "alice can"),
    (
        "additional_scopes_key",
        "roles",
        None,
        || json!({ "roles": ["rabbitmq.configure:*/*"] }),
        "alice cannot",
        "alice can",
    ),
    (
        "scope_aliases.chief",
        "rabbitmq.configure:*/*",
        None,
        || json!({ "scope": "chief" }),
        "alice cannot",
        "alice can",
    ),
    (
        "scope_aliases.1.alias",
        "chief",
        Some(("scope_aliases.1.scope", "rabbitmq.configure:*/*")),
        || json!({ "scope": "chief" }),
        "alice cannot",
        "alice can",
    ),
    (
        "scope_pattern_syntax",
        "regex",
        None,
        || json!({ "scope": "rabbitmq.configure:.*/queue[0-9]" }),
        "alice cannot",
        "alice can",
    ),
    ("verify_aud", "false", None, || json!({ "aud": "other" }), "refused", "alice cannot"),
    ("require_exp", "false", None, || json!({ "exp": null }), "refused", "alice cannot"),
    ("preferred_username_claims.1", "email", None, || json!({ "email": "bob" }), "alice cannot", "bob cannot"),
    (
        "resource_server_type",
        "broker",
        None,
        || {
            json!({ "authorization_details":
                [{ "type": "broker", "locations": ["cluster:rabbitmq"], "actions": ["configure"] }] })
        },
        "alice cannot",
        "alice can",
    ),
];

#[test]
fn tokens_fare_as_keys_of_resource_servers_say() {
    let issuer = issuer();
    let url = issuer.url("");
    for (name, value, further, claims, without, with) in OF_RESOURCE_SERVERS {
        let token = by_secret(Some("one"), &claims());
        for (identity, prefix) in [
            ("auth_oauth2.resource_server_id", "auth_oauth2"),
            ("auth_oauth2.resource_servers.1.id", "auth_oauth2.resource_servers.1"),
        ] {
            let base = [(identity, "rabbitmq"), ("auth_oauth2.issuer", &*url)];
            assert_eq!(fate(&base, &token), *without, "without {prefix}.{name}");
            let keys: Vec<(String, &str)> = std::iter::once((*name, *value))
                .chain(*further)
                .map(|(name, value)| (format!("{prefix}.{name}"), value))
                .collect();
            let more: Vec<(&str, &str)> = keys.iter().map(|(key, value)| (key.as_str(), *value)).collect();
            assert_eq!(fate(&[&base[..], &more].concat(), &token), *with, "with {prefix}.{name}");
        }
    }
}

/// Keys that stand at the root and below a provider, by which tokens are verified.
#[test]
fn tokens_are_verified_by_what_keys_of_providers_say() {
    let issuer = issuer();
    let (url, keys) = (issuer.url(""), issuer.url("/keys"));
    let (named, unnamed, rsa) = (by_secret(Some("one"), &json!({})), by_secret(None, &json!({})), by_rsa("pair"));
    let (good, bad) = ("alice cannot", "refused");
    type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
    let rows: &[Row<'_>] = &[
        (&[], &named, bad),
        (&[("issuer", &url)], &named, good),
        (&[("jwks_uri", &keys)], &named, good),
        (&[("issuer", &url)], &unnamed, bad),
        (&[("issuer", &url), ("default_key", "one")], &unnamed, good),
        (&[("issuer", &url), ("algorithms.1", "RS256")], &named, bad),
        (&[("issuer", &url), ("algorithms.1", "RS256"), ("algorithms.2", "HS256")], &named, good),
        (&[("issuer", &url)], &rsa, bad),
        (&[("issuer", &url), ("signing_keys.pair", RSA_PUBLIC)], &rsa, good),
        (&[("issuer", &url), ("discovery_endpoint_path", "elsewhere")], &named, good),
        (&[("issuer", &url), ("discovery_endpoint_path", "nowhere")], &named, bad),
        (&[("issuer", &url), ("discovery_endpoint_path", "asked")], &named, bad),
        (
            &[("issuer", &url), ("discovery_endpoint_path", "asked"), ("discovery_endpoint_params.appid", "7")],
            &named,
            good,
        ),
    ];
    for (row, token, expected) in rows {
        let under = |prefix: &str| -> Vec<(String, String)> {
            row.iter().map(|(name, value)| (format!("{prefix}.{name}"), (*value).to_owned())).collect()
        };
        let at_root = under("auth_oauth2");
        let of_provider = under("auth_oauth2.oauth_providers.main");
        let own = ("auth_oauth2.resource_server_id", "rabbitmq");
        let server = ("auth_oauth2.resource_servers.1.id", "rabbitmq");
        for (who, keys) in [
            (vec![own], &at_root),
            (vec![own, ("auth_oauth2.default_oauth_provider", "main")], &of_provider),
            (vec![server, ("auth_oauth2.resource_servers.1.oauth_provider_id", "main")], &of_provider),
        ] {
            let mut settings = who.clone();
            settings.extend(keys.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            assert_eq!(fate(&settings, token), *expected, "{settings:?}");
        }
    }
    let older = [("auth_oauth2.resource_server_id", "rabbitmq"), ("auth_oauth2.jwks_url", &*keys)];
    assert_eq!(fate(&older, &named), good);
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn servers_of_keys_have_to_be_trusted() {
    let secure = Secure::new(false);
    let (url, trusted) = (secure.serve(key_set()), text(&secure.file("ca.pem")));
    let token = by_secret(Some("one"), &json!({}));
    for (prefix, who) in [
        ("auth_oauth2", &[][..]),
        ("auth_oauth2.oauth_providers.main", &[("auth_oauth2.default_oauth_provider", "main")]),
    ] {
        let base = [("auth_oauth2.resource_server_id".to_owned(), "rabbitmq"), (format!("{prefix}.jwks_uri"), &url)];
        let with = |more: &[(&str, &str)]| {
            let more: Vec<(String, &str)> =
                more.iter().map(|(name, value)| (format!("{prefix}.https.{name}"), *value)).collect();
            let mut all: Vec<(&str, &str)> =
                base.iter().chain(&more).map(|(key, value)| (key.as_str(), *value)).collect();
            all.extend_from_slice(who);
            fate(&all, &token)
        };
        assert_eq!(with(&[]), "refused", "{prefix}: nobody knows the authority");
        assert_eq!(with(&[("cacertfile", &trusted)]), "alice cannot", "{prefix}.https.cacertfile");
        assert_eq!(with(&[("verify", "verify_none")]), "alice cannot", "{prefix}.https.verify");
        if prefix == "auth_oauth2" {
            assert_eq!(
                with(&[("peer_verification", "verify_none")]),
                "alice cannot",
                "{prefix}.https.peer_verification"
            );
        }
    }
}

/// How a user fares with an HTTP backend.
fn http_fate(settings: &[(String, String)]) -> bool {
    let mut all = vec![("auth_backends.1", "http")];
    all.extend(settings.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let broker = start(&all);
    let options = user("alice", "good");
    let mut client = RawClient::open(broker.address(), options.timeout);
    client.send_raw(&options.protocol_header);
    client.expect_start();
    client.send(0, options.start_ok());
    let answer = client.try_next(Duration::from_secs(20)).ok().flatten();
    answer.is_some_and(|event| event.method.id == id::CONNECTION_TUNE)
}

#[test]
fn a_service_with_tls_is_trusted_and_shown_a_certificate() {
    let secure = Secure::new(true);
    let url = secure.serve("allow".to_owned());
    let name = |name: &str| format!("auth_http.ssl_options.{name}");
    let settings = |names: &[&str]| {
        let mut all = vec![("auth_http.user_path".to_owned(), url.clone())];
        for key in names {
            let value = match *key {
                "cacertfile" => text(&secure.file("ca.pem")),
                "certfile" => text(&secure.file("client.pem")),
                "keyfile" => text(&secure.file("client.key")),
                _ => "verify_none".to_owned(),
            };
            all.push((name(key), value));
        }
        all
    };
    assert!(http_fate(&settings(&["cacertfile", "certfile", "keyfile"])));
    assert!(http_fate(&settings(&["verify", "certfile", "keyfile"])));
    assert!(!http_fate(&settings(&["certfile", "keyfile"])), "nobody knows the authority");
    assert!(!http_fate(&settings(&["cacertfile"])), "the service wants a certificate");
}

#[test]
fn definitions_come_from_a_server_with_tls() {
    let secure = Secure::new(true);
    let url = secure.serve(json!({ "vhosts": [{ "name": "fetched" }] }).to_string());
    let (client, key, trusted) =
        (text(&secure.file("client.pem")), text(&secure.file("client.key")), text(&secure.file("ca.pem")));
    let trust: [&[(&str, &str)]; 2] =
        [&[("definitions.tls.cacertfile", &trusted)], &[("definitions.tls.verify", "verify_none")]];
    for trust in trust {
        let mut all = vec![
            ("definitions.import_backend", "https"),
            ("definitions.https.url", &*url),
            ("definitions.tls.certfile", &*client),
            ("definitions.tls.keyfile", &*key),
        ];
        all.extend_from_slice(trust);
        let broker = start(&all);
        assert_eq!(broker.http("GET", "/api/vhosts/fetched", &[], "").unwrap().status, 200, "{trust:?}");
    }
}

/// Each question has a path of its own.
#[test]
fn the_service_is_asked_where_it_is_said() {
    let service = Service::start(|_: &Asked| (200, "allow".to_owned()));
    let paths = ["user_path", "vhost_path", "resource_path", "topic_path"]
        .map(|key| (format!("auth_http.{key}"), service.url(&format!("/of/{key}"))));
    let mut all = vec![("auth_backends.1", "http")];
    all.extend(paths.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let broker = start(&all);
    let mut client = RawClient::connect(broker.address(), &user("alice", "good"));
    client.open_channel(1);
    client.call(1, ExchangeDeclare::new("e", "topic"));
    client.call(1, QueueDeclare::exclusive("q"));
    client.call(1, method::queue_bind("q", "e", "a.b", &testkit::Table::new()));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for asked in service.take() {
        *counts.entry(asked.path).or_default() += 1;
    }
    let names: Vec<&str> = counts.keys().map(String::as_str).collect();
    assert_eq!(names, ["/of/resource_path", "/of/topic_path", "/of/user_path", "/of/vhost_path"]);
}

/// The address of a listener where nobody else gets through, not even to be refused, and what keeps it so.
fn full_listener() -> (String, (socket2::Socket, Vec<TcpStream>)) {
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok();
    let waiting: Vec<TcpStream> = std::iter::from_fn(connect).collect();
    assert!(!waiting.is_empty());
    (format!("http://{address}/"), (listener, waiting))
}

#[test]
fn a_service_that_does_not_answer_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}/", listener.local_addr().unwrap());
    let (full, _waiting) = full_listener();
    for (key, url) in [("request_timeout", silent), ("connection_timeout", full)] {
        let begun = std::time::Instant::now();
        let settings =
            [("auth_http.user_path".to_owned(), url.clone()), (format!("auth_http.{key}"), "300".to_owned())];
        assert!(!http_fate(&settings), "{key}");
        assert!(begun.elapsed() < Duration::from_secs(12), "{key} is not 300 ms but {:?}", begun.elapsed());
    }
}

/// One half of the cache may be asked of the service and the other of the internal database.
#[test]
fn each_half_of_the_cache_has_its_backend() {
    let service = Service::start(|asked: &Asked| {
        (200, if asked.get("password") == "good" { "allow administrator" } else { "deny" }.to_owned())
    });
    let url = service.url("/user");
    let is_let_in = |authn: &str, authz: &str, name: &str, password: &str| {
        let broker = start(&[
            ("auth_backends.1", "cache"),
            ("auth_cache.cached_backend.authn", authn),
            ("auth_cache.cached_backend.authz", authz),
            ("auth_http.user_path", &url),
        ]);
        let options = user(name, password);
        let mut client = RawClient::open(broker.address(), options.timeout);
        client.send_raw(&options.protocol_header);
        client.expect_start();
        client.send(0, options.start_ok());
        let answer = client.try_next(Duration::from_secs(20)).ok().flatten();
        answer.is_some_and(|event| event.method.id == id::CONNECTION_TUNE)
    };
    assert!(is_let_in("internal", "internal", "guest", "guest"));
    assert!(!is_let_in("http", "internal", "guest", "guest"), "the service knows another password");
    assert!(is_let_in("http", "internal", "guest", "good"));
    assert!(!is_let_in("internal", "http", "guest", "guest"), "the service does not know the user");
}
