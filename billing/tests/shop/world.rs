//! A platform, people, a ledger, and everything that happens to them, written down such that a person can check it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use billing::ledger::memory::Ledger;
use billing::ledger::{Account, EventKey, Journal, Party, Posted};
use billing::rating::invoice::{Ref, Tax, TaxKind};
use billing::rating::time::Period;
use billing::sale::{Sale, Sold, Verdict};
use billing::shop::access::{Act, Answer, Cost, Holdings, may};
use billing::shop::bill::{Line, Receipt};
use billing::shop::offers::{Deal, Offers};
use billing::shop::reserve::{Policy, Reserves};
use billing::shop::statement::{Earnings, Revenue};
use billing::shop::subscription::{Fact, Quote, State, Subscription, Wish};
use billing::shop::team::{Sharing, Team};
use billing::shop::wallet::{Wallet, pass_on, settle, settle_after};
use billing::split::Rule;
use blueprint::money::{Bps, Currency, Money};
use blueprint::name::BlueprintName;
use jiff::Timestamp;
use uuid::Uuid;

pub(crate) fn at(text: &str) -> Timestamp {
    if text.contains('T') { text.parse().unwrap() } else { at(&format!("{text}T00:00:00Z")) }
}

pub(crate) fn called(name: &str) -> Ref {
    name.parse().unwrap()
}

pub(crate) fn money(text: &str) -> Money {
    text.parse().unwrap()
}

/// Somebody who buys or sells.
pub(crate) const fn who(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// Whom everything is bought by.
pub(crate) const BUYER: Uuid = who(9);

/// What prices are taxed with, in percent.
#[derive(Clone, Copy)]
pub(crate) struct Rate(pub(crate) TaxKind, pub(crate) i64);

pub(crate) struct World {
    tenant: BlueprintName,
    pub(crate) offers: Offers,
    pub(crate) fee: Bps,
    pub(crate) policy: Policy,
    rate: Rate,
    pub(crate) ledger: Ledger,
    reserves: Reserves,
    sold: BTreeMap<String, (Sold, Option<Sold>)>,
    pub(crate) had: Option<Subscription>,
    bought: Vec<Uuid>,
    state: Option<State>,
    text: String,
}

macro_rules! say {
    ($world:expr, $($what:tt)*) => { writeln!($world.text, $($what)*).unwrap() };
}

impl World {
    pub(crate) fn new(offers: Offers, fee: Bps, rate: Rate) -> Self {
        Self {
            tenant: "harbour".parse().unwrap(),
            offers,
            fee,
            policy: Policy::NONE,
            rate,
            ledger: Ledger::default(),
            reserves: Reserves::default(),
            sold: BTreeMap::new(),
            had: None,
            bought: Vec::new(),
            state: None,
            text: String::new(),
        }
    }

    pub(crate) fn says(&mut self, what: &str) {
        say!(self, "{what}");
    }

    pub(crate) fn tenant(&self) -> Party {
        Party::Tenant(self.tenant.clone())
    }

    pub(crate) fn creator(&self, number: u128) -> Party {
        Party::Creator(self.tenant.clone(), who(number))
    }

    fn rail() -> Party {
        "rail:test".parse().unwrap()
    }

    fn currency(&self) -> Currency {
        self.offers.currency()
    }

    pub(crate) fn sharing(&self) -> Sharing<'_> {
        Sharing { tenant: &self.tenant, creator_share: self.offers.creator_share(), fee: self.fee }
    }

    /// How what the platform sells itself is split.
    pub(crate) fn own(&self) -> Rule {
        self.sharing().of_tenant(BUYER, None).unwrap()
    }

    /// How what one creator made is split.
    pub(crate) fn of(&self, creator: u128) -> Rule {
        self.sharing().of_team(&Team::of(who(creator)), BUYER, None).unwrap()
    }

    fn told(event: &str, now: Timestamp) -> (EventKey, Timestamp) {
        (EventKey::new("harbour", "test", event), now)
    }

    /// Posts a journal, settles after it, and tells it again.
    fn posts(&mut self, journal: &Journal) {
        assert!(matches!(self.ledger.post(journal.clone()), Posted::New(_)), "{journal:?}");
        let ledger = &self.ledger;
        let on = |account: &Account, currency| ledger.balance(account, currency);
        let held = |party: &Party, currency| self.reserves.held(party, currency, journal.at());
        let settled = settle_after(journal, &on, &held).unwrap();
        self.says_moved(journal);
        if let Some(settled) = settled {
            self.ledger.post(settled.clone());
            self.says_moved(&settled);
        }
        assert!(matches!(self.ledger.post(journal.clone()), Posted::Again(_)));
    }

    fn says_moved(&mut self, journal: &Journal) {
        for entry in journal.entries() {
            say!(self, "    {} {} {}", journal.what(), short(&entry.account), entry.amount);
        }
    }

    /// Somebody pays for this, with tax.
    pub(crate) fn sells(
        &mut self,
        event: &str,
        rule: &Rule,
        lines: Vec<Line>,
        now: Timestamp,
    ) -> Receipt {
        let sum: i64 = lines.iter().map(|line| line.price.amount()).sum();
        let Rate(kind, percent) = self.rate;
        let whole = if kind == TaxKind::Exclusive { 100 } else { 100 + percent };
        let tax = Money::new((sum * percent * 2 + whole) / (2 * whole), self.currency());
        let tax =
            (percent > 0).then(|| (kind, Tax { what: format!("VAT {percent} %"), amount: tax }));
        let receipt = Receipt::new(called(event), now, lines, tax).unwrap();
        say!(self, "{now} receipt {event}: {}", receipt.total);
        for line in &receipt.lines {
            say!(self, "    {} | {}", line.what, line.price);
        }
        if let Some((kind, tax)) = &receipt.tax {
            let within = if *kind == TaxKind::Inclusive { "within it " } else { "" };
            say!(self, "    {within}{} | {}", tax.what, tax.amount);
        }
        let sale = Sale {
            tenant: self.tenant.clone(),
            rail: Self::rail(),
            price: receipt.price,
            tax: receipt.taxed(),
        };
        let (sold, journal) = sale.sell(rule, Self::told(event, now)).unwrap();
        self.reserves.sold(&called(event), sold.parts(), self.policy, now);
        self.sold.insert(event.to_owned(), (sold, None));
        self.posts(&journal);
        receipt
    }

    /// So much of a sale goes back, tax included; all that is left where nothing is said.
    pub(crate) fn refunds(&mut self, sale: &str, event: &str, back: Option<&str>, now: &str) {
        let (sold, _) = self.sold.get_mut(sale).unwrap();
        let back = back.map_or_else(|| sold.left(), money);
        let journal = sold.refund(back, Self::told(event, at(now))).unwrap();
        self.reserves.left(&called(sale), sold.parts());
        let left = sold.left();
        say!(self, "{} refund {event} of {sale}: {back}, {left} are left", at(now));
        self.posts(&journal);
    }

    /// All of a sale is disputed.
    pub(crate) fn disputes(&mut self, sale: &str, event: &str, now: &str) {
        let (sold, disputed) = self.sold.get_mut(sale).unwrap();
        let (taken, journal) = sold.dispute(sold.left(), Self::told(event, at(now))).unwrap();
        self.reserves.left(&called(sale), sold.parts());
        *disputed = Some(taken);
        say!(self, "{} dispute {event} of {sale}", at(now));
        self.posts(&journal);
    }

    pub(crate) fn judges(&mut self, sale: &str, event: &str, verdict: Verdict, now: &str) {
        let (sold, disputed) = self.sold.get_mut(sale).unwrap();
        let disputed = disputed.take().unwrap();
        let journal = sold.settle(&disputed, verdict, Self::told(event, at(now))).unwrap();
        self.reserves.left(&called(sale), sold.parts());
        say!(self, "{} verdict {event} of {sale}", at(now));
        self.posts(&journal);
    }

    /// What is between a seller and us.
    pub(crate) fn wallet(&self, seller: &Party) -> Wallet {
        let on = |account: &Account, currency| self.ledger.balance(account, currency);
        Wallet::of(seller, self.currency(), &on).unwrap()
    }

    /// What became free is free, and all that they can have is handed to a seller.
    pub(crate) fn pays_out(&mut self, seller: &Party, event: &str, now: &str) {
        let key = Self::told(&format!("{event}:free"), at(now));
        let sellers = [(seller.clone(), self.currency())].into();
        let ledger = &self.ledger;
        let on = |account: &Account, currency| ledger.balance(account, currency);
        let held = |party: &Party, currency| self.reserves.held(party, currency, at(now));
        let settled = settle(&sellers, key, &on, &held).unwrap();
        say!(self, "{} hands {event} to {}", at(now), short_party(seller));
        if let Some(settled) = settled {
            self.ledger.post(settled.clone());
            self.says_moved(&settled);
        }
        let wallet = self.wallet(seller);
        let paid =
            pass_on(seller, &Self::rail(), wallet.free(), wallet, Self::told(event, at(now)));
        self.posts(&paid.unwrap());
    }

    /// Somebody signs up for a deal.
    pub(crate) fn begins(&mut self, deal: Deal, now: &str) {
        say!(self, "{} begins {deal}", at(now));
        self.had = Some(Subscription::begin(deal, at(now)));
        self.looks(now);
    }

    fn had(&mut self) -> &mut Subscription {
        self.had.as_mut().unwrap()
    }

    pub(crate) fn tells(&mut self, event: &str, fact: Fact) {
        self.had().told(called(event), fact).unwrap();
    }

    /// What is to be paid is paid.
    pub(crate) fn pays(&mut self, event: &str, now: &str) {
        let bill = self.had().standing(at(now)).unwrap().due.unwrap();
        let receipt = self.sells(event, &self.own(), bill.lines, at(now));
        assert_eq!(bill.total, receipt.lines.iter().fold(money_of(0, bill.total), add));
        let paid = Fact::Paid { term: bill.term, amount: bill.total, at: at(now) };
        self.tells(event, paid);
        self.looks(now);
    }

    /// A change is quoted, paid and accepted.
    pub(crate) fn changes(&mut self, event: &str, wish: &Wish, now: &str) -> Quote {
        let quote = self.had().quote(wish, at(now)).unwrap();
        say!(self, "{} quote {event}: {} now, counts from {}", at(now), quote.charge, quote.from);
        if quote.charge.amount() > 0 {
            self.sells(event, &self.own(), quote.lines.clone(), at(now));
        }
        self.had().accept(called(event), &quote, at(now)).unwrap();
        self.looks(now);
        quote
    }

    /// Says how the subscription stands, where that is new.
    pub(crate) fn looks(&mut self, now: &str) {
        let standing = self.had().standing(at(now)).unwrap();
        assert!(standing.too_late.is_empty());
        if self.state != Some(standing.state) {
            say!(
                self,
                "{} {:?}: {} until {}",
                at(now),
                standing.state,
                standing.deal.name,
                standing.period.until()
            );
            self.state = Some(standing.state);
        }
    }

    pub(crate) fn buys(&mut self, agent: Uuid) {
        self.bought.push(agent);
    }

    /// Asks whether somebody may, and writes down the answer.
    pub(crate) fn asks(&mut self, what: &str, act: Act, now: &str) -> Option<Cost> {
        let held = Holdings::at(at(now), &self.had, self.bought.iter().copied()).unwrap();
        let answer = may(&self.offers, &held, act, at(now));
        match &answer {
            Answer::Yes(Cost::Nothing) => say!(self, "{} {what}: yes", at(now)),
            Answer::Yes(Cost::Each(price)) => say!(self, "{} {what}: yes, for {price}", at(now)),
            Answer::Yes(Cost::Used(usage)) => {
                say!(self, "{} {what}: yes, and it is billed at {}", at(now), usage.price);
            }
            Answer::No(no) => say!(self, "{} {what}: no ({}). {no}", at(now), no.why.code()),
        }
        match answer {
            Answer::Yes(cost) => Some(cost),
            Answer::No(_) => None,
        }
    }

    /// All that was written down, statements, and what is on each account in the end.
    pub(crate) fn ends(mut self, sellers: &[u128]) -> String {
        let balances = self.ledger.balances().clone();
        assert_eq!(balances.values().sum::<i128>(), 0);
        assert!(self.ledger.conflicts().is_empty());
        let (currency, all) = (self.currency(), Period::new(at("2027-01-01"), at("2029-01-01")));
        let journals = self.ledger.journals().to_vec();
        let revenue = Revenue::of(&self.tenant, currency, all, &journals).unwrap();
        let theirs = self.wallet(&self.tenant()).theirs().unwrap();
        let sums = revenue.sums().unwrap();
        assert_eq!(sums.net.minus(revenue.handed).unwrap(), theirs);
        say!(self, "statement of the platform\n    {}", revenue.in_words().unwrap());
        let csv = |csv: String| csv.replace("\r\n", "\n    ").trim_end().to_owned();
        say!(self, "    {}", csv(revenue.csv()));
        for number in sellers {
            let party = self.creator(*number);
            let earned = Earnings::of(&party, currency, all, &journals).unwrap();
            assert_eq!(earned.wallet, self.wallet(&party));
            say!(self, "statement of {}\n    {}", short_party(&party), earned.in_words().unwrap());
            say!(self, "    {}", csv(earned.csv()));
        }
        say!(self, "in the end");
        for ((account, currency), micros) in balances {
            if micros != 0 {
                let amount = billing::amount::Amount::new(i64::try_from(micros).unwrap(), currency);
                say!(self, "    {} {amount}", short(&account));
            }
        }
        self.text
    }
}

fn money_of(amount: i64, like: Money) -> Money {
    Money::new(amount, like.currency())
}

fn add(sum: Money, line: &Line) -> Money {
    sum.checked_add(line.price).unwrap()
}

/// `creator 1/payable`
fn short(account: &Account) -> String {
    format!("{}/{}", short_party(&account.party), account.book.as_str())
}

fn short_party(party: &Party) -> String {
    match party {
        Party::Creator(_, id) => format!("creator {}", id.as_u128()),
        Party::Tenant(name) => name.to_string(),
        other => other.to_string(),
    }
}
