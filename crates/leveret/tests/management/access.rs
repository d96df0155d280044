//! Who gets in, and who may do what: every verb of every path.

use crate::support::{Client, head_of, request, start};
use management::{Access, Route, routes};
use std::time::{Duration, Instant};
use testkit::{BrokerProcess, pause};

const CHALLENGE: Option<&str> = Some("Basic realm=\"RabbitMQ Management\"");

#[test]
fn users_log_in_with_their_password() {
    let broker = start(&[]);
    let whoami = Client::guest(&broker).send("GET", "/api/whoami", &[], "");
    assert_eq!(whoami.status, 200, "{whoami:?}");
    let nobody = request(broker.management(), "GET", "/api/whoami", &[], "");
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, CHALLENGE));
    assert_eq!(nobody.body, r#"{"error":"not_authorized","reason":"Login failed"}"#);
    // RabbitMQ 4 asks for no other credentials, since its user interface does.
    for refused in [
        Client::new(&broker, "guest", "wrong").send("GET", "/api/whoami", &[], ""),
        Client::new(&broker, "guest", "").send("GET", "/api/whoami", &[], ""),
        request(broker.management(), "GET", "/api/whoami", &[("Authorization", "Bearer abc")], ""),
    ] {
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, None));
        assert_eq!(refused.body, r#"{"error":"not_authorized","reason":"Not_Authorized"}"#);
    }
    for unreadable in ["Basic", "Basic !", "Basic Z3Vlc3Q=", "Digest a", "Basic \u{7f}"] {
        let answer = request(broker.management(), "GET", "/api/whoami", &[("Authorization", unreadable)], "");
        assert!(answer.status == 401 || answer.status == 400, "{unreadable}: {answer:?}");
    }
}

#[test]
fn a_remembered_login_ends_with_the_password() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    guest.put("/api/users/a", r#"{"password":"one","tags":"management"}"#);
    let status = |password| Client::new(&broker, "a", password).send("GET", "/api/whoami", &[], "").status;
    assert_eq!((status("one"), status("one")), (200, 200));
    guest.put("/api/users/a", r#"{"password":"two","tags":"management"}"#);
    assert_eq!((status("one"), status("two"), status("two")), (401, 200, 200));
    guest.put("/api/users/a", r#"{"password":"two","tags":""}"#);
    let refused = Client::new(&broker, "a", "two").send("GET", "/api/whoami", &[], "");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, None));
    assert_eq!(refused.body, r#"{"error":"not_authorised","reason":"Not management user"}"#);
    guest.delete("/api/users/a");
    assert_eq!(status("two"), 401);
}

#[test]
fn a_login_ends_with_the_broker_that_it_was_remembered_of() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    assert_eq!(guest.send("GET", "/api/whoami", &[], "").status, 200);
    let ctl = |method, path| broker.http(method, path, &[], "").expect("an answer").status;
    assert_eq!(ctl("DELETE", "/api/leveret/application"), 204);
    assert_eq!(guest.send("GET", "/api/whoami", &[], "").status, 503);
    let begun = Instant::now();
    // Meanwhile another test's broker may have its port.
    while ctl("PUT", "/api/leveret/application") != 204 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not start again");
        pause(Duration::from_millis(200));
    }
    assert_eq!(guest.send("GET", "/api/whoami", &[], "").status, 200);
}

#[test]
fn guesses_wait_and_hold_up_nobody() {
    let broker = start(&[]);
    let wrong = Client::new(&broker, "guest", "wrong");
    std::thread::scope(|scope| {
        let guessing: Vec<_> =
            (0..8).map(|_| scope.spawn(|| wrong.send("GET", "/api/whoami", &[], "").status)).collect();
        let begun = Instant::now();
        assert_eq!(Client::guest(&broker).send("GET", "/api/whoami", &[], "").status, 200);
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
        assert!(guessing.into_iter().all(|guess| guess.join().unwrap() == 401));
    });
    let begun = Instant::now();
    assert_eq!(wrong.send("GET", "/api/whoami", &[], "").status, 401);
    assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[test]
fn a_virtual_host_can_be_named_in_a_header() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    guest.put("/api/users/a", r#"{"password":"a","tags":"management"}"#);
    guest.put("/api/vhosts/v1", "");
    // Rights of this kind are asked of the path first; where it names none, of the header.
    let route = routes()
        .into_iter()
        .find(|route| route.verb == "GET" && route.access == Access::VhostVisible && !route.path.contains('{'));
    let Some(route) = route else { return };
    let of = |vhost| Client::new(&broker, "a", "a").send("GET", &route.path, &[("x-vhost", vhost)], "");
    assert_eq!(of("v1").body, r#"{"error":"not_authorised","reason":"User not authorised to access virtual host"}"#);
    assert_ne!(of("").status, 401);
}

#[test]
fn the_user_interface_logs_in_with_a_form() {
    let broker = start(&[("management.login_session_timeout", "60")]);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let login =
        |headers: &[(&str, &str)], body: &str| request(broker.management(), "POST", "/api/login", headers, body);
    let answer = login(&form, "username=guest&password=guest");
    assert_eq!(answer.status, 200, "{answer:?}");
    let user = &answer.json()["user"];
    assert_eq!((&user["name"], &user["login_session_timeout"]), (&"guest".into(), &60.into()));
    assert_eq!(answer.json()["token"], serde_json::json!({ "type": "basic", "value": "Z3Vlc3Q6Z3Vlc3Q=" }));
    assert_eq!(
        login(&form, "username=guest&password=no").body,
        r#"{"error":"not_authorized","reason":"Not_Authorized"}"#
    );
    assert_eq!(login(&form, "").status, 401);
    assert_eq!(login(&[], "username=guest&password=guest").status, 415);
    assert_eq!(login(&form, &format!("username={}", "a".repeat(100_000))).status, 400);
    assert_eq!(request(broker.management(), "DELETE", "/api/login", &[], "").status, 204);
    let auth = request(broker.management(), "GET", "/api/auth", &[], "");
    assert_eq!(auth.body, r#"{"oauth_enabled":false}"#);
}

#[test]
fn basic_authentication_can_be_refused() {
    let broker = start(&[("management.disable_basic_auth", "true")]);
    let refused = Client::guest(&broker).send("GET", "/api/whoami", &[], "");
    let body = r#"{"error":"not_authorised","reason":"HTTP access denied: basic auth disabled"}"#;
    assert_eq!((refused.status, refused.body.as_str()), (401, body));
    let nobody = request(broker.management(), "GET", "/api/whoami", &[], "");
    let body = r#"{"error":"not_authorised","reason":"HTTP access denied: no credentials"}"#;
    assert_eq!((nobody.body.as_str(), nobody.header("www-authenticate")), (body, None));
}

#[test]
fn the_socket_needs_no_credentials() {
    let broker = start(&[("management.disable_basic_auth", "true")]);
    let whoami = broker.http("GET", "/api/whoami", &[], "").expect("an answer");
    assert_eq!((whoami.status, whoami.body.as_str()), (200, r#"{"name":"","tags":["administrator"]}"#));
}

/// What RabbitMQ's access control says to whoever has not the right.
const REFUSALS: [&str; 7] = [
    "Login failed",
    "Not_Authorized",
    "Not management user",
    "Not monitor user",
    "Not administrator user",
    "User not authorised to access virtual host",
    "User not authorised to access object",
];

struct User {
    name: &'static str,
    tag: &'static str,
    has_permissions: bool,
}

const USERS: [User; 9] = [
    User { name: "none", tag: "", has_permissions: true },
    User { name: "management", tag: "management", has_permissions: false },
    User { name: "management-v", tag: "management", has_permissions: true },
    User { name: "monitoring", tag: "monitoring", has_permissions: false },
    User { name: "monitoring-v", tag: "monitoring", has_permissions: true },
    User { name: "policymaker", tag: "policymaker", has_permissions: false },
    User { name: "policymaker-v", tag: "policymaker", has_permissions: true },
    User { name: "administrator", tag: "administrator", has_permissions: false },
    User { name: "administrator-v", tag: "administrator", has_permissions: true },
];

fn may(user: &User, route: &Route) -> bool {
    let (is_admin, is_monitor, is_policymaker) =
        (user.tag == "administrator", user.tag == "monitoring", user.tag == "policymaker");
    let in_vhost = user.has_permissions || !route.path.contains("{vhost}");
    route.access == Access::Public
        || !user.tag.is_empty()
            && match route.access {
                Access::Public | Access::ManagementUser => true,
                Access::VhostUser => is_admin || in_vhost,
                Access::VhostVisible => is_admin || is_monitor || in_vhost,
                Access::Monitor => is_admin || is_monitor,
                Access::PolicyMaker => is_admin || is_policymaker && in_vhost,
                Access::GlobalPolicyMaker => is_admin || is_policymaker,
                Access::Administrator => is_admin,
            }
}

/// The path with the virtual host that there is, and names of nothing.
fn filled(path: &str) -> String {
    let segments = path.split('/').map(|segment| match segment {
        "{vhost}" => "v1",
        name if name.starts_with('{') => "nothing",
        name => name,
    });
    segments.collect::<Vec<_>>().join("/")
}

fn with_users(settings: &[(&str, &str)]) -> BrokerProcess {
    let broker = start(settings);
    let guest = Client::guest(&broker);
    guest.put("/api/vhosts/v1", "");
    for user in &USERS {
        guest.put(&format!("/api/users/{}", user.name), &format!(r#"{{"password":"p","tags":"{}"}}"#, user.tag));
        if user.has_permissions {
            let path = format!("/api/permissions/v1/{}", user.name);
            guest.put(&path, r#"{"configure":".*","write":".*","read":".*"}"#);
        }
    }
    broker
}

/// Sends what changes nothing: where a body is read it is no JSON, and what is deleted is not there.
#[track_caller]
fn is_refused(broker: &BrokerProcess, route: &Route, user: Option<&User>) -> bool {
    let path = filled(&route.path);
    let body = if matches!(route.verb.as_str(), "GET" | "DELETE") { "" } else { "[" };
    let (status, text) = match user {
        Some(user) => Client::new(broker, user.name, "p").head(route.verb.as_str(), &path, body),
        None => head_of(broker.management(), route.verb.as_str(), &path, &[], body),
    };
    assert!(status < 500 || status == 503, "{} {path}: {status} {text}", route.verb);
    // Where any tag will do, this is said of what belongs to another user, not of the right.
    let is_of_object = route.access == Access::ManagementUser && text.contains("access object");
    let is_refusal = |refusal: &&str| text.contains(&format!("\"reason\":\"{refusal}\""));
    status == 401 && !is_of_object && REFUSALS.iter().any(|refusal| is_refusal(&refusal))
}

#[test]
fn nobody_does_what_he_has_no_right_to() {
    let broker = with_users(&[]);
    let all = routes();
    assert!(all.len() > 80, "{}", all.len());
    for route in &all {
        assert_eq!(is_refused(&broker, route, None), route.access != Access::Public, "{route:?} without credentials");
        for user in USERS.iter().filter(|user| !may(user, route)) {
            assert!(is_refused(&broker, route, Some(user)), "{route:?} by {}", user.name);
        }
    }
}

#[test]
fn everybody_does_what_he_has_the_right_to() {
    let broker = with_users(&[]);
    for route in routes().iter().filter(|route| route.verb != "DELETE") {
        for user in USERS.iter().filter(|user| may(user, route)) {
            assert!(!is_refused(&broker, route, Some(user)), "{route:?} by {}", user.name);
        }
    }
}

#[test]
fn options_list_the_verbs_and_other_verbs_are_refused() {
    let broker = start(&[]);
    let all = routes();
    for route in &all {
        let path = filled(&route.path);
        let has = |verb: &str| all.iter().any(|other| other.path == route.path && other.verb == verb);
        let mut verbs: Vec<&str> =
            ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().filter(|verb| has(verb)).collect();
        let missing = ["POST", "DELETE", "PUT", "TRACE", "BREW"].into_iter().find(|verb| !has(verb)).unwrap();
        if has("GET") {
            verbs.insert(0, "HEAD");
        }
        verbs.push("OPTIONS");
        let allow = verbs.join(", ");
        let options = request(broker.management(), "OPTIONS", &path, &[], "");
        assert_eq!((options.status, options.header("allow")), (200, Some(allow.as_str())), "OPTIONS {path}");
        let refused = request(broker.management(), missing, &path, &[], "");
        assert_eq!((refused.status, refused.header("allow")), (405, Some(allow.as_str())), "{missing} {path}");
    }
}

#[test]
fn head_is_get_without_a_body() {
    let broker = with_users(&[]);
    let admin = Client::new(&broker, "administrator-v", "p");
    for route in routes().iter().filter(|route| route.verb == "GET") {
        let path = filled(&route.path);
        let head = admin.send("HEAD", &path, &[], "");
        let (status, _) = admin.head("GET", &path, "");
        assert_eq!((head.status, head.body.as_str()), (status, ""), "HEAD {path}");
    }
}
