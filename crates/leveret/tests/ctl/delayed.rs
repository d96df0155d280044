//! Delayed messages on the command line.

use crate::Fixture;
use testkit::{ConnectOptions, ExchangeDeclare, Properties, Publish, RawClient};

#[test]
fn delayed_messages_are_listed_and_cancelled() {
    let fixture = Fixture::start();
    let mut client = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client.confirm_select(1);
    for exchange in ["one", "two"] {
        client.call(1, ExchangeDeclare::new(exchange, "fanout").argument("x-delayed", true));
        let properties = Properties::default().persistent().header("x-delay", 3_600_000);
        client.publish_with(1, Publish::new(exchange, "key"), &properties, "body");
    }
    client.expect_all_confirmed(1, 2);
    let list = |arguments: &[&str]| {
        let output = fixture.output_of(&[&["list_delayed_messages", "-q", "--no-table-headers"], arguments].concat());
        output.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let all = list(&[]);
    assert_eq!(all.len(), 2, "{all:?}");
    let of_two = list(&["two"]);
    assert_eq!(of_two, all[1..]);
    let [id, due_ms, rest @ ..] = &of_two[0][..] else { panic!("{of_two:?}") };
    assert!(due_ms.parse::<u64>().is_ok_and(|due_ms| due_ms > 1_700_000_000_000), "{due_ms}");
    assert_eq!(rest, ["two", "key", "4", "true"]);

    fixture.output_of(&["cancel_delayed_message", "-q", id]);
    assert_eq!(list(&[]), all[..1]);
    let again = fixture.ctl(&["cancel_delayed_message", "-q", id]);
    assert!(!again.status.success());
    let errors = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(errors.contains(&format!("delayed message '{id}' does not exist")), "{errors}");
    assert!(!fixture.ctl(&["cancel_delayed_message", "nonsense"]).status.success());
}
