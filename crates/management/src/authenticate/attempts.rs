//! Logins that were tried: how many, and how long the next wrong one from the same place has to wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong logins of one address that are answered at once: people mistype.
const FREE: u32 = 3;
/// What the first one after these waits; each further one waits twice as long.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// Longest wait, that of AMQP.
const LONGEST_DELAY: Duration = Duration::from_secs(3);
/// An address that tried nothing wrong for so long is forgotten.
const MEMORY: Duration = Duration::from_secs(60);
/// Addresses that are remembered; beyond them everybody waits as long as can be.
const MOST: usize = 10_000;

/// Counts of logins over HTTP since the start, and who failed lately.
#[derive(Default)]
pub(crate) struct Attempts {
    succeeded: AtomicU64,
    failed: AtomicU64,
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

struct Failures {
    count: u32,
    last: Instant,
}

impl Attempts {
    pub(crate) fn succeeded(&self) -> u64 {
        self.succeeded.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn reset(&self) {
        self.succeeded.store(0, Ordering::Relaxed);
        self.failed.store(0, Ordering::Relaxed);
    }

    pub(crate) fn count(&self, succeeded: bool) {
        let counter = if succeeded { &self.succeeded } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes wrong credentials from `peer`, and says how long the answer has to wait.
    pub(super) fn fail(&self, peer: IpAddr, now: Instant) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MOST {
            failures.retain(|_, of_peer| now.duration_since(of_peer.last) < MEMORY);
            if failures.len() >= MOST && !failures.contains_key(&peer) {
                return LONGEST_DELAY;
            }
        }
        let of_peer = failures.entry(peer).or_insert(Failures { count: 0, last: now });
        if now.duration_since(of_peer.last) >= MEMORY {
            of_peer.count = 0;
        }
        of_peer.last = now;
        of_peer.count = of_peer.count.saturating_add(1);
        match of_peer.count.checked_sub(FREE + 1) {
            None => Duration::ZERO,
            Some(doublings) => FIRST_DELAY.saturating_mul(1 << doublings.min(16)).min(LONGEST_DELAY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn guesses_take_longer_and_longer_and_are_forgotten() {
        let attempts = Attempts::default();
        let (peer, other) = (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::BROADCAST));
        let now = Instant::now();
        let waits: Vec<u128> = (0..10).map(|_| attempts.fail(peer, now).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200, 400, 800, 1600, 3000, 3000]);
        assert_eq!(attempts.fail(other, now), Duration::ZERO);
        assert_eq!(attempts.fail(peer, now + MEMORY), Duration::ZERO);
    }

    #[test]
    fn addresses_without_end_fill_no_memory() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for number in 0..20_000_u32 {
            attempts.fail(IpAddr::V4(Ipv4Addr::from_bits(number)), now);
        }
        assert_eq!(attempts.failures.lock().unwrap().len(), MOST);
        assert_eq!(attempts.fail(IpAddr::V4(Ipv4Addr::BROADCAST), now), LONGEST_DELAY);
        assert_eq!(attempts.fail(IpAddr::V4(Ipv4Addr::BROADCAST), now + MEMORY), Duration::ZERO);
    }
}
