//! Plans: what an organization pays, and what that gives.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    money::{Bps, Currency, Money},
    problem::Problem,
    resource::PlatformBlueprint,
    spec::Placement,
    text::InvalidText,
};

/// What an organization pays for.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PlanName {
    /// Up to 1,000 people.
    Starter,
    /// Up to 50,000 people, under the owner's own name throughout.
    Business,
    /// As many people as come, on infrastructure of its own where wished.
    Enterprise,
}

impl PlanName {
    /// Every plan, cheapest first.
    pub const ALL: [Self; 3] = [Self::Starter, Self::Business, Self::Enterprise];

    /// As it is written in a blueprint.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starter => "starter",
            Self::Business => "business",
            Self::Enterprise => "enterprise",
        }
    }

    /// What the plan gives, before any contract.
    pub const fn entitlements(self) -> Entitlements {
        match self {
            Self::Starter => Entitlements {
                users: Some(1_000),
                white_label: false,
                custom_roles: false,
                dedicated_inference: false,
                dedicated_database: false,
                mobile_project: false,
                class_weight: 1,
                factory_fee_bps: Bps::percent(15),
                ai_markup_bps: Bps::percent(40),
            },
            Self::Business => Entitlements {
                users: Some(50_000),
                white_label: true,
                custom_roles: true,
                dedicated_inference: false,
                dedicated_database: false,
                mobile_project: false,
                class_weight: 4,
                factory_fee_bps: Bps::percent(25),
                ai_markup_bps: Bps::percent(30),
            },
            Self::Enterprise => Entitlements {
                users: None,
                white_label: true,
                custom_roles: true,
                dedicated_inference: true,
                dedicated_database: true,
                mobile_project: true,
                class_weight: 8,
                factory_fee_bps: Bps::percent(30),
                ai_markup_bps: Bps::percent(25),
            },
        }
    }
}

impl fmt::Display for PlanName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PlanName {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<Self, InvalidText> {
        let wanted = "a plan: starter, business or enterprise";
        let found = Self::ALL.into_iter().find(|plan| plan.as_str() == text);
        found.ok_or_else(|| InvalidText::new(text, wanted))
    }
}

/// What a plan costs in a month; for enterprise the least a contract can say.
pub const fn price(plan: PlanName) -> Money {
    let cents = match plan {
        PlanName::Starter => 9_900,
        PlanName::Business => 99_900,
        PlanName::Enterprise => 999_900,
    };
    Money::new(cents, Currency::USD)
}

/// Something an organization can buy beside its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extra {
    /// Stable identifier.
    pub id: &'static str,
    /// Shown to people.
    pub name: &'static str,
    /// What one unit costs.
    pub price: Money,
    /// What the price is for.
    pub per: &'static str,
    /// Whether it can be bought yet.
    pub available: bool,
}

/// Everything an organization can buy beside its plan.
pub const EXTRAS: [Extra; 3] = [
    Extra {
        id: "platform-connection",
        name: "Connection between platforms",
        price: Money::new(9_900, Currency::USD),
        per: "connection and month",
        available: false,
    },
    Extra {
        id: "advanced-analytics",
        name: "Advanced analytics",
        price: Money::new(29_900, Currency::USD),
        per: "month",
        available: true,
    },
    Extra {
        id: "services",
        name: "Professional services",
        price: Money::new(50_000, Currency::USD),
        per: "hour",
        available: true,
    },
];

/// No volume tier takes less than this on top of what AI costs.
pub const LEAST_AI_MARKUP: Bps = Bps::percent(20);

/// What a plan, or a contract, gives a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "rights, each of its own")]
pub struct Entitlements {
    /// People who may have an account; as many as come when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u32>,
    /// Nothing shows the factory's name.
    pub white_label: bool,
    /// Roles made of chosen scopes.
    pub custom_roles: bool,
    /// Model servers of its own.
    pub dedicated_inference: bool,
    /// A database server of its own.
    pub dedicated_database: bool,
    /// The generated project of an app for phones.
    pub mobile_project: bool,
    /// Weight in the queue of the model servers.
    pub class_weight: u8,
    /// What the factory takes of what the tenant keeps after creators' shares, net of refunds
    /// and tax, in basis points.
    pub factory_fee_bps: Bps,
    /// What comes on top of what AI costs, in basis points.
    pub ai_markup_bps: Bps,
}

/// Everything the blueprint asks for that the plan does not give. Kept apart from the rules: a
/// blueprint stays valid when its plan changes.
pub fn entitlement_problems(
    blueprint: &PlatformBlueprint,
    entitlements: &Entitlements,
) -> Vec<Problem> {
    let spec = &blueprint.spec;
    let asked = [
        (
            spec.inference.placement == Placement::Dedicated && !entitlements.dedicated_inference,
            "spec.inference.placement",
            "dedicated model servers are not part of this plan",
            "shared, or the enterprise plan",
        ),
        (
            spec.database.placement == Placement::Dedicated && !entitlements.dedicated_database,
            "spec.database.placement",
            "a dedicated database server is not part of this plan",
            "shared, or the enterprise plan",
        ),
        (
            spec.features.white_label_mobile && !entitlements.mobile_project,
            "spec.features.whiteLabelMobile",
            "the mobile project is not part of this plan",
            "false (the installable web app comes with every plan), or the enterprise plan",
        ),
        (
            spec.identity.mobile_app.is_some() && !entitlements.mobile_project,
            "spec.identity.mobileApp",
            "the mobile project is not part of this plan",
            "leave it out (the installable web app comes with every plan), or the enterprise plan",
        ),
    ];
    let refused = asked.into_iter().filter(|(refused, ..)| *refused);
    refused.map(|(_, path, what, instead)| Problem::new(path, what, instead)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_and_fees_are_those_of_the_price_list() {
        let list: Vec<_> = PlanName::ALL
            .map(|plan| {
                let given = plan.entitlements();
                (price(plan).to_string(), given.users, given.factory_fee_bps, given.ai_markup_bps)
            })
            .into();
        let bps = Bps::percent;
        assert_eq!(
            list,
            [
                ("99.00 USD".to_owned(), Some(1_000), bps(15), bps(40)),
                ("999.00 USD".to_owned(), Some(50_000), bps(25), bps(30)),
                ("9999.00 USD".to_owned(), None, bps(30), bps(25)),
            ]
        );
        let dear_enough = |plan: PlanName| plan.entitlements().ai_markup_bps >= LEAST_AI_MARKUP;
        assert!(PlanName::ALL.into_iter().all(dear_enough));
    }

    #[test]
    fn ten_dollars_are_shared_as_decided() {
        let sale = Money::parse("10.00 USD").unwrap();
        let creator = sale.share(Bps::percent(70));
        let tenant = sale.checked_sub(creator).unwrap();
        assert_eq!(
            (creator.to_string(), tenant.to_string()),
            ("7.00 USD".into(), "3.00 USD".into())
        );
        let fees = |kept: Money| {
            PlanName::ALL.map(|plan| kept.share(plan.entitlements().factory_fee_bps).to_string())
        };
        assert_eq!(fees(tenant), ["0.45 USD", "0.75 USD", "0.90 USD"]);
        assert_eq!(fees(sale), ["1.50 USD", "2.50 USD", "3.00 USD"]);
    }

    #[test]
    fn plans_read_as_they_are_written() {
        for plan in PlanName::ALL {
            assert_eq!(plan.to_string().parse(), Ok(plan));
            assert_eq!(serde_json::to_value(plan).unwrap(), plan.as_str());
        }
        assert!("free".parse::<PlanName>().is_err());
    }
}
