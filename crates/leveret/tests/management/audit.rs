//! The log of changes.

use crate::support::{Client, start};
use serde_json::Value;
use std::time::{Duration, Instant};
use testkit::{BrokerProcess, pause};

/// The newest entries, as soon as there are so many.
#[track_caller]
fn entries(broker: &BrokerProcess, count: usize) -> Vec<Value> {
    let begun = Instant::now();
    loop {
        let log = Client::guest(broker).get("/api/leveret/audit");
        let entries = log["items"].as_array().unwrap().clone();
        if entries.len() >= count {
            return entries;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{log}");
        pause(Duration::from_millis(20));
    }
}

#[test]
fn changes_are_told_with_who_made_them_and_what_came_of_it() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    guest.put("/api/users/a", r#"{"password":"s3cret","tags":"management"}"#);
    assert_eq!(guest.delete("/api/queues/%2F/nothing"), 404);
    assert_eq!(Client::new(&broker, "a", "s3cret").delete("/api/users/a"), 401);
    broker.http("PUT", "/api/vhosts/v1", &[], "").expect("an answer");
    guest.get("/api/queues");
    let entries = entries(&broker, 3);
    assert_eq!(entries.len(), 3, "{entries:?}");
    let [vhost, delete, put] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!(
        (&vhost["command"], &vhost["origin"], &vhost["user"]),
        (&"put_vhost".into(), &"socket".into(), &"".into())
    );
    assert_eq!((&delete["command"], &delete["outcome"]), (&"delete_queue".into(), &"refused".into()));
    assert_eq!(delete["arguments"]["name"], "nothing");
    assert!(delete["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{delete}");
    assert_eq!((&put["command"], &put["user"], &put["outcome"]), (&"put_user".into(), &"guest".into(), &"done".into()));
    assert!(put["origin"].as_str().is_some_and(|origin| origin.starts_with("127.0.0.1:")), "{put}");
    assert!(put["time"].as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z')), "{put}");
    assert_eq!(put["arguments"]["password"], "[hidden]");
    let file = std::fs::read_to_string(broker.data_dir().join("audit.log")).unwrap();
    assert!(!file.contains("s3cret") && file.lines().count() == 3, "{file}");
}

#[test]
fn the_log_is_read_in_pages_and_by_administrators() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    for number in 0..10 {
        guest.put(&format!("/api/vhosts/v{number}"), "");
    }
    entries(&broker, 10);
    let page = guest.get("/api/leveret/audit?page=2&page_size=4");
    let names: Vec<&str> =
        page["items"].as_array().unwrap().iter().map(|entry| entry["arguments"]["name"].as_str().unwrap()).collect();
    assert_eq!((names, &page["more"], &page["dropped"]), (vec!["v5", "v4", "v3", "v2"], &true.into(), &0.into()));
    guest.put("/api/users/m", r#"{"password":"m","tags":"monitoring"}"#);
    assert_eq!(Client::new(&broker, "m", "m").send("GET", "/api/leveret/audit", &[], "").status, 401);
}

#[test]
fn the_log_has_as_many_files_as_it_may() {
    let broker = start(&[("leveret.audit.file_size", "4KiB"), ("leveret.audit.files", "2")]);
    let guest = Client::guest(&broker);
    for _ in 0..60 {
        guest.put("/api/vhosts/v1", "");
    }
    let begun = Instant::now();
    while !broker.data_dir().join("audit.log.1").exists() {
        assert!(begun.elapsed() < Duration::from_secs(10));
        pause(Duration::from_millis(20));
    }
    assert!(!broker.data_dir().join("audit.log.2").exists());
    let log = guest.get("/api/leveret/audit?page=1&page_size=500");
    let kept = log["items"].as_array().unwrap().len();
    assert!((10..60).contains(&kept), "{kept}");
}

#[test]
fn there_need_not_be_a_log() {
    let broker = start(&[("leveret.audit", "false")]);
    Client::guest(&broker).put("/api/vhosts/v1", "");
    assert_eq!(Client::guest(&broker).get("/api/leveret/audit")["items"], serde_json::json!([]));
    assert!(!broker.data_dir().join("audit.log").exists());
}

#[test]
fn what_was_changed_last_is_written_before_the_end() {
    let mut broker = start(&[]);
    Client::guest(&broker).put("/api/vhosts/last", "");
    broker.terminate();
    let file = std::fs::read_to_string(broker.data_dir().join("audit.log")).unwrap();
    assert!(file.contains("\"last\""), "{file}");
}
