//! What dead-lettering writes into a message: x-death, x-first-death-*, x-last-death-*, and the expiration it takes away.

use std::time::{SystemTime, UNIX_EPOCH};

use testkit::method::reject;
use testkit::{Delivery, Properties, Publish, RawClient, Value, table};

use super::waiting::{
    await_message, death_counts, deaths, header, put, put_all, queue_with, take, text_header, with_dead_letters,
};
use crate::ours_only;
use crate::support::{bind, connect, delete_exchange, exchange, queue};

/// Takes the next message of `source` and rejects it; the dead letter in `dead`.
#[track_caller]
fn reject_one(client: &mut RawClient, source: &str, dead: &str) -> Delivery {
    let taken = super::waiting::until("message to reject", || client.get(1, source, false));
    client.send(1, reject(taken.delivery_tag, false));
    await_message(client, dead)
}

#[test]
fn a_rejected_message_says_where_it_was() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "rejected", []);
    put_all(&mut client, &source, &["a"]);
    let taken = reject_one(&mut client, &source, &dead);
    let deaths = deaths(&taken);
    assert_eq!(deaths.len(), 1);
    let death = &deaths[0];
    assert_eq!((death.reason.as_str(), death.queue.as_str(), death.exchange.as_str()), ("rejected", &*source, ""));
    assert_eq!((death.count, &death.routing_keys, &death.original_expiration), (1, &vec![source.clone()], &None));
    assert_eq!(death.fields, ["count", "reason", "queue", "time", "exchange", "routing-keys"]);
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    assert!(now_s.abs_diff(death.time_s) < 60, "{} is not about {now_s}", death.time_s);
}

#[test]
fn the_exchange_and_key_it_was_published_with_are_recorded() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "published", []);
    let exchange = exchange(&mut client, "topic");
    bind(&mut client, &source, &exchange, "some.*");
    client.publish(1, &exchange, "some.key", "a");
    let taken = reject_one(&mut client, &source, &dead);
    let death = &deaths(&taken)[0];
    assert_eq!((death.exchange.as_str(), death.routing_keys.join(",").as_str()), (exchange.as_str(), "some.key"));
    assert_eq!(text_header(&taken, "x-first-death-exchange"), Some(exchange.clone()));
    delete_exchange(&mut client, &exchange);
}

#[test]
fn the_time_of_the_queue_is_no_original_expiration() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "expired", [("x-message-ttl", 1.into())]);
    put_all(&mut client, &source, &["a"]);
    let death = &deaths(&await_message(&mut client, &dead))[0];
    assert_eq!((death.reason.as_str(), &death.original_expiration), ("expired", &None));
}

#[test]
fn the_expiration_of_the_message_moves_into_x_death() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "expired", []);
    put(&mut client, &source, &Properties::default().expiration("1"), "a");
    let taken = await_message(&mut client, &dead);
    let death = &deaths(&taken)[0];
    assert_eq!((death.reason.as_str(), death.original_expiration.as_deref()), ("expired", Some("1")));
    assert_eq!(taken.properties.expiration, None);
}

/// 4.x puts the field in front, 3.10 at the end.
#[test]
fn the_original_expiration_is_the_first_field_as_in_4() {
    ours_only!("3.10 puts original-expiration at the end");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "expired", []);
    put(&mut client, &source, &Properties::default().expiration("1"), "a");
    let fields = deaths(&await_message(&mut client, &dead))[0].fields.clone();
    assert_eq!(fields, ["original-expiration", "count", "reason", "queue", "time", "exchange", "routing-keys"]);
}

#[test]
fn a_rejected_message_loses_its_expiration_too() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "rejected", []);
    put(&mut client, &source, &Properties::default().expiration("3600000"), "a");
    let taken = reject_one(&mut client, &source, &dead);
    assert_eq!(taken.properties.expiration, None);
    assert_eq!(deaths(&taken)[0].original_expiration.as_deref(), Some("3600000"));
}

#[test]
fn a_dropped_message_says_maxlen() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "maxlen", [("x-max-length", 1.into())]);
    put_all(&mut client, &source, &["a", "b"]);
    let taken = await_message(&mut client, &dead);
    assert_eq!((taken.text().as_str(), death_counts(&taken)), ("a", vec![("maxlen".to_owned(), source.clone(), 1)]));
}

#[test]
fn the_same_death_again_is_counted() {
    let mut client = connect();
    let source = queue_with(&mut client, "cycle", [("x-dead-letter-exchange", "".into())]);
    put_all(&mut client, &source, &["a"]);
    let mut first_time_s = None;
    for count in 0..4 {
        let taken = super::waiting::until("the message again", || client.get(1, &source, false));
        let deaths = deaths(&taken);
        assert_eq!(
            deaths.iter().map(|death| death.count).collect::<Vec<_>>(),
            if count == 0 { vec![] } else { vec![count] }
        );
        if let Some(death) = deaths.first() {
            assert_eq!(*first_time_s.get_or_insert(death.time_s), death.time_s, "the time is that of the first");
        }
        client.send(1, reject(taken.delivery_tag, false));
    }
}

#[test]
fn each_queue_and_reason_has_an_entry_and_the_newest_is_first() {
    let mut client = connect();
    let last = queue(&mut client, "last");
    let to = |target: &str| [("x-dead-letter-exchange", "".into()), ("x-dead-letter-routing-key", target.into())];
    let middle = queue_with(&mut client, "middle", to(&last));
    let source = queue_with(&mut client, "source", to(&middle));
    put_all(&mut client, &source, &["a"]);
    take(&mut client, &source, 1);
    client.send(1, reject(1, false));
    let taken = reject_one(&mut client, &middle, &last);
    let rejected = |queue: &String| ("rejected".to_owned(), queue.clone(), 1);
    assert_eq!(death_counts(&taken), [rejected(&middle), rejected(&source)]);
    assert_eq!(deaths(&taken)[0].routing_keys, [middle.as_str()]);
}

/// The entry that is counted moves to the front.
#[test]
fn a_counted_entry_becomes_the_first() {
    let mut client = connect();
    let two = crate::support::unique("two");
    let to = |target: &str| [("x-dead-letter-exchange", "".into()), ("x-dead-letter-routing-key", target.into())];
    let one = queue_with(&mut client, "one", to(&two));
    let declare = testkit::QueueDeclare::exclusive(&two).argument("x-dead-letter-exchange", "");
    client.declare(1, declare.argument("x-dead-letter-routing-key", one.as_str()));
    put_all(&mut client, &one, &["a"]);
    let rejected = |queue: &String, count| ("rejected".to_owned(), queue.clone(), count);
    let steps = [
        (&one, vec![]),
        (&two, vec![rejected(&one, 1)]),
        (&one, vec![rejected(&two, 1), rejected(&one, 1)]),
        (&two, vec![rejected(&one, 2), rejected(&two, 1)]),
        (&one, vec![rejected(&two, 2), rejected(&one, 2)]),
    ];
    for (queue, expected) in steps {
        let taken = super::waiting::until("the message", || client.get(1, queue, false));
        assert_eq!(death_counts(&taken), expected);
        client.send(1, reject(taken.delivery_tag, false));
    }
}

#[test]
fn the_first_death_stays() {
    let mut client = connect();
    let exchange = exchange(&mut client, "direct");
    let second = crate::support::unique("second");
    let arguments =
        [("x-dead-letter-exchange", exchange.as_str().into()), ("x-dead-letter-routing-key", second.as_str().into())];
    let first = queue_with(&mut client, "first", arguments);
    let declare = testkit::QueueDeclare::exclusive(&second).argument("x-dead-letter-exchange", "");
    client.declare(1, declare.argument("x-dead-letter-routing-key", first.as_str()));
    bind(&mut client, &second, &exchange, &second);
    put_all(&mut client, &first, &["a"]);
    let check = |taken: &Delivery| {
        assert_eq!(text_header(taken, "x-first-death-reason").as_deref(), Some("rejected"));
        assert_eq!(text_header(taken, "x-first-death-queue"), Some(first.clone()));
        assert_eq!(text_header(taken, "x-first-death-exchange").as_deref(), Some(""));
    };
    take(&mut client, &first, 1);
    client.send(1, reject(1, false));
    let in_second = super::waiting::until("the dead letter", || client.get(1, &second, false));
    check(&in_second);
    client.send(1, reject(in_second.delivery_tag, false));
    check(&await_message(&mut client, &first));
    delete_exchange(&mut client, &exchange);
}

#[test]
fn the_last_death_changes_as_in_4() {
    ours_only!("x-last-death-* came with 3.13");
    let mut client = connect();
    let last = queue(&mut client, "last");
    let to = |target: &str| [("x-dead-letter-exchange", "".into()), ("x-dead-letter-routing-key", target.into())];
    let middle = queue_with(&mut client, "middle", to(&last));
    let exchange = exchange(&mut client, "fanout");
    let source = queue_with(&mut client, "source", to(&middle));
    bind(&mut client, &source, &exchange, "");
    let named = |taken: &Delivery, which: &str| {
        ["reason", "queue", "exchange"]
            .map(|what| text_header(taken, &format!("x-{which}-death-{what}")).unwrap_or_default())
    };
    client.publish_with(1, Publish::new(&exchange, ""), &Properties::default(), "a");
    take(&mut client, &source, 1);
    client.send(1, reject(1, false));
    let one = super::waiting::until("the dead letter", || client.get(1, &middle, false));
    assert_eq!(named(&one, "last"), ["rejected", source.as_str(), exchange.as_str()]);
    client.send(1, reject(one.delivery_tag, false));
    let two = await_message(&mut client, &last);
    assert_eq!(named(&two, "first"), ["rejected", source.as_str(), exchange.as_str()]);
    assert_eq!(named(&two, "last"), ["rejected", middle.as_str(), ""]);
    delete_exchange(&mut client, &exchange);
}

/// 4.x does not believe an x-death that a publisher sends; 3.10 counted on from it.
#[test]
fn an_x_death_of_the_publisher_is_ignored_as_in_4() {
    ours_only!("3.10 goes on counting from it");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "forged", []);
    let forged = table([
        ("count", Value::Long(7)),
        ("reason", "rejected".into()),
        ("queue", source.as_str().into()),
        ("time", Value::Timestamp(1_000_000)),
        ("exchange", "".into()),
        ("routing-keys", Value::strings(&[&source])),
    ]);
    let properties = Properties::default().header("x-death", Value::Array(vec![forged.into()]));
    put(&mut client, &source, &properties, "a");
    let taken = client.get(1, &source, false).expect("the message");
    assert_eq!(deaths(&taken)[0].count, 7, "before its death it is a header like others");
    client.send(1, reject(taken.delivery_tag, false));
    assert_eq!(death_counts(&await_message(&mut client, &dead)), [("rejected".to_owned(), source.clone(), 1)]);
}

/// Republishing a dead letter with its headers does not make its old deaths new ones: the next death is the first entry.
#[test]
fn a_republished_dead_letter_dies_anew() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "republished", []);
    put_all(&mut client, &source, &["a"]);
    let one = reject_one(&mut client, &source, &dead);
    let (brief, brief_dead) = with_dead_letters(&mut client, "brief", [("x-message-ttl", 1.into())]);
    put(&mut client, &brief, &one.properties, "a");
    let two = await_message(&mut client, &brief_dead);
    assert_eq!(death_counts(&two)[0], ("expired".to_owned(), brief.clone(), 1));
}

/// An x-death that is no array, or holds anything, is no reason to fail.
#[test]
fn nonsense_in_x_death_does_no_harm() {
    ours_only!("3.10 crashes the queue on some of them");
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "nonsense", []);
    let nonsense = [
        Value::from("text"),
        Value::Array(vec![Value::from("text"), Value::Long(1)]),
        Value::Array(vec![table([("count", "many".into()), ("queue", Value::Void)]).into()]),
        Value::Void,
    ];
    for value in nonsense {
        put(&mut client, &source, &Properties::default().header("x-death", value), "a");
        let taken = reject_one(&mut client, &source, &dead);
        assert_eq!(death_counts(&taken), [("rejected".to_owned(), source.clone(), 1)]);
    }
}

#[test]
fn other_headers_stay() {
    let mut client = connect();
    let (source, dead) = with_dead_letters(&mut client, "others", []);
    let properties = Properties::default()
        .header("mine", "text")
        .header("list", Value::strings(&["a", "b"]))
        .header("zero", Value::Void);
    put(&mut client, &source, &properties, "a");
    let taken = reject_one(&mut client, &source, &dead);
    assert_eq!(header(&taken, "mine"), Some(&"text".into()));
    assert_eq!(header(&taken, "list"), Some(&Value::strings(&["a", "b"])));
    assert_eq!(header(&taken, "zero"), Some(&Value::Void));
}
