//! Maintenance: drain and revive.

use crate::support::{Client, start};
use testkit::{CloseScope, ConnectOptions, RawClient};

#[test]
fn a_node_that_is_drained_refuses_clients_until_it_is_revived() {
    let broker = start(&[]);
    let guest = Client::guest(&broker);
    let mut client = RawClient::connect(broker.address(), &ConnectOptions::default());
    let node = guest.get("/api/overview?columns=node")["node"].as_str().unwrap().to_owned();
    let state = || guest.get(&format!("/api/nodes/{node}?columns=being_drained"))["being_drained"].as_bool();
    assert_eq!(state(), Some(false));
    guest.check(&[("PUT", "/leveret/maintenance", "", 204, "")]);
    let close = client.expect_close(0);
    assert_eq!((close.scope, close.code), (CloseScope::Connection, 320));
    assert_eq!(close.text, "CONNECTION_FORCED - Node was put into maintenance mode");
    assert_eq!(state(), Some(true));
    for check in ["is-in-service", "ready-to-serve-clients"] {
        assert_eq!(guest.send("GET", &format!("/api/health/checks/{check}"), &[], "").status, 503, "{check}");
    }
    // Whoever connects gets nothing.
    let refused = std::panic::catch_unwind(|| RawClient::connect(broker.address(), &ConnectOptions::default()));
    assert!(refused.is_err());
    guest.check(&[("PUT", "/leveret/maintenance", "", 204, ""), ("DELETE", "/leveret/maintenance", "", 204, "")]);
    assert_eq!(state(), Some(false));
    assert_eq!(guest.send("GET", "/api/health/checks/is-in-service", &[], "").status, 200);
    RawClient::connect(broker.address(), &ConnectOptions::default()).close();
}
