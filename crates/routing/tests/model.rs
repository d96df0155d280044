//! Binding tables of every type against a list of bindings that is searched from end to end.

use amqp::field::{FieldTable, FieldValue, TableRef};
use proptest::prelude::*;
use routing::{BindingTable, ExchangeType};

/// Bindings as RabbitMQ's documentation describes them, without any index.
struct Model {
    exchange_type: ExchangeType,
    bindings: Vec<(String, FieldTable, u8)>,
}

impl Model {
    fn bind(&mut self, binding: (String, FieldTable, u8)) -> bool {
        let new = !self.bindings.contains(&binding);
        if new {
            self.bindings.push(binding);
        }
        new
    }

    fn unbind(&mut self, binding: &(String, FieldTable, u8)) -> bool {
        let before = self.bindings.len();
        self.bindings.retain(|other| other != binding);
        self.bindings.len() < before
    }

    fn remove_destination(&mut self, destination: u8) -> usize {
        let before = self.bindings.len();
        self.bindings.retain(|(_, _, other)| *other != destination);
        before - self.bindings.len()
    }

    fn route(&self, key: &str, headers: &FieldTable) -> Vec<u8> {
        let matches = |binding_key: &str, arguments: &FieldTable| match self.exchange_type {
            ExchangeType::Direct => binding_key == key,
            ExchangeType::Fanout => true,
            ExchangeType::Topic => topic_matches(&words(binding_key), &words(key)),
            ExchangeType::Headers => headers_match(arguments, headers),
            ExchangeType::ConsistentHash => unreachable!("its model is beside the ring"),
        };
        let found = self.bindings.iter().filter(|(key, arguments, _)| matches(key, arguments));
        let mut found: Vec<u8> = found.map(|(_, _, destination)| *destination).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn words(key: &str) -> Vec<&str> {
    if key.is_empty() { Vec::new() } else { key.split('.').collect() }
}

fn topic_matches(pattern: &[&str], key: &[&str]) -> bool {
    match (pattern, key) {
        ([], []) => true,
        (["#", rest @ ..], _) => (0..=key.len()).any(|skipped| topic_matches(rest, &key[skipped..])),
        (["*", rest @ ..], [_, key @ ..]) => topic_matches(rest, key),
        ([word, rest @ ..], [first, key @ ..]) => word == first && topic_matches(rest, key),
        _ => false,
    }
}

fn headers_match(arguments: &FieldTable, headers: &FieldTable) -> bool {
    let mode = arguments.get("x-match").and_then(FieldValue::as_str).unwrap_or("all");
    let mut results = arguments
        .iter()
        .filter(|(name, _)| if mode.ends_with("-with-x") { *name != "x-match" } else { !name.starts_with("x-") })
        .map(|(name, wanted)| match (wanted, headers.get(name)) {
            (_, None) => false,
            (FieldValue::Void, Some(_)) => true,
            (wanted, Some(value)) => wanted.as_i64() == value.as_i64() && wanted.as_str() == value.as_str(),
        });
    if mode.starts_with("any") { results.any(|result| result) } else { results.all(|result| result) }
}

#[derive(Clone, Debug)]
enum Step {
    Bind(String, FieldTable, u8),
    Unbind(prop::sample::Index),
    UnbindWhatever(String, FieldTable, u8),
    RemoveDestination(u8),
    Route(String, FieldTable),
}

fn binding_key() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        3 => Just("#"), 3 => Just("*"), 3 => Just("a"), 3 => Just("b"), 1 => Just("c"), 1 => Just(""),
    ];
    prop::collection::vec(word, 0..7).prop_map(|words| words.join("."))
}

fn routing_key() -> impl Strategy<Value = String> {
    let word = prop_oneof![4 => Just("a"), 4 => Just("b"), 1 => Just("z"), 1 => Just(""), 1 => Just("#")];
    prop::collection::vec(word, 0..8).prop_map(|words| words.join("."))
}

fn value() -> impl Strategy<Value = FieldValue> {
    prop_oneof![
        (0..2i32).prop_map(FieldValue::I32),
        (0..2i64).prop_map(FieldValue::I64),
        Just(FieldValue::from("s")),
        Just(FieldValue::Void),
    ]
}

/// Fields in order of their names, so that equality of tables is equality of arguments.
fn arguments() -> impl Strategy<Value = FieldTable> {
    let mode = prop::option::of(prop::sample::select(vec!["all", "any", "all-with-x", "any-with-x"]));
    let fields = prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c", "x-a"]), value(), 0..3);
    let some = (mode, fields).prop_map(|(mode, mut fields)| {
        fields.extend(mode.map(|mode| ("x-match", FieldValue::from(mode))));
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    });
    prop_oneof![Just(FieldTable::new()), some]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (binding_key(), arguments(), 0..6u8).prop_map(|(key, arguments, to)| Step::Bind(key, arguments, to)),
        3 => any::<prop::sample::Index>().prop_map(Step::Unbind),
        1 => (binding_key(), arguments(), 0..6u8)
            .prop_map(|(key, arguments, to)| Step::UnbindWhatever(key, arguments, to)),
        1 => (0..6u8).prop_map(Step::RemoveDestination),
        6 => (routing_key(), arguments()).prop_map(|(key, headers)| Step::Route(key, headers)),
    ]
}

fn run(exchange_type: ExchangeType, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut exchange = BindingTable::new(exchange_type);
    let mut model = Model { exchange_type, bindings: Vec::new() };
    for step in steps {
        match step {
            Step::Bind(key, arguments, to) => {
                let new = exchange.bind(&key, &arguments, to).expect("x-match is valid");
                prop_assert_eq!(new, model.bind((key, arguments, to)));
            }
            Step::Unbind(_) if model.bindings.is_empty() => {}
            Step::Unbind(index) => {
                let binding = index.get(&model.bindings).clone();
                prop_assert!(exchange.unbind(&binding.0, &binding.1, binding.2));
                model.unbind(&binding);
            }
            Step::UnbindWhatever(key, arguments, to) => {
                let removed = exchange.unbind(&key, &arguments, to);
                prop_assert_eq!(removed, model.unbind(&(key, arguments, to)));
            }
            Step::RemoveDestination(to) => {
                prop_assert_eq!(exchange.remove_destination(to), model.remove_destination(to));
            }
            Step::Route(key, headers) => {
                let bytes = headers.to_bytes();
                let mut found = Vec::new();
                exchange.route(key.as_bytes(), Some(TableRef::new(&bytes)), &mut found);
                found.sort_unstable();
                prop_assert_eq!(found, model.route(&key, &headers), "routing key {:?}", key);
            }
        }
        compare(&exchange, &model)?;
    }
    Ok(())
}

/// Both list the same bindings, as a whole and by destination.
fn compare(exchange: &BindingTable<u8>, model: &Model) -> Result<(), TestCaseError> {
    prop_assert_eq!(exchange.len(), model.bindings.len());
    let mut listed: Vec<_> = exchange.iter().map(shown).collect();
    let mut expected: Vec<_> =
        model.bindings.iter().map(|(key, args, to)| (*to, key.clone(), format!("{args:?}"))).collect();
    listed.sort();
    expected.sort();
    prop_assert_eq!(&listed, &expected);
    let mut by_destination: Vec<_> = (0..6).flat_map(|to| exchange.bindings_of(to)).map(shown).collect();
    by_destination.sort();
    prop_assert_eq!(&by_destination, &expected);
    Ok(())
}

fn shown(binding: routing::BindingRef<'_, u8>) -> (u8, String, String) {
    (binding.destination, binding.routing_key.to_owned(), format!("{:?}", binding.arguments))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn direct_is_the_model(steps in prop::collection::vec(step(), 1..60)) {
        run(ExchangeType::Direct, steps)?;
    }

    #[test]
    fn fanout_is_the_model(steps in prop::collection::vec(step(), 1..60)) {
        run(ExchangeType::Fanout, steps)?;
    }

    #[test]
    fn topic_is_the_model(steps in prop::collection::vec(step(), 1..60)) {
        run(ExchangeType::Topic, steps)?;
    }

    #[test]
    fn headers_is_the_model(steps in prop::collection::vec(step(), 1..60)) {
        run(ExchangeType::Headers, steps)?;
    }
}
