//! Messages that wait before they are routed.

use super::{fetch, message, publish, with_queue};
use crate::support::Client;
use serde_json::{Value, json};

fn exchanges(list: &Value) -> Vec<&str> {
    let messages = list["messages"].as_array().expect("a list");
    messages.iter().filter_map(|message| message["exchange"].as_str()).collect()
}

#[test]
fn they_are_listed_in_pages_and_cancelled_by_whoever_may() {
    let (broker, guest) = with_queue("q", json!({}));
    let mut client = testkit::RawClient::connect(broker.address(), &testkit::ConnectOptions::default());
    client.open_channel(1);
    for exchange in ["one", "two"] {
        client.call(1, testkit::ExchangeDeclare::new(exchange, "fanout").argument("x-delayed", true));
        for _ in 0..3 {
            let delayed = message("k", json!({ "headers": { "x-delay": 3_600_000 } }), "later");
            assert_eq!(publish(&guest, exchange, &delayed), (200, json!({ "routed": true })));
        }
    }
    let (mut found, mut from) = (Vec::new(), json!(0));
    while !from.is_null() {
        let page = guest.get(&format!("/api/delayed/%2F?limit=2&from={from}"));
        found.extend(exchanges(&page).into_iter().map(str::to_owned));
        from = page["next"].clone();
    }
    assert_eq!(found, ["one", "one", "one", "two", "two", "two"]);
    let of_two = guest.get("/api/delayed/%2F?exchange=two");
    assert_eq!(exchanges(&of_two), ["two", "two", "two"]);
    let id = &of_two["messages"][0]["id"];

    guest.put("/api/users/u", r#"{"password":"p","tags":"management"}"#);
    guest.put("/api/permissions/%2F/u", r#"{"configure":"","write":"","read":"one"}"#);
    let user = Client::new(&broker, "u", "p");
    assert_eq!(exchanges(&user.get("/api/delayed/%2F")), ["one", "one", "one"]);
    assert_eq!(user.send("GET", "/api/delayed/%2F?exchange=two", &[], "").status, 401);
    assert_eq!(user.delete(&format!("/api/delayed/%2F/{id}")), 401);
    assert_eq!(guest.delete(&format!("/api/delayed/%2F/{id}")), 204);
    assert_eq!(guest.delete(&format!("/api/delayed/%2F/{id}")), 404);
    assert_eq!(guest.delete("/api/delayed/%2F/nonsense"), 404);
    assert_eq!(guest.send("GET", "/api/delayed/%2F?limit=many", &[], "").status, 400);
    assert_eq!(guest.send("GET", "/api/delayed/nowhere", &[], "").status, 404);
    assert_eq!(exchanges(&guest.get("/api/delayed/%2F?exchange=two")).len(), 2);
    assert_eq!(fetch(&guest, "q", 1, "ack_requeue_true"), Vec::<Value>::new());
}
