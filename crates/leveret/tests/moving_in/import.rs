//! `leveret import` from one Leveret to another.

use crate::{LEVERET, Running, fails, get, import, succeeds};
use serde_json::Value;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use testkit::method::queue_bind;
use testkit::{BrokerProcess, ConnectOptions, ExchangeDeclare, Properties, Publish, RawClient, Value as Field, pause};

struct Brokers {
    from: BrokerProcess,
    to: BrokerProcess,
    state: PathBuf,
}

impl Brokers {
    fn start() -> Brokers {
        let from = BrokerProcess::start_with_http(LEVERET, &[]);
        let to = BrokerProcess::start(LEVERET, &[]);
        let state = to.data_dir().join("import.state");
        Brokers { from, to, state }
    }

    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let url = format!("http://guest:guest@{}", self.from.management());
        let port = self.from.address().port().to_string();
        let mut all = vec!["--from", &url, "--yes"];
        if arguments.contains(&"--messages") {
            all.extend(["--amqp-port", &port]);
        }
        all.extend(arguments);
        import(&self.to, &self.state, &all)
    }
}

fn connect(broker: &BrokerProcess) -> RawClient {
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    client.open_channel(1);
    client
}

fn bodies(client: &mut RawClient, queue: &str) -> Vec<String> {
    client.drain(1, queue)
}

fn count(broker: &BrokerProcess, queue: &str) -> u64 {
    let queues = get(broker, "/api/queues/%2F");
    let found = queues.as_array().unwrap().iter().find(|one| one["name"] == queue).cloned().unwrap_or_default();
    found["messages"].as_u64().unwrap_or_default()
}

/// Publishes so many persistent messages, numbered, and waits until they are confirmed.
fn fill(broker: &BrokerProcess, queue: &str, messages: u64) {
    broker.administer("PUT", &format!("/api/queues/%2F/{queue}"), r#"{"durable":true}"#);
    let mut client = connect(broker);
    client.confirm_select(1);
    client.in_one_write(|client| {
        for number in 0..messages {
            let properties = Properties::default().persistent();
            client.publish_with(1, Publish::new("", queue), &properties, number.to_string());
        }
    });
    client.expect_all_confirmed(1, messages);
}

#[test]
fn definitions_and_messages_move() {
    let brokers = Brokers::start();
    fill(&brokers.from, "many", 3_000);
    let mut client = connect(&brokers.from);
    client.call(1, ExchangeDeclare::new("events", "topic").durable());
    brokers.from.administer("PUT", "/api/queues/%2F/q", r#"{"durable":true}"#);
    client.call(1, queue_bind("q", "events", "order.*", &Vec::new()));
    client.confirm_select(1);
    let properties = Properties::default().persistent().header("n", 7).expiration("3600000").user_id("guest");
    client.publish_with(1, Publish::new("events", "order.1"), &properties, "first");
    client.publish_with(
        1,
        Publish::new("", "q"),
        &Properties::default().header("CC", Field::Array(vec!["many".into()])),
        "second",
    );
    client.expect_all_confirmed(1, 2);
    let output = succeeds(brokers.command(&["--messages"]));
    assert!(output.contains("3003 messages of 2 queues moved") && !output.contains("DIFFERENT"), "{output}");
    assert!(!brokers.state.exists(), "nothing is left to go on with");
    assert_eq!((count(&brokers.from, "many"), count(&brokers.from, "q")), (0, 0));

    let mut client = connect(&brokers.to);
    let moved = bodies(&mut client, "many");
    let expected: Vec<String> = (0..3_000).map(|number| number.to_string()).chain(["second".to_owned()]).collect();
    assert_eq!(moved, expected, "all of them, once, in their order");
    let first = client.get(1, "q", true).unwrap();
    assert_eq!(first.text(), "first");
    let properties = first.properties;
    assert_eq!(
        properties,
        Properties::default()
            .persistent()
            .header("n", 7)
            .header("x-original-exchange", "events")
            .header("x-original-routing-key", "order.1")
            .expiration("3600000")
            .user_id("guest")
    );
    let second = client.get(1, "q", true).unwrap();
    assert_eq!(second.text(), "second", "it went to the queue of its CC once, at the old broker");
    let users = get(&brokers.to, "/api/users");
    assert_eq!(users.as_array().unwrap().len(), 1, "the user that moved them is gone: {users}");
}

#[test]
fn a_dry_run_changes_nothing() {
    let brokers = Brokers::start();
    fill(&brokers.from, "q", 3);
    let output = succeeds(brokers.command(&["--messages", "--dry-run"]));
    assert!(output.contains("would move 3 messages of 'q'") && output.contains("nothing was changed"), "{output}");
    assert_eq!(count(&brokers.from, "q"), 3);
    assert_eq!(get(&brokers.to, "/api/queues"), Value::Array(Vec::new()));
}

/// Kinds of queues that only the old broker has are known by its definitions, so a file will do.
#[test]
fn quorum_queues_and_streams_are_taken_when_it_is_said() {
    let brokers = Brokers::start();
    let file = brokers.to.data_dir().join("d.json");
    let document = r#"{"rabbitmq_version":"3.13.7","vhosts":[{"name":"/"}],"queues":[
        {"name":"qq","vhost":"/","durable":true,"type":"quorum","arguments":{"x-queue-type":"quorum",
            "x-quorum-initial-group-size":3}},
        {"name":"st","vhost":"/","durable":true,"arguments":{"x-queue-type":"stream","x-max-age":"1D"}},
        {"name":"cq","vhost":"/","durable":true,"arguments":{}}],
        "parameters":[{"vhost":"/","component":"shovel","name":"s","value":{}}]}"#;
    std::fs::write(&file, document).unwrap();
    let path = file.to_str().unwrap();
    let named = ["quorum queue 'qq' in vhost '/'", "stream 'st' in vhost '/'", "parameter 's'"];
    let refused = fails(import(&brokers.to, &brokers.state, &[path, "--yes"]), 1, &named);
    assert!(refused.contains("--quorum-as classic"), "{refused}");
    assert_eq!(get(&brokers.to, "/api/queues"), Value::Array(Vec::new()), "nothing was changed");
    fails(import(&brokers.to, &brokers.state, &[path, "--dry-run"]), 3, &named);
    let arguments = [path, "--quorum-as", "classic"];
    fails(import(&brokers.to, &brokers.state, &arguments), 1, &["--yes"]);
    let taken = succeeds(import(&brokers.to, &brokers.state, &[&arguments[..], &["--yes"]].concat()));
    assert!(named.iter().all(|name| taken.contains(name)), "{taken}");
    let queues = get(&brokers.to, "/api/queues");
    assert_eq!(queues.as_array().unwrap().len(), 3);
    assert!(queues.as_array().unwrap().iter().all(|queue| queue["durable"] == true), "{queues}");
}

#[test]
fn what_is_refused_is_left_out_on_request_only() {
    let brokers = Brokers::start();
    let file = brokers.to.data_dir().join("d.json");
    let document = r#"{"queues":[{"name":"good","vhost":"/"},{"name":"bad","vhost":"/","arguments":{"x-expires":0}}],
        "bindings":[{"source":"amq.fanout","vhost":"/","destination":"bad","destination_type":"queue"}]}"#;
    std::fs::write(&file, document).unwrap();
    let path = file.to_str().unwrap();
    let words = ["refused: queue 'bad' in vhost '/'", "x-expires", "refused: binding 'amq.fanout -> bad ()'"];
    fails(import(&brokers.to, &brokers.state, &[path, "--yes"]), 1, &words);
    assert_eq!(get(&brokers.to, "/api/queues"), Value::Array(Vec::new()));
    fails(import(&brokers.to, &brokers.state, &[path, "--yes", "--leave-out-refused"]), 3, &words);
    assert_eq!(get(&brokers.to, "/api/queues")[0]["name"], "good");
}

#[test]
fn a_full_queue_stops_it_and_keeps_what_is_left() {
    let brokers = Brokers::start();
    fill(&brokers.from, "q", 10);
    let limited = r#"{"durable":true,"arguments":{"x-max-length":4,"x-overflow":"reject-publish"}}"#;
    brokers.to.administer("PUT", "/api/queues/%2F/q", limited);
    let words = ["takes no more messages for 'q'", "reject-publish", "run the same command again"];
    fails(brokers.command(&["--messages", "--prefetch", "1"]), 1, &words);
    assert_eq!(count(&brokers.to, "q"), 4);
    let deadline = Instant::now() + Duration::from_secs(10);
    while count(&brokers.from, "q") != 6 {
        assert!(Instant::now() < deadline, "{} of 6 are at the old broker", count(&brokers.from, "q"));
        pause(Duration::from_millis(20));
    }
    let mut client = connect(&brokers.to);
    assert_eq!(bodies(&mut client, "q"), ["0", "1", "2", "3"]);
}

#[test]
fn wrong_addresses_are_named_without_passwords() {
    let brokers = Brokers::start();
    for (from, words) in [
        ("ftp://old", &["'ftp' is not http"][..]),
        ("https://u:secret@old", &["not available yet"]),
        ("http://u:secret@127.0.0.1:1", &["cannot talk to http://127.0.0.1:1", "refused"]),
    ] {
        let output = fails(import(&brokers.to, &brokers.state, &["--from", from, "--yes"]), 1, words);
        assert!(!output.contains("secret"), "{output}");
    }
    let url = format!("http://guest:wrong@{}", brokers.from.management());
    fails(import(&brokers.to, &brokers.state, &["--from", &url, "--yes"]), 1, &["refuses the user"]);
    let mut nobody = crate::leveret();
    nobody.args(["import", "--from", "http://old", "--yes", "--data-dir"]).arg(Path::new("/nowhere"));
    fails(nobody, 1, &["no broker runs with its data in /nowhere", "--to"]);
}

/// What is to be ended while messages move.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Old,
    New,
    Import,
}

/// Whatever is killed, going on brings every message over, and few of them twice.
fn check_resumes_after(victim: Victim) {
    const MESSAGES: u64 = 20_000;
    const WINDOW: &str = "50";
    let mut brokers = Brokers::start();
    fill(&brokers.from, "q", MESSAGES);
    let mut command = brokers.command(&["--messages", "--prefetch", WINDOW]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = Running(command.spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(60);
    while count(&brokers.to, "q") < MESSAGES / 20 {
        assert!(Instant::now() < deadline && running.0.try_wait().unwrap().is_none(), "it does not begin");
        pause(Duration::from_millis(5));
    }
    match victim {
        Victim::Old => brokers.from.kill_9(),
        Victim::New => brokers.to.kill_9(),
        Victim::Import => running.0.kill().unwrap(),
    }
    let status = running.0.wait().unwrap();
    assert!(!status.success(), "{victim:?} was killed too late");
    match victim {
        Victim::Old => brokers.from.launch(),
        Victim::New => brokers.to.launch(),
        Victim::Import => {}
    }
    assert!(count(&brokers.to, "q") < MESSAGES, "{victim:?} was killed too late");
    let output = succeeds(brokers.command(&["--messages", "--prefetch", WINDOW]));
    assert!(output.contains("going on with what"), "{output}");
    assert_eq!(count(&brokers.from, "q"), 0, "{output}");
    let mut seen: HashMap<String, u64> = HashMap::new();
    for body in bodies(&mut connect(&brokers.to), "q") {
        *seen.entry(body).or_default() += 1;
    }
    let missing: Vec<u64> = (0..MESSAGES).filter(|number| !seen.contains_key(&number.to_string())).collect();
    assert_eq!(missing, Vec::<u64>::new(), "{victim:?}");
    let twice = seen.values().filter(|count| **count > 1).count();
    // A broker that is killed has not written every acknowledgement that it was sent; AMQP does not confirm those.
    let most = if victim == Victim::Old { MESSAGES as usize / 4 } else { 50 };
    assert!(twice <= most && seen.values().all(|count| *count <= 2), "{twice} are there twice after {victim:?}");
    assert_eq!(get(&brokers.to, "/api/users").as_array().unwrap().len(), 1, "no user is left");
}

#[test]
fn it_goes_on_after_the_old_broker_was_killed() {
    check_resumes_after(Victim::Old);
}

#[test]
fn it_goes_on_after_the_new_broker_was_killed() {
    check_resumes_after(Victim::New);
}

#[test]
fn it_goes_on_after_it_was_killed_itself() {
    check_resumes_after(Victim::Import);
}
