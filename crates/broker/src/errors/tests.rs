use std::collections::HashSet;

use super::*;

#[test]
fn rows_have_distinct_names_and_valid_codes() {
    let mut names = HashSet::new();
    for row in ERROR_TABLE {
        assert!(names.insert(row.name), "two rows called {}", row.name);
        assert_ne!(row.code.name() == "INTERNAL_ERROR", row.code != ReplyCode(541), "{}: unknown code", row.name);
    }
}

/// A hard code always closes the connection; a soft one does so only for the login, which happens on channel 0.
#[test]
fn scope_follows_the_code() {
    for row in ERROR_TABLE {
        let login = row.name == "LOGIN_REFUSED";
        assert_eq!(row.scope == row.code.scope(), !login, "{}: scope {} with {:?}", row.name, row.scope, row.code);
    }
}

#[test]
fn templates_take_exactly_their_holes() {
    for row in ERROR_TABLE {
        let values: Vec<String> = (0..row.holes()).map(|hole| format!("<{hole}>")).collect();
        let shown: Vec<&dyn Display> = values.iter().map(|value| value as &dyn Display).collect();
        let error = row.with(&shown);
        for value in &values {
            assert_eq!(error.text.matches(value).count(), 1, "{}: {}", row.name, error.text);
        }
        assert!(!error.text.contains("{}"), "{}: {}", row.name, error.text);
    }
}

#[test]
fn markers_are_issues_or_documented() {
    for row in ERROR_TABLE {
        let known = matches!(row.issue, None | Some(3..=6 | CLUSTER_AND_STREAMS | NEVER_SENT));
        assert!(known, "{}: issue {:?}", row.name, row.issue);
    }
}

#[test]
#[cfg(debug_assertions)]
#[should_panic(expected = "values for UNKNOWN_DELIVERY_TAG")]
fn a_missing_value_is_noticed() {
    let _ = UNKNOWN_DELIVERY_TAG.with(&[]);
}

#[test]
fn values_fill_the_holes_in_order() {
    let queue = Resource::queue("/", "q");
    let (received, current) = (ArgumentValue::Value(&false), ArgumentValue::Value(&true));
    let error = INEQUIVALENT_ARGUMENT.with(&[&"durable", &queue, &received, &current]).by_method(50, 10);
    let text = "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': received 'false' but current is 'true'";
    assert_eq!(error.full_text(), text);
    assert_eq!((error.code, error.scope, error.method), (ReplyCode(406), Scope::Channel, (50, 10)));
}

#[test]
fn an_argument_on_one_side_only_shows_its_type() {
    let typed = ArgumentValue::Typed { value: &10, field_type: "signedint" };
    assert_eq!(typed.to_string(), "the value '10' of type 'signedint'");
    assert_eq!(ArgumentValue::Missing.to_string(), "none");
}

#[test]
fn holes_next_to_braces() {
    let error = INVALID_ROUTING_HEADER.with(&[&"CC", &"longstr"]);
    assert_eq!(error.text, r#"invalid message: {unacceptable_type_in_header,"CC",longstr}"#);
    let error = BAD_FRAME_END.with(&[&Snippet::new(1, b"abc"), &0]);
    assert_eq!(error.text, r#"type 1, all octets = <<"abc">>: {invalid_frame_end_marker,0}"#);
}

#[test]
fn long_texts_are_cut_at_255_bytes() {
    let long = "q".repeat(250);
    let text = NOT_FOUND.with(&[&Resource::queue("/", &long)]).full_text();
    assert_eq!(text.len(), 255);
    assert_eq!(text, format!("NOT_FOUND - no queue '{}...", "q".repeat(230)));

    let wide = "é".repeat(120);
    let text = NOT_FOUND.with(&[&Resource::queue("/", &wide)]).full_text();
    assert!(text.len() <= 255 && text.ends_with("é..."), "{text}");
}

/// Seen on the wire of RabbitMQ 3.10: what is printable is quoted, the rest is numbers broken at 80 columns.
#[test]
fn frames_print_as_erlang_binaries() {
    let check = |payload: &[u8], expected: &str| {
        assert_eq!(UNKNOWN_FRAME.with(&[&Snippet::new(9, payload)]).text, format!("type 9, {expected}: unknown_frame"));
    };
    check(b"", "all octets = <<>>");
    check(b"x", "all octets = <<\"x\">>");
    check(b"a\"\\\n", r#"all octets = <<"a\"\\\n">>"#);
    check(b"abcdefghijklmnopq", "first 16 octets = <<\"abcdefghijklmnop\">>");
    check(&[b'a', 0xe9], "all octets = <<\"aé\">>");
    check(&[0xe2, 0x82, 0xac], "all octets = <<226,130,172>>");
    check(&[0, 200], "all octets = <<0,200>>");
    let numbers: Vec<u8> = (128..150).collect();
    let broken = "<<128,129,130,131,132,133,134,135,136,137,138,139,\n                            140,141,142,143>>";
    check(&numbers, &format!("first 16 octets = {broken}"));
    assert_eq!(Octets(&[0, 97]).to_string(), "<<0,97>>");
}
