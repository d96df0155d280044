//! The backend that asks a service over HTTP.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use testkit::method::{self, id};
use testkit::{BrokerProcess, ExchangeDeclare, Properties, Publish, QueueDeclare, RawClient};

use crate::service::{Asked, Service};
use crate::{assert_refused, begun, connect, start, user};

/// Lets everybody in whose password is `good`, as a manager, and everything be done but what has `no` in its name.
fn usual(asked: &Asked) -> (u16, String) {
    let answer = match &*asked.path {
        "/user" if asked.get("password") == "good" => "allow management",
        "/user" if asked.get("password") == "broken" => return (500, "out of order".to_owned()),
        "/user" if asked.get("password") == "locked" => "deny account is locked",
        "/vhost" if asked.get("vhost") == "/" => "allow",
        "/resource" | "/topic" if asked.get("name").contains("broken") => return (503, String::new()),
        "/resource" if asked.get("name").contains("no") => "deny not yours",
        "/resource" => "allow",
        "/topic" if asked.get("routing_key").starts_with("no") => "deny",
        "/topic" => "allow",
        _ => "deny",
    };
    (200, answer.to_owned())
}

pub fn settings(service: &Service) -> Vec<(String, String)> {
    ["user", "vhost", "resource", "topic"]
        .map(|what| (format!("auth_http.{what}_path"), service.url(&format!("/{what}"))))
        .to_vec()
}

pub fn start_with(service: &Service, more: &[(&str, &str)]) -> BrokerProcess {
    let settings = settings(service);
    let mut all: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (&**key, &**value)).collect();
    all.extend_from_slice(more);
    start(&all)
}

#[test]
fn the_service_is_asked_as_rabbitmq_asks_it() {
    let service = Service::start(usual);
    let broker = start_with(&service, &[("auth_backends.1", "http")]);
    let mut client = connect(&broker, "al ice", "good");
    client.declare(1, QueueDeclare::exclusive("q"));
    client.call(1, method::queue_bind("q", "amq.topic", "a.b", &testkit::Table::new()));
    let asked: Vec<(String, String)> = service.take().into_iter().map(|asked| (asked.path, asked.raw)).collect();
    let expected = [
        ("/user", "username=al+ice&password=good"),
        ("/vhost", "username=al+ice&vhost=%2F&ip=127.0.0.1&tags=management"),
        ("/resource", "username=al+ice&vhost=%2F&resource=queue&name=q&permission=configure&tags=management"),
        ("/resource", "username=al+ice&vhost=%2F&resource=queue&name=q&permission=write&tags=management"),
        ("/resource", "username=al+ice&vhost=%2F&resource=exchange&name=amq.topic&permission=read&tags=management"),
        (
            "/topic",
            "username=al+ice&vhost=%2F&resource=topic&name=amq.topic&permission=read&tags=management\
             &routing_key=a.b&variable_map.username=al+ice&variable_map.vhost=%2F",
        ),
    ];
    assert_eq!(asked, expected.map(|(path, raw)| (path.to_owned(), raw.to_owned())));
}

#[test]
fn a_form_is_sent_with_post() {
    let service = Service::start(usual);
    let broker = start_with(&service, &[("auth_backends.1", "http"), ("auth_http.http_method", "post")]);
    connect(&broker, "alice", "good");
    let asked = service.take();
    assert!(asked.iter().all(|asked| asked.method == "POST"), "{asked:?}");
    assert_eq!((asked[0].get("username"), asked[0].get("password")), ("alice", "good"));
}

#[test]
fn refusals_have_their_words() {
    let service = Service::start(usual);
    let broker = start_with(&service, &[("auth_backends.1", "http")]);
    let mut client = connect(&broker, "alice", "good");
    client.send(1, QueueDeclare::exclusive("not-mine"));
    let close = client.expect_close(1);
    let text = "ACCESS_REFUSED - configure access to queue 'not-mine' in vhost '/' refused for user 'alice'";
    assert_eq!((close.code, &*close.text), (403, text));
    client.open_channel(1);
    client.send(1, QueueDeclare::exclusive("broken"));
    let close = client.expect_close(1);
    let text = "ACCESS_REFUSED - configure access to queue 'broken' in vhost '/' refused for user 'alice', \
                backend rabbit_auth_backend_http returned an error: {503,\"\"}";
    assert_eq!((close.code, &*close.text), (403, text));
    assert!(broker.has_logged("rabbit_auth_backend_http cannot ask"));
}

#[test]
fn a_reason_is_told_where_that_is_allowed() {
    let service = Service::start(usual);
    let disclosed = ("auth_http.authorization_failure_disclosure", "true");
    let broker = start_with(&service, &[("auth_backends.1", "http"), disclosed]);
    let mut client = connect(&broker, "alice", "good");
    client.publish(1, "not-mine", "k", "x");
    let close = client.expect_close(1);
    let text = "ACCESS_REFUSED - write access to exchange 'not-mine' in vhost '/' refused for user 'alice' \
                by backend rabbit_auth_backend_http: not yours";
    assert_eq!((close.code, &*close.text), (403, text));
}

#[test]
fn a_virtual_host_may_be_refused() {
    let service = Service::start(|asked| match &*asked.path {
        "/vhost" => (200, "deny".to_owned()),
        _ => (200, "allow".to_owned()),
    });
    let broker = start_with(&service, &[("auth_backends.1", "http")]);
    let mut client = RawClient::tuned(broker.address(), &user("alice", "good"));
    client.send(0, testkit::connection_open("/"));
    let close = client.expect_close(0);
    let text = "NOT_ALLOWED - access to vhost '/' refused for user 'alice'";
    assert_eq!((close.code, &*close.text, close.method), (530, text, id::CONNECTION_OPEN));
}

#[test]
fn logins_are_refused_by_a_service_that_says_no_or_nothing() {
    let service = Service::start(usual);
    let broker = start_with(&service, &[("auth_backends.1", "http")]);
    for password in ["bad", "locked", "broken", ""] {
        assert_refused(&broker, "alice", password);
    }
    assert!(broker.has_logged("account is locked"));
    assert!(broker.has_logged("rabbit_auth_backend_http failed authenticating alice: {500,\"out of order\"}"));
    let broker = start(&[("auth_backends.1", "http"), ("auth_http.user_path", "http://127.0.0.1:1/user")]);
    assert_refused(&broker, "alice", "good");
    assert!(broker.has_logged("rabbit_auth_backend_http failed authenticating alice"));
}

/// Only `allow` is a yes, and only a login has tags behind it.
#[test]
fn what_merely_begins_with_allow_permits_nothing() {
    let service = Service::start(|asked| match (&*asked.path, asked.get("username")) {
        ("/user", "ance") => (200, "allowance".to_owned()),
        ("/user", _) => (200, "allow administrator".to_owned()),
        ("/vhost", "vhost") => (200, "allow-if-tuesday".to_owned()),
        ("/resource", "alice") if asked.get("name").starts_with("allow") => (200, asked.get("name").to_owned()),
        ("/topic", "alice") => (200, "allowed: false".to_owned()),
        _ => (200, " Allow\n".to_owned()),
    });
    let broker = start_with(&service, &[("auth_backends.1", "http")]);
    assert_refused(&broker, "ance", "good");
    let mut client = RawClient::tuned(broker.address(), &user("vhost", "good"));
    client.send(0, testkit::connection_open("/"));
    assert_eq!(client.expect_close(0).code, 530);
    let mut client = connect(&broker, "alice", "good");
    client.declare(1, QueueDeclare::exclusive("q"));
    for answer in ["allowance", "allow administrator", "allowed: false", "allow,deny"] {
        client.send(1, QueueDeclare::exclusive(answer));
        let close = client.expect_close(1);
        let text = format!("backend rabbit_auth_backend_http returned an error: {{bad_response,\"{answer}\"}}");
        assert!(close.code == 403 && close.text.ends_with(&text), "{}", close.text);
        client.open_channel(1);
    }
    client.publish(1, "amq.topic", "a.b", "x");
    assert_eq!(client.expect_close(1).code, 403);
}

#[test]
fn a_publish_is_asked_about_once_and_its_content_may_come_in_pieces() {
    let service = Service::start(usual);
    let broker = start_with(&service, &[("auth_backends.1", "http")]);
    let mut client = connect(&broker, "alice", "good");
    client.declare(1, QueueDeclare::exclusive("q"));
    client.call(1, method::queue_bind("q", "amq.direct", "k", &testkit::Table::new()));
    service.take();
    client.confirm_select(1);
    for size in [10, 300_000, 300_000, 10] {
        client.publish(1, "amq.direct", "k", vec![7; size]);
    }
    client.expect_all_confirmed(1, 4);
    let asked = service.take();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(client.message_count(1, "q"), 4);
    // A refusal comes behind the content, however large.
    client.publish(1, "not-mine", "k", vec![7; 300_000]);
    assert_eq!(client.expect_close(1).code, 403);
    client.open_channel(1);
    assert_eq!(client.message_count(1, "q"), 4);
}

#[test]
fn a_topic_is_asked_about_by_its_key() {
    let service = Service::start(usual);
    let broker = start_with(&service, &[("auth_backends.1", "http")]);
    let mut client = connect(&broker, "alice", "good");
    client.confirm_select(1);
    client.publish(1, "amq.topic", "yes.1", "x");
    client.publish(1, "amq.topic", "yes.1", "x");
    client.expect_all_confirmed(1, 2);
    client.publish(1, "amq.topic", "no.1", "x");
    let close = client.expect_close(1);
    let text =
        "ACCESS_REFUSED - write access to topic 'no.1' in exchange 'amq.topic' in vhost '/' refused for user 'alice'";
    assert_eq!((close.code, &*close.text), (403, text));
}

#[test]
fn a_queue_that_the_broker_names_is_asked_about_under_one_name() {
    let service = Service::start(usual);
    let broker = start_with(&service, &[("auth_backends.1", "http")]);
    let mut client = connect(&broker, "alice", "good");
    let declared = client.declare(1, QueueDeclare::exclusive(""));
    let again = client.declare(1, QueueDeclare::exclusive(""));
    assert_ne!(declared.queue, again.queue);
    let asked: Vec<String> = service
        .take()
        .iter()
        .filter(|asked| asked.path == "/resource")
        .map(|asked| asked.get("name").to_owned())
        .collect();
    assert_eq!(asked, [declared.queue, again.queue]);
}

#[test]
fn a_new_channel_asks_anew() {
    let allowed = Arc::new(AtomicBool::new(true));
    let now = allowed.clone();
    let service = Service::start(move |asked| match &*asked.path {
        "/resource" if !now.load(Ordering::SeqCst) => (200, "deny".to_owned()),
        _ => (200, "allow".to_owned()),
    });
    let broker = start_with(&service, &[("auth_backends.1", "http")]);
    let mut client = connect(&broker, "alice", "good");
    client.call(1, ExchangeDeclare::new("e", "fanout"));
    client.confirm_select(1);
    client.publish(1, "e", "", "x");
    client.expect_confirm(1);
    allowed.store(false, Ordering::SeqCst);
    client.publish(1, "e", "", "x");
    client.expect_confirm(1);
    client.open_channel(2);
    client.publish_with(2, Publish::new("e", ""), &Properties::default(), "x");
    assert_eq!(client.expect_close(2).code, 403);
}

/// The service takes its time: whoever waits for it waits alone.
#[test]
fn a_slow_service_slows_nobody_else() {
    let (release, hold) = mpsc::channel::<()>();
    let hold = std::sync::Mutex::new(hold);
    let service = Service::start(move |asked| {
        if asked.get("username") == "slow" {
            let _ = hold.lock().unwrap().recv_timeout(Duration::from_secs(20));
        }
        (200, "allow".to_owned())
    });
    let broker = start_with(&service, &[("auth_backends.1", "internal"), ("auth_backends.2", "http")]);
    let mut client = connect(&broker, "guest", "guest");
    client.declare(1, QueueDeclare::exclusive("q"));
    let mut waiting: Vec<RawClient> = (0..8).map(|_| begun(&broker, "slow", "good")).collect();
    let deadline = Instant::now() + Duration::from_secs(10);
    while service.take().is_empty() {
        assert!(Instant::now() < deadline, "the service is not asked");
        testkit::pause(Duration::from_millis(5));
    }
    // While eight logins hang, others log in, and messages pass.
    let began = Instant::now();
    connect(&broker, "guest", "guest");
    for _ in 0..100 {
        client.publish(1, "", "q", "x");
        client.get(1, "q", true).expect("the message");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // One that goes away meanwhile harms nothing.
    drop(waiting.pop());
    drop(release);
    for mut slow in waiting {
        slow.expect_tune();
    }
    client.assert_alive(1);
}
