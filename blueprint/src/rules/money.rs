//! Prices agree with each other, and with what is for sale.

use serde_json::Value;

use super::{Faults, Rule, cel_list, nearest, rule};
use crate::money::{CURRENCIES, Currency};

pub(super) fn rules() -> Vec<Rule> {
    let codes = || CURRENCIES.iter().map(|(code, _)| *code);
    vec![
        rule(
            &["spec.monetization.currency", "spec.ai.monthlyBudget.currency"],
            "is not a currency code of ISO 4217",
            format!("self in {}", cel_list(codes())),
            |here, faults| {
                faults.text(
                    here,
                    |code| code.parse::<Currency>().is_ok(),
                    |code| meant(code).unwrap_or("a code such as USD, EUR or JPY").to_owned(),
                );
            },
        ),
        rule(
            &["spec.monetization.tiers"],
            "another tier has this id",
            "self.all(tier, self.exists_one(other, other.id == tier.id))",
            |here, faults| faults.unique(here, Some("id")),
        ),
        rule(
            &["spec.monetization"],
            "the price is not in the currency of monetization.currency",
            format!(
                "(!has(self.tiers) || self.tiers.all(tier, tier.price.currency == {MAIN} && \
                 (!has(tier.usagePrice) || tier.usagePrice.price.currency == {MAIN}))) && \
                 (!has(self.agentCreationFee) || self.agentCreationFee.currency == {MAIN})"
            ),
            one_currency,
        ),
        rule(
            &["spec.monetization"],
            "freemium has no free tier",
            "(has(self.pricingStrategy) && self.pricingStrategy != 'freemium') || \
             !has(self.tiers) || self.tiers.size() == 0 || \
             self.tiers.exists(tier, tier.price.amount == 0)",
            |here, faults| {
                let freemium = here["pricingStrategy"].as_str().unwrap_or("freemium") == "freemium";
                let free = |tier: &Value| tier["price"]["amount"].as_i64() == Some(0);
                let mut tiers = here["tiers"].as_array().into_iter().flatten().peekable();
                if freemium && tiers.peek().is_some() && !tiers.any(free) {
                    faults.add(
                        "tiers",
                        "a tier whose price has amount 0, or pricingStrategy: subscription",
                    );
                }
            },
        )
        .at("tiers"),
        rule(
            &["spec.monetization"],
            "no tier says what use costs",
            "!has(self.pricingStrategy) || self.pricingStrategy != 'usage' || \
             (has(self.tiers) && self.tiers.exists(tier, has(tier.usagePrice)))",
            |here, faults| {
                let mut tiers = here["tiers"].as_array().into_iter().flatten();
                if here["pricingStrategy"] == "usage"
                    && !tiers.any(|tier| tier.get("usagePrice").is_some())
                {
                    faults.add("tiers", "a tier with usagePrice, or pricingStrategy: subscription");
                }
            },
        )
        .at("tiers"),
        rule(
            &["spec"],
            "a marketplace is priced but not switched on",
            "!has(self.monetization) || !has(self.monetization.pricingStrategy) || \
             self.monetization.pricingStrategy != 'marketplace' || \
             (has(self.features) && has(self.features.agentMarketplace) && \
             self.features.agentMarketplace)",
            |here, faults| {
                if here["monetization"]["pricingStrategy"] == "marketplace"
                    && is_off(&here["features"]["agentMarketplace"])
                {
                    faults.add("features.agentMarketplace", "true, or another pricingStrategy");
                }
            },
        )
        .at("features.agentMarketplace"),
        rule(
            &["spec"],
            "making agents has a price but is not switched on",
            "!has(self.monetization) || !has(self.monetization.agentCreationFee) || \
             (has(self.features) && has(self.features.agentCreation) && \
             self.features.agentCreation)",
            |here, faults| {
                if here["monetization"].get("agentCreationFee").is_some()
                    && is_off(&here["features"]["agentCreation"])
                {
                    faults.add("features.agentCreation", "true, or no agentCreationFee");
                }
            },
        )
        .at("features.agentCreation"),
    ]
}

/// The platform's currency, as CEL.
const MAIN: &str = "(has(self.currency) ? self.currency : 'USD')";

/// Whether a switch is off. One that is neither on nor off has been told already.
fn is_off(switch: &Value) -> bool {
    switch.is_null() || *switch == false
}

/// The currency a text was meant to be.
fn meant(code: &str) -> Option<&'static str> {
    nearest(code.trim(), CURRENCIES.iter().map(|(code, _)| *code))
}

fn one_currency(here: &Value, faults: &mut Faults<'_>) {
    // Compared with what the main one was meant to be: what agrees with that is right already.
    let main = here["currency"].as_str().map_or(Some(Currency::USD.code()), meant);
    let mut compare = |money: &Value, path: String| {
        if let (Some(currency), Some(main)) = (money["currency"].as_str(), main)
            && currency != main
        {
            faults.add(&path, main);
        }
    };
    compare(&here["agentCreationFee"], "agentCreationFee.currency".into());
    for (at, tier) in here["tiers"].as_array().into_iter().flatten().enumerate() {
        compare(&tier["price"], format!("tiers[{at}].price.currency"));
        compare(&tier["usagePrice"]["price"], format!("tiers[{at}].usagePrice.price.currency"));
    }
}
