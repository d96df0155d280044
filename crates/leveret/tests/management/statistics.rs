//! Rates and samples of counters over the HTTP API.

use crate::support::{Client, start};
use serde_json::Value;
use std::time::{Duration, Instant};
use testkit::{BrokerProcess, ConnectOptions, QueueDeclare, RawClient, pause};

const EVERY_SECOND: [(&str, &str); 2] =
    [("collect_statistics_interval", "1000"), ("management.sample_retention_policies.basic.minute", "1")];

/// A connection that publishes, and waits until `shows` is true of its channel or gives up.
#[track_caller]
fn publish_until(broker: &BrokerProcess, client: &mut RawClient, shows: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        client.publish(1, "", "q", "message");
        let channels = Client::guest(broker).get("/api/channels");
        let shown = channels.as_array().and_then(|all| all.first()).cloned().unwrap_or_default();
        if shows(&shown) {
            return shown;
        }
        assert!(Instant::now() < deadline, "{shown}");
        pause(Duration::from_millis(50));
    }
}

fn connect(broker: &BrokerProcess) -> RawClient {
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.declare(1, QueueDeclare::new("q"));
    client
}

fn rate(shown: &Value) -> f64 {
    shown["message_stats"]["publish_details"]["rate"].as_f64().unwrap_or_default()
}

#[test]
fn rates_rise_with_traffic_and_fall_without() {
    let broker = start(&EVERY_SECOND);
    let mut client = connect(&broker);
    let shown = publish_until(&broker, &mut client, |channel| rate(channel) > 0.0);
    assert!(rate(&shown) < 1000.0, "{shown}");
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let channels = Client::guest(&broker).get("/api/channels");
        if rate(&channels[0]) == 0.0 {
            assert!(channels[0]["message_stats"]["publish"].as_u64() > Some(0), "{channels}");
            break;
        }
        assert!(Instant::now() < deadline, "{channels}");
        pause(Duration::from_millis(100));
    }
    drop(client);
}

#[test]
fn no_statistics_no_rates() {
    for key in ["management.disable_stats", "management_agent.disable_metrics_collector"] {
        let broker = start(&[EVERY_SECOND[0], EVERY_SECOND[1], (key, "true")]);
        let mut client = connect(&broker);
        let begun = Instant::now();
        publish_until(&broker, &mut client, |channel| {
            assert_eq!(rate(channel), 0.0, "{key}");
            begun.elapsed() > Duration::from_millis(2500)
        });
    }
}
