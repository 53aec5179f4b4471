//! Which tenants were here a while ago and have no work now.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::queue::Name;

/// How long a tenant that left counts as being about.
const REMEMBERED: Duration = Duration::from_mins(10);
/// Of how many is remembered; of more the oldest are forgotten.
const MOST: usize = 256;

/// Tenants without work and when their last work ended.
#[derive(Debug)]
pub(super) struct Lately {
    left: HashMap<Name, Left>,
    oldest: BTreeSet<(Duration, Name)>,
    of_class: Vec<usize>,
}

#[derive(Debug)]
struct Left {
    at: Duration,
    class: usize,
}

impl Lately {
    /// Nobody yet of so many classes.
    pub(super) fn new(classes: usize) -> Self {
        Self { left: HashMap::new(), oldest: BTreeSet::new(), of_class: vec![0; classes] }
    }

    /// This tenant has no work left.
    pub(super) fn left(&mut self, tenant: &Name, class: usize, at: Duration) {
        self.came(tenant);
        self.left.insert(Name::clone(tenant), Left { at, class });
        self.oldest.insert((at, Name::clone(tenant)));
        self.of_class[class] += 1;
        if self.left.len() > MOST {
            self.forget_oldest();
        }
    }

    /// This tenant has work again.
    pub(super) fn came(&mut self, tenant: &Name) {
        if let Some(Left { at, class }) = self.left.remove(tenant) {
            self.oldest.remove(&(at, Name::clone(tenant)));
            self.of_class[class] -= 1;
        }
    }

    /// Forgets who left long ago.
    pub(super) fn forget_old(&mut self, now: Duration) {
        let is_old = |at: Duration| now.saturating_sub(at) > REMEMBERED;
        while self.oldest.first().is_some_and(|(at, _)| is_old(*at)) {
            self.forget_oldest();
        }
    }

    /// How many there are of each class.
    pub(super) fn of_class(&self) -> &[usize] {
        &self.of_class
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.left.len()
    }

    fn forget_oldest(&mut self) {
        if let Some((_, tenant)) = self.oldest.first().cloned() {
            self.came(&tenant);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn of_class(lately: &mut Lately, now: Duration) -> Vec<usize> {
        lately.forget_old(now);
        lately.of_class().to_vec()
    }

    #[test]
    fn who_left_is_remembered_for_a_while_unless_they_are_back() {
        let mut lately = Lately::new(2);
        let (one, other) = (Name::from("one"), Name::from("other"));
        assert_eq!(of_class(&mut lately, MINUTE), [0, 0]);
        lately.left(&one, 1, MINUTE);
        lately.left(&other, 0, 2 * MINUTE);
        assert_eq!(of_class(&mut lately, 2 * MINUTE), [1, 1]);
        lately.came(&other);
        assert_eq!(of_class(&mut lately, 11 * MINUTE), [0, 1]);
        assert_eq!(of_class(&mut lately, 12 * MINUTE), [0, 0]);
        lately.left(&one, 1, 12 * MINUTE);
        lately.left(&one, 1, 20 * MINUTE);
        assert_eq!(of_class(&mut lately, 30 * MINUTE), [0, 1]);
        lately.came(&one);
        assert_eq!(of_class(&mut lately, 30 * MINUTE), [0, 0]);
    }

    #[test]
    fn a_crowd_takes_no_more_room_than_its_bound() {
        let mut lately = Lately::new(1);
        for tenant in 0..1000 {
            lately.left(&Name::from(tenant.to_string()), 0, MINUTE);
        }
        assert_eq!((lately.left.len(), lately.oldest.len()), (MOST, MOST));
        assert_eq!(of_class(&mut lately, MINUTE), [MOST]);
    }
}
