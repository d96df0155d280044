//! Sorting, pages, columns and filters of lists, on the exchanges that every virtual host begins with.

use crate::support::{Client, start};
use serde_json::{Value, json};

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect()
}

const FIRST: [&str; 7] =
    ["", "amq.direct", "amq.fanout", "amq.headers", "amq.match", "amq.rabbitmq.trace", "amq.topic"];

#[test]
fn lists_are_sorted_by_vhost_and_name_or_as_is_asked_for() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    assert_eq!(names(&guest.get("/api/exchanges/%2F"))[..7], FIRST);
    let mut backwards = FIRST;
    backwards.reverse();
    let list = guest.get("/api/exchanges/%2F?sort_reverse=true&columns=name");
    assert!(names(&list).ends_with(&backwards) || names(&list).starts_with(&backwards), "{list}");
    let by_type = guest.get("/api/exchanges/%2F?sort=type&columns=name,type");
    let types: Vec<&str> = by_type.as_array().unwrap().iter().map(|row| row["type"].as_str().unwrap()).collect();
    assert!(types.is_sorted(), "{types:?}");
    assert_eq!(by_type[0].as_object().unwrap().len(), 2);
}

#[test]
fn pages_are_described_as_rabbitmq_does() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    let all = names(&guest.get("/api/exchanges")).len();
    let page = guest.get("/api/exchanges?page=2&page_size=2&columns=name");
    let expected = json!({
        "filtered_count": all, "item_count": 2, "items": [{ "name": "amq.fanout" }, { "name": "amq.headers" }],
        "page": 2, "page_count": all.div_ceil(2), "page_size": 2, "total_count": all,
    });
    assert_eq!(page, expected);
    // As KEDA asks.
    let page = guest.get("/api/exchanges/%2F?page=1&use_regex=true&pagination=false&name=%5Eamq.T&page_size=100");
    assert_eq!((names(&page["items"]), &page["filtered_count"]), (vec!["amq.topic"], &json!(1)));
}

#[test]
fn bad_pages_are_refused_in_the_words_of_rabbitmq() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    let refused = |query: &str| {
        let answer = guest.send("GET", &format!("/api/exchanges?{query}"), &[], "");
        assert_eq!(answer.status, 400, "{answer:?}");
        answer.body
    };
    assert_eq!(
        refused("page=1&page_size=501"),
        r#"{"error":"invalid_pagination_parameters","reason":"Invalid pagination parameters: page number 1, page size 501"}"#
    );
    let all = names(&guest.get("/api/exchanges")).len();
    assert_eq!(
        refused("page=100"),
        format!(
            r#"{{"error":"page_out_of_range","reason":"Page out of range, page: 100 page size: 100, len: {all}"}}"#
        )
    );
    assert_eq!(refused("page=a"), r#"{"error":"bad_request","reason":"Pagination parameters are invalid"}"#);
    assert_eq!(
        refused("msg_rates_age=1&msg_rates_incr=0"),
        r#"{"error":"bad_request","reason":"Invalid range parameters: age 1, incr 0"}"#
    );
}
