//! Sales by chance, of several who sell, in three currencies: given back in any order, disputed, paid out in
//! between. Nobody is below zero unless a receivable says so, and what was all given back leaves nothing.

use std::collections::BTreeMap;

use billing::amount::Amount;
use billing::ledger::memory::Ledger;
use billing::ledger::{Account, Book, EventKey, Journal, Party, Posted};
use billing::rating::invoice::Ref;
use billing::rating::time::Period;
use billing::sale::{Sale, Sold, Verdict};
use billing::shop::reserve::{Policy, Reserves};
use billing::shop::statement::{Earnings, Revenue};
use billing::shop::team::{Referrer, Sharing, Team};
use billing::shop::wallet::{Wallet, pass_on, settle_after};
use blueprint::money::{Bps, Currency, Money};
use blueprint::name::BlueprintName;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::world::{at, who};

/// One thing that happens, by numbers that mean something where there is something.
#[derive(Clone, Copy, Debug)]
enum Step {
    Sell { currency: usize, price: i64, tax: i64, makers: u8, share: u16 },
    Refund { which: usize, percent: i64 },
    Dispute { which: usize, percent: i64 },
    Judge { which: usize, won: bool },
    PayOut { who: u128, currency: usize },
}

const CURRENCIES: [&str; 3] = ["USD", "JPY", "KWD"];
const MAKERS: u128 = 4;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..3_usize, 1..50_000_i64, 0..9_000_i64, 0..4_u8, 0..=10_000_u16).prop_map(
            |(currency, price, tax, makers, share)| Step::Sell { currency, price, tax, makers, share }
        ),
        2 => (any::<usize>(), 0..=100_i64).prop_map(|(which, percent)| Step::Refund { which, percent }),
        1 => (any::<usize>(), 0..=100_i64).prop_map(|(which, percent)| Step::Dispute { which, percent }),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(which, won)| Step::Judge { which, won }),
        2 => (0..=MAKERS, 0..3_usize).prop_map(|(who, currency)| Step::PayOut { who, currency }),
    ];
    prop::collection::vec(step, 1..60)
}

struct World {
    tenant: BlueprintName,
    ledger: Ledger,
    reserves: Reserves,
    sold: Vec<(Ref, Sold)>,
    disputed: Vec<(usize, Sold)>,
    told: i64,
}

impl World {
    fn new() -> Self {
        Self {
            tenant: "harbour".parse().unwrap(),
            ledger: Ledger::default(),
            reserves: Reserves::default(),
            sold: Vec::new(),
            disputed: Vec::new(),
            told: 0,
        }
    }

    /// Six hours later than the one before.
    fn event(&mut self) -> (EventKey, Timestamp) {
        self.told += 1;
        let now = at("2027-01-01") + SignedDuration::from_hours(6 * self.told);
        (EventKey::new("harbour", "test", format!("e{}", self.told)), now)
    }

    fn seller(&self, number: u128) -> Party {
        match number {
            0 => Party::Tenant(self.tenant.clone()),
            number => Party::Creator(self.tenant.clone(), who(number)),
        }
    }

    fn wallet(&self, number: u128, currency: Currency) -> Wallet {
        let on = |account: &Account, currency| self.ledger.balance(account, currency);
        Wallet::of(&self.seller(number), currency, &on).unwrap()
    }

    fn posts(&mut self, journal: &Journal) {
        let ledger = &mut self.ledger;
        assert!(matches!(ledger.post(journal.clone()), Posted::New(_)));
        let on = |account: &Account, currency| ledger.balance(account, currency);
        let held = |party: &Party, currency| self.reserves.held(party, currency, journal.at());
        let settled = settle_after(journal, &on, &held).unwrap();
        if let Some(settled) = settled {
            assert!(matches!(ledger.post(settled.clone()), Posted::New(_)));
            let on = |account: &Account, currency| ledger.balance(account, currency);
            assert_eq!(settle_after(journal, &on, &held), Ok(None), "settled is settled");
        }
    }

    fn goes_on(&mut self, step: Step) {
        match step {
            Step::Sell { currency, price, tax, makers, share } => {
                let currency: Currency = CURRENCIES[currency].parse().unwrap();
                let sharing = Sharing {
                    tenant: &self.tenant,
                    creator_share: Bps::new(share).unwrap(),
                    fee: Bps::new(share / 3).unwrap(),
                };
                let referrer = Some(Referrer { who: who(4), share: Bps::new(share / 2).unwrap() });
                let team = Team::of(who(1));
                let rule = match makers {
                    0 => sharing.of_tenant(who(99), referrer),
                    1 => sharing.of_team(&team, who(99), referrer),
                    _ => {
                        let team = team.with(who(2), Bps::new(share / 3).unwrap()).unwrap();
                        let team = team.with(who(3), Bps::new(share / 4).unwrap()).unwrap();
                        sharing.of_team(&team, who(99), None)
                    }
                };
                let (price, tax) = (Money::new(price, currency), Money::new(tax, currency));
                let rail = "rail:test".parse().unwrap();
                let sale = Sale { tenant: self.tenant.clone(), rail, price, tax };
                let (key, now) = self.event();
                let name: Ref = key.event.parse().unwrap();
                let (sold, journal) = sale.sell(&rule.unwrap(), (key, now)).unwrap();
                let policy = Policy { share: Bps::new(share / 5).unwrap(), days: share % 9 };
                self.reserves.sold(&name, sold.parts(), policy, now);
                self.sold.push((name, sold));
                self.posts(&journal);
            }
            Step::Refund { which, percent } if !self.sold.is_empty() => {
                self.refunds(which % self.sold.len(), percent);
            }
            Step::Dispute { which, percent } if !self.sold.is_empty() => {
                let which = which % self.sold.len();
                let event = self.event();
                let (name, sold) = &mut self.sold[which];
                let some = part(sold.left(), percent);
                if let Ok((taken, journal)) = sold.dispute(some, event) {
                    self.reserves.left(name, sold.parts());
                    self.disputed.push((which, taken));
                    self.posts(&journal);
                }
            }
            Step::Judge { which, won } if !self.disputed.is_empty() => {
                self.judges(which % self.disputed.len(), won);
            }
            Step::PayOut { who, currency } => {
                let wallet = self.wallet(who, CURRENCIES[currency].parse().unwrap());
                let (rail, event) = ("rail:test".parse().unwrap(), self.event());
                if wallet.free().amount() > 0 {
                    let paid = pass_on(&self.seller(who), &rail, wallet.free(), wallet, event);
                    self.posts(&paid.unwrap());
                }
            }
            Step::Refund { .. } | Step::Dispute { .. } | Step::Judge { .. } => {}
        }
    }

    fn refunds(&mut self, which: usize, percent: i64) {
        let event = self.event();
        let (name, sold) = &mut self.sold[which];
        if let Ok(journal) = sold.refund(part(sold.left(), percent), event) {
            self.reserves.left(name, sold.parts());
            self.posts(&journal);
        }
    }

    fn judges(&mut self, which: usize, won: bool) {
        let (at, taken) = self.disputed.swap_remove(which);
        let event = self.event();
        let verdict = if won { Verdict::Won } else { Verdict::Lost };
        let (name, sold) = &mut self.sold[at];
        // Where all of it was the factory's, nothing moves when it is lost.
        if let Ok(journal) = sold.settle(&taken, verdict, event) {
            self.reserves.left(name, sold.parts());
            self.posts(&journal);
        }
    }

    /// Nobody is below zero, and who owes us something has nothing.
    fn is_well(&self) {
        assert_eq!(self.ledger.balances().values().sum::<i128>(), 0);
        for currency in CURRENCIES {
            for number in 0..=MAKERS {
                let wallet = self.wallet(number, currency.parse().unwrap());
                let Wallet { payable, reserve, receivable } = wallet;
                let each = [payable, reserve, receivable].map(Amount::micros);
                assert!(each.iter().all(|micros| *micros >= 0), "{number} {wallet:?}");
                assert!(each[2] == 0 || each[0] + each[1] == 0, "{number} {wallet:?}");
            }
        }
    }

    /// What journals alone say is what accounts say, and every row adds up.
    fn is_told(&self) {
        let all = Period::new(at("2027-01-01"), at("2028-01-01"));
        let journals = self.ledger.journals();
        for code in CURRENCIES {
            let currency = code.parse().unwrap();
            let revenue = Revenue::of(&self.tenant, currency, all, journals).unwrap();
            for row in &revenue.rows {
                let sums = row.sums;
                let parts = sums.creators.plus(sums.fee).unwrap().plus(sums.net).unwrap();
                assert_eq!(parts, sums.price);
            }
            let theirs = self.wallet(0, currency).theirs().unwrap();
            let sums = revenue.sums().unwrap();
            assert_eq!(sums.net.minus(revenue.handed).unwrap(), theirs);
            let mut creators = 0;
            for number in 1..=MAKERS {
                let earned = Earnings::of(&self.seller(number), currency, all, journals).unwrap();
                assert_eq!(earned.wallet, self.wallet(number, currency));
                let (came, went) = (earned.earned().unwrap(), earned.given_back().unwrap());
                let had = came.plus(went).unwrap();
                creators += had.micros();
                let left = had.plus(earned.handed().unwrap()).unwrap();
                assert_eq!(left, earned.wallet.theirs().unwrap());
            }
            assert_eq!(creators, sums.creators.micros());
        }
    }
}

fn part(left: Money, percent: i64) -> Money {
    Money::new(left.amount() * percent / 100, left.currency())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nobody_is_below_zero_unless_a_receivable_says_so(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.goes_on(step);
            world.is_well();
        }
        world.is_told();
        // Whoever won or lost: what is left of every sale goes back, a third first.
        while !world.disputed.is_empty() {
            world.judges(0, world.told % 2 == 0);
        }
        for which in 0..world.sold.len() {
            world.refunds(which, 33);
            world.refunds(which, 100);
            prop_assert_eq!(world.sold[which].1.left().amount(), 0);
            world.is_well();
        }
        world.is_told();
        let mut left: BTreeMap<_, i128> = BTreeMap::new();
        for ((account, currency), micros) in world.ledger.balances() {
            match (&account.party, account.book) {
                // What was paid out to sellers the rail gave from its own, and they owe it.
                (Party::Creator(..) | Party::Tenant(_), Book::Receivable) | (_, Book::Cash) => {
                    *left.entry(*currency).or_default() += micros;
                }
                _ => prop_assert_eq!(*micros, 0, "{}", account),
            }
        }
        prop_assert!(left.values().all(|micros| *micros == 0));
    }
}
