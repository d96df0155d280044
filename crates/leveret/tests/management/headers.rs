//! Headers of answers, and the pages that people find.

use crate::support::{Answer, Client, request, start};
use testkit::BrokerProcess;

#[track_caller]
fn get(broker: &BrokerProcess, path: &str, headers: &[(&str, &str)]) -> Answer {
    Client::guest(broker).send("GET", path, headers, "")
}

#[test]
fn answers_say_what_they_depend_on_and_what_pages_may_do() {
    let broker = start(&[]);
    let answer = get(&broker, "/api/overview", &[]);
    assert_eq!(answer.header("vary"), Some("accept, accept-encoding, origin"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("content-security-policy"), Some("script-src 'self'; object-src 'self'"));
    for name in ["strict-transport-security", "x-frame-options", "referrer-policy", "access-control-allow-origin"] {
        assert_eq!(answer.header(name), None);
    }
    let refused = request(broker.management(), "GET", "/api/overview", &[], "");
    assert_eq!((refused.status, refused.header("vary")), (401, Some("accept, accept-encoding, origin")));
}

#[test]
fn headers_for_browsers_are_those_of_the_configuration() {
    let settings = [
        ("management.csp.policy", "default-src 'none'"),
        ("management.hsts.policy", "max-age=31536000"),
        ("management.headers.content_type_options", "nosniff"),
        ("management.headers.xss_protection", "1; mode=block"),
        ("management.headers.frame_options", "DENY"),
        ("management.headers.referrer_policy", "no-referrer"),
    ];
    let broker = start(&settings);
    let answer = get(&broker, "/api/whoami", &[]);
    for (name, value) in [
        ("content-security-policy", "default-src 'none'"),
        ("strict-transport-security", "max-age=31536000"),
        ("x-content-type-options", "nosniff"),
        ("x-xss-protection", "1; mode=block"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
}

#[test]
fn pages_of_origins_that_are_named_may_use_the_api() {
    let broker = start(&[("management.cors.allow_origins.1", "http://ui.example"), ("management.cors.max_age", "60")]);
    let answer = get(&broker, "/api/whoami", &[("Origin", "http://ui.example")]);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://ui.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    for origin in ["http://other.example", "null", "*"] {
        assert_eq!(get(&broker, "/api/whoami", &[("Origin", origin)]).header("access-control-allow-origin"), None);
    }
    let asked = [("Origin", "http://ui.example"), ("Access-Control-Request-Headers", "authorization, x-vhost")];
    let preflight = request(broker.management(), "OPTIONS", "/api/users/x", &asked, "");
    assert_eq!(preflight.status, 200);
    assert_eq!(preflight.header("access-control-allow-methods"), preflight.header("allow"));
    assert!(preflight.header("allow").unwrap().contains("PUT"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("authorization, x-vhost"));
    assert_eq!(preflight.header("access-control-max-age"), Some("60"));
}

#[test]
fn pages_of_all_origins_may_use_it_without_credentials() {
    let broker = start(&[("management.cors.allow_origins.1", "*")]);
    let answer = get(&broker, "/api/whoami", &[("Origin", "http://any.example")]);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[test]
fn the_verbs_of_a_path_can_be_kept_back() {
    let broker = start(&[("management.http.hide_allow_header", "true")]);
    let options = request(broker.management(), "OPTIONS", "/api/users", &[], "");
    assert_eq!((options.status, options.header("allow")), (200, None));
    let refused = request(broker.management(), "PUT", "/api/users", &[], "");
    assert_eq!((refused.status, refused.header("allow")), (405, Some("HEAD, GET, OPTIONS")));
}

#[test]
fn who_takes_no_json_gets_nothing() {
    let broker = start(&[]);
    let with = |accept: &str| get(&broker, "/api/whoami", &[("Accept", accept)]);
    // The last but one is what the exporter of kbudde sends.
    for taken in
        ["*/*", "application/json", "text/html, application/*;q=0.5", "application/bert, application/json;q=0.1", ""]
    {
        let answer = with(taken);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{taken}");
    }
    for refused in ["text/html", "application/json;q=0", "image/*"] {
        assert_eq!(with(refused).status, 406, "{refused}");
    }
}

#[test]
fn answers_are_compressed_for_who_takes_that() {
    let broker = start(&[("management.tcp.compress", "true")]);
    let plain = get(&broker, "/api/exchanges", &[]);
    assert_eq!(plain.header("content-encoding"), None);
    let compressed = get(&broker, "/api/exchanges", &[("Accept-Encoding", "gzip, deflate")]);
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert!(compressed.bytes.starts_with(&[0x1f, 0x8b]), "{:?}", compressed.bytes);
    assert!(compressed.bytes.len() < plain.bytes.len() / 2);
    assert_eq!(get(&broker, "/api/whoami", &[("Accept-Encoding", "gzip")]).header("content-encoding"), None);
    let off = start(&[]);
    assert_eq!(get(&off, "/api/exchanges", &[("Accept-Encoding", "gzip")]).header("content-encoding"), None);
}

#[test]
fn pages_need_no_credentials() {
    let broker = start(&[]);
    let page = |path: &str| request(broker.management(), "GET", path, &[], "");
    for (path, text) in [
        ("/", "href=\"/api/index.html\""),
        ("/api/index.html", "/api/queues/{vhost}/{queue}"),
        ("/cli", "rabbitmqadmin"),
        ("/cli/", "rabbitmqadmin"),
        ("/cli/index.html", "rabbitmqadmin"),
    ] {
        let answer = page(path);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/html; charset=utf-8")), "{path}");
        assert!(answer.body.contains(text), "{path}: {}", answer.body);
    }
    for path in ["/api", "/api/"] {
        let answer = page(path);
        assert_eq!((answer.status, answer.header("location")), (301, Some("/api/index.html")), "{path}");
    }
    let download = page("/cli/rabbitmqadmin");
    assert!(download.status == 404 && download.body.contains("rabbitmqadmin"), "{download:?}");
    assert_eq!(page("/api/openapi.json").json()["openapi"], "3.1.0");
    let nothing = page("/api/nothing");
    let body = r#"{"error":"Object Not Found","reason":"Not Found"}"#;
    assert_eq!((nothing.status, nothing.body.as_str()), (404, body));
}

#[test]
fn everything_can_be_below_a_prefix() {
    let broker = start(&[("management.path_prefix", "/rabbit/mq")]);
    assert_eq!(get(&broker, "/rabbit/mq/api/whoami", &[]).status, 200);
    assert_eq!(get(&broker, "/api/whoami", &[]).status, 404);
    let home = request(broker.management(), "GET", "/", &[], "");
    assert!(home.status / 100 == 3 && home.header("location") == Some("/rabbit/mq/"), "{home:?}");
    assert!(get(&broker, "/rabbit/mq/", &[]).body.contains("href=\"/rabbit/mq/api/index.html\""));
    let reference = get(&broker, "/rabbit/mq/api", &[]);
    assert_eq!(reference.header("location"), Some("/rabbit/mq/api/index.html"));
}

#[test]
fn a_slash_behind_a_path_means_nothing() {
    let broker = start(&[]);
    assert_eq!(get(&broker, "/api/exchanges/%2F/?page=1&page_size=1", &[]).json()["item_count"], 1);
    assert_eq!(get(&broker, "/api/whoami/", &[]).status, 200);
}
