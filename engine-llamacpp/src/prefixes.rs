//! What was read before and may be needed again: the beginnings of conversations, with the model's
//! state after them. Whose it is decides who gets it: what the platform wrote is for all people of
//! its tenant, everything else for the one person, and nothing ever for another tenant.

/// Below this it is quicker to read anew than to keep and fetch.
pub(crate) const WORTH_KEEPING: usize = 32;

/// Whose a beginning is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whose {
    /// The tenant.
    pub(crate) tenant: String,
    /// The person; `None` for what all people of the tenant share.
    pub(crate) user: Option<String>,
}

/// Kept beginnings, those not used for the longest time dropped first.
#[derive(Debug)]
pub(crate) struct Prefixes<T, S> {
    entries: Vec<Entry<T, S>>,
    limit: usize,
    clock: u64,
}

#[derive(Debug)]
struct Entry<T, S> {
    whose: Whose,
    tokens: Vec<T>,
    state: S,
    bytes: usize,
    used: u64,
}

impl<T: PartialEq + Clone, S> Prefixes<T, S> {
    /// Keeps so many bytes of states at most.
    pub(crate) fn new(limit: usize) -> Self {
        Self { entries: Vec::new(), limit, clock: 0 }
    }

    /// The state that covers the most of `tokens`, and how many it covers, if it is worth it. Of
    /// what the tenant shares at most the first `shared` count: what a person writes is never
    /// compared with it.
    pub(crate) fn longest(
        &mut self,
        whose: &Whose,
        tokens: &[T],
        shared: usize,
    ) -> Option<(usize, &S)> {
        self.clock += 1;
        let covered = |entry: &Entry<T, S>| {
            if entry.whose.tenant != whose.tenant {
                return 0;
            }
            match &entry.whose.user {
                None => common(&entry.tokens, &tokens[..shared.min(tokens.len())]),
                user if *user == whose.user => common(&entry.tokens, tokens),
                Some(_) => 0,
            }
        };
        let found = self.entries.iter_mut().map(|entry| (covered(entry), entry));
        let (covers, entry) = found.max_by_key(|(covers, _)| *covers)?;
        if covers < WORTH_KEEPING {
            return None;
        }
        entry.used = self.clock;
        Some((covers, &entry.state))
    }

    /// Whether there is room for `bytes`, and `tokens` are neither kept already nor too few.
    pub(crate) fn wants(&self, whose: &Whose, tokens: &[T], bytes: usize) -> bool {
        let has = |entry: &Entry<T, S>| {
            entry.whose == *whose && common(&entry.tokens, tokens) == tokens.len()
        };
        tokens.len() >= WORTH_KEEPING && bytes <= self.limit && !self.entries.iter().any(has)
    }

    /// Keeps the state after `tokens`, instead of what the same owner had of the same beginning.
    pub(crate) fn keep(&mut self, whose: Whose, tokens: Vec<T>, bytes: usize, state: S) {
        self.clock += 1;
        self.entries.retain(|entry| {
            entry.whose != whose || common(&entry.tokens, &tokens) < entry.tokens.len()
        });
        self.entries.push(Entry { whose, tokens, state, bytes, used: self.clock });
        while self.entries.iter().map(|entry| entry.bytes).sum::<usize>() > self.limit {
            let oldest = (0..self.entries.len()).min_by_key(|at| self.entries[*at].used);
            let Some(oldest) = oldest else { return };
            self.entries.swap_remove(oldest);
        }
    }
}

fn common<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whose(tenant: &str, user: Option<&str>) -> Whose {
        Whose { tenant: tenant.to_owned(), user: user.map(str::to_owned) }
    }

    fn kept(limit: usize, entries: &[(&str, Option<&str>, usize)]) -> Prefixes<usize, usize> {
        let mut prefixes = Prefixes::new(limit);
        for (at, (tenant, user, length)) in entries.iter().enumerate() {
            prefixes.keep(whose(tenant, *user), (0..*length).collect(), *length, at);
        }
        prefixes
    }

    fn found(
        prefixes: &mut Prefixes<usize, usize>,
        tenant: &str,
        user: Option<&str>,
        shared: usize,
    ) -> Option<(usize, usize)> {
        let tokens: Vec<usize> = (0..200).collect();
        let found = prefixes.longest(&whose(tenant, user), &tokens, shared);
        found.map(|(covers, state)| (covers, *state))
    }

    #[test]
    fn people_share_what_is_the_tenants_and_nothing_else() {
        let mut prefixes = kept(1000, &[("a", None, 60), ("a", Some("x"), 100)]);
        assert_eq!(found(&mut prefixes, "a", Some("x"), 60), Some((100, 1)));
        assert_eq!(found(&mut prefixes, "a", Some("y"), 60), Some((60, 0)));
        assert_eq!(found(&mut prefixes, "a", None, 60), Some((60, 0)));
        assert_eq!(found(&mut prefixes, "b", Some("x"), 60), None);
        assert_eq!(found(&mut prefixes, "b", None, 60), None);
    }

    #[test]
    fn what_a_person_writes_is_not_compared_with_what_is_shared() {
        let mut prefixes = kept(1000, &[("a", None, 60)]);
        assert_eq!(found(&mut prefixes, "a", Some("y"), 40), Some((40, 0)));
        assert_eq!(found(&mut prefixes, "a", Some("y"), 0), None);
    }

    #[test]
    fn a_longer_conversation_takes_the_place_of_its_beginning_but_not_of_what_is_shared() {
        let mut prefixes = kept(1000, &[("a", None, 50), ("a", Some("x"), 60)]);
        prefixes.keep(whose("a", Some("x")), (0..90).collect(), 90, 2);
        assert_eq!(prefixes.entries.len(), 2);
        assert_eq!(found(&mut prefixes, "a", Some("x"), 50), Some((90, 2)));
        assert_eq!(found(&mut prefixes, "a", Some("y"), 50), Some((50, 0)));
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_goes_first() {
        let mut prefixes = kept(150, &[("a", Some("x"), 50), ("a", Some("y"), 50)]);
        found(&mut prefixes, "a", Some("x"), 0);
        prefixes.keep(whose("b", None), (0..60).collect(), 60, 2);
        assert_eq!(found(&mut prefixes, "a", Some("x"), 0), Some((50, 0)));
        assert_eq!(found(&mut prefixes, "a", Some("y"), 0), None);
        assert_eq!(found(&mut prefixes, "b", None, 200), Some((60, 2)));
    }

    #[test]
    fn only_what_is_new_and_fits_is_wanted() {
        let prefixes = kept(100, &[("a", Some("x"), 60)]);
        let tokens: Vec<usize> = (0..80).collect();
        let x = whose("a", Some("x"));
        assert!(prefixes.wants(&x, &tokens, 80));
        assert!(!prefixes.wants(&x, &tokens, 101));
        assert!(!prefixes.wants(&x, &tokens[..50], 50));
        assert!(prefixes.wants(&whose("a", Some("y")), &tokens[..50], 50));
        assert!(!prefixes.wants(&x, &tokens[..WORTH_KEEPING - 1], 10));
    }
}
