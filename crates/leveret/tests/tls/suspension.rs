//! Listeners that are suspended and resumed.

use crate::{Fixture, eventually};
use std::net::TcpStream;

#[test]
fn suspended_listeners_take_nobody_and_keep_who_is_there() {
    let fixture = Fixture::start(&[]);
    let mut connection = fixture.connect(None);
    connection.open_channel(1);
    let addresses = [fixture.broker.address(), fixture.tls];
    let path = "/api/leveret/listeners/suspension";
    for _ in 0..2 {
        fixture.broker.administer("PUT", path, "");
        assert!(addresses.iter().all(|address| TcpStream::connect(address).is_err()), "nobody is taken");
        assert!(fixture.broker.has_logged("listeners are suspended"));
        connection.assert_alive(1);
        fixture.broker.administer("DELETE", path, "");
        // A second time changes nothing.
        fixture.broker.administer("DELETE", path, "");
        eventually("they listen", || addresses.iter().all(|address| TcpStream::connect(address).is_ok()));
        fixture.connect(None).close();
    }
}
