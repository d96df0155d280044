//! SIGHUP: who is asked, by which keys, and what new users are like.

use std::path::PathBuf;

use serde_json::json;
use testkit::BrokerProcess;

use crate::oauth2::Issuer;
use crate::service::Service;
use crate::{LEVERET, assert_refused, connect};

struct Reloaded {
    broker: BrokerProcess,
    file: PathBuf,
    _directory: tempfile::TempDir,
    told: usize,
}

impl Reloaded {
    fn start(lines: &[String]) -> Reloaded {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("rabbitmq.conf");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let broker = BrokerProcess::start_configured(LEVERET, &["--config", file.to_str().unwrap()], &[], true);
        Reloaded { broker, file, _directory: directory, told: 0 }
    }

    /// Reads other lines; the last of the log's lines that say what came of it.
    fn reload(&mut self, lines: &[String]) -> String {
        std::fs::write(&self.file, lines.join("\n")).unwrap();
        self.broker.send_hang_up();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            let of_it = |line: &String| {
                line.contains("configuration read again") || line.contains("the configuration stays as it is")
            };
            let told: Vec<String> = self.broker.log().into_iter().filter(of_it).collect();
            if told.len() > self.told {
                self.told = told.len();
                return told.last().cloned().unwrap_or_default();
            }
            assert!(std::time::Instant::now() < deadline, "nothing came of the reload");
            testkit::pause(std::time::Duration::from_millis(20));
        }
    }
}

fn lines(settings: &[(&str, &str)]) -> Vec<String> {
    settings.iter().map(|(key, value)| format!("{key} = {value}")).collect()
}

fn allowing(password: &'static str) -> Service {
    Service::start(move |asked| match (&*asked.path, asked.get("password")) {
        ("/user", given) if given == password => (200, "allow".to_owned()),
        ("/user", _) => (200, "deny".to_owned()),
        _ => (200, "allow".to_owned()),
    })
}

fn http(service: &Service) -> Vec<String> {
    let mut all = lines(&[("auth_backends.1", "internal"), ("auth_backends.2", "http")]);
    all.extend(crate::http::settings(service).into_iter().map(|(key, value)| format!("{key} = {value}")));
    all
}

#[test]
fn another_service_is_asked() {
    let (one, two) = (allowing("one"), allowing("two"));
    let mut reloaded = Reloaded::start(&http(&one));
    let mut old = connect(&reloaded.broker, "alice", "one");
    assert!(reloaded.reload(&http(&two)).contains("auth_http.user_path"));
    assert_refused(&reloaded.broker, "alice", "one");
    connect(&reloaded.broker, "alice", "two");
    // Who was in stays in.
    old.open_channel(2);
    // Without the service only those of the database are left, and the management API asks the same.
    reloaded.reload(&lines(&[("auth_backends.1", "internal")]));
    assert_refused(&reloaded.broker, "alice", "two");
    connect(&reloaded.broker, "guest", "guest");
    reloaded.reload(&lines(&[("auth_backends.1", "http"), ("auth_backends.2", "internal")]));
    connect(&reloaded.broker, "guest", "guest");
}

#[test]
fn other_keys_are_taken() {
    let (one, two) = (Issuer::start(), Issuer::start());
    *two.keys.lock().unwrap() = vec![("of-two".to_owned(), "the secret of two".to_owned())];
    let oauth = |issuer: &Issuer| {
        let url = issuer.service.url("");
        lines(&[
            ("auth_backends.1", "oauth2"),
            ("auth_oauth2.resource_server_id", "rabbitmq"),
            ("auth_oauth2.issuer", &url),
        ])
    };
    let mut reloaded = Reloaded::start(&oauth(&one));
    connect(&reloaded.broker, "", &one.full(600));
    assert_refused(&reloaded.broker, "", &two.full(600));
    assert!(reloaded.reload(&oauth(&two)).contains("auth_oauth2.issuer"));
    connect(&reloaded.broker, "", &two.full(600));
    assert_refused(&reloaded.broker, "", &one.full(600));
    let no_scope = two.token(600, json!({}));
    assert!(crate::get(&reloaded.broker, "/api/whoami", &format!("Bearer {no_scope}")).0 == 401);
}

#[test]
fn what_new_users_are_like_changes() {
    let mut reloaded = Reloaded::start(&[]);
    let put = |broker: &BrokerProcess, name: &str, password: &str| {
        let body = json!({ "password": password, "tags": "" }).to_string();
        broker.http("PUT", &format!("/api/users/{name}"), &[], &body).unwrap().status
    };
    assert_eq!(put(&reloaded.broker, "a", "short"), 201);
    let rule = "rabbit_credential_validator_min_password_length";
    let told = reloaded.reload(&lines(&[
        ("credential_validator.validation_backend", rule),
        ("credential_validator.min_length", "8"),
        ("password_hashing_module", "rabbit_password_hashing_sha512"),
        ("default_users.tenant.password", "tenant"),
    ]));
    for key in ["credential_validator.min_length", "password_hashing_module", "default_users.tenant.password"] {
        assert!(told.contains(key), "{told}");
    }
    assert_eq!(put(&reloaded.broker, "b", "short"), 400);
    assert_eq!(put(&reloaded.broker, "b", "long enough"), 201);
    let users = reloaded.broker.http("GET", "/api/users/b", &[], "").unwrap().body;
    assert!(users.contains("rabbit_password_hashing_sha512"), "{users}");
    reloaded.broker.administer("PUT", "/api/vhosts/new", "");
    assert_eq!(reloaded.broker.http("GET", "/api/permissions/new/tenant", &[], "").unwrap().status, 200);
}

#[test]
fn wrong_values_leave_everything_as_it_was() {
    let one = allowing("one");
    let mut reloaded = Reloaded::start(&http(&one));
    for bad in [
        ("auth_backends.3", "nobody"),
        ("auth_backends.3", "cache"),
        ("auth_oauth2.jwks_uri", "http://elsewhere.example/keys"),
        ("auth_http.ssl_options.cacertfile", "/no/such/file"),
        ("credential_validator.validation_backend", "rabbit_credential_validator_password_regexp"),
    ] {
        let mut wrong = lines(&[("auth_backends.1", "http"), ("auth_backends.2", "oauth2"), bad]);
        wrong.push("heartbeat = 77".to_owned());
        assert!(reloaded.reload(&wrong).contains("the configuration stays as it is"), "{bad:?}");
    }
    connect(&reloaded.broker, "alice", "one");
    connect(&reloaded.broker, "guest", "guest");
    let given = reloaded.broker.http("GET", "/api/leveret/configuration", &[], "").unwrap().body;
    assert!(!given.contains("\"heartbeat\""), "nothing of it holds: {given}");
}
