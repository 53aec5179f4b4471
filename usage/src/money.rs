//! Money in whole millionths, and tokens.

use std::iter::Sum;

use blueprint::Money;
use serde::{Deserialize, Serialize};

/// Millionths of a currency's major unit: 150,000 is 0.15 dollars.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Micros(u64);

impl Micros {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// More than anybody has.
    pub const MAX: Self = Self(u64::MAX);

    /// So many millionths.
    pub const fn new(micros: u64) -> Self {
        Self(micros)
    }

    /// How many millionths.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// What `money` is worth; `None` below zero.
    pub fn of(money: Money) -> Option<Self> {
        let decimals = u32::from(money.currency().decimals());
        let minor = u64::try_from(money.amount()).ok()?;
        Some(Self(minor.saturating_mul(10_u64.pow(6_u32.saturating_sub(decimals)))))
    }

    /// The sum, at most [`Self::MAX`].
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference, at least zero.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// So many times as much, at most [`Self::MAX`].
    #[must_use]
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }

    /// Half of it, rounded down.
    #[must_use]
    pub const fn half(self) -> Self {
        Self(self.0 / 2)
    }
}

impl Sum for Micros {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Self::plus)
    }
}

/// Tokens of one job: what it used, or what it may use at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tokens {
    /// Tokens of the prompt, those found in a cache included.
    pub prompt: u64,
    /// Those of them that were found in a cache.
    pub cached: u64,
    /// Tokens made.
    pub completion: u64,
}

impl Tokens {
    /// What a prompt and the longest answer to it may use; nothing is taken for cached before.
    pub const fn at_most(prompt: u64, completion: u64) -> Self {
        Self { prompt, cached: 0, completion }
    }

    /// Tokens read and made.
    pub const fn all(self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }

    /// As much of it as `bound` allows.
    #[must_use]
    pub fn within(self, bound: Self) -> Self {
        let prompt = self.prompt.min(bound.prompt);
        let completion = self.completion.min(bound.completion);
        Self { prompt, cached: self.cached.min(prompt), completion }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_of_every_decimals_is_counted_in_millionths() {
        for (text, micros) in
            [("9.99 USD", 9_990_000), ("5 JPY", 5_000_000), ("0.999 KWD", 999_000)]
        {
            assert_eq!(Micros::of(text.parse().unwrap()), Some(Micros::new(micros)));
        }
        assert_eq!(Micros::of("-1 USD".parse().unwrap()), None);
    }

    #[test]
    fn nothing_is_counted_beyond_what_was_kept_for_it() {
        let bound = Tokens::at_most(20, 30);
        let told = Tokens { prompt: 500, cached: 400, completion: 31 };
        assert_eq!(told.within(bound), Tokens { prompt: 20, cached: 20, completion: 30 });
    }
}
