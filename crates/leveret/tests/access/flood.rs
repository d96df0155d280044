//! Many logins at once that come to nothing: others go on, they are delayed and counted, and who says nothing is let go.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use testkit::{BrokerProcess, ConnectOptions, QueueDeclare, RawClient};

use crate::{LEVERET, assert_refused, connect, start, user};

const PATIENCE: Duration = Duration::from_secs(90);

fn patient(password: &str) -> ConnectOptions {
    ConnectOptions { timeout: PATIENCE, ..user("guest", password) }
}

/// A sample of the metrics, 0 where there is none yet.
fn metric(broker: &BrokerProcess, name: &str) -> u64 {
    let metrics = crate::get_from(broker.prometheus(), "/metrics", "").1;
    let value = metrics.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    value.map_or(0, |value| value.parse().unwrap())
}

fn refusals(broker: &BrokerProcess) -> usize {
    broker.log().iter().filter(|line| line.contains("PLAIN login refused")).count()
}

/// How long it took until a message was confirmed.
fn publish(client: &mut RawClient) -> Duration {
    let begin = Instant::now();
    client.publish(1, "", "steady", "x");
    client.expect_confirm(1);
    begin.elapsed()
}

/// A hash of argon2 takes some ten milliseconds of a thread. All these at once are seconds, in which a connection on the
/// same reactor would be served once or twice if it was the reactor that hashed.
#[test]
fn wrong_passwords_stall_nobody_and_are_counted() {
    const FLOOD: usize = 60;
    let broker = start(&[("password_hashing_module", "argon2"), ("handshake_timeout", "80000")]);
    // One on each reactor, or two on the only one.
    let mut steady: Vec<RawClient> = (0..2).map(|_| connect(&broker, "guest", "guest")).collect();
    steady[0].declare(1, QueueDeclare::new("steady"));
    for client in &mut steady {
        client.confirm_select(1);
    }
    let failed = r#"rabbitmq_auth_attempts_failed_total{protocol="amqp091"}"#;
    assert_eq!(metric(&broker, failed), 0);

    let together = Barrier::new(FLOOD + 1);
    let (round_trips, flooded) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..FLOOD)
            .map(|_| {
                scope.spawn(|| {
                    let options = patient("wrong");
                    let mut client = RawClient::open(broker.address(), options.timeout);
                    client.send_raw(&options.protocol_header);
                    client.expect_start();
                    together.wait();
                    let begin = Instant::now();
                    client.send(0, options.start_ok());
                    assert_eq!(client.expect_close(0).code, 403);
                    begin.elapsed()
                })
            })
            .collect();
        together.wait();
        let begin = Instant::now();
        let mut round_trips = Vec::new();
        while refusals(&broker) < FLOOD {
            assert!(begin.elapsed() < PATIENCE, "{} of {FLOOD} logins are refused", refusals(&broker));
            round_trips.extend(steady.iter_mut().map(publish));
        }
        let flooded = begin.elapsed();
        for client in clients {
            let answered = client.join().expect("it was refused");
            assert!(answered >= Duration::from_millis(2900), "a refusal is told late, not after {answered:?}");
        }
        (round_trips, flooded)
    });

    let worst = round_trips.iter().max().expect("something was published meanwhile");
    assert!(*worst < flooded / 2, "a publish took {worst:?} of the {flooded:?} in which logins were checked");
    assert!(round_trips.len() >= 20, "{} publishes in {flooded:?}", round_trips.len());
    assert_eq!(metric(&broker, failed), FLOOD as u64);
    // Who has the right password gets in, then as before.
    connect(&broker, "guest", "guest");
}

/// However far they came; and a refused login is answered after its three seconds as before.
#[test]
fn who_does_not_log_in_is_let_go() {
    let broker = BrokerProcess::start(LEVERET, &[("handshake_timeout", "3500")]);
    let mut guest = connect(&broker, "guest", "guest");
    let options = patient("guest");
    let begin = Instant::now();
    let header = options.protocol_header;
    let mut idle: Vec<RawClient> = (0..40).map(|_| RawClient::open(broker.address(), options.timeout)).collect();
    for (at, client) in idle.iter_mut().enumerate() {
        match at % 4 {
            0 => {}
            1 => client.send_raw(&header[..5]),
            2 => {
                client.send_raw(&header);
                client.expect_start();
            }
            _ => {
                client.send_raw(&header);
                client.expect_start();
                client.send(0, options.start_ok());
                client.expect_tune();
            }
        }
    }
    for client in &mut idle {
        client.expect_eof();
    }
    let lasted = begin.elapsed();
    assert!(lasted >= Duration::from_millis(3400), "they had their time, not {lasted:?}");
    assert!(lasted < Duration::from_secs(30), "{lasted:?}");
    assert_refused(&broker, "guest", "wrong");
    guest.assert_alive(1);
    // Of those that were let go and the one that was refused nothing stays.
    testkit::eventually("one connection", || {
        let connections = broker.http("GET", "/api/connections?columns=name", &[], "").unwrap().body;
        connections.matches("name").count() == 1
    });
}
