//! What keys do to a running broker, where no other test is about it: one broker per key.

mod amqp;
mod http;
mod logs;
mod oauth_page;
mod sockets;
mod vhosts;

use crate::LEVERET;
use testkit::BrokerProcess;

/// A broker that is asked over its socket.
fn start(settings: &[(&str, &str)]) -> BrokerProcess {
    BrokerProcess::start(LEVERET, settings)
}

/// A broker with HTTP on ports of its own.
fn start_with_http(settings: &[(&str, &str)]) -> BrokerProcess {
    BrokerProcess::start_with_http(LEVERET, settings)
}
