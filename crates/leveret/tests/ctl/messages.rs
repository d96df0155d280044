//! Messages on the command line.

use crate::Fixture;
use testkit::{ConnectOptions, QueueDeclare, RawClient};

fn rows(output: &str) -> Vec<Vec<String>> {
    output.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

#[test]
fn messages_are_shown_deleted_moved_and_their_queue_is_diagnosed() {
    let fixture = Fixture::start();
    let mut client = RawClient::connect(fixture.broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    for queue in ["from", "to"] {
        client.declare(1, QueueDeclare::new(queue).durable());
    }
    client.fill("from", &["one", "two", "three"]);
    let peek = |arguments: &[&str]| {
        rows(&fixture.output_of(&[&["peek_messages", "-q", "--no-table-headers"], arguments].concat()))
    };
    let all = peek(&["from"]);
    let bodies: Vec<&str> = all.iter().map(|row| row[6].as_str()).collect();
    assert_eq!(bodies, ["one", "two", "three"]);
    assert_eq!(peek(&["from", "--count", "1"]), all[..1]);
    assert_eq!(peek(&["from", "--filter", "body=w"]), all[1..2]);

    fixture.output_of(&["delete_message", "-q", "from", &all[0][0]]);
    let again = fixture.ctl(&["delete_message", "-q", "from", &all[0][0]]);
    assert!(!again.status.success());

    let moved = fixture.output_of(&["move_messages", "-q", "from", "--to-queue", "to", "--filter", "body=three"]);
    assert_eq!(moved, "1 messages were moved\n");
    let home = fixture.output_of(&["move_messages", "-q", "from"]);
    assert_eq!(home, "0 messages were moved, 1 do not say where they came from\n");
    assert_eq!((peek(&["from"]).len(), peek(&["to"]).len()), (1, 1));

    let findings = rows(&fixture.output_of(&["diagnose_queue", "-q", "--no-table-headers", "from"]));
    assert_eq!(findings[0][..2], ["problem", "no_consumers"]);

    fixture.output_of(&["set_queue_arguments", "-q", "to", r#"{"x-max-length":5}"#]);
    let fixed = fixture.ctl(&["set_queue_arguments", "-q", "to", r#"{"x-max-priority":5}"#]);
    let errors = String::from_utf8_lossy(&fixed.stderr).into_owned();
    assert!(!fixed.status.success() && errors.contains("cannot change while the queue exists"), "{errors}");
}
