//! Which tenants were here a while ago and have no work now.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::queue::Name;

/// How long a tenant that left counts as being about.
const REMEMBERED: Duration = Duration::from_mins(10);
/// Of how many is remembered; of more the oldest are forgotten.
const MOST: usize = 256;

/// Tenants without work and when their last work ended.
#[derive(Debug, Default)]
pub(super) struct Lately {
    left: HashMap<Name, Duration>,
    oldest: BTreeSet<(Duration, Name)>,
}

impl Lately {
    /// This tenant has no work left.
    pub(super) fn left(&mut self, tenant: &Name, now: Duration) {
        self.came(tenant);
        self.left.insert(Name::clone(tenant), now);
        self.oldest.insert((now, Name::clone(tenant)));
        if self.left.len() > MOST {
            self.forget_oldest();
        }
    }

    /// This tenant has work again.
    pub(super) fn came(&mut self, tenant: &Name) {
        if let Some(at) = self.left.remove(tenant) {
            self.oldest.remove(&(at, Name::clone(tenant)));
        }
    }

    /// Whether there is anybody.
    pub(super) fn is_somebody(&mut self, now: Duration) -> bool {
        while let Some((at, _)) = self.oldest.first() {
            if now.saturating_sub(*at) <= REMEMBERED {
                return true;
            }
            self.forget_oldest();
        }
        false
    }

    fn forget_oldest(&mut self) {
        if let Some((_, tenant)) = self.oldest.pop_first() {
            self.left.remove(&tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn who_left_is_remembered_for_a_while_unless_they_are_back() {
        let mut lately = Lately::default();
        let (one, other) = (Name::from("one"), Name::from("other"));
        assert!(!lately.is_somebody(MINUTE));
        lately.left(&one, MINUTE);
        lately.left(&other, 2 * MINUTE);
        lately.came(&other);
        assert!(lately.is_somebody(11 * MINUTE));
        assert!(!lately.is_somebody(12 * MINUTE));
        lately.left(&one, 12 * MINUTE);
        lately.left(&one, 20 * MINUTE);
        assert!(lately.is_somebody(30 * MINUTE));
        lately.came(&one);
        assert!(!lately.is_somebody(30 * MINUTE));
    }

    #[test]
    fn a_crowd_takes_no_more_room_than_its_bound() {
        let mut lately = Lately::default();
        for tenant in 0..1000 {
            lately.left(&Name::from(tenant.to_string()), MINUTE);
        }
        assert_eq!((lately.left.len(), lately.oldest.len()), (MOST, MOST));
    }
}
