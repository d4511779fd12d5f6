//! Slows down whoever guesses: a wait that doubles with each failure.
//!
//! Invariants: who is made to wait costs no password hash; at most [`KEYS_MAX`] entries of fixed
//! size are held, whatever is sent; a failure at one account never delays another account until the
//! address itself has failed too often.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

pub(crate) const KEYS_MAX: usize = 10_000;
const WAIT_SECONDS_MAX: u64 = 900;

/// What failures are counted by.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// One account from one address: an attacker elsewhere does not lock its owner out.
    Pair(&'a str, IpAddr),
    /// One account from anywhere: against many addresses that guess together.
    Login(&'a str),
    /// One address at any account: against one password tried on all names.
    Address(IpAddr),
    /// Codes of one account.
    Factor(&'a str),
}

impl Key<'_> {
    /// Failures that cost nothing.
    fn free(self) -> u32 {
        match self {
            Key::Pair(..) | Key::Factor(_) => 5,
            Key::Login(_) | Key::Address(_) => 20,
        }
    }

    /// Fixed size, so that a long name takes no memory.
    fn hash(self) -> [u8; 32] {
        let text = match self {
            Key::Pair(login, ip) => format!("p\n{}\n{login}", network(ip)),
            Key::Login(login) => format!("l\n{login}"),
            Key::Address(ip) => format!("a\n{}", network(ip)),
            Key::Factor(account) => format!("f\n{account}"),
        };
        Sha256::digest(text).into()
    }
}

/// One household of IPv6 is a /64: its owner has 2^64 addresses.
fn network(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) if ip.is_loopback() => ip.to_string(),
        IpAddr::V6(ip) => format!("{:x?}", &ip.segments()[..4]),
    }
}

#[derive(Debug)]
struct Failures {
    count: u32,
    until: Instant,
}

/// The counters.
#[derive(Debug, Default)]
pub struct Throttle {
    entries: Mutex<HashMap<[u8; 32], Failures>>,
}

impl Throttle {
    /// Seconds to wait, if any of these keys must; else the attempt is counted as failed at once, so
    /// that a hundred attempts side by side are not all let through before the first is judged. A
    /// good one is taken back by [`Throttle::succeeded`].
    pub fn attempt(&self, keys: &[Key], now: Instant) -> Option<u64> {
        let mut entries = self.entries();
        let left = |key: &Key| entries.get(&key.hash())?.until.checked_duration_since(now);
        let wait = keys.iter().filter_map(left).filter(|d| !d.is_zero()).max();
        if let Some(wait) = wait {
            return Some(wait.as_secs() + 1);
        }
        for key in keys {
            let hash = key.hash();
            make_room(&mut entries, &hash, now);
            let entry = entries.entry(hash).or_insert(Failures { count: 0, until: now });
            if entry.until + Duration::from_secs(WAIT_SECONDS_MAX) < now {
                entry.count = 0;
            }
            entry.count = entry.count.saturating_add(1);
            let over = entry.count.saturating_sub(key.free());
            let seconds =
                if over == 0 { 0 } else { 2u64.saturating_pow(over).min(WAIT_SECONDS_MAX) };
            entry.until = now + Duration::from_secs(seconds);
        }
        None
    }

    /// Takes back an attempt that turned out good. What is the person's own is forgotten; what they
    /// share with others goes back by the one attempt, so that a good account buys no new guesses.
    pub fn succeeded(&self, keys: &[Key], now: Instant) {
        let mut entries = self.entries();
        for key in keys {
            let hash = key.hash();
            if matches!(key, Key::Pair(..) | Key::Factor(_)) {
                entries.remove(&hash);
            } else if let Some(entry) = entries.get_mut(&hash) {
                entry.count = entry.count.saturating_sub(1);
                entry.until = now;
            }
        }
    }

    /// Entries held.
    pub fn held(&self) -> usize {
        self.entries().len()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<[u8; 32], Failures>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what has expired, else the entry with the fewest failures: a flood of new names must not
/// wash out the one that is being guessed.
fn make_room(entries: &mut HashMap<[u8; 32], Failures>, hash: &[u8; 32], now: Instant) {
    if entries.len() < KEYS_MAX || entries.contains_key(hash) {
        return;
    }
    entries.retain(|_, f| f.until + Duration::from_secs(WAIT_SECONDS_MAX) > now);
    if entries.len() < KEYS_MAX {
        return;
    }
    let least = entries.iter().min_by_key(|(_, f)| (f.count, f.until)).map(|(hash, _)| *hash);
    if let Some(least) = least {
        entries.remove(&least);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const EVIL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 7));

    fn keys(login: &str, ip: IpAddr) -> [Key<'_>; 3] {
        [Key::Pair(login, ip), Key::Login(login), Key::Address(ip)]
    }

    fn passes(throttle: &Throttle, login: &str, ip: IpAddr, now: Instant) -> bool {
        throttle.attempt(&keys(login, ip), now).is_none()
    }

    #[test]
    fn one_account_guessed_for_hours_lets_few_through_and_delays_nobody_else() {
        let (throttle, start) = (Throttle::default(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        let tried = (0..10_000).filter(|s| passes(&throttle, "ume", EVIL, at(*s))).count();
        assert!((6..30).contains(&tried), "{tried}");
        assert!(!passes(&throttle, "ume", EVIL, at(10_000)));
        assert!(passes(&throttle, "take", HOME, at(10_000)));
        assert!(passes(&throttle, "matsu", EVIL, at(10_000)));
    }

    #[test]
    fn attempts_side_by_side_are_counted_before_they_are_judged() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        assert_eq!((0..100).filter(|_| passes(&throttle, "ume", EVIL, now)).count(), 6);
    }

    #[test]
    fn one_password_tried_on_many_names_stops_the_address() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let tried = (0..1_000).filter(|n| passes(&throttle, &format!("name{n}"), EVIL, now));
        assert_eq!(tried.count(), 21);
        assert!(passes(&throttle, "ume", HOME, now));
    }

    #[test]
    fn a_good_account_buys_no_new_guesses_at_others() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let mut tried = 0;
        for n in 0..1_000 {
            tried += u32::from(passes(&throttle, &format!("name{n}"), EVIL, now));
            if passes(&throttle, "mine", EVIL, now) {
                throttle.succeeded(&keys("mine", EVIL), now);
            }
        }
        assert_eq!(tried, 21);
    }

    #[test]
    fn many_addresses_guessing_one_account_are_stopped_together() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let ip = |n: u8| IpAddr::from([203, 0, 113, n]);
        assert_eq!((0..200).filter(|n| passes(&throttle, "ume", ip(*n), now)).count(), 21);
    }

    #[test]
    fn a_flood_of_names_takes_bounded_memory_and_washes_nothing_out() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for _ in 0..6 {
            throttle.attempt(&[Key::Pair("ume", EVIL)], now);
        }
        let long = "x".repeat(100_000);
        for n in 0..KEYS_MAX + 500 {
            throttle.attempt(&[Key::Login(&format!("{n}"))], now);
        }
        throttle.attempt(&[Key::Login(&long)], now);
        assert_eq!(throttle.held(), KEYS_MAX);
        assert!(throttle.attempt(&[Key::Pair("ume", EVIL)], now).is_some());
    }

    #[test]
    fn a_household_of_ipv6_is_one_address() {
        let a: IpAddr = "2001:db8:1:2::1".parse().expect("address");
        let b: IpAddr = "2001:db8:1:2:ffff::9".parse().expect("address");
        assert_eq!(Key::Address(a).hash(), Key::Address(b).hash());
        let c: IpAddr = "2001:db8:1:3::1".parse().expect("address");
        assert_ne!(Key::Address(a).hash(), Key::Address(c).hash());
    }
}
