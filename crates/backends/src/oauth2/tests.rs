//! Tokens, good and bad, by keys of the test's own.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

use super::*;
use auth::{Permission, Resource};

const NOW_S: u64 = 1_800_000_000;
const SECRET: &[u8] = b"a secret that both sides share";

/// A key pair of RSA, made for tests alone.
const RSA_PRIVATE: &str = include_str!("../../tests/keys/rsa.pem");
const RSA_PUBLIC: &str = include_str!("../../tests/keys/rsa.pub.pem");
const EC_PRIVATE: &str = include_str!("../../tests/keys/ec.pem");
const EC_PUBLIC: &str = include_str!("../../tests/keys/ec.pub.pem");

fn claims() -> Value {
    json!({
        "sub": "alice",
        "aud": ["rabbitmq"],
        "exp": NOW_S + 60,
        "scope": "rabbitmq.read:*/* rabbitmq.write:*/{sub}-* rabbitmq.tag:monitoring",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn signed(algorithm: Algorithm, kid: Option<&str>, claims: &Value, key: &EncodingKey) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    encode(&header, claims, key).unwrap()
}

fn by_rsa(claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap();
    signed(Algorithm::RS256, Some("rsa"), claims, &key)
}

fn backend_with(change: impl FnOnce(&mut OAuth2Settings)) -> OAuth2Backend {
    let mut settings = OAuth2Settings {
        root: Some(ResourceServer { id: "rabbitmq".to_owned(), ..ResourceServer::default() }),
        ..OAuth2Settings::default()
    };
    let keys = &mut settings.provider.signing_keys;
    keys.insert("rsa".to_owned(), SigningKey::from_pem(RSA_PUBLIC.as_bytes()).unwrap());
    keys.insert("ec".to_owned(), SigningKey::from_pem(EC_PUBLIC.as_bytes()).unwrap());
    let secret = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(SECRET) });
    keys.insert("secret".to_owned(), SigningKey::from_jwk(&secret).unwrap());
    change(&mut settings);
    OAuth2Backend::new(settings).unwrap()
}

fn backend() -> OAuth2Backend {
    backend_with(|_| {})
}

#[track_caller]
fn refused(backend: &OAuth2Backend, token: &str, expected: &str) {
    match backend.verify(token.as_bytes(), NOW_S) {
        Ok(verified) => panic!("{} was let in", verified.name),
        Err(error) => assert!(error.contains(expected), "{error:?} lacks {expected:?}"),
    }
}

#[test]
fn a_token_says_who_it_is_and_what_it_may() {
    let verified = backend().verify(by_rsa(&claims()).as_bytes(), NOW_S).unwrap();
    assert_eq!((&*verified.name, &*verified.tags), ("alice", &["monitoring".to_owned()][..]));
    assert_eq!(verified.expires_at_s, Some(NOW_S + 60));
    let token = BroughtToken { backend: backend(), verified, grants: Mutex::default() };
    let may = |name, permission| {
        token.check(Question::Object { resource: Resource::queue("/", name), permission }).is_allowed()
    };
    assert!(may("any", Permission::Read));
    assert!(may("alice-1", Permission::Write));
    assert!(!may("bob-1", Permission::Write));
    assert!(!may("any", Permission::Configure));
    assert!(token.check(Question::Vhost { vhost: "/", peer: None }).is_allowed());
}

#[test]
fn every_kind_of_key_verifies() {
    let ec = EncodingKey::from_ec_pem(EC_PRIVATE.as_bytes()).unwrap();
    let token = signed(Algorithm::ES256, Some("ec"), &claims(), &ec);
    assert_eq!(backend().verify(token.as_bytes(), NOW_S).unwrap().name, "alice");
    let token = signed(Algorithm::HS256, Some("secret"), &claims(), &EncodingKey::from_secret(SECRET));
    assert_eq!(backend().verify(token.as_bytes(), NOW_S).unwrap().name, "alice");
    let rsa = EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap();
    let token = signed(Algorithm::PS512, Some("rsa"), &claims(), &rsa);
    assert_eq!(backend().verify(token.as_bytes(), NOW_S).unwrap().name, "alice");
}

#[test]
fn a_token_without_a_key_id_has_the_default_key() {
    let rsa = EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap();
    let token = signed(Algorithm::RS256, None, &claims(), &rsa);
    refused(&backend(), &token, "key_not_found");
    let backend = backend_with(|settings| settings.provider.default_key = Some("rsa".to_owned()));
    assert!(backend.verify(token.as_bytes(), NOW_S).is_ok());
}

#[test]
fn a_public_key_is_no_secret_and_none_is_no_algorithm() {
    // The public key as the secret of an HMAC: what a verifier that trusts the header would take.
    for secret in [RSA_PUBLIC.as_bytes(), RSA_PUBLIC.trim().as_bytes()] {
        let token = signed(Algorithm::HS256, Some("rsa"), &claims(), &EncodingKey::from_secret(secret));
        refused(&backend(), &token, "signature_invalid");
    }
    let payload = URL_SAFE_NO_PAD.encode(claims().to_string());
    for header in [json!({ "alg": "none", "kid": "rsa" }), json!({ "alg": "None", "kid": "rsa" })] {
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        refused(&backend(), &format!("{header}.{payload}."), "signature_invalid");
    }
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "RS256", "kid": "rsa", "crit": ["b64"] }).to_string());
    refused(&backend(), &format!("{header}.{payload}.AAAA"), "provided token is invalid");
}

#[test]
fn a_changed_token_is_not_signed() {
    let token = by_rsa(&claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let header = message.split_once('.').unwrap().0;
    let other = URL_SAFE_NO_PAD.encode(with("sub", json!("mallory")).to_string());
    refused(&backend(), &format!("{header}.{other}.{signature}"), "signature_invalid");
    refused(&backend(), &format!("{message}.{}", "A".repeat(342)), "signature_invalid");
    refused(&backend(), &format!("{message}."), "signature_invalid");
}

#[test]
fn algorithms_can_be_restricted() {
    let backend = backend_with(|settings| settings.provider.algorithms = vec![Algorithm::RS512]);
    refused(&backend, &by_rsa(&claims()), "signature_invalid");
    let backend = backend_with(|settings| settings.provider.algorithms = vec![Algorithm::RS256]);
    assert!(backend.verify(by_rsa(&claims()).as_bytes(), NOW_S).is_ok());
}

#[test]
fn a_key_for_one_algorithm_verifies_no_other() {
    let secret = json!({ "kty": "oct", "alg": "HS512", "k": URL_SAFE_NO_PAD.encode(SECRET) });
    let key = SigningKey::from_jwk(&secret).unwrap();
    let backend = backend_with(|settings| drop(settings.provider.signing_keys.insert("secret".to_owned(), key)));
    let by = |algorithm| signed(algorithm, Some("secret"), &claims(), &EncodingKey::from_secret(SECRET));
    refused(&backend, &by(Algorithm::HS256), "signature_invalid");
    assert!(backend.verify(by(Algorithm::HS512).as_bytes(), NOW_S).is_ok());
}

#[test]
fn time_is_up_when_it_is_up() {
    let expired = |exp: Value, expected: &str| refused(&backend(), &by_rsa(&with("exp", exp)), expected);
    let text = format!("Provided JWT token has expired at timestamp {NOW_S} (validated at {NOW_S})");
    expired(json!(NOW_S), &text);
    expired(json!(NOW_S as f64 + 0.9), &text);
    expired(json!(-5), "has expired at timestamp 0");
    expired(json!("soon"), "Provided JWT token has an invalid exp claim: value is not a number");
    let mut never = claims();
    never.as_object_mut().unwrap().remove("exp");
    refused(&backend(), &by_rsa(&never), "Provided JWT token has no exp claim");
    let lax = backend_with(|settings| {
        settings.root = settings.root.take().map(|root| ResourceServer { require_exp: false, ..root });
    });
    assert_eq!(lax.verify(by_rsa(&never).as_bytes(), NOW_S).unwrap().expires_at_s, None);
}

#[test]
fn the_audience_has_to_be_ours() {
    refused(&backend(), &by_rsa(&with("aud", json!("other"))), "no_matching_aud_found");
    refused(&backend(), &by_rsa(&with("aud", json!(7))), "no_matching_aud_found");
    let mut none = claims();
    none.as_object_mut().unwrap().remove("aud");
    refused(&backend(), &by_rsa(&none), "no_aud_found");
    assert!(backend().verify(by_rsa(&with("aud", json!("other rabbitmq"))).as_bytes(), NOW_S).is_ok());
}

#[test]
fn what_is_no_token_is_refused_in_the_same_words() {
    for token in ["", ".", "..", "...", "guest", "a.b.c", "e30.e30.", "e30.W10.", &"x".repeat(1 << 20)] {
        refused(&backend(), token, "provided token is invalid");
    }
    assert!(backend().verify(b"\xff.\xff.\xff", NOW_S).is_err());
}

#[test]
fn a_new_token_is_the_same_users() {
    let now = now_s();
    let token = |sub: &str| {
        let mut claims = with("sub", json!(sub));
        claims["exp"] = json!(now + 600);
        by_rsa(&claims)
    };
    let first = token("alice");
    let attempt = Attempt { user: "", password: Some(first.as_bytes()), peer: [127, 0, 0, 1].into() };
    let brought = backend().authenticate(&attempt).unwrap().token.unwrap();
    assert_eq!(brought.renew(token("alice").as_bytes()).unwrap().name, "alice");
    let other = brought.renew(token("bob").as_bytes()).map(|renewed| renewed.name);
    assert_eq!(other.unwrap_err().to_string(), "Not allowed to change username on refreshed token");
    assert!(brought.renew(b"nonsense").is_err());
}

#[test]
fn keys_come_over_tls_or_from_this_machine() {
    for (url, allowed) in [
        ("https://issuer.example/keys", true),
        ("http://localhost:8080/keys", true),
        ("http://127.0.0.1/keys", true),
        ("http://[::1]:80/keys", true),
        ("http://issuer.example/keys", false),
        ("http://localhost.example/keys", false),
        ("http://127.0.0.1@issuer.example/", false),
        ("file:///etc/passwd", false),
        ("issuer", false),
    ] {
        assert_eq!(is_allowed_url(url), allowed, "{url}");
    }
}
