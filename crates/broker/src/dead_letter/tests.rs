use super::*;
use amqp::{FieldTable, FieldValue, Properties};
use proptest::prelude::*;
use store::ChunkPool;

const TIME_MS: u64 = 1_700_000_000_999;

fn arena() -> Arena {
    Arena::new(ChunkPool::new(2))
}

fn text(text: &str) -> FieldValue {
    FieldValue::LongString(text.as_bytes().to_vec())
}

fn texts(items: &[&str]) -> FieldValue {
    FieldValue::Array(items.iter().map(|item| text(item)).collect())
}

fn table(fields: &[(&str, FieldValue)]) -> FieldTable {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn message_of(exchange: &str, key: &str, headers: &[u8], properties: Properties<'_>) -> Message {
    let headers = Some(TableRef::new(headers)).filter(|table| !table.is_empty());
    let mut header = Vec::new();
    Properties { headers, ..properties }.encode_header(4, &mut header);
    let names = names(exchange.as_bytes(), key.as_bytes());
    let parts = MessageParts { names: &names, header: &header, persistent: true, entered_ms: 1 };
    Message::store(&mut arena(), parts, b"body")
}

fn published(exchange: &str, key: &str, headers: &FieldTable) -> Message {
    message_of(exchange, key, &headers.to_bytes(), Properties::default())
}

fn to(exchange: &str, routing_key: Option<&str>) -> DeadLetterTarget {
    DeadLetterTarget { exchange: exchange.into(), routing_key: routing_key.map(Into::into), at_least_once: false }
}

fn dies<'m>(message: &'m Message, queue: &str, reason: Reason, target: &DeadLetterTarget) -> DeadLetter<'m> {
    DeadLetter::new(message, queue, reason, TIME_MS, target, PublisherDeaths::Ignore)
}

fn headers_of(message: &Message) -> FieldTable {
    let headers = PropertiesRef::of_payload(message.parts().header).and_then(|properties| properties.headers());
    headers.expect("headers").to_owned().expect("a table")
}

/// One table of x-death, with the time of these tests.
fn death(count: i64, reason: &str, queue: &str, exchange: &str, keys: &[&str]) -> FieldTable {
    table(&[
        ("count", FieldValue::I64(count)),
        ("reason", text(reason)),
        ("queue", text(queue)),
        ("time", FieldValue::Timestamp(TIME_MS / 1000)),
        ("exchange", text(exchange)),
        ("routing-keys", texts(keys)),
    ])
}

fn deaths(tables: &[FieldTable]) -> FieldValue {
    FieldValue::Array(tables.iter().cloned().map(FieldValue::Table).collect())
}

/// The headers that are added for these deaths, exchange, queue and reason each.
fn history(tables: &[FieldTable], first: [&str; 3], last: [&str; 3]) -> FieldTable {
    table(&[
        ("x-death", deaths(tables)),
        ("x-first-death-exchange", text(first[0])),
        ("x-first-death-queue", text(first[1])),
        ("x-first-death-reason", text(first[2])),
        ("x-last-death-exchange", text(last[0])),
        ("x-last-death-queue", text(last[1])),
        ("x-last-death-reason", text(last[2])),
    ])
}

#[test]
fn the_first_death_is_told() {
    let message = published("orders", "new", &table(&[("zebra", text("z")), ("apple", FieldValue::I32(1))]));
    for (reason, word) in [
        (Reason::Rejected, "rejected"),
        (Reason::Expired, "expired"),
        (Reason::MaxLength, "maxlen"),
        (Reason::DeliveryLimit, "delivery_limit"),
    ] {
        let letter = dies(&message, "work", reason, &to("graveyard", None)).store(&mut arena(), 7);
        let told = ["orders", "work", word];
        let mut expected = table(&[("zebra", text("z")), ("apple", FieldValue::I32(1))]);
        for (name, value) in history(&[death(1, word, "work", "orders", &["new"])], told, told) {
            expected.insert(name, value);
        }
        assert_eq!(headers_of(&letter), expected);
        assert_eq!((letter.parts().exchange(), letter.parts().routing_key()), (&b"graveyard"[..], &b"new"[..]));
        assert!(letter.is_dead_letter() && letter.is_persistent());
        assert_eq!(letter.entered_ms(), 7);
        assert_eq!(letter.body_len(), 4);
    }
}

#[test]
fn properties_stay_but_the_expiration_which_is_told() {
    let properties = Properties {
        content_type: Some("text/plain"),
        content_encoding: Some("gzip"),
        delivery_mode: Some(2),
        priority: Some(3),
        correlation_id: Some("correlation"),
        reply_to: Some("reply"),
        expiration: Some("+0500"),
        message_id: Some("id"),
        timestamp: Some(1),
        kind: Some("kind"),
        user_id: Some("user"),
        app_id: Some("app"),
        cluster_id: Some("cluster"),
        headers: None,
    };
    let message = message_of("", "work", &[], properties);
    let letter = dies(&message, "work", Reason::Expired, &to("", Some("next"))).store(&mut arena(), 0);
    let told = ["", "work", "expired"];
    let mut with_expiration = table(&[("original-expiration", text("500"))]);
    for (name, value) in death(1, "expired", "work", "", &["work"]) {
        with_expiration.insert(name, value);
    }
    let headers = history(&[with_expiration.clone()], told, told).to_bytes();
    let mut expected = Vec::new();
    Properties { headers: Some(TableRef::new(&headers)), expiration: None, ..properties }
        .encode_header(4, &mut expected);
    assert_eq!(letter.parts().header, expected);

    // The next queue did not see an expiration, and the first death keeps what is told of it.
    let again = dies(&letter, "next", Reason::MaxLength, &to("", None)).store(&mut arena(), 0);
    let tables = [death(1, "maxlen", "next", "", &["next"]), with_expiration];
    assert_eq!(headers_of(&again), history(&tables, told, ["", "next", "maxlen"]));
}

#[test]
fn deaths_are_counted_per_queue_and_reason_and_the_latest_stands_first() {
    let mut message = published("e", "k", &FieldTable::new());
    for (queue, reason) in [
        ("a", Reason::Rejected),
        ("b", Reason::Expired),
        ("a", Reason::Expired),
        ("a", Reason::Rejected),
        ("b", Reason::Expired),
        ("a", Reason::Rejected),
    ] {
        message = dies(&message, queue, reason, &to("x", Some(queue))).store(&mut arena(), 0);
    }
    // Exchange and routing key are those of the first time that it died in that queue for that reason.
    let tables = [
        death(3, "rejected", "a", "e", &["k"]),
        death(2, "expired", "b", "x", &["a"]),
        death(1, "expired", "a", "x", &["b"]),
    ];
    assert_eq!(headers_of(&message), history(&tables, ["e", "a", "rejected"], ["x", "a", "rejected"]));
}

#[test]
fn cc_stays_and_counts_until_the_key_is_replaced() {
    let cc = table(&[("CC", texts(&["cc 1", "cc 2"]))]);
    let message = published("", "q1", &cc);
    let own = dies(&message, "q1", Reason::Rejected, &to("dlx", None));
    assert_eq!(own.routing_keys(), [&b"q1"[..], b"cc 1", b"cc 2"]);
    let own = own.store(&mut arena(), 0);
    assert!(!own.has_replaced_key());

    let replaced = dies(&message, "q1", Reason::Expired, &to("", Some("q2")));
    assert_eq!(replaced.routing_keys(), [&b"q2"[..]]);
    let replaced = replaced.store(&mut arena(), 0);
    let twice = dies(&replaced, "q2", Reason::Expired, &to("", None));
    assert_eq!(twice.routing_keys(), [&b"q2"[..]]);
    let tables = [death(1, "expired", "q2", "", &["q2"]), death(1, "expired", "q1", "", &["q1", "cc 1", "cc 2"])];
    let mut expected = cc;
    for (name, value) in history(&tables, ["", "q1", "expired"], ["", "q2", "expired"]) {
        expected.insert(name, value);
    }
    assert_eq!(headers_of(&twice.store(&mut arena(), 0)), expected);
}

#[test]
fn hidden_keys_route_and_are_told_nowhere() {
    let message = published("", "q1", &table(&[("CC", texts(&["cc"]))]));
    let message = message.with_hidden_keys(&mut arena(), [&b"bcc"[..]].into_iter());
    let own = dies(&message, "q1", Reason::Rejected, &to("dlx", None));
    assert_eq!(own.routing_keys(), [&b"q1"[..], b"cc", b"bcc"]);
    let own = own.store(&mut arena(), 0);
    let told = headers_of(&own);
    assert_eq!(told.get("x-death"), Some(&deaths(&[death(1, "rejected", "q1", "", &["q1", "cc"])])));
    assert_eq!(dies(&own, "q2", Reason::Rejected, &to("dlx", None)).routing_keys(), [&b"q1"[..], b"cc", b"bcc"]);
    let replaced = dies(&own, "q2", Reason::Rejected, &to("dlx", Some("k"))).store(&mut arena(), 0);
    assert_eq!(dies(&replaced, "q3", Reason::Rejected, &to("dlx", None)).routing_keys(), [&b"k"[..]]);
}

#[test]
fn a_queue_is_passed_over_when_nobody_rejected_the_message_since_it_died_there() {
    use Reason::{DeliveryLimit, Expired, MaxLength, Rejected};
    #[track_caller]
    fn check(deaths: &[(&str, Reason)], round: &[&str]) {
        let mut message = published("", "k", &FieldTable::new());
        let (last, before) = deaths.split_last().expect("one at least");
        for (queue, reason) in before {
            message = dies(&message, queue, *reason, &to("", None)).store(&mut arena(), 0);
        }
        let letter = dies(&message, last.0, last.1, &to("", None));
        let found: Vec<&str> = ["a", "b", "c"].into_iter().filter(|queue| letter.goes_round(queue)).collect();
        assert_eq!(found, round, "{deaths:?}");
    }
    check(&[("a", Expired)], &["a"]);
    check(&[("a", MaxLength)], &["a"]);
    check(&[("a", DeliveryLimit)], &["a"]);
    check(&[("a", Rejected)], &[]);
    check(&[("a", Expired), ("b", MaxLength)], &["a", "b"]);
    check(&[("a", Expired), ("b", Rejected)], &[]);
    check(&[("a", Expired), ("b", Rejected), ("c", Expired)], &["c"]);
    check(&[("a", Rejected), ("b", Expired)], &["b"]);
    // The rejection in `a` is older than its expiry there.
    check(&[("a", Rejected), ("a", Expired)], &["a"]);
    check(&[("a", Expired), ("a", Rejected), ("b", Expired)], &["b"]);
    // Dying again in the same way makes it the latest.
    check(&[("a", Expired), ("b", Rejected), ("a", Expired)], &["a"]);
}

/// What a consumer saw, published again.
fn republished(headers: &FieldTable) -> Message {
    published("", "q", headers)
}

#[test]
fn what_a_publisher_tells_counts_only_when_asked() {
    let told = history(&[death(4, "expired", "q", "e", &["k"])], ["e", "q", "expired"], ["e", "q", "expired"]);
    let message = republished(&told);
    let ignored = dies(&message, "q", Reason::Expired, &to("", None));
    let own = ["", "q", "expired"];
    let expected = history(&[death(1, "expired", "q", "", &["q"])], own, own);
    assert_eq!(headers_of(&ignored.store(&mut arena(), 0)), expected);

    let interpret = |message, reason| {
        DeadLetter::new(message, "q", reason, TIME_MS, &to("", None), PublisherDeaths::Interpret).store(&mut arena(), 0)
    };
    let expected = history(&[death(5, "expired", "q", "e", &["k"])], ["e", "q", "expired"], own);
    assert_eq!(headers_of(&interpret(&message, Reason::Expired)), expected);
    let tables = [death(1, "maxlen", "q", "", &["q"]), death(4, "expired", "q", "e", &["k"])];
    let expected = history(&tables, ["e", "q", "expired"], ["", "q", "maxlen"]);
    assert_eq!(headers_of(&interpret(&message, Reason::MaxLength)), expected);

    // Clients that turn headers into text and publish them again.
    let message = republished(&table(&[("x-death", text("[{count: 1}]"))]));
    let expected = history(&[death(1, "expired", "q", "", &["q"])], own, own);
    assert_eq!(headers_of(&interpret(&message, Reason::Expired)), expected);

    // Tables without a count, with another type of it, twice, and what is no death.
    let uncounted = table(&[("queue", text("q")), ("reason", text("expired"))]);
    let short = table(&[("reason", text("expired")), ("count", FieldValue::I8(2)), ("queue", text("q"))]);
    let mut odd = vec![FieldValue::Void, FieldValue::Table(uncounted), FieldValue::Table(short)];
    let message = republished(&table(&[("x-death", FieldValue::Array(odd.clone()))]));
    let counted = table(&[("queue", text("q")), ("reason", text("expired")), ("count", FieldValue::I64(1))]);
    assert_eq!(headers_of(&interpret(&message, Reason::Expired)).get("x-death"), Some(&deaths(&[counted])));
    odd.remove(1);
    let message = republished(&table(&[("x-death", FieldValue::Array(odd))]));
    let counted = table(&[("reason", text("expired")), ("count", FieldValue::I64(3)), ("queue", text("q"))]);
    assert_eq!(headers_of(&interpret(&message, Reason::Expired)).get("x-death"), Some(&deaths(&[counted])));
}

#[test]
fn a_long_history_ends_and_the_header_stays_within_its_limit() {
    let keys: Vec<String> = (0..5).map(|at| format!("{at}{}", "k".repeat(200))).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut message = published("", "k", &table(&[("CC", texts(&keys))]));
    for at in 0..2000 {
        let queue = format!("{at}{}", "q".repeat(200));
        message = dies(&message, &queue, Reason::Expired, &to("", None)).store(&mut arena(), 0);
        assert!(message.parts().header.len() <= LARGEST_HEADER);
        let letter = dies(&message, "last", Reason::Expired, &to("", None));
        assert!(letter.goes_round("last") && letter.goes_round(&queue));
    }
    let headers = headers_of(&message);
    assert_eq!(headers.get("CC"), Some(&texts(&keys)));
    let Some(FieldValue::Array(tables)) = headers.get("x-death") else { panic!("no history") };
    assert!((50..200).contains(&tables.len()), "{} deaths are left", tables.len());
    assert_eq!(headers.get("x-first-death-queue"), Some(&text(&format!("0{}", "q".repeat(200)))));
}

#[test]
fn a_header_as_large_as_it_may_be_has_room_for_a_death() {
    let longest = "n".repeat(255);
    let filler = table(&[("filler", FieldValue::Bytes(vec![7; LARGEST_SLICE / 2 - 40]))]);
    // Routing keys that fit the message once, but not once more in its history.
    let cc = table(&[("CC", texts(&vec!["cccc"; LARGEST_SLICE / 18 - 10]))]);
    for (fields, keys) in [(filler, 1), (cc, LARGEST_SLICE / 18 - 9)] {
        let message = published(&longest, &longest, &fields);
        let len = message.parts().header.len();
        assert!((LARGEST_SLICE / 2 - 200..=LARGEST_SLICE / 2).contains(&len), "{len}");
        let letter = dies(&message, &longest, Reason::DeliveryLimit, &to(&longest, None));
        assert_eq!(letter.routing_keys().len(), keys);
        let letter = letter.store(&mut arena(), 0);
        let again = dies(&letter, "b", Reason::DeliveryLimit, &to("", None)).store(&mut arena(), 0);
        let headers = headers_of(&again);
        let Some(FieldValue::Array(tables)) = headers.get("x-death") else { panic!("no history") };
        assert_eq!(tables.len(), 2);
        assert_eq!(headers.get("x-first-death-queue"), Some(&text(&longest)));
        assert_eq!(headers.get("x-last-death-queue"), Some(&text("b")));
    }
}

fn any_value() -> impl Strategy<Value = FieldValue> {
    let word = prop::sample::select(vec!["q", "p", "expired", "rejected", "maxlen", ""]);
    let leaf = prop_oneof![
        word.prop_map(text),
        any::<i64>().prop_map(FieldValue::I64),
        any::<u8>().prop_map(FieldValue::U8),
        any::<bool>().prop_map(FieldValue::Bool),
        any::<Vec<u8>>().prop_map(FieldValue::Bytes),
        any::<u64>().prop_map(FieldValue::Timestamp),
        Just(FieldValue::Void),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let name = prop::sample::select(vec!["queue", "reason", "count", "time", "x-death", "other"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(FieldValue::Array),
            prop::collection::vec((name.prop_map(str::to_owned), inner), 0..6)
                .prop_map(|fields| FieldValue::Table(fields.into_iter().collect())),
        ]
    })
}

fn any_headers() -> impl Strategy<Value = FieldTable> {
    let name = prop::sample::select(vec!["x-death", "x-death", "x-first-death-queue", "x-last-death-queue", "CC", "a"]);
    prop::collection::vec((name.prop_map(str::to_owned), any_value()), 0..5)
        .prop_map(|fields| fields.into_iter().collect())
}

fn any_reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(vec![Reason::Rejected, Reason::Expired, Reason::MaxLength, Reason::DeliveryLimit])
}

proptest! {
    /// However the headers look, other fields stay in their order, the latest death stands first, nobody but an array of
    /// tables is history, and dying in the same ways again does not make it longer.
    #[test]
    fn any_headers_are_rewritten(
        headers in any_headers(),
        ways in prop::collection::vec((prop::sample::select(vec!["q", "p"]), any_reason()), 1..6),
        interpret: bool,
    ) {
        let publisher = if interpret { PublisherDeaths::Interpret } else { PublisherDeaths::Ignore };
        let mut message = published("e", "k", &headers);
        let mut longest = 0;
        for round in 0..4 {
            for (queue, reason) in &ways {
                let letter = DeadLetter::new(&message, queue, *reason, TIME_MS, &to("x", None), publisher);
                prop_assert_eq!(letter.goes_round(queue), *reason != Reason::Rejected);
                let next = letter.store(&mut arena(), 0);
                let told = headers_of(&next);
                let Some(FieldValue::Array(tables)) = told.get("x-death") else { panic!("no history") };
                let Some(FieldValue::Table(first)) = tables.first() else { panic!("no death") };
                prop_assert_eq!(first.get("queue"), Some(&text(queue)));
                prop_assert_eq!(first.get("reason"), Some(&text(reason.word())));
                prop_assert_eq!(told.get("x-last-death-queue"), Some(&text(queue)));
                let others = |table: &FieldTable| -> Vec<(String, FieldValue)> {
                    let is_other = |name: &str| !name.starts_with("x-");
                    table.iter().filter(|(name, _)| is_other(name)).map(|(name, value)| (name.to_owned(), value.clone())).collect()
                };
                prop_assert_eq!(others(&told), others(&headers));
                message = next;
            }
            if round == 1 {
                longest = message.parts().header.len();
            }
        }
        prop_assert_eq!(message.parts().header.len(), longest);
    }

    /// Headers that are no tables at all cannot be published; here they do no harm.
    #[test]
    fn bytes_that_are_no_header_do_no_harm(header: Vec<u8>, table: Vec<u8>) {
        let names = names(b"e", b"k");
        let parts = MessageParts { names: &names, header: &header, persistent: false, entered_ms: 0 };
        let damaged = Message::store(&mut arena(), parts, b"body");
        let odd = message_of("e", "k", &table, Properties::default());
        for message in [damaged, odd] {
            let letter = dies(&message, "q", Reason::Expired, &to("x", None));
            prop_assert!(letter.goes_round("q"));
            prop_assert!(letter.properties().headers().is_some());
        }
    }
}

#[test]
#[ignore = "measures: cargo test --release -p broker dead_letter::tests::speed -- --ignored --nocapture"]
fn speed() {
    let headers = table(&[("trace", text("0af7651916cd43dd8448eb211c80319c")), ("attempt", FieldValue::I32(1))]);
    let fresh = published("orders", "new", &headers);
    let mut old = fresh.clone();
    for queue in ["a", "b", "c", "d"] {
        old = dies(&old, queue, Reason::Expired, &to("", None)).store(&mut arena(), 0);
    }
    let (mut arena, target) = (arena(), to("dlx", None));
    for (what, message) in [("first death", &fresh), ("fifth death", &old)] {
        let rounds = 1_000_000;
        let start = std::time::Instant::now();
        let mut bytes = 0;
        for _ in 0..rounds {
            let letter = dies(message, "work", Reason::Expired, &target);
            bytes += usize::from(letter.goes_round("other")) + letter.store(&mut arena, 0).memory();
        }
        let ns = start.elapsed().as_nanos() / rounds;
        println!("{what}: {ns} ns, {} bytes", bytes as u128 / rounds);
    }
}
