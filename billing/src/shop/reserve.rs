//! A part of what creators earn is kept back for some days, so that what is given back in them is there.

use std::collections::BTreeMap;

use blueprint::money::{Bps, Currency, Money};
use jiff::{SignedDuration, Timestamp};

use crate::ledger::Party;
use crate::rating::invoice::Ref;
use crate::split::Parts;

/// How much is kept back, and for how long. Of a sale it is what counted when it was sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Of what creators have of a sale.
    pub share: Bps,
    /// So many days from the sale on.
    pub days: u16,
}

/// What is kept back of which sale, until when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserves {
    lots: BTreeMap<(Party, Ref), Lot>,
}

/// Of one sale, for one of those who sold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lot {
    share: Bps,
    until: Timestamp,
    held: Money,
}

impl Policy {
    /// Nothing is kept back.
    pub const NONE: Self = Self { share: Bps::percent(0), days: 0 };
}

impl Reserves {
    /// Keeps back of a sale, as it was split. The same again, or after something of it was given back, changes
    /// nothing: see [`Self::left`].
    pub fn sold(&mut self, sale: &Ref, parts: &Parts, policy: Policy, at: Timestamp) {
        let Policy { share, days } = policy;
        let wait = SignedDuration::from_hours(24 * i64::from(days));
        let until = at.checked_add(wait).unwrap_or(Timestamp::MAX);
        for (party, part) in parts.each() {
            let held = part.share(share);
            if matches!(party, Party::Creator(..)) && held.amount() > 0 && until > at {
                let lot = Lot { share, until, held };
                self.lots.entry((party.clone(), sale.clone())).or_insert(lot);
            }
        }
    }

    /// Keeps back of what is left of a sale: after a refund, or a dispute, or its verdict.
    pub fn left(&mut self, sale: &Ref, parts: &Parts) {
        for (party, part) in parts.each() {
            if let Some(lot) = self.lots.get_mut(&(party.clone(), sale.clone())) {
                lot.held = part.share(lot.share);
            }
        }
    }

    /// What is to be kept back of what somebody is owed.
    pub fn held(&self, whose: &Party, currency: Currency, now: Timestamp) -> Money {
        let lots = self.lots.iter().filter(|((party, _), lot)| party == whose && lot.until > now);
        let held = lots.map(|(_, lot)| lot.held).filter(|held| held.currency() == currency);
        Money::new(held.fold(0_i64, |sum, held| sum.saturating_add(held.amount())), currency)
    }

    /// When something becomes free next, and whose it is: settle them then.
    pub fn next(&self, now: Timestamp) -> Option<(Timestamp, &Party)> {
        let lots = self.lots.iter().filter(|(_, lot)| lot.until > now && lot.held.amount() > 0);
        lots.map(|((party, _), lot)| (lot.until, party)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::split::Rule;

    #[test]
    fn a_part_of_each_sale_is_kept_back_for_its_days() {
        let creator: Party =
            "creator:harbour:0198c5d0-7a3c-7000-8000-000000000001".parse().unwrap();
        let tenant: Party = "tenant:harbour".parse().unwrap();
        let shares = vec![(creator.clone(), Bps::percent(70))];
        let rule = Rule::new(shares, tenant.clone(), Bps::percent(15)).unwrap();
        let money = |text: &str| text.parse::<Money>().unwrap();
        let day = |day: i8| -> Timestamp { format!("2027-03-{day:02}T00:00:00Z").parse().unwrap() };
        let policy = Policy { share: Bps::percent(10), days: 7 };
        let (first, second) = ("a".parse().unwrap(), "b".parse().unwrap());
        let (mut reserves, mut parts) =
            (Reserves::default(), rule.split(money("10.00 USD")).unwrap());
        reserves.sold(&first, &parts, policy, day(1));
        reserves.sold(&second, &rule.split(money("20.00 USD")).unwrap(), policy, day(3));
        let held = |reserves: &Reserves, now| reserves.held(&creator, Currency::USD, day(now));
        assert_eq!(held(&reserves, 3), money("2.10 USD"));
        assert_eq!(reserves.next(day(3)), Some((day(8), &creator)));
        assert_eq!(held(&reserves, 8), money("1.40 USD"));
        assert_eq!(held(&reserves, 10), money("0.00 USD"));
        assert_eq!(reserves.next(day(10)), None);
        parts.give_back(money("5.00 USD")).unwrap();
        reserves.left(&first, &parts);
        reserves.sold(&first, &parts, policy, day(4));
        assert_eq!(held(&reserves, 3), money("1.75 USD"));
        assert_eq!(reserves.held(&tenant, Currency::USD, day(3)), money("0.00 USD"));
        let yen: Currency = "JPY".parse().unwrap();
        assert_eq!(reserves.held(&creator, yen, day(3)).amount(), 0);
        let none = Reserves::default();
        reserves = none.clone();
        reserves.sold(&first, &parts, Policy::NONE, day(1));
        assert_eq!(reserves, none);
    }
}
