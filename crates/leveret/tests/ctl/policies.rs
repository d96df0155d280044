//! Policies as operators see them at work: which is in force where, and what it adds up to.

use crate::Fixture;
use testkit::{ExchangeDeclare, QueueDeclare, RawClient};

fn connect(fixture: &Fixture) -> RawClient {
    let mut client = RawClient::connect(fixture.broker.address(), &Default::default());
    client.open_channel(1);
    client
}

const COLUMNS: [&str; 6] = ["-q", "list_queues", "name", "policy", "operator_policy", "effective_policy_definition"];

#[test]
fn lists_show_what_is_in_force() {
    let fixture = Fixture::start();
    let mut client = connect(&fixture);
    client.declare(1, QueueDeclare::new("q.1").durable().argument("x-max-length", 100));
    client.declare(1, QueueDeclare::new("other"));
    fixture.output_of(&[
        "set_policy",
        "--apply-to",
        "queues",
        "lengths",
        r"^q\.",
        r#"{"max-length":10,"expires":60000}"#,
    ]);
    fixture.output_of(&["set_operator_policy", "limits", ".*", r#"{"max-length":5}"#]);
    client.declare(1, QueueDeclare::exclusive("q.2"));
    let expected = "name\tpolicy\toperator_policy\teffective_policy_definition\n\
        other\t\tlimits\t[{\"max-length\",5}]\n\
        q.1\tlengths\tlimits\t[{\"expires\",60000},{\"max-length\",5}]\n\
        q.2\tlengths\tlimits\t[{\"expires\",60000},{\"max-length\",5}]\n";
    assert_eq!(fixture.output_of(&COLUMNS), expected);
    assert_eq!(
        fixture.output_of(&["-s", "list_queues", "name", "arguments"]).lines().nth(1),
        Some("q.1\t[{\"x-max-length\",100}]")
    );

    fixture.output_of(&["clear_policy", "lengths"]);
    fixture.output_of(&["clear_operator_policy", "limits"]);
    let expected =
        "name\tpolicy\toperator_policy\teffective_policy_definition\nother\t\t\t[]\nq.1\t\t\t[]\nq.2\t\t\t[]\n";
    assert_eq!(fixture.output_of(&COLUMNS), expected);
}

#[test]
fn exchanges_show_their_policy() {
    let fixture = Fixture::start();
    let mut client = connect(&fixture);
    client.call(1, ExchangeDeclare::new("x", "fanout"));
    fixture.output_of(&[
        "set_policy",
        "--apply-to",
        "exchanges",
        "alternate",
        "^(x|amq.topic)$",
        r#"{"alternate-exchange":"y"}"#,
    ]);
    fixture.output_of(&[
        "set_policy",
        "--apply-to",
        "queues",
        "--priority",
        "9",
        "queues",
        "^x",
        r#"{"max-length":1}"#,
    ]);
    let exchanges = fixture.output_of(&["-s", "list_exchanges", "name", "policy"]);
    let with_policy: Vec<&str> = exchanges.lines().filter(|line| !line.ends_with('\t')).collect();
    assert_eq!(with_policy, ["amq.topic\talternate", "x\talternate"]);
}

/// RabbitMQ's policy_SUITE: a policy with a key of streams does not apply to a classic queue, whatever else it says.
#[test]
fn a_policy_that_a_queue_cannot_follow_leaves_room_for_another() {
    let fixture = Fixture::start();
    let mut client = connect(&fixture);
    client.declare(1, QueueDeclare::new("q"));
    fixture.output_of(&["set_policy", "--priority", "5", "age", ".*", r#"{"max-age":"1D","max-length":3}"#]);
    fixture.output_of(&["set_policy", "--priority", "1", "length", ".*", r#"{"max-length":7}"#]);
    fixture.output_of(&[
        "set_policy",
        "--priority",
        "9",
        "--apply-to",
        "quorum_queues",
        "quorum",
        ".*",
        r#"{"max-length":1}"#,
    ]);
    fixture.output_of(&[
        "set_policy",
        "--priority",
        "9",
        "--apply-to",
        "streams",
        "streams",
        ".*",
        r#"{"max-length-bytes":1}"#,
    ]);
    assert_eq!(fixture.output_of(&["-s", "list_queues", "name", "policy"]), "q\tlength\n");
    fixture.output_of(&[
        "set_policy",
        "--priority",
        "2",
        "--apply-to",
        "classic_queues",
        "classic",
        ".*",
        r#"{"max-length":8}"#,
    ]);
    assert_eq!(fixture.output_of(&["-s", "list_queues", "name", "policy"]), "q\tclassic\n");
    assert!(fixture.broker.has_logged("policy 'age' in vhost '/' has keys without an effect here: max-age"));
}

#[test]
fn everything_survives_a_restart() {
    let mut fixture = Fixture::start();
    let mut client = connect(&fixture);
    client.declare(1, QueueDeclare::new("q").durable());
    client.call(1, ExchangeDeclare::new("x", "fanout").durable());
    fixture.output_of(&[
        "set_policy",
        "--priority",
        "3",
        "p",
        "^(q|x|amq.fanout)$",
        r#"{"max-length":10,"alternate-exchange":"y"}"#,
    ]);
    fixture.output_of(&["set_operator_policy", "o", "", r#"{"max-length":4}"#]);
    fixture.output_of(&["set_vhost_limits", r#"{"max-queues":1}"#]);
    fixture.output_of(&["set_user_limits", "guest", r#"{"max-channels":1}"#]);
    fixture.output_of(&["set_global_parameter", "mine", r#"{"a":[1,2.5,null,true,"x"]}"#]);
    fixture.output_of(&["add_vhost", "v", "--default-queue-type", "quorum"]);
    let lists: &[&[&str]] = &[
        &["-s", "list_policies"],
        &["-s", "list_operator_policies"],
        &["-s", "list_parameters"],
        &["-s", "list_global_parameters"],
        &["-s", "list_user_limits", "--global"],
        &["-s", "list_vhosts", "name", "default_queue_type"],
        &["-s", "list_exchanges", "name", "policy"],
        &COLUMNS,
    ];
    let all = |fixture: &Fixture| lists.iter().map(|list| fixture.output_of(list)).collect::<String>();
    let before = all(&fixture);
    assert!(before.contains(r#"mine	{"a":[1,2.5,null,true,"x"]}"#), "{before}");
    fixture.broker.kill_9();
    fixture.broker.launch();
    assert_eq!(all(&fixture), before);
    // And it is all in force.
    let mut client = connect(&fixture);
    client.send(1, QueueDeclare::new("one more"));
    let text = client.expect_close(1).text;
    assert_eq!(text, "PRECONDITION_FAILED - cannot declare queue 'one more': queue limit in vhost '/' (1) is reached");
    client.open_channel(1);
    client.send(2, testkit::method::channel_open());
    assert!(client.expect_close(0).text.starts_with("NOT_ALLOWED - number of channels opened for user 'guest'"));
}

#[test]
fn a_deleted_virtual_host_takes_its_policies_along() {
    let fixture = Fixture::start();
    fixture.output_of(&["add_vhost", "v"]);
    fixture.output_of(&["set_policy", "-p", "v", "p", ".*", r#"{"max-length":10}"#]);
    fixture.output_of(&["set_vhost_limits", "-p", "v", r#"{"max-queues":0}"#]);
    fixture.output_of(&["delete_vhost", "v"]);
    fixture.output_of(&["add_vhost", "v"]);
    assert_eq!(fixture.output_of(&["-s", "list_policies", "-p", "v"]), "\n");
    assert_eq!(fixture.output_of(&["-s", "list_vhost_limits", "-p", "v"]), "\n");
    fixture.broker.administer("PUT", "/api/queues/v/q", "{}");
}

/// Declarations while policies change: in the end every queue has the policy that is in force.
#[test]
fn policies_and_declarations_at_the_same_time() {
    let fixture = Fixture::start();
    let address = fixture.broker.address();
    let declarers: Vec<_> = (0..3)
        .map(|declarer| {
            std::thread::spawn(move || {
                let mut client = RawClient::connect(address, &Default::default());
                client.open_channel(1);
                for number in 0..200 {
                    client.declare(1, QueueDeclare::new(&format!("q.{declarer}.{number}")));
                }
            })
        })
        .collect();
    for length in 0..40 {
        let body = format!(r#"{{"pattern":"^q","definition":{{"max-length":{length}}}}}"#);
        fixture.broker.administer("PUT", "/api/policies/%2F/p", &body);
    }
    declarers.into_iter().for_each(|declarer| declarer.join().expect("a declarer"));
    let queues = fixture.output_of(&["-s", "list_queues", "policy", "effective_policy_definition"]);
    assert_eq!(queues.lines().count(), 600);
    assert!(queues.lines().all(|line| line == "p\t[{\"max-length\",39}]"), "{queues}");
}
