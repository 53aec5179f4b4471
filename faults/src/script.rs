//! Scripts: what becomes of each call. Any closure from a call to a fault is one; these are the
//! usual ones, for both proxies: `C` is a call of one of them, `F` its kind of fault.

use crate::chance::Chance;

/// Everything passes.
pub fn nothing<C, F: Default>() -> impl FnMut(&C) -> F + Send {
    |_| F::default()
}

/// The fault hits the `n`-th call, from 0, of those that count; everything else passes.
pub fn at<C, F: Default + Send>(
    n: usize,
    counts: impl Fn(&C) -> bool + Send,
    fault: F,
) -> impl FnMut(&C) -> F + Send {
    let (mut seen, mut fault) = (0, Some(fault));
    move |call| {
        if !counts(call) {
            return F::default();
        }
        seen += 1;
        if seen == n + 1 { fault.take().unwrap_or_default() } else { F::default() }
    }
}

/// The caller dies at the `n`-th call, from 0, of those that count: the fault hits it, and what
/// the dead one still sends, of whatever kind, gets `after`. Ends when another script is followed.
pub fn dead_from<C, F: Default + Send>(
    n: usize,
    counts: impl Fn(&C) -> bool + Send,
    fault: F,
    after: impl Fn() -> F + Send,
) -> impl FnMut(&C) -> F + Send {
    let (mut seen, mut fault) = (0, Some(fault));
    move |call| {
        if seen > n {
            return after();
        }
        seen += usize::from(counts(call));
        if seen > n { fault.take().unwrap_or_default() } else { F::default() }
    }
}

/// One in `n` calls gets a fault that `make` chooses; the same seed, the same faults for the same
/// calls in the same order.
pub fn by_chance<C, F: Default>(
    seed: u64,
    n: u64,
    mut make: impl FnMut(&C, &mut Chance) -> F + Send,
) -> impl FnMut(&C) -> F + Send {
    let mut chance = Chance::new(seed);
    move |call| if chance.once_in(n) { make(call, &mut chance) } else { F::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The faults of calls named by letters, of which capital ones count.
    fn told(script: impl FnMut(&char) -> u8, calls: &str) -> Vec<u8> {
        let calls: Vec<char> = calls.chars().collect();
        calls.iter().map(script).collect()
    }

    #[test]
    fn the_nth_call_that_counts_is_hit_once() {
        let script = at(1, char::is_ascii_uppercase, 9);
        assert_eq!(told(script, "aBcDeF"), [0, 0, 0, 9, 0, 0]);
    }

    #[test]
    fn after_its_death_nothing_of_the_caller_passes() {
        let script = dead_from(1, char::is_ascii_uppercase, 9, || 1);
        assert_eq!(told(script, "aBcDeF"), [0, 0, 0, 9, 1, 1]);
    }

    #[test]
    fn chance_hits_the_same_calls_for_the_same_seed() {
        let script = |seed| told(by_chance(seed, 3, |_, _| 9), "abcdefghijklmnopqrstuvwxyz");
        assert_eq!(script(5), script(5));
        assert!(script(5).contains(&9) && script(5).contains(&0));
    }
}
