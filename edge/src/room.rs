//! Room for requests under way at one platform: each may take a connection to it. One platform must
//! not take all that the edge has, and one visitor not all that the platform has.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;
use web::serve::as_one;

/// Requests to one platform at once. It takes no more than this from one edge.
const ALL: usize = 1_000;
/// Of one address, a /64 of IPv6 counting as one: a household, an office, or one who means ill.
const OF_ONE: usize = ALL / 4;

/// Places for requests under way: of one platform, where nothing else is said. Clones count together.
#[derive(Clone, Debug)]
pub struct Room {
    all: usize,
    of_one: usize,
    taken: Arc<Mutex<Taken>>,
}

impl Default for Room {
    fn default() -> Self {
        Self { all: ALL, of_one: OF_ONE, taken: Arc::default() }
    }
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
    /// When the last place was given back.
    left: Option<Instant>,
}

/// A place, until this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Room,
    address: IpAddr,
}

/// There is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Very many are here.
    All,
    /// This visitor has all that one may have.
    OfOne,
}

impl Room {
    /// Places of all platforms together, so many for one visitor.
    pub(crate) fn of_all(of_one: usize) -> Self {
        Self { all: usize::MAX, of_one, taken: Arc::default() }
    }

    /// A place for somebody from this address.
    pub(crate) fn take(&self, address: IpAddr) -> Result<Place, Full> {
        let address = as_one(address);
        let mut taken = self.taken();
        let held = taken.by_address.get(&address).copied().unwrap_or_default();
        if held >= self.of_one {
            return Err(Full::OfOne);
        }
        if taken.all >= self.all {
            return Err(Full::All);
        }
        taken.all += 1;
        taken.by_address.insert(address, held + 1);
        Ok(Place { room: self.clone(), address })
    }

    /// When somebody was here last: now, where somebody is.
    pub(crate) fn used(&self) -> Option<Instant> {
        let taken = self.taken();
        if taken.all > 0 { Some(Instant::now()) } else { taken.left }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.taken();
        taken.all -= 1;
        taken.left = Some(Instant::now());
        if let Some(held) = taken.by_address.get_mut(&self.address) {
            *held -= 1;
            if *held == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(room: &Room, address: &str) -> (Vec<Place>, Full) {
        let (address, mut places) = (address.parse().unwrap(), Vec::new());
        loop {
            match room.take(address) {
                Ok(place) => places.push(place),
                Err(full) => return (places, full),
            }
        }
    }

    #[test]
    fn one_visitor_has_a_quarter_of_the_places_at_most_and_all_have_all() {
        let room = Room::default();
        assert_eq!(room.used(), None);
        let (held, full) = fill(&room, "192.0.2.1");
        assert_eq!((held.len(), full), (OF_ONE, Full::OfOne));
        let (same, full) = fill(&room, "::ffff:192.0.2.1");
        assert_eq!((same.len(), full), (0, Full::OfOne), "the same, in other words");
        let others = ["2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.2", "192.0.2.3"];
        let held_by = others.map(|address| fill(&room, address).0);
        assert_eq!(held_by.each_ref().map(Vec::len), [OF_ONE, 0, OF_ONE, OF_ONE, 0]);
        assert_eq!(fill(&room, "192.0.2.3").1, Full::All);
        drop(held);
        assert_eq!(fill(&room, "192.0.2.3").0.len(), OF_ONE);
        drop(held_by);
        assert!(room.taken().by_address.is_empty(), "nobody is remembered");
        assert!(room.used().is_some());
    }
}
