//! Errors before a connection is open.

use broker::errors::*;
use testkit::{ConnectOptions, RawClient, connection_open, id, plain, tune_ok};

use super::{Case, Scene, case, configured, login, newer};

const NONE: (u16, u16) = (0, 0);
const SILENT: &str = "RabbitMQ only logs it and closes the socket after 3 s";
const SILENT_TUNING: &str = "before 4.x only logged, the socket closed after 3 s";

pub const CASES: &[Case] = &[
    case(
        LOGIN_REFUSED,
        NONE,
        "Login was refused using authentication mechanism PLAIN. For details see the broker logfile.",
        |s| log_in(s, &login("PLAIN", &plain("guest", "wrong"))),
    ),
    case(
        LOGIN_REFUSED,
        NONE,
        "Login was refused using authentication mechanism AMQPLAIN. For details see the broker logfile.",
        |s| log_in(s, &login("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05wrong")),
    ),
    newer(MALFORMED_RESPONSE, id::CONNECTION_START_OK, "response <<\"nonsense\">> invalid", SILENT, |s| {
        log_in(s, &login("PLAIN", b"nonsense"));
    }),
    newer(MALFORMED_RESPONSE, id::CONNECTION_START_OK, "response <<97,0,103,0,103>> invalid", SILENT, |s| {
        log_in(s, &login("PLAIN", b"a\0g\0g"));
    }),
    newer(UNKNOWN_MECHANISM, id::CONNECTION_START_OK, "unknown authentication mechanism 'NOPE'", SILENT, |s| {
        log_in(s, &login("NOPE", b""));
    }),
    configured(
        INVALID_MECHANISM,
        id::CONNECTION_START_OK,
        "invalid authentication mechanism 'AMQPLAIN'",
        &[("auth_mechanisms.1", "PLAIN")],
        |s| log_in(s, &login("AMQPLAIN", b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x05guest")),
    ),
    case(VHOST_NOT_FOUND, id::CONNECTION_OPEN, "vhost nope not found", |s| {
        s.client = RawClient::tuned(s.address, &ConnectOptions::default());
        s.client.send(0, connection_open("nope"));
    }),
    newer(
        NEGOTIATED_TOO_LOW,
        id::CONNECTION_TUNE,
        "negotiated frame_max = 4095 is lower than the minimum allowed value (4096)",
        SILENT_TUNING,
        |s| tune(s, 0, 4095),
    ),
    newer(
        NEGOTIATED_TOO_HIGH,
        id::CONNECTION_TUNE,
        "negotiated frame_max = 131073 is higher than the maximum allowed value (131072)",
        SILENT_TUNING,
        |s| tune(s, 100, 131_073),
    ),
    newer(
        NEGOTIATED_TOO_HIGH,
        id::CONNECTION_TUNE,
        "negotiated frame_max = 0 (no limit) is higher than the maximum allowed value (131072)",
        SILENT_TUNING,
        |s| tune(s, 100, 0),
    ),
    newer(
        NEGOTIATED_TOO_HIGH,
        id::CONNECTION_TUNE,
        "negotiated channel_max = 2048 is higher than the maximum allowed value (2047)",
        SILENT_TUNING,
        |s| tune(s, 2048, 131_072),
    ),
    newer(
        NEGOTIATED_TOO_HIGH,
        id::CONNECTION_TUNE,
        "negotiated channel_max = 0 (no limit) is higher than the maximum allowed value (2047)",
        SILENT_TUNING,
        |s| tune(s, 0, 131_072),
    ),
    case(CHANNEL_MAX, NONE, "number of channels opened (2) has reached the negotiated channel_max (2)", |s| {
        let options = ConnectOptions { channel_max: Some(2), ..ConnectOptions::default() };
        s.client = RawClient::connect(s.address, &options);
        s.client.open_channel(1);
        s.client.open_channel(2);
        s.client.send(3, testkit::method::channel_open());
    }),
    newer(UNEXPECTED_METHOD, id::CONNECTION_OPEN, "unexpected method in connection state tuning", SILENT, |s| {
        log_in(s, &ConnectOptions::default());
        s.client.expect_tune();
        s.client.send(0, connection_open("/"));
    }),
    case(UNEXPECTED_METHOD, id::CONNECTION_TUNE_OK, "unexpected method in connection state opening", |s| {
        s.client = RawClient::tuned(s.address, &ConnectOptions::default());
        s.client.send(0, tune_ok(2047, 131_072, 0));
    }),
    case(UNEXPECTED_FRAME, NONE, "type 1, all octets = <<0,20,0,10,0>>", |s| {
        s.client = RawClient::tuned(s.address, &ConnectOptions::default());
        s.client.send(1, testkit::method::channel_open());
    }),
];

/// Replaces the scene's connection by one that has sent connection.start-ok.
fn log_in(scene: &mut Scene, options: &ConnectOptions) {
    scene.client = RawClient::logged_in(scene.address, options);
}

/// Replaces the scene's connection by one that has answered connection.tune.
fn tune(scene: &mut Scene, channel_max: u16, frame_max: u32) {
    log_in(scene, &ConnectOptions::default());
    scene.client.expect_tune();
    scene.client.send(0, tune_ok(channel_max, frame_max, 0));
}
