use super::*;
use amqp::FieldValue;
use proptest::prelude::*;

fn table<const N: usize>(fields: [(&str, FieldValue); N]) -> FieldTable {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn text(text: &str) -> FieldValue {
    FieldValue::from(text)
}

fn policy(name: &str, kind: PolicyKind, pattern: &str, priority: i64) -> PolicyDefinition {
    PolicyDefinition {
        vhost: "/".into(),
        kind,
        name: name.into(),
        pattern: pattern.into(),
        priority,
        definition: table([("max-length", FieldValue::I64(1))]),
        ..PolicyDefinition::default()
    }
}

fn compiled(definitions: impl IntoIterator<Item = PolicyDefinition>) -> Policies {
    let with = |policies: Policies, definition| policies.with(Policy::compile(definition).unwrap());
    definitions.into_iter().fold(Policies::default(), with)
}

fn name_of(policy: &Option<Arc<Policy>>) -> Option<&str> {
    policy.as_ref().map(|policy| policy.definition.name.as_str())
}

fn in_force(policies: &Policies, queue: &str) -> (Option<String>, Option<String>) {
    let InForce { user, operator } = policies.for_queue(queue, &FieldTable::new());
    (name_of(&user).map(str::to_owned), name_of(&operator).map(str::to_owned))
}

#[test]
fn one_policy_of_each_kind_is_in_force() {
    let (user, operator) = (PolicyKind::User, PolicyKind::Operator);
    let policies = compiled([
        policy("low", user, "^q", 1),
        policy("high", user, "^q", 5),
        policy("other", user, "^other", 9),
        policy("limits", operator, "q$", 0),
    ]);
    assert_eq!(in_force(&policies, "q"), (Some("high".into()), Some("limits".into())));
    assert_eq!(in_force(&policies, "q1"), (Some("high".into()), None));
    assert_eq!(in_force(&policies, "x"), (None, None));
    let policies = policies.without(user, "high").without(user, "limits");
    assert_eq!(in_force(&policies, "q"), (Some("low".into()), Some("limits".into())));
}

#[test]
fn of_equal_priorities_the_first_name_wins_in_whatever_order_they_were_set() {
    for names in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]] {
        let policies = compiled(names.map(|name| policy(name, PolicyKind::User, "", 0)));
        assert_eq!(in_force(&policies, "q").0.as_deref(), Some("a"));
    }
}

#[test]
fn setting_a_policy_again_replaces_it() {
    let policies = compiled([policy("p", PolicyKind::User, "^a", 0), policy("p", PolicyKind::User, "^b", 0)]);
    assert_eq!(in_force(&policies, "a").0, None);
    assert_eq!(in_force(&policies, "b").0.as_deref(), Some("p"));
}

#[test]
fn a_policy_applies_to_what_it_says() {
    #[track_caller]
    fn check(apply_to: ApplyTo, expected: [bool; 3]) {
        let policies = compiled([PolicyDefinition { apply_to, ..policy("p", PolicyKind::User, "", 0) }]);
        let quorum = table([("x-queue-type", text("quorum"))]);
        let found =
            [policies.for_queue("q", &FieldTable::new()), policies.for_queue("q", &quorum), policies.for_exchange("q")];
        assert_eq!(found.map(|in_force| in_force.user.is_some()), expected, "{apply_to:?}");
    }
    check(ApplyTo::All, [true, true, true]);
    check(ApplyTo::Queues, [true, true, false]);
    check(ApplyTo::ClassicQueues, [true, false, false]);
    check(ApplyTo::QuorumQueues, [false, true, false]);
    check(ApplyTo::Streams, [false, false, false]);
    check(ApplyTo::Exchanges, [false, false, true]);
}

/// RabbitMQ's policy_SUITE, `is_supported_operator_policy_*` and `is_policy_applicable`: one key that the type does not
/// have, and the policy does not apply.
#[test]
fn a_policy_with_a_key_of_another_type_does_not_apply() {
    let policies = |key: &str, value: FieldValue| {
        let definition = table([("max-length", FieldValue::I64(1)), (key, value)]);
        compiled([PolicyDefinition { definition, ..policy("p", PolicyKind::User, "", 0) }])
    };
    let applies = |policies: &Policies, kind: &str| {
        policies.for_queue("q", &table([("x-queue-type", text(kind))])).user.is_some()
    };
    for (key, value, classic, quorum) in [
        ("max-age", text("1D"), false, false),
        ("initial-cluster-size", FieldValue::I64(1), false, false),
        ("target-group-size", FieldValue::I64(3), false, true),
        ("max-in-memory-length", FieldValue::I64(3), false, true),
        ("delivery-limit", FieldValue::I64(3), true, true),
        ("dead-letter-strategy", text("at-least-once"), true, true),
        ("queue-mode", text("lazy"), true, false),
        ("ha-mode", text("all"), true, false),
        ("alternate-exchange", text("x"), true, true),
    ] {
        let policies = policies(key, value);
        assert_eq!((applies(&policies, "classic"), applies(&policies, "quorum")), (classic, quorum), "{key}");
        assert!(policies.for_exchange("x").user.is_some(), "{key}");
    }
}

/// Key by key, a user's value and an operator's.
#[test]
fn policies_merge_as_rabbitmqs() {
    let n = FieldValue::I64;
    for (key, user, operator, merged_value) in [
        ("message-ttl", n(10), n(20), n(10)),
        ("message-ttl", n(20), n(10), n(10)),
        ("expires", n(20), n(10), n(10)),
        ("max-length", n(5), n(6), n(5)),
        ("max-length-bytes", n(7), n(6), n(6)),
        ("max-in-memory-length", n(7), n(6), n(6)),
        ("max-in-memory-bytes", n(5), n(6), n(5)),
        ("delivery-limit", n(3), n(5), n(3)),
        ("delivery-limit", n(-1), n(5), n(5)),
        ("delivery-limit", n(5), n(-1), n(5)),
        ("delivery-limit", n(-1), n(-1), n(-1)),
        ("delivery-limit", n(0), n(-1), n(0)),
        ("queue-version", n(1), n(2), n(2)),
        ("overflow", text("drop-head"), text("reject-publish"), text("reject-publish")),
        ("target-group-size", n(3), n(5), n(5)),
        ("delayed-retry-type", text("all"), text("failed"), text("failed")),
        ("delayed-retry-min", n(10), n(20), n(20)),
        ("delayed-retry-max", n(10), n(20), n(10)),
    ] {
        let merged = merged(&table([(key, user.clone())]), &table([(key, operator.clone())]));
        assert_eq!(merged, table([(key, merged_value)]), "{key} {user:?} {operator:?}");
    }
}

#[test]
fn merged_policies_have_every_key_in_order() {
    let user = table([("overflow", text("drop-head")), ("expires", FieldValue::I64(5))]);
    let operator = table([("max-length", FieldValue::I64(1)), ("expires", FieldValue::I64(9))]);
    let expected =
        [("expires", FieldValue::I64(5)), ("max-length", FieldValue::I64(1)), ("overflow", text("drop-head"))];
    assert_eq!(merged(&user, &operator), table(expected));
}

fn terms<const N: usize>(definition: [(&str, FieldValue); N]) -> FieldValue {
    FieldValue::Table(table([
        ("pattern", text(".*")),
        ("priority", FieldValue::I64(0)),
        ("apply-to", text("all")),
        ("definition", FieldValue::Table(table(definition))),
    ]))
}

#[track_caller]
fn check_refused(kind: PolicyKind, terms: FieldValue, expected: &str) {
    let errors = definition_of_terms(kind, "/", "p", &terms).unwrap_err();
    assert_eq!(errors.join("\n"), expected);
}

/// As RabbitMQ 3.10.8 answered, or for what it does not know 4.3's source.
#[test]
fn values_of_keys_are_validated() {
    let n = FieldValue::I64;
    for (key, value, expected) in [
        ("max-length", n(-1), "-1 is not a valid maximum length"),
        ("max-length", text("a"), "<<\"a\">> is not a valid maximum length"),
        ("max-length", FieldValue::F64(1.5), "1.5 is not a valid maximum length"),
        ("max-length-bytes", n(-1), "-1 is not a valid maximum length in bytes"),
        ("max-in-memory-length", n(-1), "-1 is not a valid maximum memory in bytes"),
        ("message-ttl", n(-1), "-1 is not a valid message TTL"),
        ("expires", n(0), "0 is not a valid queue expiry"),
        ("overflow", text("x"), "<<\"x\">> is not a valid overflow value"),
        ("dead-letter-exchange", n(5), "5 is not a valid dead letter exchange name"),
        ("dead-letter-routing-key", n(5), "5 is not a valid dead letter routing key"),
        ("dead-letter-strategy", text("x"), "<<\"x\">> is not a valid dead letter strategy"),
        (
            "alternate-exchange",
            FieldValue::Array(vec![text("a"), FieldValue::Table(table([("b", n(1))]))]),
            "[<<\"a\">>,#{<<\"b\">> => 1}] is not a valid alternate exchange name",
        ),
        ("queue-mode", text("x"), "<<\"x\">> is not a valid queue-mode value"),
        ("queue-version", n(3), "3 is not a valid queue-version value"),
        ("delivery-limit", text("x"), "<<\"x\">> is not a valid delivery limit"),
        ("consumer-timeout", n(-1), "-1 is not a valid consumer timeout"),
        ("max-age", text("1W"), "<<\"1W\">> is not a valid max age"),
        ("max-age", text("0D"), "<<\"0D\">> is not a valid max age"),
        ("stream-filter-size-bytes", n(5), "5 is not a valid filter size. Valid range is 16-255"),
        ("initial-cluster-size", n(-1), "-1 is not a valid cluster size"),
        ("target-group-size", n(0), "0 is not a valid qq target count value"),
        (
            "delayed-retry-type",
            text("x"),
            "<<\"x\">> is not a valid delayed retry type. Must be one of: all, failed, returned, disabled",
        ),
        ("delayed-retry-type", text("all"), "delayed-retry-min is required when delayed-retry-type is all"),
        ("nope", n(1), "[{<<\"nope\">>,1}] are not recognised policy settings"),
    ] {
        check_refused(PolicyKind::User, terms([(key, value)]), expected);
    }
    let bounds = [("delayed-retry-min", n(5)), ("delayed-retry-max", n(4))];
    check_refused(
        PolicyKind::User,
        terms(bounds),
        "delayed-retry-max (4) must not be smaller than delayed-retry-min (5)",
    );
}

#[test]
fn every_key_takes_something() {
    let values = [
        FieldValue::I64(2),
        FieldValue::I64(20),
        FieldValue::Bool(true),
        text("name"),
        text("1D"),
        text("drop-head"),
        text("default"),
        text("at-least-once"),
        text("disabled"),
        text("client-local"),
    ];
    for key in keys::KEYS {
        let taken = values
            .iter()
            .any(|value| definition_of_terms(PolicyKind::User, "/", "p", &terms([(key.name, value.clone())])).is_ok());
        assert!(taken, "{}", key.name);
        assert_eq!(keys::KEYS.iter().filter(|other| other.name == key.name).count(), 1, "{}", key.name);
    }
}

#[test]
fn operators_have_fewer_keys() {
    let dead_letter = || terms([("dead-letter-exchange", text("x"))]);
    assert!(definition_of_terms(PolicyKind::User, "/", "p", &dead_letter()).is_ok());
    check_refused(
        PolicyKind::Operator,
        dead_letter(),
        "[{<<\"dead-letter-exchange\">>,<<\"x\">>}] are not recognised policy settings",
    );
}

#[test]
fn a_policy_has_to_be_whole() {
    let check = |without: &str, or: Option<FieldValue>, expected: &str| {
        let FieldValue::Table(mut fields) = terms([("max-length", FieldValue::I64(1))]) else { unreachable!() };
        fields.remove(without);
        if let Some(value) = or {
            fields.insert(without, value);
        }
        check_refused(PolicyKind::User, FieldValue::Table(fields), expected);
    };
    check("pattern", None, "Key \"pattern\" not found in p");
    check("priority", Some(text("5")), "priority should be a number, actually was <<\"5\">>");
    check("pattern", Some(FieldValue::I64(7)), "pattern should be a binary but was 7");
    check("pattern", Some(text("(")), "pattern should be regular expression but is invalid: \"unclosed group\"");
    check("pattern", Some(text(&"a".repeat(1025))), "pattern must not exceed 1024 bytes");
    check("definition", Some(FieldValue::Table(FieldTable::new())), "no policy provided");
    check("definition", Some(FieldValue::I64(1)), "definition must be a dictionary: 1");
    check("x", Some(FieldValue::I64(1)), "Unrecognised terms [{<<\"x\">>,1}] in p");
    let only = FieldValue::Table(table([("pattern", text(".*"))]));
    check_refused(PolicyKind::User, only, "Key \"definition\" not found in p\nKey \"priority\" not found in p");
    check_refused(PolicyKind::User, FieldValue::I64(7), "p not a list 7");
}

proptest! {
    /// Whatever else there is and whatever order it was set in: at most one of each kind, the highest of those that
    /// match.
    #[test]
    fn the_highest_that_matches_is_in_force(
        definitions in proptest::collection::vec(("[a-d]", 0..3_usize, -3..4_i64), 0..12),
        queue in "[ab]",
    ) {
        const PATTERNS: [&str; 3] = ["^a", "^b", ""];
        let mut expected: Vec<PolicyDefinition> = Vec::new();
        let mut policies = Policies::default();
        for (name, pattern, priority) in definitions {
            let definition = policy(&name, PolicyKind::User, PATTERNS[pattern], priority);
            expected.retain(|other| other.name != name);
            expected.push(definition.clone());
            policies = policies.with(Policy::compile(definition).unwrap());
        }
        expected.retain(|policy| queue.starts_with(policy.pattern.trim_start_matches('^')));
        expected.sort_by(|a, b| b.priority.cmp(&a.priority).then(a.name.cmp(&b.name)));
        prop_assert_eq!(in_force(&policies, &queue).0, expected.first().map(|policy| policy.name.clone()));
    }
}
