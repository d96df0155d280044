//! Which backend decides.

use testkit::QueueDeclare;

use crate::http::start_with;
use crate::service::Service;
use crate::{assert_refused, connect, get};

fn service() -> Service {
    Service::start(|asked| match (&*asked.path, asked.get("password")) {
        ("/user", "good") => (200, "allow administrator".to_owned()),
        ("/user", _) => (200, "deny".to_owned()),
        _ => (200, "allow".to_owned()),
    })
}

#[test]
fn the_first_that_authenticates_decides() {
    let service = service();
    let broker = start_with(&service, &[("auth_backends.1", "internal"), ("auth_backends.2", "http")]);
    connect(&broker, "guest", "guest");
    assert!(service.take().is_empty(), "who is known within is not asked about");
    connect(&broker, "guest", "good").declare(1, QueueDeclare::exclusive("q"));
    assert!(service.take().iter().any(|asked| asked.path == "/resource"));
    assert_refused(&broker, "guest", "bad");
}

#[test]
fn one_may_authenticate_and_another_authorize() {
    let service = service();
    let broker = start_with(&service, &[("auth_backends.1.authn", "http"), ("auth_backends.1.authz", "internal")]);
    connect(&broker, "guest", "good").declare(1, QueueDeclare::exclusive("q"));
    let paths: Vec<String> = service.take().into_iter().map(|asked| asked.path).collect();
    assert_eq!(paths, ["/user"], "permissions are those of the database");
    // The database does not know him.
    assert_refused(&broker, "alice", "good");
    assert_refused(&broker, "guest", "guest");
}

#[test]
fn the_management_api_may_have_its_own() {
    let service = service();
    let broker = start_with(&service, &[("http_dispatch.auth_backends.1", "http")]);
    let get = |credentials: &str| get(&broker, "/api/whoami", &format!("Basic {credentials}"));
    // alice:good
    let (status, body) = get("YWxpY2U6Z29vZA==");
    assert_eq!(status, 200);
    assert!(body.contains(r#""name":"alice""#) && body.contains(r#""is_internal_user":false"#), "{body}");
    // guest:guest
    assert_eq!(get("Z3Vlc3Q6Z3Vlc3Q=").0, 401);
    connect(&broker, "guest", "guest");
}
