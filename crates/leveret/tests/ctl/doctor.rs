//! `leveret doctor` against a running broker.

use crate::{BINARY, Fixture, run};
use std::path::Path;
use testkit::{ConnectOptions, Consume, QueueDeclare, RawClient};

#[test]
fn what_is_risky_is_found_and_decides_the_exit_code() {
    let fixture = Fixture::start();
    let doctor = |arguments: &[&str]| {
        let all = [&["doctor"], arguments].concat();
        run(Path::new(BINARY), fixture.broker.data_dir(), &all)
    };
    let mut client = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.declare(1, QueueDeclare { durable: true, ..QueueDeclare::new("q") });
    client.consume(1, Consume::new("q", "unlimited"));
    let found = doctor(&["--formatter", "json"]);
    assert_eq!(found.status.code(), Some(0), "nothing is critical");
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).expect("JSON");
    let findings = found["findings"].as_array().expect("a list");
    let has = |rule: &str| findings.iter().any(|finding| finding["rule"] == rule);
    assert!(has("unlimited_prefetch"), "{findings:?}");
    assert!(has("default_password_local") && !has("default_password"), "guest may only come from this host");
    assert_eq!(doctor(&["--fail-on", "warning"]).status.code(), Some(69));
    assert_eq!(doctor(&["--fail-on", "never"]).status.code(), Some(0));
    assert_eq!(doctor(&["--fail-on", "nonsense"]).status.code(), Some(65));

    fixture.output_of(&["eval", "application:set_env(rabbit, loopback_users, [])."]);
    let text = doctor(&[]);
    assert_eq!(text.status.code(), Some(69), "everybody knows guest's password");
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    assert!(text.contains("[critical]") && text.contains("change_password"), "{text}");
}
