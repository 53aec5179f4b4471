//! Who has a part in a sale: those who made what is sold, the platform, who brought the buyer, and the factory.
//!
//! Of what an agent is sold for its creators have the blueprint's share, and divide it among themselves. The
//! platform has the rest, and all of what it sells itself. Of what it has, it pays the factory's fee, by its plan
//! or its contract, and of what is left then, who brought the buyer. All of these count from some time on
//! ([`Dated`](crate::rating::dated::Dated)): take what counted when it was sold.

use blueprint::money::Bps;
use blueprint::name::BlueprintName;
use uuid::Uuid;

use crate::ledger::Party;
use crate::split::{NoRule, Rule, allocate};

/// Who made an agent, and how they divide what they earn with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    creator: Uuid,
    others: Vec<(Uuid, Bps)>,
}

/// Who brought the buyer, and what they get of what the platform has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// Who.
    pub who: Uuid,
    /// How much.
    pub share: Bps,
}

/// How a platform shares what it earns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sharing<'a> {
    /// Which platform.
    pub tenant: &'a BlueprintName,
    /// What creators get: [`Offers::creator_share`](super::offers::Offers::creator_share).
    pub creator_share: Bps,
    /// The factory's part of what the platform keeps: [`Agreement::fee`](crate::rating::contract::Agreement::fee).
    pub fee: Bps,
}

impl Team {
    /// One alone.
    pub const fn of(creator: Uuid) -> Self {
        Self { creator, others: Vec::new() }
    }

    /// And another, who has this share of what they earn together; the creator has the rest.
    ///
    /// # Errors
    /// [`NoRule`]
    pub fn with(mut self, other: Uuid, share: Bps) -> Result<Self, NoRule> {
        self.others.push((other, share));
        let sum = self.others.iter().map(|(_, share)| u32::from(share.get())).sum();
        if sum > u32::from(Bps::WHOLE) { Err(NoRule::AboveWhole(sum)) } else { Ok(self) }
    }

    /// Whether somebody is among them.
    pub fn has(&self, who: Uuid) -> bool {
        self.creator == who || self.others.iter().any(|(other, _)| *other == who)
    }
}

impl Sharing<'_> {
    /// How a sale is split of what the platform sells itself: tiers, and fees for making agents.
    ///
    /// # Errors
    /// [`NoRule`]
    pub fn of_tenant(self, buyer: Uuid, referrer: Option<Referrer>) -> Result<Rule, NoRule> {
        let rule = Rule::new(Vec::new(), self.keeper(), self.fee)?;
        self.rewarding(rule, referrer.filter(|referrer| referrer.who != buyer))
    }

    /// How a sale is split of an agent that this team made.
    ///
    /// # Errors
    /// [`NoRule`]
    pub fn of_team(
        self,
        team: &Team,
        buyer: Uuid,
        referrer: Option<Referrer>,
    ) -> Result<Rule, NoRule> {
        let given = team.others.iter().map(|(_, share)| i64::from(share.get()));
        let rest = i64::from(Bps::WHOLE) - given.clone().sum::<i64>();
        let weights: Vec<_> = std::iter::once(rest).chain(given).collect();
        let whole = i64::from(self.creator_share.get());
        let each = allocate(whole, &weights).into_iter();
        let bps = |share: i64| u16::try_from(share).ok().and_then(Bps::new);
        let who = std::iter::once(team.creator).chain(team.others.iter().map(|(who, _)| *who));
        let shares =
            who.zip(each).filter_map(|(who, share)| Some((self.creator(who), bps(share)?)));
        let rule = Rule::new(shares.collect(), self.keeper(), self.fee)?;
        // Nobody is paid for bringing themselves, or people to what they sell.
        self.rewarding(rule, referrer.filter(|it| it.who != buyer && !team.has(it.who)))
    }

    fn keeper(self) -> Party {
        Party::Tenant(self.tenant.clone())
    }

    fn creator(self, who: Uuid) -> Party {
        Party::Creator(self.tenant.clone(), who)
    }

    fn rewarding(self, rule: Rule, referrer: Option<Referrer>) -> Result<Rule, NoRule> {
        match referrer {
            Some(Referrer { who, share }) => rule.rewarding(self.creator(who), share),
            None => Ok(rule),
        }
    }
}

#[cfg(test)]
mod tests {
    use blueprint::Money;
    use blueprint::plan::PlanName;

    use super::*;

    fn who(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn money(text: &str) -> Money {
        text.parse().unwrap()
    }

    fn parts<const N: usize>(
        rule: &Rule,
        price: &str,
        of: [u128; N],
    ) -> ([Money; N], Money, Money) {
        let tenant: BlueprintName = "harbour".parse().unwrap();
        let parts = rule.split(money(price)).unwrap();
        let creators = of.map(|number| parts.of(&Party::Creator(tenant.clone(), who(number))));
        (creators, parts.of(&Party::Tenant(tenant)), parts.of(&Party::Factory))
    }

    fn sharing(tenant: &BlueprintName, plan: PlanName) -> Sharing<'_> {
        let fee = plan.entitlements().factory_fee_bps;
        Sharing { tenant, creator_share: Bps::percent(70), fee }
    }

    #[test]
    fn the_figures_that_were_decided() {
        let tenant = "harbour".parse().unwrap();
        for (plan, of_agent, of_tier) in [
            (PlanName::Starter, ["2.55 USD", "0.45 USD"], ["8.50 USD", "1.50 USD"]),
            (PlanName::Business, ["2.25 USD", "0.75 USD"], ["7.50 USD", "2.50 USD"]),
            (PlanName::Enterprise, ["2.10 USD", "0.90 USD"], ["7.00 USD", "3.00 USD"]),
        ] {
            let sharing = sharing(&tenant, plan);
            let agent = sharing.of_team(&Team::of(who(1)), who(9), None).unwrap();
            let [keeps, fee] = of_agent.map(money);
            assert_eq!(parts(&agent, "10.00 USD", [1]), ([money("7.00 USD")], keeps, fee));
            let [keeps, fee] = of_tier.map(money);
            let tier = sharing.of_tenant(who(9), None).unwrap();
            assert_eq!(parts(&tier, "10.00 USD", []), ([], keeps, fee));
        }
    }

    #[test]
    fn a_team_divides_what_creators_get_and_the_platform_pays_who_brought_the_buyer() {
        let tenant = "harbour".parse().unwrap();
        let team = Team::of(who(1)).with(who(2), Bps::new(3_333).unwrap()).unwrap();
        let referrer = |number| Some(Referrer { who: who(number), share: Bps::percent(10) });
        let of = |number| {
            let sharing = sharing(&tenant, PlanName::Starter);
            let rule = sharing.of_team(&team, who(9), referrer(number)).unwrap();
            parts(&rule, "100.00 USD", [1, 2, 3])
        };
        let (creators, keeps, fee) = of(3);
        assert_eq!(creators, ["46.67 USD", "23.33 USD", "2.55 USD"].map(money));
        assert_eq!((keeps, fee), (money("22.95 USD"), money("4.50 USD")));
        // Who buys, and who sells, brings nobody.
        for nobody in [9, 1, 2] {
            let (creators, keeps, _) = of(nobody);
            assert_eq!(creators, ["46.67 USD", "23.33 USD", "0.00 USD"].map(money));
            assert_eq!(keeps, money("25.50 USD"));
        }
        let itself = sharing(&tenant, PlanName::Starter).of_tenant(who(3), referrer(3)).unwrap();
        assert_eq!(parts(&itself, "10.00 USD", [3]).0, [money("0.00 USD")]);
        let above = team.clone().with(who(4), Bps::new(6_668).unwrap());
        assert_eq!(above, Err(NoRule::AboveWhole(10_001)));
        let twice = team.with(who(1), Bps::percent(1)).unwrap();
        let sharing = sharing(&tenant, PlanName::Starter);
        assert!(matches!(sharing.of_team(&twice, who(9), None), Err(NoRule::Twice(_))));
    }
}
