//! What a model costs: exact, in whole millionths of a currency's major unit.
//!
//! A price is stated per million tokens, so the price of a job is a whole number of millionths
//! except for the last one, which is rounded up: once for a job, over all its tokens, so a job
//! never costs more than one millionth above the exact sum, and never less. A model without a
//! price is refused; a model that costs nothing says so with zeros.

use std::collections::BTreeMap;

use blueprint::Currency;
use serde::{Deserialize, Serialize};
pub use usage::{Micros, Tokens};

use crate::engine::Usage;

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        let count = |tokens| u64::try_from(tokens).unwrap_or(u64::MAX);
        Self {
            prompt: count(usage.prompt_tokens),
            cached: count(usage.cached_tokens),
            completion: count(usage.completion_tokens),
        }
    }
}

/// What a million tokens of a model cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    /// What the amounts are of.
    pub currency: Currency,
    /// For a million tokens of prompts.
    pub prompt: Micros,
    /// For a million tokens of prompts that were found in a cache.
    pub cached_prompt: Micros,
    /// For a million tokens made.
    pub completion: Micros,
}

impl Price {
    /// A model that costs nothing, such as one on a machine that is paid for already.
    pub const fn free(currency: Currency) -> Self {
        let nothing = Micros::ZERO;
        Self { currency, prompt: nothing, cached_prompt: nothing, completion: nothing }
    }

    /// What these tokens cost, the last millionth rounded up.
    pub fn of(&self, tokens: Tokens) -> Micros {
        let cached = tokens.cached.min(tokens.prompt);
        exact(&[
            (tokens.prompt - cached, self.prompt),
            (cached, self.cached_prompt),
            (tokens.completion, self.completion),
        ])
    }

    /// What they cost at most, however many of them turn out to be cached.
    pub fn at_most(&self, tokens: Tokens) -> Micros {
        let prompt = self.prompt.max(self.cached_prompt);
        exact(&[(tokens.prompt, prompt), (tokens.completion, self.completion)])
    }
}

/// Tokens times the price of a million of them, summed and rounded up once.
fn exact(parts: &[(u64, Micros)]) -> Micros {
    let product = |&(tokens, rate): &(u64, Micros)| u128::from(tokens) * u128::from(rate.get());
    // Two products of 64 bits each have room beside each other in 128 bits but not always three.
    let sum = parts.iter().map(product).fold(0_u128, u128::saturating_add);
    u64::try_from(sum.div_ceil(1_000_000)).map_or(Micros::MAX, Micros::new)
}

/// The model has no price, so what it would cost is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model {0} has no price; one that costs nothing needs a price of 0")]
pub struct Unpriced(pub String);

/// The price of each model, by its name in requests.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prices(BTreeMap<String, Price>);

impl Prices {
    /// Sets the price of a model.
    pub fn set(&mut self, model: impl Into<String>, price: Price) {
        self.0.insert(model.into(), price);
    }

    /// The price of a model.
    pub fn of(&self, model: &str) -> Result<Price, Unpriced> {
        self.0.get(model).copied().ok_or_else(|| Unpriced(model.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(prompt: u64, cached: u64, completion: u64) -> Price {
        let [prompt, cached_prompt, completion] = [prompt, cached, completion].map(Micros::new);
        Price { currency: Currency::USD, prompt, cached_prompt, completion }
    }

    #[test]
    fn a_job_is_rounded_up_once_and_by_less_than_a_millionth() {
        // 0.15 and 0.60 dollars a million, 0.075 for what was cached.
        let price = price(150_000, 75_000, 600_000);
        let used = Tokens { prompt: 1_001, cached: 400, completion: 7 };
        // 90.15 + 30 + 4.2 = 124.35 millionths.
        assert_eq!(price.of(used), Micros::new(125));
        assert_eq!(price.of(Tokens::at_most(20, 0)), Micros::new(3));
        assert_eq!(price.of(Tokens::default()), Micros::ZERO);
        assert_eq!(price.of(Tokens::at_most(0, 1)), Micros::new(1));
    }

    #[test]
    fn the_bound_covers_whatever_is_cached() {
        for price in [price(7, 3, 11), price(3, 7, 11), price(0, 0, 0)] {
            for cached in 0..=50 {
                let used = Tokens { prompt: 50, cached, completion: 9 };
                assert!(price.of(used) <= price.at_most(Tokens::at_most(50, 9)));
            }
        }
    }

    #[test]
    fn amounts_without_room_are_the_largest_instead_of_small() {
        let price = price(u64::MAX, u64::MAX, u64::MAX);
        assert_eq!(price.at_most(Tokens::at_most(u64::MAX, u64::MAX)), Micros::MAX);
        let third = Tokens { prompt: u64::MAX, cached: u64::MAX / 2, completion: u64::MAX };
        assert_eq!(price.of(third), Micros::MAX);
    }

    #[test]
    fn a_model_without_a_price_is_refused_and_half_a_price_is_none() {
        let mut prices = Prices::default();
        prices.set("small", Price::free(Currency::USD));
        assert_eq!(prices.of("small"), Ok(Price::free(Currency::USD)));
        assert_eq!(prices.of("large"), Err(Unpriced("large".to_owned())));
        let half = r#"{"large": {"currency": "USD", "prompt": 1, "completion": 2}}"#;
        let error = serde_json::from_str::<Prices>(half).unwrap_err().to_string();
        assert!(error.contains("cachedPrompt"), "{error}");
    }
}
