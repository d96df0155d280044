//! Heartbeats both ways.

use std::time::{Duration, Instant};

use testkit::{ConnectOptions, FRAME_HEARTBEAT, RawClient, pause};

use crate::support::{address, connect_with};

fn connect_with_heartbeat(seconds: u16) -> RawClient {
    connect_with(address(), &ConnectOptions { heartbeat: seconds, ..ConnectOptions::default() })
}

#[test]
fn the_server_sends_one_each_half_interval() {
    let mut client = connect_with_heartbeat(1);
    let start = Instant::now();
    for _ in 0..3 {
        let frame = client.frame().expect("a heartbeat");
        assert_eq!((frame.frame_type, frame.channel, frame.payload.len()), (FRAME_HEARTBEAT, 0, 0));
        client.send_heartbeat();
    }
    let taken = start.elapsed();
    assert!((Duration::from_millis(900)..Duration::from_secs(4)).contains(&taken), "three heartbeats in {taken:?}");
}

/// The Java client on Netty gives up when nothing has come for one interval after connection.open-ok.
#[test]
fn the_first_one_comes_within_an_interval() {
    let mut client = RawClient::connect(address(), &ConnectOptions { heartbeat: 4, ..ConnectOptions::default() });
    let start = Instant::now();
    assert_eq!(client.frame().expect("a heartbeat").frame_type, FRAME_HEARTBEAT);
    assert!(start.elapsed() < Duration::from_millis(3500), "the first heartbeat after {:?}", start.elapsed());
}

#[test]
fn a_silent_client_is_disconnected_without_a_word() {
    let mut client = connect_with_heartbeat(1);
    let start = Instant::now();
    client.expect_eof();
    let taken = start.elapsed();
    assert!((Duration::from_millis(1500)..Duration::from_secs(6)).contains(&taken), "disconnected after {taken:?}");
}

#[test]
fn any_frame_counts_as_a_heartbeat() {
    let mut client = connect_with_heartbeat(1);
    let end = Instant::now() + Duration::from_millis(3500);
    while Instant::now() < end {
        client.assert_alive(1);
        pause(Duration::from_millis(200));
    }
}

#[test]
fn zero_disables_them() {
    let mut client = connect_with_heartbeat(0);
    client.expect_nothing(0, Duration::from_millis(3000));
    assert_eq!(client.heartbeats(), 0);
    client.assert_alive(1);
}

/// A body may take longer than the interval, as long as bytes of it arrive.
#[test]
fn bytes_within_a_frame_count_as_traffic() {
    let mut client = connect_with_heartbeat(1);
    client.send(1, testkit::Publish::new("", "nowhere"));
    client.send_header(1, 20, &testkit::Properties::default());
    let frame = testkit::encode_frame(testkit::FRAME_BODY, 1, &[b'x'; 20], testkit::FRAME_END);
    for byte in frame {
        client.send_raw(&[byte]);
        pause(Duration::from_millis(140));
    }
    client.assert_alive(1);
}
