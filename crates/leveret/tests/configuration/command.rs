//! `leveret config check` and `leveret config show`.

use crate::{directory, run, write};
use serde_json::Value;

#[test]
fn check_tells_all_problems_with_their_places() {
    let directory = directory("check");
    let file = write(&directory, "a.conf", "heartbaet = 30\nheartbeat = often\nframe_max = 4096\nwhat is this\n");
    let file = file.to_str().unwrap();
    let (code, stdout, stderr) = run(&["config", "check", file], &[]);
    assert_eq!((code, stdout.as_str()), (Some(78), ""));
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{stderr}");
    for (line, place) in [(4, "expected KEY = VALUE"), (1, "did you mean `heartbeat`"), (2, "bad value `often`")] {
        let at = format!("error: {file}:{line}: ");
        assert!(lines.iter().any(|text| text.starts_with(&at) && text.contains(place)), "{at}{place} in {stderr}");
    }
    assert_eq!(run(&["config", "check", "/nonexistent.conf"], &[]).0, Some(78));
    // The broker itself says the first, and how many more there are.
    let (code, _, stderr) = run(&["server", "--config", file], &[]);
    assert_eq!(code, Some(78));
    assert!(stderr.lines().count() == 1 && stderr.contains("and 2 more"), "{stderr}");
}

#[test]
fn check_says_what_is_right_and_what_has_no_effect() {
    let directory = directory("check_right");
    write(&directory, "rabbitmq.conf", "heartbeat = 30\nmqtt.vhost = /");
    write(&directory, "enabled_plugins", "[rabbitmq_management,rabbitmq_shovel].");
    let directory = directory.to_str().unwrap();
    let (code, stdout, stderr) = run(
        &["--config-dir", directory, "config", "check"],
        &[("RABBITMQ_ERLANG_COOKIE", "monster"), ("RABBITMQ_NODENAM", "x")],
    );
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for expected in [
        &format!("read {directory}/rabbitmq.conf"),
        "without effect here: mqtt.vhost",
        "without effect here: RABBITMQ_ERLANG_COOKIE",
        "unknown variable: RABBITMQ_NODENAM, did you mean RABBITMQ_NODENAME",
        "plugin that does not exist here: rabbitmq_shovel",
        "2 keys given, nothing wrong",
    ] {
        assert!(stdout.lines().any(|line| line == expected), "{expected} in {stdout}");
    }
    assert!(!stdout.contains("monster"));
}

#[test]
fn show_says_where_values_come_from_and_hides_secrets() {
    let directory = directory("show");
    let file = write(&directory, "a.conf", "heartbeat = 30\ndefault_pass = hunter2\n");
    let file = file.to_str().unwrap();
    let arguments = ["--set", "frame_max=8192", "config", "show", file];
    let (code, stdout, _) = run(&arguments, &[("RABBITMQ_NODENAME", "hare")]);
    assert_eq!(code, Some(0));
    assert!(!stdout.contains("hunter2"), "{stdout}");
    let lines: Vec<Vec<&str>> = stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    let place = |line: usize| format!("{file}:{line}");
    assert_eq!(
        lines,
        [
            vec!["default_pass", "=", "********", "#", &place(2)],
            vec!["frame_max", "=", "8192", "#", "--set"],
            vec!["heartbeat", "=", "30", "#", &place(1)],
            vec!["leveret.node_name", "=", "hare", "#", "RABBITMQ_NODENAME"],
        ]
    );

    let (_, stdout, _) = run(&[&arguments[..], &["--all", "--format", "json"]].concat(), &[]);
    let shown: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(shown["files"], serde_json::json!([file]));
    let find = |key: &str| shown["settings"].as_array().unwrap().iter().find(|row| row["key"] == key).unwrap().clone();
    assert_eq!(find("heartbeat")["default"], "60");
    assert_eq!(find("channel_max_per_node")["origin"], "default");
    assert_eq!(find("default_pass")["value"], "********");
}

/// What one checks with is what one starts with, in either place.
#[test]
fn options_of_the_broker_stand_before_the_command_or_behind_it() {
    let directory = directory("options");
    write(&directory, "rabbitmq.conf", "heartbeat = 30\n");
    let directory = directory.to_str().unwrap();
    let behind = ["config", "show", "--config-dir", directory, "--set", "heartbeat=31", "--set", "frame_max=8192"];
    let (code, shown, error) = run(&behind, &[]);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(shown, "frame_max = 8192  # --set\nheartbeat = 31    # --set\n");
    // The later of two counts.
    let both = ["--set", "heartbeat=29", "config", "show", "--set", "heartbeat=33"];
    assert_eq!(run(&both, &[]).1, "heartbeat = 33  # --set\n");
    for arguments in [
        &["config", "check", "--set", "heartbeat=often"][..],
        &["--set", "heartbeat=often", "config", "check"],
        &["server", "--set", "heartbeat=often"],
    ] {
        let (code, _, error) = run(arguments, &[]);
        let line = "error: --set: bad value `often` for `heartbeat`, expected an integer from 0 to 65535\n";
        assert_eq!((code, error.as_str()), (Some(78), line), "{arguments:?}");
    }
    let (code, stdout, _) = run(&["config", "check", "--set", "heartbeat=30", "--data-dir", directory], &[]);
    assert_eq!((code, stdout.lines().last()), (Some(0), Some("2 keys given, nothing wrong")));
}

#[test]
fn erlang_terms_are_checked_too() {
    let directory = directory("terms");
    let file = write(&directory, "advanced.config", "[{rabbit, [{heartbeat, 30},\n{cluster_nodes, {[], disc}}]}].");
    let (code, _, stderr) = run(&["config", "check", file.to_str().unwrap()], &[]);
    assert_eq!(code, Some(78));
    assert!(stderr.contains("advanced.config:2: `rabbit.cluster_nodes` is not read from here"), "{stderr}");
}
