//! Addresses for servers that tests start.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ports that systems give to outgoing connections: one of those would now and then be taken by a client of
/// another test between the look and the start of the server. RabbitMQ's own ports are not among them.
const FIRST: u32 = 16_000;
const COUNT: u32 = 9_000;

/// An address on loopback that nobody listens on, and that this function has not given away in this process.
///
/// # Errors
///
/// When all ports are taken.
pub fn free_address() -> io::Result<SocketAddr> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    // Test processes run side by side, and with numbers that follow each other; far apart they do not meet.
    let begin = std::process::id().wrapping_mul(2_654_435_769) >> 16;
    let mut last = None;
    for _ in 0..COUNT {
        let offset = begin.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + offset).map_err(io::Error::other)?;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return listener.local_addr(),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_is_given_twice_or_taken() {
        let first = free_address().unwrap();
        let _taken = TcpListener::bind(first).unwrap();
        let mut others: Vec<SocketAddr> = (0..200).map(|_| free_address().unwrap()).collect();
        others.push(first);
        others.sort();
        others.dedup();
        assert_eq!(others.len(), 201);
    }
}
