//! What a line of rabbitmq.conf may look like.

use super::{load, shown};

/// The value of `cluster_name` that the text sets.
fn check(text: &str, expected: &str) {
    let config = load(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
    assert_eq!(shown(&config, "cluster_name"), expected, "{text:?}");
}

#[test]
fn settings_are_keys_and_values() {
    check("cluster_name = one", "one");
    check("cluster_name=one\n", "one");
    check("\t cluster_name\t=  one  \t\n", "one");
    check("cluster_name = one two  three\n", "one two  three");
    check("cluster_name = a = b\n", "a = b");
    check("cluster_name = ümläut\n", "ümläut");
    check("cluster_name = \"one\"\n", "\"one\"");
    check("\u{feff}cluster_name = one\r\nheartbeat = 30\r\n", "one");
}

#[test]
fn comments_end_a_value_unless_it_is_quoted() {
    check("# first\n\n   # second\ncluster_name = one # third\n", "one");
    check("cluster_name = one#two\n", "one");
    check("cluster_name = 'one # two' # three\n", "one # two");
    check("cluster_name = ' one '\n", " one ");
    check("cluster_name = one'two\n", "one'two");
    check("cluster_name = 'one\n", "'one");
}

#[test]
fn a_quoted_value_goes_on_over_lines() {
    check("cluster_name = 'one\n two'\nheartbeat = 30\n", "one\n two");
}

#[test]
fn three_quotes_hold_single_ones() {
    check("cluster_name = '''\n  one 'two' # three\n''' # four\nheartbeat = 30\n", "one 'two' # three");
}

/// RabbitMQ 3.10.8 takes all of these as they stand.
#[test]
fn quotes_that_are_not_around_the_whole_value_stay() {
    check("cluster_name = 'it''s'\n", "'it''s'");
    check("cluster_name = 'a'b\nheartbeat = 30\n", "'a'b");
    check("cluster_name = 'one' two # three\n", "'one' two");
    check("cluster_name = 'one' 'two'\n", "'one' 'two'");
    check("cluster_name = one 'two'\n", "one 'two'");
    check("cluster_name = '''one'\n", "'''one'");
    check("cluster_name = '''one'''two\n", "'''one'''two");
    check("cluster_name = 'one # two'three\n", "'one");
    assert_eq!(
        load("cluster_name = 'one\ntwo'three\n").unwrap_err(),
        "1.conf:2: expected KEY = VALUE, found `two'three`"
    );
}

#[test]
fn the_lines_after_a_quoted_value_keep_their_numbers() {
    assert_eq!(
        load("cluster_name = 'one\n\ntwo'\n\nnonsense\n").unwrap_err(),
        "1.conf:5: expected KEY = VALUE, found `nonsense`"
    );
}

#[test]
fn a_backslash_keeps_a_dot_in_its_segment() {
    let config = load("loopback_users.first\\.last = true\n").unwrap();
    assert_eq!(config.loopback_users, ["first.last".to_owned()].into());
    assert_eq!(config.settings[0].key, "loopback_users.first\\.last");
}

#[test]
fn other_lines_are_refused_with_their_number() {
    for (line, word) in [
        ("nonsense", "nonsense"),
        ("cluster_name =", "cluster_name"),
        ("cluster_name = # comment", "cluster_name"),
        ("= one", "="),
        (".heartbeat = 1", ".heartbeat"),
        ("heartbeat. = 1", "heartbeat."),
        ("heart beat = 1", "heart"),
        ("default_pass secret", "default_pass"),
    ] {
        let error = load(&format!("heartbeat = 30\n\n{line}\nheartbeat = 40\n")).unwrap_err();
        assert_eq!(error, format!("1.conf:3: expected KEY = VALUE, found `{word}`"));
    }
}

#[test]
fn an_include_says_what_to_do_instead() {
    let error = load("include conf.d/*.conf\n").unwrap_err();
    assert_eq!(error, "1.conf:1: include is not supported, put `conf.d/*.conf` into the conf.d directory");
}

#[test]
fn a_line_that_is_not_utf8_is_named() {
    let mut loader = crate::Loader::new();
    let error = loader.text("1.conf".into(), b"heartbeat = 30\ncluster_name = \xff\n").err().unwrap();
    assert_eq!(error.to_string(), "1.conf:2: the line is not UTF-8, save the file as UTF-8");
}
