//! Who goes where there are too many guests.
//!
//! A flood comes from few networks, and who is kept out by it comes from others: so those go first whose network has the
//! most guests, and of these who came first. Whether somebody has sent something says little, since a flood can send the
//! beginning of a handshake as well; it decides between those who are alike.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;

/// Keys of the `count` guests that go, of `guests` in the order of their arrival: key, address, and whether it has sent
/// something.
pub(super) fn who_goes(guests: impl DoubleEndedIterator<Item = (usize, IpAddr, bool)>, count: usize) -> Vec<usize> {
    let mut newer: HashMap<IpAddr, usize> = HashMap::new();
    let mut ranked: Vec<_> = guests
        .rev()
        .map(|(key, address, has_spoken)| {
            let newer = newer.entry(network(address)).or_default();
            *newer += 1;
            (Reverse(*newer), has_spoken, key)
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().take(count).map(|(_, _, key)| key).collect()
}

/// What one client can have many addresses of: with IPv6, the upper half of the address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes(guests: &[(usize, &str, bool)], count: usize) -> Vec<usize> {
        let guests = guests.iter().map(|(key, address, spoken)| (*key, address.parse().expect("an address"), *spoken));
        who_goes(guests.collect::<Vec<_>>().into_iter(), count)
    }

    #[test]
    fn of_one_network_those_who_came_first_go() {
        let all = [(1, "192.0.2.1", true), (2, "192.0.2.1", false), (3, "::ffff:192.0.2.1", true)];
        assert_eq!(goes(&all, 2), [1, 2]);
        assert_eq!(goes(&all, 9), [1, 2, 3]);
    }

    #[test]
    fn who_comes_alone_stays_whatever_a_flood_has_sent() {
        let mut all: Vec<(usize, &str, bool)> = vec![(0, "198.51.100.9", false)];
        all.extend((1..1000).map(|key| (key, "192.0.2.1", true)));
        assert!(!goes(&all, 998).contains(&0));
        // With two floods the same.
        all.extend((1000..1990).map(|key| (key, "192.0.2.2", false)));
        assert!(!goes(&all, 1900).contains(&0));
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let flood: Vec<String> = (0..100).map(|host| format!("2001:db8:1:1::{host:x}")).collect();
        let mut all: Vec<(usize, &str, bool)> = vec![(0, "2001:db8:1:2::1", false), (1, "2001:db8:1:2::2", false)];
        all.extend(flood.iter().enumerate().map(|(at, address)| (at + 2, &**address, true)));
        assert_eq!(goes(&all, 98), (2..100).collect::<Vec<_>>());
    }

    #[test]
    fn of_those_who_are_alike_the_silent_one_goes() {
        assert_eq!(goes(&[(1, "192.0.2.1", true), (2, "192.0.2.2", false), (3, "192.0.2.3", true)], 1), [2]);
    }
}
