//! What events say of TLS, as RabbitMQ 3.10.8 was seen to say it.

use crate::authority::Subject;
use crate::external::{EXTERNAL, options};
use crate::tunnel::Tunnel;
use crate::{Fixture, Versions};
use testkit::{ConnectOptions, Consume, QueueDeclare, RawClient, Value, field, method};

const EVENTS: u16 = 9;

/// A client that is sent events of connections and logins.
fn observer(fixture: &Fixture) -> RawClient {
    let mut client = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    client.open_channel(EVENTS);
    client.call(EVENTS, QueueDeclare::exclusive("events"));
    client.consume(EVENTS, Consume::new("events", "observer").no_ack());
    for key in ["connection.created", "user.authentication.*"] {
        client.call(EVENTS, method::queue_bind("events", "amq.rabbitmq.event", key, &Vec::new()));
    }
    client
}

/// The next event, which has this name, and what it says by the names of fields.
#[track_caller]
fn next(client: &mut RawClient, name: &str) -> impl Fn(&str) -> Option<Value> + use<> {
    let event = client.expect_delivery(EVENTS);
    let fields = event.properties.headers.clone().expect("headers");
    assert_eq!(event.routing_key, name, "{fields:?}");
    move |name| field(&fields, name).cloned()
}

const OF_LOGINS: [(&str, &str); 5] = [
    ("peer_cert_validity", "1975-01-01T00:00:00Z - 4096-01-01T00:00:00Z"),
    ("peer_cert_subject", "CN=client"),
    ("peer_cert_issuer", "CN=Test Authority"),
    ("ssl_cipher", "aes_256_gcm"),
    ("ssl_protocol", "tlsv1.3"),
];

#[test]
fn connections_and_logins_say_what_tls_they_have() {
    let fixture = Fixture::start(&[EXTERNAL, &[("leveret.event_exchange", "true")]].concat());
    let mut observer = observer(&fixture);
    let client = fixture.authority.client(&Subject::named("client"));
    let tunnel = Tunnel::to(fixture.tls, &fixture.authority, Some(&client), Versions::All);

    let mut refused = RawClient::logged_in(tunnel.address(), &options());
    assert_eq!(refused.expect_close(0).code, 403);
    let failure = next(&mut observer, "user.authentication.failure");
    assert_eq!((failure("ssl"), failure("name")), (Some(true.into()), Some("CN=client".into())));
    assert_eq!(failure("auth_mechanism"), Some("EXTERNAL".into()));
    assert!(OF_LOGINS.iter().all(|(name, value)| failure(name) == Some((*value).into())));

    fixture.add_user("CN=client");
    let _connection = RawClient::connect(tunnel.address(), &options());
    let success = next(&mut observer, "user.authentication.success");
    assert_eq!((success("ssl"), success("name")), (Some(true.into()), Some("CN=client".into())));
    assert!(OF_LOGINS.iter().all(|(name, value)| success(name) == Some((*value).into())));
    let created = next(&mut observer, "connection.created");
    assert_eq!((created("ssl"), created("user")), (Some(true.into()), Some("CN=client".into())));
    for (name, value) in OF_LOGINS.iter().chain(&[("ssl_hash", "aead"), ("ssl_key_exchange", "any")]) {
        assert_eq!(created(name), Some((*value).into()), "{name}");
    }
}

/// RabbitMQ leaves out what there is not of a login, and says it empty of a connection.
#[test]
fn without_tls_nothing_is_said_of_it() {
    let fixture = Fixture::start(&[("leveret.event_exchange", "true")]);
    let mut observer = observer(&fixture);
    let _connection = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    let success = next(&mut observer, "user.authentication.success");
    assert_eq!(
        (success("ssl"), success("ssl_protocol"), success("peer_cert_subject")),
        (Some(false.into()), None, None)
    );
    let created = next(&mut observer, "connection.created");
    assert_eq!(created("ssl"), Some(false.into()));
    assert_eq!((created("ssl_protocol"), created("peer_cert_subject")), (Some("".into()), Some("".into())));
}
