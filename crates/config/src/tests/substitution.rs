//! `$(NAME)` in values.

use super::shown;
use crate::Loader;

/// What `cluster_name` ends up as in an environment with a few variables.
fn cluster_name(text: &str) -> Result<String, String> {
    let mut loader = Loader::with_environment(|name| match name {
        "NAME" => Some("orders".to_owned()),
        "LITERAL" => Some("$(NAME)".to_owned()),
        "LONG" => Some("x".repeat(40_000)),
        _ => None,
    });
    loader.text("1.conf".into(), text.as_bytes()).map_err(|error| error.to_string())?;
    let config = loader.load().map_err(|error| error.to_string())?;
    Ok(shown(&config, "cluster_name"))
}

fn check(text: &str, expected: &str) {
    assert_eq!(cluster_name(text).as_deref(), Ok(expected), "{text:?}");
}

#[test]
fn a_name_is_a_key_or_a_variable() {
    check("cluster_name = $(NAME)", "orders");
    check("cluster_name = a-$( NAME )-b-$(NAME)", "a-orders-b-orders");
    check("cluster_name = $(default_vhost)-eu\ndefault_vhost = $(NAME)", "orders-eu");
    check("cluster_name = $(LITERAL)", "$(NAME)");
    check("cluster_name = $(channel_max)\nmax_channels_per_connection = 5", "5");
}

#[test]
fn what_is_no_substitution_stays() {
    check("cluster_name = $(NAME", "$(NAME");
    check("cluster_name = $NAME", "$NAME");
    check("cluster_name = $", "$");
}

#[test]
fn a_name_that_is_neither_is_refused() {
    let refused = "which is neither a key that is set nor an environment variable";
    for (text, name) in
        [("cluster_name = $(NOPE)", "NOPE"), ("cluster_name = $()", ""), ("cluster_name = $(heartbeat)", "heartbeat")]
    {
        let expected = format!("1.conf:1: `cluster_name` needs $({name}), {refused}");
        assert_eq!(cluster_name(text), Err(expected));
    }
}

#[test]
fn substitution_ends() {
    let endless =
        Err("1.conf:1: the substitutions in `cluster_name` never end, name a key that does not lead back to it"
            .to_owned());
    assert_eq!(cluster_name("cluster_name = $(cluster_name)"), endless);
    assert_eq!(cluster_name("cluster_name = $(default_vhost)\ndefault_vhost = $(cluster_name)"), endless);
}

/// Fourteen keys that each name the next one ten times would be a value of 10^14 bytes.
#[test]
fn substitution_does_not_grow_without_bound() {
    let mut text = format!("cluster_name = {}\n", "$(cluster_tags.0)".repeat(10));
    for index in 0..13 {
        text += &format!("cluster_tags.{index} = {}\n", format!("$(cluster_tags.{})", index + 1).repeat(10));
    }
    text += "cluster_tags.13 = x\n";
    let error = cluster_name(&text).unwrap_err();
    assert!(error.ends_with("never end, name a key that does not lead back to it"), "{error}");
}

#[test]
fn values_that_are_too_long_are_called_that() {
    let error = cluster_name("cluster_name = $(LONG)$(LONG)").unwrap_err();
    let expected =
        "1.conf:1: `cluster_name` is longer than 65536 bytes with what its substitutions stand for, shorten it";
    assert_eq!(error, expected);
    assert_eq!(cluster_name("cluster_name = $(LONG)").unwrap().len(), 40_000);
}

/// Three megabytes without any substitution have nothing that could end or not.
#[test]
fn long_values_without_substitutions_are_taken() {
    let text = "x".repeat(3_000_000);
    check(&format!("cluster_name = {text}"), &text);
    check(&format!("cluster_name = {text}$(NAME"), &format!("{text}$(NAME"));
}
