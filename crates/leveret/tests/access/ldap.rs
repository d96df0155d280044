//! The backend that asks an LDAP server; built with the feature `ldap`.

use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use testkit::{BrokerProcess, ConnectOptions, Publish, QueueDeclare, RawClient};

use crate::slapd::{Slapd, odd_server};
use crate::{assert_refused, connect, get, start, user};

const PATTERN: (&str, &str) = ("auth_ldap.user_dn_pattern", "cn=${username},ou=people,dc=example");

fn start_with(port: u16, more: &[(&str, &str)]) -> BrokerProcess {
    let port = port.to_string();
    let mut settings = vec![
        ("auth_backends.1", "internal"),
        ("auth_backends.2", "ldap"),
        ("auth_ldap.servers.1", "127.0.0.1"),
        ("auth_ldap.port", &*port),
    ];
    settings.extend_from_slice(more);
    start(&settings)
}

/// The code and text with which a declaration is refused.
fn refused(client: &mut RawClient, queue: &str) -> (u16, String) {
    client.send(1, QueueDeclare::exclusive(queue));
    let close = client.expect_close(1);
    client.open_channel(1);
    (close.code, close.text.clone())
}

#[test]
fn users_log_in_and_are_refused() {
    let Some(slapd) = Slapd::start("") else { return };
    let broker = start_with(slapd.port, &[PATTERN]);
    connect(&broker, "alice", "wonderland").declare(1, QueueDeclare::exclusive("q"));
    connect(&broker, "guest", "guest");
    connect(&broker, "al,ice", "comma");
    for (name, password) in [("alice", "wrong"), ("nobody", "wonderland"), ("alice", ""), ("", "wonderland")] {
        assert_refused(&broker, name, password);
    }
    // The server itself lets somebody in who gives no password, so that it is the broker that has to refuse it.
    assert_eq!(slapd.bind("cn=alice,ou=people,dc=example", "wrong"), 49);
    assert_eq!(slapd.bind("cn=alice,ou=people,dc=example", ""), 0);
    assert!(broker.has_logged("user 'alice' - unauthenticated bind not allowed"));
    // "alice:", ":" and "alice:\0"; with her password she is known, and has no tag that lets her look.
    let whoami = |credentials: &str| get(&broker, "/api/whoami", &format!("Basic {credentials}")).1;
    for credentials in ["YWxpY2U6", "Og==", "YWxpY2U6AA=="] {
        assert!(whoami(credentials).contains(r#""error":"not_authorized""#), "{}", whoami(credentials));
    }
    let known = whoami("YWxpY2U6d29uZGVybGFuZA==");
    assert!(!known.contains("not_authorized"), "{known}");
    let log = broker.log().join("\n");
    assert!(!log.contains("wonderland") && !log.contains("wrong"), "passwords are not logged: {log}");
}

#[test]
fn names_are_not_what_they_pretend() {
    let Some(slapd) = Slapd::start("") else { return };
    let broker = start_with(slapd.port, &[("auth_ldap.user_dn_pattern", "cn=${username},dc=example")]);
    // It is there, but it is not called so.
    assert_refused(&broker, "alice,ou=people", "wonderland");
    connect(&broker, "admin", "adminsecret");
    // A lookup by a value that is a filter in another place.
    let lookup = [
        ("auth_ldap.user_dn_pattern", "${username}"),
        ("auth_ldap.dn_lookup_attribute", "uid"),
        ("auth_ldap.dn_lookup_base", "ou=people,dc=example"),
        ("auth_ldap.dn_lookup_bind.user_dn", "cn=admin,dc=example"),
        ("auth_ldap.dn_lookup_bind.password", "adminsecret"),
    ];
    let broker = start_with(slapd.port, &lookup);
    connect(&broker, "al", "wonderland");
    for name in ["*", "a*", "al)(uid=*", "\\61l", "alice"] {
        assert_refused(&broker, name, "wonderland");
    }
}

/// Names of virtual hosts, queues and users stand for themselves wherever a query has them.
#[test]
fn names_add_nothing_to_queries() {
    let Some(slapd) = Slapd::start("") else { return };
    let broker = start_with(
        slapd.port,
        &[
            PATTERN,
            ("auth_ldap.log", "true"),
            (
                "auth_ldap.queries.vhost_access",
                r#"{'or', [{equals, "${vhost}", "/"}, {exists, "ou=${vhost},dc=example"}]}"#,
            ),
            (
                "auth_ldap.queries.resource_access",
                r#"{'or', [{exists, "cn=${name},dc=example"}, {match, "${name}", {string, "^${username}-q$"}}]}"#,
            ),
        ],
    );
    for (vhost, is_open) in [("people", true), ("tenant,ou=vhosts", false), ("tenant+ou=tenant", false)] {
        broker.administer("PUT", &format!("/api/vhosts/{vhost}"), "");
        let mut client = RawClient::tuned(broker.address(), &user("alice", "wonderland"));
        client.send(0, testkit::connection_open(vhost));
        if is_open {
            client.expect_method(0, testkit::method::id::CONNECTION_OPEN_OK);
        } else {
            assert_eq!(client.expect_close(0).code, 530, "{vhost}");
        }
    }
    let mut alice = connect(&broker, "alice", "wonderland");
    alice.declare(1, QueueDeclare::exclusive("admin"));
    alice.declare(1, QueueDeclare::exclusive("alice-q"));
    for queue in ["alice,ou=people", "bob,ou=people", "bob-q", "*"] {
        assert_eq!(refused(&mut alice, queue).0, 403, "{queue}");
    }
    let mut star = connect(&broker, ".*", "star");
    star.declare(1, QueueDeclare::exclusive(".*-q"));
    assert_eq!(refused(&mut star, "other-q").0, 403);
    assert!(broker.has_logged("LDAP DECISION: login for .*: ok"));
    assert_refused(&broker, "alice\nLDAP DECISION: login for root: ok", "wonderland");
    assert!(!broker.log().iter().any(|line| line.starts_with("LDAP DECISION")), "a name makes no line of the log");
}

/// A part of an answer does not let anybody in because something is not in it.
#[test]
fn an_answer_that_is_cut_short_is_none() {
    let query = ("auth_ldap.queries.vhost_access", r#"{'not', {in_group_nested, "cn=banned,ou=groups,dc=example"}}"#);
    let groups = ("auth_ldap.group_lookup_base", "ou=groups,dc=example");
    let Some(slapd) = Slapd::start("") else { return };
    connect(&start_with(slapd.port, &[PATTERN, query, groups]), "alice", "wonderland");
    // She is in two.
    let Some(slapd) = Slapd::start("sizelimit 1\n") else { return };
    let broker = start_with(slapd.port, &[PATTERN, query, groups]);
    let mut client = RawClient::tuned(broker.address(), &user("alice", "wonderland"));
    client.send(0, testkit::connection_open("/"));
    assert!(client.expect_close(0).text.ends_with("returned an error: ldap_evaluate_error"));
    assert!(broker.has_logged("there are more groups with cn=alice,ou=people,dc=example than the server tells"));
}

#[test]
fn queries_decide() {
    let Some(slapd) = Slapd::start("") else { return };
    let broker = start_with(
        slapd.port,
        &[
            PATTERN,
            (
                "auth_ldap.queries.tags",
                r#"[{administrator, {in_group, "cn=managers,ou=groups,dc=example"}},
                    {monitoring, {in_group_nested, "cn=staff,ou=groups,dc=example"}},
                    {policymaker, {in_group, "cn=absent,dc=example"}}]"#,
            ),
            ("auth_ldap.group_lookup_base", "ou=groups,dc=example"),
            (
                "auth_ldap.queries.vhost_access",
                r#"{'or', [{equals, "${vhost}", "/"}, {exists, "ou=${vhost},ou=vhosts,dc=example"}]}"#,
            ),
            (
                "auth_ldap.queries.resource_access",
                r#"{for, [{permission, configure, {match, "${name}", {string, "^${username}-"}}},
                          {permission, write, {'not', {equals, "${name}", "locked"}}},
                          {permission, read, {match, {attribute, "${user_dn}", "mail"}, {string, "@example\\.org$"}}}]}"#,
            ),
            ("auth_ldap.queries.topic_access", r#"{match, "${routing_key}", {string, "^open\\."}}"#),
        ],
    );
    let tags = |credentials: &str| get(&broker, "/api/whoami", &format!("Basic {credentials}"));
    // alice:wonderland, bob:builder
    assert!(tags("YWxpY2U6d29uZGVybGFuZA==").1.contains(r#""tags":["administrator","monitoring"]"#));
    assert!(tags("Ym9iOmJ1aWxkZXI=").1.contains(r#""tags":["monitoring"]"#));

    for vhost in ["tenant", "closed"] {
        broker.administer("PUT", &format!("/api/vhosts/{vhost}"), "");
    }
    let tenant = ConnectOptions { vhost: "tenant".to_owned(), ..user("bob", "builder") };
    RawClient::connect(broker.address(), &tenant);
    let mut client = RawClient::tuned(broker.address(), &user("bob", "builder"));
    client.send(0, testkit::connection_open("closed"));
    let close = client.expect_close(0);
    assert_eq!((close.code, &*close.text), (530, "NOT_ALLOWED - access to vhost 'closed' refused for user 'bob'"));

    let mut alice = connect(&broker, "alice", "wonderland");
    alice.declare(1, QueueDeclare::exclusive("alice-q"));
    let text = "ACCESS_REFUSED - configure access to queue 'q' in vhost '/' refused for user 'alice'";
    assert_eq!(refused(&mut alice, "q"), (403, text.to_owned()));
    assert_eq!(alice.message_count(1, "alice-q"), 0);
    alice.publish(1, "locked", "k", "x");
    assert_eq!(alice.expect_close(1).code, 403);
    alice.open_channel(1);
    alice.publish_with(1, Publish::new("amq.topic", "open.1"), &testkit::Properties::default(), "x");
    alice.publish_with(1, Publish::new("amq.topic", "shut.1"), &testkit::Properties::default(), "x");
    let text =
        "ACCESS_REFUSED - write access to topic 'shut.1' in exchange 'amq.topic' in vhost '/' refused for user 'alice'";
    let close = alice.expect_close(1);
    assert_eq!((close.code, &*close.text), (403, text));

    let mut bob = connect(&broker, "bob", "builder");
    bob.declare(1, QueueDeclare::exclusive("bob-q"));
    bob.send(1, testkit::Consume::new("bob-q", "tag"));
    assert_eq!(bob.expect_close(1).code, 403, "his mail is elsewhere");
}

#[test]
fn a_question_without_an_answer_is_refused_with_the_error() {
    let Some(slapd) = Slapd::start("") else { return };
    let missing = r#"{in_group, "cn=absent,dc=example"}"#;
    let broker = start_with(slapd.port, &[PATTERN, ("auth_ldap.queries.vhost_access", missing)]);
    let mut client = RawClient::tuned(broker.address(), &user("alice", "wonderland"));
    client.send(0, testkit::connection_open("/"));
    let close = client.expect_close(0);
    let text = "NOT_ALLOWED - access to vhost '/' refused for user 'alice', \
                backend rabbit_auth_backend_ldap returned an error: ldap_evaluate_error";
    assert_eq!((close.code, &*close.text), (530, text));

    let broker = start_with(slapd.port, &[PATTERN, ("auth_ldap.queries.topic_access", missing)]);
    let mut client = connect(&broker, "alice", "wonderland");
    client.publish(1, "amq.topic", "key", "x");
    let close = client.expect_close(1);
    let text = "ACCESS_REFUSED - write access to topic 'key' in exchange 'amq.topic' in vhost '/' refused for user \
                'alice', backend rabbit_auth_backend_ldap returned an error: ldap_evaluate_error";
    assert_eq!((close.code, &*close.text), (403, text));
}

#[test]
fn a_server_that_is_down_refuses_its_own_users_only() {
    let Some(mut slapd) = Slapd::start("") else { return };
    let query = ("auth_ldap.queries.resource_access", r#"{exists, "dc=example"}"#);
    let broker = start_with(slapd.port, &[PATTERN, query]);
    let mut client = connect(&broker, "alice", "wonderland");
    client.declare(1, QueueDeclare::exclusive("a"));
    slapd.stop();
    let (code, text) = refused(&mut client, "b");
    let expected = "ACCESS_REFUSED - configure access to queue 'b' in vhost '/' refused for user 'alice', \
                    backend rabbit_auth_backend_ldap returned an error: ldap_connect_error";
    assert_eq!((code, &*text), (403, expected));
    assert_refused(&broker, "alice", "wonderland");
    assert!(broker.has_logged("rabbit_auth_backend_ldap failed authenticating alice: ldap_connect_error"));
    connect(&broker, "guest", "guest").declare(1, QueueDeclare::exclusive("c"));
    assert_eq!(get(&broker, "/api/whoami", "Basic YWxpY2U6d29uZGVybGFuZA==").0, 401);
    // Connections that were kept are gone; new ones are made.
    slapd.start_again();
    // The first that answers is asked.
    let servers = [PATTERN, ("auth_ldap.servers.1", "127.0.0.2"), ("auth_ldap.servers.2", "127.0.0.1")];
    connect(&start_with(slapd.port, &servers), "alice", "wonderland");
    client.declare(1, QueueDeclare::exclusive("b"));
    connect(&broker, "alice", "wonderland");
}

#[test]
fn a_server_that_is_slow_or_none_is_given_up() {
    for answer in [
        &b""[..],
        b"\x30\x03",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x05zzzzzzz",
        b"\x30\x84\x7f\xff\xff\xff",
    ] {
        let address = odd_server(answer);
        let broker = start_with(address.port(), &[PATTERN, ("auth_ldap.timeout", "500")]);
        let begin = Instant::now();
        let options = user("alice", "wonderland");
        let mut waiting = RawClient::open(broker.address(), options.timeout);
        waiting.send_raw(&options.protocol_header);
        waiting.expect_start();
        waiting.send(0, options.start_ok());
        connect(&broker, "guest", "guest");
        assert_eq!(waiting.expect_close(0).code, 403);
        assert!(begin.elapsed() < Duration::from_secs(15), "three seconds, and half a second of patience");
        assert!(broker.has_logged("rabbit_auth_backend_ldap failed authenticating alice: ldap_bind_error"));
    }
}

#[test]
fn others_may_look_up_and_ask() {
    let Some(slapd) = Slapd::start("") else { return };
    let admin = [
        ("auth_ldap.user_dn_pattern", "${username}"),
        ("auth_ldap.dn_lookup_attribute", "mail"),
        ("auth_ldap.dn_lookup_base", "dc=example"),
        ("auth_ldap.dn_lookup_bind.user_dn", "cn=admin,dc=example"),
        ("auth_ldap.dn_lookup_bind.password", "adminsecret"),
        ("auth_ldap.other_bind.user_dn", "cn=admin,dc=example"),
        ("auth_ldap.other_bind.password", "adminsecret"),
        ("auth_ldap.queries.tags", r#"[{management, {in_group_nested, "cn=staff,ou=groups,dc=example"}}]"#),
        ("auth_ldap.queries.vhost_access", r#"{in_group, "cn=managers,ou=groups,dc=example"}"#),
    ];
    let broker = start_with(slapd.port, &admin);
    connect(&broker, "alice@example.org", "wonderland");
    assert_refused(&broker, "alice", "wonderland");
    let mut client = RawClient::tuned(broker.address(), &user("bob@example.com", "builder"));
    client.send(0, testkit::connection_open("/"));
    assert_eq!(client.expect_close(0).code, 530);
    // Behind the cache it is asked as the same.
    let mut cached = admin.to_vec();
    cached.extend([("auth_backends.2", "cache"), ("auth_cache.cached_backend", "ldap")]);
    let broker = start_with(slapd.port, &cached);
    for _ in 0..2 {
        connect(&broker, "alice@example.org", "wonderland");
    }
    // Nobody may see anything without a name.
    let anonymous =
        [PATTERN, ("auth_ldap.other_bind", "anon"), ("auth_ldap.queries.vhost_access", r#"{exists, "dc=example"}"#)];
    let broker = start_with(slapd.port, &anonymous);
    let mut client = RawClient::tuned(broker.address(), &user("alice", "wonderland"));
    client.send(0, testkit::connection_open("/"));
    assert_eq!(client.expect_close(0).code, 530);
}

#[test]
fn connections_may_be_protected() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&key).unwrap();
    let issuer = Issuer::new(authority, key);
    let server_key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&server_key, &issuer).unwrap();
    let ca = write("ca.pem", root.pem());
    let (certificate, key) = (write("server.pem", server.pem()), write("server.key", server_key.serialize_pem()));
    let tls = format!("TLSCACertificateFile {ca}\nTLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\n");
    let Some(slapd) = Slapd::start(&tls) else { return };
    let starttls = ("auth_ldap.use_starttls", "true");
    let broker = start_with(slapd.port, &[PATTERN, starttls, ("auth_ldap.ssl_options.cacertfile", &ca)]);
    connect(&broker, "alice", "wonderland");
    // Whom nobody vouches for is not told a password.
    let other = KeyPair::generate().unwrap();
    let stranger = CertificateParams::new(Vec::new()).unwrap().self_signed(&other).unwrap();
    let stranger = write("stranger.pem", stranger.pem());
    let broker = start_with(slapd.port, &[PATTERN, starttls, ("auth_ldap.ssl_options.cacertfile", &stranger)]);
    assert_refused(&broker, "alice", "wonderland");
    assert!(broker.has_logged("cannot connect to LDAP server 127.0.0.1"));
    let lax = [PATTERN, starttls, ("auth_ldap.ssl_options.verify", "verify_none")];
    connect(&start_with(slapd.port, &lax), "alice", "wonderland");
    let from_start = ("auth_ldap.use_ssl", "true");
    let broker = start_with(slapd.tls_port, &[PATTERN, from_start, ("auth_ldap.ssl_options.cacertfile", &ca)]);
    connect(&broker, "alice", "wonderland");
    let broker = start_with(slapd.tls_port, &[PATTERN, from_start, ("auth_ldap.ssl_options.cacertfile", &stranger)]);
    assert_refused(&broker, "alice", "wonderland");
    // A server without TLS is not told a password either.
    let Some(plain) = Slapd::start("") else { return };
    let broker = start_with(plain.port, &[PATTERN, starttls, ("auth_ldap.ssl_options.verify", "verify_none")]);
    assert_refused(&broker, "alice", "wonderland");
    assert!(broker.has_logged("StartTLS is refused"));
}
