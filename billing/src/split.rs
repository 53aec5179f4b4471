//! Who gets what of a sale, to the minor unit: parts sum to the whole, and what is given back is taken from
//! the same parts.

use blueprint::money::{Bps, Currency, Money};

use crate::ledger::Party;

/// A sale is split among no more than these, the one who keeps the rest among them.
pub const MOST_PARTIES: usize = 20;

/// How sales are split from some time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    shares: Vec<(Party, Bps)>,
    keeper: Party,
    fee: Bps,
    /// Of what the keeper has left.
    rewards: Vec<(Party, Bps)>,
}

/// Why something is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRule {
    /// Together they would have more than there is.
    #[error("the shares are {0} basis points together, and there are 10000")]
    AboveWhole(u32),
    /// Somebody has two shares.
    #[error("{0} has two shares; add them up")]
    Twice(Party),
    /// More than can be paid one by one.
    #[error("a sale is split among at most {MOST_PARTIES}, not {0}")]
    TooMany(usize),
}

/// What each has of one sale, or still has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    currency: Currency,
    /// Minor units, none below zero; each party once.
    parts: Vec<(Party, i64)>,
}

/// Why money cannot be split, or given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSplit {
    /// There is nothing below zero to have a part of.
    #[error("{0} is below zero")]
    BelowZero(Money),
    /// More than there is left of it.
    #[error("{asked} is more than the {left} that is left of the sale")]
    MoreThanLeft {
        /// To be given back.
        asked: Money,
        /// What is left.
        left: Money,
    },
    /// It was sold for something else.
    #[error("{0} and {1} cannot be reckoned together")]
    Mixed(Currency, Currency),
}

impl Rule {
    /// Each of these has their share of what is sold, `keeper` has the rest, and pays the factory `fee` of it.
    ///
    /// # Errors
    /// [`NoRule`]
    pub fn new(shares: Vec<(Party, Bps)>, keeper: Party, fee: Bps) -> Result<Self, NoRule> {
        let sum = shares.iter().map(|(_, bps)| u32::from(bps.get())).sum();
        if sum > u32::from(Bps::WHOLE) {
            return Err(NoRule::AboveWhole(sum));
        }
        if shares.len() >= MOST_PARTIES {
            return Err(NoRule::TooMany(shares.len() + 1));
        }
        let mut seen = vec![&keeper, &Party::Factory];
        for (party, _) in &shares {
            if seen.contains(&party) {
                return Err(NoRule::Twice(party.clone()));
            }
            seen.push(party);
        }
        Ok(Self { shares, keeper, fee, rewards: Vec::new() })
    }

    /// And the keeper gives somebody a share of what they have left, such as who brought the buyer. The factory's fee
    /// is no less for it.
    ///
    /// # Errors
    /// [`NoRule`]
    pub fn rewarding(mut self, party: Party, share: Bps) -> Result<Self, NoRule> {
        let mut others = self.shares.iter().chain(&self.rewards);
        if party == self.keeper
            || party == Party::Factory
            || others.any(|(other, _)| *other == party)
        {
            return Err(NoRule::Twice(party));
        }
        self.rewards.push((party, share));
        let sum = self.rewards.iter().map(|(_, bps)| u32::from(bps.get())).sum();
        if sum > u32::from(Bps::WHOLE) {
            return Err(NoRule::AboveWhole(sum));
        }
        match self.shares.len() + self.rewards.len() + 1 {
            many if many > MOST_PARTIES => Err(NoRule::TooMany(many)),
            _ => Ok(self),
        }
    }

    /// What each has of `price`, which is without tax.
    ///
    /// # Errors
    /// [`NoSplit::BelowZero`]
    pub fn split(&self, price: Money) -> Result<Parts, NoSplit> {
        if price.amount() < 0 {
            return Err(NoSplit::BelowZero(price));
        }
        let weights = self.shares.iter().map(|(_, bps)| i64::from(bps.get()));
        let rest = i64::from(Bps::WHOLE) - weights.clone().sum::<i64>();
        // Who keeps the rest is first: what cannot be divided evenly stays there.
        let weights: Vec<_> = std::iter::once(rest).chain(weights).collect();
        let mut amounts = allocate(price.amount(), &weights).into_iter();
        let kept = amounts.next().unwrap_or_default();
        let fee = i64::from(self.fee.get());
        let [keeps, pays] = match *allocate(kept, &[i64::from(Bps::WHOLE) - fee, fee]) {
            [keeps, pays] => [keeps, pays],
            _ => [kept, 0],
        };
        let given = self.rewards.iter().map(|(_, bps)| i64::from(bps.get()));
        let left = i64::from(Bps::WHOLE) - given.clone().sum::<i64>();
        let mut kept =
            allocate(keeps, &std::iter::once(left).chain(given).collect::<Vec<_>>()).into_iter();
        let keeps = kept.next().unwrap_or_default();
        let mut parts = vec![(self.keeper.clone(), keeps), (Party::Factory, pays)];
        parts.extend(self.shares.iter().map(|(party, _)| party.clone()).zip(amounts));
        parts.extend(self.rewards.iter().map(|(party, _)| party.clone()).zip(kept));
        Ok(Parts { currency: price.currency(), parts })
    }
}

impl Parts {
    /// What each has; those who have nothing are among them.
    pub fn each(&self) -> impl Iterator<Item = (&Party, Money)> {
        self.parts.iter().map(|(party, amount)| (party, Money::new(*amount, self.currency)))
    }

    /// What one has.
    pub fn of(&self, party: &Party) -> Money {
        let part = self.parts.iter().find(|(whose, _)| whose == party);
        Money::new(part.map_or(0, |(_, amount)| *amount), self.currency)
    }

    /// What all of them have.
    pub fn whole(&self) -> Money {
        Money::new(self.parts.iter().map(|(_, amount)| amount).sum(), self.currency)
    }

    /// Gives `back` to who bought: of each as large a part of what they still have. What that takes from each;
    /// the rest stays here. Once all is given back nobody has anything, in however many steps that was.
    ///
    /// # Errors
    /// [`NoSplit`]; nothing is taken then.
    pub fn give_back(&mut self, back: Money) -> Result<Self, NoSplit> {
        if back.currency() != self.currency {
            return Err(NoSplit::Mixed(back.currency(), self.currency));
        }
        if back.amount() < 0 {
            return Err(NoSplit::BelowZero(back));
        }
        let left = self.whole();
        if back.amount() > left.amount() {
            return Err(NoSplit::MoreThanLeft { asked: back, left });
        }
        let has: Vec<_> = self.parts.iter().map(|(_, amount)| *amount).collect();
        let mut taken = self.clone();
        for ((_, part), takes) in taken.parts.iter_mut().zip(allocate(back.amount(), &has)) {
            *part = takes;
        }
        for ((_, part), (_, takes)) in self.parts.iter_mut().zip(&taken.parts) {
            *part -= takes;
        }
        Ok(taken)
    }

    /// Has again what was taken from here.
    pub(crate) fn have_again(&mut self, taken: &Self) {
        for ((_, has), (_, took)) in self.parts.iter_mut().zip(&taken.parts) {
            *has += took;
        }
    }
}

/// Divides `whole` by these weights, none of which is below zero: parts that sum to it exactly, each within
/// one of what it would be if it could be divided. What is left over goes to those who lost most by rounding
/// down, and of those who lost the same to the first. Without any weight the first has all.
pub(crate) fn allocate(whole: i64, weights: &[i64]) -> Vec<i64> {
    let sum: i128 = weights.iter().copied().map(i128::from).sum();
    if sum == 0 {
        return weights.iter().enumerate().map(|(at, _)| if at == 0 { whole } else { 0 }).collect();
    }
    let exact = |weight: i64| i128::from(whole) * i128::from(weight);
    let floor = |weight| i64::try_from(exact(weight) / sum).unwrap_or(i64::MAX);
    let mut parts: Vec<_> = weights.iter().map(|weight| floor(*weight)).collect();
    let mut by_loss: Vec<_> = (0..weights.len()).collect();
    by_loss.sort_by_key(|&at| std::cmp::Reverse(exact(weights[at]) % sum));
    // Fewer than there are parts.
    let left = whole - parts.iter().sum::<i64>();
    for at in by_loss.into_iter().take(usize::try_from(left).unwrap_or_default()) {
        parts[at] += 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn creator(number: u128) -> Party {
        Party::Creator("acme".parse().unwrap(), Uuid::from_u128(number))
    }

    fn tenant() -> Party {
        Party::Tenant("acme".parse().unwrap())
    }

    fn bps(bps: u16) -> Bps {
        Bps::new(bps).unwrap()
    }

    fn usd(text: &str) -> Money {
        format!("{text} USD").parse().unwrap()
    }

    #[test]
    fn a_sale_through_a_creator_and_one_of_the_tenants_own_are_split_as_agreed() {
        for (fee, of_creators, of_own) in
            [(15, "0.45", "1.50"), (25, "0.75", "2.50"), (30, "0.90", "3.00")]
        {
            let fee = Bps::percent(fee);
            let marketplace = Rule::new(vec![(creator(1), bps(7_000))], tenant(), fee).unwrap();
            let parts = marketplace.split(usd("10.00")).unwrap();
            assert_eq!(parts.of(&creator(1)), usd("7.00"));
            assert_eq!(parts.of(&Party::Factory), usd(of_creators));
            let keeps = parts.of(&tenant()).checked_add(usd(of_creators));
            assert_eq!(keeps, Ok(usd("3.00")));
            let tier = Rule::new(vec![], tenant(), fee).unwrap().split(usd("10.00")).unwrap();
            assert_eq!(tier.of(&Party::Factory), usd(of_own));
            assert_eq!(tier.whole(), usd("10.00"));
        }
    }

    #[test]
    fn what_cannot_be_divided_stays_with_who_keeps_the_rest() {
        let half = Rule::new(vec![(creator(1), bps(5_000))], tenant(), bps(0)).unwrap();
        let parts = half.split(usd("0.01")).unwrap();
        assert_eq!((parts.of(&tenant()), parts.of(&creator(1))), (usd("0.01"), usd("0.00")));
        let all = Rule::new(vec![(creator(1), bps(10_000))], tenant(), bps(3_000)).unwrap();
        assert_eq!(all.split(usd("0.01")).unwrap().of(&creator(1)), usd("0.01"));
    }

    #[test]
    fn nobody_has_two_shares_and_all_of_them_are_no_more_than_the_whole() {
        let rule = |shares| Rule::new(shares, tenant(), bps(1_500));
        let above = rule(vec![(creator(1), bps(7_000)), (creator(2), bps(3_001))]);
        assert_eq!(above, Err(NoRule::AboveWhole(10_001)));
        for twice in [creator(1), tenant(), Party::Factory] {
            let shares = vec![(creator(1), bps(1)), (twice.clone(), bps(1))];
            assert_eq!(rule(shares), Err(NoRule::Twice(twice)));
        }
        let many = (0..20).map(|number| (creator(number), bps(1))).collect();
        assert_eq!(rule(many), Err(NoRule::TooMany(21)));
    }

    #[test]
    fn who_brought_the_buyer_is_paid_by_the_tenant_and_the_fee_is_no_less() {
        let fee = Bps::percent(15);
        let rule = Rule::new(vec![(creator(1), bps(7_000))], tenant(), fee).unwrap();
        let rewarding = rule.clone().rewarding(creator(2), bps(1_000)).unwrap();
        let parts = rewarding.split(usd("10.00")).unwrap();
        let has = [creator(1), Party::Factory, creator(2), tenant()].map(|party| parts.of(&party));
        // A tenth of 2.55 is 0.255, and what cannot be divided stays with who keeps the rest.
        assert_eq!(has, ["7.00", "0.45", "0.25", "2.30"].map(usd));
        for twice in [creator(1), creator(2), tenant(), Party::Factory] {
            let again = rewarding.clone().rewarding(twice.clone(), bps(1));
            assert_eq!(again, Err(NoRule::Twice(twice)));
        }
        let above = rewarding.clone().rewarding(creator(3), bps(9_001));
        assert_eq!(above, Err(NoRule::AboveWhole(10_001)));
        let mut many = rule;
        for number in 2..20 {
            many = many.rewarding(creator(number), bps(1)).unwrap();
        }
        assert_eq!(many.rewarding(creator(20), bps(1)), Err(NoRule::TooMany(21)));
    }

    #[test]
    fn no_more_is_given_back_than_was_paid() {
        let rule = Rule::new(vec![(creator(1), bps(7_000))], tenant(), bps(1_500)).unwrap();
        let mut parts = rule.split(usd("10.00")).unwrap();
        let taken = parts.give_back(usd("10.00")).unwrap();
        assert_eq!(taken.of(&creator(1)), usd("7.00"));
        assert_eq!(taken.of(&Party::Factory), usd("0.45"));
        let more = NoSplit::MoreThanLeft { asked: usd("0.01"), left: usd("0.00") };
        assert_eq!(parts.give_back(usd("0.01")), Err(more));
        assert_eq!(parts.give_back(usd("-0.01")), Err(NoSplit::BelowZero(usd("-0.01"))));
        let yen: Money = "1 JPY".parse().unwrap();
        assert_eq!(parts.give_back(yen), Err(NoSplit::Mixed(yen.currency(), Currency::USD)));
    }

    fn rules() -> impl Strategy<Value = Rule> {
        let shares = prop::collection::vec(0..=10_000_u16, 0..8);
        (shares, 0..=10_000_u16).prop_map(|(wishes, fee)| {
            let mut left = 10_000;
            let shares = (1..).zip(wishes).map(|(number, wish)| {
                let share = wish.min(left);
                left -= share;
                (creator(number), bps(share))
            });
            let rule = Rule::new(shares.collect(), tenant(), bps(fee)).unwrap();
            if fee % 3 == 0 { rule.rewarding(creator(99), bps(fee / 3)).unwrap() } else { rule }
        })
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole_and_are_within_one_of_exact(
            rule in rules(), price in 0..=i64::MAX / 2,
        ) {
            let parts = rule.split(Money::new(price, Currency::USD)).unwrap();
            prop_assert_eq!(parts.whole().amount(), price);
            for (party, share) in &rule.shares {
                let exact = i128::from(price) * i128::from(share.get());
                let part = i128::from(parts.of(party).amount()) * 10_000;
                prop_assert!((part - exact).abs() < 10_000, "{part} {exact}");
            }
        }

        #[test]
        fn however_a_sale_is_given_back_nobody_pays_more_than_they_had(
            rule in rules(),
            price in 0..1_000_000_i64,
            steps in prop::collection::vec(0..=100_i64, 0..12),
        ) {
            let sold = rule.split(Money::new(price, Currency::USD)).unwrap();
            let mut left = sold.clone();
            for step in steps {
                let back = Money::new(left.whole().amount() * step / 100, Currency::USD);
                let before = left.clone();
                let taken = left.give_back(back).unwrap();
                prop_assert_eq!(taken.whole(), back);
                for (party, had) in before.each() {
                    let (has, gave) = (left.of(party).amount(), taken.of(party).amount());
                    prop_assert!(has >= 0 && gave >= 0);
                    prop_assert_eq!(has + gave, had.amount());
                }
            }
            let rest = left.whole();
            left.give_back(rest).unwrap();
            prop_assert!(left.each().all(|(_, has)| has.amount() == 0));
        }
    }
}
