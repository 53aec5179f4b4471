//! What was agreed: price lists for everybody, and contracts that say otherwise for a time.

use std::collections::BTreeMap;

use blueprint::Slug;
use blueprint::money::{Bps, Currency};
use blueprint::plan::PlanName;
use jiff::{SignedDuration, Timestamp};

use super::dated::Dated;
use super::dunning::Patience;
use super::invoice::Invoice;
use super::line::{Line, Reason};
use super::markup::Tiers;
use super::prices::{NoPrice, PriceList, Sku, may_cost};
use super::time::{Month, Period};
use crate::amount::{Amount, AmountError};

/// What an organization agreed to for a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// What it is called.
    pub number: Slug,
    /// Its first month.
    pub from: Month,
    /// How many it lasts.
    pub months: u16,
    /// What is paid in all of it at least, without tax; what is missing is billed when it is over.
    pub commitment: Option<Amount>,
    /// When invoices are to be paid.
    pub payment: Payment,
    /// How long an unpaid one is borne.
    pub patience: Patience,
    /// What costs something else than on the list.
    pub overrides: Dated<Overrides>,
}

/// When an invoice is to be paid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Payment {
    /// As soon as it is there.
    #[default]
    AtOnce,
    /// So many days later, against an order of the buyer.
    Net {
        /// 30, mostly.
        days: u16,
        /// As the buyer calls it; every invoice says it.
        purchase_order: String,
    },
}

/// What a contract has otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// What one of these costs.
    pub prices: BTreeMap<Sku, Amount>,
    /// The factory's share of what a platform keeps of its sales.
    pub fee: Option<Bps>,
    /// What comes on top of what AI costs.
    pub markup: Option<Tiers>,
    /// Gibibytes that are stored for nothing.
    pub stored: Option<u32>,
}

/// Everything that says what something costs an organization, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    currency: Currency,
    lists: Dated<PriceList>,
    contracts: BTreeMap<Month, Contract>,
}

/// Why something cannot be agreed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoContract {
    /// A price.
    #[error(transparent)]
    Price(#[from] NoPrice),
    /// The amounts.
    #[error(transparent)]
    Amount(#[from] AmountError),
    /// Less than the list says is the least.
    #[error("{asked} for {sku} is below the least of {least}")]
    BelowLeast {
        /// What it would cost.
        asked: Amount,
        /// What.
        sku: Sku,
        /// What it costs at least.
        least: Amount,
    },
    /// It lasts for no month, or too many.
    #[error("a contract lasts from 1 to {MOST_MONTHS} months, not {0}")]
    Months(u16),
    /// Another one counts in that time.
    #[error("{0} counts in some of these months already")]
    Overlaps(Slug),
    /// An order without a name, or that waits for ever.
    #[error(
        "an invoice is paid within 1 to {MOST_DAYS} days, against an order that has a name of 1 to 80 characters"
    )]
    Payment,
    /// Committed to nothing.
    #[error("a commitment is above nothing")]
    Commitment,
}

/// No contract lasts longer.
pub const MOST_MONTHS: u16 = 120;
/// No invoice waits longer for its payment.
pub const MOST_DAYS: u16 = 180;

impl Contract {
    /// From its first month until its last is over.
    pub fn term(&self) -> Period {
        Period::new(self.from.begins(), self.from.later(self.months).begins())
    }

    /// What is missing of the commitment, as a line: of what was billed for its term, and of lines that are to be
    /// billed with it. What credit notes gave back counts as billed, or the commitment would take it again.
    /// Nothing where nothing is missing.
    ///
    /// # Errors
    /// [`AmountError`]
    pub fn shortfall<'a>(
        &self,
        billed: impl IntoIterator<Item = &'a Invoice>,
        with: &[Line],
    ) -> Result<Option<Line>, AmountError> {
        let Some(committed) = self.commitment else { return Ok(None) };
        let counts =
            |line: &Line| line.sku() != Sku::Shortfall && self.term().has(line.period().from());
        let mut sum = Amount::zero(committed.currency());
        for (_, net) in billed.into_iter().flat_map(Invoice::nets).filter(|(line, _)| counts(line))
        {
            sum = sum.plus(Amount::of(net)?)?;
        }
        let with = with.iter().filter(|line| counts(line)).map(Line::amount);
        let sum = sum.plus(Amount::sum(committed.currency(), with)?)?;
        let missing = committed.minus(sum)?;
        if !missing.is_positive() {
            return Ok(None);
        }
        let why = vec![
            Reason::new(format!("committed to in {}", self.number), committed),
            Reason::new("billed for its term", sum.negated()?),
        ];
        Ok(Some(Line::of(Sku::Shortfall, "missing of the commitment", self.term(), why)?))
    }

    /// Whether the list that counts when each override begins lets it.
    fn check(&self, lists: &Dated<PriceList>, currency: Currency) -> Result<(), NoContract> {
        if !(1..=MOST_MONTHS).contains(&self.months) {
            return Err(NoContract::Months(self.months));
        }
        if let Some(committed) = self.commitment {
            if committed.currency() != currency {
                return Err(AmountError::Mixed(committed.currency(), currency).into());
            }
            if !committed.is_positive() {
                return Err(NoContract::Commitment);
            }
        }
        self.payment.check()?;
        let begins = self.from.begins();
        let first = std::iter::once((begins, self.overrides.at(begins)));
        for (from, overrides) in first.chain(self.overrides.changes()) {
            overrides.check(lists.at(from.max(begins)))?;
        }
        Ok(())
    }
}

impl Payment {
    /// Until when what is issued at this time is to be paid.
    pub fn due(&self, issued: Timestamp) -> Timestamp {
        let Self::Net { days, .. } = self else { return issued };
        let wait = SignedDuration::from_hours(i64::from(*days) * 24);
        issued.checked_add(wait).unwrap_or(Timestamp::MAX)
    }

    /// The order that the invoice is against.
    pub fn purchase_order(&self) -> Option<&str> {
        match self {
            Self::AtOnce => None,
            Self::Net { purchase_order, .. } => Some(purchase_order),
        }
    }

    fn check(&self) -> Result<(), NoContract> {
        let Self::Net { days, purchase_order } = self else { return Ok(()) };
        let is_named = (1..=80).contains(&purchase_order.chars().count())
            && !purchase_order.contains(char::is_control)
            && !purchase_order.trim().is_empty();
        if is_named && (1..=MOST_DAYS).contains(days) { Ok(()) } else { Err(NoContract::Payment) }
    }
}

impl Overrides {
    fn check(&self, list: &PriceList) -> Result<(), NoContract> {
        for (&sku, &asked) in &self.prices {
            may_cost(sku, asked, list.currency())?;
            // Of the enterprise plan the list says what it costs at least.
            let is_least = sku == Sku::Plan(PlanName::Enterprise);
            if let Some(least) =
                list.price(sku).filter(|least| is_least && asked.micros() < least.micros())
            {
                return Err(NoContract::BelowLeast { asked, sku, least });
            }
        }
        match &self.markup {
            Some(tiers) if tiers.currency() != list.currency() => {
                Err(AmountError::Mixed(tiers.currency(), list.currency()).into())
            }
            _ => Ok(()),
        }
    }
}

impl Agreement {
    /// What the lists say, all of one currency.
    ///
    /// # Errors
    /// [`AmountError::Mixed`]
    pub fn new(lists: Dated<PriceList>) -> Result<Self, AmountError> {
        let currency = lists.at(Timestamp::MIN).currency();
        let other = lists.all().map(PriceList::currency).find(|other| *other != currency);
        match other {
            Some(other) => Err(AmountError::Mixed(other, currency)),
            None => Ok(Self { currency, lists, contracts: BTreeMap::new() }),
        }
    }

    /// And in its term, a contract. To say it again changes nothing.
    ///
    /// # Errors
    /// [`NoContract`]; nothing is agreed then.
    pub fn sign(&mut self, contract: Contract) -> Result<(), NoContract> {
        if self.contracts.get(&contract.from) == Some(&contract) {
            return Ok(());
        }
        contract.check(&self.lists, self.currency)?;
        let term = contract.term();
        let other = |known: &&Contract| known.term().within(term).seconds() > 0;
        if let Some(known) = self.contracts.values().find(other) {
            return Err(NoContract::Overlaps(known.number.clone()));
        }
        self.contracts.insert(contract.from, contract);
        Ok(())
    }

    /// What everything is paid in.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The contract that counts at that time. Once it is over, the list counts again.
    pub fn contract(&self, at: Timestamp) -> Option<&Contract> {
        let (_, last) = self.contracts.range(..=Month::of(at)).next_back()?;
        Some(last).filter(|contract| contract.term().has(at))
    }

    /// What one of these costs at that time.
    ///
    /// # Errors
    /// [`NoPrice::NotSold`]
    pub fn price(&self, sku: Sku, at: Timestamp) -> Result<Amount, NoPrice> {
        let agreed = self.overrides(at).and_then(|overrides| overrides.prices.get(&sku).copied());
        agreed.or_else(|| self.lists.at(at).price(sku)).ok_or(NoPrice::NotSold(sku))
    }

    /// The factory's share of what a platform keeps of its sales.
    pub fn fee(&self, plan: PlanName, at: Timestamp) -> Bps {
        let agreed = self.overrides(at).and_then(|overrides| overrides.fee);
        agreed.unwrap_or(plan.entitlements().factory_fee_bps)
    }

    /// What comes on top of what AI costs.
    ///
    /// # Errors
    /// [`NoPrice::NotSold`]
    pub fn markup(&self, plan: PlanName, at: Timestamp) -> Result<&Tiers, NoPrice> {
        let agreed = self.overrides(at).and_then(|overrides| overrides.markup.as_ref());
        agreed.or_else(|| self.lists.at(at).markup(plan)).ok_or(NoPrice::NotSold(Sku::Ai))
    }

    /// Gibibytes that are stored for nothing.
    pub fn stored(&self, plan: PlanName, at: Timestamp) -> u32 {
        let agreed = self.overrides(at).and_then(|overrides| overrides.stored);
        agreed.unwrap_or_else(|| self.lists.at(at).stored(plan))
    }

    /// When what is issued now is to be paid: by the contract that counts now, or else by the one that counted
    /// for what it is about, as the last bill of a contract comes when it is over.
    pub fn payment(&self, at: Timestamp, lines: &[Line]) -> Payment {
        let of_lines = || lines.iter().find_map(|line| self.contract(line.period().from()));
        let contract = self.contract(at).or_else(of_lines);
        contract.map(|contract| contract.payment.clone()).unwrap_or_default()
    }

    /// How long what is unpaid is borne.
    pub fn patience(&self, at: Timestamp) -> Patience {
        self.contract(at).map(|contract| contract.patience).unwrap_or_default()
    }

    fn overrides(&self, at: Timestamp) -> Option<&Overrides> {
        self.contract(at).map(|contract| contract.overrides.at(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rating::invoice::{Draft, Event, InvoiceName, Payer, Tax, TaxKind, Taxes};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn usd(dollars: i64) -> Amount {
        Amount::new(dollars * 1_000_000, Currency::USD)
    }

    fn contract(overrides: Overrides) -> Contract {
        Contract {
            number: "c-1".parse().unwrap(),
            from: Month::of(at("2027-03-15T00:00:00Z")),
            months: 12,
            commitment: None,
            payment: Payment::Net { days: 30, purchase_order: "PO 7".into() },
            patience: Patience::default(),
            overrides: Dated::new(overrides),
        }
    }

    fn agreement() -> Agreement {
        Agreement::new(Dated::new(PriceList::factory().unwrap())).unwrap()
    }

    fn price_of(sku: Sku, price: Amount) -> Overrides {
        Overrides { prices: BTreeMap::from([(sku, price)]), ..Overrides::default() }
    }

    #[test]
    fn a_contract_counts_in_its_term_and_the_list_before_and_after() {
        let mut agreed = agreement();
        let business = Sku::Plan(PlanName::Business);
        let mut signed = contract(Overrides {
            fee: Some(Bps::percent(10)),
            stored: Some(500),
            markup: Some(Tiers::new(Currency::USD, Bps::percent(22), []).unwrap()),
            ..price_of(business, usd(800))
        });
        signed.overrides.set(at("2027-09-01T00:00:00Z"), price_of(business, usd(700))).unwrap();
        agreed.sign(signed.clone()).unwrap();
        agreed.sign(signed.clone()).unwrap();
        let price = |time| agreed.price(business, at(time)).unwrap();
        assert_eq!(price("2027-02-28T23:59:59Z"), usd(999));
        assert_eq!(price("2027-03-01T00:00:00Z"), usd(800));
        assert_eq!(price("2027-08-31T23:59:59Z"), usd(800));
        assert_eq!(price("2027-09-01T00:00:00Z"), usd(700));
        assert_eq!(price("2028-02-29T23:59:59Z"), usd(700));
        assert_eq!(price("2028-03-01T00:00:00Z"), usd(999));
        let (in_term, after) = (at("2027-04-01T00:00:00Z"), at("2028-03-01T00:00:00Z"));
        let fee = |time| agreed.fee(PlanName::Business, time);
        assert_eq!((fee(in_term), fee(after)), (Bps::percent(10), Bps::percent(25)));
        let stored = |time| agreed.stored(PlanName::Business, time);
        assert_eq!((stored(in_term), stored(after)), (500, 0));
        assert_ne!(
            agreed.markup(PlanName::Business, in_term),
            agreed.markup(PlanName::Business, after)
        );
        // What the contract does not say the list does.
        assert_eq!(agreed.price(Sku::SERVICES, in_term), Ok(usd(500)));
        assert_eq!(agreed.price(Sku::Storage, in_term), Err(NoPrice::NotSold(Sku::Storage)));
        let due = agreed.payment(in_term, &[]).due(in_term);
        assert_eq!(due, at("2027-05-01T00:00:00Z"));
        assert_eq!(agreed.payment(after, &[]).due(after), after);
        assert_eq!(agreed.payment(in_term, &[]).purchase_order(), Some("PO 7"));
        let last = line(Sku::SERVICES, at("2028-02-01T00:00:00Z"), usd(1));
        let other = line(Sku::SERVICES, after, usd(1));
        assert_eq!(agreed.payment(after, &[other.clone(), last]), signed.payment);
        assert_eq!(agreed.payment(after, &[other]), Payment::AtOnce);
    }

    #[test]
    fn a_list_that_changes_counts_from_then_on_and_not_against_a_contract() {
        let business = Sku::Plan(PlanName::Business);
        let mut lists = Dated::new(PriceList::factory().unwrap());
        let dearer = PriceList::factory().unwrap().with(business, usd(1_200)).unwrap();
        lists.set(at("2027-06-01T00:00:00Z"), dearer).unwrap();
        let mut agreed = Agreement::new(lists).unwrap();
        let late = at("2027-06-01T00:00:00Z");
        assert_eq!(agreed.price(business, at("2027-05-31T23:59:59Z")), Ok(usd(999)));
        assert_eq!(agreed.price(business, late), Ok(usd(1_200)));
        agreed.sign(contract(price_of(business, usd(999)))).unwrap();
        assert_eq!(agreed.price(business, late), Ok(usd(999)));
    }

    #[test]
    fn what_cannot_be_agreed_is_refused() {
        let refused = |contract| agreement().sign(contract).unwrap_err();
        let enterprise = Sku::Plan(PlanName::Enterprise);
        let (asked, least) = (usd(9_998), usd(9_999));
        let below = NoContract::BelowLeast { asked, sku: enterprise, least };
        assert_eq!(refused(contract(price_of(enterprise, asked))), below);
        assert!(agreement().sign(contract(price_of(enterprise, least))).is_ok());
        let mut later = contract(Overrides::default());
        later.overrides.set(at("2027-05-01T00:00:00Z"), price_of(enterprise, asked)).unwrap();
        assert_eq!(refused(later), below);
        let base = || contract(Overrides::default());
        for months in [0, MOST_MONTHS + 1] {
            assert_eq!(refused(Contract { months, ..base() }), NoContract::Months(months));
        }
        let net = |days, order: &str| Payment::Net { days, purchase_order: order.into() };
        for payment in [net(0, "PO"), net(181, "PO"), net(30, " "), net(30, ""), net(30, "a\nb")] {
            assert_eq!(refused(Contract { payment, ..base() }), NoContract::Payment);
        }
        let nothing = Contract { commitment: Some(usd(0)), ..base() };
        assert_eq!(refused(nothing), NoContract::Commitment);
        let yen = "JPY".parse().unwrap();
        let mixed = AmountError::Mixed(yen, Currency::USD);
        let of_yen = Contract { commitment: Some(Amount::new(1, yen)), ..base() };
        assert_eq!(refused(of_yen), NoContract::Amount(mixed));
        let tiers = Some(Tiers::by_volume(PlanName::Starter, yen));
        let marked = Overrides { markup: tiers, ..Overrides::default() };
        assert_eq!(refused(contract(marked)), NoContract::Amount(mixed));
    }

    #[test]
    fn two_contracts_never_count_at_once() {
        let mut agreed = agreement();
        let base = contract(Overrides::default());
        agreed.sign(base.clone()).unwrap();
        let other = |from: &str, months| Contract {
            number: "c-2".parse().unwrap(),
            from: Month::of(at(from)),
            months,
            ..base.clone()
        };
        let overlaps = Err(NoContract::Overlaps(base.number.clone()));
        assert_eq!(agreed.sign(other("2028-02-01T00:00:00Z", 1)), overlaps);
        assert_eq!(agreed.sign(other("2026-01-01T00:00:00Z", 40)), overlaps);
        assert_eq!(agreed.sign(other("2028-03-01T00:00:00Z", 1)), Ok(()));
        assert_eq!(agreed.sign(other("2027-02-01T00:00:00Z", 1)), Ok(()));
        let mut mixed = Dated::new(PriceList::factory().unwrap());
        let yen = "JPY".parse().unwrap();
        let list = PriceList::new(yen, |plan| Tiers::by_volume(plan, yen));
        mixed.set(at("2027-01-01T00:00:00Z"), list).unwrap();
        assert_eq!(Agreement::new(mixed), Err(AmountError::Mixed(yen, Currency::USD)));
    }

    #[test]
    fn what_is_missing_of_a_commitment_is_a_line() {
        let committed = Contract { commitment: Some(usd(1_000)), ..contract(Overrides::default()) };
        let (first, last) = (at("2027-03-01T00:00:00Z"), at("2028-02-01T00:00:00Z"));
        let outside = [at("2027-02-01T00:00:00Z"), at("2028-03-01T00:00:00Z")];
        let mut lines = vec![line(Sku::SERVICES, first, usd(150)), line(Sku::Ai, last, usd(250))];
        lines.extend(outside.map(|time| line(Sku::SERVICES, time, usd(10_000))));
        lines.push(line(Sku::Shortfall, first, usd(10_000)));
        let short = committed.shortfall([], &lines).unwrap().unwrap();
        assert_eq!((short.amount(), short.period()), (usd(600), committed.term()));
        // Prices have a tax in them that is not paid to us, and what is given back is not asked for again.
        let agreed = agreement();
        let organization = "acme".parse().unwrap();
        let payer = Payer { organization: &organization, agreement: &agreed };
        let name = InvoiceName::month(&organization, Month::of(last));
        let draft = Draft::new(name, payer, lines.clone(), last).unwrap();
        let tax = Tax { what: "VAT".into(), amount: "50.00 USD".parse().unwrap() };
        let mut taxes = Taxes::none(5);
        taxes.kind = TaxKind::Inclusive;
        taxes.lines[0] = Some(tax);
        let mut invoice = draft.issue(taxes).unwrap();
        let less =
            Event::Credited { lines: vec![(1, "250.00 USD".parse().unwrap())], why: "x".into() };
        invoice.happened("note".parse().unwrap(), less, last).unwrap();
        let short = committed.shortfall([&invoice], &lines[..1]).unwrap().unwrap();
        assert_eq!(short.amount(), usd(1_000 - 100 - 250 - 150));
        lines.push(line(Sku::SERVICES, last, usd(600)));
        assert_eq!(committed.shortfall([], &lines), Ok(None));
        assert_eq!(contract(Overrides::default()).shortfall([], &[]), Ok(None));
    }

    fn line(sku: Sku, month: Timestamp, amount: Amount) -> Line {
        let why = vec![Reason::new("x", amount)];
        Line::of(sku, "x", Month::of(month).period(), why).unwrap()
    }
}
