//! Each exchange type by example, as a script of bindings and messages.

use amqp::field::{FieldTable, FieldValue, TableRef};
use routing::{BindError, BindingTable, ExchangeType};

fn table(fields: &[(&str, FieldValue)]) -> FieldTable {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn bound(exchange_type: ExchangeType, bindings: &[(&str, u32)]) -> BindingTable<u32> {
    let mut exchange = BindingTable::new(exchange_type);
    for (key, queue) in bindings {
        assert_eq!(exchange.bind(key, &FieldTable::new(), *queue), Ok(true));
    }
    exchange
}

#[track_caller]
fn check(exchange: &BindingTable<u32>, key: &str, expected: &[u32]) {
    let mut queues = Vec::new();
    exchange.route(key.as_bytes(), None, &mut queues);
    queues.sort_unstable();
    assert_eq!(queues, expected, "routing key {key:?}");
}

#[test]
fn names_of_types_are_exact() {
    for name in ["direct", "fanout", "topic", "headers", "x-consistent-hash"] {
        assert_eq!(ExchangeType::from_name(name).map(ExchangeType::name), Some(name));
    }
    assert_eq!(ExchangeType::from_name("Direct"), None);
    assert_eq!(ExchangeType::from_name("x-nothing"), None);
}

#[test]
fn direct_compares_the_whole_key() {
    let exchange = bound(ExchangeType::Direct, &[("error", 1), ("error", 2), ("info", 1), ("", 3), ("a.#", 4)]);
    check(&exchange, "error", &[1, 2]);
    check(&exchange, "info", &[1]);
    check(&exchange, "", &[3]);
    check(&exchange, "a.#", &[4]);
    check(&exchange, "a.b", &[]);
    check(&exchange, "Error", &[]);
}

#[test]
fn fanout_reaches_each_destination_once() {
    let mut exchange = bound(ExchangeType::Fanout, &[("a", 1), ("b", 1), ("", 2)]);
    check(&exchange, "whatever", &[1, 2]);
    assert!(exchange.unbind("a", &FieldTable::new(), 1));
    check(&exchange, "a", &[1, 2]);
    assert!(exchange.unbind("b", &FieldTable::new(), 1));
    check(&exchange, "a", &[2]);
}

#[test]
fn topic_matches_word_by_word() {
    #[track_caller]
    fn matches(binding: &str, key: &str, expected: bool) {
        let expected: &[u32] = if expected { &[1] } else { &[] };
        check(&bound(ExchangeType::Topic, &[(binding, 1)]), key, expected);
    }
    matches("*.orange.*", "quick.orange.rabbit", true);
    matches("*.orange.*", "quick.orange.male.rabbit", false);
    matches("lazy.#", "lazy", true);
    matches("lazy.#", "lazy.orange.male.rabbit", true);
    matches("#", "", true);
    matches("#", "a.b.c", true);
    matches("*", "", false);
    matches("*", "a", true);
    matches("", "", true);
    matches("", "a", false);
    matches("#.#", "", true);
    matches("#.a.#", "a", true);
    matches("#.a.#", "b.a.c", true);
    matches("#.a.#", "b.c", false);
    matches("#.a.#.a", "a", false);
    matches("#.a.#.a", "a.a", true);
    matches("#.*", "", false);
    matches("#.*.#", "a", true);
    matches("*.#.*", "a", false);
    matches("*.#.*", "a.b", true);
}

#[test]
fn topic_counts_empty_words() {
    let exchange = bound(
        ExchangeType::Topic,
        &[("a..b", 1), ("a.*.b", 2), ("*.*", 3), (".", 4), ("#.", 5), (".#", 6), ("a.#.b", 7), ("*", 8)],
    );
    check(&exchange, "a..b", &[1, 2, 7]);
    check(&exchange, ".", &[3, 4, 5, 6]);
    check(&exchange, "", &[]);
    check(&exchange, "a.b", &[3, 7]);
    check(&exchange, ".a", &[3, 6]);
    check(&exchange, "a.", &[3, 5]);
    check(&exchange, "a.b.", &[5]);
}

#[test]
fn topic_wildcards_are_whole_words() {
    let exchange = bound(ExchangeType::Topic, &[("a*", 1), ("a#.b", 2), ("*.**", 3)]);
    check(&exchange, "a*", &[1]);
    check(&exchange, "ab", &[]);
    check(&exchange, "a#.b", &[2]);
    check(&exchange, "x.**", &[3]);
    check(&exchange, "x.y", &[]);
}

#[test]
fn topic_routing_key_spelled_like_a_wildcard_is_matched_once() {
    let exchange = bound(ExchangeType::Topic, &[("a.*", 1), ("a.#", 2), ("a.b", 3)]);
    check(&exchange, "a.*", &[1, 2]);
    check(&exchange, "a.#", &[1, 2]);
    check(&exchange, "#", &[]);
}

#[test]
fn topic_gives_a_destination_once_over_many_keys() {
    let exchange = bound(ExchangeType::Topic, &[("a.b", 1), ("a.*", 1), ("#", 1), ("#.b", 2), ("*.b", 2)]);
    check(&exchange, "a.b", &[1, 2]);
    check(&exchange, "c.b", &[1, 2]);
    check(&exchange, "c", &[1]);
}

#[test]
fn routing_appends_to_what_is_there() {
    let exchange = bound(ExchangeType::Direct, &[("k", 1)]);
    let mut queues = vec![1];
    exchange.route(b"k", None, &mut queues);
    assert_eq!(queues, [1, 1]);
}

#[test]
fn a_routing_key_need_not_be_text() {
    let exchange = bound(ExchangeType::Topic, &[("#.b", 1)]);
    let mut queues = Vec::new();
    exchange.route(b"\xff\xfe.b", None, &mut queues);
    assert_eq!(queues, [1]);
}

#[test]
fn a_binding_is_destination_key_and_arguments() {
    for exchange_type in [ExchangeType::Direct, ExchangeType::Fanout, ExchangeType::Topic, ExchangeType::Headers] {
        let mut exchange = BindingTable::new(exchange_type);
        let one = table(&[("a", FieldValue::I32(1)), ("b", FieldValue::I32(2))]);
        let reordered = table(&[("b", FieldValue::I32(2)), ("a", FieldValue::I32(1))]);
        let retyped = table(&[("a", FieldValue::I64(1)), ("b", FieldValue::I32(2))]);
        assert_eq!(exchange.bind("k", &FieldTable::new(), 1), Ok(true));
        assert_eq!(exchange.bind("k", &FieldTable::new(), 1), Ok(false));
        assert_eq!(exchange.bind("k", &one, 1), Ok(true));
        assert_eq!(exchange.bind("k", &reordered, 1), Ok(false), "order of arguments");
        assert_eq!(exchange.bind("k", &retyped, 1), Ok(true), "type of an argument");
        assert_eq!(exchange.bind("k2", &one, 1), Ok(true));
        assert_eq!(exchange.bind("k", &one, 2), Ok(true));
        assert_eq!(exchange.len(), 5);
        let headers = one.to_bytes();
        let mut queues = Vec::new();
        exchange.route(b"k", Some(TableRef::new(&headers)), &mut queues);
        queues.sort_unstable();
        assert_eq!(queues, [1, 2], "{exchange_type:?}");
        assert!(exchange.unbind("k", &reordered, 1));
        assert!(!exchange.unbind("k", &one, 1));
        assert_eq!(exchange.len(), 4);
    }
}

#[test]
fn bindings_are_listed_with_arguments_sorted_by_name() {
    let mut exchange = bound(ExchangeType::Topic, &[("a.#", 1), ("b", 2)]);
    let arguments = table(&[("z", FieldValue::Void), ("a", FieldValue::from("x"))]);
    assert_eq!(exchange.bind("c", &arguments, 1), Ok(true));
    let of_one: Vec<_> = exchange.bindings_of(1).map(|binding| binding.routing_key).collect();
    assert_eq!(of_one, ["c", "a.#"]);
    let listed = exchange.iter().find(|binding| binding.routing_key == "c").expect("bound above");
    assert_eq!(listed.arguments.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "z"]);
    assert_eq!(exchange.iter().count(), 3);
    assert_eq!(exchange.bindings_of(9).count(), 0);
}

#[test]
fn removing_a_destination_takes_all_its_bindings() {
    let mut exchange = bound(ExchangeType::Topic, &[("a.*", 1), ("a.b", 1), ("#", 1), ("a.*", 2)]);
    assert_eq!(exchange.remove_destination(1), 3);
    assert_eq!(exchange.remove_destination(1), 0);
    check(&exchange, "a.b", &[2]);
    assert_eq!(exchange.remove_destination(2), 1);
    assert!(exchange.is_empty());
    check(&exchange, "a.b", &[]);
}

#[test]
fn what_is_left_after_a_wave_of_bindings_still_routes() {
    let value = |queue: u32| table(&[("tenant", FieldValue::U32(queue))]);
    for exchange_type in [ExchangeType::Direct, ExchangeType::Fanout, ExchangeType::Topic, ExchangeType::Headers] {
        let mut exchange = BindingTable::new(exchange_type);
        for queue in 0..5_000 {
            assert_eq!(exchange.bind("a.*", &value(queue), queue), Ok(true));
            assert_eq!(exchange.bind("a.b", &value(queue), queue), Ok(true));
        }
        for queue in (0..5_000).filter(|queue| queue % 1_000 != 7) {
            if queue % 2 == 0 {
                assert_eq!(exchange.remove_destination(queue), 2);
            } else {
                assert!(exchange.unbind("a.b", &value(queue), queue));
                assert!(exchange.unbind("a.*", &value(queue), queue));
            }
        }
        let headers = value(2_007).to_bytes();
        let mut queues = Vec::new();
        exchange.route(b"a.b", Some(TableRef::new(&headers)), &mut queues);
        queues.sort_unstable();
        let left = [7, 1_007, 2_007, 3_007, 4_007];
        let expected = if exchange_type == ExchangeType::Headers { &[2_007][..] } else { &left[..] };
        assert_eq!(queues, expected, "{exchange_type:?}");
        assert_eq!(exchange.len(), 10);
        assert_eq!(left.map(|queue| exchange.remove_destination(queue)), [2; 5]);
        assert_eq!(exchange.iter().count(), 0);
    }
}

/// One headers binding with these arguments against one message with these headers.
#[track_caller]
fn headers_match(arguments: &[(&str, FieldValue)], headers: &[(&str, FieldValue)], expected: bool) {
    let mut exchange = BindingTable::new(ExchangeType::Headers);
    assert_eq!(exchange.bind("", &table(arguments), 1), Ok(true));
    let headers = table(headers).to_bytes();
    let mut queues = Vec::new();
    exchange.route(b"", Some(TableRef::new(&headers)), &mut queues);
    assert_eq!(queues, if expected { vec![1] } else { vec![] });
}

fn text(text: &str) -> FieldValue {
    FieldValue::from(text)
}

#[test]
fn headers_all_and_any() {
    let pair = [("format", text("pdf")), ("type", text("report"))];
    let all = [("x-match", text("all")), pair[0].clone(), pair[1].clone()];
    let any = [("x-match", text("any")), pair[0].clone(), pair[1].clone()];
    headers_match(&pair, &pair, true);
    headers_match(&pair, &pair[..1], false);
    headers_match(&all, &pair, true);
    headers_match(&all, &pair[1..], false);
    headers_match(&any, &pair[1..], true);
    headers_match(&any, &[("format", text("zip")), ("type", text("log"))], false);
    headers_match(&any, &[], false);
}

#[test]
fn headers_without_arguments() {
    headers_match(&[], &[], true);
    headers_match(&[], &[("a", text("b"))], true);
    headers_match(&[("x-match", text("all"))], &[("a", text("b"))], true);
    headers_match(&[("x-match", text("any"))], &[("a", text("b"))], false);
    headers_match(&[("x-match", text("all-with-x"))], &[], true);
    headers_match(&[("x-match", text("any-with-x"))], &[], false);
}

#[test]
fn headers_starting_with_x_count_only_when_asked() {
    let x = ("x-kind", text("a"));
    headers_match(std::slice::from_ref(&x), &[], true);
    headers_match(&[("x-match", text("any")), x.clone()], std::slice::from_ref(&x), false);
    headers_match(&[("x-match", text("all-with-x")), x.clone()], &[], false);
    headers_match(&[("x-match", text("all-with-x")), x.clone()], std::slice::from_ref(&x), true);
    headers_match(&[("x-match", text("any-with-x")), x.clone()], std::slice::from_ref(&x), true);
    headers_match(&[("x-match", text("any-with-x")), x], &[("x-match", text("any-with-x"))], false);
    headers_match(&[("xylophone", text("a"))], &[], false);
}

#[test]
fn headers_void_asks_for_presence() {
    headers_match(&[("a", FieldValue::Void)], &[("a", text("anything"))], true);
    headers_match(&[("a", FieldValue::Void)], &[("a", FieldValue::Void)], true);
    headers_match(&[("a", FieldValue::Void)], &[("b", text("anything"))], false);
    headers_match(&[("a", text(""))], &[("a", FieldValue::Void)], false);
}

#[test]
fn headers_compare_decoded_values() {
    let one = |wanted: FieldValue, header: FieldValue, expected| {
        headers_match(&[("a", wanted)], &[("a", header)], expected);
    };
    one(FieldValue::I32(5), FieldValue::I64(5), true);
    one(FieldValue::U8(5), FieldValue::I16(5), true);
    one(FieldValue::I8(-1), FieldValue::U8(255), false);
    one(FieldValue::I32(5), FieldValue::F64(5.0), false);
    one(FieldValue::I32(5), text("5"), false);
    one(FieldValue::F32(0.5), FieldValue::F64(0.5), true);
    one(FieldValue::Bool(true), FieldValue::Bool(true), true);
    one(FieldValue::Bool(true), FieldValue::I8(1), false);
    one(text("a"), FieldValue::Bytes(b"a".to_vec()), true);
    one(FieldValue::Timestamp(7), FieldValue::Timestamp(7), true);
    one(FieldValue::Decimal { scale: 1, value: 5 }, FieldValue::Decimal { scale: 1, value: 5 }, true);
    one(FieldValue::Decimal { scale: 1, value: 5 }, FieldValue::Decimal { scale: 2, value: 50 }, false);
    one(FieldValue::Array(vec![FieldValue::I32(1)]), FieldValue::Array(vec![FieldValue::I32(1)]), true);
    one(FieldValue::Array(vec![FieldValue::I32(1)]), FieldValue::Array(vec![FieldValue::I64(1)]), false);
    one(table(&[("b", text("c"))]).into(), table(&[("b", text("c"))]).into(), true);
}

#[test]
fn headers_of_a_message_without_any() {
    let mut exchange = BindingTable::new(ExchangeType::Headers);
    assert_eq!(exchange.bind("", &FieldTable::new(), 1), Ok(true));
    assert_eq!(exchange.bind("", &table(&[("a", FieldValue::Void)]), 2), Ok(true));
    check(&exchange, "ignored", &[1]);
}

#[test]
fn headers_the_last_of_two_with_one_name_counts() {
    let headers = [1, b'a', b'B', 1, 1, b'a', b'B', 2];
    let mut exchange = BindingTable::new(ExchangeType::Headers);
    for value in [1, 2] {
        assert_eq!(exchange.bind("", &table(&[("a", FieldValue::U8(value))]), u32::from(value)), Ok(true));
    }
    let mut queues = Vec::new();
    exchange.route(b"", Some(TableRef::new(&headers)), &mut queues);
    assert_eq!(queues, [2]);
}

#[test]
fn headers_that_cannot_be_read_end_there() {
    let headers = [1, b'a', b'B', 1, 1, b'b', b'?', 0];
    let mut exchange = BindingTable::new(ExchangeType::Headers);
    assert_eq!(exchange.bind("", &table(&[("a", FieldValue::Void)]), 1), Ok(true));
    assert_eq!(exchange.bind("", &table(&[("b", FieldValue::Void)]), 2), Ok(true));
    let mut queues = Vec::new();
    exchange.route(b"", Some(TableRef::new(&headers)), &mut queues);
    assert_eq!(queues, [1]);
}

#[test]
fn headers_more_than_fit_on_the_stack() {
    let headers: FieldTable = (0..100).map(|at| (format!("h{}", (at * 37) % 100), FieldValue::I32(at))).collect();
    let headers = headers.to_bytes();
    let mut exchange = BindingTable::new(ExchangeType::Headers);
    for at in 0..100 {
        let arguments = table(&[(&format!("h{}", (at * 37) % 100), FieldValue::I64(i64::from(at)))]);
        assert_eq!(exchange.bind("", &arguments, at as u32), Ok(true));
    }
    let mut queues = Vec::new();
    exchange.route(b"", Some(TableRef::new(&headers)), &mut queues);
    queues.sort_unstable();
    assert_eq!(queues, (0..100).collect::<Vec<_>>());
}

#[test]
fn headers_bindings_with_a_bad_x_match_are_refused() {
    #[track_caller]
    fn refused(value: FieldValue, expected: &str) {
        let arguments = table(&[("x-match", value)]);
        let error = BindingTable::new(ExchangeType::Headers).bind("", &arguments, 1);
        assert_eq!(error.as_ref().map_err(BindError::to_string), Err(expected.to_owned()));
        assert_eq!(BindingTable::new(ExchangeType::Topic).bind("", &arguments, 1), Ok(true));
    }
    refused(text("foo"), r#"Invalid x-match field value <<"foo">>; expected all, any, all-with-x, or any-with-x"#);
    refused(text(""), "Invalid x-match field value <<>>; expected all, any, all-with-x, or any-with-x");
    refused(FieldValue::I32(1), "Invalid x-match field type signedint (value 1); expected longstr");
    refused(FieldValue::Bool(true), "Invalid x-match field type bool (value true); expected longstr");
    refused(FieldValue::Void, "Invalid x-match field type void (value undefined); expected longstr");
    refused(
        FieldValue::Bytes(b"all".to_vec()),
        r#"Invalid x-match field type binary (value <<"all">>); expected longstr"#,
    );
    refused(FieldValue::F64(1.0), "Invalid x-match field type double (value 1.0); expected longstr");
    refused(
        FieldValue::Array(vec![FieldValue::I32(1), text("a")]),
        r#"Invalid x-match field type array (value [{signedint,1},{longstr,<<"a">>}]); expected longstr"#,
    );
}

/// Destinations of the keys `0` to `99`.
fn of_a_hundred_keys(exchange: &BindingTable<u32>) -> Vec<u32> {
    let mut found = Vec::new();
    for key in 0..100 {
        exchange.route(key.to_string().as_bytes(), None, &mut found);
    }
    found
}

#[test]
fn a_consistent_hash_table_made_again_in_the_same_order_is_the_same() {
    let mut exchange = bound(ExchangeType::ConsistentHash, &[("3", 30), ("1", 10), ("2", 20)]);
    let mut orders = vec![exchange.newest_order()];
    assert_eq!(exchange.bind("5", &FieldTable::new(), 5), Ok(true));
    orders.push(exchange.newest_order());
    assert!(orders[0] < orders[1]);
    let expected = of_a_hundred_keys(&exchange);
    assert_eq!(expected.len(), 100);

    let mut again = bound(ExchangeType::ConsistentHash, &[("3", 30), ("1", 10), ("2", 20), ("5", 5)]);
    again.continue_after(1000);
    assert_eq!(of_a_hundred_keys(&again), expected);
    assert_eq!(again.bind("1", &FieldTable::new(), 6), Ok(true));
    assert_eq!(again.newest_order(), 1001);
    let another = bound(ExchangeType::ConsistentHash, &[("1", 10), ("2", 20), ("3", 30), ("5", 5)]);
    assert_ne!(of_a_hundred_keys(&another), expected);
}

#[test]
fn a_consistent_hash_table_that_shrinks_keeps_its_order() {
    let mut exchange = BindingTable::new(ExchangeType::ConsistentHash);
    for destination in 0..2000 {
        assert_eq!(exchange.bind("1", &FieldTable::new(), destination), Ok(true));
    }
    for destination in 50..2000 {
        assert_eq!(exchange.remove_destination(destination), 1);
    }
    let fifty: Vec<_> = (0..50).map(|destination| ("1", destination)).collect();
    assert_eq!(of_a_hundred_keys(&exchange), of_a_hundred_keys(&bound(ExchangeType::ConsistentHash, &fifty)));
}

#[test]
fn a_weight_is_checked_where_a_binding_is_made() {
    let mut exchange = BindingTable::new(ExchangeType::ConsistentHash);
    assert_eq!(exchange.bind("k", &FieldTable::new(), 1), Err(BindError::WeightNotInteger));
    assert!(!exchange.unbind("k", &FieldTable::new(), 1));
    assert!(of_a_hundred_keys(&exchange).is_empty());
}
