//! Amounts in minor units, each rounded once, that sum to their rounded sum.

use std::cmp::Reverse;

use blueprint::money::{Currency, Money};

use crate::amount::{Amount, AmountError, minor};

/// Amounts as they are paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rounded {
    /// Each of them, rounded down or up.
    pub parts: Vec<Money>,
    /// Their sum: that of the amounts, rounded to the nearest minor unit.
    pub total: Money,
    /// What the amounts are more than the total; below zero where it was rounded up.
    pub left: Amount,
}

/// Rounds the sum, and each of the amounts so that they sum to it: down, but for those that lose most by it,
/// and of those that lose the same the first. What has no part of a minor unit is not changed.
///
/// # Errors
/// [`AmountError`]
pub fn round(currency: Currency, amounts: &[Amount]) -> Result<Rounded, AmountError> {
    let (total, left) = Amount::sum(currency, amounts.iter().copied())?.to_minor();
    let unit = minor(currency);
    let mut parts: Vec<_> = amounts.iter().map(|amount| amount.micros().div_euclid(unit)).collect();
    let lost = |at: &usize| Reverse(amounts[*at].micros().rem_euclid(unit));
    let mut by_loss: Vec<_> = (0..amounts.len()).collect();
    by_loss.sort_by_key(lost);
    // The sum of what is lost, rounded: no more than there are amounts that lose something.
    let up = total.amount() - parts.iter().sum::<i64>();
    for at in by_loss.into_iter().take(usize::try_from(up).unwrap_or_default()) {
        parts[at] += 1;
    }
    let parts = parts.into_iter().map(|part| Money::new(part, currency)).collect();
    Ok(Rounded { parts, total, left })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn minors(code: &str, micros: &[i64]) -> (Vec<i64>, i64, i64) {
        let currency = code.parse().unwrap();
        let amounts: Vec<_> = micros.iter().map(|micros| Amount::new(*micros, currency)).collect();
        let Rounded { parts, total, left } = round(currency, &amounts).unwrap();
        (parts.iter().map(|part| part.amount()).collect(), total.amount(), left.micros())
    }

    #[test]
    fn lines_sum_to_the_rounded_sum_and_not_to_the_sum_of_rounded_lines() {
        // Each alone would be rounded down, and a cent would be missing.
        assert_eq!(minors("USD", &[3_333, 3_333, 3_334]), (vec![0, 0, 1], 1, 0));
        // Each alone would be rounded up, and there would be a cent too much.
        assert_eq!(minors("USD", &[16_000, 16_000]), (vec![2, 1], 3, 2_000));
        assert_eq!(minors("USD", &[15_000]), (vec![2], 2, -5_000));
        assert_eq!(minors("USD", &[14_999, 10_000]), (vec![1, 1], 2, 4_999));
        assert_eq!(minors("JPY", &[1_400_000, 1_400_000]), (vec![2, 1], 3, -200_000));
        assert_eq!(minors("KWD", &[1_500, 500]), (vec![2, 0], 2, 0));
        assert_eq!(minors("USD", &[]), (vec![], 0, 0));
    }

    proptest! {
        #[test]
        fn each_is_within_one_and_together_they_are_the_rounded_whole(
            micros in prop::collection::vec(-5_000_000_000_i64..5_000_000_000, 0..40),
            code in proptest::sample::select(&["JPY", "USD", "KWD"][..]),
        ) {
            let unit = minor(code.parse().unwrap());
            let (parts, total, left) = minors(code, &micros);
            prop_assert_eq!(parts.iter().sum::<i64>(), total);
            prop_assert_eq!(total * unit + left, micros.iter().sum::<i64>());
            prop_assert!(2 * left.abs() <= unit);
            for (part, exact) in parts.iter().zip(&micros) {
                prop_assert!((part * unit - exact).abs() < unit, "{part} {exact}");
            }
        }
    }
}
