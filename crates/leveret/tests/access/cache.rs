//! Answers that are kept for a while.

use std::time::Duration;

use testkit::QueueDeclare;

use crate::http::start_with;
use crate::service::Service;
use crate::{assert_refused, connect};

const CACHE: [(&str, &str); 2] = [("auth_backends.1", "cache"), ("auth_cache.cached_backend", "http")];

fn allowing() -> Service {
    Service::start(|asked| match asked.get("password") {
        "bad" => (200, "deny".to_owned()),
        _ => (200, "allow".to_owned()),
    })
}

#[test]
fn the_service_is_asked_once_until_the_time_is_over() {
    let service = allowing();
    let broker = start_with(&service, &[CACHE[0], CACHE[1], ("auth_cache.cache_ttl", "2000")]);
    for _ in 0..2 {
        connect(&broker, "alice", "good").declare(1, QueueDeclare::exclusive("q"));
    }
    let paths: Vec<String> = service.take().into_iter().map(|asked| asked.path).collect();
    // Authentication and authorization are asked apart, as in RabbitMQ.
    assert_eq!(paths, ["/user", "/user", "/vhost", "/resource"]);
    testkit::pause(Duration::from_millis(2100));
    connect(&broker, "alice", "good");
    assert!(service.take().iter().any(|asked| asked.path == "/user"));
}

#[test]
fn an_operator_may_have_it_forgotten() {
    let service = allowing();
    let broker = start_with(&service, &CACHE);
    connect(&broker, "alice", "good");
    service.take();
    broker.administer("DELETE", "/api/leveret/auth-cache", "");
    connect(&broker, "alice", "good");
    assert!(!service.take().is_empty());
    assert_eq!(crate::start(&[]).http("DELETE", "/api/leveret/auth-cache", &[], "").unwrap().status, 404);
}

#[test]
fn another_password_is_another_question() {
    let service = allowing();
    let broker = start_with(&service, &CACHE);
    connect(&broker, "alice", "good");
    assert_refused(&broker, "alice", "bad");
    // Refusals are not kept unless that is wanted.
    service.take();
    assert_refused(&broker, "alice", "bad");
    assert_eq!(service.take().len(), 1);
}

#[test]
fn refusals_are_kept_where_that_is_wanted() {
    let service = allowing();
    let broker = start_with(&service, &[CACHE[0], CACHE[1], ("auth_cache.cache_refusals", "true")]);
    assert_refused(&broker, "alice", "bad");
    service.take();
    assert_refused(&broker, "alice", "bad");
    assert_eq!(service.take().len(), 0);
    connect(&broker, "alice", "good");
}
