//! Who may stay: places for connections, counted over all and by address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Limits, Proxies};

/// The places of one or several listeners. Cheap to clone; clones count together.
#[derive(Debug, Clone)]
pub struct Places {
    limits: Limits,
    proxies: Proxies,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: BTreeMap<IpAddr, usize>,
}

/// A place taken, until the last clone of this is dropped. Each request carries one: who takes the
/// connection over, as for a WebSocket, keeps it for as long.
#[derive(Debug, Clone)]
pub struct TakenPlace {
    _place: Arc<Place>,
}

/// A place taken, until this is dropped.
#[derive(Debug)]
struct Place {
    address: IpAddr,
    taken: Arc<Mutex<Taken>>,
}

impl Places {
    /// As many as these limits allow, none taken.
    pub fn new(limits: Limits) -> Self {
        Self { limits, proxies: Proxies::default(), taken: Arc::default() }
    }

    /// The same places, of which each of these proxies may hold three quarters: it comes for many,
    /// and not for all.
    #[must_use]
    pub fn behind(self, proxies: Proxies) -> Self {
        Self { proxies, ..self }
    }

    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// A place for someone from `ip`. `None` when all are taken, or all that the address may have.
    pub(super) fn take(&self, ip: IpAddr) -> Option<TakenPlace> {
        let address = counted_as(ip);
        let most = if self.proxies.are_at(ip) {
            self.limits.connections - self.limits.connections / 4
        } else if address.is_loopback() {
            self.limits.from_this_machine
        } else {
            self.limits.from_one_address
        };
        let mut taken = locked(&self.taken);
        let held = taken.by_address.get(&address).copied().unwrap_or_default();
        if taken.all >= self.limits.connections || held >= most {
            return None;
        }
        taken.all += 1;
        taken.by_address.insert(address, held + 1);
        let place = Place { address, taken: Arc::clone(&self.taken) };
        Some(TakenPlace { _place: Arc::new(place) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = locked(&self.taken);
        taken.all -= 1;
        if let Some(held) = taken.by_address.get_mut(&self.address) {
            *held -= 1;
            if *held == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

fn locked(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This machine has all of 127.0.0.0/8.
fn counted_as(ip: IpAddr) -> IpAddr {
    if ip.to_canonical().is_loopback() { Ipv4Addr::LOCALHOST.into() } else { as_one(ip) }
}

/// What counts as one visitor: an address, and of IPv6 a whole /64, as a household or a server has it.
pub fn as_one(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        four @ IpAddr::V4(_) => four,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes as many as it is given.
    fn fill(places: &Places, ip: &str) -> Vec<TakenPlace> {
        let ip = ip.parse().unwrap();
        std::iter::from_fn(|| places.take(ip)).collect()
    }

    #[test]
    fn one_address_cannot_take_all_places() {
        let places = Places::new(Limits::of(16));
        let local = fill(&places, "127.0.0.1");
        assert_eq!(local.len(), 12);
        assert_eq!(fill(&places, "192.0.2.1").len(), 4);
        drop(local);
        let visitors = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "192.0.2.3", "192.0.2.4"];
        let held = visitors.map(|ip| fill(&places, ip));
        assert_eq!(held.each_ref().map(Vec::len), [4, 4, 4, 4, 0]);
    }

    #[test]
    fn a_proxy_of_ours_may_have_more_of_them_than_others() {
        let proxies = Proxies::at(["192.0.2.0/30".parse().unwrap()]);
        let places = Places::new(Limits::of(16)).behind(proxies);
        assert_eq!(fill(&places, "192.0.2.9").len(), 4);
        assert_eq!(fill(&places, "192.0.2.1").len(), 12);
    }

    #[test]
    fn a_neighbouring_address_of_the_same_machine_helps_nobody() {
        let places = Places::new(Limits::of(16));
        for (ip, neighbour) in [
            ("127.0.0.1", "127.8.8.8"),
            ("127.0.0.1", "::1"),
            ("192.0.2.1", "::ffff:192.0.2.1"),
            ("2001:db8::1", "2001:db8::ffff:2"),
        ] {
            let held = fill(&places, ip);
            assert!(!held.is_empty(), "{ip}");
            assert_eq!(fill(&places, neighbour).len(), 0, "{neighbour}");
        }
    }

    #[test]
    fn a_place_given_back_can_be_taken_again() {
        let places = Places::new(Limits::of(16));
        for _ in 0..3 {
            assert_eq!(fill(&places, "192.0.2.1").len(), 4);
        }
        assert!(locked(&places.taken).by_address.is_empty());
    }
}
