use super::*;
use axum::body::to_bytes;
use axum::http::StatusCode;
use std::time::{Duration, Instant};

/// A row with as many fields as a queue has.
#[derive(Clone)]
struct Row {
    vhost: &'static str,
    name: String,
    messages: u64,
    rate: f64,
}

fn row(vhost: &'static str, name: &str, messages: u64) -> Row {
    Row { vhost, name: name.to_owned(), messages, rate: 0.5 * messages as f64 }
}

const OTHERS: [&str; 24] = [
    "type",
    "durable",
    "auto_delete",
    "exclusive",
    "arguments",
    "node",
    "state",
    "policy",
    "operator_policy",
    "consumers",
    "memory",
    "message_bytes",
    "message_bytes_ready",
    "message_bytes_ram",
    "head_message_timestamp",
    "garbage_collection",
    "reductions",
    "storage_version",
    "consumer_utilisation",
    "consumer_capacity",
    "messages_ram",
    "messages_ready",
    "messages_unacknowledged",
    "effective_policy_definition",
];

fn show(row: &Row, fields: &mut Fields<'_>) {
    fields.put("name", || row.name.as_str());
    fields.put("vhost", || row.vhost);
    for other in OTHERS {
        fields.put(other, || row.messages);
    }
    fields.put("messages", || row.messages);
    fields.put("message_stats", || json!({ "publish": row.messages, "publish_details": { "rate": row.rate } }));
}

fn query(text: &str) -> Result<ListQuery, ApiError> {
    let pairs =
        text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name.into(), value.into()));
    ListQuery::parse(pairs.collect())
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn answer(text: &str, rows: &[Row]) -> (StatusCode, Value) {
    run(async {
        let response = match query(text) {
            Ok(query) => reply(&query, rows.to_vec(), show).await,
            Err(error) => Err(error),
        };
        let response = response.unwrap_or_else(IntoResponse::into_response);
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    })
}

fn names(text: &str, rows: &[Row]) -> Vec<String> {
    let (status, list) = answer(text, rows);
    assert_eq!(status, StatusCode::OK, "{list}");
    let items = list.get("items").unwrap_or(&list).as_array().unwrap().clone();
    items.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

fn some() -> Vec<Row> {
    vec![row("b", "x", 2), row("a", "z", 2), row("a", "Y", 1), row("a", "e-é", 3)]
}

#[test]
fn rows_are_sorted_by_vhost_and_name_by_the_field_asked_for_and_backwards() {
    assert_eq!(names("", &some()), ["Y", "e-é", "z", "x"]);
    assert_eq!(names("sort_reverse=true", &some()), ["x", "z", "e-é", "Y"]);
    assert_eq!(names("sort=messages", &some()), ["Y", "z", "x", "e-é"]);
    assert_eq!(names("sort=message_stats.publish_details.rate&sort_reverse=true", &some()), ["e-é", "x", "z", "Y"]);
    // What no row has is alike in all.
    assert_eq!(names("sort=nope.nowhere", &some()), ["Y", "e-é", "z", "x"]);
    assert_eq!(names("sort=&sort_reverse=yes", &some()), ["Y", "e-é", "z", "x"]);
}

#[test]
fn a_page_says_what_it_is_a_page_of() {
    let (_, page) = answer("page=2&page_size=3&columns=name", &some());
    let expected = json!({
        "filtered_count": 4, "item_count": 1, "items": [{ "name": "x" }], "page": 2, "page_count": 2, "page_size": 3,
        "total_count": 4,
    });
    assert_eq!(page, expected);
    let (_, page) = answer("page=1&name=E&sort=messages&sort_reverse=true&columns=name", &some());
    let expected = json!({
        "filtered_count": 1, "item_count": 1, "items": [{ "name": "e-é" }], "page": 1, "page_count": 1, "page_size": 100,
        "total_count": 4,
    });
    assert_eq!(page, expected);
    // A page behind the last full one is empty.
    assert_eq!(names("page=3&page_size=2", &some()), Vec::<String>::new());
    assert_eq!(names("page=1", &[]), Vec::<String>::new());
}

#[test]
fn names_are_filtered_on_pages_only() {
    assert_eq!(names("page=1&name=-É", &some()), ["e-é"]);
    assert_eq!(names("page=1&use_regex=true&name=^[xY]$", &some()), ["Y", "x"]);
    assert_eq!(names("page=1&use_regex=true&name=(", &some()), Vec::<String>::new());
    assert_eq!(names("page=1&use_regex=false&name=^[xY]$", &some()), Vec::<String>::new());
    assert_eq!(names("name=x", &some()).len(), 4, "RabbitMQ filters no list that is not paged");
}

#[test]
fn bad_parameters_are_refused_in_the_words_of_rabbitmq() {
    let refused = |text: &str| {
        let (status, error) = answer(text, &some());
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}: {error}");
        (error["error"].as_str().unwrap().to_owned(), error["reason"].as_str().unwrap().to_owned())
    };
    let pair = |error: &str, reason: &str| (error.to_owned(), reason.to_owned());
    let invalid = |page: &str, size: &str| {
        let reason = format!("Invalid pagination parameters: page number {page}, page size {size}");
        pair("invalid_pagination_parameters", &reason)
    };
    assert_eq!(refused("page=0"), invalid("0", "undefined"));
    assert_eq!(refused("page=-1&page_size=10"), invalid("-1", "10"));
    assert_eq!(refused("page=1&page_size=501"), invalid("1", "501"));
    assert_eq!(refused("page=1&page_size=0"), invalid("1", "0"));
    for text in ["page=", "page=x", "page=1&page_size=x", "page_size=x", "page=99999999999999999999"] {
        assert_eq!(refused(text), pair("bad_request", "Pagination parameters are invalid"), "{text}");
    }
    let out = "Page out of range, page: 4 page size: 2, len: 4";
    assert_eq!(refused("page=4&page_size=2"), pair("page_out_of_range", out));
    let out = "Page out of range, page: 9223372036854775807 page size: 500, len: 4";
    assert_eq!(refused("page=9223372036854775807&page_size=500"), pair("page_out_of_range", out));
    let long = format!("use_regex=true&name={}", "a".repeat(1025));
    assert_eq!(refused(&long), pair("invalid_pagination_parameters", "name filter regex is too long"));
    for (text, reason) in [
        ("lengths_age=0&lengths_incr=5", "age 0, incr 5"),
        ("msg_rates_age=60&msg_rates_incr=-1", "age 60, incr -1"),
        ("data_rates_age=5010&data_rates_incr=10", "age 5010, incr 10"),
        ("node_stats_age=9223372036854775807&node_stats_incr=1", "age 9223372036854775807, incr 1"),
    ] {
        assert_eq!(refused(text), pair("bad_request", &format!("Invalid range parameters: {reason}")));
    }
}

#[test]
fn samples_are_asked_for_by_age_and_increment() {
    let sampling =
        query("lengths_age=60&lengths_incr=5&msg_rates_age=5000&msg_rates_incr=10&data_rates_age=60").unwrap();
    assert_eq!(sampling.sampling.lengths, Some((60, 5)));
    assert_eq!(sampling.sampling.message_rates, Some((5000, 10)));
    assert_eq!((sampling.sampling.data_rates, sampling.sampling.node_stats), (None, None));
    assert_eq!(query("lengths_age=x&lengths_incr=5").unwrap().sampling.lengths, None);
}

#[test]
fn the_first_of_equal_parameters_counts() {
    assert_eq!(names("page=1&page_size=1&page=2", &some()), ["Y"]);
}

/// Rows in no order, some of them equal in what they are sorted by.
fn many(count: usize) -> Vec<Row> {
    (0..count).map(|index| row("/", &format!("queue-{:06}", index * 7919 % count), (index * 31 % 97) as u64)).collect()
}

#[test]
fn pages_are_parts_of_the_whole() {
    let rows = many(1000);
    for sort in ["sort=messages", "sort=messages&sort_reverse=true", "", "sort_reverse=true", "sort=name"] {
        let whole = names(sort, &rows);
        assert_eq!(whole.len(), rows.len());
        let pages: Vec<String> =
            (1..=8).flat_map(|page| names(&format!("{sort}&page={page}&page_size=133"), &rows)).collect();
        assert_eq!(pages, whole, "{sort}");
    }
}

#[test]
fn long_lists_are_sent_in_pieces() {
    run(async {
        let response = reply(&query("columns=name").unwrap(), many(1000), show).await.unwrap();
        let mut body = response.into_body();
        let mut pieces = Vec::new();
        while let Some(frame) =
            std::future::poll_fn(|context| axum::body::HttpBody::poll_frame(std::pin::Pin::new(&mut body), context))
                .await
        {
            pieces.push(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(pieces.len(), 4);
        let whole: Vec<Value> = serde_json::from_slice(&pieces.concat()).unwrap();
        assert_eq!(whole.len(), 1000);
        assert_eq!(whole[999], json!({ "name": "queue-000999" }));
    });
}

fn time_of(text: &str, rows: &[Row]) -> Duration {
    let rows = rows.to_vec();
    run(async move {
        let begun = Instant::now();
        let response = reply(&query(text).unwrap(), rows, show).await.unwrap();
        to_bytes(response.into_body(), usize::MAX).await.unwrap();
        begun.elapsed()
    })
}

/// Only fields to sort by are made of rows that are not shown; in a debug build too that is soon done.
#[test]
fn a_page_of_many_is_soon_made() {
    let took = time_of("page=50&page_size=100&sort=messages", &many(10_000));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// `cargo test --release -p management -- --ignored --nocapture pages_are_quick`
#[test]
#[ignore = "measures: cargo test --release -p management --lib pages_are_quick -- --ignored --nocapture"]
fn pages_are_quick() {
    for (count, limit_ms) in [(10_000, 20), (100_000, 100)] {
        let rows = many(count);
        for text in [
            "page=1",
            "page=50&sort=messages&sort_reverse=true",
            "page=9&sort=message_stats.publish_details.rate",
            "page=1&name=42&sort=name",
            "page=1&name=4.*2&use_regex=true&page_size=500",
            "",
            "sort=messages",
        ] {
            let took = (0..5).map(|_| time_of(text, &rows)).min().unwrap();
            println!("{count} rows, {text:?}: {took:?}");
            assert!(!text.contains("page=") || took < Duration::from_millis(limit_ms), "{text}: {took:?}");
        }
    }
}
