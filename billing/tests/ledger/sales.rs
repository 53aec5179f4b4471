//! Sales, refunds and disputes by chance, told by two, in any order, twice and otherwise, and in the end taken
//! back: what each has is what the ledger says, and nothing is left over.

use std::collections::BTreeMap;

use billing::ledger::memory::{self, Ledger};
use billing::ledger::{Account, Book, EventKey, Journal, Party, Posted};
use billing::sale::{Sale, Sold, Verdict};
use billing::split::Rule;
use blueprint::money::{Bps, Currency, Money};
use jiff::Timestamp;
use uuid::Uuid;

use crate::histories::from_environment;
use crate::told::{CURRENCIES, Chance, beginning};

/// One history has so many operations.
const LONG: u64 = 200;

/// What goes on at one platform.
struct World {
    chance: Chance,
    ledger: Ledger,
    rule: Rule,
    sold: Vec<(Sold, Vec<Sold>)>,
    /// Decided, and not told yet by one of those who tell.
    untold: Vec<Journal>,
    decided: u64,
    faults: Faults,
    seed: u64,
}

/// How often it went wrong.
#[derive(Default)]
struct Faults {
    /// Told again: by another one, or since the answer was lost.
    again: u64,
    /// Told with other content.
    otherwise: u64,
}

fn tenant() -> Party {
    Party::Tenant("acme".parse().unwrap())
}

fn rail() -> Party {
    Party::Rail("stripe".parse().unwrap())
}

fn rule(chance: &mut Chance) -> Rule {
    let mut left = 10_000;
    let shares = (0..chance.below(5)).map(|number| {
        let share = u16::try_from(chance.below(usize::from(left) + 1)).unwrap();
        left -= share;
        let id = Uuid::from_u128(u128::try_from(number).unwrap());
        (Party::Creator("acme".parse().unwrap(), id), Bps::new(share).unwrap())
    });
    let shares = shares.collect();
    let fee = Bps::new(u16::try_from(chance.below(10_001)).unwrap()).unwrap();
    Rule::new(shares, tenant(), fee).unwrap()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let rule = rule(&mut chance);
        Self {
            chance,
            ledger: Ledger::default(),
            rule,
            sold: Vec::new(),
            untold: Vec::new(),
            decided: 0,
            faults: Faults::default(),
            seed,
        }
    }

    fn event(&mut self) -> (EventKey, Timestamp) {
        self.decided += 1;
        (EventKey::new("acme", "stripe", format!("evt_{}", self.decided)), beginning())
    }

    /// Has it told: once in four times by two, or by one who did not hear the answer. Some of what is to be told
    /// is told now, whichever it is.
    fn tell(&mut self, journal: Journal) {
        if self.chance.once_in(4) {
            self.untold.push(journal.clone());
        }
        self.untold.push(journal);
        while self.untold.len() > 8 {
            let next = self.chance.below(self.untold.len());
            self.tell_next(next);
        }
    }

    /// Tells one of those; once in eight times somebody tells something else of the same event afterwards.
    fn tell_next(&mut self, at: usize) {
        let journal = self.untold.swap_remove(at);
        let otherwise = self.chance.once_in(8).then(|| {
            let (key, entries) = (journal.key().clone(), journal.entries().to_vec());
            Journal::new(key, "told otherwise", journal.at(), entries).unwrap()
        });
        match self.ledger.post(journal) {
            Posted::New(_) => {}
            Posted::Again(_) => self.faults.again += 1,
            Posted::Conflict(number) => panic!("seed {}: {number} is no other", self.seed),
        }
        if let Some(otherwise) = otherwise {
            assert!(matches!(self.ledger.post(otherwise), Posted::Conflict(_)));
            self.faults.otherwise += 1;
        }
    }

    fn tell_all(&mut self) {
        while let Some(last) = self.untold.len().checked_sub(1) {
            self.tell_next(last);
        }
    }

    /// Something happens; true where it could.
    fn goes_on(&mut self) -> bool {
        let event = self.event();
        if self.sold.is_empty() || self.chance.once_in(3) {
            let currency: Currency = CURRENCIES[self.chance.below(3)].parse().unwrap();
            let price = i64::try_from(1 + self.chance.below(100_000)).unwrap();
            let tax = i64::try_from(self.chance.below(2) * self.chance.below(20_000)).unwrap();
            let sale = Sale {
                tenant: "acme".parse().unwrap(),
                rail: rail(),
                price: Money::new(price, currency),
                tax: Money::new(tax, currency),
            };
            let (sold, journal) = sale.sell(&self.rule, event).unwrap();
            self.tell(journal);
            self.sold.push((sold, Vec::new()));
            return true;
        }
        let at = self.chance.below(self.sold.len());
        let (sold, disputed) = &mut self.sold[at];
        let left = sold.left();
        let some = usize::try_from(left.amount()).unwrap();
        let some = i64::try_from(self.chance.below(some + 1)).unwrap();
        let some =
            Money::new(if self.chance.once_in(3) { left.amount() } else { some }, left.currency());
        if !disputed.is_empty() && self.chance.once_in(2) {
            let which = disputed.swap_remove(self.chance.below(disputed.len()));
            let verdict = if self.chance.once_in(2) { Verdict::Won } else { Verdict::Lost };
            let journal = sold.settle(&which, verdict, event).unwrap();
            self.tell(journal);
            return true;
        }
        if some.amount() == 0 {
            // Nothing moves, and nothing is told.
            assert!(sold.refund(some, event).is_err());
            return false;
        }
        let journal = if self.chance.once_in(3) {
            let (taken, journal) = sold.dispute(some, event).unwrap();
            disputed.push(taken);
            journal
        } else {
            sold.refund(some, event).unwrap()
        };
        self.tell(journal);
        true
    }

    /// What each has is what the ledger says.
    fn is_told(&self) {
        for currency in CURRENCIES {
            let currency: Currency = currency.parse().unwrap();
            let mine = || self.sold.iter().filter(|(sold, _)| sold.left().currency() == currency);
            let micros = |money: Money| {
                let unit = 1_000_000 / 10_i128.pow(u32::from(currency.decimals()));
                i128::from(money.amount()) * unit
            };
            let is = |party: Party, book: Book| {
                self.ledger.balance(&Account::new(party, book), currency)
            };
            let seed = self.seed;
            let left: i128 = mine().map(|(sold, _)| micros(sold.left())).sum();
            assert_eq!(is(rail(), Book::Cash), left, "seed {seed}: what the rail has");
            let open = || mine().flat_map(|(_, disputed)| disputed);
            let kept: i128 = open().map(|disputed| micros(disputed.left())).sum();
            let parties =
                || mine().flat_map(|(sold, _)| sold.parts().each().map(|(party, _)| party));
            let mut all: Vec<_> = parties().cloned().chain([tenant()]).collect();
            all.sort();
            all.dedup();
            let reserves: i128 = all.iter().map(|party| is(party.clone(), Book::Reserve)).sum();
            assert_eq!(reserves, kept, "seed {seed}: what is kept back");
            for party in all {
                let book = if party == Party::Factory { Book::Revenue } else { Book::Payable };
                let has: i128 = mine()
                    .flat_map(|(sold, disputed)| std::iter::once(sold).chain(disputed))
                    .map(|sold| micros(sold.parts().of(&party)))
                    .sum();
                assert_eq!(-is(party.clone(), book), has, "seed {seed}: what {party} has");
            }
            let tax: i128 = mine()
                .flat_map(|(sold, disputed)| std::iter::once(sold).chain(disputed))
                .map(|sold| micros(sold.tax()))
                .sum();
            assert_eq!(-is(tenant(), Book::Tax), tax, "seed {seed}: the tax");
        }
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        for ((_, currency), micros) in self.ledger.balances() {
            *sums.entry(*currency).or_default() += micros;
        }
        assert!(sums.values().all(|sum| *sum == 0), "seed {}: {sums:?}", self.seed);
        let again = memory::fold(self.ledger.journals());
        assert_eq!(again, *self.ledger.balances(), "seed {}: played again", self.seed);
    }

    /// All that is open is settled and all that is left is given back: nobody has anything.
    fn ends(&mut self) {
        let mut sold = std::mem::take(&mut self.sold);
        for (sold, disputed) in &mut sold {
            for which in disputed.drain(..) {
                let event = self.event();
                let journal = sold.settle(&which, Verdict::Won, event).unwrap();
                self.tell(journal);
            }
            if sold.left().amount() > 0 {
                let event = self.event();
                let journal = sold.refund(sold.left(), event).unwrap();
                self.tell(journal);
            }
        }
        self.tell_all();
        let left: Vec<_> = self.ledger.balances().iter().filter(|(_, is)| **is != 0).collect();
        assert!(left.is_empty(), "seed {}: {left:?}", self.seed);
    }
}

#[test]
fn whatever_becomes_of_sales_each_has_what_the_ledger_says_and_nothing_is_left_over() {
    let seed = from_environment("SOULFRA_SEED", 20_261_123);
    let operations = from_environment("SOULFRA_OPERATIONS", 20_000);
    let (mut done, mut histories, mut seeds) = (0, 0, Chance::new(seed));
    let mut all = Faults::default();
    while done < operations {
        let mut world = World::new(seeds.number());
        for _ in 0..LONG {
            done += u64::from(world.goes_on());
        }
        world.tell_all();
        world.is_told();
        world.ends();
        histories += 1;
        all.again += world.faults.again;
        all.otherwise += world.faults.otherwise;
    }
    let Faults { again, otherwise } = all;
    println!(
        "counted: {done} sales, refunds, disputes and verdicts in {histories} histories from seed {seed}, {again} \
         told again and {otherwise} told otherwise, 0 millionths over"
    );
}
